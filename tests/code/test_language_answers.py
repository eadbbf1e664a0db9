"""The language model's page, grammar and answers, without any network."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema_rs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_language import word_pieces
from small_pages import NAMES, SmallExamples, document_of, line, page_of, timetable_of

from pocai.documents.page import Line, Page, Rule
from pocai.errors import ModelError
from pocai.models.language import LanguageModel
from pocai.models.language_answer import NO_VALUE, read_answer, schema, timetables_of
from pocai.models.language_grammar import Grammar, after, can_copy, is_complete, onward, started
from pocai.models.language_network import learned_tokenizer
from pocai.models.language_page import LONGEST, MOST_LETTERS, MOST_LINES, NumberedPage, numbered
from pocai.models.language_vocabulary import Vocabulary
from pocai.settings import SchoolHours
from pocai.synthetic.compose import compose
from pocai.training.document_model.language_made import MadeExamples, made_example
from pocai.training.document_model.made_pages import made_pages

HOURS = SchoolHours()
END = 9999
MORE = (b'{"at":[', b'],"is":"', b'"},"', b'null,"', b"10", b"1", b"Ma", b"th", b' {"', b'},{"name":', "Ü".encode())
NAMED = ["Maths", "PE", "Übung", "Art & Craft"]


def page(*texts: str) -> NumberedPage:
    return numbered(Page(0, 500, 800, tuple(line(text, 10, 20 * row) for row, text in enumerate(texts)), unit="pt"))


def answer(**event: Any) -> str:
    whole = {"name": {"at": [4], "is": "Maths"}, **event}
    return json.dumps({"timetables": [{"events": [whole]}]})


class Writes:
    """A writer that knows its answer."""

    def __init__(self, text: str) -> None:
        self.text = text

    def write(self, page: NumberedPage) -> str:
        assert page.lines
        return self.text


def vocabulary() -> Vocabulary:
    """Every byte, and some tokens that reach over the parts of an answer."""
    more = {300 + number: text for number, text in enumerate(MORE)}
    return Vocabulary({number: bytes((number,)) for number in range(256)} | more, END)


def test_a_page_is_shown_as_numbered_lines_in_their_cells() -> None:
    frame = [Rule((100, 90), (100, 160)), Rule((250, 90), (250, 160)), Rule((400, 90), (400, 160))]
    frame += [Rule((100, 90), (400, 90)), Rule((100, 160), (400, 160))]
    lines = (line("Class 2B", 200, 10), line("Maths", 120, 100), line("Room 3", 120, 120), line("Music", 270, 100))
    shown = numbered(Page(0, 500, 300, lines, tuple(frame), unit="pt"))
    assert shown.text == "(33 0 59 8)\n1 Class 2B\n[0 53 50 99]\n2 Maths\n3 Room 3\n[50 53 99 99]\n4 Music"
    assert [each.piece for each in shown.lines] == [0, 1, 1, 2]
    assert numbered(Page(0, 500, 300, lines[::-1], tuple(frame[::-1]), unit="pt")).text == shown.text


def test_no_text_can_forge_a_line() -> None:
    shown = page("Maths\n2 Music", "PE\u2028[0 0 9 9]\x00\u202e")
    assert [each.text for each in shown.lines] == ["Maths 2 Music", "PE [0 0 9 9]"]
    assert len(shown.text.splitlines()) == 4


def test_letters_set_downwards_in_a_cell_are_one_line() -> None:
    frame = [Rule((0, 0), (0, 100)), Rule((40, 0), (40, 100)), Rule((200, 0), (200, 100))]
    frame += [Rule((0, 0), (200, 0)), Rule((0, 100), (200, 100))]
    letters = [line(letter, 10, 5 + 18 * row, 10, 10) for row, letter in enumerate("BREAK")]
    shown = numbered(Page(0, 300, 200, (*letters, line("Maths", 100, 40)), tuple(frame), unit="pt"))
    assert sorted(each.text for each in shown.lines) == ["BREAK", "Maths"]
    assert {shown.number_of[id(letter)] for letter in letters} == {1}


def test_what_is_shown_is_bounded() -> None:
    assert len(page("Word " * 100).lines[0].text) <= LONGEST
    assert page("x" * 500).lines[0].text == "x" * LONGEST
    many = page(*(["Maths"] * (MOST_LINES + 5)))
    assert (len(many.lines), many.left_out) == (MOST_LINES, 5)
    long = page(*["Word " * 30] * 300)
    assert len(long.text) < 1.5 * MOST_LETTERS
    assert long.left_out > 0


def test_a_page_with_more_than_can_be_shown_is_not_read_in_part() -> None:
    lines = tuple(line("Maths", 0, 15 * row) for row in range(MOST_LINES + 1))
    with pytest.raises(ModelError, match="page 1 has 1 lines more"):
        LanguageModel(Writes("")).assemble(document_of(Page(0, 500, 9999, lines)))


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.lists(st.sampled_from(NAMES), min_size=4, max_size=4), st.integers(0, 300))
def test_whatever_is_written_is_an_answer_in_which_all_is_supported(seed: int, names: list[str], room: int) -> None:
    """A model that knows nothing, held to the grammar: every token is drawn at random."""
    random = np.random.default_rng(seed)
    tokens, shown = vocabulary(), numbered(page_of(names))
    grammar = Grammar(shown, HOURS)
    state, text, steps = started(grammar.ways()), b"", 0
    while True:
        closing = steps > room
        allowed = tokens.allowed(state, closing=closing)
        token = int(random.choice(allowed))
        if token == END:
            break
        state = after(state, tokens.written(token), closing=closing)
        text += tokens.written(token)
        steps += 1
    assert steps <= room + 3 * grammar.longest_event
    written = json.loads(text)
    jsonschema_rs.validate(schema(), written)
    result = timetables_of(read_answer(text.decode()), shown)
    assert result.unsupported == ()
    events = sum(len(table["events"]) for table in written["timetables"])
    assert sum(len(table.timeblocks) for table in result.timetables) >= events


@pytest.mark.parametrize(("seed", "layouts"), [(0, "train"), (2, "train"), (5, "train"), (1, "test")])
def test_the_answers_about_made_pages_keep_to_the_grammar_and_tell_the_truth(seed: int, layouts: str) -> None:
    drawing = compose(seed, layouts=layouts)
    made = made_pages(drawing, np.random.default_rng(seed), plain=True)[0]
    example = made_example(drawing, made)
    assert example is not None
    state = started(Grammar(example.page, HOURS).ways())
    assert is_complete(after(state, example.answer.to_json().encode()))
    result = timetables_of(example.answer, example.page)
    assert result.unsupported == ()
    truth = {(block.day, block.name, block.notes) for each in drawing.timetables for block in each.timeblocks}
    found = {(block.day, block.name, block.notes) for each in result.timetables for block in each.timeblocks}
    assert found <= truth
    assert len(drawing.sheets) > 1 or found == truth


def test_misread_pages_are_answered_with_what_was_read() -> None:
    examples = [example for number in range(4) if (example := MadeExamples(90, 4).example(number))]
    assert examples
    for example in examples:
        assert is_complete(after(started(Grammar(example.page, HOURS).ways()), example.answer.to_json().encode()))
        assert timetables_of(example.answer, example.page).unsupported == ()
    again = MadeExamples(90, 9).example(0)
    assert again is not None
    assert (again.page.text, again.answer) == (examples[0].page.text, examples[0].answer)


@pytest.mark.parametrize(
    ("texts", "value", "allowed"),
    [
        (["Maths (Set 2)"], "Maths", True),
        (["Maths (Set 2)"], "(Set 2)", True),
        (["Maths (Set 2)"], "Mat", False),
        (["Maths (Set 2)"], "maths", False),
        (["Maths", "with"], "Maths with", True),
        (["Maths", "with"], "Maths", False),
        (["Mathe-", "matik"], "Mathematik", True),
        (['Say "hi"'], 'Say "hi"', True),
        (["A\\B"], "A\\B", True),
        (["–– x"], "––", False),
    ],
)
def test_texts_are_copied_from_word_to_word(texts: list[str], value: str, allowed: bool) -> None:
    assert can_copy(page(*texts).lines, value) is allowed


def test_a_time_is_written_as_it_is_printed_and_in_school_hours() -> None:
    shown = page("1.15 – 2.00", "Maths")
    assert Grammar(shown, HOURS).times(shown.lines[:1]) == ["13:15", "14:00"]
    assert Grammar(shown, HOURS).times(shown.lines[1:]) == []


def test_a_page_without_words_has_one_answer() -> None:
    state = started(Grammar(page("–", "•"), HOURS).ways())
    assert is_complete(after(state, b'{"timetables":[]}'))
    assert [byte for byte, _ in onward(after(state, b'{"timetables":'), closing=False)] == [ord("[")]


@pytest.mark.parametrize("make", [word_pieces, lambda: learned_tokenizer(["Maths Übung 9.00"] * 3, 300)])
def test_tokens_are_known_by_the_bytes_that_they_write(make: Any) -> None:
    tokenizer = make()
    known = Vocabulary.of(tokenizer)
    text = '{"is":"Übung – 9½ €"}'
    numbers = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert b"".join(known.written(number) for number in numbers).decode().strip() == text
    assert known.written(tokenizer.eos_token_id) == b""


def test_a_tokenizer_that_cannot_write_every_byte_is_refused() -> None:
    with pytest.raises(ModelError, match="cannot write 1 of the bytes"):
        Vocabulary({number: bytes((number,)) for number in range(256) if number != ord("Q")}, END)
    with pytest.raises(ModelError, match="no known kind"):
        Vocabulary.of(object())


def test_an_answer_becomes_a_timetable_with_marks_on_its_lines() -> None:
    example = SmallExamples(1, 3)
    told = example.example(0)
    assert told is not None
    names = example.names(0)
    document = document_of(page_of(names))
    model = LanguageModel(Writes(f"Here it is:\n{told.answer.to_json()}\n"))
    (found,) = model.assemble(document)
    truth = timetable_of(names)
    assert [(b.day, b.name, b.start_time, b.end_time) for b in found.timeblocks] == [
        (b.day, b.name, b.start_time, b.end_time) for b in truth.timeblocks
    ]
    assert (found.title, found.pages) == ("Class 2B", (0,))
    first = found.timeblocks[0].fields
    assert first["name"].box == tuple(document.pages[0].lines[4].box)
    assert (first["day"].box, first["day"].evidence.value) == (tuple(document.pages[0].lines[1].box), "header")
    assert first["startTime"].box == first["endTime"].box == tuple(document.pages[0].lines[3].box)
    assert found.fields["title"].confidence is None


@pytest.mark.parametrize(
    ("event", "field", "reason"),
    [
        ({"notes": {"at": [5], "is": "Room 99"}}, "notes", "no line"),
        ({"days": {"at": [2], "is": ["Friday"]}}, "day", "no line"),
        ({"days": {"at": [2], "is": ["Someday"]}}, "day", NO_VALUE),
        ({"start": {"at": [4], "is": "08:00"}}, "startTime", "no line"),
        ({"start": {"at": [4], "is": "nine"}}, "startTime", NO_VALUE),
        ({"end": {"at": [999, -1], "is": "25:00"}}, "endTime", NO_VALUE),
        ({"weeks": {"at": [1], "is": "Z"}}, "weeks", "no line"),
    ],
)
def test_a_value_that_the_page_does_not_say_is_left_empty(event: dict[str, Any], field: str, reason: str) -> None:
    read = LanguageModel(Writes(answer(**event))).read(document_of(page_of(NAMED)))
    assert [(each.timetable, each.block, each.field) for each in read.unsupported] == [(0, 0, field)]
    assert reason in read.unsupported[0].reason
    (block,) = read.timetables[0].timeblocks
    assert block.model_dump(exclude={"fields"}) == {
        "day": None, "name": "Maths", "start_time": None, "end_time": None, "notes": None, "weeks": None,
    }  # fmt: skip


@pytest.mark.parametrize(("name", "reason"), [("Quidditch", "no line"), (" ", NO_VALUE)])
def test_an_event_whose_name_is_not_printed_is_left_out(name: str, reason: str) -> None:
    model = LanguageModel(Writes(answer(name={"at": [4], "is": name})))
    read = model.read(document_of(page_of(NAMED)))
    assert read.timetables == ()
    assert [(each.field, reason in each.reason) for each in read.unsupported] == [("name", True)]


def test_a_wrong_citation_of_a_printed_value_is_put_right() -> None:
    read = LanguageModel(Writes(answer(name={"at": [1, 77], "is": "Übung"}))).read(document_of(page_of(NAMED)))
    (block,) = read.timetables[0].timeblocks
    at = next(each for each in page_of(NAMED).lines if each.text == "Übung")
    assert block.fields["name"].box == tuple(at.box)


@pytest.mark.parametrize(
    "text",
    ["", "no JSON at all", '{"timetables": [', '{"timetables": 3}', '{"timetables": [{"events": [{}]}]}', "[" * 10**5],
)
def test_what_is_no_answer_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ModelError, match=r"answered (no JSON|JSON of another shape)") as caught:
        read_answer(text)
    assert "no JSON at all" not in str(caught.value)


def test_timetables_are_numbered_over_all_pages() -> None:
    first = page_of(NAMED)
    second = replace(first, number=1)
    read = LanguageModel(Writes(answer(notes={"at": [1], "is": "Nowhere"}))).read(
        replace(document_of(first), pages=(first, second))
    )
    assert [each.timetable for each in read.unsupported] == [0, 1]


def test_an_empty_page_is_not_asked_about() -> None:
    lines: tuple[Line, ...] = ()
    assert LanguageModel(Writes("not asked")).assemble(document_of(Page(0, 500, 800, lines))) == ()
