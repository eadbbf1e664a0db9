"""What a drift report tells Prometheus: plain names and values, and a file for node_exporter's textfile collector.

The alert rules over these names are in ``deploy/prometheus/pocai-drift.rules.yml``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

from pocai.mlops.drift import DriftReport
from pocai.mlops.drift_accuracy import Estimated

Gauges: TypeAlias = dict[str, float]
"""Values by name; a name that ends in braces has labels, as in ``name{figure="ocr.words"}``."""

HELP = {
    "pocai_drift_report_timestamp_seconds": "End of the days that were compared, in seconds since 1970",
    "pocai_drift_documents": "Documents in the current days",
    "pocai_drift_judged": "1 where there were enough documents to say anything, else 0",
    "pocai_drift_alarms": "Figures that drifted",
    "pocai_drift_drifted": "1 for a figure that drifted, else 0",
    "pocai_drift_effect_ratio": "How far a figure moved: greatest difference of shares, or fall of an accuracy",
    "pocai_drift_estimated_accuracy_ratio": "Fields that are right, estimated without labels",
    "pocai_drift_estimated_accuracy_before_ratio": "The same in the reference days, by confidence",
    "pocai_drift_corrected_fields_ratio": "Fields that persons changed, of those they looked at",
    "pocai_drift_corrected_fields_before_ratio": "The same in the reference days",
}


def gauges(report: DriftReport) -> Gauges:
    """Names and values; what is not known is left out."""
    return dict(_values(report))


def exposition(report: DriftReport) -> str:
    """The gauges in the text format of Prometheus (exposition format 0.0.4)."""
    lines, told = [], ""
    for name, value in gauges(report).items():
        plain = name.partition("{")[0]
        if plain != told:
            lines += [f"# HELP {plain} {HELP[plain]}", f"# TYPE {plain} gauge"]
            told = plain
        lines.append(f"{name} {value!r}")
    return "\n".join(lines) + "\n"


def write_gauges(report: DriftReport, file: Path) -> None:
    """Write the gauges as a file (``….prom``) that is there whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    made = file.with_name(f".{file.name}.{uuid4().hex}")
    made.write_text(exposition(report), encoding="utf-8")
    made.replace(file)


def _values(report: DriftReport) -> Iterator[tuple[str, float]]:
    yield "pocai_drift_report_timestamp_seconds", report.current[1].timestamp()
    yield "pocai_drift_documents", float(report.sizes[1][0])
    yield "pocai_drift_judged", float(report.judged)
    yield "pocai_drift_alarms", float(len(report.alarms))
    for shift in report.shifts:
        if shift.state != "unclear":
            yield f'pocai_drift_drifted{{figure="{shift.name}"}}', float(shift.state == "drifted")
    for shift in report.shifts:
        if shift.effect is not None:
            yield f'pocai_drift_effect_ratio{{figure="{shift.name}"}}', shift.effect
    known = report.accuracy
    shares = {
        "estimated_accuracy": known.estimate,
        "estimated_accuracy_before": _share(known.expected_before),
        "corrected_fields": _share(known.corrected),
        "corrected_fields_before": _share(known.corrected_before),
    }
    for name, share in shares.items():
        if share is not None:
            yield f"pocai_drift_{name}_ratio", share


def _share(estimated: Estimated | None) -> float | None:
    return None if estimated is None else estimated.share
