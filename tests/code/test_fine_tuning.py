"""The tutorial of docs/FINE_TUNING.md runs from its first command to its last."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs/FINE_TUNING.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_tutorial_runs(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    (tmp_path / "src/pocai/assets").mkdir(parents=True)
    shutil.copytree(ROOT / "src/pocai/assets/demo", tmp_path / "src/pocai/assets/demo")
    for language, text in BLOCK.findall(TUTORIAL):
        runs = [text] if language == "python" else [line.removeprefix("$ ") for line in text.splitlines()]
        for run in runs:
            done = subprocess.run(arguments(language, run), cwd=tmp_path, capture_output=True, text=True, check=False)
            if run.startswith("pocai train ocr-lora") and done.returncode == 4 and "reads no better" in done.stderr:
                pytest.fail("the adapter of the tutorial learned nothing")
            assert done.returncode == 0, done.stderr[-2000:]
    written = {"student/student.onnx", "adapter/adapter.safetensors", "teacher/model", "study/best.toml", "demo.json"}
    assert {name for name in written if not (tmp_path / "out" / name).exists()} == set()


def arguments(language: str, run: str) -> list[str]:
    """How a block of the tutorial is started: with this Python, as a person in the virtual environment would."""
    if language == "python":
        return [sys.executable, "-c", run]
    words = shlex.split(run)
    return [str(Path(sys.executable).parent / words[0]), *words[1:]]
