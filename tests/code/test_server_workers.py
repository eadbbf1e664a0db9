"""Reading processes as the service meets them: what they answer, what they may cost, and how they die."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from painted import as_png, painted
from PIL import Image, ImageDraw
from rendering import as_docx, as_pdf

import pocai
from pocai.errors import (
    BadRequest,
    DeadlineExceeded,
    LimitExceeded,
    NotFound,
    PocaiError,
    Unavailable,
    UnknownModel,
    UnreadableDocument,
    UnsupportedFormat,
    WorkerLost,
)
from pocai.inference import pipeline
from pocai.inference.answers import ExtractionResult, ReadResult, read_pages
from pocai.server import worker
from pocai.server.frames import Frame
from pocai.server.metrics import Metrics
from pocai.server.workers import COMMAND, PASSED_ON, ReadingProcess, Task, WorkerPool, _Died
from pocai.settings import SchoolHours, ServerSettings, Settings, WorkerLimits
from pocai.timetable.overlay import font
from pocai.timetable.timetable import TimeBlock, Timetable

DEMO = (files("pocai") / "assets/demo/demo.png").read_bytes()
WEEK = Timetable(
    timeblocks=(
        TimeBlock(day="Monday", name="Maths", start_time="01:15", end_time="02:15"),
        TimeBlock(day="Monday", name="Art", start_time="02:15", end_time="03:15"),
        TimeBlock(day="Tuesday", name="History", start_time="01:15", end_time="02:15"),
        TimeBlock(day="Tuesday", name="Music", start_time="02:15", end_time="03:15", notes="Room 7"),
    )
)
WORD = as_docx(WEEK, days_across=True, notation=lambda start, end: f"{start[1:]}-{end[1:]}")
PDF = as_pdf(WEEK, days_across=True)
PICTURE = painted(WEEK, days_across=True)


def settings(*, hours: SchoolHours | None = None, engine: str = "ppocr", **limits: Any) -> Settings:
    """Settings of a small pool; ``limits`` are those of its processes."""
    server = ServerSettings(workers=WorkerLimits(**{"processes": 1, **limits}))
    return Settings(threads=1, school_hours=hours or SchoolHours(), ocr_engine=engine, server=server)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for the tests that share a pool."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def metrics() -> Metrics:
    """What is counted of the pool that tests share."""
    return Metrics()


@pytest.fixture(scope="module")
def pool(runner: asyncio.Runner, metrics: Metrics) -> Iterator[WorkerPool]:
    """Two processes; tests may kill them."""
    pool = WorkerPool(settings(processes=2), metrics)
    runner.run(pool.start())
    yield pool
    runner.run(pool.close())


@contextlib.asynccontextmanager
async def opened(wanted: Settings, metrics: Metrics | None = None) -> AsyncIterator[WorkerPool]:
    """A pool of its own, closed at the end."""
    pool = WorkerPool(wanted, metrics or Metrics())
    await pool.start()
    try:
        yield pool
    finally:
        await pool.close()


async def do(pool: WorkerPool, kind: str, *parts: bytes, seconds: float = 60.0, **options: Any) -> Frame:
    return await pool.run(Task(kind, options, parts, seconds))


async def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until ``true()``; fail after ``seconds``."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.02)


def events(metrics: Metrics) -> dict[str, float]:
    """How often each thing happened to a process."""
    lines = [
        line for line in metrics.render()[0].decode().splitlines() if line.startswith("pocai_worker_events_total{")
    ]
    return {line.split('"')[1]: float(line.split()[-1]) for line in lines}


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def gone(pid: int) -> None:
    await until(lambda: not alive(pid), 10.0)


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGESIZE")


def processor_time(pid: int) -> float:
    """Seconds of processor time that a process has taken."""
    user, system = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


# --- what they answer --------------------------------------------------------------------------------------------


def test_a_document_is_read_as_in_this_process(runner: asyncio.Runner, pool: WorkerPool) -> None:
    told: list[tuple[str, float]] = []

    async def tell(stage: str, share: float) -> None:
        told.append((stage, share))

    frame = runner.run(pool.run(Task("extract", {}, (DEMO,), 60), tell))
    result = ExtractionResult.model_validate(frame.head)
    assert list(result.timetables) == pocai.extract(DEMO)
    assert (result.models.ocr, result.models.document) == ("ppocr", "rules")
    assert any("Monday" in line.text for line in result.pages[0].lines)
    assert list(dict.fromkeys(stage for stage, _ in told)) == ["ingest", "text", "assemble", "check", "done"]
    assert all(before <= after for (_, before), (_, after) in pairwise(told))
    assert told[-1] == ("done", 1.0)


@pytest.mark.parametrize("document", [as_png(PICTURE), WORD, PDF], ids=["png", "docx", "pdf"])
def test_text_alone_is_that_of_the_whole_reading(runner: asyncio.Runner, pool: WorkerPool, document: bytes) -> None:
    result = ReadResult.model_validate(runner.run(do(pool, "read", document)).head)
    whole = pipeline.read(document)
    assert result.pages == read_pages(whole.document, whole.ocr, whole.sizes)
    assert "History" in result.pages[0].text
    assert set(result.seconds) == {"ingest", "text"}


@pytest.mark.parametrize(
    ("document", "kind"),
    [(b"nothing", UnsupportedFormat), (b"\0\1\2", UnreadableDocument), (DEMO[:200], UnreadableDocument)],
)
def test_what_cannot_be_read_fails_as_in_this_process(
    runner: asyncio.Runner, pool: WorkerPool, document: bytes, kind: type[PocaiError]
) -> None:
    with pytest.raises(kind) as there:
        runner.run(do(pool, "extract", document))
    with pytest.raises(kind) as here:
        pipeline.read(document)
    assert (there.value.what, there.value.mend) == (here.value.what, here.value.mend)


def test_an_engine_that_is_not_known_is_refused_even_where_none_is_needed(
    runner: asyncio.Runner, pool: WorkerPool
) -> None:
    with pytest.raises(UnknownModel, match="'oracle'"):
        runner.run(do(pool, "extract", WORD, engine="oracle"))
    assert runner.run(do(pool, "extract", WORD, engine="tesseract")).head["timetables"]


def test_a_task_that_is_not_known_is_refused(runner: asyncio.Runner, pool: WorkerPool) -> None:
    with pytest.raises(BadRequest, match="'forget'"):
        runner.run(do(pool, "forget", WORD))


def test_a_fault_of_ours_is_told_without_its_text(runner: asyncio.Runner, pool: WorkerPool) -> None:
    with pytest.raises(PocaiError, match=r"ValueError at worker\.py:\d+") as caught:
        runner.run(do(pool, "overlay", WORD, page="written in the document"))
    assert caught.value.code == "error"
    assert "written" not in str(caught.value)


def test_settings_reach_the_process() -> None:
    async def start_of_maths() -> str:
        async with opened(settings(hours=SchoolHours(earliest=0, latest=6 * 60))) as pool:
            result = await do(pool, "extract", WORD)
            return str(result.head["timetables"][0]["timeblocks"][0]["startTime"])

    assert pipeline.extract(WORD)[0].timeblocks[0].start_time == "13:15"
    assert asyncio.run(start_of_maths()) == "01:15"


# --- pictures ----------------------------------------------------------------------------------------------------


def shown(frame: Frame) -> Image.Image:
    picture = Image.open(io.BytesIO(frame.parts[0]))
    assert picture.format == "PNG"
    assert picture.size == (frame.head["width"], frame.head["height"])
    return picture


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_enhanced_picture_lies_as_it_was_stored(runner: asyncio.Runner, pool: WorkerPool, orientation: int) -> None:
    texts = {"pocai-source": '{"name": "Übersicht"}'}
    picture = shown(runner.run(do(pool, "enhance", as_png(PICTURE, orientation), texts=texts)))
    assert np.array_equal(np.asarray(picture), np.asarray(PICTURE))
    assert picture.info == texts


def test_an_enhanced_picture_is_lit_evenly_and_keeps_its_colours(runner: asyncio.Runner, pool: WorkerPool) -> None:
    paper = np.full((600, 900, 3), 230.0)
    paper[250:350, 400:500] = (230, 120, 40)
    shaded = (paper * np.linspace(1.0, 0.45, 900)[None, :, None]).astype(np.uint8)
    lit = np.asarray(shown(runner.run(do(pool, "enhance", as_png(Image.fromarray(shaded))))))
    assert lit.shape == shaded.shape
    assert abs(int(lit[50, 870, 0]) - int(lit[50, 30, 0])) < 25 < int(shaded[50, 30, 0]) - int(shaded[50, 870, 0])
    red, green, blue = (int(value) for value in lit[300, 450])
    assert red > 1.5 * green > 3 * blue


def test_a_picture_of_more_pixels_than_are_read_keeps_its_size(runner: asyncio.Runner, pool: WorkerPool) -> None:
    size = (4100, 3000)
    assert size[0] * size[1] > Settings().limits.max_pixels
    assert shown(runner.run(do(pool, "enhance", as_png(Image.new("L", size, 200))))).size == size


def test_a_pdf_page_is_drawn_at_144_dpi_and_an_office_page_whole(runner: asyncio.Runner, pool: WorkerPool) -> None:
    for document in (PDF, WORD):
        page = pipeline.read(document).document.pages[0]
        picture = shown(runner.run(do(pool, "enhance", document)))
        scale = 2.0 if document == PDF else picture.width / page.width
        assert abs(picture.width - scale * page.width) <= 1
        assert abs(picture.height - scale * page.height) <= 1
        assert np.asarray(picture).min() < 100, "something is written on it"


def test_a_page_larger_than_the_limits_is_drawn_smaller(runner: asyncio.Runner, pool: WorkerPool) -> None:
    paper = Image.new("RGB", (100, 100), "white")
    out = io.BytesIO()
    paper.save(out, "PDF", resolution=1)  # 7200 points a side
    picture = shown(runner.run(do(pool, "enhance", out.getvalue())))
    assert 0.9 * Settings().limits.max_pixels < picture.width * picture.height <= 1.01 * Settings().limits.max_pixels


def as_the_host_stores(picture: Image.Image, longest: int) -> bytes:
    """Without EXIF, as JPEG and then as a WebP of at most so many pixels a side."""
    jpeg, webp = io.BytesIO(), io.BytesIO()
    picture.save(jpeg, "JPEG", quality=90)
    smaller = Image.open(jpeg)
    smaller.thumbnail((longest, longest))
    smaller.save(webp, "WEBP", quality=85)
    return webp.getvalue()


@pytest.mark.parametrize("orientation", [1, 6, 8])
@pytest.mark.parametrize("longest", [2048, 400])
def test_a_picture_is_known_again_after_the_host_has_stored_it(
    runner: asyncio.Runner, pool: WorkerPool, orientation: int, longest: int
) -> None:
    handed = as_the_host_stores(PICTURE, longest)
    answer = runner.run(do(pool, "match", handed, as_png(PICTURE, orientation))).head
    width, height = Image.open(io.BytesIO(handed)).size
    assert answer == {"same": True, "width": width, "height": height, "orientation": orientation}


def test_another_picture_is_not_taken_for_it(runner: asyncio.Runner, pool: WorkerPool) -> None:
    names = ("Swimming", "Latin", "Drama", "Geography")
    blocks = (block.model_copy(update={"name": name}) for block, name in zip(WEEK.timeblocks, names, strict=True))
    others = {
        "other lessons": as_png(painted(Timetable(timeblocks=tuple(blocks)), days_across=True).resize(PICTURE.size)),
        "upside down": as_png(PICTURE.rotate(180)),
        "another shape": as_png(PICTURE.resize((PICTURE.width, PICTURE.height * 9 // 10))),
        "nothing on it": as_png(Image.new("RGB", PICTURE.size)),
        "no picture": WORD,
        "no document": b"nothing",
    }
    handed = as_the_host_stores(PICTURE, 2048)
    for name, other in others.items():
        assert not runner.run(do(pool, "match", handed, other)).head["same"], name


def test_blocks_are_marked_where_they_were_read(runner: asyncio.Runner, pool: WorkerPool) -> None:
    timetables = runner.run(do(pool, "extract", as_png(PICTURE))).head["timetables"]
    picture = shown(runner.run(do(pool, "overlay", as_png(PICTURE), page=0, timetables=timetables)))
    assert picture.size == PICTURE.size
    changed = (np.asarray(picture) != np.asarray(PICTURE)).any(axis=2)
    left, top, right, bottom = (round(side) for side in timetables[0]["timeblocks"][0]["fields"]["name"]["box"])
    assert changed[top:bottom, left:right].mean() > 0.5
    assert changed.mean() < 0.5
    with pytest.raises(NotFound, match="no page 3"):
        runner.run(do(pool, "overlay", as_png(PICTURE), page=3))


# --- what they may cost ------------------------------------------------------------------------------------------


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
        "import asyncio; from test_server_workers import *\n"
        "async def main():\n"
        "    async with opened(settings()) as pool:\n"
        "        await until(lambda: pool.ready)\n"
        "        print(*pool.pids, flush=True)\n"
        "        await do(pool, 'extract', DEMO)\n"
        "asyncio.run(main())"
    )
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": paths}
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
