"""What a cell says: its own times, the name of the event, and the rest as notes. Nothing is corrected or added."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise, zip_longest
from math import sqrt
from statistics import median

from pocai.documents.page import Box, Line, Quad
from pocai.timetable.clock import TimeSpan
from pocai.timetable.name_end import INITIALED, ROOM_CODE, end_of_name
from pocai.timetable.prominence import in_corners, less_prominent, most_prominent, size_of
from pocai.timetable.times import find_times, strip_times

COLUMN = 3  # single letters below each other that make a word
SMALLER = 0.88  # notes below this share of the size of names have a size of their own on a page
CODE_LARGER = 0.85  # of the size of a code: words that are not smaller are the name beside it
NEARLY = 0.93  # lines nearer in size than this are of one size
LEAST_TIMED, MOST_TIMED = 4, 0.7  # cells, and their share, from which names are known to stand behind times
LEAST_NOTES = 5  # notes from which a page's usual size of notes is known
LONGEST_CODE = 16  # characters of a line that may be only a room, group or set

PERSON = re.compile(
    r"(?i)^(?:prof(?:essor|\.?ssa)?|dr|mr|mrs|ms|miss|mx|sir|mme|mlle|madame|monsieur|m\.|herr|frau|hr|fr\.|"
    r"sr|sra|srta|señora?|dott|sig|sig\.ra|dña|don|doña|teacher|lehrer|maestr[ao])\b\.?\s*\S"
)
PLACE = re.compile(
    r"(?i)^(?:(?:room|rm|raum|salle|aula|sala|zimmer)\b\.?(?:\s*[\w.&,/-]+){0,4}|"
    r"(?:department|dept|faculty|school|institute?) (?:of|für|de|di)\b.*|"
    r"(?:lab(?:or|oratory|oratorio)?|studio|gym(?:nasium)?|hall|building|bldg|turnhalle|gymnase|palestra|field)"
    r"(?:\.?\s*(?:[A-Z]|[A-Z]?\d{1,3}[a-z]?))?|(?:[A-Z]{1,3}[-. ]?)?\d{1,4}[A-Za-z]?)$"
)
GROUP = re.compile(
    r"(?i)^(?:group|grp|gr|gruppe|groupe|grupo|gruppo|set|section|sec|stream|class|klasse|clase|classe|turma|team)\b\.?\s*[\w./+-]{1,6}$"
)
WEEKS = re.compile(
    r"(?i)^\(?(?:(?:odd|even|every|alternate|a|b)[ -]?)?(?:weeks?|wks?|wochen?|semaines?|semanas?|settimane?|kw)\b"
)
STAFF = re.compile(r"^[A-Z]{2,3}(?:\s?[/,+&]\s?[A-Z]{2,3})+$")
COMPANION = re.compile(r"(?i)^(?:with|w/|mit|avec|con|com|bei|led by|taught by)\s")
BRACKET = re.compile(r"\([^()]*(?:\)|$)")
SEPARATOR = re.compile(r"\s*[·•|]\s*|\s+[‧∙]\s+")
EDGES = " -–—,/:·•|‧∙"  # what parts a name from what stands beside it
LEADING_DASH = re.compile(r"[-–—]\s")
LOOSE = re.compile(r"^[·•|‧∙]\s*|\s+[-–—/·•|‧∙]$|[·•|‧∙]$")
UNFINISHED = re.compile(
    r"(?i)(?:[-/&,+]|\b(?:and|und|et|y|e|of|the|de|du|des|la|für|mit|con|with))\n|\n(?:and|und|et|y|e|&|of|de|/)\b"
)
WORDS = re.compile(r"^[^\W\d_]{4}")
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
    """What naming has to know of the rest of the page.

    ``known`` are texts that stand alone on it (`folded`), ``note_columns`` stretches of columns that hold only notes;
    the usual sizes of names and notes are 0.0 where they are unknown. Where names stand ``behind_time`` in the first
    line of their cells, what follows in lines of their own is notes. ``told`` says of lines, by their identity,
    whether they are notes, where a model has said so. ``codes`` are codes of rooms that end lines with different
    beginnings (`name_end.recurring_codes`).
    """

    known: frozenset[str] = frozenset()
    note_columns: tuple[tuple[float, float], ...] = ()
    name_size: float = 0.0
    note_size: float = 0.0
    told: Mapping[int, bool] = field(default_factory=dict)
    codes: frozenset[str] = frozenset()
    behind_time: bool = False

    def is_small(self, line: Line, main: Line) -> bool:
        """Whether a line has the size that notes have on this page, and the main line that of names."""
        if not 0 < self.note_size < SMALLER * self.name_size:
            return False
        middle = sqrt(self.note_size * self.name_size)
        return size_of(line) < min(middle, NEARLY * size_of(main)) and middle < size_of(main)

    def in_note_column(self, line: Line) -> bool:
        """Whether a column head says that this line is a room, a person or a remark."""
        return any(low <= line.box.center[0] <= high for low, high in self.note_columns)


ALONE = Context()


def learned_from(context: Context, cells: Iterable[tuple[Sequence[Line], Box]]) -> Context:
    """The context with what the page's cells of several lines have in common.

    That is the usual sizes of names and notes, from the cells in which they are told apart by sight, and whether the
    name stands behind the time in the first line.
    """
    cells = list(cells)
    timed = [_begins_timed(lines) for lines, _ in cells]
    if sum(timed) >= max(LEAST_TIMED, MOST_TIMED * len(timed)):
        context = replace(context, behind_time=True)
    names: list[float] = []
    notes: list[float] = []
    for lines, box in cells:
        words = wording(lines, box, context)
        if words.note_lines:
            names += [size_of(line) for line in words.name_lines]
            notes += [size_of(line) for line in words.note_lines]
    if len(notes) < LEAST_NOTES:
        return context
    return replace(context, name_size=median(names), note_size=median(notes))


def _begins_timed(lines: Sequence[Line]) -> bool:
    """Whether the first line holds a time and, behind it, words."""
    spans = find_times(lines[0].text)
    return bool(spans) and spans[0].at[0] == 0 and bool(re.search(r"[^\W\d_]", lines[0].text[spans[0].at[1] :]))


def wording(lines: Sequence[Line], cell: Box | None = None, context: Context = ALONE, *, timed: bool = True) -> Wording:
    """Sort the lines of a cell, in reading order, into times, name and notes.

    ``cell`` is the printed cell, if there is one: what hugs its sides around a centred name is a note. Without
    ``timed`` no time is looked for.
    """
    told = context.told
    sure = bool(told) and all(id(line) in told for line in lines)
    lines = lines if sure else _continued(lines, context.known)
    if sure:
        spans, parts, time_lines = _line_by_line(lines, timed=timed)
    else:
        spans, parts, time_lines = _without_times(lines, timed=timed)
    parts = [replace(part, note=part.note or context.in_note_column(part.line)) for part in parts]
    if not sure:
        parts = _in_order(parts) if _is_typed(parts) else _marked(parts, cell, context)
        if context.behind_time and cell is not None and spans:
            parts = _first_only(parts, cell)
    parts = [replace(part, note=told.get(id(part.line), part.note)) for part in parts]
    parts = _split_codes(parts, context)
    if parts and all(part.note for part in parts):
        parts = _one_name(parts)
    names = [part for part in parts if not part.note]
    notes = [part for part in parts if part.note]
    return Wording(
        LOOSE.sub("", joined([part.text for part in names])),
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
            whole[-1] = replace(whole[-1], text=text, quad=around, size=size_of(whole[-1]))
        else:
            whole.append(line)
    return whole


def folded(text: str) -> str:
    """Text as it is compared with the rest of the page."""
    return re.sub(r"\W+", " ", text).casefold().strip()


def joined(texts: Sequence[str]) -> str:
    """Lines as one text: words broken by a hyphen become whole, letters set one below the other become a word."""
    texts = [re.sub(r"\s+", " ", text).strip() for text in texts]
    if len(texts) >= COLUMN and all(len(text) == 1 for text in texts):
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


def _without_times(lines: Sequence[Line], *, timed: bool) -> tuple[tuple[TimeSpan, ...], list[_Part], tuple[Line, ...]]:
    """The cell's times, found over line ends, and each line without its share of them."""
    text = "\n".join(line.text for line in lines)
    spans = find_times(text) if timed else ()
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


