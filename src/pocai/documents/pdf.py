"""PDF: text, rules, fills and pictures of pages that have text; a rendering of those that are scans."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from pocai.documents.limits import Deadline
from pocai.documents.page import Box, Page, Picture
from pocai.documents.pdf_lines import build_lines
from pocai.documents.pdf_objects import Frame, page_frame, walk
from pocai.documents.pdf_paths import Drawing, read_drawing
from pocai.documents.pdf_text import TextLayer, read_text
from pocai.errors import EncryptedDocument, UnreadableDocument

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pocai.settings import Limits

_LONG_SIDE = 2200  # pixels of a rendered page: about 190 dpi for A4, where the detector finds small print
_PAGES_AT_FULL_SIZE = 16  # max_pixels each; more pages share that budget, so that memory stays bounded
_GARBAGE = 0.3  # share of meaningless characters from which a text layer is not believed
_SOME_TEXT = 3  # letters or digits that make a text layer, where anything else is drawn
_PICTURE_SHARE = 0.3  # of the page under pictures without text, from which the page is read from its picture
_TEXT_IN_PICTURE = 0.01  # of a picture's area under writing, from which it is a background
_RASTER = 48  # cells a side on which the area of pictures is counted
_SMALLEST_SCALE = 1e-6  # leaves one pixel
_PASSWORD_ERRORS = (4, 5)  # FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY

_LOCK = threading.Lock()  # PDFium is not thread-safe


def read_pdf(data: bytes, limits: Limits) -> tuple[tuple[Page, ...], tuple[str, ...]]:
    """Read a PDF: its pages, and warnings about what was left out.

    A page with text has lines, rules, fills and pictures in points, of the page as displayed (crop box, /Rotate), and
    no image. A page without text that can be used (a scan, with or without a hidden OCR layer; letters drawn as
    shapes; a text layer without meaning) has an image instead, RGB ``(H, W, 3)`` uint8 about 2200 pixels long, in
    pixels, ``to_source`` leading to points. So has a mixed page, where pictures without text on them cover more than
    30 % of it: its timetable is likely in the picture, and one reading of the whole page keeps everything in place.

    What is filled into form fields, text boxes and stamps counts as content; comments do not. JavaScript is never run.
    Raises EncryptedDocument, UnreadableDocument, LimitExceeded.
    """
    deadline = Deadline(limits.max_seconds)
    pages: list[Page] = []
    notes: list[str] = []
    with _opened(data) as document:
        count = len(document)
        wanted = min(count, limits.max_pages)
        pixels = min(limits.max_pixels, max(1, _PAGES_AT_FULL_SIZE * limits.max_pixels // wanted))
        for number in range(wanted):
            deadline.check()
            page = _read_page(document, number, pixels, deadline)
            if page is None:
                notes.append(f"Page {number + 1} is damaged and was left out")
            else:
                pages.append(page)
    if not pages:
        raise UnreadableDocument("No page of the PDF can be read", mend="Print it to a new PDF and send that")
    if wanted < count:
        notes.append(f"Only the first {wanted} of {count} pages were read (limits.max_pages)")
    return tuple(pages), tuple(notes)


def render_page(data: bytes, number: int, *, long_side: int) -> NDArray[np.uint8]:
    """A page of a PDF as RGB ``(H, W, 3)`` uint8, its longer side ``long_side`` pixels.

    Raises EncryptedDocument, UnreadableDocument.
    """
    from pypdfium2 import PdfiumError

    with _opened(data) as document:
        if not 0 <= number < len(document):
            raise UnreadableDocument(f"The PDF has {len(document)} pages, none with the number {number} from 0")
        try:
            with _open_page(document, number) as page:
                return _render(page, page_frame(page), long_side, (long_side + 1) ** 2)
        except PdfiumError as error:
            raise UnreadableDocument(f"Page {number + 1} of the PDF cannot be drawn") from error


@contextmanager
def _opened(data: bytes) -> Iterator[Any]:
    """An open document, alone with PDFium; closed, with all that hangs on it, at the end."""
    import pypdfium2

    with _LOCK:
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            if getattr(error, "err_code", None) in _PASSWORD_ERRORS:
                raise EncryptedDocument(
                    "The PDF needs a password", mend="Save it without a password and send it again"
                ) from error
            raise UnreadableDocument("The PDF is damaged", mend="Print it to a new PDF and send that") from error
        with closing(document):
            yield document


@contextmanager
def _open_page(document: Any, number: int) -> Iterator[Any]:
    """An open page, closed at the end; what is filled into its form fields has become part of its content."""
    import pypdfium2.raw as pdfium

    page = document[number]
    try:
        if _has_written_annotations(page) and pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY):
            page.close()
            page = document[number]
        yield page
    finally:
        page.close()


def _has_written_annotations(page: Any) -> bool:
    """Whether a page has form fields, text boxes or stamps; links and comments are of no interest."""
    import pypdfium2.raw as pdfium

    written = {pdfium.FPDF_ANNOT_WIDGET, pdfium.FPDF_ANNOT_FREETEXT, pdfium.FPDF_ANNOT_STAMP}
    for index in range(max(0, pdfium.FPDFPage_GetAnnotCount(page))):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        pdfium.FPDFPage_CloseAnnot(annotation)
        if kind in written:
            return True
    return False


def _read_page(document: Any, number: int, pixels: int, deadline: Deadline) -> Page | None:
    """One page; None where PDFium cannot read it."""
    from pypdfium2 import PdfiumError

    try:
        with _open_page(document, number) as page:
            frame = page_frame(page)
            objects = walk(page, frame, deadline)
            drawing = read_drawing(objects, frame)
            with closing(page.get_textpage()) as textpage:
                text = read_text(textpage, objects, drawing.covers, frame, deadline)
            if objects and _needs_reading(text, drawing, frame):
                return _scan(page, number, frame, pixels)
    except PdfiumError:
        return None
    lines = build_lines(text.runs, drawing.rules, drawing.fills)
    return Page(number, frame.width, frame.height, lines, drawing.rules, drawing.fills, drawing.pictures, unit="pt")


def _scan(page: Any, number: int, frame: Frame, pixels: int) -> Page:
    """A page to be read from its picture."""
    image = _render(page, frame, _LONG_SIDE, pixels)
    height, width = image.shape[:2]
    x, y = frame.width / width, frame.height / height
    return Page(number, width, height, image=image, to_source=(x, 0.0, 0.0, 0.0, y, 0.0, 0.0, 0.0, 1.0))


def _render(page: Any, frame: Frame, long_side: int, pixels: int) -> NDArray[np.uint8]:
    import numpy as np

    # PDFium rounds both sides up: the larger root of (width s + 1) (height s + 1) = pixels.
    half, area = (frame.width + frame.height) / 2, frame.width * frame.height
    within = (math.sqrt(half * half + area * (pixels - 1)) - half) / area
    scale = max(min(long_side / max(frame.width, frame.height), within), _SMALLEST_SCALE)
    with closing(page.render(scale=scale, may_draw_forms=False, rev_byteorder=True)) as bitmap:
        return np.array(bitmap.to_numpy()[:, :, :3])  # a copy: the bitmap's memory goes with it


def _needs_reading(text: TextLayer, drawing: Drawing, frame: Frame) -> bool:
    """Whether the page must be read from its picture; see `read_pdf`."""
    letters = sum(character.isalnum() for run in text.runs for glyph in run.glyphs for character in glyph.text)
    drawn = drawing.rules or drawing.fills or drawing.pictures
    if letters < (_SOME_TEXT if drawn else 1) or text.garbage > _GARBAGE:
        return True
    return _bare_share(drawing.pictures, _glyph_places(text), frame) > _PICTURE_SHARE


def _glyph_places(text: TextLayer) -> list[tuple[tuple[float, float], float]]:
    """Centre and area of each glyph."""
    places = []
    for run in text.runs:
        for glyph in run.glyphs:
            middle = (glyph.start + glyph.end) / 2, glyph.baseline - 0.3 * run.style.size
            places.append((run.style.direction.on_page(*middle), (glyph.end - glyph.start) * run.style.size))
    return places


def _bare_share(
    pictures: Sequence[Picture], glyphs: Sequence[tuple[tuple[float, float], float]], frame: Frame
) -> float:
    """Share of the page under pictures that have no text on them; overlaps count once."""
    import numpy as np

    covered = np.zeros((_RASTER, _RASTER), dtype=bool)
    for picture in pictures:
        written = sum(area for place, area in glyphs if picture.box.contains(place))
        if written <= _TEXT_IN_PICTURE * picture.box.area:
            left, top, right, bottom = _cells(picture.box, frame)
            covered[top:bottom, left:right] = True
    return float(covered.mean())


def _cells(box: Box, frame: Frame) -> tuple[int, int, int, int]:
    x, y = _RASTER / frame.width, _RASTER / frame.height
    return round(box.left * x), round(box.top * y), round(box.right * x), round(box.bottom * y)
