"""What reading processes may cost: memory, time and secrets; and how they die."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from painted import as_png
from PIL import Image, ImageDraw
from worker_fixtures import shared_metrics, shared_pool, shared_runner  # noqa: F401 - fixtures
from worker_pools import DEMO, WORD, alive, do, events, gone, opened, settings, until

from pocai.errors import DeadlineExceeded, LimitExceeded, WorkerLost
from pocai.server.metrics import Metrics
from pocai.server.workers import PASSED_ON, WorkerPool
from pocai.timetable.overlay import font


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGESIZE")


def processor_time(pid: int) -> float:
    """Seconds of processor time that a process has taken."""
    user, system = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def test_processes_that_are_killed_cost_one_task_each(
    runner: asyncio.Runner, pool: WorkerPool, metrics: Metrics
) -> None:
    async def scenario() -> None:
        await until(lambda: len(pool.pids) == 2)
        before, counted = pool.pids, events(metrics)
        work = asyncio.create_task(do(pool, "extract", DEMO))
        await asyncio.sleep(0.2)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(WorkerLost):
            await work
        await until(lambda: len(pool.pids) == 2 and set(pool.pids).isdisjoint(before))
        assert (await do(pool, "extract", WORD)).head["timetables"]
        assert events(metrics) == {**counted, "started": counted["started"] + 2, "lost": counted["lost"] + 2}

    runner.run(scenario())


def huge_picture() -> bytes:
    """A PNG of 50 KB that takes 4 bytes a pixel when its transparency is laid on paper: 1.6 GB."""
    side = 19_990

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress(bytes((side // 8 + 2) * side), 1)
    head = struct.pack(">IIBBBBB", side, side, 1, 3, 0, 0, 0)
    parts = ((b"IHDR", head), (b"PLTE", bytes(6)), (b"tRNS", b"\0"), (b"IDAT", rows), (b"IEND", b""))
    return b"".join([b"\x89PNG\r\n\x1a\n", *(chunk(*part) for part in parts)])


def test_memory_is_limited() -> None:
    metrics = Metrics()

    async def scenario() -> None:
        async with opened(settings(memory_bytes=3 * 2**29), metrics) as pool:
            with pytest.raises(LimitExceeded, match="memory"):
                await do(pool, "extract", huge_picture())
            assert (await do(pool, "extract", WORD)).head["timetables"]

    asyncio.run(scenario())
    assert events(metrics)["lost"] == 0


def test_processor_time_is_limited_for_each_document() -> None:
    metrics, pages = Metrics(), io.BytesIO()
    demo = Image.open(io.BytesIO(DEMO)).convert("RGB")
    demo.save(pages, "TIFF", save_all=True, append_images=[demo] * 2, compression="tiff_lzw")

    async def scenario() -> None:
        async with opened(settings(cpu_seconds=1), metrics) as pool:
            await until(lambda: pool.ready)
            while processor_time(pool.pids[0]) < 1.5:  # what others took does not count
                await do(pool, "read", WORD)
                await do(pool, "enhance", DEMO)
            with pytest.raises(LimitExceeded, match="1 seconds of processor"):
                await do(pool, "extract", pages.getvalue())
            assert (await do(pool, "extract", WORD)).head["timetables"]

    asyncio.run(scenario())
    assert events(metrics) == {"started": 2, "lost": 0, "stopped": 1, "recycled": 0}


def test_wall_time_is_limited() -> None:
    async def scenario() -> None:
        async with opened(settings(wall_seconds=0.5)) as pool:
            for seconds, told in ((0.2, r"0\.2 seconds"), (60.0, r"0\.5 seconds")):
                await until(lambda: pool.ready)
                (pid,) = pool.pids
                with pytest.raises(DeadlineExceeded, match=told):
                    await do(pool, "extract", DEMO, seconds=seconds)
                await gone(pid)
            with pytest.raises(DeadlineExceeded):
                await do(pool, "extract", WORD, seconds=0.0)

    asyncio.run(scenario())


def test_work_that_is_cancelled_stops(runner: asyncio.Runner, pool: WorkerPool) -> None:
    async def scenario() -> None:
        await until(lambda: len(pool.pids) == 2)
        before = set(pool.pids)
        work = asyncio.create_task(do(pool, "extract", DEMO))
        await asyncio.sleep(0.2)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        await until(lambda: sum(map(alive, before)) == 1)
        await until(lambda: len(pool.pids) == 2)

    runner.run(scenario())


@pytest.fixture
def process(runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What the kernel tells of a process that was started where there are secrets in the environment."""
    monkeypatch.setenv("POCAI_SERVER__ACCESS__JWT_SECRET", "the secret")
    monkeypatch.setenv("SOME_API_KEY", "the secret")
    pool = WorkerPool(settings(memory_bytes=2**31), Metrics())
    runner.run(pool.start())
    runner.run(do(pool, "extract", WORD))
    yield Path(f"/proc/{pool.pids[0]}")
    runner.run(pool.close())


def test_a_process_is_bounded_and_holds_no_secret(process: Path) -> None:
    held = (process / "environ").read_text(encoding="utf-8")
    allowed = PASSED_ON | {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MALLOC_ARENA_MAX", ""}
    assert {each.partition("=")[0] for each in held.split("\0")} <= allowed
    assert "the secret" not in held
    limits = (process / "limits").read_text(encoding="ascii").splitlines()[1:]
    hard = {line[:26].strip(): line[26:].split()[1] for line in limits}
    assert (hard["Max address space"], hard["Max core file size"]) == (str(2**31), "0")
    assert int(hard["Max open files"]) <= 128
    assert "NoNewPrivs:\t1" in (process / "status").read_text(encoding="utf-8")
    assert os.getsid(int(process.name)) == int(process.name), "it has a session of its own"
    assert (process / "fd/0").readlink() == Path(os.devnull)
    assert (process / "fd/1").readlink() == (process / "fd/2").readlink()


def test_processes_die_with_the_service() -> None:
    code = (
        "import asyncio; from worker_pools import *\n"
        "async def main():\n"
        "    async with opened(settings()) as pool:\n"
        "        await until(lambda: pool.ready)\n"
        "        print(*pool.pids, flush=True)\n"
        "        await do(pool, 'extract', DEMO)\n"
        "asyncio.run(main())"
    )
    tests = str(Path(__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": tests}
    ) as service:
        assert service.stdout is not None
        pid = int(service.stdout.readline())
        assert alive(pid)
        time.sleep(0.1)
        service.kill()
    asyncio.run(gone(pid))


def test_memory_does_not_grow() -> None:
    def note(number: int) -> bytes:
        picture = Image.new("RGB", (160 + 40 * (number % 4), 60), "white")
        ImageDraw.Draw(picture).text((20, 20), f"Maths {number}", fill="black", font=font(24))
        return as_png(picture)

    async def scenario() -> None:
        async with opened(settings()) as pool:
            sizes = []
            for number in range(30):
                await do(pool, "extract", note(number))
                sizes.append(resident(pool.pids[0]))
            assert max(sizes[-10:]) < 1.05 * max(sizes[:10])

    asyncio.run(scenario())
