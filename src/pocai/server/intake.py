"""From a document that came in to a job: its size is checked, its content named, its deadline set."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass

from pocai import __version__
from pocai.errors import LimitExceeded, UnreadableDocument
from pocai.server.features import school_of
from pocai.server.jobs import Job, Kind, Priority, new_id
from pocai.server.tracing import carrier
from pocai.settings import Settings


@dataclass(frozen=True, slots=True)
class Order:
    """What a caller asks for; ``engine`` and ``seconds`` are None where the settings decide.

    ``school`` is the caller's name for the school that the document comes from, None for the tenant itself.
    """

    tenant: str
    kind: Kind = Kind.EXTRACT
    priority: Priority = Priority.WAITING
    name: str = ""
    engine: str | None = None
    school: str | None = None
    seconds: float | None = None


def job_for(document: bytes, order: Order, settings: Settings, rollout: str = "") -> Job:
    """The job that reads a document; ``rollout`` is the revision of what is deployed.

    Raises LimitExceeded or UnreadableDocument for a size that cannot be taken.
    """
    largest = settings.limits.max_bytes
    if len(document) > largest:
        raise LimitExceeded(f"the document has {len(document)} bytes, more than {largest}", mend="Send a smaller file")
    if not document:
        raise UnreadableDocument("the document is empty", mend="Send the file itself")
    now = time.time()
    sha256 = hashlib.sha256(document).hexdigest()
    return Job(
        id=new_id(),
        tenant=order.tenant,
        kind=order.kind,
        priority=order.priority,
        fingerprint=fingerprint(sha256, order, settings, rollout),
        sha256=sha256,
        size=len(document),
        created=now,
        deadline=now + _seconds(order, settings),
        name=order.name,
        options={
            "engine": order.engine or settings.ocr_engine,
            **_remembered(sha256, order, settings),
            **({"unit": _unit(sha256, order)} if rollout else {}),
            **carrier(),
        },
    )


def _remembered(sha256: str, order: Order, settings: Settings) -> dict[str, str]:
    """What an extraction needs to be remembered; nothing where there is no feature store."""
    if settings.features.kind == "none" or order.kind is not Kind.EXTRACT:
        return {}
    return {"school": school_of(order.tenant, order.school), "document": sha256}


def _unit(sha256: str, order: Order) -> str:
    """Whose documents the same arm of a trial reads: a school's, or else those of the same content."""
    return sha256 if order.school is None else school_of(order.tenant, order.school)


def _seconds(order: Order, settings: Settings) -> float:
    """Seconds until a job is given up; without its own deadline one in the backlog may wait as long as it is kept."""
    longest = settings.server.request_seconds
    if order.seconds is not None:
        return min(order.seconds, longest)
    return settings.server.retention_hours * 3600 if order.priority is Priority.BACKLOG else longest


def fingerprint(sha256: str, order: Order, settings: Settings, rollout: str = "") -> str:
    """A name for everything that decides a result: content, task, version, models and settings (SHA-256)."""
    decisive = {
        "content": sha256,
        "kind": order.kind,
        "version": __version__,
        "engine": order.engine or settings.ocr_engine,
        "document_model": settings.document_model,
        "language": settings.language.model_dump(mode="json", exclude={"key"}),
        "hours": settings.school_hours.model_dump(mode="json"),
        "limits": settings.limits.model_dump(mode="json"),
        "quality": settings.quality.model_dump(mode="json"),
        "school": order.school,
        "rollout": rollout,
        "remembered": settings.features.kind != "none" and settings.features.in_extraction,
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()
