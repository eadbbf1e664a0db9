"""The paths of the original API reference, answered by the handlers of ``/v1``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter

from pocai.server.problems import problems
from pocai.server.routes import extractions, ocr

router = APIRouter(tags=["aliases"], deprecated=True, responses=problems(401, 403, 422, 429, 500, 503))

ALIASES: tuple[tuple[str, str, str, Callable[..., Any], dict[str, Any]], ...] = (
    ("/infer/document", "inferDocument", "POST /v1/extractions with a path", extractions.create, extractions.CREATE),
    ("/upload/document", "uploadDocument", "POST /v1/extractions with a file", extractions.create, extractions.CREATE),
    ("/infer/ocr", "inferOcr", "POST /v1/ocr with a path", ocr.read, ocr.READ),
    ("/upload/ocr", "uploadOcr", "POST /v1/ocr with a file", ocr.read, ocr.READ),
)

for path, name, meaning, handler, described in ALIASES:
    router.add_api_route(
        path,
        handler,
        methods=["POST"],
        operation_id=name,
        summary=f"Another name for {meaning}",
        description="Takes and answers the same.",
        **described,
    )
