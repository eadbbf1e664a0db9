"""The critic: of two readings of one document, by the rules and by the layout transformer, which is likelier better.

It compares what both have found: how far they agree, how much is without a day or a time, how long the names are, what
the checks find. A logistic regression over these figures decides (`pocai train document-critic`). It sees no word.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pocai.errors import ModelError
from pocai.models.artefact import Artefact
from pocai.models.card import Digest
from pocai.settings import SchoolHours
from pocai.timetable.checks import check
from pocai.timetable.timetable import TimeBlock, Timetable

SHIPPED = "assets/models/critic.json"
CODES = ("coverage", "duplicate", "gap", "hours", "length", "missing_day", "missing_time", "order", "overlap")
NAMES = (
    *(
        "agree",
        "agree_slot",
        "day",
        "start",
        "end",
        "blocks",
        "timetables",
        "letters",
        "name",
        "names",
        "days",
        "longest",
    ),
    *CODES,
)

Week = Sequence[Timetable]


class CriticCard(BaseModel):
    """What the critic knows: ``figures`` by name with their mean, spread and weight, and how well it does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str = Field(min_length=1)
    names: tuple[str, ...]
    means: tuple[float, ...]
    spreads: tuple[float, ...]
    weights: tuple[float, ...]
    constant: float
    least: float = Field(0.5, ge=0, le=1, description="probability from which the layout transformer is preferred")
    layout_sha256: Digest | None = Field(None, description="of the layout transformer that it judged")
    metrics: Mapping[str, Mapping[str, float]] = {}

    @classmethod
    def read(cls, file: Path) -> Self:
        """The card in a file. Raises ModelError where it is none, or of other figures."""
        try:
            card = cls.model_validate_json(file.read_bytes())
        except (OSError, ValidationError) as error:
            raise ModelError(f"{file.name} is no critic's card", mend="Fit it again") from error
        if card.names != NAMES or {len(card.means), len(card.spreads), len(card.weights)} != {len(NAMES)}:
            raise ModelError(f"{file.name} is of other figures", mend="Fit it again with this version")
        return card

    def write(self, file: Path) -> None:
        """Write the card as JSON."""
        held: dict[str, Any] = self.model_dump(mode="json")
        file.write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")

    def prefers_layout(self, rules: Week, layout: Week, hours: SchoolHours) -> bool:
        """Whether the layout transformer's timetables are likelier the better ones."""
        return self.odds(rules, layout, hours) >= 0

    def odds(self, rules: Week, layout: Week, hours: SchoolHours) -> float:
        """The log odds that the layout transformer's timetables are the better ones, less those that are needed."""
        found = zip(figures(rules, layout, hours), self.means, self.spreads, self.weights, strict=True)
        odds = self.constant + sum((value - mean) / spread * weight for value, mean, spread, weight in found)
        return odds - math.log(self.least / (1 - self.least)) if 0 < self.least < 1 else odds


@lru_cache(maxsize=1)
def shipped() -> CriticCard:
    """The card in the package. Raises ModelError."""
    return CriticCard.read(Artefact("pocai", SHIPPED, "", "").file)


def figures(rules: Week, layout: Week, hours: SchoolHours) -> tuple[float, ...]:
    """What is compared, in the order of `NAMES`: differences are the rules' minus the layout transformer's."""
    ours, theirs = _blocks(rules), _blocks(layout)
    one, other = _facts(rules, ours, hours), _facts(layout, theirs, hours)
    return (
        _agreement(ours, theirs, name=True),
        _agreement(ours, theirs, name=False),
        *(a - b for a, b in zip(one, other, strict=True)),
    )


def _blocks(timetables: Week) -> list[TimeBlock]:
    return [block for timetable in timetables for block in timetable.timeblocks]


def _agreement(blocks: Sequence[TimeBlock], others: Sequence[TimeBlock], *, name: bool) -> float:
    """Twice the blocks that both have over all blocks, 0 to 1; by day and times, and by name if asked."""
    one, two = (
        Counter((block.day, block.start_time, block.end_time, block.name.casefold() if name else "") for block in some)
        for some in (blocks, others)
    )
    return 2 * (one & two).total() / max(1, one.total() + two.total())


def _facts(timetables: Week, blocks: Sequence[TimeBlock], hours: SchoolHours) -> list[float]:
    count = max(1, len(blocks))
    lengths = [len(block.name) for block in blocks]
    codes: Counter[str] = Counter(finding.code for timetable in timetables for finding in check(timetable, hours))
    return [
        sum(block.day is not None for block in blocks) / count,
        sum(block.start_time is not None for block in blocks) / count,
        sum(block.end_time is not None for block in blocks) / count,
        math.log1p(len(blocks)),
        min(len(timetables), 6),
        math.log1p(sum(lengths) + sum(len(block.notes or "") for block in blocks)),
        math.log1p(sum(lengths) / count),
        math.log1p(len({block.name for block in blocks})),
        len({block.day for block in blocks}),
        min(max(lengths, default=0), 100) / 50,
        *(min(3.0, 10 * codes[code] / count) for code in CODES),
    ]
