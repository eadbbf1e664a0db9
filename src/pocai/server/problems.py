"""The errors that an operation may answer with, as OpenAPI responses: status, when it happens, an example."""

from __future__ import annotations

from typing import Any

from pocai import errors
from pocai.errors import PocaiError
from pocai.server.failures import body_of, headers_of

SCHEMA = {"$ref": "#/components/schemas/ErrorAnswer"}
EXAMPLES: dict[int, tuple[str, PocaiError]] = {
    400: (
        "The request cannot be understood.",
        errors.BadRequest("the form cannot be read (Missing boundary in multipart.)", mend="See /docs"),
    ),
    401: (
        "No credentials, or ones that are not valid.",
        errors.NotAuthenticated("this needs credentials", mend="Send an API key or a token: Authorization: Bearer …"),
    ),
    403: (
        "The credentials lack a scope, or a path lies outside the folders that may be read.",
        errors.NotAllowed("this needs the scope 'extract'", mend="Use a key that was made with it"),
    ),
    404: (
        "There is nothing of that name for this caller: it never was, is gone, or belongs to another tenant.",
        errors.NotFound("there is no such extraction", mend="It is kept for 24 hours after its end"),
    ),
    406: ("No form that `Accept` allows.", errors.BadRequest("Accept must allow one of application/json, text/csv")),
    408: ("The body came too slowly.", errors.DeadlineExceeded("the body came too slowly", mend="Send it again")),
    409: (
        "It is in a state that does not allow this: not finished yet, or cancelled.",
        errors.Conflict("the job is running", mend="Come again in a moment", retry_after=2),
    ),
    413: (
        "The document is larger than is allowed.",
        errors.LimitExceeded("the document has 73400320 bytes, more than 52428800", mend="Send a smaller file"),
    ),
    415: (
        "A kind of document, or of request body, that is not read.",
        errors.UnsupportedFormat("this is a Word 97 file (.doc)", mend="Save it as .docx or PDF"),
    ),
    422: (
        "A field is missing or wrong (`details.problems` names the places), or the document cannot be read.",
        errors.UnreadableDocument("the picture cannot be decoded", mend="Is the file complete?"),
    ),
    429: (
        "Too many requests of this caller, or the queue is full.",
        errors.Busy("8 documents wait already", mend="Come again in a moment", retry_after=2),
    ),
    500: (
        "A fault in pocai.",
        errors.WorkerLost("the process that read the document died 3 times", mend="Please report it"),
    ),
    503: (
        "The service is stopping, or something that it needs is down.",
        errors.Unavailable("the service is stopping", mend="Come again in a moment", retry_after=2),
    ),
    504: (
        "The work did not end before its deadline.",
        errors.DeadlineExceeded("the document waited past its deadline", mend="Allow more time"),
    ),
}
SERVICE = "http://127.0.0.1:8000"  # where examples say that it runs
HEADERS = {
    "Retry-After": {"description": "Seconds after which to come again.", "schema": {"type": "integer", "minimum": 1}},
    "WWW-Authenticate": {"description": "How to authenticate (RFC 9110, 11.6.1).", "schema": {"type": "string"}},
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses for these statuses, as FastAPI's ``responses`` takes them."""
    return {status: _response(status) for status in statuses}


def _response(status: int) -> dict[str, Any]:
    description, error = EXAMPLES[status]
    headers = {name: HEADERS[name] for name in headers_of(error)}
    return {
        "description": description,
        "content": {"application/json": {"schema": SCHEMA, "example": body_of(error)}},
        **({"headers": headers} if headers else {}),
    }


def sample(*commands: str) -> dict[str, Any]:
    """Commands for readers, as the vendor extension ``x-codeSamples`` that several tools know."""
    return {"x-codeSamples": [{"lang": "Shell", "label": "curl", "source": f"curl {command}"} for command in commands]}
