"""The pool of reading processes, and what is said between it and them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable

import pytest
from worker_fixtures import shared_metrics, shared_pool, shared_runner  # noqa: F401 - fixtures
from worker_pools import DEMO, WORD, alive, do, events, opened, settings, until

from pocai.errors import Unavailable, UnreadableDocument, WorkerLost
from pocai.server import worker
from pocai.server.frames import Frame
from pocai.server.metrics import Metrics
from pocai.server.workers import COMMAND, ReadingProcess, Task, WorkerPool, _Died

# --- the pool ----------------------------------------------------------------------------------------------------


def test_two_documents_are_read_at_once(runner: asyncio.Runner, pool: WorkerPool) -> None:
    async def scenario() -> None:
        await until(lambda: len(pool.pids) == 2)
        begun = asyncio.Barrier(2)

        async def tell(stage: str, _: float) -> None:
            if stage == "ingest":
                await asyncio.wait_for(begun.wait(), 60)

        await asyncio.gather(*(pool.run(Task("extract", {}, (WORD,), 60), tell) for _ in range(2)))

    runner.run(scenario())


def test_urgent_tasks_need_not_queue() -> None:
    async def scenario() -> list[str]:
        ended: list[str] = []

        async def note(name: str, work: Awaitable[Frame]) -> None:
            await work
            ended.append(name)

        async with opened(settings()) as pool:
            tasks = []
            for name in ("first", "second", "third", "urgent"):
                task = Task("extract", {}, (WORD,), 60, urgent=name == "urgent")
                tasks.append(asyncio.create_task(note(name, pool.run(task))))
                await asyncio.sleep(0)
            tasks[1].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return ended

    assert asyncio.run(scenario()) == ["urgent", "first", "third"]


def test_a_process_is_replaced_after_so_many_documents() -> None:
    metrics = Metrics()

    async def scenario() -> None:
        async with opened(settings(recycle_after=2), metrics) as pool:
            for _ in range(3):
                await do(pool, "extract", WORD)

    asyncio.run(scenario())
    assert events(metrics) == {"started": 2, "lost": 0, "stopped": 0, "recycled": 1}


def test_processes_that_cannot_start_are_said_to_be_missing(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()

    async def scenario() -> None:
        async with opened(settings(engine="oracle"), metrics) as pool:
            with pytest.raises(WorkerLost, match="could be started"):
                await do(pool, "extract", WORD, seconds=3.0)
            assert not pool.ready

    asyncio.run(scenario())
    assert events(metrics)["lost"] >= 1
    assert "'oracle'" in caplog.records[0].getMessage()


def test_closing_ends_everything_at_once() -> None:
    async def scenario() -> None:
        async with opened(settings()) as pool:
            await until(lambda: pool.ready)
            (pid,) = pool.pids
            work = [asyncio.create_task(do(pool, "extract", DEMO)) for _ in range(2)]
            await asyncio.sleep(0.2)
            begin = time.monotonic()
            await pool.close()
            assert time.monotonic() - begin < 2.0
            assert not alive(pid)
            assert [type(error) for error in await asyncio.gather(*work, return_exceptions=True)] == [Unavailable] * 2
            with pytest.raises(Unavailable):
                await do(pool, "extract", WORD)

    asyncio.run(scenario())


# --- what is said between them -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"", 0),
        (b"\0\0\0\x10{}", 2),
        (b"".join(Frame({"task": "extract"}, (b"x",)).chunks()), 2),
    ],
)
def test_what_is_no_frame_ends_the_process(said: bytes, status: int) -> None:
    done = subprocess.run(COMMAND, input=said, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (status, b"")


def speaks(head: object, parts: tuple[bytes, ...] = ()) -> str:
    """A program that reads its question and says one frame."""
    said = json.dumps(head).encode()
    frame = len(said).to_bytes(4, "big") + said + b"".join(parts)
    return f"import sys; sys.stdin.buffer.read(1); sys.stdout.buffer.write({frame!r})"


@pytest.mark.parametrize(
    "program",
    [
        "pass",
        "import os; os.close(1); os.read(0, 1); import time; time.sleep(60)",
        "import sys; sys.stdout.write('a library prints this and that' * 9000)",
        "import sys; sys.stdout.buffer.write(b'\\0\\1\\0\\0' + b'[' * 65536)",
        speaks([]),
        speaks({"done": "yes", "parts": []}),
        speaks({"ready": True, "parts": []}),
        speaks({"done": {}, "parts": [-1]}),
        speaks({"done": {}, "parts": [9]}, (b"cut off",)),
        speaks({"progress": ["text", float("nan")], "parts": []}),
        speaks({"progress": ["text"], "parts": []}),
        speaks({"fault": {"code": "error", "what": ["x"], "mend": ""}, "parts": []}),
    ],
)
def test_a_process_that_says_what_is_no_answer_is_ended(program: str) -> None:
    async def scenario() -> None:
        process = await ReadingProcess.start(1, (sys.executable, "-c", program))
        with pytest.raises(_Died):
            await process.ask(Frame({"task": "extract"}, (bytes(2**20 if program == "pass" else 1),)), "done")
        assert not alive(process.pid)

    asyncio.run(scenario())


def test_what_a_process_prints_is_thrown_away() -> None:
    program = "import sys; sys.stderr.write('text of the document\\n' * 200_000); " + speaks({"done": {}, "parts": []})

    async def scenario() -> Frame:
        process = await ReadingProcess.start(1, (sys.executable, "-c", program))
        try:
            return await process.ask(Frame({"task": "extract"}), "done")
        finally:
            await process.end()

    assert asyncio.run(scenario()) == Frame({"done": {}})


def test_a_process_imports_no_web_framework() -> None:
    code = "import sys, pocai.server.worker; print([name for name in ('fastapi', 'starlette') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b"[]"


@pytest.mark.parametrize(
    ("error", "exhausted"),
    [
        (MemoryError(), True),
        (OSError(12, "Cannot allocate memory"), True),
        (RuntimeError("can't start new thread"), True),
        (RuntimeError("generator raised StopIteration"), False),
        (ValueError("bad_alloc is written in the document"), False),
    ],
)
def test_a_lack_of_memory_is_known_however_it_is_wrapped(error: Exception, *, exhausted: bool) -> None:
    wrapped = UnreadableDocument("the picture is damaged")
    wrapped.__cause__ = error
    assert worker.out_of_memory(wrapped) is exhausted
    assert (worker.fault_of(wrapped, 2**30)["code"] == "limit_exceeded") is exhausted
