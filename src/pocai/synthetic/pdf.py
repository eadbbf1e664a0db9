"""Made documents as PDF: with text, rules and fills, as programs export them, or with pictures of pages, as scans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from pocai.synthetic.document import Drawing, Logo, Panel, Sheet, Stroke, Text
from pocai.synthetic.emblem import emblem
from pocai.synthetic.fonts import Face
from pocai.synthetic.pdf_faces import embedded, registered
from pocai.synthetic.printed import PrintedFile, set_page
from pocai.synthetic.setting import baseline, width

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pocai.documents.page import Color

    Image = NDArray[np.uint8]

_SQUARE_ENDS = 2  # of lines, reaching half their thickness beyond: corners are closed (ISO 32000-1, 8.4.3.3)
_LOGO_PIXELS = 2.5  # to a point
_FULL = 255.0
_WHITE = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class ScannedPage:
    """A page of a scan: RGB ``(h, w, 3)`` uint8, and the size of the paper in points."""

    image: Image
    size: tuple[float, float]


def text_pdf(drawing: Drawing) -> PrintedFile:
    """The drawing as a PDF with text, each line exactly as long as it is drawn; the same bytes for the same drawing."""
    faces = _faces(drawing)
    data = _saved((sheet.width, sheet.height, _Ink(sheet, faces).draw) for sheet in drawing.sheets)
    stand_ins = {family: face.family for family, face in faces.items() if face.family != family}
    pages = tuple(set_page(sheet) for sheet in drawing.sheets)
    return PrintedFile(data, pages, drawing.timetables, stand_ins)


def scan_pdf(pages: Sequence[ScannedPage], quality: int = 85) -> bytes:
    """Pictures as the pages of a PDF, each compressed as JPEG of this quality (1 to 95) and as large as its paper."""

    def drawer(page: ScannedPage) -> Any:
        return lambda canvas: canvas.drawImage(_jpeg(page.image, quality), 0, 0, *page.size)

    return _saved((*page.size, drawer(page)) for page in pages)


def _saved(pages: Iterable[tuple[float, float, Any]]) -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    target = BytesIO()
    canvas = Canvas(target, pageCompression=1, invariant=1)
    for wide, tall, draw in pages:
        canvas.setPageSize((wide, tall))
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return target.getvalue()


def _jpeg(image: Image, quality: int) -> Any:
    from PIL import Image as Pictures
    from reportlab.lib.utils import ImageReader

    target = BytesIO()
    Pictures.fromarray(image).save(target, "JPEG", quality=quality)
    target.seek(0)
    return ImageReader(target)


def _faces(drawing: Drawing) -> Mapping[str, Face]:
    """The face in which each family of the drawing is embedded."""
    letters: dict[str, set[str]] = defaultdict(set)
    for text in _texts(drawing):
        letters[text.style.face].update(text.text)
    return {family: embedded(family, frozenset(used)) for family, used in letters.items()}


def _texts(drawing: Drawing) -> Iterator[Text]:
    for sheet in drawing.sheets:
        yield from (*sheet.texts, *sheet.under)


@dataclass(frozen=True, slots=True)
class _Ink:
    """Draws one sheet in the order in which it is printed; a PDF counts y from the bottom."""

    sheet: Sheet
    faces: Mapping[str, Face]

    def draw(self, canvas: Any) -> None:
        sheet = self.sheet
        if sheet.paper != _WHITE:
            self._color(canvas, sheet.paper)
            canvas.rect(0, 0, sheet.width, sheet.height, stroke=0, fill=1)
        for panel in sheet.fills:
            self._fill(canvas, panel)
        for logo in sheet.logos:
            self._paste(canvas, logo)
        for text in sheet.under:
            self._write(canvas, text)
        for stroke in sheet.rules:
            self._rule(canvas, stroke)
        for text in sheet.texts:
            self._write(canvas, text)

    @staticmethod
    def _color(canvas: Any, color: Color) -> None:
        canvas.setFillColorRGB(*(part / _FULL for part in color))

    def _fill(self, canvas: Any, panel: Panel) -> None:
        box = panel.box
        place = box.left, self.sheet.height - box.bottom, box.width, box.height
        self._color(canvas, panel.color)
        if panel.radius:
            canvas.roundRect(*place, panel.radius, stroke=0, fill=1)
        else:
            canvas.rect(*place, stroke=0, fill=1)

    def _paste(self, canvas: Any, logo: Logo) -> None:
        from PIL import Image as Pictures
        from reportlab.lib.utils import ImageReader

        box = logo.box
        pixels = max(1, round(box.width * _LOGO_PIXELS)), max(1, round(box.height * _LOGO_PIXELS))
        picture = Pictures.fromarray(emblem(logo.seed, logo.kind, pixels))
        place = box.left, self.sheet.height - box.bottom, box.width, box.height
        canvas.drawImage(ImageReader(picture), *place, mask="auto")

    def _rule(self, canvas: Any, stroke: Stroke) -> None:
        canvas.setStrokeColorRGB(*(part / _FULL for part in stroke.color))
        canvas.setLineWidth(stroke.thickness)
        canvas.setLineCap(_SQUARE_ENDS)
        (x, y), (x2, y2) = stroke.start, stroke.end
        canvas.line(x, self.sheet.height - y, x2, self.sheet.height - y2)

    def _write(self, canvas: Any, text: Text) -> None:
        """A line of text, stretched to the length that it has in its own face, with the kerning there."""
        from reportlab.pdfbase.pdfmetrics import stringWidth

        style = text.style
        name = registered(self.faces[style.face].cut(bold=style.bold))
        natural = stringWidth(text.text, name, style.size)
        x, y = baseline(text)
        canvas.saveState()
        canvas.translate(x, self.sheet.height - y)
        canvas.rotate(-text.angle)
        self._color(canvas, style.color)
        line = canvas.beginText(0, 0)
        line.setFont(name, style.size)
        if natural > 0:
            line.setHorizScale(100 * width(text.text, style) / natural)
        line.textOut(text.text)
        canvas.drawText(line)
        canvas.restoreState()
