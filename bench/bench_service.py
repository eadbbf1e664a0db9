"""The service: what HTTP adds, what the host's steps take, what happens at twice its capacity, whether memory grows.

    python bench/bench_service.py [overhead] [host] [load] [memory] [--seconds 120] [--count 2000]

A service is started on loopback, with its defaults, and called from this process; nothing else should run meanwhile.
Capacity is what one request after another for each reading process reaches; load arrives at random moments (Poisson).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from pocai.inference import pipeline
from pocai.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from serving import Process, service_process  # noqa: E402 - found through the path above

DEMO = ROOT / "src/pocai/assets/demo/demo.png"
SEED = 20261123
WARM = 2  # rounds that are not counted: they load models
PATIENCE = 120.0  # seconds after which a request counts as hung


@dataclass(slots=True)
class Tally:
    """What became of the requests of one run: statuses, seconds of the accepted ones, and of `/health` meanwhile."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    health: list[float] = field(default_factory=list)

    @property
    def p95(self) -> float:
        """Seconds within which 95 of 100 accepted requests were answered."""
        return statistics.quantiles(self.seconds, n=20)[-1]


async def extract(client: httpx.AsyncClient, document: bytes, tally: Tally) -> None:
    """One request; a connection that breaks counts as status 0, one that hangs as -1."""
    begin = time.perf_counter()
    try:
        answer = await client.post("/v1/extractions", files={"file": ("week.png", document)})
    except httpx.TimeoutException:
        tally.statuses[-1] += 1
        return
    except httpx.TransportError:
        tally.statuses[0] += 1
        return
    tally.statuses[answer.status_code] += 1
    if answer.is_success:
        tally.seconds.append(time.perf_counter() - begin)


async def closed(client: httpx.AsyncClient, document: bytes, *, workers: int, seconds: float) -> float:
    """Requests per second that one request after another on each of ``workers`` connections reaches."""
    tally, begin = Tally(), time.perf_counter()

    async def again() -> None:
        while time.perf_counter() - begin < seconds:
            await extract(client, document, tally)

    await asyncio.gather(*(again() for _ in range(workers)))
    return len(tally.seconds) / (time.perf_counter() - begin)


async def open_loop(client: httpx.AsyncClient, document: bytes, *, rate: float, seconds: float) -> Tally:
    """Requests at ``rate`` a second on average, whether earlier ones are answered or not; every answer is awaited."""
    tally, chance, until = Tally(), random.Random(SEED), time.perf_counter() + seconds
    probe = asyncio.create_task(watch_health(client, tally))
    async with asyncio.TaskGroup() as tasks:
        while time.perf_counter() < until:
            tasks.create_task(extract(client, document, tally))
            await asyncio.sleep(chance.expovariate(rate))
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    return tally


async def watch_health(client: httpx.AsyncClient, tally: Tally) -> None:
    """Ask `/health` five times a second."""
    while True:
        begin = time.perf_counter()
        (await client.get("/health")).raise_for_status()
        tally.health.append(time.perf_counter() - begin)
        await asyncio.sleep(0.2)


def overhead(url: str, document: bytes, rounds: int = 15) -> None:
    """The same page in this process and over HTTP, in turns."""
    settings = Settings.model_construct()
    here, there = [], []
    with httpx.Client(base_url=url, timeout=PATIENCE) as client:
        for turn in range(rounds + WARM):
            begin = time.perf_counter()
            pipeline.read(document, settings=settings)
            middle = time.perf_counter()
            client.post("/v1/extractions", files={"file": ("week.png", document)}).raise_for_status()
            if turn >= WARM:
                here.append(middle - begin)
                there.append(time.perf_counter() - middle)
    one, two = statistics.median(here), statistics.median(there)
    print(f"overhead: in process {one:.3f} s, over HTTP {two:.3f} s: {1000 * (two - one):+.0f} ms, {two / one:.3f} x")


def host(process: Process, document: bytes, rounds: int = 9) -> None:
    """The four calls of the host application for one upload, and the same again, as its second attempt makes them."""
    seconds: dict[str, list[float]] = {}
    with httpx.Client(base_url=process.url, timeout=PATIENCE) as client:
        for turn in range(rounds + WARM):
            upload = process.uploads / f"{turn}.png"
            upload.write_bytes(document + bytes([turn]))  # another content, so that it is read anew
            for attempt in ("first", "second"):
                for name, taken in host_steps(client, upload):
                    if turn >= WARM:
                        seconds.setdefault(f"{attempt} {name}", []).append(taken)
    for name, times in seconds.items():
        print(f"host, {name}: median {1000 * statistics.median(times):.0f} ms, slowest {1000 * max(times):.0f} ms")


