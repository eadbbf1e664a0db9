"""Sequence-level distillation (Kim and Rush 2016, arXiv:1606.07947), first part: a teacher's answers about documents.

A teacher is shown the text of a page with its layout, never the picture. Of its answers only what that text supports is
kept, as labels that training and evaluation read (`pocai.evaluation.dataset`), each with where it comes from.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from pocai.documents.page import Document
from pocai.errors import InputError, ModelError, PocaiError
from pocai.models.language import LanguageModel
from pocai.models.language_answer import schema
from pocai.models.language_exchange import Endpoint, Refused, Reply, host_of
from pocai.models.language_page import NumberedPage
from pocai.models.language_prompt import INSTRUCTIONS
from pocai.timetable.support import Checked
from pocai.training.document_model.distill_ledger import DROPPED, FAILED, KEPT, NOTHING, BudgetSpent, Ledger, Price

LEDGER = "ledger.jsonl"
LEAST_SUPPORTED = 0.8  # share of an answer's blocks whose names are on the page, from which it is kept
MOST_FAILURES = 3  # documents in a row about which the teacher gave no answer; then something is wrong

Read = Callable[[Path], Document]
Progress = Callable[[int], None]


class Teacher(Protocol):
    """A model behind an endpoint."""

    endpoint: Endpoint

    def ask(self, page: NumberedPage) -> Reply: ...

    def request(self, page: NumberedPage) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """Where answers go, and what they may cost in US dollars: over all calls for that folder."""

    folder: Path
    price: Price | None = None
    max_cost: float | None = None


@dataclass(frozen=True, slots=True)
class Collected:
    """How many documents had which outcome, and what the folder's answers have cost so far (US dollars).

    ``before`` is the number of those that an earlier call had settled; ``cost`` is None where no price is known.
    """

    outcomes: Mapping[str, int]
    before: int
    cost: float | None
    over_budget: bool

    def __str__(self) -> str:
        """One line."""
        told = [f"{self.outcomes.get(KEPT, 0)} answers kept"]
        told += [f"{count} {outcome}" for outcome, count in sorted(self.outcomes.items()) if outcome != KEPT]
        told += [f"{self.before} settled before"] if self.before else []
        told += [] if self.cost is None else [f"{self.cost:.4f} US dollars in all"]
        return ", ".join(told) + ("; the next request might pass the budget" if self.over_budget else "")


def collect(
    documents: Iterable[Path], read: Read, teacher: Teacher, plan: Plan, progress: Progress | None = None
) -> Collected:
    """Ask a teacher about documents that it was not yet asked about, and keep what their text supports.

    Can be interrupted at any time: a document is settled as a whole, and what was paid is known. ``documents/`` of the
    folder holds copies, ``truth/`` the answers. A document that cannot be read, or about which the teacher fails, is
    tried again by the next call. Raises ModelError where the teacher fails on several in a row; ConfigurationError or
    InputError for a folder that cannot be used.
    """
    outcomes: Counter[str] = Counter()
    before = in_a_row = 0
    over_budget = False
    with Ledger(plan.folder / LEDGER, _identity(teacher)) as ledger:
        for number, path in enumerate(documents, start=1):
            sha256 = _hash_of(path)
            if sha256 in ledger.settled:
                before += 1
                continue
            asking = _Asking(teacher, ledger, plan)
            try:
                outcome, failure = _settle(path, sha256, read, asking)
            except BudgetSpent:
                over_budget = True
                break
            outcomes[outcome] += 1
            in_a_row = in_a_row + 1 if isinstance(failure, ModelError) else 0
            if failure is not None and in_a_row == MOST_FAILURES:
                raise failure
            if progress is not None:
                progress(number)
        return Collected(outcomes, before, None if plan.price is None else ledger.spent, over_budget)


@dataclass(slots=True)
class _Asking:
    """Asks about the pages of one document, and keeps what that took."""

    teacher: Teacher
    ledger: Ledger
    plan: Plan
    begin: float = field(default_factory=time.monotonic)
    requests: int = 0
    read: int = 0
    written: int = 0
    cost: float = 0.0

    def write(self, page: NumberedPage) -> str:
        """The answer about a page. Raises BudgetSpent before a request that might pass the budget."""
        endpoint, price = self.teacher.endpoint, self.plan.price
        # no text has more tokens than bytes
        most = price.of(len(self.teacher.request(page)), endpoint.most_tokens) if price else 0.0
        number = self.ledger.ask(most, self.plan.max_cost)
        try:
            reply = self.teacher.ask(page)
        except Refused:
            self.ledger.answered(number, 0.0)
            raise
        told = reply.read is not None and reply.written is not None
        self.requests += 1
        self.read += reply.read or 0
        self.written += reply.written or 0
        cost = price.of(reply.read or 0, reply.written or 0) if price and told else most
        self.cost += cost
        self.ledger.answered(number, cost)
        return reply.whole(endpoint)

    def told(self) -> dict[str, Any]:
        """What it took: requests, tokens, US dollars (None: no price is known) and seconds."""
        return {
            "requests": self.requests,
            "tokens": {"read": self.read, "written": self.written},
            "costUsd": None if self.plan.price is None else round(self.cost, 6),
            "seconds": round(time.monotonic() - self.begin, 2),
        }


def _settle(path: Path, sha256: str, read: Read, asking: _Asking) -> tuple[str, PocaiError | None]:
    """Ask about a document and write down what became of it; the outcome, and the error that it failed with."""
    date = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        document = read(path)
        asking.begin = time.monotonic()
        answer = LanguageModel(asking).read(document)
    except (InputError, ModelError) as error:
        asking.ledger.ended(sha256, FAILED, {"date": date, "code": error.code, **asking.told()})
        return FAILED, error
    outcome = _outcome(answer)
    told = {"date": date, **asking.told(), "leftOut": _left_out(answer)}
    if outcome == KEPT:
        origin = {**_identity(asking.teacher), "host": host_of(asking.teacher.endpoint), "pocai": version("pocai")}
        _keep(path, sha256, _label(answer, {**origin, "documentSha256": sha256, **told}), asking.plan.folder)
    asking.ledger.ended(sha256, outcome, told)
    return outcome, None


def _outcome(answer: Checked) -> str:
    kept = sum(len(timetable.timeblocks) for timetable in answer.timetables)
    lost = sum(each.field == "name" for each in answer.unsupported)
    if kept + lost == 0:
        return NOTHING
    return KEPT if kept >= LEAST_SUPPORTED * (kept + lost) else DROPPED


def _left_out(answer: Checked) -> dict[str, int]:
    """How many values of each field no line of the pages supports."""
    return dict(sorted(Counter(str(each.field) for each in answer.unsupported).items()))


def _label(answer: Checked, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The label: a timetable in the host's shape, or several, with where it comes from."""
    tables = [timetable.model_dump(mode="json", by_alias=True) for timetable in answer.timetables]
    shape = tables[0] if len(tables) == 1 else {"timetables": tables}
    return {**shape, "provenance": dict(provenance)}


def _keep(path: Path, sha256: str, label: Mapping[str, Any], folder: Path) -> None:
    """Copy a document and write its label beside it: each whole or not at all, the document first."""
    name = f"{path.stem}-{sha256[:8]}"
    document, truth = folder / "documents" / f"{name}{path.suffix.lower()}", folder / "truth" / f"{name}.json"
    for place in (document, truth):
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".{place.name}.part")
        if place is document:
            shutil.copyfile(path, part)
        else:
            part.write_text(json.dumps(label, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        part.replace(place)


def _identity(teacher: Teacher) -> dict[str, str]:
    """Which model is asked, and with which words."""
    words = INSTRUCTIONS + json.dumps(schema(), sort_keys=True)
    prompt = hashlib.sha256(words.encode()).hexdigest()
    return {"model": teacher.endpoint.model, "promptSha256": prompt}


def _hash_of(path: Path) -> str:
    """SHA-256 of a file. Raises InputError where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})", mend="Check the path") from None
