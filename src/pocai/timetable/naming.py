"""What a cell says: its own times, the name of the event, and the rest as notes. Nothing is corrected or added."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from pocai.documents.page import Box, Line, Quad
from pocai.timetable.clock import TimeSpan
from pocai.timetable.times import find_times, strip_times

SMALL_NATIVE = 0.88  # writing below this share of the cell's largest is a note, where sizes are exact
SMALL_READ = 0.72  # the same where sizes are those of detected boxes
LONGEST_CODE = 16  # characters of a line that may be only a room, group or set

PERSON = re.compile(
    r"(?i)^(?:prof(?:essor|\.?ssa)?|dr|mr|mrs|ms|miss|mx|sir|mme|mlle|madame|monsieur|m\.|herr|frau|hr|fr\.|"
    r"sr|sra|srta|señora?|dott|sig|sig\.ra|dña|don|doña|teacher|lehrer|maestr[ao])\b\.?\s*\S"
)
PLACE = re.compile(
    r"(?i)^(?:(?:room|rm|raum|salle|aula|sala|lab(?:or|oratory|oratorio)?|studio|gym|hall|building|bldg|department|dept|"
    r"faculty|institute?|turnhalle|zimmer)\b\.?(?:\s*[\w.&,/-]+){0,6}|(?:[A-Z]{1,3}[-. ]?)?\d{1,4}[A-Za-z]?)$"
)
ROOM_CODE = re.compile(r"^[A-Z]{1,3}[-. ]?\d{1,3}[A-Za-z]?(?:\s*\(.*\))?$")
GROUP = re.compile(
    r"(?i)^(?:group|grp|gr|gruppe|groupe|grupo|gruppo|set|section|sec|stream|class|klasse|clase|classe|turma|team)\b\.?\s*[\w./+-]{1,6}$"
)
WEEKS = re.compile(
    r"(?i)^\(?(?:(?:odd|even|every|alternate|a|b)[ -]?)?(?:weeks?|wks?|wochen?|semaines?|semanas?|settimane?|kw)\b"
)
COMPANION = re.compile(r"(?i)^(?:with|w/|mit|avec|con|com|bei|led by|taught by)\s")
CENTERED, OFF_CENTER = 0.07, 0.14  # distance of a line's middle from the cell's, as shares of its width
BRACKET = re.compile(r"\([^()]*(?:\)|$)")
SEPARATOR = re.compile(r"\s*[·•|]\s*|\s+[‧∙]\s+")
TAIL = re.compile(
    r"\s[-–,/:]?\s*\(?(?:(?:Room|Rm|Raum|Salle|Sala|Zimmer)\.?\s?\w{1,6}|(?:Mr|Mrs|Ms|Miss|Dr|Prof|Mme|Herr|Frau)\.?\s[A-ZÀ-Þ][\w'’-]+)\)?$"
)
SPACED = re.compile(r"^(?:\w ){2,}\w$")


@dataclass(frozen=True, slots=True)
class Wording:
    """A cell's words sorted: ``name_lines`` and ``note_lines`` are the lines that hold them."""

    name: str
    notes: str | None
    spans: tuple[TimeSpan, ...]
    name_lines: tuple[Line, ...]
    note_lines: tuple[Line, ...] = ()
    time_lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class _Part:
    text: str
    line: Line
    note: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """The rest of the page: texts that stand alone on it (`folded`), and stretches of columns that hold only notes."""

    known: frozenset[str] = frozenset()
    note_columns: tuple[tuple[float, float], ...] = ()

    def in_note_column(self, line: Line) -> bool:
        """Whether a column head says that this line is a room, a person or a remark."""
        return any(low <= line.box.center[0] <= high for low, high in self.note_columns)


ALONE = Context()


