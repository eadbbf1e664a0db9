"""``pocai synth``: data sets made from the command line, and what it says when it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pocai.cli import app, main
from pocai.evaluation.dataset import read_dataset
from pocai.training.shards import open_shards


def run(*arguments: str | Path) -> int:
    """The exit code of ``pocai synth ARGUMENTS``."""
    with pytest.raises(SystemExit) as caught:
        main(["synth", *map(str, arguments)])
    return int(caught.value.code or 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two made documents."""
    folder = tmp_path_factory.mktemp("synth") / "set"
    assert run("documents", "-o", folder, "-n", "2", "--seed", "5", "--format", "xlsx", "--format", "pdf") == 0
    return folder


def test_documents_are_written_with_their_truth(folder: Path) -> None:
    documents = read_dataset(folder).documents
    assert [document.path.name for document in documents] == ["00000.pdf", "00001.xlsx"]
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["parameters"] == {
        "format": 1,
        "seed": 5,
        "count": 2,
        "formats": ["pdf", "xlsx"],
        "damage": "mixed",
        "layouts": "train",
        "split": "train",
    }


def test_the_same_command_finds_its_work_done(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (folder / "manifest.json").stat().st_mtime_ns
    assert run("documents", "-o", folder, "-n", "2", "--seed", "5", "--format", "pdf", "--format", "xlsx") == 0
    assert (folder / "manifest.json").stat().st_mtime_ns == before
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Saved 2 documents" in captured.err


def test_other_parameters_need_another_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("documents", "-o", folder, "-n", "3", "--seed", "5") == 5
    assert "other parameters" in capsys.readouterr().err


def test_a_family_of_layouts_can_be_named(tmp_path: Path) -> None:
    options = ("--format", "docx", "--layouts", "bands", "--split", "test", "--seed", "2")
    assert run("documents", "-o", tmp_path / "set", "-n", "1", *options) == 0
    (document,) = read_dataset(tmp_path / "set").documents
    assert document.slices["layout"] == "bands"


def test_unknown_layouts_are_named_with_those_that_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("documents", "-o", tmp_path / "set", "--layouts", "spiral") == 5
    said = capsys.readouterr().err
    assert "'spiral'" in said
    assert "agenda" in said
    assert not (tmp_path / "set").exists()


def test_lines_are_cut_out_of_pages_and_written_as_a_part(tmp_path: Path) -> None:
    assert run("pages", "-o", tmp_path / "pages", "-n", "1", "--seed", "3") == 0
    shards = open_shards([tmp_path / "pages" / "part-000"])
    assert len(shards) > 10
    assert all(shards.text(number) for number in range(len(shards)))


def test_made_lines_are_written_as_a_part(tmp_path: Path) -> None:
    assert run("lines", "-o", tmp_path / "lines", "-n", "8", "--seed", "3", "--damage", "clean") == 0
    assert len(open_shards([tmp_path / "lines" / "part-000"])) == 8


@pytest.mark.parametrize("command", ["lines", "documents", "pages"])
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(app, ["synth", command, "--help"])
    assert result.exit_code == 0
    assert "--seed" in result.output
