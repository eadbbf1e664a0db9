"""Line pictures from timetables that a person has corrected: each with the text that it should have been read as.

A corrected timetable says what is printed, and its marks say where. Only names, notes and the texts of the header are
used: days and times stand in it in a form of their own, not as they are printed.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pocai.documents.ingest import load
from pocai.documents.page import Box, Line, Page, on_source
from pocai.documents.ruling import find_rules
from pocai.documents.straighten import straighten
from pocai.errors import InputError
from pocai.evaluation.dataset import LabelledDocument, read_dataset
from pocai.models.lines import crop
from pocai.models.protocols import OCREngine
from pocai.settings import Limits
from pocai.timetable.timetable import Evidence, Mark
from pocai.training.alignment import anywhere, in_place
from pocai.training.data_report import SHOWN
from pocai.training.datasets import GivenLines, Sample, Split, hash_of_pixels, split_by_hash

SLACK = 2.0  # units of the page by which the middle of a line may lie outside of its mark's box
_BLOCK_TEXTS = ("name", "notes")
_HEADER_TEXTS = ("teacher", "className", "term", "title")

Progress = Callable[[int, int], None]
"""Is told how many documents are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A corrected text that taught nothing: the document, the field in its label, and why."""

    document: str
    field: str
    why: str


@dataclass(frozen=True, slots=True)
class CorrectedLines:
    """Lines to train and to validate on, and the texts of the labels that could not be used."""

    lines: Split[GivenLines]
    skipped: tuple[Skipped, ...]

    def __str__(self) -> str:
        """How many lines there are, and each reason with the first fields that it held for; no text of a label."""
        reasons: dict[str, list[str]] = defaultdict(list)
        for skipped in self.skipped:
            reasons[skipped.why].append(f"{skipped.document}: {skipped.field}")
        told = [f"{len(self.lines.train)} lines to train on, {len(self.lines.validation)} to validate on"]
        for why, places in sorted(reasons.items()):
            more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
            told.append(f"{len(places)} × not used, {why}: {'; '.join(places[:SHOWN])}{more}")
        return "\n".join(told)


def lines_of_corrected(
    folder: Path, engine: OCREngine, *, limits: Limits | None = None, progress: Progress | None = None
) -> CorrectedLines:
    """The lines of corrected timetables, in a folder as `pocai.evaluation.dataset.read_dataset` takes it.

    ``engine`` reads each page as it would be read in use; a line becomes a sample where the corrected text is plainly
    the text of the whole line (see `pocai.training.alignment`). With a mark (our own export has them) the text is
    looked for in its box, over several lines if need be; without, it must be alone on a line of the document.
    One line in ten is for validation, told by its pixels. Raises InputError for a folder without usable labels.
    """
    documents = read_dataset(folder).documents
    samples: list[Sample] = []
    names: list[str] = []
    skipped: list[Skipped] = []
    for number, document in enumerate(documents, start=1):
        for name, sample in _lines_of(document, engine, limits or Limits(), skipped):
            names.append(name)
            samples.append(sample)
        if progress is not None:
            progress(number, len(documents))
    return CorrectedLines(_split(samples, names), tuple(skipped))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A corrected text, where its label holds it, and its mark on the page, if any."""

    field: str
    text: str
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class _Spot:
    """A line that was read, and its page."""

    page: Page
    line: Line

    @property
    def middle(self) -> tuple[float, float]:
        """Its middle in the uploaded picture."""
        return on_source(self.line.box, self.page.to_source).center


def _lines_of(
    document: LabelledDocument, engine: OCREngine, limits: Limits, skipped: list[Skipped]
) -> Iterator[tuple[str, Sample]]:
    """The samples of a document, each with a name that says where it comes from."""
    try:
        spots = _spots(document.path, engine, limits)
    except InputError as error:
        skipped.append(Skipped(document.name, "all", error.what))
        return
    labels: dict[int, set[str]] = defaultdict(set)
    wanted = list(_wanted(document))
    for want, doubt in _aligned(wanted, spots, labels):
        skipped.append(Skipped(document.name, want.field, doubt))
    for number in sorted(labels):
        spot, name = spots[number], f"{document.name}, line {number + 1}"
        if len(labels[number]) > 1:
            skipped.append(Skipped(document.name, f"line {number + 1}", "several corrected texts claim the line"))
        else:
            assert spot.page.image is not None, "only pictures are read"
            yield name, Sample(crop(spot.page.image, spot.line.quad), labels[number].pop())


