"""Layouts: a made timetable goes in, a drawing comes out; one module for each family of layouts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from pocai.synthetic.document import Drawing
from pocai.synthetic.fonts import Face
from pocai.synthetic.layouts import (
    agenda,
    app,
    bands,
    bars,
    days_across,
    days_down,
    legend,
    page_each,
    period_key,
    poster,
    proportional,
    several_classes,
    shared_list,
    split_cells,
    start_axis,
    teacher_week,
    times_inside,
    two_weeks,
    university,
    vertical_text,
)
from pocai.synthetic.made import Made
from pocai.synthetic.schools import Stage, Times

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass(frozen=True, slots=True)
class Family:
    """A family of layouts.

    ``draw`` makes a drawing of any timetable that it ``accepts``; ``times`` and ``stage`` say which timetables to ask
    for, None for any. ``weight`` is how often it is drawn. ``held_out`` families are for tests only.
    """

    name: str
    draw: Callable[[Made, Sequence[Face], Generator], Drawing]
    accepts: Callable[[Made], bool]
    weight: float = 1.0
    times: Times | None = None
    stage: Stage | None = None
    held_out: bool = False


def _family(
    module: ModuleType, weight: float, *, times: Times | None = None, stage: Stage | None = None, held_out: bool = False
) -> Family:
    return Family(module.NAME, module.draw, module.accepts, weight, times, stage, held_out)


FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        _family(days_across, 3.0),
        _family(days_down, 2.0),
        _family(bars, 1.5),
        _family(split_cells, 1.2),
        _family(vertical_text, 1.2),
        _family(agenda, 1.2),
        _family(shared_list, 0.6),
        _family(start_axis, 1.0, times="starts"),
        _family(times_inside, 1.0, times="cells"),
        _family(period_key, 0.7, times="key"),
        _family(legend, 0.6, stage="secondary"),
        _family(teacher_week, 0.6, stage="secondary"),
        _family(university, 1.0, stage="university"),
        _family(proportional, 1.0),
        _family(poster, 0.8, stage="nursery"),
        _family(two_weeks, 0.5),
        _family(several_classes, 0.5),
        _family(page_each, 0.4, held_out=True),
        _family(bands, 0.5, held_out=True),
        _family(app, 0.8, held_out=True),
    )
}
HELD_OUT: frozenset[str] = frozenset(name for name, family in FAMILIES.items() if family.held_out)
