"""The host's own flow, call by call over HTTP, on whatever it hands over: its week is the one that pocai extracts."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest
from host_application import API_KEY, Answers, Host
from host_contract import words_outside
from painted import painted
from PIL import Image, ImageOps
from rendering import as_docx, as_pdf, as_xlsx
from serving import Process, Running, running_service, service_process, settings_for

from pocai.inference import pipeline
from pocai.inference.answers import Status
from pocai.server.host_source import KEYWORD, HostFile, Pointer, png_size, png_text, pointed_to, untouched
from pocai.server.janitor import Janitor
from pocai.server.paths import Paths
from pocai.server.projection import project
from pocai.settings import HostApplication
from pocai.timetable.timetable import WEEK, TimeBlock, Timetable

DEMO = (files("pocai") / "assets/demo/demo.png").read_bytes()
REAL = Path(__file__).parents[3] / "shared/data/real/documents"  # hold personal data, and are not everywhere
ORIENTATION = 0x0112  # EXIF
SIDEWAYS = 6  # to be turned clockwise before it is shown
SHORT = Timetable(
    class_name="3 Kestrel",
    timeblocks=tuple(
        TimeBlock(day=day, name=name, start_time=start, end_time=end)
        for day in WEEK[:5]
        for name, start, end in (("Maths", "09:00", "10:00"), ("Lunch", "12:00", "13:00"), ("Art", "13:00", "14:30"))
    ),
)


@pytest.fixture(scope="module")
def host(service: Running) -> Iterator[Host]:
    with httpx.Client(base_url=service.url, timeout=120) as client:
        yield Host(client, service.settings.server.host_application.roots[0])


def expected(content: bytes) -> dict[str, Any]:
    """What the host is to get for a document: all that `pocai extract` reads, projected."""
    told: dict[str, Any] = json.loads(week_of(content))
    return told


@cache
def week_of(content: bytes) -> str:
    return project(pipeline.extract(content)).model_dump_json(by_alias=True)


def as_bytes(picture: Image.Image, form: str, **how: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **how)
    return out.getvalue()


def page() -> Image.Image:
    """A small page, which is read quickly."""
    return painted(SHORT, days_across=True)


PAGE = as_bytes(page(), "PNG")


def sideways() -> bytes:
    """The page as a phone held upright takes it: pixels on their side, and a tag that says so."""
    exif = Image.Exif()
    exif[ORIENTATION] = SIDEWAYS
    photo = as_bytes(page().transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif)
    assert ImageOps.exif_transpose(Image.open(io.BytesIO(photo))).size == page().size
    return photo


def check(answers: Answers, content: bytes) -> None:
    """The week of a document, and words inside the picture that the host has."""
    assert answers.timetable == expected(content)
    assert answers.gate["route"] == "ai"
    with Image.open(answers.path) as picture:
        assert words_outside(answers.ocr, picture.size) == []


# --- what arrives ----------------------------------------------------------------------------------------------------


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


# --- one reading for each content ------------------------------------------------------------------------------------


def readings(service: Running) -> int:
    """How many readings were begun since the service runs."""
    log = service.settings.server.state_dir / "audit.jsonl"
    return log.read_text(encoding="utf-8").count('"extraction.create"') if log.exists() else 0


def marked(number: int, content: bytes = PAGE) -> bytes:
    """A picture with another pixel: the same week, another content."""
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    picture.putpixel((number, 0), (0, 0, 0))
    return as_bytes(picture, "PNG")


def test_three_attempts_and_a_second_upload_cost_one_reading(host: Host, service: Running) -> None:
    content = marked(1)
    begun = readings(service)
    first = host.store(content, ".png")
    weeks = [host.process(handed).timetable for handed in (first, first, first, host.store(content, ".png"))]
    assert all(week == weeks[0] for week in weeks)
    assert readings(service) - begun == 1


def test_calls_at_the_same_time_share_a_reading(host: Host, service: Running) -> None:
    handed = [host.store(marked(2), ".png") for _ in range(4)]
    begun = readings(service)
    with ThreadPoolExecutor(4) as many:
        found = list(many.map(lambda path: host.post("/ai/extract", image_path=str(path)).json(), handed))
    assert all(week == found[0] for week in found)
    assert readings(service) - begun == 1


def test_a_hopeless_document_costs_one_reading(host: Host, service: Running) -> None:
    begun = readings(service)
    handed = host.store(b"%PDF-1.7 and no more", ".pdf")
    for _ in range(3):
        told = host.post("/preprocess/enhance", image_path=str(handed), output_dir=str(handed.parent))
        assert told.status_code == 500
        assert told.json()["detail"].startswith(f"Image preprocessing failed: Could not read image: {handed} (")
        for path in ("/ocr/process", "/ai/extract"):
            assert host.post(path, image_path=str(handed)).status_code == 500
    assert readings(service) - begun == 1
    assert [path.name for path in handed.parent.iterdir()] == [handed.name]


# --- what goes wrong and passes, and what is left behind -------------------------------------------------------------


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service for tests that disturb it."""
    with running_service(settings_for(tmp_path_factory.mktemp("flow"))) as running:
        yield running


