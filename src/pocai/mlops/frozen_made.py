"""The default frozen set: documents and lines made of seeds that no training uses.

Seeds of trainings are far below (at most 4,000,000 times the seed of the recipe), and type faces are those for tests.
Families of layouts take turns, those held out among them; formats do too, in another step, so that they mix.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pocai.evaluation.slices import Slice
from pocai.mlops.frozen_set import OURS, Content, FrozenDocument, FrozenLine, FrozenSet, Tell, kept, sets_in

if TYPE_CHECKING:
    from pocai.documents.page import Document
    from pocai.synthetic.document import Drawing
    from pocai.synthetic.lines import LineSample, LineSource
    from pocai.synthetic.made_document import Amount, Format, MadeDocument

VERSION = 1  # of what is made below; another one makes another set
FIRST = 9_000_000_000_000  # seed of the first document
LINE_SEED = FIRST + 1
APART = 1_000  # seeds between two documents
TRIES = 50  # seeds for a document
MOST_BLOCKS = 80  # of a document: one of hundreds would outweigh all others

Reading: TypeAlias = Literal["native", "imitated", "clean picture", "damaged picture"]
_Kind: TypeAlias = tuple[Reading, "Format | None"]
_PLAIN: tuple[_Kind, ...] = (  # as many as have no factor in common with the number of families
    *(("native", "pdf"), ("imitated", None), ("native", "docx"), ("native", "pdf")),
    *(("imitated", None), ("native", "xlsx"), ("imitated", None)),
)
_READ: tuple[_Kind, ...] = (("clean picture", "png"), ("damaged picture", "jpeg"), ("damaged picture", "jpeg"))


@dataclass(frozen=True, slots=True)
class Size:
    """How much is made: documents without OCR, documents that OCR reads, and lines."""

    plain: int = 120
    read: int = 24
    lines: int = 600


WHOLE, SMALL = Size(), Size(plain=24, read=0, lines=80)


def default_set(home: Path, *, small: bool = False, tell: Tell | None = None) -> FrozenSet:
    """The default set below the folder of the settings, made where it is not there yet; ``small`` for a smoke test.

    Made in about half a minute, or a few seconds; opened at once afterwards. Raises InputError where it was altered,
    ConfigurationError where too few type faces are installed.
    """
    size = SMALL if small else WHOLE
    recipe = {"kind": OURS, "version": VERSION, "first": FIRST, **asdict(size)}
    return kept(sets_in(home), recipe, lambda: made(size, tell))


def made(size: Size, tell: Tell | None = None) -> Content:
    """The documents and lines of a set."""
    documents = []
    for document in islice(_documents(size), size.plain + size.read):
        documents.append(document)
        if tell is not None:
            tell("making documents", len(documents) / (size.plain + size.read))
    lines = tuple(_lines(size.lines))
    if tell is not None:
        tell("making lines", 1.0)
    return Content(tuple(documents), lines)


def _documents(size: Size) -> Iterator[FrozenDocument]:
    from pocai.synthetic.layouts import FAMILIES

    families = list(FAMILIES)
    kinds = [_PLAIN[number % len(_PLAIN)] for number in range(size.plain)]
    kinds += [_READ[number % len(_READ)] for number in range(size.read)]
    for number, kind in enumerate(kinds):
        yield _made_document(number, kind, families[number % len(families)])


def _made_document(number: int, kind: _Kind, family: str) -> FrozenDocument:
    """The first document from a seed on that is not too long."""
    for seed in range(FIRST + APART * number, FIRST + APART * number + TRIES):
        found = _imitated(seed, family) if kind[1] is None else _read(seed, kind[0], kind[1], family)
        if sum(len(table["timeblocks"]) for table in found[1]["timetables"]) <= MOST_BLOCKS:
            break
    document, truth, slices = found
    named = {"set": OURS, "reading": kind[0], **slices}
    return FrozenDocument(f"made-{number:03d}", document, truth, _sorted(named))


_Found: TypeAlias = tuple["Document", dict[str, Any], dict[str, str]]


def _imitated(seed: int, family: str) -> _Found:
    """A document of which reading is imitated: lines joined, letters misread, rules missed."""
    import numpy as np

    from pocai.documents.page import Document
    from pocai.synthetic.compose import compose
    from pocai.training.document_model.made_pages import made_pages

    drawing = compose(seed, layouts=family, split="test")
    pages = tuple(made.page for made in made_pages(drawing, np.random.default_rng(seed)))
    return Document(pages, "png", ""), _truth(drawing), _facts(family, drawing.language)


def _read(seed: int, reading: Reading, format_: Format, family: str) -> _Found:
    """A made file, read as any other."""
    from pocai.synthetic.made_document import DocumentSet, made_document

    amount: Amount = "heavy" if reading == "damaged picture" else "clean"
    made_file = made_document(DocumentSet(seed, 1, (format_,), amount, family, "test"), 0)
    facts = _facts(family, made_file.slices["language"]) | {"format": format_, "damage": made_file.slices["damage"]}
    return _document_of(made_file), {"timetables": made_file.truth()["timetables"]}, facts


def _document_of(made_file: MadeDocument) -> Document:
    from pocai.documents.ingest import load
    from pocai.documents.limits import Deadline
    from pocai.inference.pipeline import Stopwatch, read_text
    from pocai.settings import Settings

    settings = Settings.model_construct()
    document = load(made_file.printed.data, name=f"made.{made_file.ending}", limits=settings.limits)
    return read_text(document, settings, Deadline(settings.limits.max_seconds), Stopwatch(None))[0]


def _truth(drawing: Drawing) -> dict[str, Any]:
    evidence: Any = {"fields": True, "timeblocks": {"__all__": {"fields"}}}
    tables = [table.model_dump(by_alias=True, exclude=evidence, mode="json") for table in drawing.timetables]
    return {"timetables": tables}


def _facts(family: str, language: str) -> dict[str, str]:
    from pocai.synthetic.layouts import HELD_OUT

    return {"layout": family, "layouts": "held out" if family in HELD_OUT else "trained", "language": language}


def _sorted(named: dict[str, str]) -> tuple[Slice, ...]:
    return tuple(sorted(Slice(dimension, value) for dimension, value in named.items()))


def _lines(size: int) -> Iterator[FrozenLine]:
    """Lines in four kinds: two in five printed, two in five that something befell, badly damaged ones, rare letters."""
    from pocai.synthetic.lines import Damage, LineSource

    kinds: tuple[tuple[str, Damage, float], ...] = (
        *(("printed", "clean", 0.0), ("damaged", "mixed", 0.0), ("printed", "clean", 0.0)),
        *(("damaged", "mixed", 0.0), ("badly damaged", "heavy", 0.0)),
        *(("printed", "clean", 0.0), ("damaged", "mixed", 0.0), ("printed", "clean", 0.0)),
        *(("damaged", "mixed", 0.0), ("rare letters", "clean", 1.0)),
    )
    samples = {kind: _samples(LineSource(LINE_SEED, "test", damage, rare=rare), kind) for kind, damage, rare in kinds}
    for number in range(size):
        kind = kinds[number % len(kinds)][0]
        sample = next(samples[kind])
        facts = {"set": OURS, "lines": kind, "language": sample.language, "face": _face_kind(sample.face)}
        yield FrozenLine(f"line-{number:03d}", sample.image, sample.text, _sorted(facts))


def _samples(source: LineSource, kind: str) -> Iterator[LineSample]:
    """The lines of a source without end; of damaged ones those that the damage spared are left out."""
    samples = map(source.line, count())
    return (sample for sample in samples if kind != "damaged" or sample.damage != "clean")


def _face_kind(family: str) -> str:
    from pocai.synthetic.fonts import face

    return face(family).kind
