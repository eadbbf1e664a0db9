"""Documents handed in over real HTTP: what is refused, who waits, what a key does, what becomes of those who leave."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from calling import BROKEN, DEMO, PATIENCE, UNKNOWN, Caller, code, eventually, letter, newest, sent, slow, upload, week
from serving import Running

from pocai.inference.answers import Status


@pytest.fixture(scope="module")
def api(service: Running) -> Caller:
    """A caller of the service without access control."""
    return Caller(service, {})


def test_a_document_without_a_timetable_is_no_error(api: Caller) -> None:
    answer = api.send(letter())
    assert answer.status_code == 200
    result = answer.json()["result"]
    assert (result["timetables"], result["verdict"]["decision"]) == ([], "reject")
    assert answer.headers["Content-Location"] == answer.json()["links"]["self"]


def test_a_document_that_cannot_be_read_is_an_error_that_names_its_job(api: Caller) -> None:
    answer = api.send(BROKEN)
    assert (answer.status_code, code(answer)) == (422, "unreadable_document")
    job = api("GET", f"/v1/extractions/{answer.json()['error']['details']['id']}").json()
    assert (job["status"], job["result"], job["error"]["code"]) == ("failed", None, "unreadable_document")
    assert job["error"]["details"]["mend"]
    again = api("GET", f"{job['links']['self']}.csv")
    assert (again.status_code, code(again)) == (422, "unreadable_document")


def test_a_host_names_files_by_path(api: Caller) -> None:
    folder = api.running.settings.server.host_application.roots[0]
    (folder / "sub").mkdir()
    (folder / "sub/plan.docx").write_bytes(week("by path"))
    answer = api("POST", "/v1/extractions", json={"path": str(folder / "sub/plan.docx")})
    assert answer.status_code == 200, answer.text
    assert answer.json()["document"]["name"] == "plan.docx"
    assert len(answer.json()["result"]["timetables"][0]["timeblocks"]) == 10
    outside = api("POST", "/v1/extractions", json={"path": str(DEMO)})
    assert (outside.status_code, code(outside)) == (403, "not_allowed")
    missing = api("POST", "/v1/extractions", json={"path": str(folder / "absent.png")})
    assert (missing.status_code, code(missing)) == (404, "not_found")


@pytest.mark.parametrize(
    ("fields", "status", "expected"),
    [
        ({"deadline": "0.9"}, 422, "bad_request"),
        ({"deadline": "inf"}, 422, "bad_request"),
        ({"deadline": "soon"}, 422, "bad_request"),
        ({"colour": "red"}, 422, "bad_request"),
        ({"engine": "no-such-engine"}, 404, "unknown_model"),
    ],
)
def test_fields_that_make_no_sense_are_refused(api: Caller, fields: dict[str, str], status: int, expected: str) -> None:
    answer = api.send(week("fields"), fields=fields)
    assert (answer.status_code, code(answer)) == (status, expected)


def test_fields_that_make_sense_are_followed(api: Caller) -> None:
    answer = api.send(week("fields"), fields={"engine": "ppocr", "deadline": "30"})
    assert answer.status_code == 200
    whole, reader = DEMO.read_bytes(), {"engine": "ppocr"}  # which takes its time
    waiting = {"Prefer": "respond-async"}
    blockers = [
        str(api.send(whole + mark, fields=reader, headers=waiting).json()["id"]) for mark in (b"one", b"two", b"three")
    ]
    api.until(blockers[0], "running")
    late = api.send(whole + b"late", fields={**reader, "deadline": "1"})
    assert late.status_code == 504
    assert code(late) in {"deadline_exceeded", "waited_too_long"}  # it may have begun, or not
    for job in blockers:
        api("DELETE", f"/v1/extractions/{job}")


BAD_BODIES: dict[str, tuple[dict[str, Any], int]] = {
    "no file": ({"files": {"picture": ("week.png", b"x")}}, 422),
    "a file that is text": ({"data": {"file": "x"}, "files": {"engine": (None, "ppocr")}}, 422),
    "two files": ({"files": [("file", ("a.png", b"a")), ("file", ("b.png", b"b"))]}, 400),
    "an empty file": ({"files": {"file": ("week.png", b"")}}, 422),
    "no boundary": ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400),
    "no form": ({"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=y"}}, 400),
    "another type": ({"content": b"x", "headers": {"Content-Type": "image/png"}}, 415),
    "no type": ({"content": b"x"}, 415),
    "no JSON": ({"content": b'{"path": ', "headers": {"Content-Type": "application/json"}}, 422),
    "deep JSON": ({"content": b"[" * 100_000, "headers": {"Content-Type": "application/json"}}, 422),
    "no path": ({"json": {}}, 422),
    "NUL": ({"json": {"path": "week\0.png"}}, 403),
    "an unknown field": ({"json": {"path": "week.png", "secret-value": "secret-value"}}, 422),
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_bodies_that_cannot_be_understood_are_refused(api: Caller, case: str) -> None:
    request, status = BAD_BODIES[case]
    answer = api("POST", "/v1/extractions", **request)
    assert answer.status_code == status, answer.text
    assert code(answer)
    assert '"secret-value"}' not in answer.text


def test_202_and_then_the_result(api: Caller) -> None:
    answer = api.send(slow("async"), headers={"Prefer": "respond-async"})
    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == "respond-async"
    job = answer.headers["Location"]
    unfinished = api("GET", f"{job}.csv")
    assert (unfinished.status_code, code(unfinished)) == (409, "conflict")
    assert int(unfinished.headers["Retry-After"]) >= 1 <= int(answer.headers["Retry-After"])
    negotiated = api("GET", job, headers={"Accept": "text/calendar"})
    assert (negotiated.status_code, code(negotiated)) == (409, "conflict")
    assert api("GET", f"{job}/overlay.png").status_code == 409
    assert api.until(answer.json()["id"], "succeeded", "failed") == "succeeded"
    assert api("GET", f"{job}.csv").status_code == 200


@pytest.mark.parametrize(
    ("prefer", "status", "applied"),
    [
        ("wait=0", 202, "wait=0"),
        ("respond-async, wait=0", 202, "respond-async, wait=0"),
        ('foo; bar="x", wait="30"', 200, None),
        ("RESPOND-ASYNC;x=y , wait=30", 200, None),
        ("wait=soon, handling=lenient", 200, None),
    ],
)
def test_prefer_says_how_long_to_wait(api: Caller, prefer: str, status: int, applied: str | None) -> None:
    answer = api.send(week(prefer), headers={"Prefer": prefer})
    assert (answer.status_code, answer.headers.get("Preference-Applied")) == (status, applied)
    assert api.until(answer.json()["id"], "succeeded") == "succeeded"


def test_a_wait_that_is_too_short_ends_in_202(api: Caller) -> None:
    begin = time.monotonic()
    blocker = api.submit(slow("blocker"))
    answer = api.send(slow("too short"), headers={"Prefer": "wait=1"})
    assert time.monotonic() - begin >= 1
    job = answer.json()
    assert (answer.status_code, job["status"] in {"queued", "running"}) == (202, True)
    api("DELETE", f"/v1/extractions/{job['id']}")
    api("DELETE", f"/v1/extractions/{blocker}")


def test_the_same_key_finds_the_same_job(api: Caller) -> None:
    document = week("twice")
    key = {"Idempotency-Key": "twice"}
    answers = [api.send(document, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200] * 2
    assert answers[0].json() == answers[1].json()
    assert api.send(document, headers={"Idempotency-Key": "thrice"}).json()["id"] != answers[0].json()["id"]


def test_a_key_for_something_else_is_a_conflict(api: Caller) -> None:
    key = {"Idempotency-Key": "something"}
    document = week("something")
    assert api.send(document, headers=key).status_code == 200
    for answer in (
        api.send(week("else"), headers=key),
        api.send(document, path="/v1/ocr", headers=key),
    ):
        assert (answer.status_code, code(answer)) == (409, "conflict")
    long = api.send(document, headers={"Idempotency-Key": "x" * 256})
    assert (long.status_code, code(long)) == (422, "bad_request")


def test_requests_of_one_key_at_once_make_one_job(api: Caller) -> None:
    document, key = slow("at once"), {"Idempotency-Key": "at once"}
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: api.send(document, headers=key), range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].json()["attempts"] == 1


def test_a_lasting_fault_is_answered_again_and_a_passing_one_is_tried_anew(api: Caller) -> None:
    document, key = week("passing"), {"Idempotency-Key": "passing"}
    job = api.send(document, headers=key).json()["id"]
    database = api.running.settings.server.state_dir / "jobs.sqlite"
    broken = [api.send(BROKEN, headers={"Idempotency-Key": "broken"}).json() for _ in range(2)]
    assert broken[0] == broken[1]
    pretend_fault(database, job, "worker_lost")
    assert api.status(job) == "failed"
    again = api.send(document, headers=key)
    assert (again.status_code, again.json()["id"], again.json()["attempts"]) == (200, job, 1)


def test_a_job_that_was_cancelled_is_begun_anew_by_its_key(api: Caller) -> None:
    document, key = week("begun anew"), {"Idempotency-Key": "begun anew"}
    blocker = api.submit(slow("before it is begun anew"))
    job = api.submit(document, **key)
    for each in (job, blocker):
        api("DELETE", f"/v1/extractions/{each}")
    assert api.status(job) == "cancelled"
    again = api.send(document, headers=key)
    assert (again.status_code, again.json()["id"]) == (200, job)


def pretend_fault(database: Path, job: str, fault: str) -> None:
    """Let a job have failed, as if its process had died."""
    told = json.dumps({"code": fault, "what": "the process died", "mend": ""})
    with contextlib.closing(sqlite3.connect(database, timeout=PATIENCE)) as base, base:
        base.execute("DELETE FROM results WHERE id = ?", (job,))
        base.execute("UPDATE jobs SET status = 'failed', fault = ? WHERE id = ?", (told, job))


@pytest.mark.parametrize("when", ["queued", "running"])
def test_a_client_that_goes_away_cancels_its_job(api: Caller, when: str) -> None:
    document = slow(f"gone while {when}")
    blocker = api.submit(slow("in the way")) if when == "queued" else None
    with sent(api, upload(document)):
        job = eventually(lambda: newest(api, document), lambda job: job is not None and job.status.value == when)
    assert api.until(job.id, "cancelled") == "cancelled"
    if blocker is not None:
        api("DELETE", f"/v1/extractions/{blocker}")


def test_a_job_with_a_key_outlives_its_client(api: Caller) -> None:
    document = slow("kept")
    with sent(api, upload(document, headers="Idempotency-Key: kept\r\n")):
        job = eventually(lambda: newest(api, document), lambda job: job is not None and job.status is Status.RUNNING)
    assert api.send(document, headers={"Idempotency-Key": "kept"}).json()["id"] == job.id
    assert api.status(job.id) == "succeeded"


def test_an_upload_that_breaks_off_leaves_nothing(api: Caller, caplog: pytest.LogCaptureFixture) -> None:
    document = slow("half")
    request = upload(document)
    with sent(api, request[: len(request) // 2]):
        time.sleep(0.1)
    time.sleep(0.2)
    assert newest(api, document) is None
    assert [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}] == []


def test_a_queued_and_a_running_job_are_cancelled(api: Caller) -> None:
    running = api.submit(slow("cancel"))
    queued = api.submit(slow("cancel 2"))
    api.until(running, "running")
    for job in (queued, running):
        answer = api("DELETE", f"/v1/extractions/{job}")
        assert (answer.status_code, answer.content) == (204, b"")
        assert api.status(job) == "cancelled"
        export = api("GET", f"/v1/extractions/{job}.csv")
        assert (export.status_code, code(export), "Retry-After" in export.headers) == (409, "conflict", False)
    assert api.send(week("afterwards")).status_code == 200
    assert {api.status(job) for job in (queued, running)} == {"cancelled"}
    assert api("DELETE", f"/v1/extractions/{queued}").status_code == 204
    assert api("GET", f"/v1/extractions/{queued}").status_code == 404


def test_cancelling_never_erases_a_result(api: Caller) -> None:
    ahead, queued = api.submit(slow("ahead of what is cancelled")), api.submit(slow("to be cancelled"))
    told = api("POST", f"/v1/extractions/{queued}/cancel")
    assert (told.status_code, told.json()["status"]) == (200, "cancelled")
    assert api("POST", f"/v1/extractions/{queued}/cancel").status_code == 409
    assert api.until(ahead, "succeeded") == "succeeded"
    late = api("POST", f"/v1/extractions/{ahead}/cancel")
    assert (late.status_code, code(late)) == (409, "conflict")
    assert api.status(ahead) == "succeeded"


def test_a_request_that_waits_is_told_of_a_cancellation(api: Caller) -> None:
    document = slow("waited for")
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(api.send, document)
        job = eventually(lambda: newest(api, document), lambda job: job is not None)
        assert api("DELETE", f"/v1/extractions/{job.id}").status_code == 204
        assert (waiting.result().status_code, code(waiting.result())) == (409, "conflict")


def test_a_finished_job_is_erased(api: Caller) -> None:
    job = api.send(week("erased")).json()["id"]
    assert api("DELETE", f"/v1/extractions/{job}").status_code == 204
    answers = [api(method, f"/v1/extractions/{job}") for method in ("GET", "DELETE")]
    assert [(answer.status_code, code(answer)) for answer in answers] == [(404, "not_found")] * 2
    assert api.running.run(api.running.service.store.document(job)) is None
    assert b"erased" not in (api.running.settings.server.state_dir / "audit.jsonl").read_bytes()


@pytest.mark.parametrize("job", [UNKNOWN, "x", "..", "%00", "a.b", "é" * 32])
def test_what_never_was_is_not_found(api: Caller, job: str) -> None:
    for ending in ("", ".csv", "/events", "/overlay.png"):
        assert api("GET", f"/v1/extractions/{job}{ending}").status_code == 404


def test_the_audit_log_has_who_did_what_and_no_names(api: Caller) -> None:
    job = api.send(week("audit")).json()["id"]
    api("GET", f"/v1/extractions/{job}", headers={"X-Request-ID": "audited"})
    api("GET", f"/v1/extractions/{job}.csv")
    api("DELETE", f"/v1/extractions/{job}")
    text = (api.running.settings.server.state_dir / "audit.jsonl").read_text(encoding="utf-8")
    lines = [line for line in map(json.loads, text.splitlines()) if job in line.values()]
    actions = [f"extraction.{verb}" for verb in ("create", "read", "export", "delete")]
    assert [line["action"] for line in lines] == actions
    assert "audited" in lines[1].values()
    assert "week.png" not in text
