"""What tests of batches stand on: small documents, what a target holds, and a reading process that can be killed.

Run as a program, this file is such a process.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from pocai.inference import batch_worker
from pocai.inference.batch_worker import Answer, Reader, Told

DAYS = ("", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
LESSONS = ("Maths", "English", "Art", "PE", "Science", "History", "Music")
DEADLY = b"POISON"  # a document that begins so kills the process that reads it
COMMAND = (sys.executable, __file__)
PATIENCE = 120.0  # seconds to wait for another process on a busy machine


class Mortal(Reader):
    """A reader that a deadly document kills, as a fault in a decoder would."""

    def pid(self) -> int:
        return os.getpid()

    def read(self, content: bytes) -> tuple[str, bytes]:
        if content.startswith(DEADLY):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(content)


class Instant:
    """A worker of this process that gives the content back as its result; what begins with NO is no timetable."""

    def read(self, content: bytes, seconds: float) -> Answer:
        del seconds
        if content.startswith(b"NO"):
            return Told(code="no_timetable", what="no timetable was found"), b""
        return Told(pages=1, verdict="accept", seconds=0.01), content

    def close(self) -> None: ...


def weeks(folder: Path, count: int) -> list[str]:
    """Small Word documents, each with a week of its own; their names."""
    import docx

    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for number in range(count):
        chance = random.Random(number)
        document = docx.Document()
        table = document.add_table(rows=0, cols=len(DAYS))
        table.style = "Table Grid"
        times = [f"{9 + row}.00-{9 + row}.45" for row in range(3)]
        rows = [DAYS, *((time, *chance.choices(LESSONS, k=len(DAYS) - 1)) for time in times)]
        for row in rows:
            for cell, text in zip(table.add_row().cells, row, strict=True):
                cell.text = text
        names.append(f"week{number:02}.docx")
        document.save(str(folder / names[-1]))
    return names


def lines(target: Path, name: str) -> list[dict[str, Any]]:
    """The lines of a file of a target, without one that was broken off."""
    found = []
    for line in (target / name).read_bytes().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def states(target: Path) -> Counter[tuple[str, str]]:
    """How often the manifest says what of which document."""
    return Counter((line["path"], line["state"]) for line in lines(target, "manifest.jsonl") if "path" in line)


def assert_exactly_once(target: Path, names: list[str]) -> None:
    """Every document stands once in the index, was done once, and has one result, which is the one that was noted."""
    index = lines(target, "results.jsonl")
    assert [line["path"] for line in index] == sorted(names)
    assert {line["state"] for line in index} == {"done"}
    assert [count for (_, state), count in states(target).items() if state == "done"] == [1] * len(names)
    results = sorted(path.relative_to(target).as_posix() for path in (target / "results").rglob("*") if path.is_file())
    assert results == sorted(line["result"] for line in index)
    for line in index:
        assert sha256((target / line["result"]).read_bytes()).hexdigest() == line["result_sha256"]


def until(ready: Callable[[], bool], what: str) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.02)


def below(ancestor: int, name: str) -> list[int]:
    """The processes that a process started, and those that these started, whose command line holds a name."""
    facts: dict[int, tuple[int, str]] = {}
    for place in Path("/proc").iterdir():
        if not place.name.isdigit():
            continue
        try:
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            facts[int(place.name)] = (parent, (place / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:  # it has ended meanwhile
            continue
    found = []
    for pid, (_, command) in facts.items():
        above = pid
        while above in facts and above != ancestor:
            above = facts[above][0]
        if above == ancestor and pid != ancestor and name in command:
            found.append(pid)
    return found


def gone(pid: int) -> bool:
    """Whether a process has ended, though perhaps nobody has asked how yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


if __name__ == "__main__":
    batch_worker.Reader = Mortal  # type: ignore[misc]
    batch_worker.main()
