"""The timetable metric: equal to the reference script to the last digit, and sane where no script is at hand."""

from __future__ import annotations

import importlib.util
import json
import random
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocai.evaluation.timetables import Counts, Pair, compare, score, total
from pocai.timetable.timetable import Timetable

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT.parent / "shared" / "tools" / "score.py"
GOLDEN = ROOT / "tests" / "golden" / "scored_timetables.json"
CASES: list[dict[str, Any]] = json.loads(GOLDEN.read_text(encoding="utf-8"))

needs_reference = pytest.mark.skipif(not REFERENCE.is_file(), reason="the reference script ../shared/tools is not here")

DAYS = ("Monday", "Tuesday", "tuesday ", "Friday", None, "")
NAMES = (
    "Maths",
    "Maths ",
    "MATHS 1",
    "Mathematics",
    "Mathematik",
    "Reading – group A",
    "Reading - group B",
    "Break",
    "Brake",
    "P.E.",
    "“Circle time”",
    "Été",
    "",
    None,
)
TIMES = ("9:00", "09:00", "10:15", " 10:15 ", "10.15", "25:99", "11:00", None, "")
NOTES = (None, "", "with Ms X", "Room 4, hall", "hall  HALL", "Maths", "1.2–3")


def blocks(*, accepting: bool) -> st.SearchStrategy[dict[str, Any]]:
    values = {
        "day": st.sampled_from(DAYS),
        "name": st.sampled_from(NAMES),
        "startTime": st.sampled_from(TIMES),
        "endTime": st.sampled_from(TIMES),
        "notes": st.sampled_from(NOTES),
    }
    variant = st.fixed_dictionaries({}, optional=values)
    extra = {"accept": st.none() | st.lists(variant, max_size=3)} if accepting else {}
    return st.fixed_dictionaries(values, optional=extra)


HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "teacher": st.sampled_from((None, "", "Ms X", "MS X", "Mr Y")),
        "className": st.sampled_from((None, "2A", "2B")),
        "term": st.sampled_from((None, "Autumn 1", "Autumn  1", "Spring")),
        "year": st.sampled_from((None, 2024, 2025, "2024")),
    },
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A truth, and a prediction that keeps, changes, drops and adds some of its blocks."""
    golds = draw(st.lists(blocks(accepting=True), max_size=7))
    kept = [{**block, **draw(st.sampled_from(({}, {}, {"name": "Break"}, {"endTime": None})))} for block in golds]
    preds = draw(st.permutations(kept)) + draw(st.lists(blocks(accepting=False), max_size=3))
    preds = preds[draw(st.integers(0, 3)) :]
    header = draw(HEADERS)
    if draw(st.booleans()):
        cut = draw(st.integers(0, len(preds)))
        tables = [draw(HEADERS) | {"timeblocks": part} for part in (preds[:cut], preds[cut:])]
        return header | {"timeblocks": golds}, {"timetables": tables[: draw(st.integers(0, 2))]}
    return header | {"timeblocks": golds}, draw(HEADERS) | {"timeblocks": preds}


@cache
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference_score", REFERENCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def as_dict(counts: Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in Counts.__slots__}


@needs_reference
@settings(max_examples=600, deadline=None, derandomize=True)
@given(cases())
def test_it_agrees_with_the_reference_script_to_the_last_digit(case: tuple[dict[str, Any], dict[str, Any]]) -> None:
    gold, predicted = case
    expected = reference().score(gold, predicted)

    counts = score(gold, predicted)

    assert as_dict(counts) == expected
    assert counts.figures._asdict() == reference().figures(expected)


@needs_reference
def test_it_agrees_on_large_random_weeks_and_on_their_sum() -> None:
    chance, summed, expected = random.Random(7), [], dict.fromkeys(Counts.__slots__, 0)
    for _ in range(60):
        week: list[dict[str, Any]] = [
            {
                "day": chance.choice(("Monday", "Tuesday", "Wednesday")),
                "name": "".join(chance.choices("abcdefgh ", k=8)),
                "startTime": f"{chance.randrange(8, 15)}:{chance.choice(('00', '30'))}",
                "endTime": f"{chance.randrange(9, 16):02d}:15",
                "notes": chance.choice(NOTES),
            }
            for _ in range(25)
        ]
        guess = [{**block, "name": _typo(block["name"], chance)} for block in week if chance.random() > 0.15]
        chance.shuffle(guess)
        summed.append(score({"timeblocks": week}, {"timeblocks": guess}))
        for name, value in reference().score({"timeblocks": week}, {"timeblocks": guess}).items():
            expected[name] += value

    assert as_dict(total(summed)) == expected
    assert total(summed).figures._asdict() == reference().figures(expected)


def _typo(name: str, chance: random.Random) -> str:
    at = chance.randrange(len(name))
    return name[:at] + chance.choice("xyz") + name[at + 1 :] if chance.random() < 0.5 else name


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_golden_cases_keep_their_figures(case: dict[str, Any]) -> None:
    counts = score(case["gold"], case["predicted"])

    assert as_dict(counts) == case["counts"]
    assert counts.figures._asdict() == case["figures"]


@needs_reference
@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_the_golden_file_holds_what_the_reference_script_says(case: dict[str, Any]) -> None:
    counts = reference().score(case["gold"], case["predicted"])

    assert (counts, reference().figures(counts)) == (case["counts"], case["figures"])


@given(cases())
def test_shares_stay_within_zero_and_one(case: tuple[dict[str, Any], dict[str, Any]]) -> None:
    figures = score(*case).figures

    assert all(0 <= share <= 1 for share in figures[:5])
    assert figures.edits >= 0
    assert figures.exact == (figures.edits == 0)


@given(cases())
def test_a_truth_scored_against_itself_is_exact(case: tuple[dict[str, Any], dict[str, Any]]) -> None:
    gold = case[0]
    gold["timeblocks"] = [block for block in gold["timeblocks"] if block["day"] and block["name"]]

    assert score(gold, gold).figures == (1.0, 1.0, 1.0, 1.0, 1.0, 0, 1)


WEEKS = st.lists(
    st.tuples(st.sampled_from(("Monday", "Tuesday")), st.integers(8, 15), st.sampled_from(("Art", "Music", "Reading"))),
    unique=True,
    max_size=10,
).map(
    lambda slots: [
        {"day": day, "name": name, "startTime": f"{hour}:00", "endTime": f"{hour}:50"} for day, hour, name in slots
    ]
)


@given(WEEKS, st.data())
def test_the_order_of_blocks_does_not_matter(week: list[dict[str, Any]], data: st.DataObject) -> None:
    some = week[: data.draw(st.integers(0, len(week)))]
    gold, predicted = {"timeblocks": data.draw(st.permutations(week))}, {"timeblocks": data.draw(st.permutations(some))}

    assert score(gold, predicted) == score({"timeblocks": week}, {"timeblocks": some})


@given(cases())
def test_a_surplus_block_never_raises_a_share(case: tuple[dict[str, Any], dict[str, Any]]) -> None:
    gold, predicted = case
    surplus = {"day": "Sunday", "name": "Nothing printed", "startTime": "00:01", "endTime": "00:02", "notes": None}
    flat = [block for table in predicted.get("timetables", [predicted]) for block in table["timeblocks"]]

    before, after = score(gold, {"timeblocks": flat}), score(gold, {"timeblocks": [*flat, surplus]})

    assert after.figures.block <= before.figures.block
    assert after.figures.slot <= before.figures.slot
    assert after.figures.name <= before.figures.name
    assert after.edits == before.edits + 1


def test_no_prediction_scores_zero() -> None:
    gold = {"teacher": "Ms X", "timeblocks": [{"day": "Monday", "name": "Art", "startTime": "9:00", "endTime": "9:50"}]}

    assert score(gold, None).figures == (0.0, 0.0, 0.0, 1.0, 0.0, 5, 0)


def test_timetables_and_their_json_score_alike() -> None:
    art = {"day": "Monday", "name": "Art", "startTime": "09:00", "endTime": "09:50", "notes": "hall"}
    week = Timetable.model_validate({"className": "2A", "timeblocks": [art]})
    other = Timetable.model_validate({"timeblocks": [{"day": "Friday", "name": "PE"}]})
    as_json = {"timetables": [json.loads(each.to_json()) for each in (week, other)]}
    gold = {"className": "2A", "timeblocks": as_json["timetables"][0]["timeblocks"]}

    assert score(gold, [week, other]) == score(gold, as_json)
    assert score(week, week).exact == 1
    assert score(gold, week).exact == 1


def test_a_comparison_names_what_is_missing_surplus_and_wrong() -> None:
    gold = {
        "term": "Spring",
        "timeblocks": [
            {"day": "Monday", "name": "Art", "startTime": "9:00", "endTime": "9:50"},
            {"day": "Monday", "name": "Music", "startTime": "10:00", "endTime": "10:50"},
        ],
    }
    predicted = {
        "timeblocks": [
            {"day": "Tuesday", "name": "Music", "startTime": "10:00", "endTime": "10:50"},
            {"day": "Monday", "name": "Art", "startTime": "9:00", "endTime": None},
        ]
    }

    comparison = compare(gold, predicted)

    assert comparison.pairs == (Pair(0, 1, frozenset(("day", "name", "startTime"))),)
    assert comparison.missing == (1,)
    assert comparison.surplus == (0,)
    assert comparison.header_wrong == ("term",)
    assert comparison.counts.edits == 1 + 4 + 1 + 1
