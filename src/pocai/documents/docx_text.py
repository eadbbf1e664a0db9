"""The text of a Word paragraph as it is printed: what is deleted, hidden or a field's instruction is not text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from pocai.documents.office import Align, Writing
from pocai.documents.page import Color

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_NOT_TEXT = frozenset(
    W + name
    for name in (
        "del", "moveFrom", "instrText", "delText", "delInstrText", "pPr", "rPr", "sdtPr", "sdtEndPr", "rt",
        "footnoteReference", "endnoteReference", "annotationRef", "commentReference",
    )
)  # fmt: skip
_CHARACTERS = {
    W + "tab": "\t",
    W + "ptab": "\t",
    W + "cr": "\n",
    W + "noBreakHyphen": "-",
}
_ALIGN: Mapping[str | None, Align] = {"center": "center", "right": "right", "end": "right"}
_TWIPS = 20.0  # twentieths of a point
_MAX_STYLES_DEEP = 20
_SIZE = 10.0  # points, where neither style nor defaults say anything


def attribute(element: Any, path: str, name: str = "val") -> str | None:
    """The attribute ``w:name`` of the first descendant ``w:a/w:b`` at ``path``, None where there is none."""
    found = element.find("/".join(W + step for step in path.split("/"))) if element is not None else None
    value: str | None = None if found is None else found.get(W + name)
    return value


def switched_on(element: Any, path: str) -> bool | None:
    """Whether an on/off property is on; None where it is not given."""
    found = element.find("/".join(W + step for step in path.split("/"))) if element is not None else None
    return None if found is None else found.get(W + "val") not in ("0", "false", "off")


def points(value: str | None) -> float | None:
    """Points of a measure in twips (``"720"``) or with its unit (``"36pt"``); None for none or a percentage."""
    text = (value or "").strip().removesuffix("pt")
    try:
        return float(text) / (1.0 if text != (value or "").strip() else _TWIPS)
    except ValueError:
        return None


def color(value: str | None) -> Color | None:
    """The colour of ``"1F4E79"``; None for "auto" and for what is no colour."""
    if not re.fullmatch(r"[0-9A-Fa-f]{6}", value or ""):
        return None
    red, green, blue = bytes.fromhex(value or "")
    return red, green, blue


@dataclass(frozen=True, slots=True)
class Look:
    """How a run is printed; None stands for "as in the style below"."""

    size: float | None = None
    bold: bool | None = None
    color: Color | None = None
    hidden: bool | None = None
    capitals: bool | None = None

    def under(self, over: Look) -> Look:
        """This look with all that ``over`` says itself."""
        said = {entry.name: value for entry in fields(over) if (value := getattr(over, entry.name)) is not None}
        return replace(self, **said) if said else self

    @classmethod
    def of(cls, properties: Any) -> Look:
        """What a ``w:rPr`` says."""
        if properties is None:
            return cls()
        half_points = attribute(properties, "sz")
        return cls(
            size=float(half_points) / 2 if half_points and half_points.isdigit() and int(half_points) else None,
            bold=switched_on(properties, "b"),
            color=color(attribute(properties, "color")),
            hidden=switched_on(properties, "vanish"),
            capitals=switched_on(properties, "caps"),
        )


@dataclass(frozen=True)
class Styles:
    """The looks of ``styles.xml`` by style id, each with those that it is based on."""

    plain: Look = field(default_factory=lambda: Look(size=_SIZE))
    looks: Mapping[str, Look] = field(default_factory=dict)
    aligns: Mapping[str, str] = field(default_factory=dict)
    paragraph: str | None = None

    @classmethod
    def of(cls, root: Any) -> Styles:
        """Read the ``w:styles`` element; None gives Word's own defaults."""
        if root is None:
            return cls()
        by_id = {element.get(W + "styleId"): element for element in root.iterfind(W + "style")}
        default = next((key for key, element in by_id.items() if _is_default_paragraph(element)), None)
        lineages = {key: list(_lineage(key, by_id)) for key in by_id}
        looks: dict[str, Look] = {}
        aligns: dict[str, str] = {}
        for key, lineage in lineages.items():
            look = Look()
            for element in reversed(lineage):
                look = look.under(Look.of(element.find(W + "rPr")))
                aligns[key] = attribute(element, "pPr/jc") or aligns.get(key, "")
            looks[key] = look
        plain = Look(size=_SIZE).under(Look.of(root.find(f"{W}docDefaults/{W}rPrDefault/{W}rPr")))
        return cls(plain, looks, aligns, default)

    def look(self, style: str | None) -> Look:
        return self.looks.get(style or "", Look())


def _is_default_paragraph(style: Any) -> bool:
    return style.get(W + "type") == "paragraph" and style.get(W + "default") in ("1", "true", "on")


def _lineage(key: str | None, by_id: Mapping[str, Any]) -> Iterator[Any]:
    """The style and those it is based on, nearest first; a circle ends."""
    for _ in range(_MAX_STYLES_DEEP):
        if key is None or key not in by_id:
            return
        yield by_id[key]
        key = attribute(by_id[key], "basedOn")


