"""Fixtures of the feature store: its servers, and stores of one's own in them.

`all_servers` is in conftest.py, so that there is one of each; `a_place` and `a_store` are imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from feature_servers import KEY, redis_cluster, s3_options, s3_server
from redis_server import redis_server

from pocai.feature_store.feast_store import FeastStore
from pocai.feature_store.place import Place

KINDS = ("sqlite", "redis", "cluster")
PATIENCE = 5.0  # seconds that Redis may take in tests; machines are busy
_numbers = count()

PlaceOf = Callable[..., Place]
StoreOf = Callable[..., FeastStore]


class Servers:
    """Servers that are started with their first use, and stopped at the end."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._urls: dict[str, str] = {"sqlite": ""}
        self._starts: dict[str, Callable[[], AbstractContextManager[str]]] = {
            "redis": redis_server,
            "cluster": redis_cluster,
            "s3": s3_server,
        }

    def url(self, kind: str) -> str:
        """Of a server: "redis", "cluster", or "s3"; "" for "sqlite", which needs none."""
        if kind not in self._urls:
            self._urls[kind] = self._stack.enter_context(self._starts[kind]())
        return self._urls[kind]


@pytest.fixture(scope="session", name="servers")
def all_servers() -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(stack)


@pytest.fixture(name="place")
def a_place(servers: Servers, tmp_path: Path) -> PlaceOf:
    """Makes places, each with a project and a folder of its own; ``offline="s3"`` puts the history into S3."""

    def place(kind: str = "sqlite", *, offline: str = "", **changes: Any) -> Place:
        number = next(_numbers)
        if offline == "s3":
            changes |= {"history": f"s3://features/{number}", "storage": s3_options(servers.url("s3"))}
        chosen = {"address": servers.url(kind), "project": f"pocai_{number}", "timeout": PATIENCE} | changes
        return Place(tmp_path / str(number), chosen.pop("key", KEY), kind=kind, **chosen)  # type: ignore[arg-type]

    return place


@pytest.fixture(name="store")
def a_store(place: PlaceOf) -> Iterator[StoreOf]:
    """Makes stores that are applied, and closed at the end: by a `Place`, or by what `a_place` takes."""
    with ExitStack() as stack:

        def store(kind: str | Place = "sqlite", **changes: Any) -> FeastStore:
            made = FeastStore(kind if isinstance(kind, Place) else place(kind, **changes))
            stack.callback(made.close)
            made.apply()
            return made

        yield store
