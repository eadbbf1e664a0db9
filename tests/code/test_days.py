"""Days in six languages: in running text, as labels, and along an axis."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocai.timetable.days import day_label, find_days, language_of, resolve_labels

WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SHORT = {day[:3]: day for day in WEEK}


def label(text: str) -> str:
    return " ".join(day[:3] for day in day_label(text))


def named(text: str) -> str:
    return " ".join(mention.day[:3] for mention in find_days(text))


def axis(labels: str) -> str:
    return " ".join(",".join(day[:3] for day in days) or "-" for days in resolve_labels(labels.split()))


FULL = {
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "de": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
    "fr": "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "es": "lunes martes miércoles jueves viernes sábado domingo",
    "it": "lunedì martedì mercoledì giovedì venerdì sabato domenica",
    "pt": "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo",
}


@pytest.mark.parametrize("language", FULL)
@pytest.mark.parametrize("change", [str, str.upper, str.title])
def test_full_names_in_any_case(language: str, change: type[str]) -> None:
    names = change(FULL[language]).split()
    assert [day_label(name) for name in names] == [(day,) for day in WEEK]
    assert resolve_labels(names) == tuple((day,) for day in WEEK)
    assert language_of(names) == language


@pytest.mark.parametrize(
    ("text", "days"),
    {
        "Mon": "Mon",
        "Tues": "Tue",
        "Thur": "Thu",
        "Thurs.": "Thu",
        "Mo": "Mon",
        "Lun.": "Mon",
        "Mer": "Wed",
        "Sáb": "Sat",
        "Sonnabend": "Sat",
        "Lunedi": "Mon",
        "MIERCOLES": "Wed",
        "2ª feira": "Mon",
        "2a feira": "Mon",
        "Terça": "Tue",
        "Mondays": "Mon",
        "M O N D A Y": "Mon",
        "M\nO\nN\nD\nA\nY": "Mon",
        "Mon\nday": "Mon",
        "Wednes-\nday": "Wed",
        "Weekend": "Sat Sun",
        "Wochenende": "Sat Sun",
        "Weekdays": "Mon Tue Wed Thu Fri",
        "Mon-Fri": "Mon Tue Wed Thu Fri",
        "Mo.-Fr.": "Mon Tue Wed Thu Fri",
        "lun.-ven.": "Mon Tue Wed Thu Fri",
        "Monday to Thursday": "Mon Tue Wed Thu",
        "lundi au vendredi": "Mon Tue Wed Thu Fri",
        "de lunes a viernes": "Mon Tue Wed Thu Fri",
        "Monday, Tuesday, Thursday": "Mon Tue Thu",
        "Mon/Wed/Fri": "Mon Wed Fri",
        "Tue & Thu": "Tue Thu",
        "Martes y jueves": "Tue Thu",
        "Di, Mi": "Tue Wed",
        "Monday/Lundi": "Mon",
        "Monday 24 April": "Mon",
        "Mon 03/09": "Mon",
        "Montag, 3.": "Mon",
        "Lunes 2 de mayo": "Mon",
        "Friday 1st September 2023": "Fri",
        "Monday (Week A)": "Mon",
        "Monday morning": "Mon",
    }.items(),
)
def test_labels(text: str, days: str) -> None:
    assert label(text) == days


@pytest.mark.parametrize("text", ["Mondav", "MONDAV", "Mnoday", "M0nday"])
def test_one_slip_in_a_long_name_is_forgiven(text: str) -> None:
    assert label(text) == "Mon"


@pytest.mark.parametrize("text", ["Wednesdav", "Wendesday", "Wednsday", "VVednesday", "Wednesclay"])
def test_slips_of_recognizers_and_typists(text: str) -> None:
    assert label(text) == "Wed"


@pytest.mark.parametrize(
    "text",
    [
        *("", "M", "Day 1", "Daily", "Every day", "Monday Club", "Fri 9.00", "Maths", "March", "do", "we", "2A", "12"),
        *("Montage", "Sundae", "Munday", "SATs practice", "Jeu de cartes", "Segunda evaluación", "Swim (Tue & Thu)"),
    ],
)
def test_other_text_is_no_label(text: str) -> None:
    assert day_label(text) == ()


def test_running_text_names_days_with_their_place() -> None:
    text = "Swim (Tue & Thu only)"
    assert [(mention.day, text[slice(*mention.at)]) for mention in find_days(text)] == [
        ("Tuesday", "Tue"),
        ("Thursday", "Thu"),
    ]


def test_the_days_of_a_range_share_its_place() -> None:
    text = "Clubs Monday - Friday"
    mentions = find_days(text)
    assert [mention.day for mention in mentions] == list(WEEK[:5])
    assert {text[slice(*mention.at)] for mention in mentions} == {"Monday - Friday"}


@pytest.mark.parametrize("text", ["Sun safety", "SATs", "Die Maus", "Jeu de cartes", "Segunda evaluación", "Mar 5"])
def test_ambiguous_short_forms_do_not_count_in_running_text(text: str) -> None:
    assert named(text) == ""


@pytest.mark.parametrize(
    ("text", "days"),
    {
        "Sport lun-ven": "Mon Tue Wed Thu Fri",
        "AG (Di + Do)": "Tue Thu",
        "AG Mo Mi Fr": "Mon Wed Fri",
        "Sat": "Sat",
        "Sat and Sun": "Sat Sun",
        "Fri-Mon": "Fri Mon",
        "fin de semana": "Sat Sun",
        "Die, mit Hund": "",
        "so do we": "",
        "Sun Mon": "Mon",
    }.items(),
)
def test_short_forms_count_in_lists_and_alone(text: str, days: str) -> None:
    assert named(text) == days


def test_a_long_text_is_no_label() -> None:
    assert day_label("Monday " * 40) == ()


@pytest.mark.parametrize(
    ("labels", "days"),
    {
        "Lu Ma Mi Ju Vi": "Mon Tue Wed Thu Fri",
        "Lu Ma Me Je Ve": "Mon Tue Wed Thu Fri",
        "Mo Di Mi Do Fr": "Mon Tue Wed Thu Fri",
        "Mo Tu We Th Fr": "Mon Tue Wed Thu Fri",
        "Lun Mar Mié Jue Vie Sáb Dom": "Mon Tue Wed Thu Fri Sat Sun",
        "Lun Mar Mer Gio Ven": "Mon Tue Wed Thu Fri",
        "Seg Ter Qua Qui Sex": "Mon Tue Wed Thu Fri",
        "2ª 3ª 4ª 5ª 6ª": "Mon Tue Wed Thu Fri",
        "M T W T F": "Mon Tue Wed Thu Fri",
        "M Tu W Th F": "Mon Tue Wed Thu Fri",
        "L M M J V": "Mon Tue Wed Thu Fri",
        "L M X J V": "Mon Tue Wed Thu Fri",
        "M D M D F": "Mon Tue Wed Thu Fri",
        "S T Q Q S S D": "Mon Tue Wed Thu Fri Sat Sun",
        "S M T W T F S": "Sun Mon Tue Wed Thu Fri Sat",
        "Fr Do Mi Di Mo": "Fri Thu Wed Tue Mon",
        "Time Mon Tues Weds Thurs Fri": "- Mon Tue Wed Thu Fri",
        "Mon Mon Tue Tue": "Mon Mon Tue Tue",
        "A B C D": "- - - -",
        "M F A": "- - -",
    }.items(),
)
def test_an_axis_is_decided_together(labels: str, days: str) -> None:
    assert axis(labels) == days


def test_the_language_is_unknown_where_the_names_do_not_tell() -> None:
    assert language_of(["Time", "Maths"]) is None
    assert language_of(["M", "T", "W"]) is None


@given(st.integers(0, 6), st.integers(1, 7), st.sampled_from(sorted(FULL)))
def test_any_part_of_a_week_is_read_in_its_order(first: int, count: int, language: str) -> None:
    names = FULL[language].split()[first : first + count]
    assert resolve_labels(names) == tuple((day,) for day in WEEK[first : first + count])


@given(st.text(max_size=40) | st.text(alphabet="MmTtoOnNdDaAyY WwFfrRiI.-,/&2ª\n", max_size=30))
def test_any_text_gives_mentions_within_it(text: str) -> None:
    for mention in find_days(text):
        assert 0 <= mention.at[0] < mention.at[1] <= len(text)
    assert set(day_label(text)) <= set(WEEK)
    assert len(resolve_labels([text, "Monday"])) == 2
