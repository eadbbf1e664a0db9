"""The tutorials of docs/FINE_TUNING.md and docs/DOCUMENT_MODELS.md run from their first command to their last."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WRITTEN = {
    "FINE_TUNING.md": {
        *("student/student.onnx", "adapter/adapter.safetensors", "teacher/model", "study/best.toml", "demo.json"),
    },
    "DOCUMENT_MODELS.md": {"base/layout.onnx", "base/layout.json", "llm/model"},
}
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", WRITTEN)
def test_the_tutorial_runs(name: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    (tmp_path / "src/pocai/assets").mkdir(parents=True)
    shutil.copytree(ROOT / "src/pocai/assets/demo", tmp_path / "src/pocai/assets/demo")
    for language, text in BLOCK.findall((ROOT / "docs" / name).read_text(encoding="utf-8")):
        runs = [text] if language == "python" else [line.removeprefix("$ ") for line in text.splitlines()]
        for run in runs:
            done = subprocess.run(arguments(language, run), cwd=tmp_path, capture_output=True, text=True, check=False)
            if run.startswith("pocai train ocr-lora") and done.returncode == 4 and "reads no better" in done.stderr:
                pytest.fail("the adapter of the tutorial learned nothing")
            assert done.returncode == 0, done.stderr[-2000:]
    assert {file for file in WRITTEN[name] if not (tmp_path / "out" / file).exists()} == set()


def arguments(language: str, run: str) -> list[str]:
    """How a block of the tutorial is started: with this Python, as a person in the virtual environment would."""
    if language == "python":
        return [sys.executable, "-c", run]
    words = shlex.split(run)
    return [str(Path(sys.executable).parent / words[0]), *words[1:]]
