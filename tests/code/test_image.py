"""Pictures become upright RGB pages, and the way back to the stored pixels is known."""

from __future__ import annotations

import io
import struct
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pocai.documents.image import exif_orientation, read_image
from pocai.documents.page import Format, Page
from pocai.errors import LimitExceeded, UnreadableDocument
from pocai.settings import Limits

LIMITS = Limits()
KINDS: tuple[Format, ...] = ("png", "jpeg", "webp", "tiff", "bmp", "gif")


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def read(data: bytes, kind: Format, limits: Limits = LIMITS) -> tuple[Page, NDArray[np.uint8], tuple[str, ...]]:
    (page,), notes = read_image(data, kind, limits)
    assert page.image is not None
    assert page.image.dtype == np.uint8
    assert page.image.shape == (page.height, page.width, 3)
    return page, page.image, notes


def near(pixel: NDArray[np.uint8], colour: tuple[int, int, int], tolerance: int) -> bool:
    return bool(np.abs(pixel.astype(int) - colour).max() <= tolerance)


def halves(size: tuple[int, int] = (60, 40)) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", size, (255, 0, 0))
    image.paste((0, 0, 255), (size[0] // 2, 0, *size))
    return image


class TestFormats:
    @pytest.mark.parametrize("kind", KINDS)
    def test_pixels_come_as_they_are(self, kind: Format) -> None:
        page, image, notes = read(encoded(halves(), kind), kind)
        assert (page.number, page.width, page.height, page.unit) == (0, 60, 40, "px")
        assert near(image[20, 10], (255, 0, 0), 6)
        assert near(image[20, 50], (0, 0, 255), 6)
        assert page.to_source == (1, 0, 0, 0, 1, 0, 0, 0, 1)
        assert not notes
        assert not page.lines

    def test_heic(self) -> None:
        import pillow_heif

        pillow_heif.register_heif_opener()
        page, image, _ = read(encoded(halves((64, 64)), "HEIF"), "heic")
        assert (page.width, page.height) == (64, 64)
        assert near(image[30, 10], (255, 0, 0), 12)

    @pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "I;16", "F"])
    def test_every_mode_becomes_rgb(self, mode: str) -> None:
        if mode in {"I;16", "F"}:
            values = np.array([[0, 65535]] * 2, dtype=np.uint16 if mode == "I;16" else np.float32)
            image = Image.fromarray(values)
        else:
            image = Image.new("L", (2, 2), 0)
            image.paste(255, (1, 0, 2, 2))
            image = image.convert("RGB").convert(mode)
        _, pixels, _ = read(encoded(image, "TIFF"), "tiff")
        assert near(pixels[0, 0], (0, 0, 0), 1)
        assert near(pixels[0, 1], (255, 255, 255), 1)

    @pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P", "RGB"])
    def test_transparency_is_laid_on_white(self, mode: str) -> None:
        if mode in {"P", "RGB"}:
            image, options = Image.new(mode, (4, 4), 0), {"transparency": 0 if mode == "P" else (0, 0, 0)}
        else:
            image, options = Image.new("RGBA", (4, 4), (0, 0, 0, 0)).convert("LA" if mode != "RGBA" else mode), {}
        _, pixels, _ = read(encoded(image, "PNG", **options), "png")
        assert (pixels == 255).all()

    def test_first_frame_of_an_animation(self) -> None:
        data = encoded(halves(), "GIF", save_all=True, append_images=[Image.new("RGB", (60, 40), "lime")])
        _, image, _ = read(data, "gif")
        assert near(image[20, 10], (255, 0, 0), 6)


class TestOrientation:
    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff"])
    def test_page_is_upright_and_leads_back(self, kind: Format, orientation: int) -> None:
        stored = Image.new("RGB", (80, 48), "white")
        stored.paste((255, 0, 0), (64, 0, 80, 16))  # the stored top right corner
        exif = Image.Exif()
        exif[0x0112] = orientation
        options = {"lossless": True} if kind == "webp" else {}
        page, image, _ = read(encoded(stored, kind, exif=exif, **options), kind)
        assert (page.width, page.height) == ((48, 80) if orientation >= 5 else (80, 48))
        red = np.argwhere(image[:, :, 1] < 100)
        (y, x), matrix = red.mean(axis=0) + 0.5, np.array(page.to_source).reshape(3, 3)
        assert matrix @ (x, y, 1) == pytest.approx((72, 8, 1), abs=1)

    def test_upright_means_as_a_viewer_shows_it(self) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned clockwise: what is stored on the left is shown at the top
        _, image, _ = read(encoded(halves(), "JPEG", exif=exif), "jpeg")
        assert near(image[10, 20], (255, 0, 0), 6)

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_both_byte_orders(self, order: str) -> None:
        head = b"II*\x00" if order == "<" else b"MM\x00*"
        block = head + struct.pack(order + "IHHHIHH", 8, 1, 0x0112, 3, 1, 6, 0)
        assert exif_orientation(b"Exif\x00\x00" + block) == 6

    @given(st.binary(max_size=80))
    @settings(max_examples=60)
    def test_damaged_exif_means_upright(self, rest: bytes) -> None:
        assert exif_orientation(b"Exif\x00\x00II*\x00" + rest) in range(1, 9)


