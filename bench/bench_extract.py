"""Speed and memory of pocai on the bundled page, beside RapidOCR with its defaults on the same picture in the same run.

    python bench/bench_extract.py [PICTURE] [--rounds 5]

Every figure is a median of the rounds; the two take turns, so that both meet the same machine. pocai reads the page
end to end (text, tables, times, checks), RapidOCR only its text. Peak memory is that of a fresh process.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

DEMO = Path(__file__).parents[1] / "src/pocai/assets/demo"
WALL, SHARE, MEMORY, NATIVE, HELP = 1.2, 0.6, 700, 0.4, 0.4  # seconds, of RapidOCR, MB, seconds, seconds
LINES, NETWORK = 600, 150  # lines of a page, and milliseconds for which the layout transformer may judge them


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def pairs(picture: Path, rounds: int) -> list[tuple[float, float]]:
    """Wall seconds of pocai and of RapidOCR, in turns, after one round of each to warm up."""
    from rapidocr import RapidOCR

    import pocai

    logging.disable(logging.INFO)  # RapidOCR tells where its models lie
    content = picture.read_bytes()
    engine: Callable[[bytes], object] = RapidOCR()
    turns = [(seconds(lambda: pocai.extract(content)), seconds(lambda: engine(content))) for _ in range(rounds + 1)]
    return turns[1:]


def word_page() -> bytes:
    """The bundled week as a plain Word table: a row a lesson."""
    import docx

    document, packed = docx.Document(), io.BytesIO()
    blocks = json.loads((DEMO / "demo.json").read_text(encoding="utf-8"))["timeblocks"]
    days = list(dict.fromkeys(block["day"] for block in blocks))
    starts = sorted({(block["startTime"], block["endTime"]) for block in blocks})
    table = document.add_table(rows=1, cols=1 + len(days))
    for cell, text in zip(table.rows[0].cells, ("", *days), strict=True):
        cell.text = text
    for start, end in starts:
        cells = table.add_row().cells
        cells[0].text = f"{start}-{end}"
        for block in blocks:
            if (block["startTime"], block["endTime"]) == (start, end):
                cells[1 + days.index(block["day"])].text = block["name"]
    document.save(packed)
    return packed.getvalue()


def pdf_page() -> bytes:
    """The same week as a text PDF with a ruled table."""
    from reportlab.lib import colors
    from reportlab.lib.pagesizes import A4, landscape
    from reportlab.platypus import SimpleDocTemplate, Table

    blocks = json.loads((DEMO / "demo.json").read_text(encoding="utf-8"))["timeblocks"]
    days = list(dict.fromkeys(block["day"] for block in blocks))
    rows = [["", *days]]
    for start, end in sorted({(block["startTime"], block["endTime"]) for block in blocks}):
        by_day = {
            block["day"]: block["name"] for block in blocks if (block["startTime"], block["endTime"]) == (start, end)
        }
        rows.append([f"{start}-{end}", *(by_day.get(day, "") for day in days)])
    packed = io.BytesIO()
    table = Table(rows, style=[("GRID", (0, 0), (-1, -1), 1, colors.black)])
    SimpleDocTemplate(packed, pagesize=landscape(A4)).build([table])
    return packed.getvalue()


def native(content: bytes, rounds: int) -> float:
    """Median wall seconds of a document with text of its own."""
    import pocai

    pocai.extract(content)
    return statistics.median(seconds(lambda: pocai.extract(content)) for _ in range(rounds))


def judging(lines: int, rounds: int) -> float:
    """Median milliseconds of one core in which the layout transformer judges a page with so many lines."""
    from pocai.documents.page import Box, Line, Page, Quad
    from pocai.models.layout import LayoutModel
    from pocai.models.layout_tokens import tokens_of
    from pocai.settings import SchoolHours

    places = ((20.0 + 60 * (each % 12), 20.0 + 16 * (each // 12)) for each in range(lines))
    boxes = (Box(left, top, left + 45, top + 10) for left, top in places)
    printed = tuple(Line(f"Lesson {each}", Quad.of(box), size=10) for each, box in enumerate(boxes))
    tokens = tokens_of(Page(0, 760, 40 + 16 * lines / 12, printed, (), unit="pt"))
    model = LayoutModel(SchoolHours(), threads=1)
    model.judged(tokens)
    return 1000 * statistics.median(seconds(lambda: model.judged(tokens)) for _ in range(rounds))


def fresh_process(*arguments: str) -> tuple[float, float]:
    """Wall seconds and peak memory in MB of a new Python with these arguments."""
    code = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL);"
    code += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    command = [sys.executable, *arguments]
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *command], check=True, capture_output=True, text=True)
    return time.perf_counter() - start, int(done.stdout) / (1024 if sys.platform != "darwin" else 1024**2)


def line(what: str, value: float, unit: str, limit: float | None = None) -> None:
    """One figure, and whether it is within its limit."""
    judged = "" if limit is None else f"   (limit {limit:g} {unit}: {'kept' if value <= limit else 'MISSED'})"
    print(f"{what:44} {value:8.2f} {unit}{judged}")


def main() -> None:
    """Print every figure with its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path, nargs="?", default=DEMO / "demo.png")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{options.picture.name}, {len(os.sched_getaffinity(0))} cores, {options.rounds} rounds")
    measured = pairs(options.picture, options.rounds)
    for number, (ours, theirs) in enumerate(measured):
        print(f"  pair {number + 1}: pocai {ours:.2f} s, RapidOCR {theirs:.2f} s, {ours / theirs:.2f}")
    ours = statistics.median(pair[0] for pair in measured)
    theirs = statistics.median(pair[1] for pair in measured)
    line("pocai, end to end", ours, "s", WALL)
    line("RapidOCR with its defaults, text only", theirs, "s")
    line("pocai over RapidOCR", ours / theirs, "x", SHARE)
    line("Word page", native(word_page(), options.rounds), "s", NATIVE)
    line("text PDF page", native(pdf_page(), options.rounds), "s", NATIVE)
    line(f"layout transformer, {LINES} lines, one core", judging(LINES, options.rounds), "ms", NETWORK)
    once = f"import pocai; pocai.extract({str(options.picture)!r})"
    first, memory = fresh_process("-c", once)
    line("first page of a fresh process", first, "s")
    line("its peak memory", memory, "MB", MEMORY)
    helped = [fresh_process("-c", "from pocai.cli import main; main(['--help'])")[0] for _ in range(options.rounds)]
    line("pocai --help", statistics.median(helped), "s", HELP)


if __name__ == "__main__":
    main()
