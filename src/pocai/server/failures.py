"""From errors to answers: one table of HTTP statuses, and the one body that every error below ``/v1`` has."""

from __future__ import annotations

import math
from typing import Any

from fastapi import FastAPI
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path

from pocai import errors
from pocai.inference.answers import ErrorAnswer, Failure

STATUS: tuple[tuple[type[errors.PocaiError], int], ...] = (  # the first that fits counts
    (errors.LimitExceeded, 413),
    (errors.UnsupportedFormat, 415),
    (errors.InputError, 422),
    (errors.NoTimetable, 422),
    (errors.UnknownModel, 404),
    (errors.GateRefused, 409),
    (errors.RegistryError, 503),
    (errors.FeatureStoreError, 503),
    (errors.NotAuthenticated, 401),
    (errors.NotAllowed, 403),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.BadRequest, 400),
    (errors.Busy, 429),
    (errors.Unavailable, 503),
    (errors.DeadlineExceeded, 504),
    (errors.PocaiError, 500),
)


STORE_AWAY = 5  # seconds after which a feature store that failed may be asked again


def status_of(error: errors.PocaiError) -> int:
    """The HTTP status of an error."""
    return next(status for kind, status in STATUS if isinstance(error, kind))


def body_of(error: errors.PocaiError, **details: Any) -> dict[str, Any]:
    """``{"error": {"code", "message", "details"}}``; the mend stands in the message and, alone, in the details."""
    if error.mend:
        details["mend"] = error.mend
    return ErrorAnswer(error=Failure(code=error.code, message=str(error), details=details)).model_dump(mode="json")


def answer(error: errors.PocaiError, **details: Any) -> JSONResponse:
    """The error as an answer, with ``Retry-After`` and ``WWW-Authenticate`` where they belong."""
    return JSONResponse(body_of(error, **details), status_of(error), headers_of(error))


def headers_of(error: errors.PocaiError) -> dict[str, str]:
    """Headers that belong to an error (RFC 9110, 10.2.3 and 11.6.1)."""
    if isinstance(error, errors.NotAuthenticated):
        return {"WWW-Authenticate": 'Bearer realm="pocai", Basic realm="pocai"'}
    after = STORE_AWAY if isinstance(error, errors.FeatureStoreError) else getattr(error, "retry_after", None)
    return {} if after is None else {"Retry-After": str(max(1, math.ceil(after)))}


HOST_PATHS = ("/preprocess/", "/ocr/", "/ai/")
OUR_PATHS = ("/v1", "/infer/", "/upload/")


def install_handlers(app: FastAPI) -> None:
    """Answer every error in the one shape; the host's endpoints keep FastAPI's ``detail``."""

    @app.exception_handler(errors.PocaiError)
    async def _known(request: Request, error: errors.PocaiError) -> Response:
        return _shaped(request, error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        if _of_host(request):
            return await request_validation_exception_handler(request, error)
        found = [{"loc": list(one["loc"]), "msg": one["msg"], "type": one["type"]} for one in error.errors()]
        place = ".".join(str(part) for part in found[0]["loc"]) if found else "request"
        told = errors.BadRequest(f"{place}: {found[0]['msg'] if found else 'invalid'}", mend="See /docs")
        return JSONResponse(body_of(told, problems=found), 422)

    @app.exception_handler(HTTPException)
    async def _routing(request: Request, error: HTTPException) -> Response:
        if error.status_code == _WRONG_METHOD:
            error.headers = {**(error.headers or {}), "Allow": allowed(request)}
        if not request.url.path.startswith(OUR_PATHS):
            return await http_exception_handler(request, error)
        told = ErrorAnswer(error=Failure(code=_CODES.get(error.status_code, "bad_request"), message=str(error.detail)))
        return JSONResponse(told.model_dump(mode="json"), error.status_code, error.headers)


_WRONG_METHOD = 405
_CODES = {404: "not_found", _WRONG_METHOD: "method_not_allowed", 406: "not_acceptable"}


def allowed(request: Request) -> str:
    """All methods of a path, for ``Allow`` (RFC 9110, 15.5.6); the router names only those of the first route."""
    paths: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    found = next((path for path in paths if compile_path(path)[0].match(request.url.path)), None)
    return "GET" if found is None else ", ".join(sorted(method.upper() for method in paths[found]))


def _of_host(request: Request) -> bool:
    return request.url.path.startswith(HOST_PATHS)


def _shaped(request: Request, error: errors.PocaiError) -> Response:
    if _of_host(request):
        return JSONResponse({"detail": str(error)}, status_of(error), headers_of(error))
    return answer(error)
