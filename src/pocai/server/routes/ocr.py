"""``/v1/ocr``: what is written in a document, without making sense of it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from pocai.errors import Unavailable
from pocai.inference.answers import ReadResult
from pocai.server.call import Call, CallDep
from pocai.server.failures import answer
from pocai.server.jobs import Job, Kind, Priority
from pocai.server.problems import SERVICE, problems, sample
from pocai.server.results import AGAIN, Form, ending_of
from pocai.server.submission import GONE, IdempotencyKey, Submission, awaited, hand_in
from pocai.server.uploads import UploadDep, body_schema

router = APIRouter(prefix="/v1", tags=["ocr"], responses=problems(401, 403, 422, 429, 500, 503))

READ: dict[str, Any] = {
    "response_model": ReadResult,
    "response_description": "What is written on each page.",
    "responses": problems(400, 404, 408, 409, 413, 415, 504),
    "openapi_extra": {"requestBody": body_schema(), **sample(f"-F file=@week.png {SERVICE}/v1/ocr")},
}


@router.post("/ocr", operation_id="readText", summary="Read the text of a document", **READ)
async def read(call: CallDep, upload: UploadDep, key: IdempotencyKey = None) -> Response:
    """Hand in a document as for an extraction, and wait for its text: lines and words with their places and scores.

    Without an `Idempotency-Key` nothing is kept: document and text are erased as soon as the answer is made.
    """
    job = await hand_in(call, Submission(upload, Kind.READ, Priority.WAITING, key))
    try:
        return await _answered(call, job, kept=key is not None)
    finally:
        if key is None:
            await call.service.runner.cancel(job.id)
            await call.service.store.delete(job.id)


async def _answered(call: Call, job: Job, *, kept: bool) -> Response:
    found = job if job.status.final else await awaited(call, job, seconds=None, kept=kept)
    if found is None:
        return Response(status_code=GONE)
    if not found.status.final:
        raise Unavailable("the service is stopping", mend="Send the document again in a moment", retry_after=AGAIN)
    if found.result is None:
        return answer(ending_of(found), id=found.id)
    content = await run_in_threadpool(_content, found)
    return Response(content, media_type=Form.JSON.media_type)


def _content(job: Job) -> str:
    return ReadResult.model_validate(job.result).model_dump_json(by_alias=True)
