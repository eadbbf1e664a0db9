"""Plots of the gate's report as inline SVG: slices of both models, the bootstrap's differences, seconds of both."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pocai.evaluation.markup import Html, element
from pocai.mlops.bootstrap import Bootstrap
from pocai.mlops.race import Took
from pocai.mlops.verdict import SliceFact

_WIDTH, _HEIGHT = 360.0, 270.0
_LEFT, _TOP, _RIGHT, _BOTTOM = 46.0, 12.0, 18.0, 40.0
_NAMES, _ROW, _WIDE = 190.0, 18.0, 900.0  # width of the names of slices, height of a row, width of that plot
_TICKS = 4  # parts of an axis, about
_STEPS = (1.0, 2.0, 5.0, 10.0)
_HAIR = 1e-6
_DOT = 4.5  # radius
_CUT = 0.1  # scores are drawn from the next multiple of this below the least
_AIR = 1.05  # of an axis beyond its largest value


@dataclass(frozen=True, slots=True)
class _Axis:
    """Values from ``low`` to ``high`` on the way from ``start`` to ``end``, in units of the drawing."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values within the axis, about five of them."""
        span = self.high - self.low
        tens = 10.0 ** math.floor(math.log10(span / _TICKS))
        step = next(tens * by for by in _STEPS if span / (tens * by) <= _TICKS + 1)
        first = math.ceil(self.low / step - _HAIR)
        return [step * number for number in range(first, math.floor(self.high / step + _HAIR) + 1)]