def _line_by_line(lines: Sequence[Line], *, timed: bool) -> tuple[tuple[TimeSpan, ...], list[_Part], tuple[Line, ...]]:
    """The same of each line alone: no time goes on in the next line."""
    spans: list[TimeSpan] = []
    parts: list[_Part] = []
    held: list[Line] = []
    begin = 0
    for line in lines:
        own, rest, timed_lines = _without_times([line], timed=timed)
        spans += [TimeSpan(span.start, span.end, (span.at[0] + begin, span.at[1] + begin)) for span in own]
        parts += rest
        held += timed_lines
        begin += len(line.text) + 1
    return tuple(spans), parts, tuple(held)


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


def _marked(parts: Sequence[_Part], cell: Box | None, context: Context) -> list[_Part]:
    """Each part with whether it is a note: in brackets, less prominent, in a corner, or a person, place or week."""
    if len(parts) >= COLUMN and all(len(part.text) == 1 for part in parts):
        return list(parts)
    corners = in_corners([part.line for part in parts], cell)
    main = most_prominent([part.line for part in parts if not part.note])
    lesser = [
        part.note or (main is not None and (less_prominent(part.line, main) or context.is_small(part.line, main)))
        for part in parts
    ]
    alone = lesser.count(False) == 1  # one line stands out: it is the name, whatever it looks like
    if alone and (word := _word_beside_a_code(parts, lesser)) is not None:
        lesser[word], alone = False, False
    several = len(parts) > 1
    return [
        replace(part, note=less or corner or (several and not alone and _beside_the_name(part.text)))
        for part, less, corner in zip(parts, lesser, corners, strict=True)
    ]


