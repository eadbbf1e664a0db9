"""The reports: what a reader finds in them, and that no text of a document becomes markup."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocai.documents.page import Box, Cell, Document, Line, Matrix, Page, Quad, Table
from pocai.evaluation.dataset import Dataset, LabelledDocument
from pocai.evaluation.evaluate import EvaluationResult, Extraction, evaluate
from pocai.evaluation.markup import Html, element
from pocai.evaluation.pictures import picture_of
from pocai.evaluation.report import markdown, write_report
from pocai.evaluation.report_page import html_page, rows_of
from pocai.timetable.timetable import Timetable

EVIL = "<script>alert('x')</script>\"&"
VOID = {"meta", "input", "col", "!doctype"}


def block(day: str, name: str, start: str, *, box: tuple[float, float, float, float] | None = None) -> dict[str, Any]:
    fields = {} if box is None else {"name": {"page": 0, "box": box}, "day": {"page": 0, "box": (0, 0, 400, 10)}}
    return {"day": day, "name": name, "startTime": start, "endTime": None, "notes": None, "fields": fields}


GOLD = {
    "className": "2A",
    "timeblocks": [block("Monday", "Art", "09:00"), block("Monday", "Music", "10:00"), block("Monday", "PE", "11:00")],
}
PREDICTED = [
    block("Monday", "Art", "09:00", box=(10, 20, 90, 40)),
    block("Monday", "Mime", "10:00", box=(10, 50, 90, 70)),
    block("Tuesday", "Chess", "12:00", box=(10, 80, 90, 99)),
]


def paper(height: int = 300, width: int = 400) -> Page:
    return Page(0, width, height, image=np.full((height, width, 3), 255, np.uint8))


def result_of(
    gold: dict[str, Any] = GOLD,
    predicted: list[dict[str, Any]] = PREDICTED,
    name: str = "week",
    page: Page | None = None,
) -> EvaluationResult:
    timetables = (Timetable.model_validate({"timeblocks": predicted}),)
    document = Document((page or paper(),), "png", sha256="0")
    dataset = Dataset((LabelledDocument(name, Path(f"{name}.png"), gold),), ("forgotten",))
    return evaluate(dataset, lambda _: Extraction(timetables, document=document))


class Outline(HTMLParser):
    """Elements with their attributes, the text, and whether every element was closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [
            attributes
            for name, attributes in self.elements
            if name == tag and all(value in (attributes.get(key) or "").split() for key, value in wanted.items())
        ]


def test_rows_tell_right_wrong_missing_and_surplus_apart() -> None:
    rows = rows_of(result_of().documents[0], "d0")

    assert [row.state for row in rows] == ["right", "wrong", "missing", "surplus"]
    assert rows[1].wrong == {"name"}


def test_the_page_shows_the_boxes_in_the_colour_of_their_state() -> None:
    outline = Outline(html_page(result_of()))

    spots = {spot["href"]: spot["class"] for spot in outline.all("a", **{"class": "spot"})}
    assert len(outline.all("polygon")) == 4  # three names, and the day heading that they share
    assert spots["#d0-p0"] == "spot right"
    assert spots["#d0-p1"] == "spot wrong"
    assert spots["#d0-p2"] == "spot surplus"


def test_every_link_leads_to_something_on_the_page() -> None:
    outline = Outline(html_page(result_of()))
    anchors = {attributes["id"] for _, attributes in outline.elements if "id" in attributes}

    links = {attributes.get("href") or "" for _, attributes in outline.elements}
    assert {link[1:] for link in links if link.startswith("#")} <= anchors
    assert len(anchors) == len([1 for _, attributes in outline.elements if "id" in attributes])


def test_a_wrong_field_is_marked_on_both_sides_and_a_right_one_on_none() -> None:
    page = html_page(result_of())

    assert re.search(r'<td class="good">Music</td>.*<td class="bad">Mime</td>', page)
    assert "<td>Art</td>" in page
    assert "2A" in page


def test_the_report_is_well_formed_and_fetches_nothing() -> None:
    page = html_page(result_of())
    outline = Outline(page)

    assert not outline.open
    assert not outline.all("script")
    assert not outline.all("link")
    assert all((image["href"] or "").startswith("data:image/jpeg;base64,") for image in outline.all("image"))
    assert "http:" not in page
    assert "https:" not in page
    assert "url(" not in page
    assert "@import" not in page


