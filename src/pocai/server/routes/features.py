"""``/v1/features``: what is remembered of the caller's schools and documents, to look at, to correct, and to erase."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from pocai.errors import BadRequest, NotAllowed, NotFound
from pocai.inference.answers import DocumentFeatures, Forgotten, SchoolAnswer
from pocai.inference.feature_store_client import FeatureStoreClient
from pocai.inference.lessons import Lesson, changes, document_key
from pocai.server.auth import FeaturesUser, Principal, Scope
from pocai.server.features import school_of
from pocai.server.problems import problems
from pocai.server.service import Service, ServiceDep
from pocai.server.submission import SCHOOL, SCHOOL_TOLD, SchoolName
from pocai.timetable.timetable import Timetable

MOST = 100  # timetables of one document
EXAMPLE = {
    "documents": 3,
    "corrected": 1,
    "periods": [{"startTime": "09:00", "endTime": "10:00", "count": 34}],
    "names": {"Maths": 12, "English": 9, "Assembly": 3},
    "notes": {"Hall": 3},
    "cycle": 5,
    "fields": 0,
    "changed": 0,
    "correctionRate": None,
    "adapter": None,
    "updatedAt": "2026-09-07T08:30:00Z",
}
CORRECTED = {
    "timetables": [
        {
            "teacher": None,
            "className": "4B",
            "term": None,
            "year": None,
            "timeblocks": [{"day": "Monday", "name": "Maths", "startTime": "09:00", "endTime": "10:00", "notes": None}],
        }
    ]
}
FEATURES = {
    "views": {
        "ocr": {
            "confidence": 0.98,
            "words": 143,
            "layout_score": 0.91,
            "times": 14,
            "orientation": 0,
            "source": "ocr",
        },
        "document": {"school": "st-marys", "pages": 1, "format": "png", "language": "en", "skew": -0.4},
    },
    "updatedAt": "2026-09-07T08:30:00Z",
}


def _seen(example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {"application/json": {"example": example}}}}


T = TypeVar("T")

router = APIRouter(prefix="/v1/features", tags=["features"], responses=problems(401, 403, 404, 422, 429, 500, 503))


class Correction(BaseModel):
    """What a person says of a school: timetables as they should have been read, and the adapter to read with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timetables: tuple[Timetable, ...] = Field((), max_length=MOST, description="of one document, all as they are right")
    read: tuple[Timetable, ...] = Field(
        (), max_length=MOST, description="the same as they were read: what was changed is counted"
    )
    adapter: str | None = Field(
        None, max_length=1024, description="folder of an adapter; empty: none any more. Needs the scope models:deploy"
    )


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who looks into the feature store."""

    service: Service
    principal: Principal
    request_id: str

    def school(self, name: str | None) -> str:
        """The key of one of the caller's schools, whatever it is called; no other tenant's has it."""
        return school_of(self.principal.tenant, name)

    async def ask(self, action: str, work: Callable[[FeatureStoreClient], T]) -> T:
        """What ``work`` gives, which may wait for the store; recorded in the audit log, without any name."""
        done = await self.service.features.visit(work)
        self.service.audit.record(f"features.{action}", self.principal, "", "ok", self.request_id)
        return done


def _visit_of(request: Request, service: ServiceDep, principal: FeaturesUser) -> Visit:
    return Visit(service, principal, getattr(request.state, "request_id", ""))


VisitDep = Annotated[Visit, Depends(_visit_of)]
SchoolPath = Annotated[
    str, Path(pattern=SCHOOL, description="your name for the school, or that of your tenant", examples=["st-marys"])
]
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 of the file, as its extraction tells it")]
SchoolQuery = Annotated[SchoolName | None, Query(description=SCHOOL_TOLD)]


@router.get(
    "/schools/{school}",
    operation_id="getSchool",
    summary="What is remembered of a school",
    responses=_seen(EXAMPLE),
)
async def get(visit: VisitDep, school: SchoolPath) -> SchoolAnswer:
    """Its usual periods, its words, how often persons corrected it: as the store has it now."""
    key = visit.school(school)
    memory = await visit.ask("read", lambda client: client.look(key))
    if memory is None:
        raise NotFound("nothing is remembered of this school", mend="Read one of its timetables")
    return SchoolAnswer.of(memory)


@router.post(
    "/schools/{school}",
    operation_id="correctSchool",
    summary="Teach corrected timetables",
    responses={**_seen(EXAMPLE), **problems(400)},
    openapi_extra={"requestBody": {"content": {"application/json": {"example": CORRECTED}}}},
)
async def correct(visit: VisitDep, school: SchoolPath, correction: Correction) -> SchoolAnswer:
    """Remember the timetables of a document as a person has corrected them; they weigh more than those that were read.

    The answer is what is remembered then. It comes when the store has it.
    """
    if not correction.timetables and correction.adapter is None:
        raise BadRequest("there is nothing to remember", mend="Send timetables or an adapter")
    if correction.adapter is not None and not visit.principal.may(Scope.MODELS_DEPLOY):
        raise NotAllowed(f"an adapter needs the scope {str(Scope.MODELS_DEPLOY)!r}", mend="Use a key that has it")
    lesson = Lesson(
        visit.school(school), correction.timetables, corrected=True, read=correction.read, adapter=correction.adapter
    )
    remembered = await visit.ask("correct", lambda client: client.learn(lesson))
    if correction.read:
        visit.service.rollouts.corrected(lesson.school, *changes(correction.read, correction.timetables))
    return SchoolAnswer.of(remembered)


@router.delete(
    "/schools/{school}",
    operation_id="forgetSchool",
    summary="Forget a school",
    responses=_seen({"rows": 7}),
)
async def forget(visit: VisitDep, school: SchoolPath) -> Forgotten:
    """Erase what is remembered of a school and of its documents, in the history too; how many rows there were.

    Other replicas may still use what they have looked up in the last seconds. A document of the school that is being
    read meanwhile is remembered afterwards.
    """
    key = visit.school(school)
    return Forgotten(rows=await visit.ask("forget", lambda client: client.forget(school=key)))


@router.get(
    "/documents/{sha256}",
    operation_id="getDocument",
    summary="What was measured of a document",
    responses=_seen(FEATURES),
)
async def get_document(visit: VisitDep, sha256: Digest, school: SchoolQuery = None) -> DocumentFeatures:
    """How it was read, and what it looks like; its text is left out. Kept for 30 days after it was read."""
    key = document_key(visit.school(school), sha256)
    rows = await visit.ask("read", lambda client: client.document(key))
    if not rows:
        raise NotFound("nothing is remembered of this document", mend="Name the school that it was handed in for")
    return DocumentFeatures.of(rows, school)


@router.delete(
    "/documents/{sha256}",
    operation_id="forgetDocument",
    summary="Forget a document",
    responses=_seen({"rows": 2}),
)
async def forget_document(visit: VisitDep, sha256: Digest, school: SchoolQuery = None) -> Forgotten:
    """Erase what was measured of a document, its text among it; what its school has learned from it stays."""
    key = document_key(visit.school(school), sha256)
    return Forgotten(rows=await visit.ask("forget", lambda client: client.forget(document=key)))
