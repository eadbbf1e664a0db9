"""The pipeline from end to end: what is printed comes back, with its stages, its reasons and its places."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from painted import Style, as_png, name_alone, painted
from PIL import Image, ImageChops
from rendering import as_docx, as_pdf, as_xlsx
from strategies import timetables

from pocai.documents.ingest import load
from pocai.documents.page import Box, Document
from pocai.errors import InputError, ModelError, UnknownModel
from pocai.inference.document_service import DOCUMENT_MODELS, DocumentService
from pocai.inference.pipeline import Extraction, extract, read
from pocai.settings import SchoolHours, Settings
from pocai.timetable.timetable import Day, Evidence, TimeBlock, Timetable

STAGES = ["ingest", "text", "assemble", "check"]
BY_TEACHER = Settings(ocr_engine="ppocr")  # misreads next to nothing that is painted here
NO_OCR = Settings(ocr_engine="no-such-engine")
Change = Callable[[Image.Image], Image.Image]


def block(day: Day, name: str, start: str, end: str, notes: str | None = None) -> TimeBlock:
    return TimeBlock(day=day, name=name, start_time=start, end_time=end, notes=notes)


WEEK = Timetable(
    timeblocks=(
        block("Monday", "Maths", "09:00", "10:00"),
        block("Monday", "English", "10:00", "11:00", "Room 12"),
        block("Monday", "Science", "11:00", "12:00"),
        block("Tuesday", "Swimming", "09:00", "11:00", "bring a towel"),
        block("Tuesday", "History", "11:00", "12:00"),
        block("Wednesday", "Music", "09:00", "10:00"),
        block("Wednesday", "Drama", "10:00", "11:00", "main hall"),
        block("Wednesday", "French", "11:00", "12:00"),
        block("Thursday", "Geography", "09:00", "10:00", "Room 7"),
        block("Thursday", "Gardening", "10:00", "12:00"),
        block("Friday", "Assembly", "09:00", "10:00"),
        block("Friday", "Football", "10:00", "12:00", "on the lower field"),
    )
)


def blocks_of(*weeks: Timetable) -> list[tuple[str, ...]]:
    return sorted(
        (b.day or "", b.name, b.start_time or "", b.end_time or "", b.notes or "") for w in weeks for b in w.timeblocks
    )


def tilted(degrees: float) -> Change:
    """Turned a little, counter-clockwise, as a sheet lies in a scanner."""
    return lambda picture: picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor="white")


def quarters(count: int) -> Change:
    """Turned counter-clockwise by quarters."""
    return lambda picture: picture.rotate(90 * count, expand=True)


# --- a picture of a table comes back block for block


@pytest.mark.parametrize("tilt", [0, 1])
@pytest.mark.parametrize("style", ["lines", "colours"])
@pytest.mark.parametrize("days_across", [True, False], ids=["days across", "days down"])
def test_a_scanned_week_is_read_block_for_block(style: Style, tilt: int, *, days_across: bool) -> None:
    picture = tilted(tilt)(painted(WEEK, days_across=days_across, style=style))
    assert blocks_of(*extract(as_png(picture))) == blocks_of(WEEK)


@given(timetables(), st.booleans(), st.sampled_from(["lines", "colours"]), st.sampled_from([0, -1.5, 1]))
@settings(max_examples=6, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
def test_any_plain_week_that_is_painted_is_read(week: Timetable, across: bool, style: Style, tilt: float) -> None:
    picture = tilted(tilt)(painted(week, days_across=across, style=style))
    assert blocks_of(*extract(as_png(picture), settings=BY_TEACHER)) == blocks_of(week)


# --- marks lie on the uploaded picture


def ink(picture: Image.Image) -> Box:
    """The box around everything dark."""
    found = ImageChops.invert(picture.convert("L")).point(lambda value: 255 * (value > 100)).getbbox()
    assert found is not None
    return Box(*found)


STORED = {  # how the pixels of an upright picture are stored under an EXIF orientation
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


def stored(orientation: int) -> Change:
    return lambda picture: picture.transpose(STORED[orientation])


@pytest.mark.parametrize(
    ("change", "orientation"),
    [
        pytest.param(tilted(-1), 1, id="skewed"),
        *(pytest.param(quarters(count), 1, id=f"turned by {90 * count}") for count in (1, 3)),
        *(pytest.param(stored(number), number, id=f"EXIF {number}") for number in STORED),
    ],
)
def test_marks_lie_on_the_uploaded_picture(change: Change, orientation: int) -> None:
    uploaded = change(painted(WEEK, days_across=True))
    (week,) = extract(as_png(uploaded, orientation))
    assert blocks_of(week) == blocks_of(WEEK)
    for name in ("Swimming", "Gardening", "Maths"):
        (found,) = (each for each in week.timeblocks if each.name == name)
        where = Box(*found.fields["name"].box)
        printed = ink(change(name_alone(WEEK, name, days_across=True)))
        assert printed.overlap(where) == 1
        assert where.area < 0.12 * uploaded.width * uploaded.height  # a cell of two rows and not half the page
    for each in week.timeblocks:
        for mark in each.fields.values():
            assert Box(*mark.box).overlap(Box(0, 0, *uploaded.size)) == pytest.approx(1, abs=0.02)


# --- stages, seconds, warnings, verdict


@dataclass(frozen=True)
class Watched:
    """An extraction and what was told while it ran."""

    extraction: Extraction
    told: list[tuple[str, float]]


def watched(data: bytes | Path, settings: Settings | None = None) -> Watched:
    told: list[tuple[str, float]] = []
    extraction = read(data, settings=settings, progress=lambda stage, share: told.append((stage, share)))
    return Watched(extraction, told)


@pytest.fixture(scope="module")
def scanned() -> Watched:
    return watched(as_png(painted(WEEK, days_across=True)))


@pytest.fixture(scope="module")
def native() -> Watched:
    return watched(as_docx(WEEK, days_across=True), NO_OCR)


@pytest.fixture(params=["scanned", "native"])
def either(request: pytest.FixtureRequest) -> Watched:
    found: Watched = request.getfixturevalue(request.param)
    return found


def test_progress_is_told_each_stage_in_order(either: Watched) -> None:
    assert list(dict.fromkeys(stage for stage, _ in either.told)) == [*STAGES, "done"]
    shares = [share for _, share in either.told]
    assert all(earlier <= later for earlier, later in pairwise(shares))
    assert (shares[0], shares[-1]) == (0, 1)


def test_each_scanned_page_moves_the_progress() -> None:
    pages = [Image.open(io.BytesIO(as_png(painted(WEEK, days_across=True)))) for _ in range(3)]
    tiff = io.BytesIO()
    pages[0].save(tiff, "TIFF", save_all=True, append_images=pages[1:])
    shares = {share for stage, share in watched(tiff.getvalue()).told if stage == "text"}
    assert len(shares) == 3


def test_a_blank_page_does_not_spoil_the_verdict_on_a_good_one() -> None:
    good = Image.open(io.BytesIO(as_png(painted(WEEK, days_across=True))))
    tiff = io.BytesIO()
    Image.new("RGB", good.size, "white").save(tiff, "TIFF", save_all=True, append_images=[good])
    alone = watched(as_png(painted(WEEK, days_across=True)))
    assert watched(tiff.getvalue()).extraction.verdict == alone.extraction.verdict


def test_school_hours_of_the_settings_hold_for_the_checks() -> None:
    early = Timetable(
        timeblocks=tuple(
            TimeBlock(day=day, name="Prep", start_time="05:00", end_time="06:00")
            for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
        )
    )
    settings = Settings(school_hours=SchoolHours(earliest=240))
    found = read(as_docx(early, days_across=True), settings=settings).findings
    assert "hours" not in {finding.code for finding in found}


def test_every_stage_has_its_seconds(either: Watched) -> None:
    assert list(either.extraction.seconds) == STAGES
    assert all(seconds >= 0 for seconds in either.extraction.seconds.values())


def test_nothing_but_its_uncertainty_is_said_against_a_plain_week(either: Watched) -> None:
    unsure = [finding for finding in either.extraction.findings if finding.code == "unsure"]
    assert either.extraction.verdict.decision == ("review" if unsure else "accept")
    assert either.extraction.verdict.reasons
    assert either.extraction.findings == tuple(unsure)
    assert either.extraction.warnings == tuple(finding.message for finding in unsure)


def test_a_picture_carries_what_was_read_on_it(scanned: Watched) -> None:
    (reading,) = scanned.extraction.ocr
    assert reading.engine == "cascade"
    assert reading.confidence > 0.9
    assert {line.text for line in scanned.extraction.document.pages[0].lines} >= {"Swimming", "Tuesday"}
    scores = [
        mark.reading_score for each in scanned.extraction.timetables[0].timeblocks for mark in each.fields.values()
    ]
    assert all(score is not None and 0.5 < score <= 1 for score in scores)


def test_lines_of_a_picture_are_measured(scanned: Watched) -> None:
    lines = {line.text: line for line in scanned.extraction.document.pages[0].lines}
    assert lines["bring a towel"].size < 0.8 * lines["Swimming"].size
    assert lines["bring a towel"].weight < 0.8 * lines["Swimming"].weight


def test_native_text_is_not_recognised(native: Watched) -> None:
    assert native.extraction.ocr == ()
    assert blocks_of(*native.extraction.timetables) == blocks_of(WEEK)
    marks = [mark for each in native.extraction.timetables[0].timeblocks for mark in each.fields.values()]
    assert {mark.reading_score for mark in marks} == {None}


@pytest.mark.parametrize("write", [as_docx, as_xlsx, as_pdf])
def test_native_documents_need_no_engine(write: Callable[..., bytes]) -> None:
    bare = Timetable(timeblocks=tuple(each.model_copy(update={"notes": None}) for each in WEEK.timeblocks))
    assert blocks_of(*extract(write(bare, days_across=False), settings=NO_OCR)) == blocks_of(bare)


def test_native_documents_load_no_engine(tmp_path: Path) -> None:
    path = tmp_path / "week.pdf"
    path.write_bytes(as_pdf(WEEK, days_across=True))
    code = (
        "import sys; from pathlib import Path; from pocai.inference.pipeline import extract;"
        "print(len(extract(Path(sys.argv[1]))), sorted({'rapidocr'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["1", "[]"]


def test_a_picture_needs_the_engine_that_is_named() -> None:
    with pytest.raises(UnknownModel, match="no-such-engine"):
        extract(as_png(painted(WEEK, days_across=True)), settings=NO_OCR)


def test_findings_are_warnings_and_send_to_review() -> None:
    week = Timetable(
        timeblocks=(
            block("Monday", "Maths 9.00-10.30", "09:00", "10:00"),
            block("Monday", "English", "10:00", "11:00"),
            block("Tuesday", "Art", "09:00", "10:00"),
            block("Tuesday", "Music", "10:00", "11:00"),
        )
    )
    extraction = read(as_docx(week, days_across=True))
    assert ("Monday", "Maths", "09:00", "10:30", "") in blocks_of(*extraction.timetables)
    assert [finding.code for finding in extraction.findings if finding.severity == "warning"] == ["overlap"]
    assert extraction.findings[0].message in extraction.warnings
    assert extraction.verdict.decision == "review"


def test_warnings_of_the_file_are_passed_on() -> None:
    limits = Settings().limits.model_copy(update={"max_pixels": 300_000})
    extraction = read(as_png(painted(WEEK, days_across=True)), settings=Settings(limits=limits))
    assert extraction.document.warnings
    assert set(extraction.document.warnings) <= set(extraction.warnings)


def test_a_page_without_a_timetable_gives_none_and_is_rejected() -> None:
    extraction = read(as_png(Image.new("RGB", (400, 300), "white")))
    assert extraction.timetables == ()
    assert extraction.verdict.decision == "reject"
    assert "no timetable was found" in extraction.verdict.reasons


def test_a_path_and_its_bytes_are_read_alike(tmp_path: Path, native: Watched) -> None:
    path = tmp_path / "week.docx"
    path.write_bytes(as_docx(WEEK, days_across=True))
    assert extract(path) == extract(path.read_bytes()) == native.extraction.timetables


def test_what_is_no_document_is_an_input_error() -> None:
    told: list[str] = []
    with pytest.raises(InputError):
        read(b"no document", progress=lambda stage, _: told.append(stage))
    assert told == ["ingest"]


def test_marks_of_notes_are_their_own_small_print(scanned: Watched) -> None:
    (week,) = scanned.extraction.timetables
    (swimming,) = (each for each in week.timeblocks if each.name == "Swimming")
    note, name = Box(*swimming.fields["notes"].box), Box(*swimming.fields["name"].box)
    assert note.overlap(name) == 1
    assert ink(name_alone(WEEK, "Swimming", days_across=True)).overlap(note) == 0


def test_times_of_the_head_are_said_to_come_from_there(scanned: Watched) -> None:
    for each in scanned.extraction.timetables[0].timeblocks:
        assert each.fields["startTime"].evidence is Evidence.HEADER
        assert each.fields["day"].evidence is Evidence.HEADER
        assert each.fields["name"].evidence is Evidence.PRINTED


# --- the document service


@dataclass(frozen=True)
class FakeModel:
    """A document model that answers, finds nothing, or fails."""

    answer: Literal["week", "nothing", "failure"]
    name: str = "fake"

    def assemble(self, document: Document) -> tuple[Timetable, ...]:
        """The timetables of a document."""
        if self.answer == "failure":
            raise ModelError(f"weights do not fit {document.format}")
        return (Timetable(title="by the fake"),) if self.answer == "week" else ()


@pytest.fixture(scope="module")
def document() -> Document:
    return load(as_docx(WEEK, days_across=True), name="", limits=Settings().limits)


def test_a_model_that_answers_is_believed(document: Document) -> None:
    assembly = DocumentService(FakeModel("week"), SchoolHours()).extract(document)
    assert assembly.timetables == (Timetable(title="by the fake"),)
    assert (assembly.model, assembly.fallback_reason) == ("fake", None)


@pytest.mark.parametrize(("answer", "reason"), [("failure", "model_error"), ("nothing", "found no timetable")])
def test_the_rules_step_in_and_say_why(document: Document, answer: Literal["nothing", "failure"], reason: str) -> None:
    assembly = DocumentService(FakeModel(answer), SchoolHours()).extract(document)
    assert blocks_of(*assembly.timetables) == blocks_of(WEEK)
    assert assembly.model == "rules"
    assert assembly.fallback_reason is not None
    assert assembly.fallback_reason.startswith("fake")
    assert reason in assembly.fallback_reason


def test_a_fallback_is_a_warning_of_the_extraction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DOCUMENT_MODELS, "fake", lambda _: FakeModel("nothing"))
    extraction = read(as_docx(WEEK, days_across=True), settings=Settings(document_model="fake"))
    assert extraction.warnings[0] == "fake found no timetable"
    assert blocks_of(*extraction.timetables) == blocks_of(WEEK)


def test_the_rules_asked_for_are_no_fallback(document: Document) -> None:
    assembly = DocumentService("rules", SchoolHours()).extract(document)
    assert (assembly.model, assembly.fallback_reason) == ("rules", None)
    assert blocks_of(*assembly.timetables) == blocks_of(WEEK)


def test_a_mistake_in_a_model_is_not_hidden(document: Document) -> None:
    @dataclass(frozen=True)
    class Broken:
        name: str = "broken"

        def assemble(self, document: Document) -> tuple[Timetable, ...]:
            raise IndexError(document.name)

    with pytest.raises(IndexError):
        DocumentService(Broken(), SchoolHours()).extract(document)


def test_an_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(UnknownModel) as caught:
        read(as_docx(WEEK, days_across=True), settings=Settings(document_model="oracle"))
    assert "'oracle'" in str(caught.value)
    assert all(name in str(caught.value) for name in DOCUMENT_MODELS)


def test_hours_decide_what_half_a_day_is_meant() -> None:
    lessons = (block("Monday", "Maths", "01:15", "02:15"), block("Monday", "Art", "02:15", "03:15"))
    week = Timetable(timeblocks=(*lessons, *(each.model_copy(update={"day": "Tuesday"}) for each in lessons)))
    data = as_docx(week, days_across=True, notation=lambda start, end: f"{start[1:]}-{end[1:]}")
    assert extract(data)[0].timeblocks[0].start_time == "13:15"
    night = Settings(school_hours=SchoolHours(earliest=0, latest=6 * 60))
    assert extract(data, settings=night)[0].timeblocks[0].start_time == "01:15"