def wording(lines: Sequence[Line], cell: Box | None = None, context: Context = ALONE) -> Wording:
    """Sort the lines of a cell, in reading order, into times, name and notes.

    ``cell`` is the printed cell, if there is one: what hugs its sides around a centred name is a note.
    """
    lines = _continued(lines, context.known)
    spans, parts, time_lines = _without_times(lines)
    parts = [replace(part, note=part.note or context.in_note_column(part.line)) for part in parts]
    parts = _split_codes(_marked(parts, cell))
    if parts and all(part.note for part in parts):
        parts = _one_name(parts)
    names = [part for part in parts if not part.note]
    notes = [part for part in parts if part.note]
    return Wording(
        joined([part.text for part in names]),
        joined([part.text for part in notes]) or None,
        spans,
        tuple(part.line for part in names),
        tuple(part.line for part in notes),
        time_lines,
    )


def _continued(lines: Sequence[Line], known: frozenset[str]) -> list[Line]:
    """A text that is broken over two lines here, and stands on one line elsewhere on the page, is one line."""
    whole: list[Line] = []
    for line in lines:
        text = f"{whole[-1].text} {line.text}" if whole else ""
        if folded(text) in known and whole:
            around = Quad.of(Box.around((whole[-1].box, line.box)))
            whole[-1] = replace(whole[-1], text=text, quad=around, size=_size(whole[-1]))
        else:
            whole.append(line)
    return whole


def folded(text: str) -> str:
    """Text as it is compared with the rest of the page."""
    return re.sub(r"\W+", " ", text).casefold().strip()


def joined(texts: Sequence[str]) -> str:
    """Lines as one text: words broken by a hyphen become whole, letters set one below the other become a word."""
    texts = [re.sub(r"\s+", " ", text).strip() for text in texts]
    if len(texts) > 2 and all(len(text) == 1 for text in texts):  # noqa: PLR2004 - three letters make a column
        return "".join(texts)
    whole = ""
    for text in texts:
        if not text:
            continue
        if whole.endswith("-") and text[:1].islower() and not whole.endswith(" -"):
            whole = whole[:-1] + text
        else:
            whole = f"{whole} {text}" if whole else text
    return whole.replace(" ", "") if SPACED.match(whole) else whole


def _without_times(lines: Sequence[Line]) -> tuple[tuple[TimeSpan, ...], list[_Part], tuple[Line, ...]]:
    """The cell's times, found over line ends, and each line without its share of them."""
    text = "\n".join(line.text for line in lines)
    spans = find_times(text)
    brackets = [match.span() for match in BRACKET.finditer(text)]
    cut = [span.at for span in spans if not _in_remark(text, span, spans, brackets)]
    parts, held, begin = [], [], 0
    for line in lines:
        end = begin + len(line.text)
        if any(span.at[0] < end and span.at[1] > begin for span in spans):
            held.append(line)
        for low, high, note in _stretches(text, begin, end, brackets):
            inside = [(max(a, low) - low, min(b, high) - low) for a, b in cut if a < high and b > low]
            rest = (
                strip_times(text[low:high], [TimeSpan(None, None, at) for at in inside]) if inside else text[low:high]
            )
            if re.search(r"\w", rest):
                parts.append(_Part(rest.strip(), line, note))
        begin = end + 1
    return spans, parts, tuple(held)


def _in_remark(text: str, span: TimeSpan, spans: Sequence[TimeSpan], brackets: Sequence[tuple[int, int]]) -> bool:
    """Whether a time stands in brackets among other words: then it is part of what the brackets say."""
    for low, high in brackets:
        if low <= span.at[0] and span.at[1] <= high:
            rest = strip_times(
                text[low:high],
                [TimeSpan(None, None, (s.at[0] - low, s.at[1] - low)) for s in spans if low <= s.at[0] < high],
            )
            return bool(re.search(r"\w{2}", rest))
    return False


