"""The API's reference, docs/API.md, from the OpenAPI description; and the examples in that, from the bundled document.

python tools/api_docs.py prints the reference; with --write it puts it into the document, with --examples it first reads
the bundled document and renews src/pocai/assets/api/examples.json. Tests compare both.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

from pocai.inference import pipeline
from pocai.inference.answers import ExtractionResult, ReadResult, Status
from pocai.server.app import create_app
from pocai.server.host_answers import EnhanceAnswer, GateAnswer, Health
from pocai.server.jobs import Job, Kind, Priority
from pocai.server.projection import project, project_page
from pocai.server.reference import markdown, reference
from pocai.server.results import job_answer
from pocai.server.routes.models import models_of
from pocai.server.routes.operations import Checks, Liveness, Readiness
from pocai.settings import Settings

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs/API.md"
EXAMPLES = ROOT / "src/pocai/assets/api/examples.json"
DEMO = ROOT / "src/pocai/assets/demo/demo.png"
BLOCKS, FIELDS, LINES, WORDS = 2, 2, 2, 2  # that an example keeps of each
BEGIN = 1795420800.0  # 2026-11-23 08:00 UTC, when the document of the examples came in
NOTE = "<!-- Made by tools/api_docs.py from the OpenAPI description; edit that. -->\n\n"


def examples() -> dict[str, Any]:
    """One example of each answer, shortened from the real ones to the bundled document; ``seconds`` are of this run."""
    document = DEMO.read_bytes()
    extraction = pipeline.read(document)
    whole = ExtractionResult.of(extraction)
    job = Job(
        id="0f3a5c7e9b1d2f4a6c8e0b2d4f6a8c0e",
        tenant="school",
        kind=Kind.EXTRACT,
        priority=Priority.WAITING,
        fingerprint="",
        sha256=hashlib.sha256(document).hexdigest(),
        size=len(document),
        created=BEGIN,
        deadline=BEGIN,
        name="week.png",
    )
    ended = replace(
        job,
        status=Status.SUCCEEDED,
        stage="done",
        progress=1.0,
        attempts=1,
        started=BEGIN + 0.01,
        finished=BEGIN + sum(whole.seconds.values()),
        result=whole.model_dump(mode="json", by_alias=True),
    )
    models = models_of(Settings.model_construct())
    finished = job_answer(ended)
    assert finished.result is not None, "the job has ended"
    return {
        "ExtractionJob": _json(finished.model_copy(update={"result": _short(finished.result)})),
        "ExtractionJob:202": _json(job_answer(job)),
        "ExtractionResult": _json(_short(finished.result)),
        "ReadResult": _json(_short_reading(whole)),
        "ModelAnswer": _json(models[0]),
        "ModelList": {"models": [_json(model) for model in models]},
        **_of_host(whole),
        "Liveness": _json(Liveness()),
        "Readiness": _json(_readiness(ready=True)),
        "Readiness:503": _json(_readiness(ready=False)),
    }


def _of_host(result: ExtractionResult) -> dict[str, Any]:
    """What the host application asks and is answered about the same document."""
    upload, enhanced = "uploads/3f2b/9c1e.converted.compressed.webp", f"uploads/3f2b/preprocessed_{UUID(int=0)}.png"
    read = project_page(result.pages[0])
    read = read.model_copy(
        update={"words": read.words[:WORDS], "text": " ".join(word.text for word in read.words[:WORDS])}
    )
    week = project(result.timetables)
    missing = {"type": "missing", "loc": ["body", "image_path"], "msg": "Field required", "input": {}}
    reason = f"Medium confidence ({read.confidence:.2%}) - AI processing required"
    return {
        "EnhanceRequest": {"image_path": upload, "output_dir": "uploads/3f2b"},
        "EnhanceAnswer": _json(EnhanceAnswer(enhanced_image_path=enhanced)),
        "OcrRequest": {"image_path": enhanced},
        "OcrAnswer": _json(read),
        "GateRequest": _json(read),
        "GateAnswer": _json(GateAnswer(route="ai", confidence=read.confidence, reason=reason)),
        "AiRequest": {"image_path": enhanced, "provider": "claude", "model": None, "api_key": None},
        "HostTimetable": _json(week.model_copy(update={"timeblocks": week.timeblocks[:BLOCKS]})),
        "HTTPValidationError": {"detail": [missing]},
        "Message": {"message": "pocai: AI middleware API"},
        "Health": _json(Health()),
    }


def _readiness(*, ready: bool) -> Readiness:
    checks = Checks(accepting=True, store=True, workers=ready)
    return Readiness(status="ready" if ready else "unready", checks=checks)


def _json(answer: Any) -> Any:
    return answer.model_dump(mode="json", by_alias=True)


def _short(result: ExtractionResult) -> ExtractionResult:
    timetable = result.timetables[0]
    blocks = tuple(
        block.model_copy(update={"fields": dict(list(block.fields.items())[:FIELDS])})
        for block in timetable.timeblocks[:BLOCKS]
    )
    header = dict(list(timetable.fields.items())[:1])
    short = timetable.model_copy(update={"timeblocks": blocks, "fields": header})
    return result.model_copy(update={"timetables": (short,)})


def _short_reading(result: ExtractionResult) -> ReadResult:
    page = result.pages[0]
    lines = tuple(line.model_copy(update={"words": line.words[:WORDS]}) for line in page.lines[:LINES])
    seconds = {stage: taken for stage, taken in result.seconds.items() if stage in {"ingest", "text"}}
    return ReadResult(pages=(page.model_copy(update={"lines": lines}),), seconds=seconds)


def api() -> str:
    """The reference as Markdown, of a service with the default settings."""
    return NOTE + markdown(reference(create_app(Settings.model_construct()).openapi()))


def main(*options: str) -> None:
    """Print the reference, or renew what the options name."""
    if "--examples" in options:
        EXAMPLES.write_text(json.dumps(examples(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if "--write" in options:
        DOCUMENT.write_text(api(), encoding="utf-8")
    elif "--examples" not in options:
        sys.stdout.write(api())


if __name__ == "__main__":
    main(*sys.argv[1:])
