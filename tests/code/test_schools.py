"""Made schools: a pure function of the seed, plans in order, times that read back, slips that stay readable."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocai.errors import ConfigurationError
from pocai.synthetic.dice import Dice
from pocai.synthetic.misprints import slip
from pocai.synthetic.schools import School
from pocai.synthetic.time_style import TimeStyle
from pocai.synthetic.timetables import family, made, timetable_of
from pocai.synthetic.vocabulary import LANGUAGES, STAGES, Language, Stage, vocabulary
from pocai.timetable.times import find_times

seeds = st.integers(0, 2**40)
texts = st.text("abcdefgh AB", max_size=12)
PRINT = "from pocai.synthetic.timetables import made; print([(made(n).entries, made(n).timetable) for n in range(9)])"


@settings(deadline=None, max_examples=60)
@given(seeds)
def test_a_seed_gives_one_school_and_one_timetable(seed: int) -> None:
    assert School.of(seed) == School.of(seed)
    assert made(seed) == made(seed)


def test_seeds_differ() -> None:
    schools = [School.of(seed) for seed in range(60)]
    assert len({school.courses for school in schools}) == len(schools)
    assert len({made(seed).timetable.to_json() for seed in range(60)}) == 60


def test_nothing_follows_from_the_hashes_of_a_process() -> None:
    command = [sys.executable, "-c", PRINT]
    other = subprocess.run(command, env={"PYTHONHASHSEED": "1"}, capture_output=True, check=True, text=True).stdout
    assert other.strip() == str([(made(n).entries, made(n).timetable) for n in range(9)])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("stage", STAGES)
def test_language_and_stage_can_be_chosen(language: Language, stage: Stage) -> None:
    school = School.of(5, language=language, stage=stage)
    assert (school.language, school.stage) == (language, stage)
    assert timetable_of(school, 0).timetable.timeblocks


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: School.of(1, language="xx"), "xx"),  # type: ignore[arg-type]  # what is tested
        (lambda: School.of(-1), "-1 is negative"),
        (lambda: made(-7), "-7 is negative"),
        (lambda: family(1, "classes", count=0), "family of 0"),
    ],
)
def test_what_cannot_be_made_is_refused(call: Callable[[], object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        call()


@settings(deadline=None, max_examples=60)
@given(seeds)
def test_periods_follow_each_other(seed: int) -> None:
    school = School.of(seed)
    for day in school.days:
        plan = school.plan_on(day)
        assert all(period.start < period.end for period in plan)
        assert all(before.end <= after.start for before, after in pairwise(plan))
        assert [period.number for period in plan if period.number] == [
            *range(1, sum(p.kind == "lesson" for p in plan) + 1)
        ]
        assert all(bool(period.name) is (period.kind != "lesson") for period in plan)
        assert plan[0].start >= 6 * 60
        assert plan[-1].end <= 22 * 60


@settings(deadline=None, max_examples=60)
@given(seeds)
def test_what_tells_things_apart_is_unique(seed: int) -> None:
    school = School.of(seed)
    assert len({course.name for course in school.courses}) == len(school.courses)
    assert len({teacher.sign for teacher in school.teachers}) == len(school.teachers)
    labels = [school.label(period) for period in school.plan if period.number]
    assert len(set(labels)) in (len(labels), 1)
    colors = [course.color for course in school.courses]
    assert set(colors) == {None} or len(set(colors)) == len(colors)


def test_the_habits_of_a_school_hold_for_all_its_timetables() -> None:
    school = next(school for seed in range(99) if (school := School.of(seed)).stage == "secondary")
    several = [timetable_of(school, index) for index in range(4)]
    assert len({one.timetable.to_json() for one in several}) == 4
    assert {one.school for one in several} == {school}
    colors = {entry.name: entry.color for one in several for entry in one.entries if entry.kind == "lesson"}
    assert all(colors.get(course.name, course.color) == course.color for course in school.courses)
    assert made(2, school=school) == several[2]


@settings(deadline=None, max_examples=60)
@given(seed=seeds, language=st.sampled_from(LANGUAGES), start=st.integers(90, 227), length=st.integers(1, 36))
def test_printed_times_read_back(seed: int, language: Language, start: int, length: int) -> None:
    style = TimeStyle.of(Dice(seed), vocabulary(language))
    begin, end = start * 5, min((start + length) * 5, 22 * 60)
    (span,) = find_times(style.span(begin, end), bare=True)
    assert (begin, end) in span.intervals()
    # Later ones alone are not clear: 1915 may be a year, 7:15 is a morning.
    (single,) = find_times(style.write(begin), bare=True)
    assert (begin, None) in single.intervals()


@pytest.mark.parametrize(
    ("style", "printed"),
    [
        (TimeStyle(), "09:05 - 13:30"),
        (TimeStyle(".", twelve=True, zero=False, dash="-"), "9.05-1.30"),
        (TimeStyle(":", twelve=True, meridiem="am", once=True, zero=False, dash="–"), "9:05am–1:30pm"),
        (TimeStyle("h", zero=False, short=True, dash=" à "), "9h05 à 13h30"),
        (TimeStyle("", dash="-"), "0905-1330"),
        (TimeStyle(suffix=" Uhr", dash=" bis "), "09:05 bis 13:30 Uhr"),
    ],
)
def test_styles(style: TimeStyle, printed: str) -> None:
    assert style.span(545, 810) == printed


def test_the_half_of_the_day_is_printed_once_only_if_it_is_one() -> None:
    style = TimeStyle(".", twelve=True, meridiem=" am", once=True, zero=False, short=True, dash=" - ")
    assert style.span(13 * 60, 14 * 60) == "1 - 2 pm"
    assert style.span(11 * 60, 13 * 60) == "11 am - 1 pm"
    assert style.span(11 * 60, 12 * 60) == "11 am - 12 pm"


@settings(deadline=None, max_examples=60)
@given(text=texts, seed=seeds)
def test_a_slip_is_small_and_keeps_the_first_letter(text: str, seed: int) -> None:
    slipped = slip(text, Dice(seed))
    assert abs(len(slipped) - len(text)) <= 1
    assert slipped[:1] == text[:1]
    if len(text) >= 4 and any(text[i : i + 3].isalpha() and text[i + 1] != text[i + 2] for i in range(len(text) - 2)):
        assert slipped != text


@settings(deadline=None, max_examples=60)
@given(seed=seeds, weights=st.lists(st.integers(0, 5), min_size=1, max_size=6).filter(any))
def test_dice_choose_only_what_has_weight(seed: int, weights: list[int]) -> None:
    dice = Dice(seed)
    chosen = {dice.weighted(list(enumerate(weights))) for _ in range(20)}
    assert all(weights[index] for index in chosen)


@settings(deadline=None, max_examples=60)
@given(seed=seeds, count=st.integers(0, 12))
def test_a_sample_has_each_option_once(seed: int, count: int) -> None:
    sample = Dice(seed).sample(range(9), count)
    assert len(sample) == len(set(sample)) == min(count, 9)
    assert set(sample) <= set(range(9))