@pytest.fixture
def own_host(own: Running) -> Iterator[Host]:
    with httpx.Client(base_url=own.url, timeout=120) as client:
        yield Host(client, own.settings.server.host_application.roots[0])


def test_a_reading_process_that_dies_is_no_failure(own: Running, own_host: Host) -> None:
    handed = own_host.store(marked(3, DEMO), ".png")
    with ThreadPoolExecutor(1) as other:
        answer = other.submit(own_host.post, "/ai/extract", image_path=str(handed))
        job = until(lambda: newest(own, marked(3, DEMO)))
        until(lambda: own.run(own.service.store.get(job.id)).status is Status.RUNNING)
        for pid in own.service.pool.pids:
            os.kill(pid, signal.SIGKILL)
        assert answer.result().json() == expected(marked(3, DEMO))
    assert own.run(own.service.store.get(job.id)).attempts == 2


def test_a_failure_that_has_passed_is_not_shared(own: Running, own_host: Host) -> None:
    """A reading that was cancelled, and one that never began, are no result."""
    handed = own_host.store(marked(4), ".png")
    own_host.process(handed)
    job = newest(own, marked(4))
    own.run(own.service.store.delete(job.id))
    late = replace(job, id="0" * 32, status=Status.QUEUED, result=None, attempts=0, stage="", deadline=0.0)
    own.run(own.service.store.add(late, marked(4), limit=9))
    until(lambda: own.run(own.service.store.get(late.id)).status is Status.FAILED)
    begun = readings(own)
    assert own_host.post("/ai/extract", image_path=str(handed)).status_code == 200
    assert readings(own) - begun == 1


def newest(service: Running, content: bytes) -> Any:
    """The newest job of the host for a content."""
    from pocai.server.intake import Order, job_for

    made = job_for(content, Order("host"), service.settings)
    return service.run(service.service.store.find("host", made.fingerprint))


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What the condition gives, as soon as it is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.005)
    return found


def test_enhanced_pictures_are_readable_by_the_host_and_removed_when_their_time_is_over(
    own: Running, own_host: Host
) -> None:
    enhanced = own_host.enhance(own_host.store(PAGE, ".png"))
    assert enhanced.stat().st_mode & 0o777 == 0o644
    store, day = own.service.store, 24 * 3600
    due = [own.run(store.due_files(time.time() + day + offset)) for offset in (-60, 60)]
    assert [str(enhanced) in files for files in due] == [False, True]
    own.run(store.note_file(str(enhanced), time.time()))
    own.run(Janitor(store, own.settings.server.host_application).sweep())
    assert not enhanced.exists()
    assert len(list(enhanced.parent.iterdir())) == 2  # the upload and its copy stay
    assert own.run(store.due_files(time.time() + 2 * day)).count(str(enhanced)) == 0


def test_relative_paths_are_the_hosts(tmp_path: Path) -> None:
    roots = {"roots": [tmp_path / "uploads"], "relative_to": tmp_path}
    with (
        running_service(settings_for(tmp_path, host_application=roots)) as service,
        httpx.Client(base_url=service.url, timeout=60) as client,
    ):
        handed = Host(client, tmp_path / "uploads").store(as_pdf(SHORT, days_across=True), ".pdf").relative_to(tmp_path)
        answer = Host(client, tmp_path).process(handed)
        assert not answer.path.is_absolute()
        assert (tmp_path / answer.path).is_file()
        assert len(answer.timetable["timeblocks"]) == 15


# --- a service of its own process ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Process, Path]]:
    """`pocai serve` with two reading processes, and the folder of its state, uploads and log."""
    folder = tmp_path_factory.mktemp("process")
    environment = {"POCAI_SERVER__WORKERS__PROCESSES": "2", "POCAI_SERVER__LOG_LEVEL": "debug", "POCAI_THREADS": "1"}
    with service_process(folder, free_port(), environment) as running:
        yield running, folder


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_health_answers_at_once_while_two_documents_are_read(process: tuple[Process, Path]) -> None:
    running, folder = process
    with httpx.Client(base_url=running.url, timeout=120) as client, ThreadPoolExecutor(2) as two:
        host = Host(client, folder / "uploads")
        handed = [host.store(marked(number, DEMO), ".png") for number in (5, 6)]
        reading = [two.submit(host.process, path) for path in handed]
        taken = []
        while not all(answer.done() for answer in reading):
            begin = time.perf_counter()
            assert client.get("/health").json() == {"status": "healthy", "service": "ai-middleware"}
            taken.append(time.perf_counter() - begin)
            time.sleep(0.01)
        assert all(answer.result().timetable["timeblocks"] for answer in reading)
    assert len(taken) > 10
    assert statistics.quantiles(taken, n=10)[-1] < 0.1


