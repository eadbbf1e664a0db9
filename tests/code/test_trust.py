"""Confidences beside the truth, and the section of the report about them."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pocai.evaluation.dataset import Dataset, LabelledDocument
from pocai.evaluation.evaluate import Evaluated, Extraction, evaluate
from pocai.evaluation.markup import together
from pocai.evaluation.trust import (
    SUBJECTS,
    Claim,
    Subject,
    by_slice,
    by_subject,
    claims_of,
    right_block,
    right_fields,
    trust_of,
)
from pocai.evaluation.trust_report import NOTHING, TITLE, trust_markdown, trust_section, trust_sentence, trust_style
from pocai.timetable.timetable import Timetable


def block(day: str, name: str, start: str, notes: str | None = None, sure: float | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"day": day, "name": name, "startTime": start, "endTime": None, "notes": notes}
    if sure is not None:
        marked = [field for field, value in found.items() if value is not None]
        found["fields"] = {field: mark(sure) for field in marked}
    return found


def mark(sure: float) -> dict[str, Any]:
    return {"page": 0, "box": (0, 0, 9, 9), "confidence": sure, "reason": None}


GOLD = {
    "timeblocks": [
        block("Monday", "Art", "09:00", "Room 1"),
        block("Monday", "Music", "10:00") | {"accept": [{"notes": "with Ada"}]},
        block("Monday", "PE", "11:00"),
    ],
    "slices": {"layout": "rows", "photo": True},
}
PREDICTED = [
    block("Monday", "Art", "09:00", "Room 1", sure=0.9),
    block("Monday", "Mime", "10:00", "with Ada", sure=0.4),
    block("Tuesday", "Chess", "12:00", sure=0.2),
]


def timetable(*blocks: dict[str, Any]) -> Timetable:
    return Timetable.model_validate({"timeblocks": blocks})


def evaluated(predicted: list[dict[str, Any]] = PREDICTED, gold: dict[str, Any] = GOLD) -> Evaluated:
    dataset = Dataset((LabelledDocument("week", Path("week.png"), gold),))
    week = timetable(*predicted)
    sure = tuple(each.fields["name"].confidence if each.fields else None for each in week.timeblocks)
    found = Extraction((week,), confidences=(sure,))
    return evaluate(dataset, lambda _: found, pictures=False).documents[0]


def test_a_field_is_right_where_its_block_is_paired_and_agrees() -> None:
    art, music, chess = right_fields(GOLD, (timetable(*PREDICTED),))

    assert art == {"day", "name", "startTime", "endTime", "notes"}
    assert music == {"day", "startTime", "endTime", "notes"}  # these notes are accepted as well
    assert chess == set()


def test_blocks_of_several_timetables_follow_each_other() -> None:
    first, second = timetable(PREDICTED[2]), timetable(PREDICTED[0])
    assert [len(fields) for fields in right_fields(GOLD, (first, second))] == [0, 5]


@pytest.mark.parametrize(
    ("printed", "said", "right"),
    [
        ("Room 1", "Room 1", True),
        ("Room 1, Hall", "Hall Room 1", True),  # the order of words does not matter
        ("Room 12, Hall", "Room 1Z, Hall", True),  # a small slip
        ("Room 1", "Room 1 Art", True),  # a word of the name
        ("Room 1", "Room 1 with Ada", False),
        ("Room 1 with Ada", "Room 1", False),
        (None, "Room 1", False),
    ],
)
def test_notes_are_right_when_they_say_what_is_printed(printed: str | None, said: str, right: bool) -> None:
    gold = {"timeblocks": [block("Monday", "Art", "09:00", printed)]}
    (fields,) = right_fields(gold, (timetable(block("Monday", "Art", "09:00", said)),))
    assert ("notes" in fields) is right


def test_a_block_is_right_without_its_notes() -> None:
    assert right_block(frozenset(("day", "name", "startTime", "endTime")))
    assert not right_block(frozenset(("day", "name", "startTime", "notes")))


def test_every_field_with_a_confidence_is_a_claim_and_every_block_one_more() -> None:
    claims = claims_of([evaluated()])

    counted = {subject: len(some) for subject, some in by_subject(claims).items()}
    assert counted == {"day": 3, "name": 3, "startTime": 3, "notes": 2, "block": 3}
    assert [(claim.confidence, claim.right) for claim in by_subject(claims)["block"]] == [
        (0.9, True),
        (0.4, False),
        (0.2, False),
    ]
    assert {claim.document for claim in claims} == {"week"}
    assert sorted(map(str, by_slice(claims))) == ["layout: rows", "photo: yes"]


def test_what_has_no_confidence_claims_nothing() -> None:
    unsure = [{key: value for key, value in each.items() if key != "fields"} for each in PREDICTED]
    assert claims_of([evaluated(unsure)]) == ()


def test_a_models_own_estimate_is_no_claim() -> None:
    own = {**PREDICTED[0], "fields": {"name": mark(0.7) | {"reason": "not calibrated"}}}
    assert [claim.subject for claim in claims_of([replace(evaluated([own]), confidences=())])] == []


def test_the_figures_are_those_of_the_claims() -> None:
    figures = trust_of(by_subject(claims_of([evaluated()]))["block"], seed=1)

    assert (figures.claims, figures.documents) == (3, 1)
    assert figures.right == pytest.approx(1 / 3)
    assert figures.confidence == pytest.approx(0.5)
    assert figures.ece == pytest.approx((0.1 + 0.4 + 0.2) / 3)
    assert figures.ranking == 1.0
    assert figures.accepted is not None
    assert figures.accepted.coverage == pytest.approx(1 / 3)
    assert figures.ece_interval is not None
    assert figures.ece_interval.low == pytest.approx(figures.ece_interval.high)  # there is but one document


class Outline(HTMLParser):
    """Elements with their attributes, and whether each was closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def many(subject: Subject = "block") -> list[Claim]:
    slices = evaluated().slices
    return [
        Claim(subject, 0.5 + (n % 50) / 100, n % 7 != 0 or n % 50 > 30, f"d{n % 9}", slices if n % 2 else ())
        for n in range(300)
    ]


