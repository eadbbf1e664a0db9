"""What stands around a timetable: class, teacher, term, year, and the title; and the key of its periods."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pocai.documents.page import Line
from pocai.timetable.clock import TimeSpan
from pocai.timetable.columns import is_column_head
from pocai.timetable.pieces import Piece
from pocai.timetable.slot_axis import period_name
from pocai.timetable.times import find_times, strip_times
from pocai.timetable.timetable import HeaderField

LABELS: dict[HeaderField, str] = {
    "teacher": r"(?:class\s+|form\s+|home\s*room\s+)?teachers?(?:\s+(?:time\s?table|schedule))?|(?:form\s+)?tutor|"
    r"(?:klassen)?lehrer(?:in|kraft)?|klassenleitung|professeure?(?:\s+principale?)?|prof(?:\.|essore?)?(?:\s+principal)?|enseignante?|ma[iî]tre(?:sse)?|"
    r"profesora?|docente|tutora?|tutor/a|prof\.?ª|maestre|staff|insegnante|maestr[ao]|professora?",
    "className": r"class(?:\s+name)?|form|year\s+group|tutor\s+group|grade|section|klasse|classe|clase|curso|turma|"
    r"grupo|group",
    "term": r"term|semester|trimester|quarter|half[- ]term|halbjahr|trimestre|semestre|quadrimestre|per[ií]odo",
    "year": r"(?:school|academic)\s+year|year|schuljahr|ann[ée]e(?:\s+scolaire)?|a[ñn]o(?:\s+escolar)?|curso\s+escolar|"
    r"anno(?:\s+scolastico)?|ano(?:\s+le[ct]*tivo)?",
}
LABELLED = re.compile(
    r"(?i)(?<!\w)(?:"
    + "|".join(f"(?P<{name}>{words})" for name, words in LABELS.items())
    + r")(?:\s*[:：]\s*|\s+[–—]\s+)"
)
TERM = re.compile(
    r"(?i)\b(?:(?:autumn|spring|summer|winter|fall|michaelmas|hilary|trinity|lent|easter)"
    r"(?:\s+(?:half[- ])?(?:term|semester))?(?:\s+[1-4](?!\d))?|"
    r"(?:term|semester|trimester|quarter|trimestre|semestre|quadrimestre|halbjahr)\s+(?:[1-4](?!\d)|I{1,3}|IV)|"
    r"(?:sommer|winter)semester|(?:automne|otoño|autunno|outono|printemps|primavera|invierno|inverno|verano)(?!\w)|"
    r"(?:[1-4](?:st|nd|rd|th)|first|second|third|fourth)\s+(?:term|semester|trimester|quarter)|"
    r"[1-4]\s*(?:\.?[ºª°]|\.|er|ère|e|ème|[ee]me)?\s*(?:halbjahr|semester|trimestre|semestre|quadrimestre|per[ií]odo))\b|\b(?:MT|HT|TT)(?=\s+20\d\d)"
)
YEAR = re.compile(r"(?<![\d/.-])(20\d\d)(?!\d)|(?<=/)(20\d\d)(?!\d)|(?<=\.)(20\d\d)(?!\d)")
COMMON = (  # words of titles that name no class
    r"our|my|the|mein|unser|notre|mon|nuestro|mi|il|nostro|meu|staff|student|pupil|teacher|timetables?|schedules?|plan|list|"
    r"form|daily|week(?:ly)?|day|teaching|lessons?|programme?|calendar|planner|year|term"
)
CLASS = re.compile(
    r"(?i)\b(?:class|klasse|classe|clase|turma|form|gruppe|grupo|groupe|gruppo)\s+(?P<name>[\w./-]*\d[\w./-]*[ºª°]?(?:\s[A-Z]\b)?|(?-i:[A-Z]{1,3})\b|"
    rf"(?!(?:{COMMON})\b)(?-i:[A-Z])[a-zà-ÿ]{{2,12}}\b)|"
    r"\b(?P<whole>(?:(?:year|grade|yr|group)\s*\d{1,2}\s?[A-Z]?\b|\d{1,2}\s?\.?[ºª°]\s?[A-Z]\b|(?:CP|CE1|CE2|CM1|CM2)\b))"
)
PERSON = re.compile(
    r"(?<!\w)(?:Mr|Mrs|Ms|Miss|Mx|Dr|Mme|Mlle|Frau|Herr|Hr|Sra?|Profa?|Professora?|[Pp]rof\.ssa|M(?=\.))\.?\s"
    r"[A-ZÀ-Þ][\w'’-]+(?:\s[A-ZÀ-Þ][\w'’-]+)?"
)
GENERIC = re.compile(
    rf"(?i)\b(?:{COMMON}|weekly|daily|class|school|lesson|teaching|time\s*-?\s*table|timetable|schedule|stundenplan|emploi\s+du\s+temps|horario|orario|"
    r"hor[aá]rio|example|sample|time|day|period|lesson|session|zeit|uhrzeit|stunde|heure|hora|ora|for|of|the|week|plan|from|de|du|del|am|pm)\b"
)
TIMETABLE = re.compile(r"(?i)time\s*-?\s*table|schedule|stundenplan|emploi du temps|horario|orario|hor[aá]rio")
WEEK_NAME = re.compile(
    r"(?i)\b(?:week|woche|semaine|semana|settimana)\s*[:-]?\s*([A-D]|[1-4])(?!\w)|\b([A-D])[- ](?:week|woche)\b"
)
CODE = re.compile(r"^[\w][\w./-]{0,8}$")
LEAST_NUMBERS = 3  # numbered labels without times that need a key
NEARLY = 0.75  # writing of at least this share of the largest is a title too
LONGEST_TITLE = 120  # characters of a line that is a title and not a text


@dataclass(frozen=True, slots=True)
class Heading:
    """The header fields as printed, and the lines that support each."""

    values: dict[HeaderField, str] = field(default_factory=dict)
    weeks: str | None = None
    lines: dict[HeaderField, Line] = field(default_factory=dict)

    @property
    def year(self) -> int | None:
        return int(self.values["year"]) if "year" in self.values else None


def read_heading(lines: Sequence[Line]) -> Heading:
    """The header fields in the lines around a timetable: labelled ones first, then terms, years and codes of titles."""
    values: dict[HeaderField, str] = {}
    where: dict[HeaderField, Line] = {}

    def keep(name: HeaderField, value: str, line: Line) -> None:
        value = value.strip(" \t|,;–-·")
        if value and name not in values:
            values[name], where[name] = value, line

    for line in lines:
        for name, value in _labelled(line.text):
            keep(name, value, line)
    titles = [line for line in lines if len(line.text) <= LONGEST_TITLE]
    for line in titles:
        for name, value in _unlabelled(line.text):
            keep(name, value, line)
    for name, value, line in (*_only_person(titles), *_title_code(titles)):
        keep(name, value, line)
    weeks = next((match[1] or match[2] for line in lines if (match := WEEK_NAME.search(line.text))), None)
    return _tidied(Heading(values, weeks, where), lines)


def _labelled(text: str) -> list[tuple[HeaderField, str]]:
    """``Class: 2B  Teacher: …`` gives each label's value, up to the next label."""
    found = []
    marks = list(LABELLED.finditer(text))
    for i, mark in enumerate(marks):
        end = marks[i + 1].start() if i + 1 < len(marks) else len(text)
        name: HeaderField = mark.lastgroup  # type: ignore[assignment]  # the groups are named by the fields
        found.append((name, re.split(r"\s{3,}|\t|\s[|·•]\s", text[mark.end() : end].strip())[0]))
    return found