def test_text_of_a_document_never_becomes_markup() -> None:
    gold = {"className": EVIL, "timeblocks": [block(EVIL, EVIL, EVIL) | {"notes": EVIL}]}
    predicted = [block("Monday", EVIL, "09:00", box=(1, 1, 9, 9)) | {"notes": EVIL}]
    line = Line(EVIL, Quad.of(Box(1, 1, 50, 9)))
    native = Page(0, 100, 100, tables=(Table((Cell(Box(0, 0, 50, 10), 0, 0, lines=(line,)),)),))

    page = html_page(result_of(gold, predicted, name=EVIL.replace("/", ""), page=native))
    outline = Outline(page)

    assert not outline.all("script")
    assert "<script" not in page
    assert EVIL in outline.text


@given(st.text(max_size=30))
def test_any_text_survives_as_text_and_can_be_written(text: str) -> None:
    markup = element("p", text, title=text)
    markup.encode()
    outline = Outline(markup)

    assert [name for name, _ in outline.elements] == ["p"]
    assert not outline.open


def test_markup_is_escaped_once_and_missing_attributes_are_left_out() -> None:
    assert element("p", element("b", "a < b"), class_=None, aria_label="x") == '<p aria-label="x"><b>a &lt; b</b></p>'
    assert isinstance(element("p"), Html)


def test_a_failed_document_says_why_and_lists_what_is_missing() -> None:
    def fail(_: Path) -> Extraction:
        raise KeyError("Ms Secret")

    result = evaluate(Dataset((LabelledDocument("week", Path("week.png"), GOLD),)), fail)
    page = html_page(result)

    assert "Not extracted: crashed: KeyError" in page
    assert "− missing: 3" in page
    assert "Secret" not in page + markdown(result)


def test_a_picture_is_scaled_down_and_marks_follow() -> None:
    picture = picture_of(paper(height=1400, width=2800))

    assert (picture.width, picture.height) == (1400, 700)
    assert picture.place((100, 200, 300, 400)) == ((50, 100), (150, 100), (150, 200), (50, 200))
    assert picture.jpeg is not None
    assert picture.jpeg.startswith(b"\xff\xd8")


def test_marks_of_a_turned_upload_are_drawn_on_the_upright_page() -> None:
    # the upload is 100 wide and 200 high; upright it is 200 by 100: source (x, y) = (99 - page y, page x)
    to_source: Matrix = (0, -1, 99, 1, 0, 0, 0, 0, 1)
    page = Page(0, 200, 100, image=np.zeros((100, 200, 3), np.uint8), to_source=to_source)

    corners = picture_of(page).place((89, 0, 99, 40))

    assert {(round(x), round(y)) for x, y in corners} == {(0, 10), (0, 0), (40, 0), (40, 10)}


def test_a_page_in_points_maps_to_the_pixels_of_its_picture() -> None:
    page = Page(0, 595, 842, image=np.zeros((1684, 1190, 3), np.uint8), unit="pt")

    right, bottom = picture_of(page).place((0, 0, 595, 842))[2]

    assert (round(right), round(bottom)) == (round(1190 * 1400 / 1684), 1400)


def test_a_native_page_is_drawn_from_its_cells() -> None:
    line = Line("Maths", Quad.of(Box(1, 1, 50, 9)))
    native = Page(0, 100, 100, tables=(Table((Cell(Box(0, 0, 50, 10), 0, 0, lines=(line,)),)),))

    outline = Outline(html_page(result_of(page=native)))

    assert not outline.all("image")
    assert len(outline.all("rect", **{"class": "cell"})) == 1
    assert "Maths" in outline.text


def test_the_markdown_gives_figures_and_no_text_of_the_document() -> None:
    text = markdown(result_of(name="odd|name_1"))

    assert "| odd\\|name\\_1 | 0.333 |" in text
    assert "Left out, for lack of a label: forgotten." in text
    assert "Music" not in text
    assert "format: png (1)" in text


def test_the_markdown_tables_keep_their_columns() -> None:
    for table in re.findall(r"(?:^\|.*\n)+", markdown(result_of(name="a|b")), flags=re.MULTILINE):
        columns = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(columns) == 1


def test_both_reports_are_written(tmp_path: Path) -> None:
    text, page = write_report(result_of(), tmp_path / "new" / "folder")

    assert text.read_text(encoding="utf-8").startswith("# Evaluation")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_an_empty_evaluation_still_reports() -> None:
    nothing = EvaluationResult(())

    assert "0 documents" in markdown(nothing)
    assert not Outline(html_page(nothing)).open


@pytest.mark.parametrize("height", [1, 3000])
def test_the_embedded_picture_is_a_jpeg_of_at_most_1400_pixels(height: int) -> None:
    import cv2

    page = html_page(result_of(page=paper(height=height, width=50)))
    found = re.search(r"base64,([^\"]+)", page)

    assert found is not None
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(found[1]), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert max(picture.shape) <= 1400
