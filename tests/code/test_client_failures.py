"""What the client, blocking and asynchronous, makes of failures: against a real server that fails as it is told."""

from __future__ import annotations

import io
import itertools
import json
import logging
import re
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from clients import Connect, connecting
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import ScriptedServer, Told, scripted_server

from pocai import errors
from pocai.client.exchange import Reply
from pocai.client.following import EventReader
from pocai.client.patience import FIRST, LONGEST, Patience
from pocai.client.replies import CODES, error_of, retry_after
from pocai.errors import PocaiError
from pocai.inference.answers import ExtractionJob, Status
from pocai.server import failures

SECRET = "pocai_0a1b2c3d_" + "x" * 43  # opens nothing


@pytest.fixture(params=["blocking", "asynchronous"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    with connecting(request.param) as connect:
        yield connect


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    monkeypatch.setattr("pocai.client.patience.FIRST", 0.01)  # the pauses have a test of their own
    with scripted_server() as server:
        yield server


def job(status: str = "succeeded", **more: Any) -> str:
    """A job as the service answers it."""
    verdict = {"decision": "reject", "reasons": []}
    result = {"timetables": [], "verdict": verdict, "models": {"ocr": None, "document": "rules"}}
    fields = {
        "id": "j1",
        "status": status,
        "document": {"size": 1, "sha256": "0" * 64},
        "created_at": datetime.now(UTC),
        "result": result if status == "succeeded" else None,
        "links": {"self": "", "events": "", "overlay": ""},
        **more,
    }
    return ExtractionJob.model_validate(fields).model_dump_json(by_alias=True)


def refusal(error: PocaiError) -> Told:
    """The service's own answer to an error."""
    answer = failures.answer(error)
    return Told(answer.status_code, bytes(answer.body).decode(), answer.headers)


def event(status: str, progress: float = 0.0, name: str = "") -> bytes:
    name = name or (status if Status(status).final else "progress")
    return f"event: {name}\r\ndata: {job(status, progress=progress)}\r\n\r\n".encode()


def stream(*chunks: bytes, pause: float = 0.0) -> Told:
    return Told(headers={"Content-Type": "text/event-stream"}, chunks=(b"retry: 9\r\n\r\n", *chunks), pause=pause)


# --- what is tried again -------------------------------------------------------------------------------------------


PASSING = {
    "cut": Told(None),
    "busy": refusal(errors.Busy("the queue is full")),
    "stopping": refusal(errors.Unavailable("the service is stopping")),
    "proxy_502": Told(502, "<h1>Bad Gateway</h1>"),
    "proxy_504": Told(504, "<h1>Gateway Time-out</h1>"),
}


@pytest.mark.parametrize("passing", PASSING.values(), ids=PASSING)
def test_what_may_pass_is_tried_again_as_the_same_request(
    connect: Connect, script: ScriptedServer, passing: Told
) -> None:
    script.script = [passing, passing, Told(body=job()), Told(body=job())]
    api = connect(script.url)
    assert api.extract(b"week", name="week.png", engine="ppocr").status == "succeeded"
    first, second, third = script.seen
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"] == third.headers["Idempotency-Key"]
    assert all(part in third.body for part in (b"week", b'filename="week.png"', b'name="engine"', b"ppocr"))
    api.extract(b"week")
    assert script.seen[-1].headers["Idempotency-Key"] != first.headers["Idempotency-Key"]


def test_it_is_given_up_after_the_retries_that_were_asked_for(connect: Connect, script: ScriptedServer) -> None:
    script.script = [refusal(errors.Busy("the queue is full", mend="Come again"))] * 3
    with pytest.raises(errors.Busy, match=r"the queue is full\. Come again"):
        connect(script.url, retries=2).models()
    assert len(script.seen) == 3


def test_retry_after_is_honoured(connect: Connect, script: ScriptedServer) -> None:
    script.script = [refusal(errors.Busy("the queue is full", retry_after=1)), Told(body=job())]
    begun = time.monotonic()
    connect(script.url).get("j1")
    assert time.monotonic() - begun >= 1


def test_no_pause_is_begun_that_outlasts_the_call(connect: Connect, script: ScriptedServer) -> None:
    script.script = [refusal(errors.Busy("the queue is full", retry_after=30))]
    begun = time.monotonic()
    with pytest.raises(errors.Busy) as caught:
        connect(script.url, timeout=5).get("j1")
    assert time.monotonic() - begun < 2
    assert caught.value.retry_after == 30


def test_a_service_that_does_not_answer_costs_the_timeout_and_no_more(connect: Connect, script: ScriptedServer) -> None:
    script.script = [Told(body=job(), pause=5)]
    begun = time.monotonic()
    with pytest.raises(errors.DeadlineExceeded, match=r"longer than 0\.3 s"):
        connect(script.url, timeout=0.3).get("j1")
    assert 0.3 <= time.monotonic() - begun < 2


@pytest.mark.usefixtures("script")
def test_nobody_there_is_said(connect: Connect) -> None:
    nobody = "http://127.0.0.1:1"
    assert connect(nobody).healthy() is False
    with pytest.raises(errors.Unavailable, match="pocai serve"):
        connect(nobody, retries=1).models()


@given(st.integers(0, 12), st.floats(0, 60))
def test_pauses_grow_spread_and_wait_for_as_long_as_they_are_told(failures_before: int, asked: float) -> None:
    patience = Patience(None, retries=13)
    for _ in range(failures_before):
        patience.pause_after(errors.Unavailable(""))
    longest = min(LONGEST, FIRST * 2**failures_before)
    assert max(longest / 2, asked) <= patience.pause_after(errors.Busy("", retry_after=asked)) <= max(longest, asked)


@pytest.mark.parametrize("text", ["40", " 40 ", "a date"])
def test_retry_after_is_a_number_or_a_date(text: str) -> None:
    if text == "a date":
        text = format_datetime(datetime.now(UTC) + timedelta(seconds=40))
    found = retry_after(Reply(429, httpx.Headers({"Retry-After": text})))
    assert found is not None
    assert 30 <= found <= 40


@pytest.mark.parametrize("text", ["", "soon", "-1"])
def test_retry_after_that_is_neither_is_none(text: str) -> None:
    assert retry_after(Reply(429, httpx.Headers({"Retry-After": text}))) is None


# --- what is not, and which error it becomes -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", CODES.values(), ids=lambda kind: kind.__name__)
def test_every_error_of_the_service_is_raised_again_as_what_it_was(kind: type[PocaiError]) -> None:
    answer = failures.answer(kind("the thing is wrong", mend="Turn it round"))
    error = error_of(Reply(answer.status_code, httpx.Headers(answer.headers), bytes(answer.body)))
    assert type(error) is kind
    assert (error.what, error.mend, error.code) == ("the thing is wrong", "Turn it round", kind.code)


@pytest.mark.parametrize(
    "error",
    [
        errors.WorkerLost("died"),
        errors.DeadlineExceeded("late"),
        errors.Conflict("no"),
        errors.UnreadableDocument("no"),
    ],
    ids=lambda error: error.code,
)
def test_what_would_fail_again_is_not_tried_again(connect: Connect, script: ScriptedServer, error: PocaiError) -> None:
    script.script = [refusal(error)]
    with pytest.raises(type(error)):
        connect(script.url).extract(b"week")
    assert len(script.seen) == 1


def test_an_error_that_is_newer_than_the_client_keeps_its_code(connect: Connect, script: ScriptedServer) -> None:
    body = json.dumps({"error": {"code": "on_holiday", "message": "Back on Monday", "details": {"id": "j1"}}})
    script.script = [Told(403, body, {"X-Request-ID": "r1"}), Told(418, body)]
    api = connect(script.url)
    with pytest.raises(errors.NotAllowed, match="Back on Monday") as caught:
        api.get("j1")
    assert (caught.value.code, caught.value.__notes__) == ("on_holiday", ["extraction j1", "request r1"])
    with pytest.raises(errors.ServiceError) as other:
        api.get("j1")
    assert type(other.value) is errors.ServiceError


def test_an_answer_of_something_else_is_an_error_without_its_text(connect: Connect, script: ScriptedServer) -> None:
    script.script = [Told(body="<p>Maths with Ms Wren</p>"), Told(body=json.dumps({"models": ["Ms Wren"]}))]
    for _ in range(2):
        with pytest.raises(errors.ServiceError, match="no ModelList") as caught:
            connect(script.url).models()
        assert "Wren" not in "".join(traceback.format_exception(caught.value))


def test_a_redirect_takes_no_credentials_elsewhere(connect: Connect, script: ScriptedServer) -> None:
    script.script = [Told(307, headers={"Location": f"{script.url}/elsewhere"})]
    with pytest.raises(errors.ServiceError, match="307"):
        connect(script.url, api_key=SECRET).get("j1")
    assert len(script.seen) == 1


# --- following -----------------------------------------------------------------------------------------------------


def test_events_go_on_over_broken_streams_and_say_nothing_twice(
    connect: Connect, script: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pocai.client.calls.OUTAGE", 0.0)  # so that three failures in a row would be too many
    half, rest = event("running", 0.6)[:40], event("running", 0.6)[40:]
    script.script = [
        Told(None),
        stream(b": ping\r\n\r\n", event("queued"), event("running", 0.3), half),
        refusal(errors.Unavailable("the service is stopping")),
        stream(event("running", 0.3), half, rest, event("queued", name="colour")),
        stream(event("succeeded", 1.0) + event("failed")),
    ]
    told = list(connect(script.url, retries=2).events("j1"))
    assert [(each.status, each.progress) for each in told] == [
        ("queued", 0.0),
        ("running", 0.3),
        ("running", 0.6),
        ("succeeded", 1.0),
    ]
    assert {(seen.path, seen.headers["Accept"]) for seen in script.seen} == {
        ("/v1/extractions/j1/events", "text/event-stream")
    }


def test_what_was_accepted_is_sought_for_longer_than_the_retries(connect: Connect, script: ScriptedServer) -> None:
    script.script = [*[Told(None)] * 5, stream(event("running"), event("succeeded")), Told(body=job())]
    assert connect(script.url, retries=1).wait("j1").status == "succeeded"


def test_a_service_that_stays_away_is_given_up(
    connect: Connect, script: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.script = [stream()] * 99
    with pytest.raises(errors.Unavailable, match=r"wait\('j1'\)"):
        list(connect(script.url, retries=0).events("j1"))
    assert len(script.seen) == 1
    monkeypatch.setattr("pocai.client.calls.OUTAGE", 0.1)
    with pytest.raises(errors.Unavailable, match=r"wait\('j1'\)"):
        list(connect(script.url, retries=1).events("j1"))
    assert 3 < len(script.seen) < 99


def test_what_the_service_keeps_for_later_is_waited_for(connect: Connect, script: ScriptedServer) -> None:
    script.script = [Told(202, job("queued")), stream(event("running"), event("succeeded")), Told(body=job())]
    assert connect(script.url).extract(b"week", include_text=True).result.verdict.decision == "reject"
    assert [seen.path for seen in script.seen] == [
        "/v1/extractions?include=text",
        "/v1/extractions/j1/events",
        "/v1/extractions/j1?include=text",
    ]


def test_a_job_that_failed_raises_its_failure_and_a_cancelled_one_a_conflict(
    connect: Connect, script: ScriptedServer
) -> None:
    failure = {"code": "encrypted_document", "message": "Locked. Unlock it", "details": {"mend": "Unlock it"}}
    script.script = [stream(event("failed")), Told(body=job("failed", error=failure))]
    with pytest.raises(errors.EncryptedDocument) as caught:
        connect(script.url).wait("j1")
    assert (caught.value.what, caught.value.mend) == ("Locked", "Unlock it")
    script.script = [stream(event("cancelled")), Told(body=job("cancelled"))]
    with pytest.raises(errors.Conflict, match="cancelled"):
        connect(script.url).wait("j1")


def test_waiting_ends_in_time_although_the_stream_lives(connect: Connect, script: ScriptedServer) -> None:
    script.script = [stream(event("queued"), *[b": ping\r\n\r\n"] * 100, pause=0.05)]
    begun = time.monotonic()
    with pytest.raises(errors.DeadlineExceeded, match=r"wait\('j1'\)"):
        connect(script.url).wait("j1", seconds=0.4)
    assert time.monotonic() - begun < 2


def test_an_error_of_on_progress_ends_the_call(connect: Connect, script: ScriptedServer) -> None:
    def stop(stage: str, share: float) -> None:
        raise KeyError(stage, share)

    script.script = [Told(202, job("queued")), stream(event("running", 0.5), event("succeeded"))]
    with pytest.raises(KeyError, match=r"0\.5"):
        connect(script.url).extract(b"week", on_progress=stop)


EVENTS = """: ping

event: progress
data: {a
data:b}

retry: 5

data: Müller\u2028x

event: without data

event: cut
data: off"""


@given(st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(0, len(EVENTS.encode()) * 2), max_size=8))
def test_events_are_the_same_however_the_stream_is_cut(newline: str, cuts: list[int]) -> None:
    data = EVENTS.replace("\n", newline).encode()
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    reader = EventReader()
    found = [each for start, end in itertools.pairwise(places) for each in reader.feed(data[start:end])]
    assert [(each.name, each.data) for each in found] == [("progress", "{a\nb}"), ("", "Müller\u2028x")]


# --- credentials and addresses -------------------------------------------------------------------------------------


def test_credentials_are_sent_and_shown_nowhere(
    connect: Connect, script: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    script.script = [refusal(errors.NotAuthenticated("no such key")), Told(None)]
    api = connect(script.url, api_key=SECRET, retries=0)
    told = [repr(api), repr(vars(getattr(api, "client", api))), repr(vars(vars(getattr(api, "client", api))["_http"]))]
    for kind in (errors.NotAuthenticated, errors.Unavailable):
        with pytest.raises(kind) as caught:
            api.get("j1")
        told += traceback.format_exception(caught.value)
    assert script.seen[0].headers["Authorization"] == f"Bearer {SECRET}"
    assert SECRET not in "".join([*told, caplog.text])


def test_a_token_can_be_a_function_that_is_asked_each_time(connect: Connect, script: ScriptedServer) -> None:
    script.script = [Told(502), Told(body=job())]
    tokens = iter(["one.a.b", "two.a.b"])
    connect(script.url, token=lambda: next(tokens)).get("j1")
    assert [seen.headers["Authorization"] for seen in script.seen] == ["Bearer one.a.b", "Bearer two.a.b"]


def test_no_proxy_of_the_environment_stands_before_this_machine(
    connect: Connect, script: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    script.script = [Told(body=job())]
    assert connect(script.url, retries=0).get("j1").id == "j1"


# --- documents -----------------------------------------------------------------------------------------------------


def test_a_document_may_come_from_anywhere(connect: Connect, script: ScriptedServer, tmp_path: Path) -> None:
    path = tmp_path / "week 3.png"
    path.write_bytes(b"content")
    with path.open("rb") as opened:
        sources: list[Any] = [path, str(path), opened, b"content", io.BytesIO(b"content")]
        script.script = [Told(202, job("queued"))] * len(sources)
        for source in sources:
            assert connect(script.url).submit(source).id == "j1"
    assert all(b"content" in seen.body for seen in script.seen)
    names = [re.findall(rb'filename="(.*?)"', seen.body)[0] for seen in script.seen]
    assert names == [b"week 3.png"] * 3 + [b"document"] * 2


def test_a_document_that_cannot_be_read_is_an_input_error_without_its_name(
    connect: Connect, script: ScriptedServer, tmp_path: Path
) -> None:
    with pytest.raises(errors.InputError, match="cannot be opened") as caught:
        connect(script.url).extract(tmp_path / "Ms Wren.png")
    assert "Wren" not in str(caught.value)
    with pytest.raises(errors.InputError, match='mode "rb"'):
        connect(script.url).extract(io.StringIO("text"))
    assert script.seen == []
