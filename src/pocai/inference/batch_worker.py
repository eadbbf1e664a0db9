"""A process that reads the documents of a batch, one after the other: ``python -m pocai.inference.batch_worker FD``.

It gets the bytes of a document and gives those of its result; it sees no path, no bucket and no credentials. As a
program it talks over the socket with this file descriptor, in JSON and bytes, never pickle, and ends with the process
that started it. On Ray the same `Reader` is an actor.
"""

from __future__ import annotations

import io
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from pocai import __version__
from pocai.errors import ConfigurationError, DeadlineExceeded, LimitExceeded, NoTimetable, PocaiError, by_code, fault
from pocai.settings import Settings

READING = {"limits", "school_hours", "quality", "ocr_engine", "ocr_adapter", "document_model", "document_adapter"}
WATCHING = 0.5  # seconds between two looks at whether the process that started this one is there


class Told(BaseModel):
    """What is said of a document beside its result: the error with this ``code``, or what was found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = ""
    what: str = ""
    mend: str = ""
    pages: int = Field(0, ge=0)
    verdict: str = ""
    seconds: float = Field(0.0, ge=0)
    last: bool = Field(default=False, description="whether the process is of no more use")

    @classmethod
    def of(cls, error: PocaiError, *, last: bool = False) -> Self:
        """The error that a document ended in."""
        return cls(code=error.code, what=error.what, mend=error.mend, last=last)

    def check(self) -> None:
        """Raise the error that this tells of, if any."""
        if self.code:
            raise by_code(self.code, self.what, self.mend)


Answer = tuple[Told, bytes]


def configuration(settings: Settings, threads: int) -> dict[str, Any]:
    """What a reading process is told, as JSON holds it.

    The key of a language model goes with it only where text may leave this machine: a document may take a process over.
    """
    told = settings.model_dump(mode="json", include=READING) | {"threads": threads}
    told["language"] = settings.language.model_dump(mode="json", exclude={"key"})
    if settings.language.egress and settings.language.key is not None:
        told["language"]["key"] = settings.language.key.get_secret_value()
    return {"settings": told, "version": __version__, "memory_bytes": settings.server.workers.memory_bytes}


def few_threads(threads: int) -> dict[str, str]:
    """The environment that keeps libraries to so many threads; they read it when they are loaded."""
    return dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), str(threads))


def too_late(seconds: float) -> DeadlineExceeded:
    """The error of a document that takes too long."""
    what = f"the document was not read within {seconds:.0f} seconds"
    return DeadlineExceeded(what, mend="Send fewer pages, or raise server.workers.wall_seconds")


class Reader:
    """Reads documents. `ready` loads the models; nothing else raises anything."""

    def __init__(self, configured: Mapping[str, Any]) -> None:
        self._configured = configured
        self._settings: Settings | None = None

    def ready(self) -> str:
        """Load the models, and keep whatever prints from doing so; `Told` as JSON, with the error where that failed."""
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - what prints may print text of documents
            for stream in (1, 2):
                os.dup2(nowhere.fileno(), stream)
        return self._guarded(self._load)[0].model_dump_json()

    def read(self, content: bytes) -> tuple[str, bytes]:
        """`Told` as JSON, and the result as it is saved, empty where there is none."""
        begun = time.perf_counter()
        told, result = self._guarded(lambda: self._read(content))
        seconds = round(time.perf_counter() - begun, 4)
        return told.model_copy(update={"seconds": seconds}).model_dump_json(), result

    def _load(self) -> Answer:
        theirs = self._configured["version"]
        if theirs != __version__:
            what = f"this host has pocai {__version__}, the one that asks {theirs}"
            raise ConfigurationError(what, mend="Install the same version on all hosts")
        self._settings = Settings(**self._configured["settings"])
        from pocai.inference import pipeline

        pipeline.read(_tiny_page(), settings=self._settings)
        return Told(), b""

    def _read(self, content: bytes) -> Answer:
        from pocai.inference import pipeline
        from pocai.inference.answers import ExtractionResult

        extraction = pipeline.read(content, settings=self._settings)
        if not extraction.timetables:
            raise NoTimetable("no timetable was found", mend="Is it the right page?")
        # without what differs from run to run, so that the same document gives the same bytes
        kept = ExtractionResult.of(extraction).model_dump(mode="json", by_alias=True, exclude={"pages", "seconds"})
        result = (json.dumps(kept, indent=2, ensure_ascii=False) + "\n").encode()
        return Told(pages=len(extraction.document.pages), verdict=extraction.verdict.decision), result

    def _guarded(self, work: Callable[[], Answer]) -> Answer:
        try:
            return work()
        except PocaiError as error:
            return Told.of(error), b""
        except MemoryError:
            exhausted = LimitExceeded(
                "the document needs more memory than a reading process may take",
                mend="Send fewer or smaller pages, or raise server.workers.memory_bytes",
            )
            return Told.of(exhausted, last=True), b""
        except Exception as unknown:  # noqa: BLE001 - a fault of ours on one document must not lose the others
            return Told.of(fault(unknown)), b""


def _tiny_page() -> bytes:
    """A picture whose reading loads every model."""
    from PIL import Image, ImageDraw

    from pocai.timetable.overlay import font

    picture, packed = Image.new("RGB", (480, 160), "white"), io.BytesIO()
    ImageDraw.Draw(picture).text((20, 20), "Monday\n9:00 - 10:00 Maths", fill="black", font=font(24))
    picture.save(packed, "PNG")
    return packed.getvalue()


def main() -> None:
    """Be told the configuration, say whether all is ready, then answer each document, until nobody asks any more."""
    from multiprocessing.connection import Connection

    parent = os.getppid()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    with Connection(int(sys.argv[1])) as line:
        try:
            configured = json.loads(line.recv_bytes())
            _bound(configured["memory_bytes"])
            reader = Reader(configured)
            line.send_bytes(reader.ready().encode())
            while True:
                told, result = reader.read(line.recv_bytes())
                line.send_bytes(told.encode())
                line.send_bytes(result)
        except (EOFError, ConnectionError):
            return


def _end_with(parent: int) -> None:
    """End this process when the one that started it has ended, even where that was killed and this one is at work."""
    while os.getppid() == parent:
        time.sleep(WATCHING)
    os._exit(1)


def _bound(memory_bytes: int) -> None:
    """Bound the address space of this process, and let it leave no core file (setrlimit(2))."""
    import resource

    for kind, most in ((resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(kind)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bound, bound))


if __name__ == "__main__":
    main()
