"""Pointed lines become timetables: with true roles and relations, made timetables come back as they were made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pointed_pages import a_page, pointed_at, truly_pointed

from pocai.evaluation.timetables import score, total
from pocai.settings import SchoolHours
from pocai.synthetic.compose import compose
from pocai.timetable.pointed import Pointed, groups_of
from pocai.timetable.pointed_weeks import timetables_pointed
from pocai.timetable.timetable import Timetable
from pocai.training.document_model.made_pages import made_pages

HOURS = SchoolHours()
SEEDS = range(40)
EXACT = 0.97  # block F1 that the truth's own roles and relations have to give; 0.99 was measured


def as_json(timetables: tuple[Timetable, ...]) -> dict[str, object]:
    return {"timetables": [timetable.model_dump(by_alias=True, mode="json") for timetable in timetables]}


def test_true_pointers_give_the_timetable_back() -> None:
    counts = []
    for seed in SEEDS:
        drawing = compose(seed)
        pages = made_pages(drawing, np.random.default_rng(seed), plain=True)
        found = tuple(table for page in pages for table in timetables_pointed(truly_pointed(page), HOURS))
        counts.append(score(as_json(drawing.timetables), as_json(found)))
    figures = total(counts).figures
    assert figures.block >= EXACT
    assert figures.notes >= EXACT


def test_labels_notes_and_own_times_find_their_event() -> None:
    (week,) = timetables_pointed(a_page(), HOURS)
    blocks = {(block.day, block.name): block for block in week.timeblocks}
    assert set(blocks) == {("Monday", "Maths"), ("Monday", "Music"), ("Tuesday", "Art"), ("Tuesday", "Chess")}
    music, chess = blocks["Monday", "Music"], blocks["Tuesday", "Chess"]
    assert (music.start_time, music.end_time, music.notes) == ("10:00", "11:00", None)
    assert (chess.start_time, chess.end_time, chess.notes) == ("10:15", "10:45", "Room 4")
    assert (week.title, music.fields["startTime"].evidence, chess.fields["startTime"].evidence) == (
        "Our week",
        "header",
        "printed",
    )


def test_every_field_has_the_box_of_its_lines() -> None:
    (week,) = timetables_pointed(a_page(), HOURS)
    for block in week.timeblocks:
        named = next(line for line in a_page().lines if line.text == block.name)
        left, top, _, _ = block.fields["name"].box
        assert (left, top) == (named.box.left, named.box.top)


def test_a_time_of_one_event_among_common_labels_stays_a_label() -> None:
    pointed = a_page()
    groups = groups_of(pointed)
    chess = next(group for group in groups if 8 in group.lines)
    assert chess.lines == (8, 9, 10)
    assert chess.times == (6,)


def slots_of(pointed: Pointed) -> set[tuple[str | None, str | None, str | None, str]]:
    tables = timetables_pointed(pointed, HOURS)
    return {(b.day, b.start_time, b.end_time, b.name) for table in tables for b in table.timeblocks}


def test_the_number_of_a_period_is_no_hour_but_may_be_explained_by_the_key() -> None:
    numbered = [
        ("Monday", 100.0, 0.0, "day", {0, 1}),
        ("Tuesday", 200.0, 0.0, "day", {2}),
        ("1", 0.0, 40.0, "period", {0, 2}),
        ("Maths", 100.0, 40.0, "event", {0}),
        ("Chess", 200.0, 40.0, "event", {2}),
        ("2", 0.0, 80.0, "period", {1}),
        ("Art", 100.0, 80.0, "event", {1}),
    ]
    assert {slot[1:3] for slot in slots_of(pointed_at(*numbered))} == {(None, None)}
    key = [("1: 09:00 - 10:00", 0.0, 200.0, "key", set[int]()), ("2: 10h - 11h", 0.0, 220.0, "key", set[int]())]
    assert slots_of(pointed_at(*numbered, *key)) == {
        ("Monday", "09:00", "10:00", "Maths"),
        ("Monday", "10:00", "11:00", "Art"),
        ("Tuesday", "09:00", "10:00", "Chess"),
    }


def test_the_number_of_a_period_beside_a_lesson_is_not_in_its_name() -> None:
    found = slots_of(
        pointed_at(
            ("Monday", 40, 0, "day", {0, 1}),
            ("S1", 0, 40, "period", {0}),
            ("Maths", 40, 40, "event", {0}),
            ("S2", 0, 80, "period", {1}),
            ("Art", 40, 80, "event", {1}),
            ("Tuesday", 240, 0, "day", {2}),
            ("S1", 200, 40, "period", {2}),
            ("Chess", 240, 40, "event", {2}),
        )
    )
    assert {name for *_, name in found} == {"Maths", "Art", "Chess"}


def test_single_letters_name_days_by_what_stands_beside_them() -> None:
    lists = [
        item
        for number, letter in enumerate("LMMJV")
        for item in (
            (letter, 100.0 * number, 0.0, "day", {number}),
            (f"Cours {number}", 100.0 * number, 40.0, "event", {number}),
            ("9h00-10h00", 100.0 * number, 55.0, "time", {number}),
        )
    ]
    days = [day for day, *_ in sorted(slots_of(pointed_at(*lists)), key=lambda slot: slot[3])]
    assert days == ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]


def test_a_start_in_a_bar_across_the_days_ends_what_stands_before_it() -> None:
    found = slots_of(
        pointed_at(
            ("Monday", 100, 0, "day", {0, 1, 2}),
            ("Tuesday", 400, 0, "day", {3, 1, 4}),
            ("8:00", 0, 40, "time", {0, 3}),
            ("Maths", 100, 40, "event", {0}),
            ("Art", 400, 40, "event", {3}),
            ("9:00 ", 240, 80, "time", {1}),
            ("Break", 300, 80, "break", {1}),
            ("9:20", 0, 120, "time", {2, 4}),
            ("Music", 100, 120, "event", {2}),
            ("Chess", 400, 120, "event", {4}),
            ("10:00", 0, 160, "time", set()),
        )
    )
    assert ("Monday", "08:00", "09:00", "Maths") in found
    assert ("Tuesday", "09:00", "09:20", "Break") in found
    assert ("Tuesday", "09:20", "10:00", "Chess") in found


def test_a_column_of_ends_beside_the_starts_is_read_with_them() -> None:
    found = slots_of(
        pointed_at(
            ("Monday", 200, 0, "day", {0, 1}),
            ("Tuesday", 400, 0, "day", {2}),
            ("8:00", 0, 40, "time", {0, 2}),
            ("8:45", 60, 40, "time", set()),
            ("Maths", 200, 40, "event", {0}),
            ("Art", 400, 40, "event", {2}),
            ("8:50", 0, 80, "time", {1}),
            ("9:35", 60, 80, "time", set()),
            ("Music", 200, 80, "event", {1}),
        )
    )
    assert found == {
        ("Monday", "08:00", "08:45", "Maths"),
        ("Monday", "08:50", "09:35", "Music"),
        ("Tuesday", "08:00", "08:45", "Art"),
    }


@pytest.mark.parametrize("roles", ["other", "day", "key"])
def test_a_page_without_events_has_no_timetable(roles: str) -> None:
    pointed = a_page()
    assert timetables_pointed(replace(pointed, roles=(roles,) * len(pointed.lines)), HOURS) == ()


def test_wrong_pointers_are_no_error() -> None:
    rng = np.random.default_rng(5)
    names = ("title", "day", "time", "period", "event", "note", "break", "key", "other")
    for seed in range(30):
        (made, *_) = made_pages(compose(seed), np.random.default_rng(seed))
        pointed = truly_pointed(made)
        count = len(pointed.lines)
        noise = rng.random((count, count)) < rng.choice((0.01, 0.1, 0.5))
        roles = tuple(str(rng.choice(names)) if rng.random() < 0.3 else role for role in pointed.roles)
        for table in timetables_pointed(
            replace(pointed, roles=roles, related=pointed.related ^ (noise | noise.T)), HOURS
        ):
            assert table.timeblocks
