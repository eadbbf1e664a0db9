"""The API's description is complete and true: valid OpenAPI, real examples, commands that run, a fresh reference."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import jsonschema_rs
import pytest
import schemathesis
from calling import PATIENCE, Caller, week
from serving import Running

from pocai.server.app import create_app
from pocai.server.auth import Scope
from pocai.server.reference import html, markdown, reference
from pocai.settings import Limits, Settings

ROOT = Path(__file__).parents[2]
VARYING = {"seconds", "finishedAt"}  # of an example, from one run to the next


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The description of a service with the default settings, as JSON has it."""
    described = json.loads(json.dumps(create_app(Settings.model_construct()).openapi()))
    assert isinstance(described, dict)
    return described


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    """tools/api_docs.py as a module."""
    spec = importlib.util.spec_from_file_location("api_docs", ROOT / "tools/api_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def contents(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """All JSON that is asked or answered, with its place."""
    for place, operation in operations(document):
        for status, part in (("body", operation.get("requestBody", {})), *operation["responses"].items()):
            if "application/json" in part.get("content", {}):
                yield f"{place} {status}", part["content"]["application/json"]


def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(document).validate()
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert names <= set(document["components"]["schemas"])


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(ids)) == len(ids) > 20
    assert all(re.fullmatch(r"[a-z]+(?:[A-Z][a-z]+)*", name) for name in ids)
    tags = {tag["name"] for tag in document["tags"]}
    for place, operation in operations(document):
        assert set(operation["tags"]) <= tags, place
        assert operation["summary"], place
        assert operation["description"], place
        assert all(answer["description"] for answer in operation["responses"].values()), place
        assert {name for name in operation["responses"] if name < "300"}, place


def test_every_json_has_an_example_that_fits_its_schema(document: dict[str, Any]) -> None:
    for place, content in contents(document):
        validator = jsonschema_rs.validator_for(content["schema"] | {"components": document["components"]})
        assert [error.message for error in validator.iter_errors(content["example"])] == [], place


def test_every_error_has_a_body_of_the_one_shape(document: dict[str, Any]) -> None:
    for place, operation in operations(document):
        if operation["tags"] == ["host"] or place == "GET /health/ready":
            continue
        for status, answer in operation["responses"].items():
            if status >= "400":
                content = answer["content"]["application/json"]
                assert content["schema"] == {"$ref": "#/components/schemas/ErrorAnswer"}, (place, status)
                assert content["example"]["error"]["message"], (place, status)
        assert "Retry-After" in operation["responses"].get("429", {"headers": "Retry-After"})["headers"]


def test_whoever_needs_credentials_is_told_so(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert {(scheme["type"], scheme.get("scheme")) for scheme in schemes.values()} == {
        ("http", "bearer"),
        ("http", "basic"),
        ("apiKey", None),
    }
    open_to_all = {place for place, operation in operations(document) if not operation.get("security")}
    assert open_to_all == {"GET /", "GET /health", "GET /health/live", "GET /health/ready"}
    for place, operation in operations(document):
        if place not in open_to_all:
            assert {name for way in operation["security"] for name in way} == set(schemes), place
            assert {"401", "403", "429"} <= set(operation["responses"]), place
    scopes = {scope for _, operation in operations(document) for way in operation.get("security", ()) for scope in way}
    assert scopes <= set(schemes)


def test_every_scope_is_explained(document: dict[str, Any]) -> None:
    assert all(f"- `{scope.value}`: " in document["info"]["description"] for scope in Scope)


def test_a_document_is_handed_in_in_two_ways(document: dict[str, Any]) -> None:
    for path in ("/v1/extractions", "/v1/ocr", "/infer/document", "/infer/ocr", "/upload/document", "/upload/ocr"):
        operation = document["paths"][path]["post"]
        form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
        assert form["properties"]["file"]["format"] == "binary"
        assert form["required"] == ["file"]
        assert operation["requestBody"]["content"]["application/json"]["schema"]["required"] == ["path"]
        assert operation.get("deprecated", False) is not path.startswith("/v1")


def test_what_is_no_json_is_described_too(document: dict[str, Any]) -> None:
    answers = {
        place: set(operation["responses"][status]["content"])
        for place, operation in operations(document)
        for status in ("200",)
        if status in operation["responses"]
    }
    place = "GET /v1/extractions/{extraction_id}"
    assert answers[f"{place}.csv"] == {"text/csv"}
    assert answers[f"{place}.ics"] == {"text/calendar"}
    assert answers[f"{place}/overlay.png"] == {"image/png"}
    assert answers[f"{place}/events"] == {"text/event-stream"}
    (workbook,) = answers[f"{place}.xlsx"]
    assert answers[place] == {"application/json", "text/csv", "text/calendar", workbook}


def test_limits_of_the_settings_are_told() -> None:
    settings = Settings.model_construct(limits=Limits(max_bytes=7 * 2**20))
    assert "at most 7 MiB" in create_app(settings).openapi()["info"]["description"]


# --- examples and commands ---------------------------------------------------------------------------------------


def alike(one: Any, other: Any) -> bool:
    """Whether two examples are the same but for what a model computes a little differently on another machine."""
    if isinstance(one, dict) and isinstance(other, dict):
        return set(one) == set(other) and all(name in VARYING or alike(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) or (type(one) is int and one > 50):  # pixels: processors round networks differently
        return bool(one == pytest.approx(other, abs=20.0 if one > 1 else 0.1))
    if isinstance(one, str) and "%" in one:
        return re.sub(r"[\d.]+%", "", one) == re.sub(r"[\d.]+%", "", other)
    return type(one) is type(other) and one == other


def test_examples_are_the_real_answers_to_the_bundled_document(tool: ModuleType) -> None:
    kept = json.loads(tool.EXAMPLES.read_text(encoding="utf-8"))
    assert alike(kept, tool.examples()), "run python tools/api_docs.py --examples --write"
    assert not alike(kept, kept | {"ModelList": {"models": []}})


def commands() -> list[str]:
    described = create_app(Settings.model_construct()).openapi()
    found = [
        sample["source"] for _, operation in operations(described) for sample in operation.get("x-codeSamples", ())
    ]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("command", commands())
def test_every_command_of_the_reference_runs(service: Running, tmp_path: Path, command: str) -> None:
    file, uploads = tmp_path / "week.png", service.settings.server.host_application.roots[0]
    file.write_bytes(week(command))
    (uploads / "week.png").write_bytes(week(command))
    if "$ID" in command:
        command = command.replace("$ID", Caller(service, {}).send(week("for a command")).json()["id"])
    command = command.replace("http://127.0.0.1:8000", service.url).replace("/data/uploads", str(uploads))
    answer = run(shlex.split(command), tmp_path)
    assert answer.status_code in {200, 202, 204}, answer.text


def run(words: list[str], folder: Path) -> httpx.Response:
    """What the few options of curl that the reference uses do."""
    assert words.pop(0) == "curl"
    request: dict[str, Any] = {"method": "GET", "headers": {}, "data": {}, "files": {}}
    while words:
        word = words.pop(0)
        match word:
            case "-X":
                request["method"] = words.pop(0)
            case "-H":
                name, _, value = words.pop(0).partition(": ")
                request["headers"][name] = value
            case "-d":
                request |= {"method": "POST", "content": words.pop(0), "data": None}
            case "-F":
                name, _, value = words.pop(0).partition("=")
                request["method"] = "POST"
                if value.startswith("@"):
                    request["files"][name] = (value[1:], (folder / value[1:]).read_bytes())
                else:
                    request["data"][name] = value
            case "-o":
                words.pop(0)
            case "-O" | "-N":
                pass
            case _:
                request["url"] = word
    return httpx.request(**request, timeout=PATIENCE)


# --- where it is shown -------------------------------------------------------------------------------------------


def test_the_service_shows_it_and_fetches_nothing(service: Running) -> None:
    described = httpx.get(f"{service.url}/openapi.json", timeout=PATIENCE).json()
    page = httpx.get(f"{service.url}/docs", timeout=PATIENCE)
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.text == html(reference(described))
    assert all(place in page.text for place, _ in operations(described))
    assert not re.search(r"<(?:script|link|img|iframe|a)\b|@import|url\(", page.text)
    (style,) = re.findall(r"<style>(.*?)</style>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert [httpx.get(f"{service.url}{path}", timeout=PATIENCE).status_code for path in ("/redoc",)] == [404]


def test_the_page_shows_text_as_text() -> None:
    described = {
        "info": {"title": "<b>", "description": "a `<i>` & b\n\n- one\n- two"},
        "tags": [],
        "paths": {},
        "components": {"schemas": {"A": {"properties": {"b": {"enum": ["x|y"]}}, "description": "<u>"}}},
    }
    blocks = reference(described)
    assert not re.search(r"<[biu]>", html(blocks))
    assert "<code>&lt;i&gt;</code> &amp; b" in html(blocks)
    assert "<ul><li>one</li><li>two</li></ul>" in html(blocks)
    assert '`"x\\|y"`' in markdown(blocks)


def test_the_reference_in_the_documents_is_fresh(tool: ModuleType) -> None:
    assert tool.DOCUMENT.read_text(encoding="utf-8") == tool.api(), "run python tools/api_docs.py --write"
