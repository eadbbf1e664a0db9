"""From glyphs to lines: where a line ends, where a word ends, and what is printed twice."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from pocai.documents.page import Box, Fill, Line, Point, Quad, Rule, Word
from pocai.documents.pdf_text import Direction, Glyph, Run, Style

# All shares are of the em, the size of the writing.
_COLUMN_GAP = 1.0  # a wider gap ends the line
_WORD_GAP = 0.16  # a wider gap is a space, where a producer writes no space characters
_SPACED_WORD_GAP = 0.28  # the same where it does
_GLUE_GAP = 0.18  # separate objects without a space between them are one word up to this gap
_SIGN_GAP = 0.12  # the same where a number or a sign begins or ends there: it is not set closer or wider to a letter
_TOUCH_GAP = 0.08  # the same where their sizes differ
_SAME_SIZE = 1.05
_SMALL_CAPITALS = 1.2
_BACKSTEP = 0.4  # kerning; stepping back further starts anew
_RAISED = 0.45  # a baseline may differ by this much for a superscript that touches
_LEVEL = 0.2  # and by this much elsewhere
_SIZE_RATIO = 2.0
_ABOVE, _BELOW = 0.75, 0.22  # extent of writing above and below its baseline
_TALL = 0.8  # length of a rule that parts words, and more than one line height of a fill
_FILL_TALL = 1.5
_SAME_PLACE = 0.3
_SOME_SPACES = 3
_SPACE_SHARE = 0.25


class _Piece(NamedTuple):
    """A glyph in the stream of a page, with its style and letter-spacing, and whether it begins a text object."""

    glyph: Glyph
    style: Style
    tracking: float
    first: bool


class _Separators:
    """Rules and edges of fills that part what stands on their two sides."""

    def __init__(self, rules: Iterable[Rule], fills: Iterable[Fill]) -> None:
        self._rules = [(rule.start, rule.end, _TALL) for rule in rules]
        self._rules += [(*edge, _FILL_TALL) for fill in fills for edge in _edges(fill.box)]
        self._turned: dict[float, list[tuple[float, float, float, float]]] = {}

    def between(self, style: Style, start: float, end: float, baseline: float) -> bool:
        """Whether one stands across the writing between ``start`` and ``end``."""
        if style.direction.angle % 90:
            return False
        across = self._across(style.direction)
        middle, slack = baseline - 0.3 * style.size, 0.05 * style.size
        for index in range(bisect_left(across, (start - slack,)), len(across)):
            at, top, bottom, tall = across[index]
            if at > end + slack:
                return False
            if top <= middle <= bottom and bottom - top >= tall * style.size:
                return True
        return False

    def _across(self, direction: Direction) -> list[tuple[float, float, float, float]]:
        """(along, top, bottom, share of the em that it must be long), sorted; made once for a direction."""
        if direction.angle not in self._turned:
            found = []
            for start, end, tall in self._rules:
                (u, v), (other_u, other_v) = direction.turned(start), direction.turned(end)
                if abs(u - other_u) < abs(v - other_v):
                    found.append(((u + other_u) / 2, min(v, other_v), max(v, other_v), tall))
            self._turned[direction.angle] = sorted(found)
        return self._turned[direction.angle]


def build_lines(runs: Sequence[Run], rules: Iterable[Rule], fills: Iterable[Fill]) -> tuple[Line, ...]:
    """Lines of text with their words, in painting order.

    Text that is painted one after the other on a baseline is one line, up to a gap of about a letter's height, or a
    rule or the edge of a fill between the words. Going by painting order keeps texts apart that are printed over one
    another. Fragments that meet without overlapping are joined afterwards; what is printed twice in one place (a
    shadow, or bold by overprinting) counts once.
    """
    separators = _Separators(rules, fills)
    spaces = _writes_spaces(runs)
    fragments: list[list[_Piece]] = []
    for piece in _pieces(runs):
        if fragments and _continues(fragments[-1][-1], piece, separators, spaces):
            fragments[-1].append(piece)
        else:
            fragments.append([piece])
    return _once(_line(fragment, spaces) for fragment in _joined(fragments, separators, spaces))


def _edges(box: Box) -> tuple[tuple[Point, Point], ...]:
    corners = Quad.of(box)
    return tuple(zip(corners, (*corners[1:], corners[0]), strict=True))


def _pieces(runs: Iterable[Run]) -> Iterator[_Piece]:
    """All glyphs in painting order; a space that ends one object stands before the next."""
    space = False
    for run in runs:
        gaps = [after.start - before.end for before, after in pairwise(run.glyphs)]
        tracking = max(0.0, median(gaps)) if len(gaps) > 1 else 0.0
        for index, glyph in enumerate(run.glyphs):
            spaced = glyph.spaced or (space and index == 0)
            yield _Piece(glyph._replace(spaced=spaced), run.style, tracking, first=index == 0)
        space = run.space_after or (space and not run.glyphs)


def _writes_spaces(runs: Sequence[Run]) -> bool:
    """Whether the producer writes space characters, so that a gap without one parts two texts."""
    written = sum(glyph.spaced for run in runs for glyph in run.glyphs) + sum(run.space_after for run in runs)
    gaps = 0
    for run, following in pairwise(runs):
        if run.glyphs and following.glyphs and run.style.direction == following.style.direction:
            before, after, size = run.glyphs[-1], following.glyphs[0], run.style.size
            level = abs(before.baseline - after.baseline) <= _LEVEL * size
            gap = after.start - before.end
            gaps += level and not run.space_after and not after.spaced and _WORD_GAP * size < gap < _COLUMN_GAP * size
    return written >= max(_SOME_SPACES, _SPACE_SHARE * gaps)


def _continues(before: _Piece, after: _Piece, separators: _Separators, spaces: bool) -> bool:
    """Whether ``after`` goes on with the line that ``before`` ends."""
    if before.style.direction != after.style.direction:
        return False
    sizes = before.style.size, after.style.size
    size = max(sizes)
    gap = after.glyph.start - before.glyph.end
    if size > _SIZE_RATIO * min(sizes) or gap < -_BACKSTEP * size:
        return False
    inner = 0.0 if after.first else after.tracking
    rise = _RAISED if gap <= _GLUE_GAP * size else _LEVEL
    if abs(after.glyph.baseline - before.glyph.baseline) > rise * size or gap - inner > _COLUMN_GAP * size:
        return False
    if spaces and after.first and not after.glyph.spaced and gap > _glue(sizes) + before.tracking:
        return False
    if gap <= 0 and not after.first:
        return True
    return not separators.between(after.style, before.glyph.end, after.glyph.start, after.glyph.baseline)


def _glue(sizes: tuple[float, float]) -> float:
    """Up to which gap two objects without a space between them are one word."""
    small, large = sorted(sizes)
    if large <= _SAME_SIZE * small:
        return _GLUE_GAP * large
    # Small capitals and superscripts touch and are a good deal smaller; what is a little smaller is another text.
    return _TOUCH_GAP * large if large > _SMALL_CAPITALS * small else -math.inf


def _joined(fragments: Sequence[list[_Piece]], separators: _Separators, spaces: bool) -> list[list[_Piece]]:
    """Fragments of one line that were painted at different times, joined where one ends as the next begins."""
    places: dict[tuple[float, int], list[int]] = defaultdict(list)
    for index, fragment in enumerate(fragments):
        key = fragment[0].style.direction.angle, round(fragment[0].glyph.baseline)
        places[key].append(index)
    follower: dict[int, int] = {}
    for (angle, level), members in places.items():
        near = [other for step in (0, 1) for other in places.get((angle, level + step), ())]
        near.sort(key=lambda index: fragments[index][0].glyph.start)
        for index, other in pairwise(near):
            last, first = fragments[index][-1], fragments[other][0]
            meets = first.glyph.start - last.glyph.end >= -0.05 * last.style.size
            alike = max(last.style.size, first.style.size) <= _SAME_SIZE * min(last.style.size, first.style.size)
            if members and meets and alike and _continues(last, first._replace(first=True), separators, spaces):
                follower.setdefault(index, other)
    return _chains(fragments, follower)


def _chains(fragments: Sequence[list[_Piece]], follower: dict[int, int]) -> list[list[_Piece]]:
    """Fragments strung together by ``follower``; each is used once, chains keep the place of their first."""
    leader: dict[int, int] = {}
    for index, other in follower.items():
        leader.setdefault(other, index)
    joined = []
    for index, fragment in enumerate(fragments):
        if index in leader:
            continue
        chain = list(fragment)
        at = index
        while at in follower and leader[follower[at]] == at:
            at = follower[at]
            chain.extend(fragments[at])
        joined.append(chain)
    return joined


def _line(pieces: Sequence[_Piece], spaces: bool) -> Line:
    style = pieces[0].style
    size = max(piece.style.size for piece in pieces)
    groups: list[list[_Piece]] = []
    for index, piece in enumerate(pieces):
        if index and not _new_word(pieces[index - 1], piece, spaces):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    words = tuple(Word(_text(group), _quad(group).box) for group in groups)
    bold = sum(piece.style.bold for piece in pieces) > len(pieces) / 2
    color = Counter(piece.style.color for piece in pieces).most_common(1)[0][0]
    text = " ".join(word.text for word in words)
    return Line(text, _quad(pieces), style.direction.angle, None, "pdf", words, size, bold, color)


def _new_word(before: _Piece, after: _Piece, spaces: bool) -> bool:
    if after.glyph.spaced:
        return True
    inner = 0.0 if after.first else after.tracking
    gap = after.glyph.start - before.glyph.end - inner
    if after.first and not (before.glyph.text.isalpha() and after.glyph.text.isalpha()):
        return gap > _SIGN_GAP * after.style.size
    return gap > (_SPACED_WORD_GAP if spaces else _WORD_GAP) * after.style.size


def _text(pieces: Iterable[_Piece]) -> str:
    return "".join(piece.glyph.text for piece in pieces)


def _quad(pieces: Sequence[_Piece]) -> Quad:
    direction = pieces[0].style.direction
    start, end = min(piece.glyph.start for piece in pieces), max(piece.glyph.end for piece in pieces)
    top = min(piece.glyph.baseline - _ABOVE * piece.style.size for piece in pieces)
    bottom = max(piece.glyph.baseline + _BELOW * piece.style.size for piece in pieces)
    corners = ((start, top), (end, top), (end, bottom), (start, bottom))
    return Quad(*(direction.on_page(*corner) for corner in corners))


def _once(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Lines without those that repeat a text in the same place."""
    kept: list[Line] = []
    seen: dict[str, list[Point]] = defaultdict(list)
    for line in lines:
        x, y = line.box.center
        near = _SAME_PLACE * line.size
        if not any(abs(x - other_x) < near and abs(y - other_y) < near for other_x, other_y in seen[line.text]):
            kept.append(line)
            seen[line.text].append((x, y))
    return tuple(kept)
