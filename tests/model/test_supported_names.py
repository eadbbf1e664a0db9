"""No name is invented: over a thousand made documents every name that a document model gives is on its pages."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import pocai
from pocai.documents.page import Document
from pocai.inference.document_service import DOCUMENT_MODELS, DocumentService
from pocai.settings import SchoolHours
from pocai.synthetic.compose import compose
from pocai.timetable.printed import Printed
from pocai.timetable.support import lines_of
from pocai.timetable.timetable import Timetable
from pocai.training.document_model.made_pages import made_pages

COUNT = 1000
READINGS = 8  # of each drawing: other letters are misread, other lines are missed and run together
LONGEST = 80  # texts of a drawing; longer ones take long to read by rules
FIRST_SEED = 7_000_000
SHIPPED = {"layout": "assets/models/layout.onnx"}  # models whose weights may not be there


def installed() -> list[str]:
    root = Path(pocai.__file__).parent
    there = [name for name in DOCUMENT_MODELS if name not in SHIPPED or (root / SHIPPED[name]).is_file()]
    return [name for name in there if name != "auto"]  # it gives what one of the others does


def documents() -> Iterator[Document]:
    """Made documents as OCR and PDF files give them, of the layouts to train on and of those kept for tests."""
    made = seed = 0
    while made < COUNT:
        drawing = compose(FIRST_SEED + seed, layouts="test" if seed % 2 else "train")
        seed += 1
        if sum(len(sheet.texts) for sheet in drawing.sheets) > LONGEST:
            continue
        for reading in range(READINGS):
            pages = made_pages(drawing, np.random.default_rng((FIRST_SEED, seed, reading)))
            yield Document(tuple(page.page for page in pages), "pdf", "0" * 64)
            made += 1


def invented(timetables: tuple[Timetable, ...], document: Document) -> list[str]:
    """The names that no lines of the document make up: by `Printed`, and more simply by the letters of each word."""
    lines = [line for page in document.pages for line in lines_of(page)]
    printed, letters = Printed(lines), letters_of("".join(line.text for line in lines))
    names = {block.name for timetable in timetables for block in timetable.timeblocks}
    return [
        name
        for name in sorted(names)
        if printed.text(name) is None or not set(letters_of(name)) <= set(letters) or not letters_of(name)
    ]


def letters_of(text: str) -> str:
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", text).casefold())


def test_no_name_is_given_whose_letters_are_not_on_the_page() -> None:
    services = {name: DocumentService(name, SchoolHours()) for name in installed()}
    names = Counter[str]()
    found: list[tuple[str, int, str]] = []
    for number, document in enumerate(documents()):
        for model, service in services.items():
            timetables = service.extract(document).timetables
            found += [(model, number, each) for each in invented(timetables, document)]
            names[model] += sum(len(timetable.timeblocks) for timetable in timetables)
    assert found == []
    assert number == COUNT - 1
    assert {"rules", "layout"} <= names.keys()
    assert min(names.values()) > 10 * COUNT


def test_a_name_that_is_not_there_would_be_found() -> None:
    document = next(documents())
    timetables = DocumentService("rules", SchoolHours()).extract(document).timetables
    week = timetables[0]
    blocks = tuple(block.model_copy(update={"name": block.name + "xq"}) for block in week.timeblocks[:1])
    assert invented((week.model_copy(update={"timeblocks": blocks}),), document)
    assert not invented(timetables, document)
