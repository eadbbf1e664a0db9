"""Pictures: PNG, JPEG, WebP, TIFF, BMP, GIF and HEIC become upright RGB pages."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pocai.documents.limits import Deadline
from pocai.documents.page import Format, Matrix, Page
from pocai.errors import LimitExceeded, PocaiError, UnreadableDocument, UnsupportedFormat

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

    from pocai.settings import Limits

_READABLE_SHARE = 0.5  # of the rows of a cut-off picture; below, too much of the week would be missing
_PAGES_AT_FULL_SIZE = 16  # max_pixels each; more pages share that budget, so that memory stays bounded
_TOP_DOWN = {"JPEG", "PNG", "GIF"}  # decoded row by row, so that what is there can be told from what is missing
_ORIENTATION = 0x0112  # EXIF 2.32, 4.6.4
_WHITE = 255


@dataclass(frozen=True, slots=True)
class _Budget:
    """What one frame may cost, in pixels: ``kept`` after scaling, ``source`` to be decoded at all."""

    kept: int
    source: int


def read_image(data: bytes, kind: Format, limits: Limits) -> tuple[tuple[Page, ...], tuple[str, ...]]:
    """Decode a picture: one page, or several of a TIFF file, and warnings about what was changed or left out.

    Each page's image is RGB ``(H, W, 3)`` uint8, turned upright as its EXIF orientation says, transparency laid on
    white, at most ``limits.max_pixels`` (larger ones are scaled down with a warning). ``Page.to_source`` leads back to
    the pixels as stored. Animated pictures give their first frame. A picture that is cut off is read when at least
    half of its rows are there.

    Raises LimitExceeded over ``limits.max_source_pixels`` (checked before decoding), else UnreadableDocument.
    """
    with _decoding(kind):
        if kind == "heic":
            return _read_heic(data, limits)
        picture = _open(data, kind)
        if kind == "tiff":
            return _read_frames(picture, limits)
        page, notes = _read_frame(picture, 0, _Budget(limits.max_pixels, limits.max_source_pixels))
        return (page,), notes


@contextmanager
def _decoding(kind: str) -> Iterator[None]:
    """Turn whatever a decoder raises into UnreadableDocument."""
    # A filter rather than catch_warnings, which is not safe where several threads decode. Pillow warns about sizes,
    # which are checked here, and about metadata, which are not used.
    warnings.filterwarnings("ignore", module=r"PIL\b")
    try:
        yield
    except PocaiError:
        raise
    except Exception as error:  # decoders raise anything on damaged bytes
        raise UnreadableDocument(
            f"The {kind} picture is damaged ({type(error).__name__})", mend="Send it again, or save it anew as PNG"
        ) from error


def _open(data: bytes, kind: Format) -> ImageFile:
    """Open with the one plugin that the content asks for.

    `PIL.Image.open` would judge the size by a global of Pillow's own; here `Limits` decides.
    """
    from PIL import Image

    Image.init()
    factory, _ = Image.OPEN[kind.upper()]
    return factory(io.BytesIO(data), "")


def _read_frames(picture: ImageFile, limits: Limits) -> tuple[tuple[Page, ...], tuple[str, ...]]:
    """The pages of a TIFF file, all together within the memory of a few."""
    deadline = Deadline(limits.max_seconds)
    count, more = _count_frames(picture, limits.max_pages)
    kept = min(limits.max_pixels, max(1, _PAGES_AT_FULL_SIZE * limits.max_pixels // count))
    budget = _Budget(kept, limits.max_source_pixels)
    pages: list[Page] = []
    notes: list[str] = []
    for number in range(count):
        deadline.check()
        try:
            picture.seek(number)
            page, remarks = _read_frame(picture, number, budget)
        except LimitExceeded:
            raise
        except Exception:  # one damaged page leaves the others readable
            if number == 0:
                raise
            notes.append(f"Page {number + 1} is damaged and was left out")
            continue
        pages.append(page)
        notes.extend(remarks)
    if more:
        notes.append(f"Only the first {limits.max_pages} pages were read (limits.max_pages)")
    return tuple(pages), tuple(notes)


def _count_frames(picture: ImageFile, most: int) -> tuple[int, bool]:
    """How many frames to read, and whether there are more than that."""
    for number in range(1, most + 1):
        try:
            picture.seek(number)
        except Exception:  # noqa: BLE001 - EOFError at the end; a damaged directory, whatever it raises, ends it as well
            return number, False
    return most, True


def _read_frame(picture: ImageFile, number: int, budget: _Budget) -> tuple[Page, tuple[str, ...]]:
    """Decode the frame that ``picture`` stands at."""
    upright_by_pillow = picture.format == "TIFF"  # it turns these itself, and has swapped their size already
    orientation = _tiff_orientation(picture) if upright_by_pillow else 1
    width, height = picture.size
    _check_pixels(width, height, budget)
    scale, target = _scaled(width, height, budget.kept)
    if scale < 1 and picture.format == "JPEG":
        picture.draft(None, target)
    present = _load(picture)
    pixels = _to_rgb(picture, target)
    if present < 1:
        pixels[math.ceil(present * target[1]) :] = _WHITE
    if not upright_by_pillow:
        orientation = exif_orientation(picture.info.get("exif", b""))
        pixels = _turned(pixels, orientation)
    sideways = orientation in _TURNS and _TURNS[orientation].swap
    stored = (height, width) if sideways and upright_by_pillow else (width, height)
    return _page(pixels, number, stored, orientation), _notes(number, scale, present, (width, height))


def _notes(number: int, scale: float, present: float, size: tuple[int, int]) -> tuple[str, ...]:
    notes = []
    if scale < 1:
        notes.append(f"Page {number + 1} ({size[0]} x {size[1]} pixels) was scaled to {scale:.0%} (limits.max_pixels)")
    if present < 1:
        notes.append(f"Page {number + 1} is cut off: the lowest {1 - present:.0%} of the picture are missing")
    return tuple(notes)


def _read_heic(data: bytes, limits: Limits) -> tuple[tuple[Page, ...], tuple[str, ...]]:
    """The primary picture of a HEIC file; libheif turns it upright itself."""
    try:
        import pillow_heif
    except ImportError as error:
        mend = "Install it with: pip install 'pocai[heic]', or save the picture as JPEG"
        raise UnsupportedFormat("HEIC pictures need the package pillow-heif", mend=mend) from error

    container = pillow_heif.open_heif(io.BytesIO(data))
    width, height = container.size
    _check_pixels(width, height, _Budget(limits.max_pixels, limits.max_source_pixels))
    scale, target = _scaled(width, height, limits.max_pixels)
    pixels = _to_rgb(container.to_pillow(), target)
    return (_page(pixels, 0, (width, height), 1),), _notes(0, scale, 1.0, (width, height))


def _scaled(width: int, height: int, most: int) -> tuple[float, tuple[int, int]]:
    """The scale, at most 1, and the size at which a picture has at most ``most`` pixels."""
    scale = min(1.0, math.sqrt(most / (width * height)))
    across, down = max(1, int(width * scale)), max(1, int(height * scale))
    return scale, (min(across, max(1, most // down)), min(down, max(1, most // across)))


def _check_pixels(width: int, height: int, budget: _Budget) -> None:
    if width < 1 or height < 1:
        raise UnreadableDocument(f"The picture has {width} x {height} pixels")
    if width * height > budget.source:
        raise LimitExceeded(
            f"The picture has {width:,} x {height:,} pixels, the limit is {budget.source:,} in all",
            mend="Scale it down, or raise limits.max_source_pixels",
        )


def _load(picture: ImageFile) -> float:
    """Decode, and say which share of the rows is there: 1 unless the file is cut off.

    Raises the decoder's error where less than half is there, or where it cannot be told.
    """
    import numpy as np

    try:
        picture.load()
    except (OSError, SyntaxError):  # SyntaxError is how Pillow reports a wrong checksum in a PNG chunk
        if picture.format not in _TOP_DOWN or picture.info.get("interlace") or getattr(picture, "_im", None) is None:
            raise
        picture.tile = []  # what is decoded stands; nothing is tried again
        rows = np.asarray(picture)
        written = np.flatnonzero(rows.reshape(rows.shape[0], -1).any(axis=1))
        present = (int(written[-1]) + 1) / rows.shape[0] if len(written) else 0.0
        if present < _READABLE_SHARE:
            raise
        return min(present, 1 - 1e-9)
    return 1.0


def _to_rgb(picture: Image, target: tuple[int, int]) -> NDArray[np.uint8]:
    """Any mode as RGB ``(H, W, 3)`` uint8 of ``target`` size (width, height), transparency on white."""
    import numpy as np
    from PIL import Image

    picture = _eight_bit(picture)
    if picture.mode == "1":
        picture = picture.convert("L")
    if picture.mode in {"LA", "La", "PA", "RGBa"} or "transparency" in picture.info:
        picture = picture.convert("RGBA")
    elif picture.mode == "P":
        picture = picture.convert("RGB")
    if picture.size != target:  # before conversion to RGB: a grey scan costs a third of the memory
        picture = picture.resize(target, Image.Resampling.LANCZOS, reducing_gap=2.0)
    if picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, (_WHITE,) * 4), picture)
    return np.array(picture.convert("RGB"))


def _eight_bit(picture: Image) -> Image:
    """Pictures of 16 or 32 bits a channel as 8 bits."""
    import numpy as np
    from PIL import Image

    if not picture.mode.startswith(("I", "F")):
        return picture
    values = np.nan_to_num(np.asarray(picture, dtype=np.float32))
    top = 65535.0 if picture.mode.startswith("I;16") else float(values.max(initial=0.0))
    for whole in (1.0, 255.0, 65535.0):  # the usual meanings of white
        if top <= whole:
            top = whole
            break
    return Image.fromarray(np.clip(values * (_WHITE / top), 0, _WHITE).astype(np.uint8))


class _Turn(NamedTuple):
    """How stored pixels follow from upright ones: axes swapped, then mirrored along x, along y."""

    swap: bool
    mirror_x: bool
    mirror_y: bool


_TURNS: dict[int, _Turn] = {  # EXIF 2.32, 4.6.4, tag 0x0112
    2: _Turn(swap=False, mirror_x=True, mirror_y=False),
    3: _Turn(swap=False, mirror_x=True, mirror_y=True),
    4: _Turn(swap=False, mirror_x=False, mirror_y=True),
    5: _Turn(swap=True, mirror_x=False, mirror_y=False),
    6: _Turn(swap=True, mirror_x=False, mirror_y=True),
    7: _Turn(swap=True, mirror_x=True, mirror_y=True),
    8: _Turn(swap=True, mirror_x=True, mirror_y=False),
}


def _turned(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Stored pixels as upright ones."""
    import numpy as np

    turn = _TURNS.get(orientation)
    if turn is None:
        return pixels
    if turn.mirror_x:
        pixels = pixels[:, ::-1]
    if turn.mirror_y:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels.transpose(1, 0, 2) if turn.swap else pixels)


