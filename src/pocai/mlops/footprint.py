"""How much memory a model takes: a process of its own loads it, reads a little of the frozen set, and says its peak.

A process of its own also shows whether the model loads at all, before it is loaded here.

    python -m pocai.mlops.footprint KIND MODEL BASE FROZEN…    (a minus for MODEL or BASE: the shipped one)
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pocai.errors import ModelError, PocaiError
from pocai.mlops.contestants import contestant, items
from pocai.mlops.frozen_set import FrozenSet
from pocai.models.package import ModelKind

READ = 6  # documents, or batches of lines
SECONDS = 120.0
MEGABYTE = 2**20
_NONE = "-"


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes of memory that a process took at most: before it had the model, and with it."""

    before: int
    peak: int

    @property
    def megabytes(self) -> float:
        """The peak."""
        return self.peak / MEGABYTE


def footprint(
    folder: Path | None, kind: ModelKind, frozen: FrozenSet, base: Path | None = None, *, seconds: float = SECONDS
) -> Footprint:
    """The memory of a model that reads a little. Raises ModelError where its process fails, or takes too long."""
    places = [str(place.resolve()) if place else _NONE for place in (folder, base)]
    sets = [str(each) for each in frozen.folders]
    command = [sys.executable, "-m", "pocai.mlops.footprint", kind, *places, *sets]
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds, check=False)  # noqa: S603 -- our own
    except subprocess.TimeoutExpired:
        what = f"the model did not read {READ} documents in {seconds:g} s"
        raise ModelError(what, mend="It is too slow to be evaluated") from None
    try:
        said = json.loads(done.stdout.decode().splitlines()[-1])
    except (ValueError, IndexError):
        what = f"the process that read with the model ended with {done.returncode}"
        raise ModelError(what, mend="The model cannot be used") from None
    if "error" in said:
        raise ModelError(str(said["error"]), mend="The model cannot be used")
    return Footprint(int(said["before"]), int(said["peak"]))


def peak_bytes() -> int:
    """The most memory that this process has had at a time.

    Linux keeps it for each program (VmHWM); what `resource` tells there includes that of the parent before the program
    began, and is used elsewhere only.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main(arguments: list[str]) -> None:
    """Read, and print the two numbers as JSON."""
    kind, folder, base, *sets = arguments
    frozen = FrozenSet(tuple(map(Path, sets)))
    posed = list(islice(items(frozen, kind), READ))  # type: ignore[arg-type]  # what `footprint` was given
    before = peak_bytes()
    try:
        model = contestant(_place(folder), kind, _place(base))  # type: ignore[arg-type]
        for item in posed:
            model.outcomes(item)
    except PocaiError as error:
        print(json.dumps({"error": error.what}))  # noqa: T201 -- read by `footprint`
        return
    print(json.dumps({"before": before, "peak": peak_bytes()}))  # noqa: T201


def _place(name: str) -> Path | None:
    return None if name == _NONE else Path(name)


if __name__ == "__main__":
    main(sys.argv[1:])
