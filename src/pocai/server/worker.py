"""A reading process: ``python -m pocai.server.worker`` reads documents for the service, one after the other.

It speaks frames (`pocai.server.frames`) on what were its standard input and output. The first one configures it:
``{"configure": {"settings": {...}, "memory_bytes": n, "cpu_seconds": n}}``; once its models are loaded it answers
``{"ready": true, "memory": {...}}``. It may add ``"last": true`` to an answer: it ends then, and is to be replaced.

A document can cost this process its life and nothing else: memory, processor time, files and privileges are bounded by
the kernel, and it dies with the service. It ends with 0 when its input ends, with 2 when that is no frame.
"""

from __future__ import annotations

import io
import math
import os
import resource
import signal
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from pocai.documents.ingest import load, sniff
from pocai.documents.limits import Deadline
from pocai.documents.page import Box, Fill, Page
from pocai.documents.pdf import render_page
from pocai.documents.straighten import even_light
from pocai.errors import BadRequest, InputError, LimitExceeded, NotFound, PocaiError, fault
from pocai.feature_store.features import Subject
from pocai.inference import pipeline
from pocai.inference.answers import ExtractionResult, ReadResult, SchoolAnswer, read_pages
from pocai.inference.lessons import rows_of
from pocai.inference.registered_models import with_models
from pocai.models import catalog
from pocai.server.frames import BrokenFrame, Frame, read_frame
from pocai.settings import Limits, Settings
from pocai.timetable.overlay import PAPER, draw, font
from pocai.timetable.timetable import Timetable

Pixels = NDArray[np.uint8]  # RGB, (H, W, 3)
Read = Callable[[int], bytes]
Say = Callable[[Frame], None]

FILES = 128  # open files
FILE_BYTES = 64 * 2**20  # size of a file that it writes; it needs none, an engine's program may
NO_NEW_PRIVILEGES, DIE_WITH_PARENT = 38, 1  # prctl(2): PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG
BROKEN = 2  # exit status

SCALE = 2.0  # pixels for each point of a PDF page that is enhanced: 144 dpi
SMALL = 2**18  # pixels of a picture that is only compared
THUMBNAIL = 48  # pixels a side
SAME = 0.985  # correlation of two thumbnails of the same; measured: the same 0.995 and more, other weeks up to 0.97
ASPECT = 0.02  # by which the shapes of two pictures of the same may differ
FLAT = 1e-6  # variance of a thumbnail that shows nothing


@dataclass(frozen=True, slots=True)
class Request:
    """A task as it is worked on; ``tell`` takes the stage and the share that is done."""

    options: Mapping[str, Any]
    parts: tuple[bytes, ...]
    settings: Settings
    tell: Callable[[str, float], None]


def main() -> int:
    """Serve on standard input and output, which are kept from everything else that may read or print."""
    with os.fdopen(os.dup(0), "rb") as source, os.fdopen(os.dup(1), "wb") as sink:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)

        def say(frame: Frame) -> None:
            for chunk in frame.chunks():
                sink.write(chunk)
            sink.flush()

        try:
            return serve(source.read, say)
        except BrokenFrame:
            return BROKEN


def serve(read: Read, say: Say) -> int:
    """Configure, warm up, then do one task after the other until the input ends; the exit status."""
    first = read_frame(read)
    if first is None:
        return 0
    wanted = first.head.get("configure")
    if not isinstance(wanted, dict):
        raise BrokenFrame("the first frame does not configure")
    memory, seconds = int(wanted["memory_bytes"]), int(wanted["cpu_seconds"])
    try:
        confine(memory)
        settings = Settings(**wanted["settings"])
        warm_up(settings)
    except Exception as error:  # noqa: BLE001 - whatever it is, the service is told why no process starts
        say(Frame({"fault": fault_of(error, memory)}))
        return 1
    say(Frame({"ready": True, "memory": memory_used()}))
    while (frame := read_frame(read)) is not None:
        allow_cpu(seconds)
        try:
            for answer in perform(frame, settings, say):
                say(answer)
        except Exception as error:  # noqa: BLE001 - a fault of ours on one document is told, and the next one read
            exhausted = out_of_memory(error)
            say(Frame({"fault": fault_of(error, memory), "last": exhausted}))
            if exhausted:  # what is left of the memory may be in pieces
                return 0
    return 0


