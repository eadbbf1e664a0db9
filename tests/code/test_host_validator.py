"""The validator of the host's contract itself."""

from __future__ import annotations

import pytest
from host_contract import faults

FIRST = {"day": "Monday", "name": "Maths", "startTime": "09:00", "endTime": "10:00", "notes": None}
SECOND = {"day": "Monday", "name": "Art", "startTime": "10:00", "endTime": "11:00", "notes": "Hall"}
GOOD = {"teacher": None, "className": "2A", "term": None, "year": 2026, "timeblocks": [FIRST, SECOND]}


def test_the_validator_takes_a_good_week() -> None:
    assert faults("/ai/extract", 200, GOOD) == []


@pytest.mark.parametrize(
    "change",
    [
        {"year": "2024/25"},
        {"year": True},
        {"year": 1999},
        {"teacher": {"name": "Smith"}},
        {"timeblocks": []},
        {"timeblocks": "none"},
        {"timeblocks": None},
    ],
)
def test_the_validator_refuses_what_the_host_refuses(change: dict[str, object]) -> None:
    assert faults("/ai/extract", 200, {**GOOD, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"day": None},
        {"day": "Montag"},
        {"name": ""},
        {"startTime": "9am"},
        {"startTime": ""},
        {"startTime": "9:00"},
        {"startTime": "10:00", "endTime": "09:00"},
        {"endTime": "10:05"},
        {"endTime": "11:00", "startTime": "10:00"},
        {"notes": 3},
    ],
)
def test_the_validator_refuses_a_bad_block(change: dict[str, object]) -> None:
    assert faults("/ai/extract", 200, {**GOOD, "timeblocks": [{**FIRST, **change}, SECOND]})


@pytest.mark.parametrize("missing", ["teacher", "className", "term", "year", "timeblocks"])
def test_the_validator_wants_every_key(missing: str) -> None:
    assert faults("/ai/extract", 200, {name: value for name, value in GOOD.items() if name != missing})
