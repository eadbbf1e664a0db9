"""Made files that were really read: the lines that a reader found, each with what the file's maker knows of it.

Lines of pictures and PDF files are found again by their place, those of Word and Excel files by their text and order.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence

import numpy as np
from numpy.linalg import inv
from numpy.typing import NDArray

from pocai.documents.page import Box, Document, Page, Quad
from pocai.models.layout_tokens import lines_of
from pocai.synthetic.printed import PrintedFile, PrintedLine, PrintedPage
from pocai.training.document_model.made_pages import MadePage, Truth, truth_of

INSIDE = 0.5  # share of the smaller of two lines that the other one covers, from which they are one


def read_pages(printed: PrintedFile, document: Document, widths: Sequence[float]) -> tuple[MadePage, ...]:
    """The pages of a document as they were read, with the truth; those whose lines cannot be told apart are left out.

    ``widths`` are those of the pages before they were straightened, in the unit of the uploaded file.
    """
    if document.format in {"docx", "xlsx"}:
        return _by_text([line for page in printed.pages for line in page.lines], document.pages)
    return tuple(
        MadePage(page, _by_place(page, truth, width / truth.width if truth.width else 1.0))
        for page, truth, width in zip(document.pages, printed.pages, widths, strict=False)
    )


def _by_place(page: Page, printed: PrintedPage, factor: float) -> tuple[Truth, ...]:
    """Each line holds the printed ones that lie in it, or in which it lies: a detector joins lines and parts them."""
    to_page = np.asarray(inv(np.array(page.to_source, np.float64).reshape(3, 3)), np.float64)
    places = [(_moved(line.quad, factor, to_page), line) for line in printed.lines if line.quad and line.text.strip()]
    return tuple(
        truth_of([other for place, other in places if _common(line.box, place) >= INSIDE]) for line in lines_of(page)
    )


def _moved(quad: Quad, factor: float, to_page: NDArray[np.float64]) -> Box:
    x, y, w = to_page @ np.array([(px * factor, py * factor, 1.0) for px, py in quad]).T
    return Box(float((x / w).min()), float((y / w).min()), float((x / w).max()), float((y / w).max()))


def _common(box: Box, other: Box) -> float:
    """What two boxes have in common, as a share of the smaller one."""
    return max(box.overlap(other), other.overlap(box))


def _by_text(printed: Sequence[PrintedLine], pages: Sequence[Page]) -> tuple[MadePage, ...]:
    """Pages of an office file: the first line that is read of some text is the first that was printed of it, etc."""
    open_: dict[str, deque[int]] = defaultdict(deque)
    for number, line in enumerate(printed):
        open_[_letters(line.text)].append(number)
    used: set[int] = set()
    made = []
    for page in pages:
        found = [_printed(_letters(line.text), printed, open_, used) for line in lines_of(page)]
        if found and all(found):
            made.append(MadePage(page, tuple(truth_of(printed[n] for n in numbers) for numbers in found)))
    return tuple(made)


def _printed(text: str, printed: Sequence[PrintedLine], open_: dict[str, deque[int]], used: set[int]) -> list[int]:
    """The printed lines that make up a read one: one of the same text, or several that follow each other."""
    same = open_.get(text, deque())
    while same:
        number = same.popleft()
        if number not in used:
            used.add(number)
            return [number]
    for start in range(len(printed)):
        numbers, rest = [], text
        for number in range(start, len(printed)):
            part = _letters(printed[number].text)
            if number in used or not rest.startswith(part):
                break
            numbers.append(number)
            rest = rest[len(part) :]
            if not rest:
                used.update(numbers)
                return numbers
    return []


def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum()) or text.strip()
