"""One document of a made data set: its file, the truth about it, and where its lines are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from statistics import median
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from pocai.synthetic.bending import Bending
from pocai.synthetic.compose import compose
from pocai.synthetic.damage import KINDS, Kind, damage_page
from pocai.synthetic.document import Drawing, Sheet
from pocai.synthetic.excerpt import first_sheet
from pocai.synthetic.fonts import Split
from pocai.synthetic.layouts import FAMILIES
from pocai.synthetic.layouts.chance import happens
from pocai.synthetic.painting import POINTS, paint_sheet
from pocai.synthetic.printed import PrintedFile, PrintedPage, pictured_page
from pocai.synthetic.reading_order import ordered
from pocai.synthetic.schools import School

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

Format = Literal["png", "jpeg", "pdf", "scan", "docx", "xlsx"]
Amount = Literal["clean", "mixed", "heavy"]
FORMATS: tuple[Format, ...] = get_args(Format)
AMOUNTS: tuple[Amount, ...] = get_args(Amount)
ENDINGS: Mapping[Format, str] = {
    "png": "png",
    "jpeg": "jpg",
    "pdf": "pdf",
    "scan": "pdf",
    "docx": "docx",
    "xlsx": "xlsx",
}
RESOLUTIONS = (100.0, 200.0)  # dots an inch of pictures
LONGEST = 2400  # pixels of a picture's longer side
WHOLE = 0.35  # share of the pictures to which nothing happens where damage is mixed
_STRENGTHS: Mapping[Amount, tuple[float, float]] = {"mixed": (0.2, 0.7), "heavy": (0.7, 1.0)}
_QUALITIES = (60, 96)  # of JPEG, the last excluded
_EVIDENCE: Any = {"fields": True, "timeblocks": {"__all__": {"fields"}}}  # which a label has none of
_STREAM = 0xD0C  # of the generator


@dataclass(frozen=True, slots=True)
class DocumentSet:
    """Which documents are made: ``count`` from a seed on, their formats in turn.

    ``damage`` is that of pictures and scans; ``layouts`` is "train", "test" or the name of a family; ``split`` chooses
    the faces.
    """

    seed: int
    count: int
    formats: tuple[Format, ...] = FORMATS
    damage: Amount = "mixed"
    layouts: str = "train"
    split: Split = "train"


@dataclass(frozen=True, slots=True)
class MadeDocument:
    """A made file with what it prints; ``faces`` are the families that it is set in."""

    printed: PrintedFile = field(repr=False)
    ending: str
    slices: Mapping[str, str]
    seed: int
    faces: tuple[str, ...]

    def truth(self) -> dict[str, Any]:
        """The label, as `pocai.evaluation.dataset` reads it."""
        tables = [table.model_dump(by_alias=True, exclude=_EVIDENCE, mode="json") for table in self.printed.timetables]
        return {"timetables": tables, "words": list(self.printed.words), "slices": dict(self.slices)}

    def lines(self) -> dict[str, Any]:
        """All printed lines by page, and how the document came about."""
        stand_ins = dict(sorted(self.printed.stand_ins.items()))
        facts = {"seed": self.seed, **self.slices, "faces": list(self.faces), "stand_ins": stand_ins}
        return {**facts, "pages": [page.to_json() for page in self.printed.pages]}


def made_document(documents: DocumentSet, number: int) -> MadeDocument:
    """Document ``number`` of a set, from 0: a pure function of the two.

    Raises ConfigurationError for layouts that are not there and where too few faces are installed.
    """
    seed = documents.seed + number
    kind = documents.formats[number % len(documents.formats)]
    drawing = ordered(compose(seed, layouts=documents.layouts, split=documents.split))
    rng = np.random.default_rng((seed, _STREAM, FORMATS.index(kind)))
    printed, damage = _printed(drawing, kind, documents.damage, rng)
    stage = School.of(drawing.seed, stage=FAMILIES[drawing.layout].stage).stage
    slices = {
        "layout": drawing.layout,
        "language": drawing.language,
        "stage": stage,
        "format": kind,
        "damage": damage or "none",
    }
    faces = sorted({text.style.face for sheet in drawing.sheets for text in (*sheet.texts, *sheet.under)})
    return MadeDocument(printed, ENDINGS[kind], slices, seed, tuple(faces))


def _printed(drawing: Drawing, kind: Format, amount: Amount, rng: Generator) -> tuple[PrintedFile, Kind | None]:
    """The file in its format, and what happened to its pictures."""
    match kind:
        case "pdf":
            from pocai.synthetic.pdf import text_pdf

            return text_pdf(drawing), None
        case "docx":
            from pocai.synthetic.docx import docx_of

            return docx_of(drawing, rng), None
        case "xlsx":
            from pocai.synthetic.xlsx import xlsx_of

            return xlsx_of(drawing, rng), None
        case _:
            return _pictured(drawing, kind, amount, rng)


def _pictured(drawing: Drawing, kind: Format, amount: Amount, rng: Generator) -> tuple[PrintedFile, Kind | None]:
    """The drawing as a picture of its first sheet, or as a scan of all."""
    from pocai.synthetic.pdf import ScannedPage, scan_pdf

    if kind != "scan":
        drawing = first_sheet(drawing)
    damage = _damage(kind, amount, rng)
    taken = [_taken(sheet, damage, amount, rng) for sheet in drawing.sheets]
    pages = tuple(page for _, page in taken)
    quality = int(rng.integers(*_QUALITIES))
    if kind == "scan":
        sizes = ((sheet.width, sheet.height) for sheet in drawing.sheets)
        scans = [ScannedPage(image, size) for (image, _), size in zip(taken, sizes, strict=True)]
        return PrintedFile(scan_pdf(scans, quality), pages, drawing.timetables), damage
    return PrintedFile(_encoded(taken[0][0], kind, quality), pages, drawing.timetables), damage


def _damage(kind: Format, amount: Amount, rng: Generator) -> Kind | None:
    """What happens to the pictures of a document; nobody makes a PDF of a photographed screen."""
    if amount == "clean" or (amount == "mixed" and happens(rng, WHOLE)):
        return None
    kinds = [each for each in KINDS if kind != "scan" or each != "screen"]
    return kinds[int(rng.integers(len(kinds)))]


def _taken(sheet: Sheet, damage: Kind | None, amount: Amount, rng: Generator) -> tuple[Image, PrintedPage]:
    """The picture of a sheet, and where its lines are in it."""
    dpi = min(float(rng.uniform(*RESOLUTIONS)), LONGEST * POINTS / max(sheet.width, sheet.height))
    painted = paint_sheet(sheet, dpi)
    if damage is None:
        return painted.image, pictured_page(painted, Bending())
    unit = median(line.size for line in painted.lines) if painted.lines else 0.0
    strength = float(rng.uniform(*_STRENGTHS[amount]))
    image, bending = damage_page(painted.image, rng, damage, strength, unit)
    return image, pictured_page(replace(painted, image=image), bending)


def _encoded(image: Image, kind: Format, quality: int) -> bytes:
    from PIL import Image as Pictures

    target = BytesIO()
    picture = Pictures.fromarray(image)
    if kind == "png":
        picture.save(target, "PNG")
    else:
        picture.save(target, "JPEG", quality=quality)
    return target.getvalue()