def host_steps(client: httpx.Client, upload: Path) -> Iterator[tuple[str, float]]:
    """Name and seconds of each call, each with what the one before it answered."""

    def call(path: str, body: dict[str, object]) -> tuple[dict[str, object], float]:
        begin = time.perf_counter()
        answer = client.post(path, json=body).raise_for_status()
        return answer.json(), time.perf_counter() - begin

    enhanced, taken = call("/preprocess/enhance", {"image_path": str(upload), "output_dir": str(upload.parent)})
    yield "enhance", taken
    picture = {"image_path": enhanced["enhanced_image_path"]}
    words, taken = call("/ocr/process", picture)
    yield "ocr", taken
    yield "gate", call("/ocr/quality-gate", words)[1]
    yield "extract", call("/ai/extract-async", {**picture, "provider": "claude"})[1]


async def load(url: str, document: bytes, *, workers: int, seconds: float) -> None:
    """Half the capacity, then twice the capacity."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE, limits=limits) as client:
        capacity = await closed(client, document, workers=workers, seconds=20)
        print(f"capacity: {capacity:.2f} extractions/s with {workers} reading process(es)")
        half = await open_loop(client, document, rate=capacity / 2, seconds=max(30.0, seconds / 2))
        twice = await open_loop(client, document, rate=2 * capacity, seconds=seconds)
    for name, tally in (("half", half), ("twice", twice)):
        lost = sum(count for status, count in tally.statuses.items() if status not in {200, 429})
        health = statistics.quantiles(tally.health, n=100)[-1]
        print(
            f"{name:>5}: {dict(sorted(tally.statuses.items()))}, neither 200 nor 429: {lost}, "
            f"p95 {tally.p95:.2f} s, /health p99 {1000 * health:.0f} ms, slowest {1000 * max(tally.health):.0f} ms"
        )
    print(f"p95 at twice over p95 at half: {twice.p95 / half.p95:.2f}")


def memory(url: str, process: Process, document: bytes, *, count: int) -> None:
    """Resident memory of service and reading processes: the most over each tenth of the extractions."""
    tenth = max(1, count // 10)
    peaks: list[int] = []
    with httpx.Client(base_url=url, timeout=PATIENCE) as client:
        for number in range(1, count + 1):
            client.post("/v1/extractions", files={"file": ("week", document)}).raise_for_status()
            if number % tenth == 1 or tenth == 1:
                peaks.append(0)
            peaks[-1] = max(peaks[-1], resident(process.popen.pid))
            if number % tenth == 0:
                print(f"memory: {number} extractions, {peaks[-1] / 2**20:.0f} MiB", flush=True)
    print(f"memory: {peaks[-1] / peaks[0] - 1:+.1%} from the first tenth to the last")


def resident(pid: int) -> int:
    """Bytes of resident memory of a process and its children."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * 4096
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return pages + sum(resident(int(child)) for child in children)


@contextlib.contextmanager
def started(*environment: tuple[str, str]) -> Iterator[Process]:
    """A service on a free port with a state folder of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    rates = {
        "POCAI_SERVER__ACCESS__RATE_PER_KEY": "1000000/minute",
        "POCAI_SERVER__ACCESS__RATE_PER_IP": "1000000/minute",
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        service_process(Path(folder), port, {**rates, **dict(environment)}) as process,
    ):
        yield process
        process.stop(signal.SIGTERM)


def main() -> None:
    """Run what is asked for; without arguments everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[[], "overhead", "host", "load", "memory"])
    parser.add_argument("--seconds", type=float, default=120.0, help="length of the run at twice the capacity")
    parser.add_argument("--count", type=int, default=2000, help="extractions of the memory run")
    parser.add_argument("--document", type=Path, default=DEMO)
    arguments = parser.parse_args()
    wanted = arguments.what or ["overhead", "host", "load", "memory"]
    document = arguments.document.read_bytes()
    with started() as process:
        if "overhead" in wanted:
            overhead(process.url, document)
        if "host" in wanted:
            host(process, document)
        if "load" in wanted:
            asyncio.run(load(process.url, document, workers=1, seconds=arguments.seconds))
    if "memory" in wanted:
        with started(("POCAI_SERVER__WORKERS__RECYCLE_AFTER", "1000000")) as process:  # a fresh one would hide growth
            memory(process.url, process, document, count=arguments.count)


if __name__ == "__main__":
    main()
