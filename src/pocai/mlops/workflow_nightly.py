"""Steps of the nightly workflow: the feature store is put in order, and drift is looked for."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from pocai.inference.feature_store_client import opened_store
from pocai.mlops.connection import own_folder
from pocai.mlops.drift import compared
from pocai.mlops.drift_alerts import write_gauges
from pocai.mlops.drift_report import write_report
from pocai.mlops.drift_window import open_history, windows
from pocai.mlops.workflow import Nightly
from pocai.mlops.workflow_place import hashed, settings_here
from pocai.mlops.workflow_training import Result

DRIFT = "drift"
log = logging.getLogger(__name__)


def materialise(plan: Nightly, now: datetime) -> Result:
    """Make the history compact up to yesterday, and bring its newest rows online.

    Raises ConfigurationError where there is no feature store, FeatureStoreError where it fails.
    """
    store = opened_store(settings_here().features)
    try:
        gone = store.compact(now.date())
        rows = store.materialize(now - timedelta(hours=plan.hours), now)
    finally:
        store.close()
    log.info("feature store: %d files fewer, %d rows online", gone, rows)
    return {"files_fewer": gone, "rows": rows}


def look_for_drift(plan: Nightly, now: datetime) -> Result:
    """Compare the current days with those before; the report lies in the folder of the settings, by its date."""
    settings = settings_here()
    found = compared(*windows(open_history(settings.features), now, plan.days, plan.reference))
    folder = own_folder(settings.mlops) / DRIFT
    report = write_report(found, folder / f"{now:%Y-%m-%d}")
    write_gauges(found, folder / "drift.prom")
    alarms = [shift.name for shift in found.alarms]
    log.info("drift: %s", ", ".join(alarms) if alarms else "none" if found.judged else "too few documents")
    return {"judged": found.judged, "alarms": alarms, "files": hashed(*report)}


def today() -> datetime:
    """The moment up to which all of a run looks."""
    return datetime.now(UTC)