def _unlabelled(text: str) -> list[tuple[HeaderField, str]]:
    found: list[tuple[HeaderField, str]] = []
    if term := TERM.search(text):
        found.append(("term", term[0]))
    if year := YEAR.search(text):
        found.append(("year", year[0]))
    if (name := CLASS.search(text)) and not LABELLED.search(text):
        found.append(("className", name["name"] or name["whole"]))
        if person := PERSON.search(text):
            found.append(("teacher", person[0]))
    return found


def _only_person(titles: Sequence[Line]) -> list[tuple[HeaderField, str, Line]]:
    """The one person that the titles name is the teacher; of several nobody can tell."""
    people = {match[0]: line for line in titles for match in PERSON.finditer(line.text)}
    return [("teacher", name, line) for name, line in people.items()] if len(people) == 1 else []


def _title_code(lines: Sequence[Line]) -> list[tuple[HeaderField, str, Line]]:
    """The largest line, if nothing but a short code is left of it without term, year and words like "timetable"."""
    plain = [line for line in lines if not find_times(line.text, bare=True)]
    titles = [(line, _without_generic(line.text)) for line in plain]
    titles = [(line, tokens) for line, tokens in titles if tokens]
    largest = max((_height(line) for line, _ in titles), default=0.0)
    for line, tokens in titles:
        if _height(line) >= NEARLY * largest and len(tokens) == 1 and _is_code(tokens[0], line.text):
            return [("className", tokens[0], line)]
    return []


