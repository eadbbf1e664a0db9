"""A job is one document on its way to a result. Stores keep jobs; `sqlite_jobs` and `redis_jobs` are the stores.

States: queued → running → succeeded | failed | cancelled. A running job is leased to one owner (a service process);
when the lease runs out, or its owner hands it back, it is queued again. Only the owner of a lease can finish a job, so
that a job has one result whatever dies when.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Protocol

from pocai.errors import Busy, DeadlineExceeded, InputError, NoTimetable, PocaiError, by_code
from pocai.inference.answers import Status


class Kind(StrEnum):
    """What is to be done with the document."""

    EXTRACT = "extract"
    READ = "read"  # text only


class Priority(IntEnum):
    """Who is served first."""

    HOST = 0  # the host application, which treats a refusal as a failure
    WAITING = 1  # a request that waits for its result
    BACKLOG = 2  # a request that was answered with 202


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a job failed; ``code`` is that of `pocai.errors`. Neither field holds text of the document."""

    code: str
    what: str
    mend: str = ""

    @classmethod
    def of(cls, error: PocaiError) -> Fault:
        """The fault that an error stands for."""
        return cls(error.code, error.what, error.mend)

    @property
    def error(self) -> PocaiError:
        """The error that the fault stands for."""
        return by_code(self.code, self.what, self.mend)

    @property
    def lasting(self) -> bool:
        """Whether the same document would fail again: the document is at fault, not the hour."""
        return self.code in LASTING


_KINDS: tuple[type[PocaiError], ...] = (InputError, *InputError.__subclasses__(), NoTimetable, DeadlineExceeded)
LASTING = frozenset(kind.code for kind in _KINDS)


@dataclass(frozen=True, slots=True)
class Job:
    """One document to be read. Times are seconds since 1970; ``result`` is the JSON of the result.

    ``fingerprint`` names content and settings: jobs of one tenant that share it have the same result. ``options`` go to
    the reading process. ``deadline`` is when the work is given up.
    """

    id: str
    tenant: str
    kind: Kind
    priority: Priority
    fingerprint: str
    sha256: str
    size: int
    created: float
    deadline: float
    name: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    status: Status = Status.QUEUED
    stage: str = ""
    progress: float = 0.0
    attempts: int = 0
    owner: str = ""
    lease: float = 0.0
    started: float | None = None
    finished: float | None = None
    result: dict[str, Any] | None = None
    fault: Fault | None = None

    @property
    def expired(self) -> bool:
        """Whether its deadline has passed."""
        return time.time() >= self.deadline


def new_id() -> str:
    """An id that cannot be guessed: 128 random bits as 32 hexadecimal digits."""
    return secrets.token_hex(16)


class QueueFull(Busy):
    """As many jobs of this priority are queued as may wait."""

    code = "queue_full"


class JobStore(Protocol):
    """Keeps jobs and their documents. Every method is atomic; several services may share one store.

    Raises `pocai.errors.Unavailable` where the store cannot be reached.
    """

    async def open(self) -> None:
        """Connect, and make what is not there yet."""

    async def close(self) -> None:
        """Let go of everything that `open` took."""

    async def add(self, job: Job, document: bytes, *, limit: int) -> None:
        """Keep a queued job; raises `QueueFull` when ``limit`` jobs of its priority are queued already.

        Raises Conflict, and changes nothing, where there is a job of this id.
        When this returns, the job survives a crash of this process.
        """

    async def get(self, job_id: str) -> Job | None:
        """The job, or None."""

    async def find(self, tenant: str, fingerprint: str) -> Job | None:
        """The newest job of the tenant with this fingerprint that was not cancelled, or None."""

    async def document(self, job_id: str) -> bytes | None:
        """The document of a job, or None when it is gone."""

    async def claim(self, owner: str, seconds: float) -> Job | None:
        """Take the next queued job (by priority, then by age) on lease; its ``attempts`` grows by one."""

    async def renew(self, job_id: str, owner: str, seconds: float) -> bool:
        """Extend the lease; False where the job is no longer running for this owner: it was cancelled or taken over."""

    async def advance(self, job_id: str, owner: str, stage: str, progress: float) -> None:
        """Say how far a running job is; ignored where it is not leased to the owner."""

    async def finish(self, job_id: str, owner: str, outcome: dict[str, Any] | Fault) -> bool:
        """Succeed with a result or fail with a fault; False, and nothing done, where the lease is not the owner's."""

    async def hand_back(self, job_id: str, owner: str, *, counted: bool) -> bool:
        """Queue a running job again; its ``attempts`` keeps the last one only where it is ``counted``."""

    async def cancel(self, job_id: str) -> bool:
        """Cancel a job that is queued or running and forget its document; False where it is not."""

    async def delete(self, job_id: str) -> None:
        """Forget a job, its document and its result."""

    async def reclaim(self) -> int:
        """Queue again the jobs whose lease ran out; how many there were."""

    async def queued(self) -> dict[Priority, int]:
        """How many jobs are queued, for every priority."""

    async def expire(self, before: float) -> int:
        """Forget final jobs that were finished before this time; how many there were."""

    async def note_file(self, path: str, due: float) -> None:
        """Remember a file that is to be removed at ``due``."""

    async def due_files(self, now: float) -> list[str]:
        """The noted files that are due; each stays noted until it is forgotten."""

    async def forget_file(self, path: str) -> None:
        """Forget a noted file."""