@dataclass(frozen=True, slots=True)
class PageBreak:
    """From here on the text stands on the next page."""


@dataclass(frozen=True, slots=True)
class TextBox:
    """A ``w:txbxContent``, with paragraphs and tables of its own."""

    element: Any


@dataclass(frozen=True, slots=True)
class _Run:
    text: str
    look: Look


@dataclass(frozen=True, slots=True)
class _Field:
    step: str  # begin, separate, end


Item = Writing | PageBreak | TextBox
_Token = _Run | _Field | PageBreak | TextBox


def read_paragraph(paragraph: Any, styles: Styles) -> list[Item]:
    """What a ``w:p`` prints, in order: a `Writing` for each line that it breaks by hand, page breaks, text boxes.

    An empty paragraph is a `Writing` without text. Text boxes follow the line that they are anchored in.
    """
    properties = paragraph.find(W + "pPr")
    style = attribute(properties, "pStyle") or styles.paragraph
    look = styles.plain.under(styles.look(styles.paragraph)).under(styles.look(style))
    align = _ALIGN.get(attribute(properties, "jc") or styles.aligns.get(style or ""), "left")
    tabs = () if properties is None else _tab_stops(properties)
    items: list[Item] = [PageBreak()] if switched_on(properties, "pageBreakBefore") else []
    boxes: list[Item] = []
    runs: list[_Run] = []
    for token in _results(_tokens(paragraph, look, styles)):
        if isinstance(token, TextBox):
            boxes.append(token)
        elif isinstance(token, PageBreak):
            items += [*_writing(runs, align, tabs), *boxes, token]
            runs, boxes = [], []
        else:
            runs, ended = _add(runs, token)
            items += [writing for line in ended for writing in _writing(line, align, tabs)]
    items += _writing(runs, align, tabs)
    if not items:
        items.append(Writing("", look.size or _SIZE, align=align))
    return items + boxes


def _add(runs: list[_Run], run: _Run) -> tuple[list[_Run], list[list[_Run]]]:
    """The line that is open after ``run``, and the lines that it ended."""
    *ended, rest = run.text.split("\n")
    done = []
    for text in ended:
        done.append([*runs, _Run(text, run.look)])
        runs = []
    return ([*runs, _Run(rest, run.look)] if rest else runs), done


def _writing(runs: list[_Run], align: Align, tabs: tuple[float, ...]) -> list[Writing]:
    """The line of these runs, in the look that most of its letters have; none for a blank one."""
    text = "".join(run.text for run in runs).replace("\xa0", " ").replace("\xad", "").strip(" ")
    if not text.strip():
        return []
    main = max(runs, key=lambda run: len(run.text.strip())).look
    return [Writing(text, main.size or _SIZE, bool(main.bold), main.color, align, tabs)]


def _tab_stops(properties: Any) -> tuple[float, ...]:
    stops = (points(stop.get(W + "pos")) for stop in properties.iterfind(f"{W}tabs/{W}tab"))
    return tuple(sorted(stop for stop in stops if stop is not None and stop > 0))


def _results(tokens: Iterable[_Token]) -> Iterator[_Run | PageBreak | TextBox]:
    """Leave out what stands in the instruction of a field, between its begin and its separator."""
    instructing: list[bool] = []
    for token in tokens:
        if not isinstance(token, _Field):
            if not any(instructing):
                yield token
        elif token.step == "begin":
            instructing.append(True)
        elif instructing:
            instructing.pop()
            if token.step == "separate":
                instructing.append(False)


def _tokens(element: Any, look: Look, styles: Styles) -> Iterator[_Token]:
    for child in element:
        tag = child.tag
        if not isinstance(tag, str) or tag in _NOT_TEXT:
            continue
        if tag == W + "r":
            of_run = Look.of(child.find(W + "rPr"))
            style = styles.look(attribute(child, "rPr/rStyle"))
            yield from _tokens(child, look.under(style).under(of_run), styles)
        elif tag == _MC + "AlternateContent":
            yield from _tokens(chosen(child), look, styles)
        elif tag == W + "txbxContent":
            yield TextBox(child)
        else:
            token = _leaf(child, look)
            yield from _tokens(child, look, styles) if token is None else [] if look.hidden else [token]


def _leaf(element: Any, look: Look) -> _Token | None:
    """The token that an element is by itself; None where it only holds others."""
    tag = element.tag
    if tag in (W + "t", _M + "t"):
        text = (element.text or "").replace("\n", " ")
        return _Run(text.upper() if look.capitals else text, look)
    if tag in _CHARACTERS:
        return _Run(_CHARACTERS[tag], look)
    if tag == W + "br":
        return PageBreak() if element.get(W + "type") == "page" else _Run("\n", look)
    if tag == W + "fldChar":
        return _Field(element.get(W + "fldCharType", ""))
    return None


def chosen(alternatives: Any) -> Any:
    """The branch of an ``mc:AlternateContent`` that is read: the first with text, for all say the same."""
    branches = [branch for branch in alternatives if isinstance(branch.tag, str)]
    written = (branch for branch in branches if next(branch.iter(W + "t"), None) is not None)
    return next(written, branches[0] if branches else ())