def test_the_section_shows_both_plots_and_the_tables() -> None:
    outline = Outline(trust_section(many()))

    drawings = [attributes for tag, attributes in outline.elements if tag == "svg"]
    assert len(drawings) == 2
    assert all(attributes["aria-label"] for attributes in drawings)
    assert TITLE in outline.text
    assert "layout: rows" in outline.text
    assert "photo: yes" in outline.text


def test_the_points_of_the_plots_lie_inside_them() -> None:
    for page in (trust_section(many()), trust_section(many("name")[:1])):
        numbers = re.findall(r'points="([^"]*)"', page)
        points = [tuple(map(float, pair.split(","))) for each in numbers for pair in each.split()]
        assert points
        assert all(0 <= x <= 360 and 0 <= y <= 270 for x, y in points)


def test_every_colour_of_the_plots_is_in_the_style_sheet() -> None:
    drawn = re.findall(r'<(?:line|circle|polyline|rect|text)[^>]*class="([^"]*)"', trust_section(many()))
    used = {name for each in drawn for name in each.split()}
    assert used
    assert {name for name in used if f".{name}" not in trust_style()} <= {"tick"}


def test_the_markdown_says_the_same_as_the_figures() -> None:
    text = trust_markdown(many())

    figures = trust_of(many())
    assert f"| block | 300 | {figures.right:.3f} | {figures.confidence:.3f} | {figures.ece:.3f} |" in text
    assert "| layout: rows | 150 |" in text
    assert "95 % interval over documents" in trust_sentence(many())


def test_small_slices_are_left_out() -> None:
    assert "layout" not in trust_markdown(many()[:30])


@pytest.mark.parametrize("said", [trust_markdown, trust_section])
def test_without_a_confidence_the_section_says_so(said: Any) -> None:
    assert NOTHING in together(said([]))


def test_no_text_of_a_document_gets_into_the_section() -> None:
    claims = claims_of([evaluated()])
    for text in (trust_markdown(claims), trust_section(claims)):
        assert not re.search("Art|Mime|Chess|Ada", text)


def test_a_field_alone_is_shown_where_no_block_has_a_confidence() -> None:
    assert "300 name confidences" in trust_sentence(many("name"))
    assert set(by_subject(many("name"))) == {"name"} <= set(SUBJECTS)


def test_no_threshold_is_named_where_the_surest_is_wrong() -> None:
    claims = [Claim("block", 0.9, right=False, document="d"), Claim("block", 0.5, right=True, document="d")]
    assert "no threshold leaves at most 1% wrong" in trust_sentence(claims)
