"""PDF pages: what is written on them, what is drawn, and when they are read from their picture."""

from __future__ import annotations

import io
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_pdf import make_pdf, text
from PIL import Image

from pocai.documents.page import Page
from pocai.documents.pdf import read_pdf, render_page
from pocai.errors import EncryptedDocument, LimitExceeded, UnreadableDocument
from pocai.settings import Limits

LIMITS = Limits()
PHOTO = ("/Type /XObject /Subtype /Image /Width 2 /Height 2 /ColorSpace /DeviceGray /BitsPerComponent 8", bytes(4))


def read(*contents: str, **options: object) -> Page:
    pages, _ = read_pdf(make_pdf(*contents, **options), LIMITS)  # type: ignore[arg-type]  # options of make_pdf
    return pages[0]


def texts(page: Page) -> list[str]:
    return [line.text for line in page.lines]


class TestText:
    def test_place_is_from_the_top_left_in_points(self) -> None:
        page = read(text(50, 150, "Maths"))
        (line,) = page.lines
        assert (page.width, page.height, page.unit) == (300, 200, "pt")
        assert line.box.left == pytest.approx(50, abs=0.5)
        assert line.box.top == pytest.approx(42.5, abs=0.5)  # three quarters of the em above the baseline
        assert line.box.bottom == pytest.approx(52.2, abs=0.5)
        assert (line.angle, line.size, line.source, line.confidence) == (0, 10, "pdf", None)
        assert page.image is None

    def test_words_have_their_own_boxes(self) -> None:
        (line,) = read(text(50, 150, "Art and Music")).lines
        assert [word.text for word in line.words] == ["Art", "and", "Music"]
        assert all(a.box.right < b.box.left for a, b in zip(line.words, line.words[1:], strict=False))
        assert line.box.left == line.words[0].box.left
        assert line.box.right == line.words[-1].box.right

    def test_spaces_come_from_gaps_where_none_are_written(self) -> None:
        page = read("BT /F1 10 Tf 1 0 0 1 20 100 Tm [(Physical) -280 (Education)] TJ ET")
        assert texts(page) == ["Physical Education"]

    def test_numbers_that_are_painted_apart_are_no_one_number(self) -> None:
        letters = text(20, 90, "a b c d e f g h")  # the producer writes spaces
        assert texts(read(text(20, 150, "Room 5") + text(56.6, 150, "8:30") + letters))[0] == "Room 5 8:30"
        assert texts(read(text(20, 150, "Room") + text(48.3, 150, "mate") + letters))[0] == "Roommate"

    def test_single_glyphs_are_joined_to_words(self) -> None:
        content = "".join(text(20 + 5.56 * index, 100, letter) for index, letter in enumerate("hano"))
        assert texts(read(content)) == ["hano"]

    def test_parts_painted_apart_are_joined(self) -> None:
        # "Geo" is 18.9 points wide; the rest of the word follows after another text.
        assert texts(read(text(20, 100, "Geo") + text(20, 50, "Lunch") + text(38.9, 100, "graphy"))) == [
            "Geography",
            "Lunch",
        ]

    def test_a_gap_of_a_letter_height_ends_the_line(self) -> None:
        assert texts(read("BT /F1 10 Tf 1 0 0 1 20 100 Tm [(Mon) -1500 (Tue)] TJ ET")) == ["Mon", "Tue"]

    def test_letter_spacing_does_not_end_the_line(self) -> None:
        assert texts(read("BT /F1 10 Tf 12 Tc 1 0 0 1 20 100 Tm (BREAK) Tj ET")) == ["BREAK"]

    @pytest.mark.parametrize("rule", ["36.5 90 m 36.5 120 l S", "36.3 90 0.5 30 re f"])
    def test_a_rule_between_words_ends_the_line(self, rule: str) -> None:
        words = "BT /F1 10 Tf 1 0 0 1 20 100 Tm [(Art) -500 (PE)] TJ ET\n"
        assert texts(read(words)) == ["Art PE"]
        assert texts(read(words + rule)) == ["Art", "PE"]

    def test_where_spaces_are_written_a_gap_without_one_parts_texts(self) -> None:
        # "Room 12" is 43.4 points wide; the next text begins 2.5 points later, less than a space.
        close = text(20, 100, "Room 12") + text(65.9, 100, "Group 3")
        assert texts(read(close)) == ["Room 12 Group 3"]
        assert texts(read(text(20, 50, "Art and Music on Monday") + close))[1:] == ["Room 12", "Group 3"]
        assert texts(read(text(20, 50, "Art and Music on Monday") + text(20, 100, "Room 1") + text(55.5, 100, "2")))[
            1:
        ] == ["Room 12"]

    def test_overprinted_texts_stay_apart(self) -> None:
        page = read(text(20, 100, "Mathematics") + text(25, 101, "Room 12") + text(22, 99, "Someone"))
        assert texts(page) == ["Mathematics", "Room 12", "Someone"]

    def test_shadow_counts_once(self) -> None:
        assert texts(read(text(20, 100, "Art") + text(20.6, 99.4, "Art"))) == ["Art"]

    def test_superscript_belongs_to_its_line(self) -> None:
        assert texts(read(text(20, 100, "8") + text(25.6, 104, "15", size=6))) == ["815"]

    @pytest.mark.parametrize(
        ("matrix", "angle"), [("0 1 -1 0", 270.0), ("0 -1 1 0", 90.0), ("-1 0 0 -1", 180.0), ("1 0.05 -0.05 1", 0.0)]
    )
    def test_direction_of_reading(self, matrix: str, angle: float) -> None:
        (line,) = read(f"BT /F1 10 Tf {matrix} 150 100 Tm (Lunch break) Tj ET").lines
        assert (line.text, line.angle) == ("Lunch break", angle)
        along, across = line.box.width, line.box.height
        assert (along > across) == (angle % 180 == 0)

    def test_quad_starts_where_reading_starts(self) -> None:
        (line,) = read("BT /F1 10 Tf 0 1 -1 0 150 100 Tm (Lunch) Tj ET").lines
        assert line.quad.top_left == pytest.approx((142.5, 100), abs=0.5)
        assert line.quad.top_right[1] < line.quad.top_left[1]

    def test_bold_and_colour(self) -> None:
        plain, bold = read(text(20, 100, "Art", extra="1 0 0 rg") + text(20, 50, "Art", extra="/F2 10 Tf")).lines
        assert (plain.bold, plain.color) == (False, (255, 0, 0))
        assert (bold.bold, bold.color) == (True, (255, 0, 0))

    def test_size_follows_the_matrix(self) -> None:
        (line,) = read("2 0 0 2 0 0 cm " + text(20, 50, "Art", size=7)).lines
        assert line.size == pytest.approx(14)

    @pytest.mark.parametrize(
        ("rotate", "place", "angle"),
        [(0, (50, 50), 0), (90, (150, 50), 90), (180, (250, 150), 180), (270, (50, 250), 270)],
    )
    def test_page_rotation(self, rotate: int, place: tuple[float, float], angle: float) -> None:
        page = read(text(50, 150, "Maths"), page=f"/Rotate {rotate}")
        assert (page.width, page.height) == ((200, 300) if rotate % 180 else (300, 200))
        corner = page.lines[0].quad.bottom_left
        assert corner == pytest.approx(place, abs=3)
        assert page.lines[0].angle == angle

    def test_crop_box_is_the_page(self) -> None:
        page = read(text(110, 150, "inside") + text(20, 150, "outside"), page="/CropBox [100 100 250 180]")
        assert (page.width, page.height) == (150, 80)
        assert texts(page) == ["inside"]
        assert page.lines[0].box.left == pytest.approx(10, abs=0.7)

    @given(
        st.lists(st.sampled_from(["Art", "PE", "8:15", "Room 7", "Maths"]), min_size=1, max_size=8), st.integers(0, 3)
    )
    @settings(max_examples=25, deadline=None)
    def test_what_is_written_comes_back(self, cells: list[str], turns: int) -> None:
        content = "".join(text(20 + 90 * (at % 3), 170 - 30 * (at // 3), cell) for at, cell in enumerate(cells))
        page = read(content, page=f"/Rotate {90 * turns}")
        assert texts(page) == cells
        assert {line.angle for line in page.lines} == {90 * turns}
        for line in page.lines:
            assert 0 <= line.box.left < line.box.right <= page.width
            assert 0 <= line.box.top < line.box.bottom <= page.height


class TestUnseen:
    SEEN = text(20, 170, "Timetable")

    @pytest.mark.parametrize(
        "content",
        [
            text(20, 100, "ghost", extra="3 Tr") + "BT 0 Tr ET",
            "/G0 gs " + text(20, 100, "ghost"),
            "q 100 100 50 50 re W n " + text(20, 100, "ghost") + " Q",
            text(20, 100, "ghost", size=0.1),
            text(20, 300, "ghost"),
            text(20, 100, "ghost") + "1 1 1 rg 10 90 100 30 re f",
        ],
        ids=["mode 3", "no ink", "clipped", "tiny", "off the page", "painted over"],
    )
    def test_is_no_text(self, content: str) -> None:
        page = read(self.SEEN + content, objects={"G0": ("/ca 0", b"")})
        assert texts(page) == ["Timetable"]

    def test_clip_cuts_within_a_word(self) -> None:
        assert texts(read("q 0 0 39 200 re W n " + text(20, 100, "Mathematics") + "Q")) == ["Mat"]

    def test_a_see_through_highlight_hides_nothing(self) -> None:
        page = read(text(20, 100, "Maths") + "/G0 gs 1 1 0 rg 10 90 100 30 re f", objects={"G0": ("/ca 0.4", b"")})
        assert texts(page) == ["Maths"]


class TestDrawing:
    def test_stroked_lines(self) -> None:
        page = read(text(20, 170, "Week") + "2 w 10 50 m 200 50 l S 10 20 m 10 120 l S 0 0 m 90 120 l S")
        across, down = page.rules
        assert (across.horizontal, across.start, across.end, across.thickness) == (True, (10, 150), (200, 150), 2)
        assert (down.horizontal, down.start, down.end) == (False, (10, 80), (10, 180))

    def test_outline_of_a_rectangle_is_four_rules(self) -> None:
        page = read(text(20, 170, "Week") + "10 20 100 50 re S")
        assert sorted(rule.horizontal for rule in page.rules) == [False, False, True, True]

    def test_thin_rectangles_and_frames_are_rules(self) -> None:
        frame = "10 20 100 50 re 11 21 98 48 re f*"
        assert len(read(text(20, 170, "Week") + "10 100 150 1 re f").rules) == 1
        page = read(text(20, 170, "Week") + frame)
        assert len(page.rules) == 4
        assert not page.fills

    def test_fills(self) -> None:
        page = read(text(20, 170, "Week") + "1 0.5 0 rg 10 20 100 50 re f")
        (fill,) = page.fills
        assert fill.color == (255, 128, 0)
        assert fill.box == pytest.approx((10, 130, 110, 180))

    def test_white_on_paper_and_the_whole_page_are_no_fills(self) -> None:
        page = read("0.9 0.9 1 rg 0 0 300 200 re f 0 g " + text(20, 170, "Week"))
        assert not page.fills
        assert not read("1 g 10 20 100 50 re f 0 g " + text(20, 170, "Week")).fills

    def test_white_on_colour_is_seen(self) -> None:
        page = read(
            "1 0 0 rg 10 20 200 100 re f 1 g 20 40 50 50 re f 1 G 10 70 m 200 70 l S 0 g " + text(20, 170, "Week")
        )
        assert [fill.color for fill in page.fills] == [(255, 0, 0), (255, 255, 255)]
        assert len(page.rules) == 1

    def test_through_forms_with_their_matrices(self) -> None:
        form = ("/Type /XObject /Subtype /Form /BBox [0 0 100 100] /Matrix [1 0 0 1 5 5]", b"0 0 m 50 0 l S")
        page = read(text(20, 170, "Week") + "q 2 0 0 2 10 20 cm /X0 Do Q", objects={"X0": form})
        (rule,) = page.rules
        assert rule.start == pytest.approx((20, 170))
        assert rule.end == pytest.approx((120, 170))

    def test_clip_cuts_rules_and_fills(self) -> None:
        page = read(text(20, 170, "Week") + "q 0 0 60 60 re W n 1 0 0 rg 10 50 m 200 50 l S 20 20 200 20 re f Q")
        assert page.rules[0].end[0] == pytest.approx(60, abs=1)
        assert page.fills[0].box == pytest.approx((20, 160, 60, 180))

    def test_thick_stroke_is_a_bar(self) -> None:
        page = read(text(20, 170, "Week") + "0 0 1 RG 20 w 10 50 m 200 50 l S")
        assert not page.rules
        assert page.fills[0].box == pytest.approx((10, 140, 200, 160))

    def test_pictures(self) -> None:
        page = read(text(20, 170, "Week") + "q 40 0 0 30 200 20 cm /X0 Do Q", objects={"X0": PHOTO})
        assert page.pictures[0].box == pytest.approx((200, 150, 240, 180))


class TestReadFromPicture:
    SCAN = "q 300 0 0 200 0 0 cm /X0 Do Q "

    def assert_rendered(self, page: Page) -> None:
        assert page.image is not None
        assert page.image.dtype == np.uint8
        assert page.image.shape == (page.height, page.width, 3)
        assert 2000 <= max(page.width, page.height) <= 2400
        assert page.unit == "px"
        assert not page.lines
        assert page.to_source[0] * page.width == pytest.approx(300)
        assert page.to_source[4] * page.height == pytest.approx(200)

    @pytest.mark.parametrize(
        "content",
        [
            SCAN,
            SCAN + text(20, 100, "a hidden layer of recognised text", extra="3 Tr"),
            text(20, 100, "text under the scan") + SCAN,
            SCAN + "1 g " + text(5, 3, "Scanner app", size=4),
            text(20, 190, "Our timetable", size=8) + "q 200 0 0 120 50 20 cm /X0 Do Q",
            "10 10 m 20 80 60 90 90 20 c f",
        ],
        ids=["scan", "hidden layer", "layer beneath", "stamped scan", "mixed", "shapes only"],
    )
    def test_pages_without_usable_text(self, content: str) -> None:
        self.assert_rendered(read(content, objects={"X0": PHOTO}))

    def test_text_over_a_background_picture_is_text(self) -> None:
        body = "1 g " + "".join(text(20, 180 - 16 * row, "Maths in room 12, then lunch", size=14) for row in range(10))
        page = read(self.SCAN + body, objects={"X0": PHOTO})
        assert page.image is None
        assert len(page.lines) == 10

    def test_meaningless_text_layer(self) -> None:
        self.assert_rendered(read(text(20, 100, "\x01\x02\x03\x04\x05\x06 abc")))

    def test_colours_come_as_rgb(self) -> None:
        page = read("1 0 0 rg 0 0 m 300 0 l 300 200 l 0 200 l f")
        assert page.image is not None
        assert tuple(page.image[5, 5]) == (255, 0, 0)

    def test_empty_page_costs_no_picture(self) -> None:
        page = read("")
        assert page.image is None
        assert not page.has_text

    def test_within_the_pixel_limit(self) -> None:
        pages, _ = read_pdf(make_pdf(self.SCAN, objects={"X0": PHOTO}), Limits(max_pixels=100_000))
        assert pages[0].width * pages[0].height <= 100_000

    def test_many_scans_share_their_memory(self) -> None:
        data = make_pdf(*[self.SCAN] * 40, objects={"X0": PHOTO})
        pages, _ = read_pdf(data, Limits(max_pixels=50_000))
        assert len(pages) == 40
        assert sum(page.width * page.height for page in pages) <= 16 * 50_000


class TestDocument:
    def test_later_pages_are_left_out_with_a_warning(self) -> None:
        pages, warnings = read_pdf(make_pdf(*[text(20, 100, "Art")] * 5), Limits(max_pages=3))
        assert [page.number for page in pages] == [0, 1, 2]
        assert "first 3 of 5" in warnings[0]

    def test_password(self) -> None:
        with pytest.raises(EncryptedDocument, match="password"):
            read_pdf(encrypted(user="secret"), LIMITS)

    def test_a_password_for_changes_only_does_not_matter(self) -> None:
        pages, _ = read_pdf(encrypted(user=""), LIMITS)
        assert texts(pages[0]) == ["Maths"]

    @pytest.mark.parametrize("data", [b"%PDF-1.7\n", b"%PDF-1.7\nnothing", make_pdf(), b"%PDF-1.4" + bytes(500)])
    def test_damaged(self, data: bytes) -> None:
        with pytest.raises(UnreadableDocument):
            read_pdf(data, LIMITS)

    def test_time_limit(self) -> None:
        with pytest.raises(LimitExceeded, match="seconds"):
            read_pdf(make_pdf(*[text(20, 100, "Art" * 50)] * 40), Limits(max_seconds=1e-6))

    def test_javascript_is_not_run(self) -> None:
        script = "/OpenAction << /S /JavaScript /JS (while (true) {}) >>"
        start = time.monotonic()
        pages, _ = read_pdf(make_pdf(text(20, 100, "Art"), catalog=script), LIMITS)
        assert texts(pages[0]) == ["Art"]
        assert time.monotonic() - start < 5

    def test_filled_form_fields_are_text(self) -> None:
        from reportlab.pdfgen.canvas import Canvas

        out = io.BytesIO()
        canvas = Canvas(out, pagesize=(300, 200))
        canvas.drawString(20, 150, "Monday")
        canvas.acroForm.textfield(name="lesson", value="Maths", x=20, y=50, width=100, height=20, borderWidth=0)
        canvas.save()
        pages, _ = read_pdf(out.getvalue(), LIMITS)
        assert texts(pages[0]) == ["Monday", "Maths"]

    def test_from_several_threads(self) -> None:
        data = make_pdf(text(20, 100, "Art"))
        found: list[list[str]] = []
        threads = [threading.Thread(target=lambda: found.append(texts(read_pdf(data, LIMITS)[0][0]))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [["Art"]] * 6


class TestRenderPage:
    def test_size_and_colour(self) -> None:
        image = render_page(make_pdf("", "0 0 1 rg 0 0 300 200 re f"), 1, long_side=600)
        assert image.shape == (400, 600, 3)
        assert tuple(image[200, 300]) == (0, 0, 255)
        assert Image.fromarray(image).size == (600, 400)

    def test_no_such_page(self) -> None:
        with pytest.raises(UnreadableDocument, match="1 pages"):
            render_page(make_pdf(""), 1, long_side=100)


def encrypted(*, user: str) -> bytes:
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, encrypt=StandardEncryption(user, ownerPassword="owner", strength=128))
    canvas.drawString(100, 700, "Maths")
    canvas.save()
    return out.getvalue()
