"""The free faces that made documents are set in, split by family into those to train on and those to test with.

The files come from the Debian packages that ``tools/fonts.txt`` lists, each with its licence; none of them is copied.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_left
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pocai.errors import ConfigurationError
from pocai.models.ctc import LETTERS

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

Kind = Literal["sans", "serif", "mono", "condensed", "display", "hand"]
Split = Literal["train", "test"]
PLACES = (Path("/usr/share/fonts"), Path("~/.local/share/fonts"))  # where faces are looked for
FEWEST = 20  # families of a whole installation below which nothing is drawn: the variety would not be worth the name
HELD_OUT_HAND = "DKG Handwriting"  # a handwriting that is only ever tested with; adapters are measured on it


@dataclass(frozen=True, slots=True)
class Face:
    """A family with the files of its plain and, where there is one, its bold cut.

    ``weight`` says how often it is drawn: office faces more often than ornamental ones.
    """

    family: str
    file: Path
    kind: Kind
    split: Split
    bold: Path | None = None
    weight: float = 1.0

    def cut(self, *, bold: bool) -> Path:
        """The file of one cut; the plain one where there is no bold."""
        return self.bold if bold and self.bold is not None else self.file


@cache
def faces(split: Split, places: tuple[Path, ...] = PLACES) -> tuple[Face, ...]:
    """The installed faces of one split, in a fixed order. Raises ConfigurationError where too few are installed."""
    found = _installed(places)
    if len(found) < FEWEST:
        raise ConfigurationError(
            f"{len(found)} of {len(_FACES)} font families for made documents are installed; it takes at least {FEWEST}",
            mend="Install the packages that tools/fonts.txt lists: "
            "apt-get install --no-install-recommends $(grep -o '^fonts-[a-z0-9-]*' tools/fonts.txt)",
        )
    return tuple(face for face in found if face.split == split)


def face(family: str) -> Face:
    """The face of one family. Raises ConfigurationError where it is not installed."""
    for found in _installed(PLACES):
        if found.family == family:
            return found
    raise ConfigurationError(
        f"the font family {family!r} is not installed", mend="Install the packages that tools/fonts.txt lists"
    )


@lru_cache(maxsize=1024)
def font(file: Path, size: float) -> FreeTypeFont:
    """A font file at ``size`` pixels an em, kept open. Simple layout: it is fast and the same on every machine."""
    from PIL import ImageFont

    return ImageFont.truetype(str(file), size, layout_engine=ImageFont.Layout.BASIC)


@cache
def printable(file: Path) -> frozenset[str]:
    """Those of `pocai.models.ctc.LETTERS` that the file truly draws, and the space.

    A letter counts where the file maps it to a glyph of its own that shows ink: not to the box for missing ones, and
    not to the picture of another letter, as where accents are dropped.
    """
    mapped = _mapped(file)
    drawn = font(file, _SIZE)
    seen = {_picture(drawn, mark) for mark in ("\uffff", "\U000f0000")}
    found = {" "}
    for letter in LETTERS:
        picture = _picture(drawn, letter) if letter in mapped else b""
        if picture and (letter.isascii() or picture not in seen):
            found.add(letter)
        seen.add(picture)
    return frozenset(found)


def _picture(drawn: FreeTypeFont, letter: str) -> bytes:
    """The pixels and the place of a glyph; nothing where it has no ink."""
    mask, offset = drawn.getmask2(letter, mode="L")
    ink = bytes(mask)
    return b"%d %d %d " % (mask.size[0], mask.size[1], offset[1]) + ink if any(ink) else b""


@cache
def _installed(places: tuple[Path, ...]) -> tuple[Face, ...]:
    """All faces of the table that are installed, in the order of the table."""
    files: dict[str, Path] = {}
    for place in places:
        for folder, folders, names in os.walk(place.expanduser()):
            folders.sort()
            for name in names:
                files.setdefault(name, Path(folder) / name)
    return tuple(
        Face(family, files[plain], kind, split, files.get(bold), weight)
        for family, kind, split, weight, plain, bold in _FACES
        if plain in files
    )


def _mapped(file: Path) -> frozenset[str]:
    """Those of the letters that a TrueType or OpenType file maps to a glyph (its ``cmap``, formats 4 and 12).

    Source: OpenType 1.9, cmap. FreeType draws by the same table, but Pillow has no call that asks for it.
    """
    data = file.read_bytes()
    tables = {data[place : place + 4]: place for place in range(12, 12 + 16 * _short(data, 4), 16)}
    if b"cmap" not in tables:
        return frozenset()
    start = _long(data, tables[b"cmap"] + 8)
    found: set[str] = set()
    for record in range(start + 4, start + 4 + 8 * _short(data, start + 2), 8):
        table = start + _long(data, record + 4)
        glyph = {_SEGMENTS: _segment_glyph, _GROUPS: _group_glyph}.get(_short(data, table))
        if glyph is not None and _short(data, record) in _UNICODE and not found:
            found.update(letter for letter in LETTERS if glyph(data, table, ord(letter)))
    return frozenset(found)


def _segment_glyph(data: bytes, table: int, code: int) -> int:
    """The glyph of a code point by a ``cmap`` of format 4; 0 for none."""
    double = _short(data, table + 6)  # two bytes for each segment
    ends = struct.unpack_from(f">{double // 2}H", data, table + 14)
    segment = table + 14 + 2 * bisect_left(ends, code)
    start = _short(data, segment + 2 + double)
    if segment >= table + 14 + double or code < start:
        return 0
    offset, delta = _short(data, segment + 2 + 3 * double), _short(data, segment + 2 + 2 * double)
    if not offset:
        return (code + delta) & 0xFFFF
    place = segment + 2 + 3 * double + offset + 2 * (code - start)
    return _short(data, place) if place + 2 <= len(data) else 0


def _group_glyph(data: bytes, table: int, code: int) -> int:
    """The glyph of a code point by a ``cmap`` of format 12; 0 for none."""
    for group in range(table + 16, table + 16 + 12 * _long(data, table + 12), 12):
        first, last = _long(data, group), _long(data, group + 4)
        if first <= code <= last:
            return _long(data, group + 8) + code - first
        if first > code:
            break
    return 0


def _short(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 2], "big")


def _long(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 4], "big")


_SEGMENTS, _GROUPS = 4, 12  # formats of cmap
_UNICODE = (0, 3)  # platforms whose codes are Unicode
_SIZE = 28  # pixels an em at which glyphs are compared
_NARROW, _UNIVERSALIS = "LiberationSansNarrow-{}.ttf", "UniversalisADFStd-{}Cond.otf"
# family, kind, split, how often, plain cut, bold cut. Twins of office faces weigh most: Liberation Sans (Arial),
# Carlito (Calibri), Liberation Serif (Times), Caladea (Cambria), DejaVu Sans (Verdana), Comic Neue (Comic Sans).
_FACES: tuple[tuple[str, Kind, Split, float, str, str], ...] = (
    ("Liberation Sans", "sans", "train", 10.0, "LiberationSans-Regular.ttf", "LiberationSans-Bold.ttf"),
    ("Carlito", "sans", "train", 9.0, "Carlito-Regular.ttf", "Carlito-Bold.ttf"),
    ("Nimbus Sans", "sans", "train", 3.0, "NimbusSans-Regular.otf", "NimbusSans-Bold.otf"),
    ("DejaVu Sans", "sans", "train", 5.0, "DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
    ("Open Sans", "sans", "train", 4.0, "OpenSans-Regular.ttf", "OpenSans-Bold.ttf"),
    ("Roboto", "sans", "train", 4.0, "Roboto-Regular.ttf", "Roboto-Bold.ttf"),
    ("Lato", "sans", "train", 3.0, "Lato-Regular.ttf", "Lato-Bold.ttf"),
    ("Inter", "sans", "train", 3.0, "Inter-Regular.otf", "Inter-Bold.otf"),
    ("URW Gothic", "sans", "train", 3.0, "URWGothic-Book.otf", "URWGothic-Demi.otf"),
    ("Verana Sans", "sans", "train", 2.0, "VeranaSans-Regular.otf", "VeranaSans-Bold.otf"),
    ("Andika", "sans", "train", 2.0, "Andika-Regular.ttf", "Andika-Bold.ttf"),
    ("Quicksand", "sans", "train", 2.0, "Quicksand-Regular.ttf", "Quicksand-Bold.ttf"),
    ("Cantarell", "sans", "train", 1.0, "Cantarell-Regular.otf", "Cantarell-Bold.otf"),
    ("Cabin", "sans", "train", 1.0, "Cabin-Regular.otf", "Cabin-Bold.otf"),
    ("Gillius ADF", "sans", "train", 1.0, "GilliusADF-Regular.otf", "GilliusADF-Bold.otf"),
    ("Universalis ADF", "sans", "train", 1.0, "UniversalisADFStd-Regular.otf", "UniversalisADFStd-Bold.otf"),
    ("Averia Sans", "sans", "train", 0.7, "AveriaSansGWF-Regular.ttf", "AveriaSansGWF-Bold.ttf"),
    ("Karla", "sans", "train", 1.0, "Karla-Regular.otf", "Karla-Bold.otf"),
    ("Sora", "sans", "train", 0.7, "Sora-Regular.otf", "Sora-Bold.otf"),
    ("Tuffy", "sans", "train", 1.0, "Tuffy.ttf", "Tuffy_Bold.ttf"),
    ("Go", "sans", "train", 1.0, "Go-Regular.ttf", "Go-Bold.ttf"),
    ("Play", "sans", "train", 0.5, "Play-Regular.ttf", "Play-Bold.ttf"),
    ("B612", "sans", "train", 0.7, "B612-Regular.otf", "B612-Bold.otf"),
    ("Allerta", "sans", "train", 0.5, "allerta_medium.otf", ""),
    ("Junction", "sans", "train", 0.5, "Junction.otf", ""),
    ("Libris ADF", "sans", "train", 0.7, "LibrisADFStd-Regular.otf", "LibrisADFStd-Bold.otf"),
    ("Linux Biolinum", "sans", "train", 1.0, "LinBiolinum_R.otf", "LinBiolinum_RB.otf"),
    ("Tiresias", "sans", "train", 0.7, "tiresias_pcfont.ttf", "tiresias_pcfont_bold.ttf"),
    ("Manjari", "sans", "train", 0.5, "Manjari-Regular.otf", "Manjari-Bold.otf"),
    ("PT Sans", "sans", "test", 4.0, "PTS55F.ttf", "PTS75F.ttf"),
    ("Clear Sans", "sans", "test", 3.0, "ClearSans-Regular.ttf", "ClearSans-Bold.ttf"),
    ("Manrope", "sans", "test", 2.0, "Manrope-Regular.ttf", "Manrope-Bold.ttf"),
    ("Oxygen", "sans", "test", 2.0, "Oxygen-Sans.ttf", "Oxygen-Sans-Bold.ttf"),
    ("Dustismo", "sans", "test", 1.0, "Dustismo.ttf", "dustismo_bold.ttf"),
    ("Caliban", "sans", "test", 1.0, "Caliban.ttf", ""),
    ("Liberation Serif", "serif", "train", 6.0, "LiberationSerif-Regular.ttf", "LiberationSerif-Bold.ttf"),
    ("Caladea", "serif", "train", 4.0, "Caladea-Regular.ttf", "Caladea-Bold.ttf"),
    ("Nimbus Roman", "serif", "train", 2.0, "NimbusRoman-Regular.otf", "NimbusRoman-Bold.otf"),
    ("DejaVu Serif", "serif", "train", 2.0, "DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf"),
    ("C059", "serif", "train", 1.5, "C059-Roman.otf", "C059-Bold.otf"),
    ("P052", "serif", "train", 1.5, "P052-Roman.otf", "P052-Bold.otf"),
    ("URW Bookman", "serif", "train", 1.0, "URWBookman-Light.otf", "URWBookman-Demi.otf"),
    ("Gentium", "serif", "train", 1.0, "GenBasR.ttf", "GenBasB.ttf"),
    ("Linux Libertine", "serif", "train", 1.0, "LinLibertine_R.otf", "LinLibertine_RB.otf"),
    ("Baskervald ADF", "serif", "train", 0.7, "BaskervaldADFStd.otf", "BaskervaldADFStd-Bold.otf"),
    ("Accanthis ADF", "serif", "train", 0.5, "AccanthisADFStd-Regular.otf", "AccanthisADFStd-Bold.otf"),
    ("Romande ADF", "serif", "train", 0.5, "RomandeADFStd-Regular.otf", "RomandeADFStd-DemiBold.otf"),
    ("Averia Serif", "serif", "train", 0.5, "AveriaSerifGWF-Regular.ttf", "AveriaSerifGWF-Bold.ttf"),
    ("EB Garamond", "serif", "train", 0.7, "EBGaramond12-Regular.otf", ""),
    ("Cardo", "serif", "train", 0.5, "Cardo104s.ttf", "Cardob101.ttf"),
    ("Quattrocento", "serif", "train", 0.5, "Quattrocento-Regular.otf", ""),
    ("Roboto Slab", "serif", "train", 1.0, "RobotoSlab-Regular.otf", "RobotoSlab-Bold.otf"),
    ("Prociono", "serif", "train", 0.3, "Prociono.otf", ""),
    ("Arapey", "serif", "train", 0.4, "Arapey-Regular.otf", "Arapey-Black.otf"),
    ("PT Serif", "serif", "test", 3.0, "PTF55F.ttf", "PTF75F.ttf"),
    ("Old Standard", "serif", "test", 1.0, "OldStandard-Regular.ttf", "OldStandard-Bold.ttf"),
    ("Vollkorn", "serif", "test", 1.0, "Vollkorn-Regular.ttf", "Vollkorn-Bold.ttf"),
    ("Dustismo Roman", "serif", "test", 0.7, "Dustismo_Roman.ttf", "Dustismo_Roman_Bold.ttf"),
    ("Liberation Mono", "mono", "train", 1.5, "LiberationMono-Regular.ttf", "LiberationMono-Bold.ttf"),
    ("DejaVu Sans Mono", "mono", "train", 1.0, "DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf"),
    ("Nimbus Mono", "mono", "train", 0.7, "NimbusMonoPS-Regular.otf", "NimbusMonoPS-Bold.otf"),
    ("Courier Prime", "mono", "train", 1.0, "Courier Prime.otf", "Courier Prime Bold.otf"),
    ("Inconsolata", "mono", "train", 0.5, "Inconsolata.otf", ""),
    ("Anonymous Pro", "mono", "train", 0.4, "Anonymous Pro.ttf", "Anonymous Pro B.ttf"),
    ("Fantasque Sans Mono", "mono", "train", 0.4, "FantasqueSansMono-Regular.ttf", "FantasqueSansMono-Bold.ttf"),
    ("Go Mono", "mono", "train", 0.4, "Go-Mono.ttf", "Go-Mono-Bold.ttf"),
    ("GNU Typewriter", "mono", "train", 0.4, "GNUTypewriter.ttf", ""),
    ("PT Mono", "mono", "test", 0.7, "PTM55F.ttf", "PTM75F.ttf"),
    ("mononoki", "mono", "test", 0.5, "mononoki-Regular.ttf", "mononoki-Bold.ttf"),
    (
        "Liberation Sans Narrow",
        "condensed",
        "train",
        3.0,
        "LiberationSansNarrow-Regular.ttf",
        "LiberationSansNarrow-Bold.ttf",
    ),
    ("Roboto Condensed", "condensed", "train", 2.0, "RobotoCondensed-Regular.ttf", "RobotoCondensed-Bold.ttf"),
    ("DejaVu Sans Condensed", "condensed", "train", 1.5, "DejaVuSansCondensed.ttf", "DejaVuSansCondensed-Bold.ttf"),
    ("Yanone Kaffeesatz", "condensed", "train", 1.0, "YanoneKaffeesatz-Regular.otf", "YanoneKaffeesatz-Bold.otf"),
    ("Nimbus Sans Narrow", "condensed", "train", 1.0, "NimbusSansNarrow-Regular.otf", "NimbusSansNarrow-Bold.otf"),
    ("Open Sans Condensed", "condensed", "train", 1.0, "OpenSans-CondLight.ttf", "OpenSans-CondBold.ttf"),
    ("Dosis", "condensed", "train", 0.7, "Dosis-Medium.otf", "Dosis-Bold.otf"),
    (
        "Universalis ADF Condensed",
        "condensed",
        "train",
        0.5,
        "UniversalisADFStd-Cond.otf",
        "UniversalisADFStd-BoldCond.otf",
    ),
    ("Gillius ADF Condensed", "condensed", "train", 0.5, "GilliusADF-Cond.otf", "GilliusADF-BoldCond.otf"),
    ("Gemunu Libre", "condensed", "train", 0.4, "GemunuLibre-Regular.otf", "GemunuLibre-Bold.otf"),
    ("OSP DIN", "condensed", "train", 0.3, "OSP-DIN.ttf", ""),
    ("PT Sans Narrow", "condensed", "test", 1.5, "PTN57F.ttf", "PTN77F.ttf"),
    ("Roadgeek", "condensed", "test", 0.4, "RG2014B.ttf", "RG2014D.ttf"),
    ("Comfortaa", "display", "train", 1.5, "Comfortaa-Regular.ttf", "Comfortaa-Bold.ttf"),
    ("OpenDyslexic", "display", "train", 1.0, "OpenDyslexic-Regular.otf", "OpenDyslexic-Bold.otf"),
    ("Lobster", "display", "train", 0.7, "lobster.otf", ""),
    ("Lobster Two", "display", "train", 0.4, "LobsterTwo-Regular.otf", "LobsterTwo-Bold.otf"),
    ("Leckerli One", "display", "train", 0.4, "LeckerliOne-Regular.ttf", ""),
    ("Cherry Bomb", "display", "train", 0.4, "CherryBomb-Regular.otf", ""),
    ("StayPuft", "display", "train", 0.3, "StayPuft.ttf", ""),
    ("Cabin Sketch", "display", "train", 0.3, "CabinSketch-Regular.ttf", "CabinSketch-Bold.ttf"),
    ("League Spartan", "display", "train", 0.5, "LeagueSpartan-Regular.otf", "LeagueSpartan-Bold.otf"),
    ("National Park", "display", "train", 0.3, "NationalPark-Regular.otf", "NationalPark-Heavy.otf"),
    ("Allerta Stencil", "display", "train", 0.3, "allerta_stencil.otf", ""),
    ("Routed Gothic", "display", "train", 0.4, "routed-gothic.ttf", ""),
    ("Eurofurence", "display", "train", 0.4, "eurof55.ttf", "eurof75.ttf"),
    ("Monofur", "display", "train", 0.3, "monof55.ttf", ""),
    ("Radis Sans", "display", "train", 0.3, "RadisSans-medium.otf", ""),
    ("osifont", "display", "train", 0.3, "osifont.ttf", ""),
    ("Z003", "display", "train", 0.4, "Z003-MediumItalic.otf", ""),
    ("Essays 1743", "display", "train", 0.2, "Essays1743.ttf", "Essays1743-Bold.ttf"),
    ("Jura", "display", "test", 0.5, "Jura-Medium.otf", "Jura-Bold.otf"),
    ("Okolaks", "display", "test", 0.4, "okolaksRegular.ttf", "okolaksBold.ttf"),
    ("Kaushan Script", "display", "test", 0.4, "KaushanScript-Regular.otf", ""),
    ("Comic Neue", "hand", "train", 3.0, "ComicNeue-Regular.otf", "ComicNeue-Bold.otf"),
    ("Chilanka", "hand", "train", 0.6, "Chilanka-Regular.otf", ""),
    ("SteveHand", "hand", "train", 0.5, "SteveHand.ttf", ""),
    ("Rufscript", "hand", "train", 0.5, "Rufscript010.ttf", ""),
    ("Breip", "hand", "train", 0.5, "Breip.ttf", ""),
    ("Dancing Script", "hand", "train", 0.6, "DancingScript-Regular.otf", "DancingScript-Bold.otf"),
    ("Penguin Attack", "hand", "train", 0.4, "PenguinAttack.ttf", ""),
    ("Havana", "hand", "train", 0.3, "Havana-Regular.otf", ""),
    ("Junkyard", "hand", "train", 0.3, "Junkyard.ttf", ""),
    ("Kristi", "hand", "train", 0.3, "Kristi.ttf", ""),
    ("Karumbi", "hand", "train", 0.4, "Karumbi-Regular.ttf", ""),
    ("Seto", "hand", "train", 0.4, "setofont.ttf", ""),
    ("Delphine", "hand", "train", 0.4, "Delphine.ttf", ""),
    ("Nanum Pen", "hand", "train", 0.3, "NanumPen.ttf", ""),
    ("Nanum Brush", "hand", "train", 0.3, "NanumBrush.ttf", ""),
    ("Nanum Barunpen", "hand", "train", 0.3, "NanumBarunpenR.ttf", "NanumBarunpenB.ttf"),
    ("Kiloji", "hand", "train", 0.3, "kiloji_p.ttf", ""),
    ("Ecolier", "hand", "train", 0.3, "Ecolier-court.ttf", ""),
    ("Purisa", "hand", "test", 0.7, "Purisa.ttf", "Purisa-Bold.ttf"),
    ("Domestic Manners", "hand", "test", 0.6, "Domestic_Manners.ttf", ""),
    ("DKG Handwriting", "hand", "test", 0.5, "dkg.ttf", "dkgBd.ttf"),
)
