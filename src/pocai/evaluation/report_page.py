"""The HTML report: one file, nothing fetched, no script; boxes on the page lead to the row that explains them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal, NamedTuple, TypeAlias

from pocai.documents.page import Box
from pocai.evaluation.evaluate import Evaluated, EvaluationResult
from pocai.evaluation.markup import Html, element, together
from pocai.evaluation.pictures import PagePicture
from pocai.evaluation.report import SHARES, seconds_of, summary_sentence, worst_first
from pocai.evaluation.timetables import FIELDS, HEADER, SLOT, Counts, Figures, Json, blocks_of, header_of, total
from pocai.evaluation.trust import claims_of
from pocai.evaluation.trust_report import trust_section, trust_style
from pocai.timetable.timetable import Mark

State: TypeAlias = Literal["right", "wrong", "surplus", "missing"]

_SEVERITY = {"right": 0, "wrong": 1, "surplus": 2}
_SIGN = {"right": "✓ right", "wrong": "✗ wrong", "missing": "− missing", "surplus": "+ surplus"}
_LABEL = {
    "block": "Block F1",
    "slot": "Slot F1",
    "name": "Name F1",
    "notes": "Notes",
    "header": "Header",
}
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


class Row(NamedTuple):
    """A line of the comparison: the gold block, the predicted one, what is wrong, and its anchor."""

    state: State
    gold: Json | None
    predicted: Json | None
    wrong: frozenset[str]
    anchor: str


@dataclass(frozen=True, slots=True)
class _Spot:
    """A box on a page with the worst that is known of it, and the rows that use it."""

    mark: Mark
    state: State
    rows: tuple[tuple[str, str], ...]  # anchor, what is said of it


def html_page(result: EvaluationResult, *, title: str = "Timetable evaluation") -> str:
    """The whole report as one HTML document, worst document first; all text is escaped."""
    documents = worst_first(result.documents)
    style = resources.files("pocai").joinpath("assets/report/report.css").read_text(encoding="utf-8")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Html(style + trust_style())),
    )
    body = element(
        "body",
        element("a", "Skip to the documents", href="#documents", class_="skip"),
        element("header", element("h1", title), element("p", summary_sentence(result), class_="lead")),
        element(
            "main",
            _summary(result),
            _slices(result),
            trust_section(claims_of(result.documents)),
            _index(documents, result.unlabelled),
            *(_document(index, document) for index, document in enumerate(documents)),
        ),
        element("footer", element("p", "This file shows the documents themselves: it may hold names of people.")),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def rows_of(document: Evaluated, prefix: str) -> list[Row]:
    """All lines of the comparison in the order of the truth, surplus blocks last."""
    golds, preds = blocks_of(document.gold), blocks_of(document.predicted)
    by_gold = {pair.gold: pair for pair in document.comparison.pairs}
    rows = []
    for index, gold in enumerate(golds):
        pair = by_gold.get(index)
        if pair is None:
            rows.append(Row("missing", gold, None, frozenset(), f"{prefix}-g{index}"))
        else:
            wrong = frozenset(FIELDS) - pair.right
            state: State = "wrong" if wrong else "right"
            rows.append(Row(state, gold, preds[pair.predicted], wrong, f"{prefix}-p{pair.predicted}"))
    surplus = document.comparison.surplus
    return rows + [Row("surplus", None, preds[index], frozenset(), f"{prefix}-p{index}") for index in surplus]


def _summary(result: EvaluationResult) -> Html:
    figures = result.counts.figures
    tiles = [_tile(_LABEL[share], f"{getattr(figures, share):.1%}") for share in SHARES]
    if result.recall is not None:
        tiles.append(_tile("Words read", f"{result.recall.share:.1%}"))
    tiles += [
        _tile("Corrections left", f"{figures.edits}"),
        _tile("Documents exact", f"{figures.exact} of {len(result.documents)}"),
    ]
    return element(
        "section",
        element("h2", "Over all documents"),
        element("dl", *tiles, class_="tiles"),
        element("p", f"Time: {seconds_of(result.documents)}.", class_="quiet"),
        class_="summary",
    )


def _tile(label: str, value: str) -> Html:
    return element("div", element("dt", label), element("dd", value))


def _slices(result: EvaluationResult) -> Html:
    rows = [
        [
            element("th", each.dimension, scope="row"),
            element("td", each.value),
            element("td", len(documents), class_="number"),
            *_figure_cells(total(document.counts for document in documents)),
        ]
        for each, documents in result.by_slice().items()
    ]
    if not rows:
        return element("section", element("h2", "By slice"), element("p", "No slice is known.", class_="quiet"))
    head = ["Dimension", "Value", "Documents", *(_LABEL[share] for share in SHARES), "Corrections"]
    return element("section", element("h2", "By slice"), _table(head, rows, numbers_from=2))


def _index(documents: Sequence[Evaluated], unlabelled: Sequence[str]) -> Html:
    rows = [
        [
            element("th", element("a", document.name, href=f"#d{index}"), scope="row"),
            *_figure_cells(document.counts),
            element("td", f"{document.seconds:.2f}", class_="number"),
        ]
        for index, document in enumerate(documents)
    ]
    head = ["Document", *(_LABEL[share] for share in SHARES), "Corrections", "Seconds"]
    left_out = f"Left out, for lack of a label: {', '.join(unlabelled)}." if unlabelled else None
    return element(
        "section",
        element("h2", "By document, worst first"),
        _table(head, rows, numbers_from=1),
        element("p", left_out, class_="quiet") if left_out else None,
        id="documents",
    )


def _figure_cells(counts: Counts) -> list[Html]:
    figures = counts.figures
    measured = {"notes": counts.note_words > 0, "header": counts.header_asked > 0}
    cells = [_bar(figures, share) if measured.get(share, True) else _not_asked() for share in SHARES]
    return [*cells, element("td", counts.edits, class_="number")]


def _bar(figures: Figures, share: str) -> Html:
    value = float(getattr(figures, share))
    return element("td", element("span", f"{value:.1%}", class_="bar", style=f"--share:{value:.4f}"), class_="number")


def _not_asked() -> Html:
    return element("td", element("abbr", "–", title="the truth names none"), class_="number")


def _document(index: int, document: Evaluated) -> Html:
    prefix = f"d{index}"
    rows = rows_of(document, prefix)
    return element(
        "section",
        element("h2", document.name, id=prefix),
        element("p", _facts(document, rows), class_="facts"),
        element("p", f"Not extracted: {document.error}", class_="failed", role="alert") if document.error else None,
        _pages(document, rows, prefix),
        _header_table(document),
        _block_tables(rows),
        element("p", element("a", "Back to all documents", href="#documents"), class_="quiet back"),
        class_="document",
    )


def _facts(document: Evaluated, rows: Sequence[Row]) -> Html:
    counts = {state: sum(row.state == state for row in rows) for state in _SIGN}
    badges = [element("span", f"{_SIGN[state]}: {number}", class_=f"badge {state}") for state, number in counts.items()]
    figures = document.counts.figures
    said = f"block F1 {figures.block:.1%} · slot F1 {figures.slot:.1%} · {figures.edits} corrections"
    slices = "".join(f" · {each}" for each in document.slices)
    return together(*badges, element("span", f"{said} · {document.seconds:.2f} s{slices}", class_="quiet"))


def _pages(document: Evaluated, rows: Sequence[Row], prefix: str) -> Html | None:
    if not document.pictures:
        return None
    spots = _spots(document, {row.anchor: row for row in rows}, prefix)
    figures = [
        _page(picture, [spot for spot in spots if spot.mark.page == picture.number]) for picture in document.pictures
    ]
    choice = element(
        "label",
        element("input", type="checkbox", class_="only-wrong"),
        " show only boxes with mistakes",
        class_="choice",
    )
    return element("div", choice, *figures, class_="pages")


def _spots(document: Evaluated, by_anchor: Mapping[str, Row], prefix: str) -> list[_Spot]:
    """The marks of all predicted blocks, those at one place merged: a header cell serves many blocks."""
    blocks = [block for timetable in document.predicted for block in timetable.timeblocks]
    spots: dict[tuple[int, tuple[float, ...]], _Spot] = {}
    for index, block in enumerate(blocks):
        row = by_anchor[f"{prefix}-p{index}"]
        for name, mark in block.fields.items():
            state: State = row.state if row.state == "surplus" else ("wrong" if name in row.wrong else "right")
            said = (row.anchor, f"{name} of {_spoken(row.predicted)}: {_SIGN[state]}")
            old = spots.get((mark.page, mark.box), _Spot(mark, state, ()))
            worse = state if _SEVERITY[state] > _SEVERITY[old.state] else old.state
            said_first = state != "right" and old.state == "right"
            said_rows = (said, *old.rows) if said_first else (*old.rows, said)
            spots[mark.page, mark.box] = _Spot(mark, worse, said_rows)
    return sorted(spots.values(), key=lambda spot: _SEVERITY[spot.state])


def _page(picture: PagePicture, spots: Iterable[_Spot]) -> Html:
    size = f"0 0 {picture.width:g} {picture.height:g}"
    return element(
        "figure",
        element(
            "svg",
            *_paper(picture),
            *(_polygon(picture, spot) for spot in spots),
            viewBox=size,
            role="group",
            aria_label=f"Page {picture.number + 1} with the boxes of the extracted fields",
        ),
        element("figcaption", f"Page {picture.number + 1}"),
        class_="page",
    )


def _paper(picture: PagePicture) -> Iterator[Html]:
    width, height = f"{picture.width:g}", f"{picture.height:g}"
    if picture.jpeg is not None:
        data = f"data:image/jpeg;base64,{base64.b64encode(picture.jpeg).decode()}"
        yield element("image", href=data, width=width, height=height)
        return
    yield element("rect", class_="paper", width=width, height=height)
    for box, text in picture.cells:
        yield _rectangle(box)
        yield _cell_text(box, text)


def _rectangle(box: Box) -> Html:
    return element(
        "rect",
        class_="cell",
        x=f"{box.left:.1f}",
        y=f"{box.top:.1f}",
        width=f"{max(0.0, box.width):.1f}",
        height=f"{max(0.0, box.height):.1f}",
    )


def _cell_text(box: Box, text: str) -> Html:
    size = max(1.0, min(10.0, box.height * 0.7, 1.6 * box.width / max(1, len(text))))
    at = {"x": f"{box.left + 2:.1f}", "y": f"{box.top + size:.1f}"}
    return element("text", text, class_="cell-text", font_size=f"{size:.1f}", x=at["x"], y=at["y"])


def _polygon(picture: PagePicture, spot: _Spot) -> Html:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in picture.place(spot.mark.box))
    said = "\n".join(text for _, text in spot.rows)
    shape = element("polygon", element("title", said), points=points)
    return element("a", shape, href=f"#{spot.rows[0][0]}", class_=f"spot {spot.state}", aria_label=said)


def _spoken(block: Json | None) -> str:
    if block is None:
        return ""
    return f"{block.get('day') or 'no day'} {_span(block)} {block.get('name')}"


def _span(block: Json) -> str:
    return f"{block.get('startTime') or '?'} – {block.get('endTime') or '?'}"


def _header_table(document: Evaluated) -> Html | None:
    gold, predicted = header_of(document.gold), header_of(document.predicted)
    wrong = document.comparison.header_wrong
    rows = [
        [
            element("th", name, scope="row"),
            element("td", gold[name] if gold[name] is not None else "–"),
            element(
                "td", predicted[name] if predicted[name] is not None else "–", class_="bad" if name in wrong else None
            ),
        ]
        for name in HEADER
        if gold[name] is not None or predicted[name] is not None
    ]
    return _table(["Header", "Truth", "Extracted"], rows) if rows else None


def _block_tables(rows: Sequence[Row]) -> Html:
    differing = [row for row in rows if row.state != "right"]
    right = [row for row in rows if row.state == "right"]
    return together(
        _block_table(differing) if differing else element("p", "No block differs.", class_="quiet"),
        element("details", element("summary", f"{len(right)} blocks that are right"), _block_table(right))
        if right
        else None,
    )


def _block_table(rows: Sequence[Row]) -> Html:
    groups = element(
        "tr",
        element("th", "", scope="col"),
        element("th", "Truth", colspan=4, scope="colgroup"),
        element("th", "Extracted", colspan=4, scope="colgroup", class_="second"),
    )
    columns = ["Day", "Time", "Name", "Notes"]
    heads = element("tr", *(element("th", text, scope="col") for text in ["", *columns, *columns]))
    body = [element("tr", *_block_cells(row), id=row.anchor, class_=row.state) for row in rows]
    widths = element(
        "colgroup",
        element("col", class_="of-state"),
        *(element("col", class_=f"of-{text.lower()}") for text in columns * 2),
    )
    table = element("table", widths, element("thead", groups, heads), element("tbody", *body), class_="blocks")
    return element("div", table, class_="scroll", tabindex=0, role="region", aria_label="Blocks, truth and extracted")


def _block_cells(row: Row) -> list[Html]:
    return [
        element("th", _SIGN[row.state], scope="row", class_=f"state {row.state}"),
        *_side_cells(row.gold, "good" if row.state != "right" else None, row.wrong),
        *_side_cells(row.predicted, "bad" if row.state != "right" else None, row.wrong),
    ]


def _side_cells(block: Json | None, tone: str | None, wrong: frozenset[str]) -> list[Html]:
    """Day, time, name and notes of one side; wrong fields, or all of a lone block, in ``tone``."""
    if block is None:
        return [element("td", "–", colspan=4, class_="none")]
    marked = {
        "day": "day" in wrong,
        "time": bool(wrong & (SLOT - {"day"})),
        "name": "name" in wrong,
        "notes": False,
    }
    texts = {
        "day": block.get("day") or "–",
        "time": _span(block),
        "name": block.get("name"),
        "notes": block.get("notes") or "",
    }
    lone = not wrong
    return [
        element("td", text, class_=tone if marked[name] or (lone and name != "notes") else None)
        for name, text in texts.items()
    ]


def _table(head: Sequence[str], rows: Iterable[Iterable[Html]], *, numbers_from: int | None = None) -> Html:
    """A table whose columns from ``numbers_from`` on hold numbers."""
    first_number = len(head) if numbers_from is None else numbers_from
    heads = [
        element("th", text, scope="col", class_="number" if index >= first_number else None)
        for index, text in enumerate(head)
    ]
    table = element(
        "table",
        element("thead", element("tr", *heads)),
        element("tbody", *(element("tr", *row) for row in rows)),
    )
    return element("div", table, class_="scroll")