def _word_beside_a_code(parts: Sequence[_Part], lesser: Sequence[bool]) -> int | None:
    """The first line of words beside a room's code that stands out in a picture, and is not much larger; else None."""
    code = parts[lesser.index(False)]
    if code.line.source != "ocr" or not ROOM_CODE.match(code.text):
        return None
    for number, part in enumerate(parts):
        large = size_of(part.line) > CODE_LARGER * size_of(code.line)
        if large and not part.note and WORDS.match(part.text) and not _beside_the_name(part.text):
            return number
    return None


def _beside_the_name(text: str) -> bool:
    if len(text) <= LONGEST_CODE and (GROUP.match(text) or ROOM_CODE.match(text)):
        return True
    return any(pattern.match(text) for pattern in (PERSON, INITIALED, PLACE, ROOM_CODE, WEEKS, COMPANION, STAFF))


def _is_typed(parts: Sequence[_Part]) -> bool:
    """Whether the cell is of an Office file, in one style: there a line ends where its author ended it."""
    lines = [part.line for part in parts]
    if len(lines) < 2 or any(line.source not in ("docx", "xlsx") for line in lines):  # noqa: PLR2004 - one line has no order
        return False
    return not any(less_prominent(lines[0], line) for line in lines[1:])


def _in_order(parts: Sequence[_Part]) -> list[_Part]:
    """The first part that is no person is the name, with what goes on after a hyphen or "and"; the rest are notes."""
    first = next((i for i, p in enumerate(parts) if not p.note and not PERSON.match(p.text)), None)
    if first is None:
        return list(parts)
    last = first
    while (
        last + 1 < len(parts)
        and not parts[last + 1].note
        and UNFINISHED.search(f"{parts[last].text}\n{parts[last + 1].text}")
    ):
        last += 1
    return [replace(part, note=not first <= i <= last) for i, part in enumerate(parts)]


def _split_codes(parts: Sequence[_Part], context: Context) -> list[_Part]:
    """A room, a person, or what stands behind a middle dot or a bar, on the line of the name, is a note."""
    split: list[_Part] = []
    for part, behind in zip_longest(parts, parts[1:]):
        pieces = [piece for piece in SEPARATOR.split(part.text, maxsplit=1) if piece.strip()]
        if len(pieces) > 1 and any(not other.note for other in split):
            pieces = []  # a second line of codes
        elif len(pieces) == 1 and (at := _end_of_name(part, behind, context)):
            pieces = [part.text[:at].strip(EDGES), part.text[at:].lstrip(EDGES)]
        if part.note or len(pieces) == 1:
            split.append(part)
        elif not pieces or not pieces[0]:
            split.append(replace(part, text=part.text.lstrip(EDGES), note=True))
        else:
            split += [_Part(pieces[0], part.line), _Part(pieces[1], part.line, note=True)]
    return split


def _end_of_name(part: _Part, behind: _Part | None, context: Context) -> int:
    """Where the name ends in a line, 0 for at its end; a dash in front of the note behind it counts."""
    if behind is not None and behind.note and LEADING_DASH.match(behind.text):
        at = end_of_name(f"{part.text} {behind.text}", context.codes)
        return at if at < len(part.text) else 0
    return end_of_name(part.text, context.codes)


def _first_only(parts: Sequence[_Part], cell: Box) -> list[_Part]:
    """The parts of the first line, and of those in which it goes on for want of room, are the name; the rest notes."""
    lines = list(dict.fromkeys(part.line for part in parts))
    name = lines[:1]
    for line, following in pairwise(lines):
        if _would_fit(following, line, cell):
            break
        name.append(following)
    return [replace(part, note=part.note or part.line not in name) for part in parts]


def _would_fit(following: Line, line: Line, cell: Box) -> bool:
    """Whether the first word of a line had room behind the line above it: then that was not broken for want of room."""
    word = len(following.text.split()[0]) + 1
    wide = word * following.box.width / max(len(following.text), 1)
    padding = max(0.0, line.box.left - cell.left)
    return wide < cell.right - padding - line.box.right


def _one_name(parts: Sequence[_Part]) -> list[_Part]:
    """Where everything looks like a note, the largest part that is no person, room or week is the name."""
    plain = [p for p in parts if not _beside_the_name(p.text)] or list(parts)
    best = max(plain, key=lambda p: (not p.text.startswith("("), round(size_of(p.line), 1)))
    return [_Part(p.text, p.line, note=p is not best) for p in parts]