def slices_plot(facts: Sequence[SliceFact], caption: str) -> Html:
    """Both scores of each slice on a line; what is worse than tolerated is red, what decides nothing is faint."""
    height = _TOP + _ROW * len(facts) + _BOTTOM
    least = min((min(fact.candidate, fact.champion) for fact in facts), default=0.0)
    axis = _Axis(min(1 - _CUT, max(0.0, least // _CUT * _CUT)), 1.0, _NAMES, _WIDE - _RIGHT)
    foot = height - _BOTTOM
    marks = [*_across(axis, (_TOP, foot), lambda value: f"{value:.0%}")]
    for number, fact in enumerate(facts):
        marks += _slice_row(fact, axis, _TOP + _ROW * (number + 0.5))
    marks.append(_text("score", ((_NAMES + _WIDE - _RIGHT) / 2, height - 6), "axis middle"))
    return _figure(marks, "Slices", caption, (_WIDE, height))


def bootstrap_plot(test: Bootstrap, caption: str) -> Html:
    """The differences that were drawn; solid: the one that was seen, dashed: none."""
    low, high = min(test.edges[0], 0.0), max(test.edges[-1], 0.0)
    room = (high - low) * (_AIR - 1) or 0.01
    axis = _Axis(low - room, high + room, _LEFT, _WIDTH - _RIGHT)
    most = max(test.counts)
    foot = _HEIGHT - _BOTTOM
    bars = zip(test.edges, test.edges[1:], test.counts, strict=False)
    marks = [
        *_across(axis, (_TOP, foot), lambda value: f"{100 * value:+.1f}"),
        *(_bar(axis, (start, end), count / most, foot) for start, end, count in bars if count),
        _line((axis.at(0), _TOP), (axis.at(0), foot), "ideal"),
        _line((axis.at(test.difference), _TOP), (axis.at(test.difference), foot), "curve"),
        _line((axis.at(test.low), foot + 3), (axis.at(test.high), foot + 3), "interval"),
        _text("candidate minus champion, points", (_WIDTH / 2, _HEIGHT - 6), "axis middle"),
    ]
    return _figure(marks, "Difference", caption, (_WIDTH, _HEIGHT))


def latency_plot(candidate: Sequence[Took], champion: Sequence[Took], ratio: float, caption: str) -> Html:
    """Processor time of each document with both; dashed: the same, and ``ratio`` times as long."""
    most = _AIR * 1000 * max((took.processor for took in (*candidate, *champion)), default=1.0)
    across = _Axis(0.0, most, _LEFT, _WIDTH - _RIGHT)
    up = _Axis(0.0, most, _HEIGHT - _BOTTOM, _TOP)
    marks = [*_across(across, (_TOP, _HEIGHT - _BOTTOM), lambda value: f"{value:.0f}")]
    for tick in up.ticks():
        marks.append(_line((across.start, up.at(tick)), (across.end, up.at(tick)), "grid"))
        marks.append(_text(f"{tick:.0f}", (_LEFT - 6, up.at(tick) + 4), "tick end"))
    for slope in (1.0, ratio):
        end = most / slope
        marks.append(_line((across.at(0), up.at(0)), (across.at(end), up.at(slope * end)), "ideal"))
    for ours, theirs in zip(candidate, champion, strict=True):
        said = f"candidate {1000 * ours.processor:.1f} ms, champion {1000 * theirs.processor:.1f} ms"
        place = (across.at(1000 * theirs.processor), up.at(1000 * ours.processor))
        marks.append(_circle(place, 3.0, "dot", said))
    marks.append(_text("champion, ms", (_WIDTH / 2, _HEIGHT - 6), "axis middle"))
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    marks.append(_text("candidate, ms", (12, middle), "axis middle", transform=f"rotate(-90 12 {middle:.1f})"))
    return _figure(marks, "Latency", caption, (_WIDTH, _HEIGHT))


def _slice_row(fact: SliceFact, axis: _Axis, y: float) -> Iterator[Html]:
    kind = "faint" if fact.tolerance is None else "judged" if fact.passed else "worse"
    said = f"{fact.name}: candidate {fact.candidate:.3f}, champion {fact.champion:.3f}"
    ours, theirs = axis.at(fact.candidate), axis.at(fact.champion)
    yield _text(f"{fact.name} ({fact.documents})", (_NAMES - 12, y + 4), f"tick end {kind}")
    yield _line((axis.start, y), (axis.end, y), "grid")
    yield _line((theirs, y), (ours, y), f"apart {kind}")
    yield _circle((theirs, y), _DOT, f"before {kind}", said)
    yield _circle((ours, y), _DOT, f"now {kind}", said)


def _across(axis: _Axis, span: tuple[float, float], say: Callable[[float], str]) -> Iterator[Html]:
    """Grid lines across with their values below."""
    top, foot = span
    for tick in axis.ticks():
        yield _line((axis.at(tick), top), (axis.at(tick), foot), "grid")
        yield _text(say(tick), (axis.at(tick), foot + 16), "tick middle")


def _figure(marks: Sequence[Html], name: str, caption: str, size: tuple[float, float]) -> Html:
    label = f"{name}: {caption}"
    drawing = element("svg", *marks, viewBox=f"0 0 {size[0]:g} {size[1]:g}", role="img", aria_label=label)
    return element("figure", drawing, element("figcaption", f"{name}. {caption}"), class_="plot")


def _bar(axis: _Axis, edges: tuple[float, float], share: float, foot: float) -> Html:
    left, right = (axis.at(edge) for edge in edges)
    high = share * (foot - _TOP)
    size = {"width": f"{max(0.5, right - left - 0.5):.1f}", "height": f"{high:.1f}"}
    return element("rect", class_="bar-below", x=f"{left:.1f}", y=f"{foot - high:.1f}", **size)


def _circle(at: tuple[float, float], radius: float, kind: str, said: str) -> Html:
    x, y = at
    return element("circle", element("title", said), cx=f"{x:.1f}", cy=f"{y:.1f}", r=f"{radius:g}", class_=kind)


def _line(start: tuple[float, float], end: tuple[float, float], kind: str) -> Html:
    (a, b), (c, d) = start, end
    return element("line", x1=f"{a:.1f}", y1=f"{b:.1f}", x2=f"{c:.1f}", y2=f"{d:.1f}", class_=kind)


def _text(text: str, at: tuple[float, float], kind: str, transform: str | None = None) -> Html:
    return element("text", text, x=f"{at[0]:.1f}", y=f"{at[1]:.1f}", class_=kind, transform=transform)
