"""Plots of the drift report as inline SVG; the style sheets of the evaluation's report colour them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pocai.evaluation.markup import Html, element
from pocai.mlops.drift import Day, Shift
from pocai.mlops.drift_questions import Spread

_WIDTH, _WIDE, _HEIGHT = 360.0, 1100.0, 200.0
_LEFT, _TOP, _RIGHT, _BOTTOM = 50.0, 12.0, 14.0, 40.0
_LINE, _NAMES = 20.0, 140.0  # height of a bar's line, and width of the names beside bars
_TICKS = (0.0, 0.5, 1.0)
_CHARACTERS = 14  # of a kind's name
_SIZE = "11"  # of letters


@dataclass(frozen=True, slots=True)
class _Field:
    """The field of a plot; x is a share of its width, y a value from ``low`` to ``high``."""

    low: float
    high: float
    width: float = _WIDTH

    def x(self, share: float) -> float:
        return _LEFT + share * (self.width - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - (value - self.low) / (self.high - self.low) * (_HEIGHT - _TOP - _BOTTOM)

    def frame(self, across: str, up: str) -> Iterable[Html]:
        """Lines with their values, and what the axes are."""
        for tick in _TICKS:
            value = self.low + tick * (self.high - self.low)
            yield _line((self.x(0), self.y(value)), (self.x(1), self.y(value)), "grid")
            yield _text(f"{value:.0%}", (_LEFT - 6, self.y(value) + 4), "tick end")
        yield _text(across, (self.x(0.5), _HEIGHT - 6), "axis middle")
        middle = (_TOP + _HEIGHT - _BOTTOM) / 2
        yield _text(up, (12, middle), "axis middle", transform=f"rotate(-90 12 {middle:.1f})")


def spread_plot(name: str, spread: Spread) -> Html:
    """How a figure is spread: bars of the reference, and a line, or dots, of the current days."""
    field = _Field(0.0, max(0.1, *spread.before, *spread.now))
    marks = [*field.frame(name, "share of documents"), *_bars(field, spread.before)]
    if spread.kinds:
        marks += [_kind(field, spread, number) for number in range(len(spread.kinds))]
    else:
        marks += [_path(_steps(field, spread.now), "curve"), *_ends(field, spread.edges)]
    return _figure(marks, name, "Bars: the reference; line or dots: the current days.")


def days_plot(days: Sequence[Day], first_now: str) -> Html:
    """The accuracy that is expected of each day's documents; a dashed line where the current days begin."""
    known = [(number, day.expected) for number, day in enumerate(days) if day.expected is not None]
    low = min([*(expected for _, expected in known), 0.95])
    field = _Field(max(0.0, low - 0.05), 1.0, _WIDE)
    step = 1 / max(1, len(days))
    points = [(field.x((number + 0.5) * step), field.y(expected)) for number, expected in known]
    begun = next((number for number, day in enumerate(days) if day.day >= first_now), len(days))
    marks = [
        *field.frame("day", "expected accuracy"),
        _line((field.x(begun * step), field.y(field.low)), (field.x(begun * step), field.y(1.0)), "ideal"),
        _path(points, "curve"),
        *(
            _dot(at, f"{days[number].day}: {days[number].documents} documents, {expected:.1%}")
            for at, (number, expected) in zip(points, known, strict=True)
        ),
        *(
            _text(days[number].day[5:], (field.x((number + 0.5) * step), _HEIGHT - _BOTTOM + 14), "tick middle")
            for number in sorted({0, len(days) // 2, len(days) - 1} & set(range(len(days))))
        ),
    ]
    caption = "By day; to the right of the dashed line are the current days."
    return _figure(marks, "Accuracy by confidence", caption, (_WIDE, _HEIGHT))


def effects_plot(shifts: Sequence[Shift], least: float) -> Html:
    """How far each figure's distribution has moved; the dashed line is the least distance that matters."""
    height = len(shifts) * _LINE + 30
    most = max([least * 1.5, *(shift.effect or 0.0 for shift in shifts)])
    across = (_WIDTH - _NAMES - 44) / most
    marks: list[Html] = []
    for number, shift in enumerate(shifts):
        top, effect = number * _LINE + 4, shift.effect or 0.0
        marks += [
            _text(shift.name, (_NAMES - 8, top + 13), "tick end"),
            _bar((_NAMES, top), (effect * across, _LINE - 6), f"{shift.name}: {effect:.3f}, {shift.state}"),
            _text(f"{effect:.2f}", (_NAMES + effect * across + 5, top + 13), "axis" if _is_alarm(shift) else "tick"),
        ]
    foot = len(shifts) * _LINE + 4
    marks += [
        _line((_NAMES + least * across, 0), (_NAMES + least * across, foot), "ideal"),
        _text("greatest difference of shares", (_NAMES + (_WIDTH - _NAMES) / 2, foot + 18), "axis middle"),
    ]
    return _figure(
        marks, "Distance from the reference", f"Dashed: {least:g}, the least that matters.", (_WIDTH, height)
    )


def _is_alarm(shift: Shift) -> bool:
    return shift.state == "drifted"


def _bars(field: _Field, shares: Sequence[float]) -> Iterable[Html]:
    for number, share in enumerate(shares):
        left, right = field.x(number / len(shares)), field.x((number + 1) / len(shares))
        size = (right - left - 1, field.y(0) - field.y(share))
        yield _bar((left, field.y(share)), size, f"{share:.1%} of the reference")


def _steps(field: _Field, shares: Sequence[float]) -> list[tuple[float, float]]:
    points = []
    for number, share in enumerate(shares):
        points += [
            (field.x(number / len(shares)), field.y(share)),
            (field.x((number + 1) / len(shares)), field.y(share)),
        ]
    return points


def _ends(field: _Field, edges: Sequence[float]) -> Iterable[Html]:
    yield _text(f"{edges[0]:.3g}", (field.x(0), _HEIGHT - _BOTTOM + 14), "tick")
    yield _text(f"{edges[-1]:.3g}", (field.x(1), _HEIGHT - _BOTTOM + 14), "tick end")


def _kind(field: _Field, spread: Spread, number: int) -> Html:
    middle = field.x((number + 0.5) / len(spread.kinds))
    kind = spread.kinds[number][:_CHARACTERS]
    said = f"{kind}: {spread.now[number]:.1%} now, {spread.before[number]:.1%} in the reference"
    return element(
        "g",
        _dot((middle, field.y(spread.now[number])), said),
        _text(kind, (middle, _HEIGHT - _BOTTOM + 14), "tick middle"),
    )


def _figure(marks: Iterable[Html], name: str, caption: str, size: tuple[float, float] = (_WIDTH, _HEIGHT)) -> Html:
    view = f"0 0 {size[0]:g} {size[1]:g}"
    drawing = element("svg", *marks, viewBox=view, role="img", aria_label=f"{name}: {caption}")
    return element("figure", drawing, element("figcaption", f"{name}. {caption}"), class_="plot")


def _bar(at: tuple[float, float], size: tuple[float, float], said: str) -> Html:
    (x, y), (width, height) = at, size
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "width": f"{max(0.0, width):.1f}", "height": f"{max(0.0, height):.1f}"}
    return element("rect", element("title", said), class_="bar-below", **place)


def _dot(at: tuple[float, float], said: str) -> Html:
    return element("circle", element("title", said), cx=f"{at[0]:.1f}", cy=f"{at[1]:.1f}", r="3.5", class_="dot")


def _line(start: tuple[float, float], end: tuple[float, float], kind: str) -> Html:
    (a, b), (c, d) = start, end
    return element("line", x1=f"{a:.1f}", y1=f"{b:.1f}", x2=f"{c:.1f}", y2=f"{d:.1f}", class_=kind)


def _path(points: Sequence[tuple[float, float]], kind: str) -> Html:
    return element("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), class_=kind)


def _text(text: str, at: tuple[float, float], kind: str, transform: str | None = None) -> Html:
    place = {"x": f"{at[0]:.1f}", "y": f"{at[1]:.1f}", "font_size": _SIZE}
    return element("text", text, class_=kind, transform=transform, **place)
