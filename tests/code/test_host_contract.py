"""The host's endpoints answer as its original middleware did, except where we depart on purpose."""

from __future__ import annotations

import ast
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest
from host_application import API_KEY, converted
from host_contract import OK, faults
from made_pdf import make_pdf, text
from rendering import as_docx
from serving import Running, running_service, settings_for

from pocai.inference.answers import Status
from pocai.server.intake import Order, job_for
from pocai.server.jobs import Priority
from pocai.settings import QualityGate
from pocai.timetable.timetable import TimeBlock, Timetable

GOLDEN = Path(__file__).parents[1] / "golden/host_exchanges.json"
SHARED = Path(__file__).parents[3] / "shared/design/host_exchanges.json"  # the recordings themselves, where they are
DEMO = (files("pocai") / "assets/demo/demo.png").read_bytes()
WEEK = Timetable(
    timeblocks=(
        TimeBlock(day="Monday", name="Maths", start_time="09:00", end_time="10:00"),
        TimeBlock(day="Tuesday", name="Art", start_time="09:00", end_time="10:00"),
    )
)
PDF = make_pdf(text(20, 100, "Monday 9.00 - 10.00 Maths") + text(20, 80, "Tuesday 9.00 - 10.00 Art"))


@dataclass(frozen=True)
class Exchange:
    """A recorded call; ``body`` is what was sent, with ``{root}`` for the folder of the host's uploads."""

    name: str
    method: str
    path: str
    body: bytes
    status: int
    response: Any


@dataclass(frozen=True)
class Departure:
    """Where we answer otherwise than the original, for the recordings of these names."""

    names: frozenset[str]
    why: str


DEPARTURES = (  # all of them succeed where the original did not
    Departure(frozenset({"nokey", "openai nokey", "google nokey"}), "the local models need no key"),
    Departure(
        frozenset({"null provider", "unknown provider", "tesseract"}),
        "the local models answer whichever provider is named",
    ),
    Departure(
        frozenset({"noblocks", "badtime", "seconds", "emptytime", "yearrange", "nojson", "401", "429", "openai401"}),
        "nothing is asked of an upstream that could fail or answer wrongly",
    ),
    Departure(frozenset({"docx"}), "Word files are read"),
    Departure(frozenset({"ocr of pdf"}), "a PDF need not be enhanced to be read"),
)


def golden() -> list[Exchange]:
    """Our own recordings, distilled from the host's."""
    return [exchange_of(entry) for entry in json.loads(GOLDEN.read_text(encoding="utf-8"))["exchanges"]]


def shared() -> list[Exchange]:
    """The host's recordings, where they are."""
    if not SHARED.is_file():
        return []
    told = re.sub(r"/data/uploads|/srv/host|(?=/nonexistent)", "{root}", SHARED.read_text(encoding="utf-8"))
    recorded = json.loads(told)
    found = [*recorded["sample"], *recorded["errors"], *recorded["direct_calls"]]
    return [exchange_of(entry) for entry in found if entry.get("label") != "docs"]


def exchange_of(entry: dict[str, Any]) -> Exchange:
    name = str(entry.get("name") or entry.get("label") or entry["case"])
    name = name.removeprefix("fail_").removeprefix("stub-")
    request = entry.get("request")
    body = entry["body"].encode() if "body" in entry else b"" if request is None else json.dumps(request).encode()
    if isinstance(request, str):  # recorded as Python writes bytes
        body = ast.literal_eval(request)
    return Exchange(name, entry["method"], entry["path"], body, entry["status"], entry["response"])


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service with the host's own gate, as it was recorded."""
    settings = settings_for(tmp_path_factory.mktemp("contract"))
    with running_service(settings.model_copy(update={"quality_gate": QualityGate(mode="host")})) as running:
        yield running


def uploads(service: Running) -> Path:
    return service.settings.server.host_application.roots[0]


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """One client for all, because making one takes longer than most calls."""
    with httpx.Client(timeout=60) as client:
        yield client


Post = Callable[..., httpx.Response]


@pytest.fixture
def post(client: httpx.Client) -> Post:
    """Calls an endpoint of a service with a JSON body."""

    def call(service: Running, path: str, **body: Any) -> httpx.Response:
        return client.post(service.url + path, json=body)

    return call


@pytest.mark.parametrize("source", [golden, shared])
def test_every_recorded_call_is_answered_as_it_was(
    own: Running, client: httpx.Client, source: Callable[[], list[Exchange]]
) -> None:
    root = uploads(own)
    wrong = {}
    for exchange in source():
        body = exchange.body.replace(b"{root}", str(root).encode())
        put_in_place(body, exchange.name, root)
        headers = {"Content-Type": "application/json"} if exchange.method == "POST" else {}
        answer = client.request(exchange.method, own.url + exchange.path, content=body, headers=headers)
        expected = json.loads(json.dumps(exchange.response).replace("{root}", str(root)))
        found = list(differences(exchange, expected, answer))
        if found:
            wrong[f"{exchange.name} {exchange.path}"] = found
    assert wrong == {}


