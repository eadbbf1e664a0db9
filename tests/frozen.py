"""A small frozen set, made once for all tests of a process: the default set's first documents and lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from pocai.mlops.frozen_made import Size, made
from pocai.mlops.frozen_set import Content, FrozenSet, kept

TINY = Size(plain=10, read=0, lines=60)
RECIPE = {"kind": "tiny"}
_made: list[Content] = []


def tiny_content() -> Content:
    """What the set holds."""
    if not _made:
        _made.append(made(TINY))
    return _made[0]


@pytest.fixture(scope="module", name="tiny")
def tiny_set(tmp_path_factory: pytest.TempPathFactory) -> FrozenSet:
    """The set in a folder of its own."""
    return kept(tmp_path_factory.mktemp("frozen"), RECIPE, tiny_content)


def folder_of(frozen: FrozenSet) -> Path:
    """Where a set lies that is in one folder."""
    (folder,) = frozen.folders
    return folder
