"""The pool of reading processes: each task has one to itself, and a process that dies or is stopped is replaced.

The processes run `pocai.server.worker`. What they say is not believed further than its shape: a document may have taken
one over. Their standard error is thrown away, because it may hold text of documents.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from pocai.errors import DeadlineExceeded, LimitExceeded, PocaiError, WorkerLost, by_code
from pocai.models.artefact import usable_threads
from pocai.server.frames import LENGTH, BrokenFrame, Frame, head_length, read_head
from pocai.server.line import Line, stopping
from pocai.server.metrics import Metrics
from pocai.settings import Settings

Progress = Callable[[str, float], Awaitable[None]]
More = Callable[[Mapping[str, Any]], None]
Answer = Literal["ready", "done", "more"]
Fate = Literal["lost", "stopped", "recycled"]

COMMAND = (sys.executable, "-P", "-m", "pocai.server.worker")
HANDED_DOWN = {"limits", "school_hours", "quality"}  # settings that reading needs
HANDED_DOWN |= {"ocr_engine", "ocr_adapter", "document_model", "document_adapter", "language"}
KEPT_BACK = {"language": {"key"}}  # a document may have taken a reading process over
PASSED_ON = {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "LD_LIBRARY_PATH", "TESSDATA_PREFIX"}  # holds no secret
PASSED_ON |= {"PYTHONHOME", "PYTHONPATH"}
START = 120.0  # seconds that a process may take to load its models
PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before another try where a process did not start
TERMINATING = 1.0  # seconds from SIGTERM to SIGKILL
FOLLOWING = 20.0  # seconds that what follows an answer may take
ENDING = 5.0  # seconds that the kernel may take to clear a killed process away
PIECE = 2**18  # bytes that are sent at a time
BUFFER = 2**20  # bytes of an answer that are kept before they are asked for


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """What a process is to do, within ``seconds`` from now, waiting included; ``urgent`` ones need not queue.

    ``working`` bounds the seconds that the process itself may take.
    """

    kind: str
    options: dict[str, Any]
    parts: tuple[bytes, ...]
    seconds: float
    urgent: bool = False
    working: float = math.inf


class _Died(Exception):
    """A process ended, or said what is no answer and was ended; ``status`` is its exit status, negative: a signal."""

    def __init__(self, status: int) -> None:
        super().__init__(f"exit status {status}")
        self.status = status


class ReadingProcess:
    """One reading process. ``fate`` is what its end counts as, ``served`` the number of its tasks."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._process, self._stdin, self._stdout = process, process.stdin, process.stdout
        self._talking = asyncio.Lock()
        self.served = 0
        self.fate: Fate = "lost"
        self.silent = asyncio.create_task(_drop(process.stderr), name=f"stderr-{process.pid}")

    @classmethod
    async def start(cls, threads: int, command: Sequence[str] = COMMAND) -> Self:
        """A new process in a session of its own, so that a Ctrl-C reaches only the service. Raises OSError."""
        env = environment(threads)
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=BUFFER, env=env, start_new_session=True
        )
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ask(self, question: Frame, answer: Answer, progress: Progress | None = None) -> Frame:
        """Its answer or fault, after any number of progress reports. Raises `_Died` where it ended or had to be."""
        async with self._talking:
            await self._send(question)
            while True:
                frame = await self._receive(answer)
                if "progress" not in frame.head:
                    return frame
                if progress is not None:
                    await progress(*frame.head["progress"])

    async def hear(self) -> Frame:
        """What follows its answer. Raises `_Died`."""
        async with self._talking:
            return await self._receive("more")

    async def _send(self, frame: Frame) -> None:
        try:
            for chunk in frame.chunks():
                for start in range(0, len(chunk), PIECE):
                    self._stdin.write(memoryview(chunk)[start : start + PIECE])
                    await self._stdin.drain()
        except OSError as error:
            raise _Died(await self._end()) from error

    async def _receive(self, answer: Answer) -> Frame:
        """The next frame, of a shape that can be worked with."""
        try:
            length = head_length(await self._stdout.readexactly(LENGTH.size))
            head, lengths = read_head(await self._stdout.readexactly(length))
            frame = Frame(head, tuple([await self._stdout.readexactly(count) for count in lengths]))
            _check(frame, answer)
        except (EOFError, OSError, BrokenFrame, RecursionError) as error:  # JSON may be nested too deeply
            raise _Died(await self._end()) from error
        return frame

    def send_signal(self, number: signal.Signals) -> None:
        """Signal the process and everything that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def stop(self, fate: Fate) -> None:
        """Kill it, on purpose."""
        self.fate = fate
        self.send_signal(signal.SIGKILL)

    async def end(self) -> int:
        """Kill it unless it has ended, and clear it away when nobody talks with it any more; its exit status."""
        self.send_signal(signal.SIGKILL)
        async with self._talking:
            return await self._end()

    async def _end(self) -> int:
        """Kill it, read what it still said, so that its pipes close, and wait; its exit status."""
        self.send_signal(signal.SIGKILL)
        self._stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ENDING):
                await asyncio.wait({self.silent})
                while await self._stdout.read(BUFFER):
                    pass
                await self._process.wait()
        status = self._process.returncode
        return -signal.SIGKILL if status is None else status


class WorkerPool:
    """Reading processes, one for each task at a time. `start` before use, `close` at the end."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._limits = settings.server.workers
        cores = usable_threads(0)
        self.size = self._limits.processes or max(1, cores // 2)
        self._threads = settings.threads or max(1, cores // self.size)
        self._settings = settings
        self._metrics = metrics
        self._line: Line[ReadingProcess] = Line()
        self._all: set[ReadingProcess] = set()
        self._loaded: set[ReadingProcess] = set()
        self._keepers: list[asyncio.Task[None]] = []
        self._following: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether at least one process has loaded its models."""
        return bool(self._loaded)

    @property
    def idle(self) -> bool:
        """Whether a process has nothing to do."""
        return self._line.idle

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that have loaded their models."""
        return tuple(process.pid for process in self._loaded)

    async def start(self) -> None:
        """Begin to start the processes; `run` waits for the first that is ready."""
        self._keepers = [asyncio.create_task(self._keep(), name=f"reading-{n}") for n in range(self.size)]

    async def close(self) -> None:
        """End all processes within two seconds; whoever waits for one is told Unavailable.

        What follows an answer is heard before, for a second at most.
        """
        self._closing.set()
        self._line.close()
        if self._following:
            await asyncio.wait(self._following, timeout=TERMINATING)
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in self._all:
                process.send_signal(number)
            if self._keepers:
                await asyncio.wait(self._keepers, timeout=TERMINATING)
        await asyncio.gather(*self._keepers, *self._following)

    async def run(self, task: Task, progress: Progress | None = None, more: More | None = None) -> Frame:
        """What a process made of the task: its result as the head, and its parts.

        ``more`` is told what follows the result, if anything does, after this has returned.

        Raises the PocaiError that the process reports, LimitExceeded where it was stopped for processor time,
        DeadlineExceeded, WorkerLost where it died, Unavailable when the pool is closed. A process that is not waited
        for any more (deadline, cancellation) is killed.
        """
        if task.seconds <= 0:
            raise _late(0.0)
        end = asyncio.get_running_loop().time() + task.seconds
        process = await self._take(task)
        seconds = min(end - asyncio.get_running_loop().time(), self._limits.wall_seconds, task.working)
        question = Frame({"task": task.kind, "options": task.options}, task.parts)
        clock = asyncio.timeout(seconds)
        try:
            async with clock:
                frame = await process.ask(question, "done", progress)
        except BaseException as error:
            if isinstance(error, _Died):
                raise self._cause(process, error) from error
            process.stop("stopped")
            if clock.expired() and isinstance(error, TimeoutError):
                raise _late(seconds) from error
            raise
        if more is not None and frame.head.get("more") is True:
            following = asyncio.create_task(self._follow(process, more))
            self._following.add(following)
            following.add_done_callback(self._following.discard)
        else:
            self._give_back(process, last=bool(frame.head.get("last")))
        if "fault" in frame.head:
            raise error_of(frame.head["fault"])
        return Frame(frame.head["done"], frame.parts)

    async def _follow(self, process: ReadingProcess, more: More) -> None:
        """Hear what follows an answer; the process is free for others only then."""
        try:
            async with asyncio.timeout(FOLLOWING):
                frame = await process.hear()
        except (_Died, TimeoutError):
            process.stop("lost")
            return
        self._give_back(process, last=bool(frame.head.get("last")))
        if "more" in frame.head:
            more(frame.head["more"])

    async def _take(self, task: Task) -> ReadingProcess:
        """A free process for a task."""
        try:
            async with asyncio.timeout(task.seconds):
                return await self._line.take(urgent=task.urgent)
        except TimeoutError as error:
            if self.ready:
                raise _late(task.seconds) from error
            raise WorkerLost(
                f"no reading process could be started within {task.seconds:.0f} seconds", mend="See the service's log"
            ) from error

    def _give_back(self, process: ReadingProcess, *, last: bool) -> None:
        process.served += 1
        if last or process.served >= self._limits.recycle_after:
            process.stop("recycled")
        elif process in self._loaded:
            self._line.give(process)

    def _cause(self, process: ReadingProcess, death: _Died) -> PocaiError:
        if self._closing.is_set():
            return stopping()
        if death.status == -signal.SIGXCPU:
            process.fate = "stopped"
            seconds = self._limits.cpu_seconds
            return LimitExceeded(
                f"the document takes more than {seconds} seconds of processor time",
                mend="Send fewer pages, or raise server.workers.cpu_seconds",
            )
        return WorkerLost(f"the process that read the document died ({death})", mend="Send it again")

    async def _keep(self) -> None:
        """One place of the pool: as long as it is open, a process is there, or about to be."""
        failures = 0
        while not self._closing.is_set():
            process = await self._started()
            if process is not None:
                failures = 0
                await self._hold(process)
                continue
            self._metrics.worker("lost")
            failures += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(LONGEST_PAUSE, PAUSE * 2 ** min(failures, 9))):
                    await self._closing.wait()

    async def _started(self) -> ReadingProcess | None:
        """A process that has loaded its models; None where that failed."""
        try:
            process = await ReadingProcess.start(self._threads)
        except OSError as error:
            log.warning("a reading process cannot be started: %s", error.strerror)
            return None
        self._all.add(process)
        if self._closing.is_set():
            process.stop("lost")
        answer: dict[str, Any] = {}
        with contextlib.suppress(_Died, TimeoutError):
            async with asyncio.timeout(START):
                answer = (await process.ask(self._configuration(), "ready")).head
        if "ready" in answer and not self._closing.is_set():
            log.info("reading process %d is ready", process.pid, extra={"memory": answer.get("memory")})
            return process
        status = await process.end()
        self._all.discard(process)
        if not self._closing.is_set():
            reason = str(error_of(answer["fault"])) if "fault" in answer else "it ended"
            log.warning("a reading process did not become ready: %s", reason, extra={"status": status})
        return None

    def _configuration(self) -> Frame:
        handed_down = self._settings.model_dump(mode="json", include=HANDED_DOWN, exclude=KEPT_BACK)
        settings = handed_down | {"threads": self._threads}
        limits = {"memory_bytes": self._limits.memory_bytes, "cpu_seconds": self._limits.cpu_seconds}
        return Frame({"configure": {"settings": settings, **limits}})

    async def _hold(self, process: ReadingProcess) -> None:
        """Have a process do tasks until it has ended."""
        self._metrics.worker("started")
        self._loaded.add(process)
        self._line.give(process)
        await asyncio.wait({process.silent})
        self._loaded.discard(process)
        self._line.forget(process)
        status = await process.end()
        self._all.discard(process)
        if not self._closing.is_set():
            self._metrics.worker(process.fate)
            log.info("reading process %d ended", process.pid, extra={"event": process.fate, "status": status})


def environment(threads: int) -> dict[str, str]:
    """The environment of a reading process: nothing of ours but what Python and its libraries need."""
    kept = {name: value for name, value in os.environ.items() if name in PASSED_ON}
    few = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    return {**kept, **few, "MALLOC_ARENA_MAX": "2"}  # each arena of glibc takes 64 MiB of address space


def error_of(fault: dict[str, str]) -> PocaiError:
    """The error that a process reports, of the class that has its code."""
    return by_code(fault["code"], fault["what"], fault["mend"])


def _check(frame: Frame, answer: Answer) -> None:
    """Raise `BrokenFrame` where a process says what none of ours says."""
    match answer, frame.head:
        case _, {"progress": [str(), float() | int() as share]} if 0 <= share <= 1:
            return
        case (_, {"fault": {"code": str(), "what": str(), "mend": str()}}) | ("done", {"done": dict()}):
            return
        case ("ready", {"ready": True}) | ("more", {"more": dict()}):
            return
    raise BrokenFrame("neither progress nor an answer nor a fault")


async def _drop(stream: asyncio.StreamReader) -> None:
    """Read a stream to its end and keep nothing of it; its end is that of the process."""
    lines = 0
    while piece := await stream.read(BUFFER):
        lines += piece.count(b"\n")
    if lines:
        log.debug("a reading process wrote lines that are not shown", extra={"count": lines})


def _late(seconds: float) -> DeadlineExceeded:
    what = f"the document was not read within {seconds:.1f} seconds"
    return DeadlineExceeded(what, mend="Send fewer pages, or allow more time")