@cache
def stand_ins() -> dict[str, bytes]:
    return {".pdf": PDF, ".docx": as_docx(WEEK, days_across=True), ".webp": converted(DEMO)}


def put_in_place(body: bytes, name: str, root: Path) -> None:
    """Put a file that will do at every path of a request that was there when it was recorded."""
    for written in re.findall(rf"{re.escape(str(root))}[^\"]*", body.decode(errors="replace")):
        path = Path(written)
        if "nonexistent" in path.parts:
            continue
        (path.parent if path.suffix else path).mkdir(parents=True, exist_ok=True)
        if path.suffix:
            broken = "garbage" in (path.stem, name)
            path.write_bytes(b"no picture" if broken else stand_ins().get(path.suffix, DEMO))


def differences(exchange: Exchange, expected: Any, answer: httpx.Response) -> Iterator[str]:
    """What is not as it was recorded, or, for a departure, not as it must be in its place."""
    departs = any(exchange.name in departure.names for departure in DEPARTURES)
    status = OK if departs else exchange.status
    if answer.status_code != status:
        yield f"{answer.status_code}, not {status}: {answer.text[:200]}"
        return
    body = answer.json()
    yield from faults(exchange.path, status, body)
    if departs or (status == OK and "timeblocks" in expected and not expected["timeblocks"]):
        return  # the original took an empty week of one provider; the host refuses it anyway
    if status == OK:
        yield from unlike(expected, body)
        if exchange.path == "/ocr/quality-gate" and expected != body:
            yield f"the gate said {body}"
    elif isinstance(expected["detail"], list):
        kept = [{name: one[name] for name in ("type", "loc", "input")} for one in expected["detail"]]
        if kept != [{name: one[name] for name in ("type", "loc", "input")} for one in body["detail"]]:
            yield f"the problems are {body['detail']}"
    else:
        yield from unlike(expected["detail"], body["detail"], whole=True)
        yield from other_text(expected["detail"], body["detail"], status)


def unlike(expected: Any, found: Any, *, whole: bool = False, at: str = "") -> Iterator[str]:
    """Fields that are missing or of another type; with ``whole`` also those that were not there, but for a hint."""
    if isinstance(expected, dict) and isinstance(found, dict):
        names = {name for name in expected if not name.startswith("_")}
        if missing := names - set(found) - {"hint"}:
            yield f"{at}: {sorted(missing)} missing"
        if whole and (more := set(found) - names - {"hint"}):
            yield f"{at}: {sorted(more)} not recorded"
        for name in names & set(found):
            yield from unlike(expected[name], found[name], whole=whole, at=f"{at}/{name}")
    elif isinstance(expected, list) and isinstance(found, list):
        for number, item in enumerate(found):
            yield from unlike(expected[0], item, whole=whole, at=f"{at}/{number}") if expected else ()
    elif None not in (expected, found) and not isinstance(found, types_like(expected)):
        yield f"{at}: {type(found).__name__}, not {type(expected).__name__}"


def types_like(value: Any) -> tuple[type, ...]:
    return (int, float) if isinstance(value, float) else (type(value),)


def other_text(expected: Any, found: Any, status: int) -> Iterator[str]:
    """The text of an error where it is no reason of our own: a path, or a text that the framework gives."""
    told, ours = (detail["error"] if isinstance(detail, dict) else detail for detail in (expected, found))
    whole = status in {404, 405}
    if (ours != told) if whole else (told.startswith("Image preprocessing") and not ours.startswith(told)):
        yield f"it says {ours!r}, not {told!r}"


def test_every_departure_is_recorded() -> None:
    names = {exchange.name for exchange in [*golden(), *shared()]}
    assert all(departure.names & names for departure in DEPARTURES)
    assert all(departure.names <= names for departure in DEPARTURES if SHARED.is_file())


def test_the_gate_asks_for_a_timetable_always_unless_it_is_set(service: Running, post: Post) -> None:
    def gate(confidence: float) -> tuple[str, str]:
        answer = post(service, "/ocr/quality-gate", text="", confidence=confidence, words=[]).json()
        assert answer["confidence"] == confidence
        return answer["route"], answer["reason"]

    assert gate(0.605) == ("ai", "Medium confidence (60.50%) - AI processing required")
    assert gate(0.81) == ("ai", "High confidence (81.00%) - AI processing extracts the timetable")
    assert b'pocai_host_gate_routes_total{route="ai"}' in service.service.metrics.render()[0]


