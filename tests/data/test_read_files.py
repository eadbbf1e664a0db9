"""Made files that were read: every line gets the truth of what is printed there, whatever the format."""

from __future__ import annotations

from pathlib import Path

import pytest
from rapidfuzz import fuzz

from pocai.cli.synth import _read_text
from pocai.models.layout_tokens import lines_of
from pocai.synthetic.made_document import DocumentSet, Format, MadeDocument, made_document
from pocai.training.document_model.layout_pages import read_pages as stored
from pocai.training.document_model.layout_sets import LayoutSet, write_layouts
from pocai.training.document_model.made_pages import MadePage
from pocai.training.document_model.read_files import read_pages

OFFICE: tuple[Format, ...] = ("docx", "xlsx")


def made_and_read(seed: int, kind: Format, damage: str = "clean") -> tuple[MadeDocument, tuple[MadePage, ...]]:
    made = made_document(DocumentSet(seed, 1, (kind,), damage), 0)  # type: ignore[arg-type]  # a parameter of tests
    return made, read_pages(made.printed, *_read_text(made))


@pytest.mark.parametrize("kind", [*OFFICE, "pdf"])
@pytest.mark.parametrize("seed", range(4))
def test_every_block_is_found_again_in_the_lines_of_a_file(kind: Format, seed: int) -> None:
    made, pages = made_and_read(seed, kind)
    wanted = {(line.timetable, block) for p in made.printed.pages for line in p.lines for block in line.blocks}
    found = {block for page in pages for truth in page.truths for block in truth.blocks if truth.role != "day"}
    assert len(wanted & found) >= 0.95 * len(wanted)
    assert found <= wanted


@pytest.mark.parametrize("damage", ["clean", "heavy"])
def test_lines_of_a_picture_are_told_by_their_place(damage: str) -> None:
    made, pages = made_and_read(21, "png", damage)
    printed = [line for page in made.printed.pages for line in page.lines]
    agreed = 0
    for page in pages:
        for line, truth in zip(lines_of(page.page), page.truths, strict=True):
            same = [
                other.text
                for other in printed
                if other.role == truth.role and set(other.blocks) & {b for _, b in truth.blocks}
            ]
            agreed += any(fuzz.partial_ratio(line.text, text) >= 60 for text in same)
    blocks = sum(bool(truth.blocks) for page in pages for truth in page.truths)
    assert blocks >= 0.8 * sum(bool(line.blocks) for line in printed)
    assert agreed >= 0.85 * blocks


def test_sets_are_written_once_and_read_back(tmp_path: Path) -> None:
    wanted = LayoutSet(5, 3, formats=OFFICE)
    (file,) = write_layouts(tmp_path, wanted, _read_text)
    pages = stored(file)
    assert len(pages) >= 3
    before = file.stat().st_mtime_ns
    assert write_layouts(tmp_path, wanted, _read_text) == (file,)
    assert file.stat().st_mtime_ns == before
    (imitated,) = write_layouts(tmp_path, LayoutSet(5, 3, variants=2))
    assert len(stored(imitated)) >= 6
