"""`Look`: how one made document looks, whatever its layout: paper, faces, sizes, colours, rules, alignment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from pocai.synthetic.document import Align, Style
from pocai.synthetic.fonts import Face, Kind, printable
from pocai.synthetic.layouts.chance import between, happens, pick
from pocai.synthetic.layouts.palette import WHITE, Palette, contrast, faded, legible, palette_of
from pocai.synthetic.layouts.tracks import Stretch
from pocai.synthetic.schools import Stage
from pocai.synthetic.setting import Valign

if TYPE_CHECKING:
    from numpy.random import Generator

    from pocai.documents.page import Color

Ruling = Literal["all", "rows", "columns", "frame", "none"]
Tint = Literal["none", "subject", "given", "breaks"]

A4, A3, LETTER = (595.0, 842.0), (842.0, 1191.0), (612.0, 792.0)
SLIDE, SQUARE = (405.0, 720.0), (540.0, 720.0)
KINDS: Mapping[Stage, tuple[float, ...]] = {  # sans, serif, mono, condensed, display, hand
    "nursery": (0.8, 0.25, 0.05, 0.4, 4.0, 4.0),
    "primary": (1.0, 0.4, 0.15, 0.8, 1.2, 2.0),
    "secondary": (1.0, 0.7, 0.5, 1.2, 0.4, 0.3),
    "university": (1.0, 1.0, 0.5, 1.2, 0.2, 0.1),
}
TRIES = 60  # draws of a face before those that are left are searched


@dataclass(frozen=True, slots=True)
class RuleLook:
    """Which rules of a table are printed, how thick (points), and in which colour."""

    kind: Ruling
    width: float
    frame: float
    color: Color


@dataclass(frozen=True, slots=True)
class Look:
    """The look of a document; sizes in points.

    ``name`` sets events, ``note`` their notes, ``label`` times and periods, ``day`` the days, ``plain`` the lines
    around. ``stretch``: rows as high as their text, all spread over the paper, or those of lessons equally high.
    ``gap`` parts boxes that no rule parts; their corners are rounded by ``radius``.
    """

    paper: tuple[float, float]
    margin: float
    ground: Color
    palette: Palette
    name: Style
    note: Style
    label: Style
    day: Style
    title: Style
    plain: Style
    rules: RuleLook
    head_fill: Color | None
    side_fill: Color | None
    break_fill: Color | None
    tint: Tint
    align: Align
    valign: Valign
    stretch: Stretch
    pad: float
    gap: float
    radius: float
    upper: bool

    def on(self, style: Style, fill: Color | None) -> Style:
        """A style in an ink that can be read on a fill (None: the paper)."""
        return replace(style, color=legible(style.color, fill or self.ground))

    def scaled(self, factor: float) -> Look:
        """The same look with smaller letters in the table; title and plain lines shrink half as much."""
        half = (1 + factor) / 2
        small = {
            part: replace(style, size=style.size * (half if part in ("title", "plain") else factor))
            for part in ("name", "note", "label", "day", "title", "plain")
            if isinstance(style := getattr(self, part), Style)
        }
        return replace(self, pad=self.pad * factor, **small)  # type: ignore[arg-type]  # the styles are by name

    def turned(self, *, landscape: bool) -> Look:
        """The same look on paper that stands or lies."""
        short, long = sorted(self.paper)
        return replace(self, paper=(long, short) if landscape else (short, long))


@dataclass(frozen=True, slots=True)
class Case:
    """What there is to set in type: the letters that occur, the faces to choose from, and for whom."""

    faces: Sequence[Face]
    letters: frozenset[str]
    stage: Stage


def look_of(case: Case, rng: Generator) -> Look:
    """A look for a document; all its choices are drawn here, so that nothing later depends on what fits."""
    palette = palette_of(rng)
    ground = WHITE if happens(rng, 0.84) else faded(palette.soft, between(rng, 0.3, 0.7))
    body = choose_face(case, rng)
    head = body if happens(rng, 0.7) else choose_face(case, rng)
    display = head if happens(rng, 0.5) else choose_face(case, rng, ornate=2.5)
    paper = pick(rng, (A4, A3, LETTER, SLIDE, SQUARE), (0.68, 0.06, 0.12, 0.08, 0.06))
    size = between(rng, 7.5, 11.5) * (paper[0] / A4[0]) ** 0.8  # large paper is for large letters
    ink = palette.ink
    bold_names, bold_days = happens(rng, 0.4), happens(rng, 0.75)
    colored = palette.accent if contrast(palette.accent, ground) > 4.5 and happens(rng, 0.3) else ink  # noqa: PLR2004 - WCAG's
    same = happens(rng, 0.22)
    rules = _rules_of(palette, rng)
    fills = _fills_of(palette, rules, rng)
    return Look(
        paper=paper,
        margin=between(rng, 14, 54),
        ground=ground,
        palette=palette,
        name=Style(body.family, size, ink, bold_names),
        note=Style(body.family, size * (1 if same else between(rng, 0.72, 0.92)), _grey(ink, rng), bold_names and same),
        label=Style(head.family, size * between(rng, 0.8, 1.1), ink, happens(rng, 0.45)),
        day=Style(head.family, size * between(rng, 1.0, 1.35), ink, bold_days),
        title=Style(display.family, size * between(rng, 1.6, 2.8), colored, happens(rng, 0.65)),
        plain=Style(head.family, size * between(rng, 0.95, 1.2), ink, happens(rng, 0.25)),
        rules=rules,
        head_fill=fills.head,
        side_fill=fills.side,
        break_fill=fills.breaks,
        tint=fills.tint,
        align=pick(rng, ("center", "left", "right"), (0.68, 0.3, 0.02)),
        valign=pick(rng, ("middle", "top", "bottom"), (0.72, 0.26, 0.02)),
        stretch=pick(rng, ("tight", "stretch", "even"), (0.3, 0.35, 0.35)),
        pad=between(rng, 1.6, 4.5),
        gap=between(rng, 0.8, 3.0),
        radius=between(rng, 2, 9) if happens(rng, 0.4) else 0.0,
        upper=happens(rng, 0.15),
    )


def choose_face(case: Case, rng: Generator, *, ornate: float = 1.0) -> Face:
    """A face that has every letter of the case, as often as it is used at that stage of school.

    ``ornate`` makes display and handwritten faces that much likelier.
    """
    kinds: dict[Kind, float] = dict(zip(get_args(Kind), KINDS[case.stage], strict=True))
    kinds["display"] *= ornate
    kinds["hand"] *= ornate
    weights = [face.weight * kinds[face.kind] for face in case.faces]
    for _ in range(TRIES):
        face = pick(rng, case.faces, weights)
        if _has(face, case.letters):
            return face
    return max(case.faces, key=lambda face: (_has(face, case.letters), len(case.letters & printable(face.file))))


def _has(face: Face, letters: frozenset[str]) -> bool:
    return all(letters <= printable(face.cut(bold=bold)) for bold in (False, True))


def _grey(ink: Color, rng: Generator) -> Color:
    return ink if happens(rng, 0.75) else faded(ink, between(rng, 0.2, 0.4))


def _rules_of(palette: Palette, rng: Generator) -> RuleLook:
    kind: Ruling = pick(rng, ("all", "rows", "columns", "frame", "none"), (0.72, 0.1, 0.04, 0.04, 0.1))
    width = pick(rng, (0.4, 0.5, 0.75, 1.0, 1.5, 2.25), (0.15, 0.3, 0.25, 0.18, 0.08, 0.04))
    tone = int(rng.integers(60, 200))
    color = pick(rng, ((0, 0, 0), (tone, tone, tone), palette.accent, WHITE), (0.62, 0.16, 0.14, 0.08))
    frame = width * pick(rng, (1.0, 2.0, 3.0), (0.75, 0.18, 0.07))
    return RuleLook(kind, width, frame, color)


class _Fills(NamedTuple):
    head: Color | None
    side: Color | None
    breaks: Color | None
    tint: Tint


def _fills_of(palette: Palette, rules: RuleLook, rng: Generator) -> _Fills:
    """Fills of head, side, breaks and entries; boxes that no dark rule parts are coloured."""
    shades = (None, palette.accent, palette.soft, palette.second)
    head = pick(rng, shades, (0.35, 0.28, 0.22, 0.15))
    side = pick(rng, shades, (0.55, 0.15, 0.18, 0.12)) if happens(rng, 0.7) else head
    tint: Tint = pick(rng, ("none", "subject", "given", "breaks"), (0.4, 0.28, 0.1, 0.22))
    if rules.kind == "none" or rules.color == WHITE:
        head, tint = head or palette.soft, "subject"
    breaks = pick(rng, (palette.second, palette.soft, palette.accent, (255, 255, 0)), (0.5, 0.3, 0.12, 0.08))
    return _Fills(head, side, None if tint == "none" else breaks, tint)