def _page(pixels: NDArray[np.uint8], number: int, stored: tuple[int, int], orientation: int) -> Page:
    """A page of upright pixels, with the way back to the ``stored`` width and height."""
    height, width = pixels.shape[:2]
    return Page(number, width, height, image=pixels, to_source=_to_stored((width, height), stored, orientation))


def _to_stored(upright: tuple[int, int], stored: tuple[int, int], orientation: int) -> Matrix:
    """Homography from upright pixels to the stored ones, which may be more and turned."""
    turn = _TURNS.get(orientation)
    if turn is None:
        turn = _Turn(swap=False, mirror_x=False, mirror_y=False)
    x_scale = stored[0] / (upright[1] if turn.swap else upright[0])
    y_scale = stored[1] / (upright[0] if turn.swap else upright[1])
    x = (-x_scale, float(stored[0])) if turn.mirror_x else (x_scale, 0.0)
    y = (-y_scale, float(stored[1])) if turn.mirror_y else (y_scale, 0.0)
    if turn.swap:
        return (0.0, x[0], x[1], y[0], 0.0, y[1], 0.0, 0.0, 1.0)
    return (x[0], 0.0, x[1], 0.0, y[0], y[1], 0.0, 0.0, 1.0)


def _tiff_orientation(picture: ImageFile) -> int:
    tags: Any = getattr(picture, "tag_v2", {})
    orientation = tags.get(_ORIENTATION, 1)
    return orientation if isinstance(orientation, int) else 1


def exif_orientation(exif: bytes) -> int:
    """The orientation (1 to 8) of an EXIF block, 1 where it has none or is damaged.

    Read by hand: the general parser reads every tag, follows every offset and warns about each.
    """
    block = exif.removeprefix(b"Exif\x00\x00")
    order: Literal["little", "big"] = "little" if block[:2] == b"II" else "big"
    directory = int.from_bytes(block[4:8], order)
    count = int.from_bytes(block[directory : directory + 2], order)
    for start in range(directory + 2, min(directory + 2 + 12 * count, len(block) - 11), 12):
        if int.from_bytes(block[start : start + 2], order) == _ORIENTATION:
            value = int.from_bytes(block[start + 8 : start + 10], order)
            return value if value in _TURNS else 1
    return 1