def perform(frame: Frame, settings: Settings, say: Say) -> Iterable[Frame]:
    """The answer to a task, and what follows it. Raises what the task raises, BadRequest where there is none of it."""
    kind, options = frame.head.get("task"), frame.head.get("options", {})
    if kind not in TASKS or not frame.parts:
        raise BadRequest(f"there is no task {kind!r} with {len(frame.parts)} parts", mend=f"Known: {', '.join(TASKS)}")
    if (engine := options.get("engine")) is not None:
        catalog.entry(engine)  # also where no page will have to be read
        adapter = settings.ocr_adapter if engine == settings.ocr_engine else None  # it is one for that engine
        settings = settings.model_copy(update={"ocr_engine": engine, "ocr_adapter": adapter})
    if models := options.get("models"):
        settings = with_models(settings, models, tuple(options.get("trusted", ())))

    def tell(stage: str, share: float) -> None:
        say(Frame({"progress": [stage, share]}))

    answer = TASKS[kind](Request(options, frame.parts, settings, tell))
    return (answer,) if isinstance(answer, Frame) else answer


# --- what it may cost --------------------------------------------------------------------------------------------


def confine(memory_bytes: int) -> None:
    """Bound this process for good (setrlimit(2), prctl(2)): address space, files, privileges, life without the service.

    Raises OSError where the kernel refuses.
    """
    for kind, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, FILES),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
    ):
        bound = _within_hard(kind, most)
        resource.setrlimit(kind, (bound, bound))
    if sys.platform == "linux":
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        for option, value in ((NO_NEW_PRIVILEGES, 1), (DIE_WITH_PARENT, signal.SIGKILL)):
            if libc.prctl(option, *(ctypes.c_ulong(number) for number in (value, 0, 0, 0))) != 0:
                raise OSError(ctypes.get_errno(), f"prctl({option}) failed")


def allow_cpu(seconds: int) -> None:
    """Let the kernel end this process (SIGXCPU) after ``seconds`` more of processor time, over all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = _within_hard(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime) + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _within_hard(kind: int, most: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return most if hard == resource.RLIM_INFINITY else min(most, hard)


def memory_used() -> dict[str, int]:
    """Bytes of address space and of memory that are in use (proc(5)); nothing where the kernel does not say."""
    try:
        space, resident = Path("/proc/self/statm").read_text(encoding="ascii").split()[:2]
    except OSError:
        return {}
    page = resource.getpagesize()
    return {"address_space": int(space) * page, "resident": int(resident) * page}


def out_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that led to it, says that there was no memory left; readers wrap what decoders raise."""
    while error is not None:
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == _NO_MEMORY):
            return True
        foreign = type(error).__module__.startswith(("cv2", "onnxruntime")) or type(error) is RuntimeError
        if foreign and any(sign in str(error) for sign in _SIGNS):
            return True
        error = error.__cause__ or error.__context__
    return False


_NO_MEMORY = 12  # ENOMEM
_SIGNS = ("bad_alloc", "Failed to allocate memory", "Insufficient memory", "can't start new thread")


def fault_of(error: Exception, memory_bytes: int) -> dict[str, str]:
    """What the service is told: an error on purpose as it is, any other by type and place; its text may be private."""
    if out_of_memory(error):
        error = LimitExceeded(
            f"the document needs more memory than the {memory_bytes:,} bytes that a reading process may take",
            mend="Send fewer or smaller pages, or raise server.workers.memory_bytes",
        )
    elif not isinstance(error, PocaiError):
        error = fault(error)
    return {"code": error.code, "what": error.what, "mend": error.mend}


