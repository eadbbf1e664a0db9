"""What comes out of the API over real HTTP: results in every form, pictures, text, models, and the old paths."""

from __future__ import annotations

import concurrent.futures
import csv
import io
from datetime import date
from typing import Any

import pytest
from calling import BROKEN, DEMO, Caller, code, eventually, newest, sent, slow, upload, week
from PIL import Image
from serving import Running

import pocai
from pocai.inference.answers import ExtractionJob, ExtractionResult, ModelList, ReadResult, Status
from pocai.server.jobs import Kind

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture(scope="module")
def api(service: Running) -> Caller:
    """A caller of the service without access control."""
    return Caller(service, {})


@pytest.fixture(scope="module")
def finished(api: Caller) -> dict[str, Any]:
    """The demo document's job with everything that was read; no test changes it."""
    answer = api.send(DEMO.read_bytes(), params={"include": "text"})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert isinstance(found, dict)
    return found


def test_the_answer_is_what_the_library_reads(api: Caller, finished: dict[str, Any]) -> None:
    job = ExtractionJob.model_validate(finished)
    assert job.result is not None
    assert list(job.result.timetables) == pocai.extract(DEMO, settings=api.running.settings)
    assert (job.status, job.progress, job.attempts) == (Status.SUCCEEDED, 1.0, 1)
    assert (job.document.name, job.document.size) == ("week.png", DEMO.stat().st_size)
    assert job.started_at is not None
    assert job.finished_at is not None
    assert job.created_at <= job.started_at < job.finished_at
    assert "Registration" in job.result.pages[0].text
    assert api("GET", job.links.self).json() == finished | {"result": finished["result"] | {"pages": []}}
    assert api("GET", job.links.self, params={"include": "text"}).json() == finished


def test_csv_has_a_row_for_each_block(api: Caller, finished: dict[str, Any]) -> None:
    answer = api("GET", f"/v1/extractions/{finished['id']}.csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="timetable.csv"')
    assert "filename*=UTF-8''week.csv" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    blocks = [block for timetable in finished["result"]["timetables"] for block in timetable["timeblocks"]]
    assert [row["name"] for row in rows] == [block["name"] for block in blocks]


def test_the_workbook_opens(api: Caller, finished: dict[str, Any]) -> None:
    import openpyxl

    answer = api("GET", f"/v1/extractions/{finished['id']}.xlsx")
    assert answer.headers["Content-Type"] == XLSX
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    texts = {str(cell.value).splitlines()[0] for sheet in book for row in sheet for cell in row if cell.value}
    names = {block["name"] for timetable in finished["result"]["timetables"] for block in timetable["timeblocks"]}
    assert names <= texts


def test_the_calendar_opens_and_keeps_its_term(api: Caller, finished: dict[str, Any]) -> None:
    import icalendar

    term = {"start": "2026-09-07", "end": "2026-12-18", "timezone": "Europe/Paris"}
    answer = api("GET", f"/v1/extractions/{finished['id']}.ics", params=term)
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    events = icalendar.Calendar.from_ical(answer.content).walk("VEVENT")
    blocks = [block for timetable in finished["result"]["timetables"] for block in timetable["timeblocks"]]
    assert len(events) == sum(block["day"] is not None for block in blocks) > 0
    assert all(date(2026, 9, 7) <= event.decoded("dtstart").date() <= date(2026, 9, 13) for event in events)
    assert "Europe/Paris" in answer.text


@pytest.mark.parametrize(
    ("term", "status"),
    [
        ({"timezone": "Middle/Earth"}, 400),
        ({"start": "2026-09-07", "end": "2026-09-01"}, 400),
        ({"start": "9999-12-31"}, 422),
        ({"start": "monday"}, 422),
    ],
)
def test_a_term_that_makes_no_sense_is_refused(
    api: Caller, finished: dict[str, Any], term: dict[str, str], status: int
) -> None:
    answer = api("GET", f"/v1/extractions/{finished['id']}.ics", params=term)
    assert (answer.status_code, code(answer)) == (status, "bad_request")


@pytest.mark.parametrize(
    ("accept", "suffix"),
    [
        ("text/csv", "csv"),
        (f"application/pdf, {XLSX};q=0.5", "xlsx"),
        ("text/*;q=0.9, application/json;q=0.1", "csv"),
        ("TEXT/CALENDAR ; q=1.0, text/csv; q=0.5", "ics"),
    ],
)
def test_accept_chooses_the_form(api: Caller, finished: dict[str, Any], accept: str, suffix: str) -> None:
    place = f"/v1/extractions/{finished['id']}"
    negotiated, named = api("GET", place, headers={"Accept": accept}), api("GET", f"{place}.{suffix}")
    assert negotiated.status_code == 200
    assert negotiated.headers["Content-Type"] == named.headers["Content-Type"]
    assert negotiated.headers["Content-Disposition"] == named.headers["Content-Disposition"]
    assert "Accept" in negotiated.headers["Vary"]
    assert suffix == "xlsx" or negotiated.content == named.content


@pytest.mark.parametrize(
    "accept", ["", "*/*", "application/json", "text/csv;q=0, application/*;q=0.2", "text/html, */*;q=0.1"]
)
def test_json_is_what_nothing_else_asks_for(api: Caller, finished: dict[str, Any], accept: str) -> None:
    answer = api("GET", f"/v1/extractions/{finished['id']}", headers={"Accept": accept})
    assert answer.json()["id"] == finished["id"]


def test_a_form_that_there_is_not_is_refused_before_anything_is_read(api: Caller, finished: dict[str, Any]) -> None:
    place = f"/v1/extractions/{finished['id']}"
    for accept in ("application/pdf", "application/json;q=0", "text/csv;q=none"):
        answer = api("GET", place, headers={"Accept": accept})
        assert answer.status_code == 406
        assert code(answer)
    document = week("unacceptable")
    assert api.send(document, headers={"Accept": "image/png"}).status_code == 406
    assert newest(api, document) is None


def test_a_document_can_be_answered_in_another_form_at_once(api: Caller) -> None:
    answer = api.send(week("as csv"), headers={"Accept": "text/csv"})
    assert [row["name"] for row in csv.DictReader(io.StringIO(answer.text))][:2] == ["Maths", "Science"]
    assert api("GET", answer.headers["Content-Location"]).json()["status"] == "succeeded"


def test_the_result_alone_is_json_too(api: Caller, finished: dict[str, Any]) -> None:
    place = f"/v1/extractions/{finished['id']}.json"
    assert api("GET", place, params={"include": "text"}).json() == finished["result"]
    assert ExtractionResult.model_validate(api("GET", place).json()).pages == ()


def test_the_overlay_is_the_page_with_its_blocks_marked(api: Caller, finished: dict[str, Any]) -> None:
    answer = api("GET", finished["links"]["overlay"])
    assert answer.headers["Content-Type"] == "image/png"
    with Image.open(io.BytesIO(answer.content)) as drawn, Image.open(DEMO) as original:
        assert (drawn.format, drawn.size) == ("PNG", original.size)
        assert drawn.convert("RGB").tobytes() != original.convert("RGB").tobytes()
    beyond = api("GET", finished["links"]["overlay"], params={"page": 1})
    assert (beyond.status_code, code(beyond)) == (404, "not_found")
    assert api("GET", finished["links"]["overlay"], params={"page": -1}).status_code == 422


def test_many_overlays_at_once_are_drawn(api: Caller, finished: dict[str, Any]) -> None:
    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda _: api("GET", finished["links"]["overlay"]), range(3)))
    assert [answer.status_code for answer in answers] == [200] * 3
    assert len({answer.content for answer in answers}) == 1


