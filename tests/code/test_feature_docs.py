"""The examples of docs/FEATURE_STORE.md run, from the first to the last."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import pocai
from pocai.cli import main

DOCUMENT = (Path(__file__).parents[2] / "docs/FEATURE_STORE.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(console|python)\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
DEMO = Path(pocai.__file__).parent / "assets/demo/demo.png"


def test_there_are_commands_and_code() -> None:
    assert [language for language, _ in BLOCKS] == ["console", "python", "python"]


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POCAI_FEATURES__KIND", "sqlite")
    monkeypatch.setenv("POCAI_FEATURES__FOLDER", str(tmp_path / "features"))
    monkeypatch.setenv("POCAI_SERVER__STATE_DIR", str(tmp_path / "state"))
    shutil.copy(DEMO, "week.png")
    commands = [line.removeprefix("$ pocai ").split() for line in BLOCKS[0][1].splitlines()]
    for words in commands[:-1]:
        _run(words)
    assert "Assembly" in capsys.readouterr().out, "a name of the demo, from the table that `get` prints"
    for _, code in BLOCKS[1:]:
        exec(compile(code, "FEATURE_STORE.md", "exec"), {})
    assert capsys.readouterr().out.startswith("1 {")
    _run(commands[-1])
    assert "0 are left" in capsys.readouterr().err


def _run(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 0
