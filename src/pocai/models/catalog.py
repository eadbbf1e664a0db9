"""Every OCR engine that can be asked for by name, with its files, their hashes and licences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pocai.errors import UnknownModel
from pocai.models import detector, recognizer
from pocai.models.artefact import Artefact
from pocai.models.protocols import OCREngine


@dataclass(frozen=True, slots=True)
class Entry:
    """How an engine is made: ``make`` takes the number of threads (0: all usable cores)."""

    make: Callable[[int], OCREngine]
    version: str
    licence: str
    artefacts: tuple[Artefact, ...] = ()
    installed: Callable[[], bool] = lambda: True


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What `pocai doctor` shows of a model; ``files`` pairs each file name with its expected SHA-256."""

    name: str
    version: str
    licence: str
    files: tuple[tuple[str, str], ...]
    installed: bool


def _ppocr(threads: int) -> OCREngine:
    from pocai.models.ppocr import PPOCREngine

    return PPOCREngine(threads)


def _tesseract(threads: int) -> OCREngine:
    from pocai.models.tesseract import TesseractEngine

    return TesseractEngine(threads)


def _has_tesseract() -> bool:
    from pocai.models.tesseract import binary

    return binary() is not None


ENGINES: dict[str, Entry] = {
    "ppocr": Entry(_ppocr, "PP-OCRv6 small", "Apache-2.0", (detector.WEIGHTS, recognizer.WEIGHTS)),
    "tesseract": Entry(_tesseract, "as installed", "Apache-2.0", installed=_has_tesseract),
}


def entry(name: str) -> Entry:
    """The catalogue's entry of an engine; raises UnknownModel for a name that it does not hold."""
    if name not in ENGINES:
        raise UnknownModel(f"no OCR engine is called {name!r}", mend=f"Known engines: {', '.join(sorted(ENGINES))}.")
    return ENGINES[name]


def engine(name: str, threads: int = 0) -> OCREngine:
    """A new engine, its weights loaded; raises UnknownModel, or ModelError when it cannot run here."""
    return entry(name).make(threads)


def describe() -> list[ModelInfo]:
    """All engines of the catalogue, whether they can run here or not; loads none of them."""
    return [
        ModelInfo(
            name,
            found.version,
            found.licence,
            tuple((artefact.path.rsplit("/", 1)[-1], artefact.sha256) for artefact in found.artefacts),
            found.installed() and all(artefact.installed for artefact in found.artefacts),
        )
        for name, found in ENGINES.items()
    ]
