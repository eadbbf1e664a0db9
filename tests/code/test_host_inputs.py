"""The host's own flow on whatever it hands over: its week is the one that pocai extracts."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from host_application import Answers, Host
from host_contract import words_outside
from host_documents import DEMO, PAGE, SHORT, as_bytes, check, expected, host_of, page
from PIL import Image, ImageOps
from rendering import as_docx, as_pdf, as_xlsx
from serving import Running

REAL = Path(__file__).parents[3] / "shared/data/real/documents"  # hold personal data, and are not everywhere
ORIENTATION = 0x0112  # EXIF
SIDEWAYS = 6  # to be turned clockwise before it is shown


@pytest.fixture(scope="module")
def host(service: Running) -> Iterator[Host]:
    with host_of(service) as host:
        yield host


def sideways() -> bytes:
    """The page as a phone held upright takes it: pixels on their side, and a tag that says so."""
    exif = Image.Exif()
    exif[ORIENTATION] = SIDEWAYS
    photo = as_bytes(page().transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif)
    assert ImageOps.exif_transpose(Image.open(io.BytesIO(photo))).size == page().size
    return photo


def test_the_untouched_upload_beside_the_copy_is_read(host: Host) -> None:
    handed = host.store(DEMO, ".png")
    answers = host.process(handed)
    check(answers, DEMO)
    with Image.open(answers.path) as picture, Image.open(handed) as copy:
        assert picture.size == copy.size
        assert (picture.format, picture.mode) == ("PNG", "RGB")


def test_without_it_the_copy_is_read(host: Host) -> None:
    handed = host.store(PAGE, ".png", keep_original=False)
    check(host.process(handed), handed.read_bytes())


def test_a_picture_with_transparency_arrives_in_256_colours_and_is_read_from_the_upload(host: Host) -> None:
    picture = page().convert("RGBA")
    picture.putpixel((0, 0), (255, 255, 255, 0))
    content = as_bytes(picture, "PNG")
    check(host.process(host.store(content, ".png")), content)


@pytest.mark.parametrize(
    ("ending", "content"),
    [
        (".pdf", lambda: as_pdf(SHORT, days_across=True)),
        (".docx", lambda: as_docx(SHORT, days_across=True)),
        (".xlsx", lambda: as_xlsx(SHORT, days_across=True)),
        (".bmp", lambda: as_bytes(page(), "BMP")),
    ],
)
def test_documents_that_the_host_cannot_convert_arrive_raw(
    host: Host, ending: str, content: Callable[[], bytes]
) -> None:
    document = content()
    answers = host.process(host.store(document, ending))
    check(answers, document)
    if ending != ".bmp":
        assert [block["name"] for block in answers.timetable["timeblocks"]] == ["Maths", "Lunch", "Art"] * 5
        assert all(word["confidence"] == 1 for word in answers.ocr["words"])


@pytest.mark.parametrize("keep_original", [True, False])
def test_a_photo_that_lost_its_orientation_is_read_and_its_words_lie_as_it_lies(
    host: Host, keep_original: bool
) -> None:
    handed = host.store(sideways(), ".jpg", keep_original=keep_original)
    answers = host.process(handed)
    check(answers, sideways() if keep_original else handed.read_bytes())
    upright = host.process(host.store(PAGE, ".png"))
    assert names(answers) == names(upright)
    width, height = page().size
    before, lying = places(upright.ocr), places(answers.ocr)
    assert len(set(before) & set(lying)) > 5  # words that are read alike, and once
    for word in set(before) & set(lying):
        x, y = before[word]
        assert lying[word] == pytest.approx((y, width - x), abs=0.02 * (width + height))


def names(answers: Answers) -> list[str]:
    return sorted(f"{block['day']} {block['startTime']} {block['name']}" for block in answers.timetable["timeblocks"])


def places(ocr: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """The middle of each word that stands there once, in pixels."""
    words = [word["text"] for word in ocr["words"]]
    return {
        word["text"]: (word["left"] + word["width"] / 2, word["top"] + word["height"] / 2)
        for word in ocr["words"]
        if words.count(word["text"]) == 1 and len(word["text"]) > 2
    }


def test_another_picture_with_the_uploads_name_is_not_taken_for_it(host: Host) -> None:
    handed = host.store(PAGE, ".png")
    original = handed.with_name(f"{handed.name.split('.')[0]}.png")
    original.write_bytes(as_bytes(Image.effect_noise(page().size, 90), "PNG"))
    check(host.process(handed), handed.read_bytes())


def test_an_upload_that_is_broken_does_no_harm(host: Host) -> None:
    handed = host.store(PAGE, ".png")
    handed.with_name(f"{handed.name.split('.')[0]}.png").write_bytes(PAGE[:1000])
    check(host.process(handed), handed.read_bytes())


def test_a_path_may_skip_the_enhancement(host: Host) -> None:
    handed = host.store(PAGE, ".png")
    answer = host.post("/ai/extract", image_path=str(handed))
    assert answer.json() == expected(PAGE)
    ocr = host.post("/ocr/process", image_path=str(handed)).json()
    with Image.open(handed) as copy:
        assert words_outside(ocr, copy.size) == []


def test_the_source_is_found_as_long_as_it_is_there_and_the_same(host: Host) -> None:
    handed = host.store(as_pdf(SHORT, days_across=True), ".pdf")
    enhanced = host.enhance(handed)
    assert host.post("/ai/extract", image_path=str(enhanced)).json() == expected(handed.read_bytes())
    handed.unlink()  # as the host does when its user deletes the document
    assert host.post("/ai/extract", image_path=str(enhanced)).json() == expected(enhanced.read_bytes())


@pytest.mark.skipif(not REAL.is_dir(), reason="the real documents (../shared/data/real) hold personal data")
def test_the_real_documents_give_the_same_blocks_as_pocai_extract(host: Host) -> None:
    documents = sorted(REAL.iterdir())
    assert len(documents) >= 13
    for document in documents:
        content = document.read_bytes()
        check(host.process(host.store(content, document.suffix)), content)
