"""A pool of made documents that were really read: their features, and how right they were.

Schools print several timetables in one layout and one look, and send them by one device. Each document is painted,
damaged and read as in use; kept are its features, as the feature store keeps them, and what is right in it.
``python bench/drift_pool.py FILE [--seconds S]`` makes the pool, or goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

import numpy as np
from PIL import Image as Pictures

from pocai.errors import ConfigurationError
from pocai.evaluation.trust import right_block, right_fields
from pocai.feature_store.features import Subject
from pocai.inference.lessons import changes, rows_of
from pocai.inference.pipeline import read
from pocai.settings import Settings
from pocai.synthetic.damage import Kind, damage_page
from pocai.synthetic.document import Drawing
from pocai.synthetic.excerpt import first_sheet
from pocai.synthetic.fonts import Split, faces
from pocai.synthetic.layouts import FAMILIES, Family
from pocai.synthetic.layouts.chance import pick
from pocai.synthetic.painting import POINTS, paint_sheet
from pocai.synthetic.schools import School
from pocai.synthetic.timetables import made

FIRST = 9_800_000  # seed of the first school
DOCUMENTS = 4  # of a school
MISSES, FAMILIES_TRIED = 12, 30
RESOLUTIONS, LONGEST = (100, 170), 2000  # dots an inch, and pixels of a picture's longer side
QUALITIES = (60, 96)
SETTINGS = Settings.model_construct(threads=1)


@dataclass(frozen=True, slots=True)
class Condition:
    """How documents come: ``split`` of the type faces, ``devices`` of which a school has one, strength of damage."""

    name: str
    schools: int
    split: Split
    devices: tuple[Kind, ...]
    strength: tuple[float, float]


CONDITIONS = (
    Condition("standard", 72, "train", ("scanner", "photo", "jpeg", "low", "copy"), (0.1, 0.5)),
    Condition("font and scanner", 40, "test", ("scanner",), (0.7, 1.0)),
    Condition("worse photos", 15, "train", ("photo",), (0.7, 1.0)),
    Condition("fax", 15, "train", ("fax",), (0.4, 0.8)),
)


def documents(seed: int, split: Split) -> Iterator[Drawing]:
    """Timetables of a school in the first of its layouts that takes enough of them."""
    rng = np.random.default_rng((seed, 1))
    families = list(FAMILIES.values())
    for _ in range(FAMILIES_TRIED):
        family = pick(rng, families, [each.weight for each in families])
        found = [drawing for drawing, _ in zip(_drawn(family, seed, split), range(DOCUMENTS), strict=False)]
        if len(found) == DOCUMENTS:
            yield from found
            return


def _drawn(family: Family, seed: int, split: Split) -> Iterator[Drawing]:
    school = School.of(seed, stage=family.stage)
    misses, index = 0, 0
    while misses < MISSES:
        week = made(index, school=school, times=family.times)
        index += 1
        try:
            if family.accepts(week):
                yield first_sheet(family.draw(week, faces(split), np.random.default_rng(seed)))
                continue
        except ConfigurationError:  # it does not fit on any paper
            pass
        misses += 1


def picture(drawing: Drawing, condition: Condition, seed: int, number: int) -> bytes:
    """The document as its school sends it."""
    habit, rng = np.random.default_rng((seed, 2)), np.random.default_rng((seed, 3, number))
    device = condition.devices[int(habit.integers(len(condition.devices)))]
    usual, dots = habit.uniform(*condition.strength), habit.uniform(*RESOLUTIONS)
    quality = int(habit.integers(*QUALITIES))
    sheet = drawing.sheets[0]
    painted = paint_sheet(sheet, min(dots, LONGEST * POINTS / max(sheet.width, sheet.height)))
    size = median(line.size for line in painted.lines) if painted.lines else 0.0
    strength = float(np.clip(usual + rng.normal(0, 0.07), *condition.strength))
    image, _ = damage_page(painted.image, rng, device, strength, size)
    target = BytesIO()
    Pictures.fromarray(image).save(target, "JPEG", quality=quality)
    return target.getvalue()


def record(drawing: Drawing, condition: Condition, seed: int, number: int) -> dict[str, Any]:
    """What is kept of one document; no text."""
    extraction = read(picture(drawing, condition, seed, number), name="made.jpg", settings=SETTINGS)
    key = f"{condition.name} {seed} {number}"
    rows = {row.view: dict(row.values) for row in rows_of(extraction, Subject(key, datetime.now(UTC), str(seed)))}
    del rows["ocr"]["text"]
    right = [right_block(fields) for fields in right_fields(drawing.timetables, extraction.timetables)]
    fields, changed = changes(extraction.timetables, drawing.timetables) if extraction.timetables else (0, 0)
    return {
        "condition": condition.name,
        "school": seed,
        "number": number,
        **rows,
        "confidences": [value for values in extraction.confidences for value in values],
        "right": right,
        "fields": fields,
        "changed": changed,
        "findings": [finding.code for finding in extraction.findings if finding.severity == "warning"],
        "decision": extraction.verdict.decision,
        "seconds": round(sum(extraction.seconds.values()), 3),
    }


def make(file: Path, seconds: float) -> int:
    """Add what is missing in the pool, for so many seconds; how many documents it holds."""
    have = {(each["condition"], each["school"], each["number"]) for each in read_pool(file)}
    until = monotonic() + seconds
    with file.open("a", encoding="utf-8") as opened:
        for condition, seed in _order():
            wanted = {(condition.name, seed, number) for number in range(DOCUMENTS)}
            if wanted <= have:
                continue
            for number, drawing in enumerate(documents(seed, condition.split)):
                if monotonic() > until:
                    return len(have)
                if (condition.name, seed, number) not in have:
                    opened.write(json.dumps(_tried(drawing, condition, seed, number)) + "\n")
                    opened.flush()
                    have.add((condition.name, seed, number))
    return len(have)


def _tried(drawing: Drawing, condition: Condition, seed: int, number: int) -> dict[str, Any]:
    """The record; of a document at which pocai has a fault, only its name and the kind of fault."""
    try:
        return record(drawing, condition, seed, number)
    except Exception as error:  # noqa: BLE001 - the pool goes on, and tells
        return {"condition": condition.name, "school": seed, "number": number, "fault": type(error).__name__}


def read_pool(file: Path) -> list[dict[str, Any]]:
    """The documents of a pool; none where there is no file."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def _order() -> Iterator[tuple[Condition, int]]:
    """The schools of all conditions in turn, so that a pool that was cut short has some of each."""
    most = max(condition.schools for condition in CONDITIONS)
    for number in range(most):
        for condition in CONDITIONS:
            if number * condition.schools // most != (number - 1) * condition.schools // most or not number:
                yield condition, FIRST + number * condition.schools // most


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--seconds", type=float, default=1500.0)
    options = parser.parse_args()
    print(f"{make(options.file, options.seconds)} documents are in the pool,", end=" ")
    print(f"{sum('fault' in each for each in read_pool(options.file))} of them with a fault of pocai")
