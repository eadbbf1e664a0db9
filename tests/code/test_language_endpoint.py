"""A language model behind an endpoint: a real server on loopback that answers well and badly."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from scripted_server import ScriptedServer, Told, scripted_server
from small_pages import SmallExamples, document_of, page_of

from pocai.errors import ConfigurationError, ModelError
from pocai.inference.document_service import DocumentService
from pocai.models.language import language_model
from pocai.models.language_answer import schema
from pocai.models.language_endpoint import EndpointWriter
from pocai.models.language_exchange import Endpoint
from pocai.settings import SchoolHours

HOURS = SchoolHours()
NAMES = SmallExamples(1, 3).names(0)
DOCUMENT = document_of(page_of(NAMES))


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


def right() -> str:
    example = SmallExamples(1, 3).example(0)
    assert example is not None
    return example.answer.to_json()


def completion(text: str, **choice: Any) -> str:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}, **choice}]})


def endpoint(server: ScriptedServer, **values: Any) -> Endpoint:
    return Endpoint(**{"url": f"{server.url}/v1", "model": "tiny", "seconds": 5.0, **values})


def test_an_endpoint_is_asked_for_an_answer_of_the_schema(server: ScriptedServer) -> None:
    server.script = [Told(200, completion(right(), finish_reason="stop"))]
    model = language_model(endpoint(server, url=f"{server.url}/v1/", key=SecretStr("sk-abc")), HOURS)
    (found,) = model.assemble(DOCUMENT)
    assert sorted(block.name for block in found.timeblocks) == sorted(NAMES)
    (seen,) = server.seen
    body = json.loads(seen.body)
    assert (seen.method, seen.path, seen.headers["Authorization"]) == ("POST", "/v1/chat/completions", "Bearer sk-abc")
    assert (body["model"], body["temperature"]) == ("tiny", 0)
    assert body["response_format"]["json_schema"] == {"name": "timetables", "strict": True, "schema": schema()}
    assert "9.00 – 9.45" in body["messages"][0]["content"]


def test_what_the_endpoint_invents_is_left_out_with_the_reason(server: ScriptedServer) -> None:
    answer = json.loads(right())
    answer["timetables"][0]["events"][0]["name"]["is"] = "Quidditch"
    answer["timetables"][0]["events"][1]["start"] = {"at": [4], "is": "07:00"}
    server.script = [Told(200, completion(json.dumps(answer)))]
    read = language_model(endpoint(server), HOURS).read(DOCUMENT)
    assert sorted(each.field for each in read.unsupported) == ["name", "startTime"]
    assert len(read.timetables[0].timeblocks) == 3
    assert sum(block.start_time is None for block in read.timetables[0].timeblocks) == 1


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (Told(500, "secret words"), "status 500"),
        (Told(401, "{}"), "status 401"),
        (Told(307, "", {"Location": "http://127.0.0.1:9/v1"}), "status 307"),
        (Told(200, "secret words"), "answered no JSON"),
        (Told(200, "[" * 100_000), "answered no JSON"),
        (Told(200, '{"choices": []}'), "no chat completion"),
        (Told(200, '{"choices": [7]}'), "no chat completion"),
        (Told(200, completion("")), "answered nothing"),
        (Told(200, json.dumps({"choices": [{"message": {"content": None, "refusal": "no"}}]})), "answered nothing"),
        (Told(200, completion("{", finish_reason="length")), "within 8000 tokens"),
        (Told(200, completion("secret words")), "answered no JSON"),
        (Told(200, completion('{"timetables": {}}')), "another shape"),
        (Told(200, "x" * 5000), "more than 4000 bytes"),
        (Told(None), "cannot be spoken to"),
        (Told(200, chunks=(gzip.compress(b"{}"),), headers={"Content-Encoding": "gzip"}), "answered no JSON"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_answer_is_an_error_without_its_text(server: ScriptedServer, told: Told, message: str) -> None:
    server.script = [told]
    model = language_model(endpoint(server, most_bytes=4000 if "4000" in message else 10**6), HOURS)
    with pytest.raises(ModelError, match=message) as caught:
        model.assemble(DOCUMENT)
    assert "secret" not in str(caught.value)
    assert len(server.seen) == 1


@pytest.mark.parametrize("told", [Told(200, completion(""), pause=3.0), Told(200, chunks=(b" ",) * 20, pause=0.1)])
def test_an_endpoint_that_takes_too_long_is_left(server: ScriptedServer, told: Told) -> None:
    """As a whole, though no single pause is that long."""
    server.script = [told]
    with pytest.raises(ModelError, match=r"within 0\.5 seconds"):
        language_model(endpoint(server, seconds=0.5), HOURS).assemble(DOCUMENT)


def test_an_endpoint_that_is_not_there_cannot_be_spoken_to() -> None:
    with scripted_server() as gone:
        pass
    with pytest.raises(ModelError, match="ConnectError"):
        language_model(endpoint(gone), HOURS).assemble(DOCUMENT)


def test_the_rules_read_what_the_endpoint_cannot(server: ScriptedServer) -> None:
    server.script = [Told(503, "")]
    assembly = DocumentService(language_model(endpoint(server), HOURS), HOURS).extract(DOCUMENT)
    assert (assembly.model, assembly.fallback_reason) == ("rules", "language failed: model_error")
    assert assembly.timetables


@pytest.mark.parametrize(
    ("values", "egress", "message"),
    [
        ({"url": "https://models.example.org/v1"}, False, "models.example.org is not this machine"),
        ({"url": "http://192.168.1.9:8000/v1"}, False, "not this machine"),
        ({"url": "http://127.0.0.1.example.org/v1"}, False, "not this machine"),
        ({"url": "http://models.localhost/v1"}, False, "not this machine"),
        ({"url": "http://models.example.org/v1", "key": SecretStr("sk-abc")}, True, "travel in clear"),
        ({"url": "http://user:sk-abc@127.0.0.1/v1"}, True, "holds credentials"),
        ({"url": "ftp://127.0.0.1/v1"}, True, "no address"),
        ({"url": "127.0.0.1:8000"}, True, "no address"),
        ({"url": "http://127.0.0.1:99999/v1"}, True, "no address"),
        ({"url": "http://127.0.0.1/v1?key=sk-abc"}, True, "no address"),
        ({"url": "http://127.0.0.1/v1", "key": SecretStr("sk-abc\nX: y")}, True, "characters that no key has"),
    ],
)
def test_an_endpoint_that_may_not_be_used_is_refused(values: dict[str, Any], egress: bool, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        EndpointWriter(Endpoint(model="tiny", **values), egress=egress)


@pytest.mark.parametrize("url", ["http://localhost:11434/v1", "http://[::1]:8000", "http://127.0.0.1:8000/v1"])
def test_this_machine_may_always_be_used(url: str) -> None:
    EndpointWriter(Endpoint(url, "tiny", SecretStr("sk-abc")))


def test_egress_allows_other_machines() -> None:
    EndpointWriter(Endpoint("https://models.example.org/v1", "tiny", SecretStr("sk-abc")), egress=True)


def test_the_environment_has_no_say(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    server.script = [Told(200, completion(right()))]
    assert language_model(endpoint(server), HOURS).assemble(DOCUMENT)


def test_the_key_is_never_shown(server: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    used = endpoint(server, key=SecretStr("sk-very-secret"))
    server.script = [Told(401, "")]
    with pytest.raises(ModelError) as caught:
        language_model(used, HOURS).assemble(DOCUMENT)
    assert "sk-very-secret" not in repr(used) + str(caught.value) + caplog.text