def test_the_users_key_is_written_nowhere(process: tuple[Process, Path]) -> None:
    running, folder = process
    with httpx.Client(base_url=running.url, timeout=120) as client:
        host = Host(client, folder / "uploads")
        shown = json.dumps(host.process(host.store(as_pdf(SHORT, days_across=True), ".pdf")).timetable)
        for body in ({"api_key": API_KEY}, {"image_path": "/nothing", "api_key": API_KEY}, {"api_key": [API_KEY]}):
            shown += client.post("/ai/extract-async", json=body).text
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "service.log" for path in written)
    assert any("sqlite" in path.name for path in written)
    assert [path.name for path in written if API_KEY.encode() in path.read_bytes()] == []
    assert API_KEY not in shown
    log = (folder / "service.log").read_text(encoding="utf-8")
    assert "Kestrel" not in log
    assert not re.search(r"[0-9a-f]{32}\.(?:pdf|converted)", log)  # names of uploads


# --- what an enhanced picture says about its source ------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "uploads/d1"
    folder.mkdir(parents=True)
    return folder


def with_text(text: str, *, compressed: bool = False) -> bytes:
    """A small PNG with a text about its source."""
    from PIL.PngImagePlugin import PngInfo

    notes = PngInfo()
    notes.add_itxt("comment", "x" * 1000)
    notes.add_itxt(KEYWORD, text, zip=compressed)
    return as_bytes(Image.new("L", (7, 5)), "PNG", pnginfo=notes)


def source_of(root: Path, picture: bytes) -> Path | None:
    """The source that a picture in ``root`` leads to."""
    (root / "preprocessed.png").write_bytes(picture)
    paths = Paths(HostApplication(roots=(root.parent,)))
    source = pointed_to(paths, HostFile(root / "preprocessed.png", picture))
    assert source is None or source.size == (7, 5)
    return source.file.path if source else None


def told(path: str, content: bytes) -> str:
    import hashlib

    return Pointer(path=path, sha256=hashlib.sha256(content).hexdigest()).model_dump_json()


def test_a_picture_leads_to_its_source_inside_the_roots_with_the_right_content(root: Path) -> None:
    (root / "a1.pdf").write_bytes(b"document")
    (root.parent.parent / "secret.pdf").write_bytes(b"secret")
    (root / "link.pdf").symlink_to(root.parent.parent / "secret.pdf")
    assert source_of(root, with_text(told("a1.pdf", b"document"))) == root / "a1.pdf"
    assert source_of(root, with_text(told("../d1/a1.pdf", b"document"))) == root / "a1.pdf"
    for path, content in (
        ("a1.pdf", b"another document"),
        ("a2.pdf", b"document"),
        ("../../secret.pdf", b"secret"),
        (str(root.parent.parent / "secret.pdf"), b"secret"),
        ("link.pdf", b"secret"),
        (".", b""),
    ):
        assert source_of(root, with_text(told(path, content))) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"path": "a1.pdf"}', '{"path": 1, "sha256": "x"}', "{"])
def test_a_text_that_says_nothing_leads_nowhere(root: Path, text: str) -> None:
    assert source_of(root, with_text(text)) is None


def test_only_a_plain_text_before_the_pixels_of_a_whole_png_counts(root: Path) -> None:
    (root / "a1.pdf").write_bytes(b"document")
    good = with_text(told("a1.pdf", b"document"))
    assert source_of(root, with_text(told("a1.pdf", b"document"), compressed=True)) is None
    for length in range(len(good)):
        assert png_text(good[:length], KEYWORD) in {None, png_text(good, KEYWORD), ""} or length > good.index(b"iTXt")
        pointed_to(Paths(HostApplication(roots=(root,))), HostFile(root / "x.png", good[:length]))
    assert png_size(good) == (7, 5)
    assert png_size(b"\xff\xd8\xff" + good) is None


@pytest.mark.parametrize(
    ("beside", "found"),
    [
        (["a1.png"], "a1.png"),
        (["a1"], "a1"),
        (["a1.png", "a1.jpg"], None),
        (["a10.png", "b1.png", "a1.converted.jpg", "a1.compressed", "a1.tar.gz"], None),
        (["a1.png", "a1.converted.png", "preprocessed_1.png"], "a1.png"),
        ([], None),
    ],
)
@pytest.mark.parametrize("handed", ["a1.converted.compressed.webp", "a1.compressed.webp", "a1.converted.png"])
def test_the_upload_is_the_one_other_file_with_the_name_of_the_copy(
    root: Path, beside: list[str], found: str | None, handed: str
) -> None:
    for name in {*beside, handed}:
        (root / name).write_bytes(name.encode())
    paths = Paths(HostApplication(roots=(root.parent,)))
    upload = untouched(paths, HostFile(root / handed, b""))
    assert (upload.path.name if upload else None) == found
    assert untouched(paths, HostFile(root / "a1.webp", b"")) is None


def test_a_link_is_no_upload(root: Path) -> None:
    shutil.copy(__file__, root.parent.parent / "secret.png")
    (root / "a1.png").symlink_to(root.parent.parent / "secret.png")
    paths = Paths(HostApplication(roots=(root.parent,)))
    assert untouched(paths, HostFile(root / "a1.converted.compressed.webp", b"")) is None
