"""A document as it is handed in: as a file in a form (RFC 7578), or as JSON with the path of a file of the host."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Any, TypeVar

from fastapi import Depends
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from pocai.errors import BadRequest, NotAllowed, UnknownModel, UnsupportedFormat
from pocai.models import catalog
from pocai.server.auth import access_on
from pocai.server.call import Call, CallDep
from pocai.server.paths import Paths

MULTIPART, JSON = "multipart/form-data", "application/json"
LONGEST_NAME = 255  # characters of a file's name that are kept
LONGEST_FIELD = 4096  # bytes of a form field that is no file
MOST_FIELDS = 8


W = TypeVar("W", bound="Wishes")


class Wishes(BaseModel):
    """How the document is to be read; both may be left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: str | None = Field(
        None, min_length=1, max_length=64, description="OCR engine, one that `GET /v1/models` lists as installed"
    )
    deadline: float | None = Field(
        None, ge=1, allow_inf_nan=False, description="seconds after which the work is given up"
    )


class PathOrder(Wishes):
    """A document by its path on a volume that the service shares with the host application."""

    path: str = Field(min_length=1, max_length=4096, description="path of a file below the host's folders")


@dataclass(frozen=True, slots=True)
class Upload:
    """A document as it came in; ``name`` is the file's, without folders, and may be empty."""

    document: bytes
    name: str
    wishes: Wishes


async def _uploaded(request: Request, call: CallDep) -> Upload:
    """The document of a request. The caller is known before a byte of the body is read.

    Raises BadRequest or RequestValidationError for a body that cannot be understood, UnsupportedFormat for another type
    of body, UnknownModel for an engine that is not here, NotAllowed and NotFound for a path.
    """
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind not in {MULTIPART, JSON}:
        raise UnsupportedFormat(
            f"a body must be {MULTIPART} or {JSON}", mend='Send the document as the field "file" of a form'
        )
    try:
        upload = await (_from_form(request) if kind == MULTIPART else _from_path(request, call))
    except ClientDisconnect as error:  # nobody is there to read the answer; that it is an error keeps the log quiet
        raise BadRequest("the body ended too early", mend="Send it again") from error
    _check_engine(upload.wishes.engine)
    return upload


UploadDep = Annotated[Upload, Depends(_uploaded)]


async def _from_form(request: Request) -> Upload:
    try:
        async with request.form(max_files=1, max_fields=MOST_FIELDS, max_part_size=LONGEST_FIELD) as form:
            file, fields = _parts(form)
            wishes = _validated(Wishes, fields)
            return Upload(await file.read(), _name(file.filename or ""), wishes)
    except HTTPException as error:  # Starlette's word for a form that breaks RFC 7578 or has too many parts
        raise BadRequest(f"the form cannot be read ({error.detail})", mend="See /docs") from error


def _parts(form: FormData) -> tuple[UploadFile, dict[str, Any]]:
    """The file, and all other fields by name."""
    file = form.get("file")
    if not isinstance(file, UploadFile):
        kind, told = ("missing", "Field required") if file is None else ("file_type", "Field must be a file")
        raise RequestValidationError([{"loc": ("body", "file"), "msg": told, "type": kind}])
    return file, {name: value for name, value in form.multi_items() if value is not file}


async def _from_path(request: Request, call: Call) -> Upload:
    order = _validated(PathOrder, await request.body())
    application = call.service.settings.server.host_application
    if call.principal.tenant != application.tenant and access_on(call.service.settings):
        raise NotAllowed("only the host application may name files by path", mend="Upload the document as a form")
    document = await asyncio.to_thread(Paths(application, call.service.settings.limits).read, order.path)
    return Upload(document, _name(order.path), order)


def _validated(model: type[W], given: bytes | Mapping[str, Any]) -> W:
    """The fields as the model has them; raises RequestValidationError, which names the places and no value."""
    try:
        return model.model_validate_json(given) if isinstance(given, bytes) else model.model_validate(given)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in found]) from None


def body_schema() -> dict[str, Any]:
    """The request body for OpenAPI: both ways to hand in a document."""
    file = {"type": "string", "format": "binary", "description": "picture, PDF, Word or Excel file"}
    form, path = Wishes.model_json_schema(), PathOrder.model_json_schema()
    form["properties"] = {"file": file} | {name: _present(field) for name, field in form["properties"].items()}
    form["required"] = ["file"]
    return {
        "required": True,
        "content": {
            MULTIPART: {"schema": form, "encoding": {"file": {"contentType": "application/octet-stream"}}},
            JSON: {"schema": path, "example": {"path": "/data/uploads/week.png"}},
        },
    }


def _present(field: dict[str, Any]) -> dict[str, Any]:
    """A field that may be null, as one that may be left out: a form knows no null."""
    (kind,) = (each for each in field["anyOf"] if each != {"type": "null"})
    return {**kind, **{name: value for name, value in field.items() if name not in {"anyOf", "default"}}}


def _check_engine(name: str | None) -> None:
    """Raises UnknownModel now rather than when the document is read."""
    if name is not None and not any(model.name == name and model.installed for model in catalog.describe()):
        catalog.entry(name)
        raise UnknownModel(f"the OCR engine {name!r} is not installed here", mend="GET /v1/models says which are")


def _name(given: str) -> str:
    """The last part of a path of any system, shortened."""
    return PurePath(given.replace("\\", "/")).name[:LONGEST_NAME]
