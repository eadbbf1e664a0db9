"""Every feature once, with its unit and meaning: Feast's fields, the history's columns and the docs come from here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

Kind = Literal["int", "float", "string", "text", "ints", "floats"]
"""``text`` is what a document says: it is only ever kept encrypted."""

SCHOOL, DOCUMENT = "school", "document"
EMBEDDING = 32  # figures of a layout, see `layout_vector`


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: ``unit`` is "" where there is none; every feature may be null where nothing was measured."""

    name: str
    kind: Kind
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class View:
    """Features that are written together, of one ``entity``; ``ttl`` is how old they may be and still be used."""

    name: str
    entity: str
    ttl: timedelta
    owner: str
    features: tuple[Feature, ...]

    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Of the features, in their order; they are asked for often."""
        object.__setattr__(self, "names", tuple(feature.name for feature in self.features))


VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        View(
            "school",
            SCHOOL,
            timedelta(days=400),
            "timetable",
            (
                Feature("documents", "int", "documents", "documents that were remembered"),
                Feature("corrected", "int", "documents", "of them corrected by a person"),
                Feature("period_starts", "ints", "minutes after midnight", "starts of the usual periods"),
                Feature(
                    "period_ends", "ints", "minutes after midnight", "ends of the usual periods, in the same order"
                ),
                Feature("period_counts", "ints", "blocks", "how often each of these periods was printed"),
                Feature("day_start", "int", "minutes after midnight", "the earliest start of a period"),
                Feature("day_end", "int", "minutes after midnight", "the latest end of a period"),
                Feature("afternoon", "float", "share, 0 to 1", "printed periods that start at noon or later"),
                Feature("cycle", "int", "days", "the most days that a timetable had"),
                Feature("names", "text", "blocks", "the school's names of lessons and events, as JSON, with counts"),
                Feature("notes", "text", "blocks", "the school's notes, as JSON, with counts"),
                Feature("fields", "int", "fields", "extracted fields that persons looked at"),
                Feature("changed", "int", "fields", "of them changed"),
                Feature("correction_rate", "float", "share, 0 to 1", "changed fields of those looked at"),
                Feature("adapter", "string", "", "folder of the adapter to read this school's documents with"),
            ),
        ),
        View(
            "ocr",
            DOCUMENT,
            timedelta(days=30),
            "reading",
            (
                Feature("text", "text", "", "all text of the document, words joined by one space"),
                Feature(
                    "confidence", "float", "score, 0 to 1", "mean recognizer score by letters; null of native text"
                ),
                Feature("words", "int", "words", "how many words it has"),
                Feature("layout_score", "float", "share, 0 to 1", "lines that stand in a column of at least three"),
                Feature("times", "int", "times", "times of day, and ranges of them, in the text"),
                Feature("orientation", "int", "degrees clockwise", "how the first page lay: 0, 90, 180 or 270"),
                Feature("source", "string", "", "where the text is from: ocr, native, mixed or none"),
            ),
        ),
        View(
            "document",
            DOCUMENT,
            timedelta(days=30),
            "documents",
            (
                Feature("school", "string", "", "the school it came from, if that is known"),
                Feature(
                    "embedding", "floats", f"{EMBEDDING} figures", "geometric description of the first page's layout"
                ),
                Feature("pages", "int", "pages", "how many pages it has"),
                Feature("format", "string", "", "format of the file"),
                Feature("language", "string", "ISO 639-1", "of most names of days; null where there are none"),
                Feature(
                    "sharpness", "float", "grey levels²", "variance of the Laplacian of the first picture; low: blurred"
                ),
                Feature("skew", "float", "degrees clockwise", "how far the first page was from a right angle"),
                Feature("resolution", "float", "pixels", "median height of the lines of text on pictures"),
                Feature("confidence", "float", "probability, 0 to 1", "mean over the blocks that were extracted"),
            ),
        ),
    )
}