def warm_up(settings: Settings) -> None:
    """Load the models and everything that reading imports, by reading a tiny page."""
    cv2.setNumThreads(max(1, settings.threads))
    picture = Image.new("RGB", (480, 160), "white")
    ImageDraw.Draw(picture).text((20, 20), "Monday\n9:00 - 10:00 Maths", fill="black", font=font(24))
    ExtractionResult.of(pipeline.read(_png(picture, {}), settings=settings)).model_dump(mode="json", by_alias=True)


# --- tasks -------------------------------------------------------------------------------------------------------


def extract(request: Request) -> Iterator[Frame]:
    """Read a document from end to end, with what is known of its school; its features follow where they are wanted."""
    known = request.options.get("memory")
    memory = None if known is None else SchoolAnswer.model_validate(known).memory
    extraction = pipeline.read(request.parts[0], settings=request.settings, progress=request.tell, memory=memory)
    wanted = {"more": True} if request.options.get("features") else {}
    yield Frame({"done": ExtractionResult.of(extraction).model_dump(mode="json", by_alias=True), **wanted})
    if wanted:
        yield Frame({"more": features_of(extraction)})


def features_of(extraction: pipeline.Extraction) -> dict[str, dict[str, Any]]:
    """The features of a document, by view; the service knows whose they are."""
    return {row.view: dict(row.values) for row in rows_of(extraction, Subject("document", datetime.now(UTC)))}


def read_text(request: Request) -> Frame:
    """Read what is written in a document."""
    deadline = Deadline(request.settings.limits.max_seconds)
    watch = pipeline.Stopwatch(request.tell)
    with watch.stage("ingest", 0.0):
        document = load(request.parts[0], limits=request.settings.limits)
        sizes = tuple(page.source_size for page in document.pages)
    with watch.stage("text", 0.1):
        document, ocr = pipeline.read_text(document, request.settings, deadline, watch)
    watch.tell("done", 1.0)
    pages = read_pages(document, ocr, sizes)
    seconds = {stage: round(taken, 4) for stage, taken in watch.seconds.items()}
    result = ReadResult(pages=pages, warnings=document.warnings, seconds=seconds)
    return Frame({"done": result.model_dump(mode="json", by_alias=True)})


def enhance(request: Request) -> Frame:
    """Page 1 as an evenly lit PNG of the stored picture's size, lying as it was stored, with texts in it."""
    return _as_answer(_first_picture(request.parts[0], request.settings.limits), request.options.get("texts", {}))


def match(request: Request) -> Frame:
    """Whether a picture shows the same as the original that it may have been made from, as both are stored."""
    limits = request.settings.limits.model_copy(update={"max_pixels": SMALL})
    handed, *others = request.parts
    page, same, orientation = _first_page(handed, limits), False, 1
    width, height = (round(side) for side in page.source_size)
    for other in others:
        with suppress(InputError):  # an original that cannot be read is not used
            original = _first_page(other, limits)
            same, orientation = _same(page, original), _orientation(original)
    return Frame({"done": {"same": same, "width": width, "height": height, "orientation": orientation}})


def overlay(request: Request) -> Frame:
    """A page as PNG, with the blocks of timetables marked where they were read."""
    number = int(request.options.get("page", 0))
    timetables = [Timetable.model_validate(each) for each in request.options.get("timetables", ())]
    limits = request.settings.limits
    wanted = limits.model_copy(update={"max_pages": max(1, min(limits.max_pages, number + 1))})
    found = [page for page in load(request.parts[0], limits=wanted).pages if page.number == number]
    if not found:
        raise NotFound(f"the document has no page {number}, counted from 0", mend="Ask for one that it has")
    return _as_answer(draw(found[0], timetables), {})


TASKS: dict[str, Callable[[Request], Frame | Iterator[Frame]]] = {
    "extract": extract,
    "read": read_text,
    "enhance": enhance,
    "match": match,
    "overlay": overlay,
}


