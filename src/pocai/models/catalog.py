"""Every OCR engine that can be asked for by name, with its files, their hashes and licences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from pocai.errors import ModelError, UnknownModel
from pocai.models import detector, ppocr_recognizer
from pocai.models.artefact import Artefact
from pocai.models.card import ModelCard
from pocai.models.protocols import OCREngine

OWN_WEIGHTS = "student.onnx"  # the weights of a student in a folder of one's own; its card lies beside them
ABSENT = "not installed"  # the version of a model whose card is not there


@dataclass(frozen=True, slots=True)
class Entry:
    """How an engine is made: ``make`` takes the number of threads (0: all usable cores).

    ``student`` says that our own weights, which their card describes, are among its files.
    """

    make: Callable[[int], OCREngine]
    edition: str
    licence: str
    others: tuple[Artefact, ...] = ()
    student: bool = False
    runs: Callable[[], bool] = lambda: True

    @property
    def version(self) -> str:
        """Which models these are."""
        return self.edition.format(student=_student_version()) if self.student else self.edition

    @property
    def artefacts(self) -> tuple[Artefact, ...]:
        """Its files; those of the student only where it is there."""
        return (*self.others, *_student_files()) if self.student else self.others

    @property
    def installed(self) -> bool:
        """Whether it can run here; the content of files is not looked at."""
        if self.student and not _student_files():
            return False
        return self.runs() and all(artefact.installed for artefact in self.artefacts)


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


def _student(threads: int, folder: Path | None = None) -> OCREngine:
    from pocai.models.adapter import AdaptableStudent
    from pocai.models.line_engine import LineEngine

    recognizer = AdaptableStudent(threads, folder and folder / OWN_WEIGHTS)
    return LineEngine("student", detector.PPOCRDetector(threads), recognizer)


def _cascade(threads: int, folder: Path | None = None) -> OCREngine:
    from pocai.models.adapter import AdaptableStudent
    from pocai.models.cascade import CascadeRecognizer
    from pocai.models.line_engine import LineEngine
    from pocai.models.proxies import LateRecognizer

    student = AdaptableStudent(threads, folder and folder / OWN_WEIGHTS)
    if student.card.threshold is None:
        raise ModelError(f"the card of {student.card.name} names no threshold", mend="Use the engine student instead.")
    teacher = LateRecognizer(partial(ppocr_recognizer.PPOCRRecognizer, threads))
    recognizer = CascadeRecognizer(student, teacher, student.card.threshold.value)
    return LineEngine("cascade", detector.PPOCRDetector(threads), recognizer)


def _trocr(threads: int, folder: Path) -> OCREngine:
    from pocai.models.line_engine import LineEngine
    from pocai.models.proxies import InTurn

    try:
        from pocai.models.trocr import TrOCRRecognizer

        recognizer = TrOCRRecognizer(folder)
    except ModuleNotFoundError as error:
        raise ModelError(f"TrOCR needs the package {error.name}", mend="pip install 'pocai[train]'") from error
    return LineEngine("trocr", detector.PPOCRDetector(threads), InTurn(recognizer))


def _tesseract(threads: int) -> OCREngine:
    from pocai.models.tesseract import TesseractEngine

    return TesseractEngine(threads)


def _has_tesseract() -> bool:
    from pocai.models.tesseract import binary

    return binary() is not None


@lru_cache(maxsize=1)
def _card() -> ModelCard:
    from pocai.models.recognizer import shipped_card

    return shipped_card()


def _student_version() -> str:
    try:
        return _card().version
    except ModelError:
        return ABSENT


def _student_files() -> tuple[Artefact, ...]:
    from pocai.models.recognizer import shipped_weights

    try:
        return (shipped_weights(_card()),)
    except ModelError:
        return ()


_PPOCR = (detector.WEIGHTS, ppocr_recognizer.WEIGHTS)
ENGINES: dict[str, Entry] = {
    "cascade": Entry(_cascade, "student {student}, PP-OCRv6 small", "MIT, Apache-2.0", _PPOCR, student=True),
    "student": Entry(_student, "student {student}", "MIT, Apache-2.0", (detector.WEIGHTS,), student=True),
    "ppocr": Entry(_ppocr, "PP-OCRv6 small", "Apache-2.0", _PPOCR),
    "tesseract": Entry(_tesseract, "as installed", "Apache-2.0", runs=_has_tesseract),
}
# Engines with weights of one's own, from the folder that their name ends with.
FAMILIES: dict[str, Callable[[int, Path], OCREngine]] = {"cascade": _cascade, "student": _student, "trocr": _trocr}


def entry(name: str) -> Entry:
    """The catalogue's entry of an engine; raises UnknownModel for a name that it does not hold.

    ``cascade:FOLDER``, ``student:FOLDER`` and ``trocr:FOLDER`` read with weights of one's own, which are looked at when
    the engine is made.
    """
    if name in ENGINES:
        return ENGINES[name]
    kind, _, folder = name.partition(":")
    if folder and kind in FAMILIES:
        make = FAMILIES[kind]
        return Entry(lambda threads: make(threads, Path(folder)), "own weights", "as their card says", _PPOCR)
    known = ", ".join(sorted((*ENGINES, *(f"{family}:FOLDER" for family in FAMILIES))))
    raise UnknownModel(f"no OCR engine is called {name!r}", mend=f"Known engines: {known}.")


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
            found.installed,
        )
        for name, found in ENGINES.items()
    ]
