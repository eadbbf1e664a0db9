"""How much faster two processes read a batch than one, on a local Ray and as processes of `pocai batch` itself.

    python bench/bench_batch.py [--pages 300] [--rounds 3]

The documents are made ones of one page each, in turn Word, PDF, Word, PDF and JPEG (damaged as photographs are). Each
process keeps one core busy. A round reads its part of the pages in every way, one after the other, so that all meet the
same machine; the starts of processes and of their models count, that of Ray's cluster is shown beside. What two plain
programs that know nothing of each other reach together is the machine's own limit. The load is that of the machine
over the last minute, what is measured here included.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from pocai.inference.batch import Plan, Start, run
from pocai.inference.batch_local import LocalWorker
from pocai.inference.batch_ray import RayWorker, connected
from pocai.settings import Settings
from pocai.synthetic.made_document import DocumentSet, made_document

SEED = 7_900_000
FORMATS = ("docx", "pdf", "docx", "pdf", "jpeg")
ENDINGS = frozenset({".docx", ".pdf", ".jpg"})
GOAL = 1.7  # of two processes over one
PLAIN = """
import sys
from pathlib import Path
from pocai.inference import pipeline
from pocai.settings import Settings
for path in map(Path, sys.argv[1:]):
    pipeline.read(path.read_bytes(), settings=Settings(threads=1))
"""
FEW = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), "1")

Way = Callable[[Path, int, Path], None]


def made(folder: Path, pages: int, rounds: int) -> list[Path]:
    """So many documents of one page, in a folder for each round."""
    documents = DocumentSet(SEED, 100 * pages, FORMATS)  # type: ignore[arg-type] # a tuple of plain strings
    folders = [folder / f"round-{number}" for number in range(rounds)]
    for each in folders:
        each.mkdir()
    written = number = 0
    while written < pages:
        document = made_document(documents, number)
        number += 1
        if len(document.printed.pages) == 1 and FORMATS[written % len(FORMATS)] == document.slices["format"]:
            place = folders[written % rounds] / f"{written:03}.{document.ending}"
            place.write_bytes(document.printed.data)
            written += 1
    return folders


def by(start: Start) -> Way:
    """Reads a folder as a batch."""

    def read(source: Path, workers: int, target: Path) -> None:
        summary = run(Plan(str(source), str(target), ENDINGS, workers=workers), start, Settings())
        assert summary.pages + sum(summary.failed.values()) >= summary.documents, summary

    return read


def plainly(source: Path, workers: int, target: Path) -> None:
    """Read a folder in programs that know nothing of each other, each a half; nothing is written."""
    del target
    paths = sorted(map(str, source.iterdir()))
    shares = [paths[number::workers] for number in range(workers)]
    running = [subprocess.Popen([sys.executable, "-c", PLAIN, *share], env={**os.environ, **FEW}) for share in shares]
    assert not any(process.wait() for process in running)


def measured(ways: dict[str, Way], folders: Sequence[Path], scratch: Path) -> dict[tuple[str, int], float]:
    """Wall seconds of each way with one process and with two, over all rounds."""
    seconds: dict[tuple[str, int], float] = defaultdict(float)
    for number, folder in enumerate(folders):
        for name, way in ways.items():
            for workers in (1, 2):
                begun = time.perf_counter()
                way(folder, workers, scratch / f"{number}-{name}-{workers}")
                taken = time.perf_counter() - begun
                seconds[name, workers] += taken
                load = os.getloadavg()[0]
                print(f"  round {number + 1}, {name}, {workers}: {taken:.1f} s, load {load:.1f}", flush=True)
    return seconds


def main() -> None:
    """Print pages a second of each way, and how much two processes gain."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folders = made(Path(folder), options.pages, options.rounds)
        print(f"{options.pages} pages, {len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}", flush=True)
        begun = time.perf_counter()
        with connected(None, 2):
            print(f"Ray's cluster was started in {time.perf_counter() - begun:.1f} s", flush=True)
            ways = {"ray": by(RayWorker.start), "local": by(LocalWorker.start), "plain": plainly}
            seconds = measured(ways, folders, Path(folder))
    print(f"{'':8}{'1 process':>12}{'2 processes':>14}{'gain':>8}   pages/s")
    for name in ("ray", "local", "plain"):
        one, two = (options.pages / seconds[name, workers] for workers in (1, 2))
        judged = "" if name == "plain" else f"   (goal {GOAL}: {'kept' if two / one >= GOAL else 'MISSED'})"
        print(f"{name:8}{one:12.2f}{two:14.2f}{two / one:8.2f}{judged}")


if __name__ == "__main__":
    main()
