"""Plots of the report as inline SVG: a reliability diagram and a risk-coverage curve; the style sheet colours them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pocai.evaluation.calibration import Accepted, Bin, RiskCoverage
from pocai.evaluation.markup import Html, element

_WIDTH, _HEIGHT = 360.0, 270.0
_LEFT, _TOP, _RIGHT, _BOTTOM = 46.0, 12.0, 12.0, 40.0
_POINTS = 240  # of a curve
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
_RISKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # upper ends of the axis of risk
_BARS = 0.16  # share of the height that the histogram may take up
_DOTS = (3.0, 7.0)  # radii


@dataclass(frozen=True, slots=True)
class _Axes:
    """The field of a plot; x is a share from 0 to 1, y a share from 0 to ``top``."""

    top: float = 1.0

    def x(self, share: float) -> float:
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - value / self.top * (_HEIGHT - _TOP - _BOTTOM)

    def frame(self, across: str, up: str) -> Iterable[Html]:
        """Grid lines with their values, and what the axes are."""
        for tick in _TICKS:
            x, y = self.x(tick), self.y(tick * self.top)
            yield _line((x, self.y(0)), (x, self.y(self.top)), "grid")
            yield _line((self.x(0), y), (self.x(1), y), "grid")
            yield _text(f"{tick:.0%}", (x, _HEIGHT - _BOTTOM + 14), "tick middle")
            yield _text(_percent(tick * self.top), (_LEFT - 6, y + 4), "tick end")
        yield _text(across, (self.x(0.5), _HEIGHT - 6), "axis middle")
        turn = f"rotate(-90 12 {self.y(self.top / 2):.1f})"
        yield _text(up, (12, self.y(self.top / 2)), "axis middle", transform=turn)


def reliability_plot(points: Sequence[Bin], spread: Sequence[Bin], caption: str) -> Html:
    """The share right over the confidence: on the diagonal, confidence is what it says.

    ``points`` are bins of equal mass; ``spread``, bins of equal width, show at the foot where the confidences lie.
    """
    axes = _Axes()
    most = max((each.values for each in (*points, *spread)), default=1)
    marks = [
        *axes.frame("stated confidence", "share right"),
        *(_bar(axes, each, _BARS * each.values / most) for each in spread),
        _line((axes.x(0), axes.y(0)), (axes.x(1), axes.y(1)), "ideal"),
        _path([(axes.x(each.confidence), axes.y(each.right)) for each in points], "curve"),
        *(_dot(axes, each, most) for each in points),
    ]
    return _figure(marks, "Reliability diagram", caption)


def risk_coverage_plot(curve: RiskCoverage, accepted: Accepted | None, risk: float, caption: str) -> Html:
    """The share wrong among what is accepted, over the share that is accepted, the surest first.

    The dashed line is the ``risk`` that is asked for, the dot what can be ``accepted`` at it.
    """
    axes = _Axes(_upper_end(max(float(curve.risk.max()), risk)))
    step = max(1, len(curve.risk) // _POINTS)
    places = sorted({*range(0, len(curve.risk), step), len(curve.risk) - 1})
    ways = [(axes.x(float(curve.coverage[n])), axes.y(float(curve.risk[n]))) for n in places]
    marks = [
        *axes.frame("share accepted", "share wrong among them"),
        _line((axes.x(0), axes.y(risk)), (axes.x(1), axes.y(risk)), "ideal"),
        _path(ways, "curve"),
    ]
    if accepted is not None:
        said = f"{accepted.coverage:.1%} accepted from {accepted.threshold:.3f} on, {accepted.risk:.2%} of it wrong"
        marks.append(_circle((axes.x(accepted.coverage), axes.y(accepted.risk)), _DOTS[1], "dot", said))
    return _figure(marks, "Risk-coverage curve", caption)


def _figure(marks: Iterable[Html], name: str, caption: str) -> Html:
    drawing = element("svg", *marks, viewBox=f"0 0 {_WIDTH:g} {_HEIGHT:g}", role="img", aria_label=f"{name}: {caption}")
    return element("figure", drawing, element("figcaption", f"{name}. {caption}"), class_="plot")


def _bar(axes: _Axes, each: Bin, share: float) -> Html:
    said = f"{each.values} from {each.low:.2f} to {each.high:.2f}"
    top, foot = axes.y(share), axes.y(0)
    size = {"width": f"{axes.x(each.high) - axes.x(each.low) - 2:.1f}", "height": f"{foot - top:.1f}"}
    return element(
        "rect", element("title", said), class_="bar-below", x=f"{axes.x(each.low) + 1:.1f}", y=f"{top:.1f}", **size
    )


def _dot(axes: _Axes, each: Bin, most: int) -> Html:
    said = f"{each.values} with confidence {each.confidence:.3f}: {each.right:.3f} right"
    radius = _DOTS[0] + (_DOTS[1] - _DOTS[0]) * (each.values / most) ** 0.5
    return _circle((axes.x(each.confidence), axes.y(each.right)), radius, "dot", said)


def _circle(at: tuple[float, float], radius: float, kind: str, said: str) -> Html:
    x, y = at
    return element("circle", element("title", said), cx=f"{x:.1f}", cy=f"{y:.1f}", r=f"{radius:.1f}", class_=kind)


def _line(start: tuple[float, float], end: tuple[float, float], kind: str) -> Html:
    (a, b), (c, d) = start, end
    return element("line", x1=f"{a:.1f}", y1=f"{b:.1f}", x2=f"{c:.1f}", y2=f"{d:.1f}", class_=kind)


def _path(points: Sequence[tuple[float, float]], kind: str) -> Html:
    return element("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), class_=kind)


def _text(text: str, at: tuple[float, float], kind: str, transform: str | None = None) -> Html:
    return element("text", text, x=f"{at[0]:.1f}", y=f"{at[1]:.1f}", class_=kind, transform=transform)


def _upper_end(risk: float) -> float:
    return next(end for end in _RISKS if risk <= end)


def _percent(share: float) -> str:
    return f"{share:.0%}" if share == 0 or share >= 0.1 else f"{share:.2%}".rstrip("0").rstrip(".")  # noqa: PLR2004