def _aligned(
    wanted: Sequence[_Wanted], spots: Sequence[_Spot], labels: dict[int, set[str]]
) -> Iterator[tuple[_Wanted, str]]:
    """Add to ``labels`` what is printed on the spots, by their numbers; yields the texts that no spot was found for."""
    readings = [spot.line.text for spot in spots]
    loose = anywhere([want.text for want in wanted if want.mark is None], readings)
    for number, text in loose.items():
        labels[number].add(text)
    for want in wanted:
        if want.mark is None:
            if want.text not in loose.values():
                yield want, "no whole line reads like it"
            continue
        inside = _inside(want.mark, spots)
        found = in_place(want.text, [readings[number] for number in inside])
        if isinstance(found, str):
            yield want, found
            continue
        for place, text in found.items():
            labels[inside[place]].add(text)


def _inside(mark: Mark, spots: Sequence[_Spot]) -> list[int]:
    """The numbers of the spots in a mark's box, in reading order."""
    left, top, right, bottom = mark.box
    box = Box(left - SLACK, top - SLACK, right + SLACK, bottom + SLACK)
    return [number for number, spot in enumerate(spots) if spot.page.number == mark.page and box.contains(spot.middle)]


def _spots(path: Path, engine: OCREngine, limits: Limits) -> list[_Spot]:
    """All lines of a document, its pages read as the pipeline does. Raises InputError where there is none to read."""
    document = load(path, limits=limits)
    pages = [page for page in document.pages if page.image is not None and not page.has_text]
    if not pages:
        raise InputError("its text needs no reading", mend="Use a scan or a picture")
    spots = []
    for page in pages:
        straight = straighten(page)
        if straight.image is not None and not straight.rules:
            straight = replace(straight, rules=find_rules(straight.image))
        upright, result = engine.read_upright(straight)
        spots += [_Spot(upright, line) for line in result.lines]
    return spots


def _wanted(document: LabelledDocument) -> Iterator[_Wanted]:
    """The corrected texts of a label that are printed as they stand there."""
    tables = document.truth.get("timetables", [document.truth])
    for number, table in enumerate(tables):
        yield from _texts(f"timetables[{number}]", table, _HEADER_TEXTS)
        for index, block in enumerate(table["timeblocks"]):
            yield from _texts(f"timetables[{number}].timeblocks[{index}]", block, _BLOCK_TEXTS)


def _texts(place: str, holder: dict[str, Any], names: Sequence[str]) -> Iterator[_Wanted]:
    marks = holder.get("fields") or {}
    for name in names:
        value = holder.get(name)
        if not isinstance(value, str) or not value.strip():
            continue
        mark = _mark(marks.get(name) if isinstance(marks, dict) else None)
        if mark is None or mark.evidence is not Evidence.INFERRED:
            text = unicodedata.normalize("NFC", " ".join(value.split()))
            yield _Wanted(f"{place}.{name}", text, mark)


def _mark(value: object) -> Mark | None:
    """A mark of our own export; None for anything else."""
    try:
        return Mark.model_validate(value)
    except ValidationError:
        return None


def _split(samples: Sequence[Sample], names: Sequence[str]) -> Split[GivenLines]:
    held_out = split_by_hash([hash_of_pixels(sample.image) for sample in samples])
    sides = []
    for side in (False, True):
        chosen = [number for number, held in enumerate(held_out) if held is side]
        sides.append(GivenLines([samples[number] for number in chosen], [names[number] for number in chosen]))
    return Split(sides[0], sides[1])
