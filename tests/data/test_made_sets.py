"""Sets of made documents on disk: continued where they stopped, never mixed, and read by the evaluation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pocai.errors import ConfigurationError
from pocai.evaluation.dataset import read_dataset
from pocai.settings import Settings
from pocai.synthetic.dataset import write_documents
from pocai.synthetic.made_document import FORMATS, DocumentSet

SETTINGS = Settings.model_construct(threads=1)
SET = DocumentSet(7, 7, FORMATS, "mixed")


class Interrupted(Exception):
    """Stands for the user's Ctrl-C."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "set"
    write_documents(folder, SET)
    return folder


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_data_set_is_read_by_the_evaluation(folder: Path) -> None:
    dataset = read_dataset(folder)
    assert [document.name for document in dataset.documents] == [f"{n:05d}" for n in range(7)]
    assert dataset.unlabelled == ()
    assert [document.path.suffix for document in dataset.documents] == [
        *(".png", ".jpg", ".pdf", ".pdf", ".docx", ".xlsx", ".png")
    ]
    for document in dataset.documents:
        assert document.words
        assert set(document.slices) == {"layout", "language", "stage", "format", "damage"}
        assert "fields" not in document.truth["timetables"][0]["timeblocks"][0]
        lines = json.loads((folder / "lines" / f"{document.name}.json").read_text(encoding="utf-8"))
        printed = [word["text"] for page in lines["pages"] for line in page["lines"] for word in line["words"]]
        assert tuple(printed) == document.words
        check_lines(lines, document.truth)


def check_lines(lines: dict[str, Any], truth: Mapping[str, Any]) -> None:
    """Lines have places where the format has pages, and name time blocks that are there."""
    for page in lines["pages"]:
        for line in page["lines"]:
            assert (line["quad"] is None) == (lines["format"] in ("docx", "xlsx"))
            if line["blocks"]:
                assert max(line["blocks"]) < len(truth["timetables"][line["timetable"]]["timeblocks"])


def test_the_manifest_says_how_the_set_came_about(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["parameters"]["seed"] == SET.seed
    assert tuple(manifest["parameters"]["formats"]) == FORMATS
    found = contents(folder)
    del found["manifest.json"]
    assert manifest["files"] == found
    listing = "".join(f"{digest}  {path}\n" for path, digest in sorted(found.items()))
    assert manifest["content_sha256"] == hashlib.sha256(listing.encode()).hexdigest()
    assert [entry["seed"] for entry in manifest["documents"]] == list(range(7, 14))
    assert set(manifest["faces"]) == {family for entry in manifest["documents"] for family in entry["faces"]}
    assert manifest["versions"]["reportlab"]


def test_an_interrupted_set_is_continued_to_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    def stop(done: int) -> None:
        if done == 4:
            raise Interrupted

    with pytest.raises(Interrupted):
        write_documents(tmp_path / "set", SET, stop)
    assert not (tmp_path / "set" / "manifest.json").exists()
    told: list[int] = []
    write_documents(tmp_path / "set", SET, told.append)
    assert told == list(range(1, 8))
    assert contents(tmp_path / "set") == contents(folder)


def test_a_finished_set_is_left_as_it_is(folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    write_documents(folder, SET)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_folder_with_anything_else_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="other parameters"):
        write_documents(folder, DocumentSet(8, 7))
    (tmp_path / "letter.txt").write_text("keep me", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="not empty"):
        write_documents(tmp_path, SET)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(
    ("documents", "what"),
    [
        (DocumentSet(1, 3, layouts="spiral"), "no layouts named 'spiral'"),
        (DocumentSet(1, 0), "0 documents"),
        (DocumentSet(-1, 1), "negative"),
        (DocumentSet(1, 1, ()), "no format"),
        (DocumentSet(1, 1, ("gif",)), "'gif'"),  # type: ignore[arg-type]  # as a caller without types would
        (DocumentSet(1, 1, damage="fire"), "'fire'"),  # type: ignore[arg-type]  # as a caller without types would
    ],
)
def test_parameters_that_cannot_be_are_refused_and_nothing_is_written(
    documents: DocumentSet, what: str, tmp_path: Path
) -> None:
    write = partial(write_documents, tmp_path / "set", documents)
    with pytest.raises(ConfigurationError, match=what):
        write()
    assert not (tmp_path / "set").exists()