def _first_page(data: bytes, limits: Limits) -> Page:
    return load(data, limits=limits.model_copy(update={"max_pages": 1})).pages[0]  # a reader gives one, or raises


def _first_picture(data: bytes, limits: Limits) -> Pixels:
    """Page 1 as RGB ``(H, W, 3)`` uint8: a picture as it is stored, a PDF page at 144 dpi, any other page drawn.

    Light is evened out on pages within ``limits.max_pixels`` only: on a larger one that takes too much memory.
    """
    page = _first_page(data, limits.model_copy(update={"max_pixels": limits.max_source_pixels}))
    if sniff(data) == "pdf":
        width, height = page.source_size
        scale = min(SCALE, math.sqrt(limits.max_pixels / (width * height)))
        image = render_page(data, 0, long_side=max(1, round(scale * max(width, height))))
    elif page.image is None:
        # Paper from edge to edge keeps the drawing from being cut to what is on it: one scale leads to the page.
        paper = Fill(Box(0, 0, page.width, page.height), PAPER)
        return draw(replace(page, fills=(paper, *page.fills)), ())
    else:
        image = _stored(page)
    height, width = image.shape[:2]
    if width * height > limits.max_pixels:
        return image
    lit = even_light(Page(0, width, height, image=image)).image
    assert lit is not None, "a page keeps its picture"
    return lit


def _turn(page: Page) -> tuple[bool, bool, bool]:
    """How the stored picture follows from an upright page: axes swapped, then mirrored along x, along y."""
    a, b, _, d, e = page.to_source[:5]
    return (True, b < 0, d < 0) if b else (False, a < 0, e < 0)


def _stored(page: Page) -> Pixels:
    """The picture of an upright page lying as it was stored."""
    image = page.image
    assert image is not None, "only pages with a picture are turned back"
    swap, mirror_x, mirror_y = _turn(page)
    if swap:
        image = image.transpose(1, 0, 2)
    return np.ascontiguousarray(image[:: -1 if mirror_y else 1, :: -1 if mirror_x else 1])


def _orientation(page: Page) -> int:
    """The orientation, 1 to 8, that the stored picture had (EXIF 2.32, 4.6.4)."""
    steps = "".join(step for step, taken in zip("sxy", _turn(page), strict=True) if taken)
    return ("", "x", "xy", "y", "s", "sy", "sxy", "sx").index(steps) + 1  # axes swapped, mirrored along x, along y


def _same(one: Page, other: Page) -> bool:
    """Whether two pages show the same picture, however it was scaled and compressed."""
    if one.image is None or other.image is None:
        return False
    shapes = [page.source_size[0] / page.source_size[1] for page in (one, other)]
    if abs(shapes[0] / shapes[1] - 1) > ASPECT:
        return False
    first, second = (_thumbnail(_stored(page)) for page in (one, other))
    spread = math.sqrt(float((first * first).mean() * (second * second).mean()))
    return spread > FLAT and float((first * second).mean()) / spread >= SAME


def _thumbnail(image: Pixels) -> NDArray[np.float64]:
    """A picture as 48 x 48 shades of grey, the mean shade 0."""
    small = cv2.resize(image, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).mean(axis=2, dtype=np.float64)
    shades: NDArray[np.float64] = small - small.mean()
    return shades


def _as_answer(image: Pixels, texts: Mapping[str, str]) -> Frame:
    height, width = image.shape[:2]
    return Frame({"done": {"width": width, "height": height}}, (_png(Image.fromarray(image), texts),))


def _png(picture: Image.Image, texts: Mapping[str, str]) -> bytes:
    """A Pillow picture as PNG, packed quickly, with ``texts`` as iTXt chunks (PNG 3rd edition, 11.3.3.4)."""
    notes, out = PngInfo(), io.BytesIO()
    for key, text in texts.items():
        notes.add_itxt(key, text)
    picture.save(out, "PNG", compress_level=1, compress_type=zlib.Z_RLE, pnginfo=notes)
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(main())