def _stretches(text: str, begin: int, end: int, brackets: Sequence[tuple[int, int]]) -> list[tuple[int, int, bool]]:
    """A line cut where a bracket begins that fills whole lines: (begin, end, whether it is in such a bracket)."""
    borders = {begin, end}
    remarks = [
        (a, b)
        for a, b in brackets
        if "\n" in text[a:b] or not re.search(r"\w", text[max(text.rfind("\n", 0, a), 0) : a])
    ]
    for a, b in remarks:
        borders |= {at for at in (a, b) if begin < at < end}
    ordered = sorted(borders)
    return [(a, b, any(low <= a and b <= high for low, high in remarks)) for a, b in pairwise(ordered)]


def _marked(parts: Sequence[_Part], cell: Box | None) -> list[_Part]:
    """Each part with whether it is a note: in brackets, small, in a corner, or a person, place, group or week."""
    sizes = [_size(part.line) for part in parts]
    least = _least_size(sizes, exact=all(part.line.source != "ocr" for part in parts))
    corners = _in_corners([part.line for part in parts], cell)
    several = len(parts) > 1
    return [
        replace(part, note=part.note or size < least or corner or (several and _beside_the_name(part.text)))
        for part, size, corner in zip(parts, sizes, corners, strict=True)
    ]


def _least_size(sizes: Sequence[float], *, exact: bool) -> float:
    """Writing smaller than this is a note: clearly smaller than the largest, or nearer to such than to the largest."""
    if not sizes:
        return 0.0
    largest = max(sizes)
    least = largest * (SMALL_NATIVE if exact else SMALL_READ)
    small = [size for size in sizes if size < least]
    return max(least, (largest + max(small)) / 2) if small else least


def _in_corners(lines: Sequence[Line], cell: Box | None) -> list[bool]:
    """Lines that hug a side of the cell, where another stands in the middle of it."""
    if cell is None or len(lines) < 2 or any(round(line.angle) for line in lines):  # noqa: PLR2004 - a name and more
        return [False] * len(lines)
    off = [abs(line.box.center[0] - cell.center[0]) / cell.width for line in lines]
    middle = lines[off.index(min(off))].box
    if min(off) > CENTERED:
        return [False] * len(lines)
    return [
        value > OFF_CENTER and not _flush(line.box, middle, cell.width) for value, line in zip(off, lines, strict=True)
    ]


def _flush(box: Box, other: Box, width: float) -> bool:
    """Whether two lines begin, or end, at the same place, as the lines of one text do."""
    return min(abs(box.left - other.left), abs(box.right - other.right)) < CENTERED * width


def _size(line: Line) -> float:
    return line.size or min(line.box.width, line.box.height)


def _beside_the_name(text: str) -> bool:
    if len(text) <= LONGEST_CODE and (GROUP.match(text) or ROOM_CODE.match(text)):
        return True
    return any(pattern.match(text) for pattern in (PERSON, PLACE, ROOM_CODE, WEEKS, COMPANION))


def _split_codes(parts: Sequence[_Part]) -> list[_Part]:
    """A room, a person, or what stands behind a middle dot or a bar, on the line of the name, is a note."""
    split: list[_Part] = []
    for part in parts:
        pieces = [piece for piece in SEPARATOR.split(part.text, maxsplit=1) if piece.strip()]
        if len(pieces) == 1 and (tail := TAIL.search(part.text)) and tail.start():
            pieces = [part.text[: tail.start()].rstrip(" -–,/:"), tail[0].strip()]
        if part.note or len(pieces) < 2:  # noqa: PLR2004 - a name and the rest
            split.append(part)
        else:
            split += [_Part(pieces[0], part.line), _Part(pieces[1], part.line, note=True)]
    return split


def _one_name(parts: Sequence[_Part]) -> list[_Part]:
    """Where everything looks like a note, the largest part that is no person, room or week is the name."""
    plain = [p for p in parts if not _beside_the_name(p.text)] or list(parts)
    best = max(plain, key=lambda p: (not p.text.startswith("("), round(_size(p.line), 1)))
    return [_Part(p.text, p.line, note=p is not best) for p in parts]


def same_direction(lines: Sequence[Line]) -> bool:
    """Whether all lines are read in one direction."""
    return all(round(a.angle) == round(b.angle) for a, b in pairwise(lines))
