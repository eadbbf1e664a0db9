"""RapidOCR with its defaults and our OCR side by side, on the same picture in the same run.

The picture is a made-up timetable of 2000 x 1400 pixels with about a hundred lines. Each reader has a process of its
own, so that its peak memory is its own; runs take turns, and the median of five counts. ``python bench/bench_ocr.py``
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

RUNS = 5
WIDTH, HEIGHT = 2000, 1400
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
LESSONS = ("Mathematics", "English", "Science", "History", "Art & Design", "Music", "Geography", "French", "Reading")


def picture() -> Any:
    """A ruled timetable, days across and times down, RGB ``(1400, 2000, 3)`` uint8."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    large, small = ImageFont.load_default(30), ImageFont.load_default(22)
    draw.text((60, 30), "Class timetable, spring term", fill="black", font=large)
    left, top, column, row = 60, 110, 313, 125
    for line in range(11):
        draw.line((left, top + line * row, left + 6 * column, top + line * row), fill="black", width=2)
    for line in range(7):
        draw.line((left + line * column, top, left + line * column, top + 10 * row), fill="black", width=2)
    for number, name in enumerate(DAYS, start=1):
        draw.text((left + number * column + 20, top + 40), name, fill="black", font=large)
    for hour in range(1, 10):
        y = top + hour * row
        draw.text((left + 15, y + 45), f"{hour + 7}:15 - {hour + 8}:05", fill="black", font=small)
        for day in range(5):
            x = left + (day + 1) * column + 20
            draw.text((x, y + 20), LESSONS[(hour * 2 + day) % 9], fill="black", font=large)
            draw.text((x, y + 70), f"Room {10 * hour + day}, group {day + 1}", fill="black", font=small)
    return np.array(image)


def rapidocr() -> Callable[[Any], int]:
    """RapidOCR with its defaults: a picture in, the number of its lines out."""
    import logging

    from rapidocr import RapidOCR

    logging.disable(logging.WARNING)
    reader = RapidOCR()
    return lambda image: len(reader(image[:, :, ::-1]).txts or ())


def ours() -> Callable[[Any], int]:
    """The OCR service: a picture in, the number of its lines out."""
    from pocai.documents.page import Page
    from pocai.inference.ocr_service import OCRService

    service = OCRService()
    return lambda image: len(service.read_page(Page(1, image.shape[1], image.shape[0], image=image))[1].lines)


READERS = {"rapidocr": rapidocr, "ours": ours}


def serve(name: str) -> None:
    """Read the picture once for each line on standard input; answer with wall and CPU seconds, lines, peak memory."""
    image, reader = picture(), READERS[name]()
    reader(image)  # the first run loads the weights
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        lines = reader(image)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"wall": wall, "cpu": cpu, "lines": lines, "peak": peak}), flush=True)


def main() -> None:
    """Print both readers' medians and the ratio of the two."""
    servers = {
        name: subprocess.Popen(
            [sys.executable, __file__, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in READERS
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in READERS}
    for _ in range(RUNS):
        for name, server in servers.items():
            assert server.stdin is not None
            assert server.stdout is not None
            server.stdin.write("\n")
            server.stdin.flush()
            found[name].append(json.loads(server.stdout.readline()))
    for server in servers.values():
        server.communicate()
    walls = {name: median(run["wall"] for run in runs) for name, runs in found.items()}
    for name, runs in found.items():
        cpu, peak = median(run["cpu"] for run in runs), max(run["peak"] for run in runs)
        print(f"{name:9} {walls[name]:6.2f} s wall {cpu:6.2f} s CPU {runs[0]['lines']:4.0f} lines {peak:5.0f} MiB peak")
    print(f"ours / rapidocr: {walls['ours'] / walls['rapidocr']:.2f} of the wall time")


if __name__ == "__main__":
    serve(sys.argv[1]) if len(sys.argv) > 1 else main()
