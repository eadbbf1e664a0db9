"""What reading processes answer: documents, texts and pictures, and what is wrong with them."""

from __future__ import annotations

import asyncio
import io
from itertools import pairwise

import numpy as np
import pytest
from painted import as_png, painted
from PIL import Image
from worker_fixtures import shared_metrics, shared_pool, shared_runner  # noqa: F401 - fixtures
from worker_pools import DEMO, PDF, PICTURE, WEEK, WORD, do, opened, settings

import pocai
from pocai.errors import BadRequest, NotFound, PocaiError, UnknownModel, UnreadableDocument, UnsupportedFormat
from pocai.inference import pipeline
from pocai.inference.answers import ExtractionResult, ReadResult, read_pages
from pocai.server.frames import Frame
from pocai.server.workers import Task, WorkerPool
from pocai.settings import SchoolHours, Settings
from pocai.timetable.timetable import Timetable

# --- what they answer --------------------------------------------------------------------------------------------


def test_a_document_is_read_as_in_this_process(runner: asyncio.Runner, pool: WorkerPool) -> None:
    told: list[tuple[str, float]] = []

    async def tell(stage: str, share: float) -> None:
        told.append((stage, share))

    frame = runner.run(pool.run(Task("extract", {}, (DEMO,), 60), tell))
    result = ExtractionResult.model_validate(frame.head)
    assert list(result.timetables) == pocai.extract(DEMO)
    assert (result.models.ocr, result.models.document) == ("cascade", "rules")
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