def _is_title(text: str) -> bool:
    """Whether a line may be the title: it has words, and is neither a time nor the head of a column."""
    return len(text) > 2 and not find_times(text) and not is_column_head(text)  # noqa: PLR2004 - a title has letters


def _is_code(token: str, title: str) -> bool:
    """Whether a word names a class: it has a digit, or is in capitals, or stands alone before "timetable"."""
    if not CODE.match(token) or len(token) < 2 or token.isdigit():  # noqa: PLR2004 - "A" is a week, "7" a period
        return False
    return any(c.isdigit() for c in token) or token.isupper() or bool(TIMETABLE.search(title))


def _without_generic(text: str) -> list[str]:
    """The words of a title that are no term, year, remark in brackets, or word that any timetable may carry."""
    return GENERIC.sub(" ", YEAR.sub(" ", TERM.sub(" ", re.sub(r"\(.*?\)", " ", text)))).split()


def _height(line: Line) -> float:
    return line.size or line.box.height


def _tidied(heading: Heading, lines: Sequence[Line]) -> Heading:
    """The year as four digits, taken out of the term; the title as the largest line."""
    values, where = dict(heading.values), dict(heading.lines)
    if (teacher := values.get("teacher")) and (name := TERM.split(YEAR.split(teacher)[0])[0].strip(" ,–-(|")):
        values["teacher"] = name
    if (term := values.get("term")) and (year := YEAR.search(term)):
        values["term"] = YEAR.sub("", term).strip(" ,/-–") or term
        values.setdefault("year", year[0])
        where.setdefault("year", where["term"])
    if "year" in values:
        match = YEAR.search(values["year"])
        if match:
            values["year"] = match[0]
        else:
            del values["year"], where["year"]
    titles = [line for line in lines if len(line.text) <= LONGEST_TITLE and _is_title(line.text)]
    if titles:
        title = max(titles, key=lambda line: round(_height(line), 1))
        values["title"], where["title"] = title.text, title
    return Heading(values, heading.weeks, where)


def period_key(pieces: Sequence[Piece]) -> dict[str, TimeSpan]:
    """Times of numbered periods, wherever they are printed together: "Period 1: 9.00-9.50", or side by side."""
    key: dict[str, TimeSpan] = {}
    for piece in pieces:
        for line in piece.lines:
            spans = find_times(line.text)
            name = period_name(strip_times(line.text, spans).strip(" :=-–")) if len(spans) == 1 else None
            if name is not None and spans[0].end is not None:
                key.setdefault(name, spans[0])
    for piece in pieces:
        name = period_name(piece.text)
        spans = find_times(_right_of(piece, pieces)) if name is not None else ()
        if name is not None and len(spans) == 1 and spans[0].end is not None:
            key.setdefault(name, spans[0])
    return key


def without_key(pieces: Sequence[Piece], key: dict[str, TimeSpan]) -> tuple[Piece, ...]:
    """The pieces without the key itself, where the numbers that it explains stand elsewhere on the page."""
    numbers = [piece for piece in pieces if period_name(piece.text) in key]
    if len(numbers) < LEAST_NUMBERS:
        return tuple(pieces)
    return tuple(piece for piece in pieces if not _is_key(piece, key))


def _is_key(piece: Piece, key: dict[str, TimeSpan]) -> bool:
    """Whether a piece is lines of the key, perhaps under a title."""
    explained = sum(_explains(line, key) for line in piece.lines)
    return explained == len(piece.lines) or explained > 1


def _explains(line: Line, key: dict[str, TimeSpan]) -> bool:
    spans = find_times(line.text)
    return len(spans) == 1 and period_name(strip_times(line.text, spans).strip(" :=-–")) in key


def _right_of(piece: Piece, pieces: Sequence[Piece]) -> str:
    """The text of the next piece in the same row."""
    middle = piece.box.center[1]
    row = [p for p in pieces if p.box.left >= piece.box.right - 1 and p.box.top <= middle <= p.box.bottom]
    return min(row, key=lambda p: p.box.left).text if row else ""
