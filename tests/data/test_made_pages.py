"""Made pages without a picture: the truth beside them is true, and what a reader does to a page is imitated."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein

from pocai.synthetic.compose import compose
from pocai.training.document_model.made_pages import made_pages
from pocai.training.document_model.made_styles import restyled
from pocai.training.document_model.misreading import CONFUSIONS, misread

SEEDS = range(12)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_plain_page_prints_every_text_of_its_drawing(seed: int) -> None:
    drawing = compose(seed)
    for sheet, made in zip(drawing.sheets, made_pages(drawing, np.random.default_rng(seed), plain=True), strict=True):
        texts = sorted(text.text.strip() for text in (*sheet.texts, *sheet.under) if text.text.strip())
        assert sorted(" ".join(line.text for line in made.page.lines).split()) == sorted(" ".join(texts).split())
        assert len(made.truths) == len(made.page.lines)


def test_every_block_has_an_event_and_knows_its_day() -> None:
    for seed in SEEDS:
        drawing = compose(seed)
        pages = made_pages(drawing, np.random.default_rng(seed), plain=True)
        truths = [truth for page in pages for truth in page.truths]
        for number, table in enumerate(drawing.timetables):
            for index, block in enumerate(table.timeblocks):
                roles = {truth.role for truth in truths if (number, index) in truth.blocks}
                assert roles & {"event", "break", "time", "key"}, (seed, block.name)
                assert block.day is None or "day" in roles or len({b.day for b in table.timeblocks}) == 1


def test_the_same_generator_gives_the_same_page() -> None:
    one, other = (made_pages(compose(5), np.random.default_rng(9)) for _ in range(2))
    assert [page.page.lines for page in one] == [page.page.lines for page in other]


def test_boxes_shake_and_lines_are_lost_only_where_a_picture_is_read() -> None:
    kinds = set()
    for seed in range(30):
        for made in made_pages(compose(seed), np.random.default_rng(seed)):
            sources = {line.source for line in made.page.lines}
            assert len(sources) == 1
            kinds |= sources
            assert bool(made.page.fills) <= (sources == {"pdf"})
    assert kinds == {"pdf", "ocr"}


@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_letters_are_misread_as_often_as_asked_and_as_counted(rate: float) -> None:
    text = "Mathematics 10:15 - 11.05 room 31 " * 200
    read = misread(text, np.random.default_rng(3), rate)
    assert 0.5 * rate < Levenshtein.distance(text, read) / len(text) < 1.3 * rate
    assert misread(text, np.random.default_rng(3), 0) == text


@pytest.mark.parametrize("letter", "3Oml")
def test_a_letter_is_misread_as_what_was_counted_for_it(letter: str) -> None:
    read = misread(letter * 2000, np.random.default_rng(3), 0.2)
    assert set(read) - {letter} == {wrong for right, wrong in CONFUSIONS if right == letter} - {""}


def test_cells_are_set_in_other_ways_without_a_change_of_what_they_say() -> None:
    changed = 0
    for seed in range(60):
        sheet = compose(seed, layouts="train").sheets[0]
        fresh = restyled(sheet, np.random.default_rng(seed))
        changed += fresh is not sheet and fresh.texts != sheet.texts
        said, was = (Counter(word for text in each.texts for word in text.text.split()) for each in (fresh, sheet))
        assert said == was
        for blocks in {text.blocks for text in sheet.texts if text.role == "event"}:
            assert {text.role for text in fresh.texts if text.blocks == blocks} == {
                text.role for text in sheet.texts if text.blocks == blocks
            }
    assert changed >= 10


def test_names_and_notes_stay_in_their_cells() -> None:
    for seed in range(60):
        sheet = compose(seed, layouts="train").sheets[0]
        cells = {text: cell for grid in sheet.grids for cell in grid.cells for text in cell.texts}
        homes = {(text.blocks, text.timetable): cell for text, cell in cells.items() if text.role in {"event", "break"}}
        for text in set(restyled(sheet, np.random.default_rng(seed)).texts) - set(sheet.texts):
            home = homes[text.blocks, text.timetable].box
            assert home.top - 1 <= text.box.top
            assert text.box.bottom <= home.bottom + 1
            assert home.left - 1 <= text.box.center[0] <= home.right + 1
