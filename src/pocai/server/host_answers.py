"""What the host application asks and is answered, as types: field for field those of its original middleware.

Unknown fields of a request are ignored, as the original does. `HostTimetable` is stricter than the original: whatever
it holds, the host stores and shows (English day, times as zero-padded HH:MM, year 2000 to 2100).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from pocai.timetable.timetable import Day, Time

HIDDEN = "***"
LEAST_YEAR, LAST_YEAR = 2000, 2100  # what the host takes as a year


def _encodable(text: str) -> str:
    """The text, where UTF-8 can hold it: JSON can also write half characters (RFC 8259, 8.2), and no answer can."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PydanticCustomError("string_unicode", "Input should be a string of whole characters") from error
    return text


Share = Annotated[float, Field(ge=0, le=1)]
Told = Annotated[str, AfterValidator(_encodable)]  # what an answer may repeat


class _Exchanged(BaseModel):
    """Base of all requests and answers of the host."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class _Asked(BaseModel):
    """Base of the requests, whose names are in snake case."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class EnhanceRequest(_Asked):
    """Which file to enhance, and the folder that the enhanced picture goes to."""

    image_path: Told = Field(description="path of the upload, as the host stored it", examples=["uploads/d1/a1b2.webp"])
    output_dir: Told = Field(description="folder for the enhanced picture; made where it is missing")


class EnhanceAnswer(_Asked):
    """Where the enhanced picture lies: a PNG with the pixel size of the picture that was handed in."""

    enhanced_image_path: str


class OcrRequest(_Asked):
    """Which file to read; usually the enhanced picture."""

    image_path: Told


class HostWord(_Asked):
    """A word and its box in pixels of the enhanced picture."""

    text: str
    confidence: Share
    left: int
    top: int
    width: int
    height: int


class OcrAnswer(_Asked):
    """What was read: ``text`` is all words joined by one space. The host sends it back whole to the quality gate."""

    text: str
    confidence: Share = Field(description="the host's own measure of a reading; no probability")
    words: tuple[HostWord, ...]
    engine: str = "tesseract"


class GateRequest(OcrAnswer):
    """The answer of ``/ocr/process``, sent back as it is; ``confidence`` may be a numeric string."""


class GateAnswer(_Asked):
    """Where the document goes; the host asks for a timetable only where ``route`` is ``ai``."""

    route: Literal["ai", "validation"]
    confidence: Share
    reason: str


class AiRequest(_Asked):
    """Which file to extract the timetable of.

    The local models answer whatever ``provider`` and ``model`` are named. ``api_key`` is a secret of the host's user:
    it is neither used nor stored nor logged nor sent anywhere.
    """

    image_path: Told
    provider: Told | None = "claude"
    model: Told | None = None
    api_key: SecretStr | None = Field(None, exclude=True, repr=False)


class HostBlock(_Exchanged):
    """One event on one day. Two of the same day never overlap; times are in order where both are there."""

    day: Day
    name: str = Field(min_length=1)
    start_time: Time | None
    end_time: Time | None
    notes: str | None


class HostTimetable(_Exchanged):
    """A week as the host stores it; ``warnings`` say what is not in it (the host drops them)."""

    teacher: str | None
    class_name: str | None
    term: str | None
    year: int | None = Field(ge=LEAST_YEAR, le=LAST_YEAR)
    timeblocks: tuple[HostBlock, ...]
    warnings: tuple[str, ...] = ()


class HostError(_Asked):
    """The body of an error: what went wrong, as one sentence."""

    detail: str


class AiFailure(_Asked):
    """Why there is no timetable; ``provider`` and ``model`` are those of the request."""

    error: str
    provider: str | None
    model: str | None
    error_type: str
    hint: str | None = None


class AiError(_Asked):
    """The body of an error of ``/ai/extract-async``."""

    detail: AiFailure


class Message(_Asked):
    """The greeting at the root."""

    message: str


class Health(_Asked):
    """That the service is up; the host asserts both values."""

    status: Literal["healthy"] = "healthy"
    service: Literal["ai-middleware"] = "ai-middleware"


def invalid(problems: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The ``detail`` of a 422: pydantic's problems, with what the request held fit to be shown.

    Secrets become ``***``, and so does a body that is no object; what JSON in UTF-8 cannot hold is replaced.
    """
    told = []
    for problem in problems:
        entry = {name: _shown(value) for name, value in problem.items()}
        where, held = problem.get("loc", ()), problem.get("input")
        if any(_is_secret(str(part)) for part in where) or (where == ("body",) and not isinstance(held, dict | None)):
            entry["input"] = HIDDEN
        told.append(entry)
    return told


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return {_shown(str(name)): HIDDEN if _is_secret(str(name)) else _shown(held) for name, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shown(held) for held in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, (bool, int)) else HIDDEN


def _is_secret(name: str) -> bool:
    return any(part in name.casefold() for part in ("key", "token", "secret", "password"))
