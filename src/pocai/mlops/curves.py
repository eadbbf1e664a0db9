"""The curves of a run as one picture (SVG): losses, scores and the learning rate over the steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TypeAlias

from pocai.evaluation.markup import Html, element, together
from pocai.mlops.spool import Record

PANELS = {"losses": "loss/", "evaluation": "evaluation/", "learning rate": "learning_rate"}
COLOURS = ("#1b6ca8", "#c2410c", "#15803d", "#7e22ce", "#a16207", "#be185d", "#0f766e", "#475569")
POINTS = 400  # of a curve that are drawn
WIDTH, HEIGHT = 720.0, 240.0  # of a panel, in pixels
LEFT, TOP, RIGHT, BOTTOM = 64.0, 28.0, 180.0, 30.0
TICKS = (0.0, 0.5, 1.0)

Points: TypeAlias = list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class _Field:
    """The field of a panel: steps from ``first`` to ``last`` across, values from ``low`` to ``high`` up."""

    first: int
    last: int
    low: float
    high: float

    @classmethod
    def of(cls, curves: Mapping[str, Points]) -> _Field:
        steps = [step for points in curves.values() for step, _ in points]
        values = [value for points in curves.values() for _, value in points]
        return cls(min(steps), max(steps), min(values), max(values))

    def step(self, share: float) -> float:
        return self.first + share * (self.last - self.first)

    def value(self, share: float) -> float:
        return self.low + share * (self.high - self.low)

    def place(self, step: float, value: float) -> tuple[float, float]:
        across = (step - self.first) / ((self.last - self.first) or 1)
        up = (value - self.low) / ((self.high - self.low) or 1)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)


def drawn_curves(folder: Path, records: Iterable[Record]) -> Path | None:
    """Draw what records of metrics say to ``folder/curves.svg``; None where they say nothing."""
    curves: dict[str, Points] = defaultdict(list)
    for record in records:
        for name, value in record.content["values"].items():
            if isfinite(value):
                curves[name].append((int(record.content["step"]), value))
    panels = {title: _of_panel(curves, prefix) for title, prefix in PANELS.items()}
    panels = {title: held for title, held in panels.items() if held}
    if not panels:
        return None
    drawn = [_panel(title, held, number * HEIGHT) for number, (title, held) in enumerate(panels.items())]
    high = f"{HEIGHT * len(panels):.0f}"
    file = folder / "curves.svg"
    kind = {"xmlns": "http://www.w3.org/2000/svg", "font_family": "sans-serif", "font_size": "12"}
    whole = element("svg", *drawn, viewBox=f"0 0 {WIDTH:.0f} {high}", width=f"{WIDTH:.0f}", height=high, **kind)
    file.write_text(whole, encoding="utf-8")
    return file


def _of_panel(curves: Mapping[str, Points], prefix: str) -> dict[str, Points]:
    names = sorted(name for name in curves if name.startswith(prefix))[: len(COLOURS)]
    return {name.removeprefix(prefix) or name: _thinned(sorted(curves[name])) for name in names}


def _thinned(points: Points) -> Points:
    """At most `POINTS`, the last one among them."""
    every = -(-len(points) // POINTS)
    return points[(len(points) - 1) % every :: every]


def _panel(title: str, curves: Mapping[str, Points], top: float) -> Html:
    field = _Field.of(curves)
    marks = [element("text", title, x=f"{LEFT:.0f}", y="16", font_weight="bold"), *_frame(field)]
    for number, (name, points) in enumerate(curves.items()):
        marks.append(_curve(field, points, COLOURS[number]))
        below = f"{TOP + 12 + 16 * number:.0f}"
        marks.append(element("text", name, x=f"{WIDTH - RIGHT + 8:.0f}", y=below, fill=COLOURS[number]))
    return element("g", together(*marks), transform=f"translate(0 {top:.0f})")


def _frame(field: _Field) -> Iterator[Html]:
    for share in TICKS:
        left, y = field.place(field.first, field.value(share))
        x, low = field.place(field.step(share), field.low)
        yield element("path", d=f"M{left:.1f} {y:.1f}H{WIDTH - RIGHT:.1f}M{x:.1f} {low:.1f}V{TOP:.1f}", stroke="#ddd")
        yield element("text", f"{field.value(share):.4g}", x=f"{left - 6:.1f}", y=f"{y + 4:.1f}", text_anchor="end")
        yield element("text", f"{field.step(share):.0f}", x=f"{x:.1f}", y=f"{low + 18:.1f}", text_anchor="middle")


def _curve(field: _Field, points: Points, colour: str) -> Html:
    places = [f"{x:.1f} {y:.1f}" for x, y in (field.place(*point) for point in points)]
    if len(places) == 1:
        x, y = places[0].split()
        return element("circle", cx=x, cy=y, r="3", fill=colour)
    return element("path", d="M" + "L".join(places), fill="none", stroke=colour, stroke_width="1.5")
