"""How many made lines a second, on one process and on several at once? ``python bench/bench_lines.py`` prints it.

Each process first makes 2,000 lines to have its faces open. Processor time tells more than wall time where the machine
has other work too.
"""

from __future__ import annotations

import argparse
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from pocai.synthetic.lines import Damage, LineSource

WARM = 2000  # lines


def made(source: LineSource, start: int, count: int) -> tuple[float, float, float, float]:
    """Wall and processor seconds of ``count`` lines, their mean height, and their mean width when 48 pixels high."""
    import cv2

    cv2.setNumThreads(1)
    for index in range(start, start + WARM):
        source.line(index)
    wall, cpu = time.perf_counter(), time.process_time()
    shapes = [source.line(index).image.shape for index in range(start + WARM, start + WARM + count)]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    heights, widths = zip(*((shape[0], shape[1] * 48 / shape[0]) for shape in shapes), strict=True)
    return wall, cpu, statistics.mean(heights), statistics.mean(widths)


def main() -> None:
    """Print a row for each damage and number of processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=4000, help="lines of each process")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"{'damage':8}  {'processes':>9}  {'lines/s':>8}  {'lines/s of processor time':>25}  height  width at 48")
    damages: tuple[Damage, ...] = ("clean", "mixed", "heavy")
    for damage in damages:
        source = LineSource(options.seed, "train", damage)
        for processes in (1, options.processes):
            with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
                starts = [number * (WARM + options.lines) for number in range(processes)]
                counts = [options.lines] * processes
                costs = list(pool.map(made, [source] * processes, starts, counts))
            wall = sum(options.lines / cost[0] for cost in costs)
            cpu = statistics.mean(options.lines / cost[1] for cost in costs)
            height, width = (statistics.mean(cost[place] for cost in costs) for place in (2, 3))
            print(f"{damage:8}  {processes:9}  {wall:8.0f}  {cpu:25.0f}  {height:6.1f}  {width:11.0f}")


if __name__ == "__main__":
    main()
