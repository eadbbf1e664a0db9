"""Made timetables as data: every case occurs, every letter can be read, and the truth is what the strings say.

The truth is derived here once more, from nothing but the printed strings, with the reader of times.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import combinations, pairwise

import pytest

from pocai.models.ctc import LETTERS
from pocai.synthetic.made import FEATURES, Entry, Made, Times
from pocai.synthetic.schools import School
from pocai.synthetic.timetables import Family, family, made
from pocai.synthetic.vocabulary import LANGUAGES, STAGES, Language, Vocabulary, vocabulary
from pocai.timetable.clock import Clock
from pocai.timetable.days import resolve_labels
from pocai.timetable.times import find_times
from pocai.timetable.timetable import WEEK, TimeBlock, Timetable, minutes

SEEDS = 500
LEAST = {  # share of timetables in which a case occurs at least
    "double": 0.25,
    "bar": 0.3,
    "span": 0.03,
    "split": 0.05,
    "parallel": 0.1,
    "weeks": 0.1,
    "empty": 0.25,
    "overlap": 0.2,
    "own_time": 0.15,
    "contradiction": 0.05,
    "typo": 0.05,
    "in_axis": 0.04,
    "remark": 0.2,
    "other_times": 0.05,
    "shared_days": 0.02,
    "no_day": 0.008,
    "dated": 0.02,
    "filler": 0.015,
    "of_teacher": 0.05,
    "of_room": 0.01,
}
LEAST_TIMES: dict[Times, float] = {"ranges": 0.3, "starts": 0.1, "cells": 0.15, "key": 0.04, "none": 0.03}
FAMILIES: tuple[Family, ...] = ("classes", "weeks", "teachers")


@pytest.fixture(scope="module")
def corpus() -> list[Made]:
    return [made(seed) for seed in range(SEEDS)]


@pytest.fixture(scope="module")
def documents(corpus: list[Made]) -> list[Made]:
    """The corpus, timetables with every place of times, and those of families."""
    forced = [made(seed, times=times) for seed in range(30) for times in LEAST_TIMES]
    families = [one for seed in range(20) for kind in FAMILIES for one in family(seed, kind)]
    return [*corpus, *forced, *families]


def test_every_case_occurs(corpus: list[Made]) -> None:
    found = Counter(name for one in corpus for name in one.features)
    assert set(LEAST) == set(FEATURES) >= set(found)
    assert {name: found[name] / SEEDS for name, least in LEAST.items() if found[name] < least * SEEDS} == {}
    times = Counter(one.times for one in corpus)
    assert {name: times[name] / SEEDS for name, least in LEAST_TIMES.items() if times[name] < least * SEEDS} == {}


def test_languages_stages_and_headings(corpus: list[Made]) -> None:
    languages = Counter(one.school.language for one in corpus)
    assert all(languages[language] > SEEDS / 10 for language in LANGUAGES)
    stages = Counter(one.school.stage for one in corpus)
    assert all(stages[stage] > SEEDS / 20 for stage in STAGES)
    for field in ("teacher", "class_name", "term", "year"):
        told = sum(getattr(one.timetable, field) is not None for one in corpus)
        assert SEEDS / 5 < told < SEEDS
    assert any(one.timetable.title is None for one in corpus)
    assert {entry.kind for one in corpus for entry in one.key} == {"period", "subject", "teacher", "color"}
    assert max(len(one.days) for one in corpus) == 7


def test_notations_of_times(corpus: list[Made]) -> None:
    styles = [one.school.style for one in corpus]
    assert {style.separator for style in styles} >= {":", ".", "h", ""}
    assert {bool(style.meridiem) for style in styles if style.twelve} == {True, False}
    assert len({style.dash for style in styles}) > 8


def strings(one: Made) -> Iterator[str]:
    yield from (text for day in one.days for text in (day.label, day.short, day.letter))
    yield from (text for slot in one.axis for text in (slot.label, slot.printed, slot.printed_start, slot.printed_end))
    for entry in one.entries:
        yield from (entry.name, entry.time, entry.period, *(note.text for note in entry.notes))
    heading = one.heading
    yield from (heading.school, heading.corner, heading.times_head, heading.periods_head, heading.subject_head)
    yield from (*heading.footer, *(line.text for line in heading.lines), *(head for _, head in heading.note_heads))
    yield from (one.key_head, one.filler, *(entry.text for entry in one.key))


def test_every_printed_letter_can_be_read(documents: list[Made]) -> None:
    printed = {text for one in documents for text in strings(one)}
    assert {letter for text in printed for letter in text} <= {*LETTERS, " "}
    assert [text for text in printed if text != text.strip() or "  " in text] == []
    assert all(entry.name and all(note.text for note in entry.notes) for one in documents for entry in one.entries)


def words_of(node: object) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        yield from (text for value in node.values() for text in words_of(value))
    elif isinstance(node, list):
        yield from (text for value in node for text in words_of(value))


@pytest.mark.parametrize("language", LANGUAGES)
def test_vocabularies_are_rich_and_hold_nothing_twice(language: Language) -> None:
    words: Vocabulary = vocabulary(language)
    assert len(words.subjects) >= 80
    assert len(words.surnames) >= 60
    for entries in (
        [subject.long.casefold() for subject in words.subjects],
        [event.long.casefold() for event in words.events],
        words.surnames,
        words.places,
        words.forms,
        words.footers,
        *words.titles.values(),
        *words.classes.values(),
        *words.rooms.values(),
        *words.remarks.values(),
    ):
        assert [word for word, count in Counter(entries).items() if count > 1] == []
    for stage in STAGES:
        codes = Counter(subject.code for subject in words.subjects_of(stage))
        assert max(codes.values()) == 1
        assert len(codes) >= 15
        for kind in ("event", "break", "lunch"):
            assert words.events_of(stage, kind) or (stage, kind) == ("university", "break")
    assert {letter for text in words_of(json.loads(words.model_dump_json())) for letter in text} <= {*LETTERS, " "}


@pytest.mark.parametrize(
    ("language", "letters"),
    [
        ("de", "äöüßÄÖÜ"),
        ("fr", "àâçèéêëîïôùûœÀÇÉÊÎŒ"),
        ("es", "áéíñóúü¡¿ºªÁÉÍÓÚÑ"),
        ("it", "àèéìòùºªÈ"),
        ("pt", "áàâãçéêíóôõúºªÁÀÂÉÓ"),
    ],
)
def test_vocabularies_hold_the_letters_of_their_languages(language: Language, letters: str) -> None:
    assert set(letters) - set(vocabulary(language).model_dump_json()) == set()


def test_truth_is_a_timetable_in_order(documents: list[Made]) -> None:
    for one in documents:
        truth = one.timetable
        assert Timetable.model_validate_json(truth.to_json()) == truth
        order = [
            (WEEK.index(block.day) if block.day else -1, minutes(block.start_time) or -1) for block in truth.timeblocks
        ]
        assert order == sorted(order)
        if "contradiction" not in one.features:
            assert all((block.start_time or "") < (block.end_time or "99") for block in truth.timeblocks)


def test_each_block_is_printed_once(documents: list[Made]) -> None:
    for one in documents:
        assert sorted(index for entry in one.entries for index in entry.blocks) == [
            *range(len(one.timetable.timeblocks))
        ]
        for entry in one.entries:
            blocks = [one.timetable.timeblocks[index] for index in entry.blocks]
            days = [day for column in entry.columns for day in one.days[column].days or (None,)]
            assert Counter(block.day for block in blocks) == Counter(days)
            assert {block.name for block in blocks} == {entry.name}
            assert {block.notes for block in blocks} == {" ".join(note.text for note in entry.notes) or None}


@cache
def readings(text: str) -> tuple[set[int], set[int]]:
    """All minutes that the start and the end of a printed time may mean."""
    (span,) = find_times(text, bare=True)

    def of(clock: Clock | None) -> set[int]:
        return set(clock.readings()) if clock else set()

    return of(span.start), of(span.end)


def slots_as_printed(one: Made, entry: Entry) -> tuple[set[int], set[int]]:
    """What the axis or the key says about the slots of an entry."""
    first, last = one.axis[entry.first], one.axis[entry.first + entry.count - 1]
    if one.times == "key":
        key = {line.sign: line.meaning for line in one.key if line.kind == "period"}
        return readings(key[first.label])[0], readings(key[last.label])[1]
    if one.times == "ranges":
        return readings(first.printed)[0], readings(last.printed)[1]
    after = one.axis[entry.first + entry.count :]
    return readings(first.printed)[0], readings(after[0].printed)[0] if after else set()


def as_printed(one: Made, entry: Entry) -> tuple[set[int], set[int]]:
    """What a reader of a grid may take for the start and end of an entry; empty where nothing is printed."""
    if one.times == "none":
        return set(), set()
    if not entry.own_time:
        starts, ends = slots_as_printed(one, entry)
        halves = {(start + end) // 2 for start in starts for end in ends if 0 < end - start < 300}
        return (halves if entry.share[0] == 0.5 else starts), (halves if entry.share[1] == 0.5 else ends)
    starts, ends = readings(entry.time)
    if not ends and entry.share == (0.0, 0.5):  # only starts are printed: the second half says when the first ends
        others = [e for e in one.entries if e.columns == entry.columns and e.first == entry.first and e.share[0] == 0.5]
        ends = readings(others[0].time)[0]
    elif not ends:
        ends = slots_as_printed(one, entry)[1]
    return starts, ends


def agrees(block: TimeBlock, starts: set[int], ends: set[int]) -> bool:
    start, end = minutes(block.start_time), minutes(block.end_time)
    return (start in starts if starts else start is None) and (end in ends if ends else end is None)


def test_the_truth_is_what_a_grid_says(documents: list[Made]) -> None:
    for one in documents:
        for entry in one.entries:
            starts, ends = as_printed(one, entry)
            wrong = [i for i in entry.blocks if not agrees(one.timetable.timeblocks[i], starts, ends)]
            assert wrong == [], (one.seed, one.times, entry)


def test_the_truth_is_what_a_list_says(documents: list[Made]) -> None:
    for one in documents:
        for entry in one.entries:
            block = one.timetable.timeblocks[entry.blocks[0]]
            if not entry.time:
                assert one.times in ("key", "none")
                continue
            starts, ends = readings(entry.time)
            assert minutes(block.start_time) in starts
            assert not ends or minutes(block.end_time) in ends


def test_where_only_starts_are_printed_each_block_ends_where_the_next_begins(documents: list[Made]) -> None:
    plain = [one for one in documents if one.times == "starts" and one.school.stage != "university"]
    assert len(plain) > 50
    for one in plain:
        for day in {block.day for block in one.timetable.timeblocks}:
            blocks = [block for block in one.timetable.timeblocks if block.day == day]
            starts = sorted({block.start_time or "" for block in blocks})
            following = dict(pairwise(starts))
            assert all(block.end_time == following.get(block.start_time or "") for block in blocks)


def test_labels_of_days_read_back(documents: list[Made]) -> None:
    for one in documents:
        if not {"typo", "dated"} & one.features and len(one.days) >= 4:
            expected = tuple(tuple(sorted(column.days, key=WEEK.index)) for column in one.days)
            found = resolve_labels([column.label for column in one.days])
            assert tuple(tuple(sorted(days, key=WEEK.index)) for days in found) == expected, one.days


def test_entries_that_share_a_slot_are_kept_apart(documents: list[Made]) -> None:
    for one in documents:
        for column in range(len(one.days)):
            inside = [entry for entry in one.entries if column in entry.columns]
            for a, b in combinations(inside, 2):
                if a.first < b.first + b.count and b.first < a.first + a.count:
                    beside = a.lanes == b.lanes and a.lane != b.lane
                    below = a.share[1] <= b.share[0] or b.share[1] <= a.share[0]
                    assert beside or below, (one.seed, a, b)


def test_entries_can_be_placed(documents: list[Made]) -> None:
    for one in documents:
        for entry in one.entries:
            assert 0 <= entry.start < entry.end <= 24 * 60
            assert entry.first + entry.count <= len(one.axis)
            assert list(entry.columns) == [*range(entry.columns[0], entry.columns[-1] + 1)]
            assert entry.lane < entry.lanes
            assert not entry.in_axis or one.axis[entry.first].label == entry.name


def test_the_heading_says_what_the_truth_says(documents: list[Made]) -> None:
    for one in documents:
        truth, lines = one.timetable, one.heading.lines
        titles = [line.text for line in lines if line.role == "title"]
        assert titles == ([truth.title] if truth.title else [])
        assert bool(titles) is bool(lines)
        around = " ".join([*(line.text for line in lines), *one.heading.footer])
        for value in (truth.teacher, truth.class_name, truth.term, truth.year):
            assert value is None or str(value) in around
        assert {field for line in lines for field in line.fields} - {"year"} == {
            name for name in ("teacher", "className", "term") if truth.model_dump(by_alias=True)[name] is not None
        }


def test_weeks_of_a_family_are_named_above_and_not_in_the_cells() -> None:
    for seed in range(40):
        weeks = family(seed, "weeks")
        assert len(weeks) == 2
        for week, one in zip(weeks[0].school.weeks, weeks, strict=True):
            assert {block.weeks for block in one.timetable.timeblocks} == {week}
            assert any(line.text.endswith(f" {week}") for line in one.heading.lines)
            assert all(note.kind != "week" for entry in one.entries for note in entry.notes)


def test_classes_of_a_family_look_alike() -> None:
    for seed in range(40):
        first, second = family(seed, "classes")
        assert family(0, "classes", school=first.school) == (first, second)
        assert first.school == second.school
        assert [line.role for line in first.heading.lines] == [line.role for line in second.heading.lines]
        assert first.timetable.timeblocks != second.timetable.timeblocks


def test_thousands_can_be_made() -> None:
    schools = [School.of(seed) for seed in range(40)]

    def seconds() -> float:
        begin = time.process_time()
        for school in schools:
            made(0, school=school)
        return time.process_time() - begin

    assert min(seconds() for _ in range(4)) < 40 / 120  # 120 a second on a busy machine; 600 and more on a free one