class TestLimits:
    @pytest.mark.parametrize("kind", KINDS)
    def test_large_pictures_are_scaled_down_with_a_warning(self, kind: Format) -> None:
        page, image, notes = read(encoded(halves((600, 400)), kind), kind, Limits(max_pixels=15_000))
        assert page.width * page.height <= 15_000
        assert page.width / page.height == pytest.approx(1.5, abs=0.02)
        assert "600 x 400" in notes[0]
        assert "25%" in notes[0]
        assert near(image[50, 10], (255, 0, 0), 8)
        assert page.to_source[0] * page.width == pytest.approx(600)
        assert page.to_source[4] * page.height == pytest.approx(400)

    def test_too_many_pixels_to_decode(self) -> None:
        with pytest.raises(LimitExceeded, match="max_source_pixels"):
            read(encoded(halves(), "PNG"), "png", Limits(max_source_pixels=1000))

    def test_more_pixels_than_pillow_likes(self) -> None:
        data = encoded(Image.new("1", (20_000, 9_500)), "PNG")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            page, _, _ = read(data, "png", Limits(max_pixels=10_000))
        assert not caught
        assert page.width * page.height <= 10_000

    def test_very_wide(self) -> None:
        page, _, _ = read(encoded(Image.new("L", (30_000, 2)), "PNG"), "png", Limits(max_pixels=6000))
        assert page.width * page.height <= 6000


class TestTiffPages:
    def tiff(self, *colours: str) -> bytes:
        first, *others = (Image.new("RGB", (30, 20), colour) for colour in colours)
        return encoded(first, "TIFF", save_all=True, append_images=others)

    def test_all_pages_in_order(self) -> None:
        pages, notes = read_image(self.tiff("red", "lime", "blue"), "tiff", LIMITS)
        assert [page.number for page in pages] == [0, 1, 2]
        assert [tuple(page.image[0, 0]) for page in pages if page.image is not None] == [
            (255, 0, 0),
            (0, 255, 0),
            (0, 0, 255),
        ]
        assert not notes

    def test_later_pages_are_left_out_with_a_warning(self) -> None:
        pages, notes = read_image(self.tiff("red", "lime", "blue"), "tiff", Limits(max_pages=2))
        assert len(pages) == 2
        assert "first 2 pages" in notes[-1]

    def test_many_pages_share_their_memory(self) -> None:
        pages, _ = read_image(self.tiff(*["red"] * 32), "tiff", Limits(max_pixels=200))
        assert len(pages) == 32
        assert sum(page.width * page.height for page in pages) <= 16 * 200


class TestDamage:
    @pytest.mark.parametrize("kind", ["jpeg", "png"])
    def test_a_picture_cut_off_late_is_read(self, kind: Format) -> None:
        noise = np.random.default_rng(0).integers(1, 255, (100, 80, 3), dtype=np.uint8)
        data = encoded(Image.fromarray(noise), kind)
        _, image, notes = read(data[: len(data) * 8 // 10], kind)
        assert "cut off" in notes[0]
        assert (image[95:] == 255).all()
        assert not (image[:60] == 255).all(axis=(1, 2)).any()

    @pytest.mark.parametrize("kind", ["jpeg", "png", "bmp", "webp", "tiff"])
    def test_a_picture_cut_off_early_is_refused(self, kind: Format) -> None:
        noise = np.random.default_rng(0).integers(0, 255, (100, 80, 3), dtype=np.uint8)
        data = encoded(Image.fromarray(noise), kind)
        with pytest.raises(UnreadableDocument, match=kind):
            read(data[: len(data) * 3 // 10], kind)

    @pytest.mark.parametrize("kind", [*KINDS, "heic"])
    def test_nothing_but_a_beginning(self, kind: Format) -> None:
        data = encoded(halves(), kind)[:12] if kind != "heic" else b"\x00\x00\x00\x18ftypheic"
        with pytest.raises(UnreadableDocument):
            read(data, kind)
