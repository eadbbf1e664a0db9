"""Commands of pocai in processes of their own, with all that they keep below one folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PATIENCE = 720.0  # seconds that a command may take; the longest take two minutes on a quiet machine


def environment(desk: Path, **more: str) -> dict[str, str]:
    """The environment of somebody whose HOME is ``desk``; nothing of ours that is set outside counts."""
    ours = ("POCAI_", "PREFECT_", "MLFLOW_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**inherited, "HOME": str(desk), "POCAI_MLOPS__FOLDER": str(desk / "mlops"), "COLUMNS": "200", **more}


def command(*words: str) -> list[str]:
    """What starts pocai with these words."""
    return [sys.executable, "-m", "pocai", *words]


def done(desk: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A command that has ended, whatever it ended with; ``more`` is set in its environment."""
    return subprocess.run(
        command(*words),
        cwd=desk,
        env=environment(desk, **more),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
