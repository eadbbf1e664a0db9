"""Settings: one frozen, typed object, read only by the command line and the server.

Every value can be set by an environment variable: ``POCAI_LIMITS__MAX_PAGES=20``.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Limits(BaseModel):
    """What a document may cost; each is checked before the memory is spent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_bytes: int = Field(50 * 2**20, gt=0, description="size of the file, in bytes")
    max_pixels: int = Field(12_000_000, gt=0, description="pixels of a page; a larger picture is scaled down")
    max_source_pixels: int = Field(400_000_000, gt=0, description="pixels of a picture that is decoded at all")
    max_pages: int = Field(50, gt=0, description="pages that are read; later ones are left out with a warning")
    max_zip_ratio: float = Field(200.0, gt=1, description="unpacked size of an Office file over its packed size")
    max_unpacked_bytes: int = Field(300 * 2**20, gt=0, description="unpacked size of an Office file, in bytes")
    max_cells: int = Field(20_000, gt=0, description="cells of one sheet or table")
    max_seconds: float = Field(120.0, gt=0, description="wall time for one document, in seconds")


class SchoolHours(BaseModel):
    """When lessons happen: decides what "1.15" means where no am or pm is printed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    earliest: int = Field(6 * 60 + 30, ge=0, lt=1440, description="earliest start, minutes after midnight")
    latest: int = Field(22 * 60, gt=0, le=1440, description="latest end, minutes after midnight")


class QualityThresholds(BaseModel):
    """Thresholds of the quality gates (all shares or scores from 0 to 1)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accept_reading: float = Field(0.90, ge=0, le=1, description="mean recognizer score from which a page is accepted")
    reject_reading: float = Field(0.50, ge=0, le=1, description="mean recognizer score below which a page is rejected")
    accept_timed: float = Field(0.90, ge=0, le=1, description="share of blocks with start and end to be accepted")
    host_confidence: float = Field(0.80, ge=0, le=1, description="the host application's own gate")


class Settings(BaseSettings):
    """All settings of pocai."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="POCAI_", env_nested_delimiter="__")

    limits: Limits = Limits()
    school_hours: SchoolHours = SchoolHours()
    quality: QualityThresholds = QualityThresholds()
    ocr_engine: str = Field("ppocr", description="name of the OCR engine in the catalogue")
    document_model: str = Field("rules", description="name of the document model in the catalogue")
    threads: int = Field(0, ge=0, description="threads for inference; 0 takes the number of usable cores")
