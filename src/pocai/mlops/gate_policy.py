"""What a model must keep to before it is promoted: the limits of the gate, stated for each kind of model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from pocai.models.package import ModelKind

Share = Annotated[float, Field(ge=0, le=1)]


class Tolerance(BaseModel):
    """By how much a slice of at least so many ``documents`` may be worse than the champion's (share, 0 to 1)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    documents: Annotated[int, Field(ge=1)]
    fall: Share


class GatePolicy(BaseModel):
    """Limits of the gate. The score is block F1 of a layout transformer, and 1 - character error rate of a student.

    Falls and errors are shares (0 to 1), ratios are to the champion in the same run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    least: Share = Field(0.8, description="score that made documents need at least")
    tolerances: tuple[Tolerance, ...] = Field(
        (Tolerance(documents=10, fall=0.02), Tolerance(documents=4, fall=0.1)),
        description="the first that a slice is large enough for holds; smaller slices are shown, and decide nothing",
    )
    served_fall: Share = Field(0.01, description="of block F1 with the rules beside it, as it is served by default")
    corrected_fall: Share = Field(0.0, description="of an adapter's score on the corrected documents held back")
    significance: Share = Field(
        0.05, description="chance of a fall so great without a difference, below which it counts"
    )
    margin: Share = Field(
        0.002, description="fall of the score that is never held against a candidate, significant or not"
    )
    require_better: bool = Field(default=False, description="whether the candidate must be significantly better")
    failures: Share = Field(0.0, description="share of documents that cannot be read, beside what the champion cannot")
    latency_ratio: float = Field(1.25, gt=0, description="of processor time, 95th percentile")
    latency_seconds: float = Field(1.0, gt=0, description="of a document, or 8 lines, 95th percentile")
    memory_ratio: float = Field(1.25, gt=0, description="of the memory that the model itself takes")
    memory_megabytes: float = Field(512.0, gt=0, description="of the whole process that reads with it")
    size_megabytes: float = Field(20.0, gt=0, description="of all files of the package")
    calibration: Share = Field(0.1, description="expected calibration error of its confidences")
    calibration_fall: Share = Field(0.01, description="by which that may exceed the champion's, where it is above")


POLICIES: Mapping[ModelKind, GatePolicy] = {
    "layout": GatePolicy(least=0.8),
    "student": GatePolicy(least=0.88, latency_seconds=0.5),
    "layout-adapter": GatePolicy(least=0.78),
    "student-adapter": GatePolicy(least=0.86, latency_seconds=0.5),
}