# --- paths -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/etc/nothing", "../../etc/passwd", "{root}/../x.png", "{root}/\0.png"]
)
def test_nothing_outside_the_roots_is_read_or_written(service: Running, post: Post, path: str) -> None:
    root = uploads(service)
    path = path.replace("{root}", str(root))
    (root / "a1.png").write_bytes(DEMO)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("/preprocess/enhance", {"image_path": path, "output_dir": str(root)}),
        ("/preprocess/enhance", {"image_path": str(root / "a1.png"), "output_dir": path}),
        ("/ocr/process", {"image_path": path}),
        ("/ai/extract", {"image_path": path}),
        ("/ai/extract-async", {"image_path": path}),
    ]
    for endpoint, body in calls:
        answer = post(service, endpoint, **body)
        assert answer.status_code == 403
        assert faults(endpoint, 403, answer.json()) == []
        assert "STORAGE_PATH" in answer.text
        assert "root:" not in answer.text
    assert post(service, "/ai/extract-async", image_path=path).json()["detail"]["error_type"] == "PermissionError"


# --- the user's secret -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"provider": "claude", "api_key": API_KEY},
        {"apiKey": API_KEY, "more": {"token": [API_KEY]}},
        {"image_path": "a.png", "api_key": [API_KEY]},
        {"image_path": "a.png", "api_key": {"value": API_KEY}},
        [API_KEY],
        API_KEY,
    ],
)
@pytest.mark.parametrize("path", ["/ai/extract", "/ai/extract-async", "/ocr/process"])
def test_a_refused_request_is_shown_without_its_secrets(
    service: Running, client: httpx.Client, path: str, body: Any
) -> None:
    answer = client.post(service.url + path, json=body)
    assert API_KEY not in answer.text
    if answer.status_code == 422:
        assert faults(path, 422, answer.json()) == []
        assert "***" in answer.text


HALF = b'{"image_path": "\\ud800", "provider": "\\udc80"}'  # half characters
HARDLY_JSON = (b"\xff", HALF, b'{"image_path": NaN}', b"[" * 100_000, b"9" * 5000)


@pytest.mark.parametrize("body", HARDLY_JSON)
@pytest.mark.parametrize("path", ["/ai/extract-async", "/ocr/process", "/preprocess/enhance", "/ocr/quality-gate"])
def test_a_body_that_is_hardly_json_is_refused_in_the_hosts_shape(
    service: Running, client: httpx.Client, path: str, body: bytes
) -> None:
    answer = client.post(service.url + path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    assert faults(path, answer.status_code, answer.json()) == []


# --- faults that pass ------------------------------------------------------------------------------------------------


CALLS = ("/ocr/process", "/ai/extract", "/ai/extract-async")


def upload(service: Running, content: bytes, name: str = "a1.png") -> str:
    path = uploads(service) / name
    path.write_bytes(content)
    return str(path)


def test_a_full_queue_and_a_stopping_service_are_told_in_the_hosts_shapes(tmp_path: Path, post: Post) -> None:
    settings = settings_for(tmp_path, queue={"host": 1}, grace_seconds=0)
    with running_service(settings) as service:
        others = [upload(service, DEMO + bytes([number]), f"{number}.png") for number in range(3)]
        order = Order("host", priority=Priority.HOST)
        for name in others[:2]:
            content = Path(name).read_bytes()
            job = job_for(content, order, settings)
            service.run(service.service.store.add(job, content, limit=9))
            while name == others[0] and service.run(service.service.store.get(job.id)).status is Status.QUEUED:
                time.sleep(0.01)
        for path in CALLS:
            full = post(service, path, image_path=others[2])
            assert (full.status_code, faults(path, 429, full.json())) == (429, [])
            assert int(full.headers["Retry-After"]) > 0
        service.run(service.service.runner.drain(0))
        for path in CALLS:
            stopping = post(service, path, image_path=others[2])
            assert (stopping.status_code, faults(path, 503, stopping.json())) == (503, [])


def test_a_reading_that_takes_too_long_is_told_in_the_hosts_shapes(tmp_path: Path, post: Post) -> None:
    with running_service(settings_for(tmp_path, request_seconds=0.1, grace_seconds=0.1)) as service:
        path = upload(service, DEMO)
        for endpoint in CALLS:
            answer = post(service, endpoint, image_path=path)
            assert (answer.status_code, faults(endpoint, 504, answer.json())) == (504, [])


def test_a_picture_without_a_timetable_is_an_error_that_says_so(service: Running, post: Post) -> None:
    path = upload(service, make_pdf(text(20, 100, "Dear parents, the hall is closed.")), "letter.pdf")
    plain, told = post(service, "/ai/extract", image_path=path), post(service, "/ai/extract-async", image_path=path)
    assert (plain.status_code, plain.json()["detail"]) == (
        400,
        "AI extraction failed: no timetable was found. Is it the right page?",
    )
    assert told.status_code == 500
    assert told.json()["detail"] == {
        "error": "AI extraction failed: no timetable was found. Is it the right page?",
        "provider": "claude",
        "model": None,
        "error_type": "NoTimetable",
        "hint": "Is it the right page?",
    }
    assert "Dear" not in plain.text + told.text
