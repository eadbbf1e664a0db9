"""The OpenAPI description (3.1) made complete, and the page that shows it: nothing of it is fetched from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import HTMLResponse

from pocai.inference.answers import ErrorAnswer
from pocai.server.keys import Scope
from pocai.server.problems import EXAMPLES, problems
from pocai.server.reference import STYLE, html, reference
from pocai.settings import Settings

REFERENCE = "/docs"
JSON = "application/json"
SCHEMAS = "#/components/schemas/"
SCOPES = {
    Scope.EXTRACT: "hand in documents, and see and erase the tenant's own",
    Scope.REVIEW: "correct what was read",
    Scope.FEATURES: "see, correct and erase what is remembered of the tenant's schools",
    Scope.MODELS_READ: "see which models there are",
    Scope.MODELS_DEPLOY: "change which models read",
    Scope.ADMIN: "everything, and the measurements at /metrics",
}
TAGS = {  # title and meaning
    "extractions": (
        "Extractions",
        "A document goes in, its timetables come out: at once, or as a job that can be followed.",
    ),
    "ocr": ("Text only", "What is written in a document, without making sense of it."),
    "features": ("Schools", "What is remembered of a school, and helps to read its next timetable."),
    "models": ("Models", "Which models can be asked for by name."),
    "host": (
        "For the host application",
        'What the host application calls in place of its own middleware, by path and with errors as `{"detail": …}`.',
    ),
    "aliases": ("Old names", "The paths of the original API reference; new programs take those below `/v1`."),
    "operations": ("Running the service", "For those who run it."),
}
HOST_TEXTS = {  # where the host's own sentences differ from ours
    "400": "AI extraction failed: no timetable was found. Is it the right page?",
    "404": "Image not found: uploads/3f2b/9c1e.png",
    "500": "OCR processing failed: the picture cannot be decoded. Is the file complete?",
}
HOST_TYPES = {"404": {"error_type": "FileNotFoundError"}, "403": {"error_type": "PermissionError"}}


def describe(app: FastAPI, settings: Settings) -> None:
    """Complete the application's ``/openapi.json``, and show it at ``/docs`` as one page without scripts."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    summary=app.summary,
                    description=_introduction(settings),
                    routes=app.routes,
                    tags=[
                        {"name": name, "x-displayName": title, "description": told}
                        for name, (title, told) in TAGS.items()
                    ],
                    servers=[{"url": "/", "description": "where this page comes from"}],
                    license_info={"name": "MIT", "identifier": "MIT"},
                )
            )
        return app.openapi_schema

    async def page(_request: Request) -> HTMLResponse:
        return HTMLResponse(html(reference(document())), headers={"Content-Security-Policy": _policy()})

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way to extend it
    app.add_route(REFERENCE, page, include_in_schema=False)


def _policy() -> str:
    """The page may show itself in its own style, and nothing else (CSP 3)."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; base-uri 'none'"


def _introduction(settings: Settings) -> str:
    server = settings.server
    scopes = "\n".join(f"- `{scope.value}`: {told}" for scope, told in SCOPES.items())
    return f"""\
Answers are JSON in camelCase; fields may be added, so ignore those that you do not know. Boxes are left, top, right,
bottom in units of the uploaded page: pixels of a picture, points of a PDF or an Office file. Every answer carries an
`X-Request-ID`, which the service's log has too; send your own to find a request again.

A document has at most {settings.limits.max_bytes // 2**20} MiB. A request waits at most {server.request_seconds:g}
seconds for its result. A finished job, with its document, is kept for {server.retention_hours:g} hours.

Every error has one body: `{{"error": {{"code", "message", "details"}}}}`. The `code` is stable and for programs, the
`message` is for people, `details.mend` says what to do, and `details.problems` where a request is wrong. Only what the
host application calls keeps `{{"detail": …}}`.

Credentials are an API key, made by `pocai keys create`, or a JSON web token: as `Authorization: Bearer …`, as the
password of `Authorization: Basic …`, or a key as `X-API-Key`. A service that listens on loopback only needs none,
unless it was told to. What a key may do:

{scopes}

A document, its job and its result belong to the tenant of the key; for every other tenant they do not exist.
"""


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add what FastAPI does not know: the body of errors, refusals of the caller, and an example of every JSON."""
    schemas = document["components"]["schemas"]
    told = ErrorAnswer.model_json_schema(ref_template=f"{SCHEMAS}{{model}}", mode="serialization")
    schemas.update({**told.pop("$defs"), "ErrorAnswer": told})
    made = examples()
    for operation in operations(document):
        if "security" in operation:
            operation["responses"] = {**_for_callers(), **operation["responses"]}
        for answer in operation["responses"].values():
            for content in answer.get("content", {}).values():
                content.pop("itemSchema", None)  # FastAPI's, of a stream: a word of OpenAPI 3.2
        for status, content in _contents(operation):
            name = content.get("schema", {}).get("$ref", "").removeprefix(SCHEMAS)
            example = _host_error(name, status) or made.get(f"{name}:{status}", made.get(name))
            if example is not None:
                content.setdefault("example", example)
    return document


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every operation of a description."""
    for path in document["paths"].values():
        yield from path.values()


def _contents(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """All JSON of an operation, with the status that it is answered with; that of the request comes first."""
    for status, place in (("", operation.get("requestBody", {})), *operation["responses"].items()):
        if JSON in place.get("content", {}):
            yield status, place["content"][JSON]


def _for_callers() -> dict[str, Any]:
    """What may be answered to whoever needs credentials."""
    return {str(status): told for status, told in problems(401, 403, 429).items()}


def _host_error(name: str, status: str) -> dict[str, Any] | None:
    """An example of an error in the host's shape; None for anything else."""
    if name not in {"HostError", "AiError"}:
        return None
    text = HOST_TEXTS.get(status) or str(EXAMPLES[int(status)][1])
    if name == "HostError":
        return {"detail": text}
    failure = {
        "error": text,
        "provider": "claude",
        "model": None,
        "error_type": type(EXAMPLES[int(status)][1]).__name__,
    }
    return {"detail": failure | HOST_TYPES.get(status, {})}


def examples() -> dict[str, Any]:
    """Examples by name of the schema, or of schema and status (``ExtractionJob:202``); tools/api_docs.py makes them."""
    text = (files("pocai") / "assets/api/examples.json").read_text(encoding="utf-8")
    made: dict[str, Any] = json.loads(text)
    return made
