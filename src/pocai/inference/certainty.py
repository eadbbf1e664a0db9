"""How sure an extraction is of its fields and blocks, and which blocks a person should look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pocai.documents.page import Document
from pocai.models.field_confidence import block_confidences, confident, shipped
from pocai.settings import SchoolHours
from pocai.timetable.checks import Finding
from pocai.timetable.timetable import Timetable


@dataclass(frozen=True, slots=True)
class Certainty:
    """Timetables with a calibrated confidence in their marks, and the confidences of each timetable's ``blocks``.

    A block that is less sure than ``accept`` is doubtful; without a threshold every block is that has a confidence.
    Blocks whose confidence is None were not calibrated, and are not judged.
    """

    timetables: tuple[Timetable, ...]
    blocks: tuple[tuple[float | None, ...], ...]
    accept: float | None = None

    @property
    def judged(self) -> int:
        """How many blocks have a confidence."""
        return sum(sure is not None for some in self.blocks for sure in some)

    @property
    def doubtful(self) -> tuple[tuple[int, ...], ...]:
        """The numbers of each timetable's blocks that are less sure than is accepted."""
        least = 2.0 if self.accept is None else self.accept  # no probability is that high
        return tuple(
            tuple(number for number, sure in enumerate(some) if sure is not None and sure < least)
            for some in self.blocks
        )

    def findings(self) -> tuple[Finding, ...]:
        """A note for each timetable with doubtful blocks."""
        said = "not sure enough" if self.accept is None else f"less sure than {self.accept:.3f}"
        return tuple(
            Finding("unsure", f"{len(some)} of {len(self.blocks[number])} blocks are {said}", some, "note", number)
            for number, some in enumerate(self.doubtful)
            if some
        )


def certainty(
    timetables: Sequence[Timetable],
    document: Document,
    document_model: str,
    hours: SchoolHours,
    accept: float | None = None,
) -> Certainty:
    """How sure ``document_model`` may be of what it made of a document, by the card that the package has for it.

    A model with an adapter ("layout+school") is judged by its base's card. ``accept`` is used in place of the card's
    threshold, which leaves at most 1 % wrong among the blocks accepted.
    """
    base = document_model.partition("+")[0]
    card = shipped(base)
    sure = confident(timetables, document, base, hours, card)
    threshold = card.accept_block if accept is None and card is not None else accept
    return Certainty(sure, tuple(block_confidences(each, card) for each in sure), threshold)
