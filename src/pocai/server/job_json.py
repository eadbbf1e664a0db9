"""A job as a row: flat, of text and numbers, as both SQLite and Redis keep it. The result is kept beside the row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pocai.errors import Conflict
from pocai.inference.answers import Status
from pocai.server.jobs import Fault, Job, Kind, Priority, QueueFull

Value = str | int | float | None
RETRY_AFTER = 5.0  # seconds; a slot becomes free about as often


def row_of(job: Job) -> dict[str, Value]:
    """The row of a job, without its result; the name stands in JSON, which can hold any text that a caller sends."""
    return {
        "id": job.id,
        "tenant": job.tenant,
        "kind": job.kind.value,
        "priority": int(job.priority),
        "fingerprint": job.fingerprint,
        "sha256": job.sha256,
        "size": job.size,
        "created": job.created,
        "deadline": job.deadline,
        "details": dumped({"name": job.name, "options": job.options}),
        "status": job.status.value,
        "stage": job.stage,
        "progress": job.progress,
        "attempts": job.attempts,
        "owner": job.owner,
        "lease": job.lease,
        "started": job.started,
        "finished": job.finished,
        "fault": fault_text(job.fault),
    }


def job_of(row: Mapping[str, Any], result: str | bytes | None) -> Job:
    """The job of a row; numbers may be text, as Redis gives them, and what is None may be missing."""
    details = json.loads(row["details"])
    started, finished, fault = row.get("started"), row.get("finished"), row.get("fault")
    return Job(
        id=row["id"],
        tenant=row["tenant"],
        kind=Kind(row["kind"]),
        priority=Priority(int(row["priority"])),
        fingerprint=row["fingerprint"],
        sha256=row["sha256"],
        size=int(row["size"]),
        created=float(row["created"]),
        deadline=float(row["deadline"]),
        name=details["name"],
        options=details["options"],
        status=Status(row["status"]),
        stage=row["stage"],
        progress=float(row["progress"]),
        attempts=int(row["attempts"]),
        owner=row["owner"],
        lease=float(row["lease"]),
        started=None if started is None else float(started),
        finished=None if finished is None else float(finished),
        result=None if result is None else json.loads(result),
        fault=None if fault is None else Fault(**json.loads(fault)),
    )


def dumped(value: object) -> str:
    """A value as JSON, without spaces and in ASCII."""
    return json.dumps(value, separators=(",", ":"))


def fault_text(fault: Fault | None) -> str | None:
    """A fault as JSON, or None."""
    return None if fault is None else dumped(asdict(fault))


def queue_full(limit: int) -> QueueFull:
    """What `JobStore.add` raises when no more jobs of a priority may wait."""
    return QueueFull(f"{limit} documents wait already", mend="Come again in a moment", retry_after=RETRY_AFTER)


def taken() -> Conflict:
    """The error for a job whose id another one has."""
    return Conflict("there is a job of this id already", mend="Ask for that one, or take another id")