def test_the_text_alone_is_what_the_extraction_read(api: Caller, finished: dict[str, Any]) -> None:
    answer = api.send(DEMO.read_bytes(), path="/v1/ocr")
    assert answer.status_code == 200
    result = ReadResult.model_validate(answer.json())
    assert result.pages == ExtractionResult.model_validate(finished["result"]).pages
    assert result.seconds["text"] > 0


def test_a_reading_is_forgotten_unless_it_has_a_key(api: Caller) -> None:
    documents = api.running.settings.server.state_dir / "documents"
    before = set(documents.iterdir())
    assert api.send(week("forgotten"), path="/v1/ocr").status_code == 200
    assert api.send(BROKEN, path="/v1/ocr").status_code == 422
    assert set(documents.iterdir()) == before
    document, key = week("kept reading"), {"Idempotency-Key": "kept reading"}
    answers = [api.send(document, path="/v1/ocr", headers=key) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    (job,) = set(documents.iterdir()) - before
    assert api.running.run(api.running.service.store.get(job.name)).kind is Kind.READ
    assert api("GET", f"/v1/extractions/{job.name}").status_code == 404


def test_a_client_that_goes_away_ends_its_reading(api: Caller) -> None:
    document = slow("gone from reading")
    documents = api.running.settings.server.state_dir / "documents"
    before = set(documents.iterdir())
    with sent(api, upload(document, path="/v1/ocr")):
        eventually(lambda: set(documents.iterdir()), lambda found: len(found) > len(before))
    eventually(lambda: set(documents.iterdir()), lambda found: found == before)


def test_models_are_those_of_the_catalogue(api: Caller) -> None:
    models = ModelList.model_validate(api("GET", "/v1/models").json()).models
    assert {model.name for model in models if model.default} == {"cascade", "auto"}
    (cascade,) = (model for model in models if model.name == "cascade")
    assert cascade.installed
    assert all(len(sha256) == 64 for sha256 in cascade.files.values())
    assert len(cascade.files) == 3
    for model in models:
        assert api("GET", f"/v1/models/{model.name}").json() == model.model_dump(mode="json", by_alias=True)
    unknown = api("GET", "/v1/models/gpt")
    assert (unknown.status_code, code(unknown)) == (404, "unknown_model")


def test_the_paths_of_the_original_reference_answer(api: Caller) -> None:
    folder = api.running.settings.server.host_application.roots[0]
    (folder / "alias.docx").write_bytes(week("alias"))
    body = {"path": str(folder / "alias.docx")}
    extracted = [api("POST", "/infer/document", json=body), api.send(week("alias"), path="/upload/document")]
    read = [api("POST", "/infer/ocr", json=body), api.send(week("alias"), path="/upload/ocr")]
    assert [answer.status_code for answer in (*extracted, *read)] == [200] * 4
    assert all(len(answer.json()["result"]["timetables"][0]["timeblocks"]) == 10 for answer in extracted)
    assert all(ReadResult.model_validate(answer.json()).pages for answer in read)
    broken = api.send(BROKEN, path="/upload/document")
    assert (broken.status_code, code(broken)) == (422, "unreadable_document")
    assert code(api("POST", "/infer/ocr", json={})) == "bad_request"
