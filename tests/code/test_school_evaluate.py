"""``pocai evaluate --with-features``: each document is read with what those before it have shown of its school."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rendering import as_docx

from pocai.cli import main
from pocai.cli.evaluate import extractor_with, remembering
from pocai.evaluation.dataset import read_dataset
from pocai.inference import pipeline
from pocai.settings import Settings
from pocai.timetable.school import SchoolMemory
from pocai.timetable.timetable import TimeBlock, Timetable

SCHOOLS = ("north", "south", "north")


def week(name: str) -> Timetable:
    return Timetable(
        timeblocks=tuple(
            TimeBlock(day=day, name=each, start_time=start, end_time=end)
            for day in ("Monday", "Tuesday")
            for each, start, end in ((name, "09:00", "10:00"), ("Art", "10:00", "11:00"), ("PE", "11:00", "12:00"))
        )
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three labelled documents of two schools."""
    for part in ("documents", "truth"):
        (tmp_path / part).mkdir()
    for number, school in enumerate(SCHOOLS):
        timetable = week(f"{school} {number}".title())
        (tmp_path / "documents" / f"d{number}.docx").write_bytes(as_docx(timetable, days_across=True))
        label = {"timetables": [timetable.model_dump(by_alias=True, mode="json")], "slices": {"school": school}}
        (tmp_path / "truth" / f"d{number}.json").write_text(json.dumps(label), encoding="utf-8")
    return tmp_path


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return int(caught.value.code or 0)


@pytest.mark.parametrize("switch", ["--with-features", "--without"])
def test_both_ways_are_measured(folder: Path, switch: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("evaluate", folder, switch, "-o", folder / "report") == 0
    assert "1.000" in capsys.readouterr().out
    assert (folder / "report" / "report.md").is_file()


def test_each_document_is_read_with_those_of_its_school_before_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[SchoolMemory | None] = []
    read = pipeline.read

    def watched(path: Path, *, memory: SchoolMemory | None = None, name: str, settings: Settings) -> object:
        seen.append(memory)
        return read(path, name=name, settings=settings, memory=memory)

    monkeypatch.setattr(pipeline, "read", watched)  # what it is given shows in no result of a clean document
    dataset = read_dataset(folder)
    extract = remembering(Settings(), dataset)
    for document in dataset.documents:
        extract(document.path)
    north, south, again = (set(memory.names) for memory in seen if memory is not None)
    assert (north, south) == (set(), set())
    assert again == {"North 0", "Art", "PE"}, "nothing of the other school, nothing of its own"
    plain = extractor_with(Settings())
    plain(dataset.documents[0].path)
    assert seen[-1] is None
