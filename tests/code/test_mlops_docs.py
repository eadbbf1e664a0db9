"""docs/MLOPS.md is true: its commands are run in their order, in an empty folder, and each ends with 0."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs/MLOPS.md"
COMMANDS = [
    line.removeprefix("$ ")
    for block in re.findall(r"^```console\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
SMOKE = 360.0  # seconds that the smoke run may take on two quiet cores


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    return (yield tmp_path_factory.mktemp("desk"))


def run(command: str, desk: Path) -> subprocess.CompletedProcess[str]:
    """A command as a person gives it, with all that it keeps below the desk, HOME among it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("POCAI_", "PREFECT_"))}
    environment |= {"HOME": str(desk), "POCAI_MLOPS__FOLDER": str(desk / "mlops"), "COLUMNS": "200"}
    words = shlex.split(command)
    assert words[0] == "pocai"
    return subprocess.run(
        [sys.executable, "-m", "pocai", *words[1:]],
        cwd=desk,
        env=environment,
        capture_output=True,
        text=True,
        timeout=2 * SMOKE,
        check=False,
    )


def test_the_walk_through_is_walked(desk: Path) -> None:
    outputs: dict[str, str] = {}
    for command in COMMANDS:
        begin = time.monotonic()
        done = run(command, desk)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        outputs[command] = done.stdout
        if "--smoke" in command:
            assert time.monotonic() - begin < 2 * SMOKE
    listed = next(output for command, output in outputs.items() if command == "pocai models list")
    assert "layout@1" in listed
    assert "shadow" in listed
    assert "passed" in listed
    told = next(output for command, output in outputs.items() if "history" in command)
    actions = re.findall(r"\b(try|stop|promote|rollback)\b +layout@1", told)
    assert actions == ["try", "stop", "try", "promote", "rollback"]
    assert (desk / "out/gate/gate.html").is_file()
    assert not (desk / ".mlflow").exists()
    journal = desk / "mlops/journal.jsonl"
    journal.write_text(journal.read_text(encoding="utf-8").replace("a drill", "no reason"), encoding="utf-8")
    broken = run("pocai models history --verify", desk)
    assert (broken.returncode, "was changed" in broken.stderr) == (4, True)
