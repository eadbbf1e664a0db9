"""Documents that tests hand over as the host does, and the weeks that it is to get for them."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

import httpx
from host_application import Answers, Host
from host_contract import words_outside
from painted import painted
from PIL import Image
from serving import Running

from pocai.inference import pipeline
from pocai.server.projection import project
from pocai.timetable.timetable import WEEK, TimeBlock, Timetable

DEMO = (files("pocai") / "assets/demo/demo.png").read_bytes()
SHORT = Timetable(
    class_name="3 Kestrel",
    timeblocks=tuple(
        TimeBlock(day=day, name=name, start_time=start, end_time=end)
        for day in WEEK[:5]
        for name, start, end in (("Maths", "09:00", "10:00"), ("Lunch", "12:00", "13:00"), ("Art", "13:00", "14:30"))
    ),
)


@contextlib.contextmanager
def host_of(service: Running) -> Iterator[Host]:
    """The host of a service, which calls it and stores uploads where it finds them."""
    with httpx.Client(base_url=service.url, timeout=120) as client:
        yield Host(client, service.settings.server.host_application.roots[0])


def expected(content: bytes) -> dict[str, Any]:
    """What the host is to get for a document: all that `pocai extract` reads, projected."""
    told: dict[str, Any] = json.loads(week_of(content))
    return told


@cache
def week_of(content: bytes) -> str:
    return project(pipeline.extract(content)).model_dump_json(by_alias=True)


def as_bytes(picture: Image.Image, form: str, **how: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **how)
    return out.getvalue()


def page() -> Image.Image:
    """A small page, which is read quickly."""
    return painted(SHORT, days_across=True)


PAGE = as_bytes(page(), "PNG")


def marked(number: int, content: bytes = PAGE) -> bytes:
    """A picture with another pixel: the same week, another content."""
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    picture.putpixel((number, 0), (0, 0, 0))
    return as_bytes(picture, "PNG")


def check(answers: Answers, content: bytes) -> None:
    """The week of a document, and words inside the picture that the host has."""
    assert answers.timetable == expected(content)
    assert answers.gate["route"] == "ai"
    with Image.open(answers.path) as picture:
        assert words_outside(answers.ocr, picture.size) == []
