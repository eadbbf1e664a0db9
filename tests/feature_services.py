"""Services with a feature store for tests, and callers of their tenants."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from calling import Caller
from serving import Running, running_service, settings_for

from pocai.settings import FeatureSettings

KEY = base64.b64encode(bytes(range(32))).decode()
OPENING = 120.0  # seconds that importing Feast may take on a busy machine


@contextmanager
def remembering_service(
    folder: Path, features: dict[str, Any], *, opened: bool = True, **server: Any
) -> Iterator[Running]:
    """A service whose feature store, as ``features`` say, lies below ``folder``; it is open when the block begins."""
    chosen = FeatureSettings.model_validate({"key": KEY, "folder": folder / "features", **features})
    settings = settings_for(folder, **server).model_copy(update={"features": chosen})
    with running_service(settings) as running:
        if opened:
            until("the feature store is not opened", lambda: is_open(running), OPENING)
        yield running


def is_open(running: Running) -> bool:
    return running.service.features._client is not None


def until(what: str, fits: Callable[[], object], seconds: float = 20.0) -> float:
    """Wait until it fits; the time then."""
    end = time.monotonic() + seconds
    while not fits():
        assert time.monotonic() < end, what
        time.sleep(0.01)
    return time.monotonic()


def caller(running: Running, tenant: str, *scopes: str) -> Caller:
    """Somebody of a tenant with these scopes."""
    _, token = running.service.keys.create(tenant, tenant, frozenset(scopes), None)
    return Caller(running, {"Authorization": f"Bearer {token}"})


def flushed(running: Running) -> None:
    """Until all is written that was remembered, also what follows an answer."""
    pool = running.service.pool
    until("what follows an answer is not heard", lambda: not pool._following)
    assert running.service.features.client.flush(20)


def measured(api: Caller, name: str) -> float:
    """A metric with its labels, as it is told."""
    answer = api("GET", "/metrics")
    assert answer.status_code == 200, answer.text
    (line,) = [line for line in answer.text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[-1])


def corrected(*names: str) -> dict[str, Any]:
    """A correction with one lesson a name, on Monday."""
    blocks = [{"day": "Monday", "name": name, "startTime": "09:00", "endTime": "10:00"} for name in names]
    return {"timetables": [{"timeblocks": blocks}]}
