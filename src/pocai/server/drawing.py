"""The picture of a page with every block marked where it was read, drawn by a reading process."""

from __future__ import annotations

import asyncio

from pocai.errors import Busy, NotFound
from pocai.server.call import Call
from pocai.server.jobs import Job
from pocai.server.results import ending_of
from pocai.server.workers import Task

PATIENCE = 15.0  # seconds until somebody who waits for a picture is sent away
SECONDS = 60.0  # for one picture


async def overlay(call: Call, job: Job, page: int) -> bytes:
    """The PNG of a page, numbered from 0. It is drawn anew each time: what holds document content is not kept twice.

    Raises the error of a job that has no result, NotFound for a page that was not read, Busy where many are drawing.
    """
    if job.result is None:
        raise ending_of(job)
    if not any(read["number"] == page for read in job.result["pages"]):
        raise NotFound(f"the document has no page {page} that was read", mend="Pages are numbered from 0")
    turn = call.desk.drawing
    try:
        async with asyncio.timeout(PATIENCE):
            await turn.acquire()
    except TimeoutError:
        raise Busy("too many pictures are being drawn", mend="Come again in a moment", retry_after=2) from None
    try:
        return await _drawn(call, job, page, job.result["timetables"])
    finally:
        turn.release()


async def _drawn(call: Call, job: Job, page: int, timetables: object) -> bytes:
    document = await call.service.store.document(job.id)
    if document is None:
        raise NotFound("the document is no longer kept", mend="Send it again")
    options = {"page": page, "timetables": timetables}
    frame = await call.service.pool.run(Task("overlay", options, (document,), seconds=SECONDS, urgent=True))
    (picture,) = frame.parts
    return picture
