"""The document model "language" by its names: from the settings to the week, and what it has left out as warnings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from rendering import as_docx
from scripted_server import ScriptedServer, Told, scripted_server
from small_pages import SmallExamples, timetable_of

from pocai.documents.ingest import load
from pocai.errors import ConfigurationError, ModelError, UnknownModel
from pocai.inference.document_service import DocumentService
from pocai.inference.pipeline import read
from pocai.models.language_page import numbered
from pocai.server.workers import HANDED_DOWN, KEPT_BACK
from pocai.settings import LanguageEndpoint, Limits, SchoolHours, Settings
from pocai.training.document_model.language_labelled import placed_example

WEEK = timetable_of(SmallExamples(1, 3).names(0)).model_copy(update={"title": None})
DATA = as_docx(WEEK, days_across=True)
HOURS = SchoolHours()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


def settings(**endpoint: Any) -> Settings:
    return Settings(document_model="language", language=LanguageEndpoint(**{"model": "tiny", **endpoint}))


def told(change: str = "") -> Told:
    """The right answer about the document; ``change`` is a name for one more event."""
    example = placed_example(numbered(load(DATA, limits=Limits()).pages[0]), [WEEK])
    assert example is not None
    answer = json.loads(example.answer.to_json())
    if change:
        answer["timetables"][0]["events"].append({"name": {"at": [1], "is": change}})
    return Told(200, json.dumps({"choices": [{"message": {"content": json.dumps(answer)}}]}))


def test_the_endpoint_of_the_settings_reads_a_document(server: ScriptedServer) -> None:
    server.script = [told()]
    extraction = read(DATA, settings=settings(url=f"{server.url}/v1", key=SecretStr("sk-abc")))
    (found,) = extraction.timetables
    assert (extraction.document_model, extraction.warnings) == ("language", ())
    assert {(each.day, each.name, each.start_time) for each in found.timeblocks} == {
        (each.day, each.name, each.start_time) for each in WEEK.timeblocks
    }
    assert server.seen[0].headers["Authorization"] == "Bearer sk-abc"


def test_what_the_page_does_not_say_is_a_warning_without_its_text(server: ScriptedServer) -> None:
    server.script = [told("Quidditch")]
    extraction = read(DATA, settings=settings(url=f"{server.url}/v1"))
    number = len(WEEK.timeblocks) + 1
    assert len(extraction.timetables[0].timeblocks) == len(WEEK.timeblocks)
    (warning,) = extraction.warnings
    assert "name left out with its block, no line of the page says so" in warning
    assert warning.startswith("timetable 1, block ")
    assert int(warning.split("block ")[1].split(":")[0]) <= number


def test_the_rules_step_in_where_the_endpoint_fails(server: ScriptedServer) -> None:
    server.script = [Told(503, "")]
    extraction = read(DATA, settings=settings(url=f"{server.url}/v1"))
    assert (extraction.document_model, extraction.warnings[0]) == ("rules", "language failed: model_error")
    assert extraction.timetables


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ({}, "POCAI_LANGUAGE__URL"),
        ({"url": "http://127.0.0.1:9/v1", "model": None}, "POCAI_LANGUAGE__MODEL"),
        ({"url": "https://models.example.org/v1"}, "POCAI_LANGUAGE__EGRESS=true"),
    ],
)
def test_an_endpoint_that_may_not_be_asked_is_refused_at_once(endpoint: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read(DATA, settings=settings(**endpoint))


def test_egress_lets_text_go_to_another_machine() -> None:
    endpoint = LanguageEndpoint(url="https://models.example.org/v1", model="tiny", egress=True)
    DocumentService("language", HOURS, endpoint)


@pytest.mark.parametrize("name", ["language:nowhere", "language:nowhere+adapter"])
def test_a_folder_that_is_not_there_is_refused_at_once(name: str) -> None:
    with pytest.raises(ModelError, match="no folder nowhere"):
        DocumentService(name, HOURS)


def test_an_adapter_that_is_not_there_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no folder nowhere"):
        DocumentService(f"language:{tmp_path}+nowhere", HOURS)


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(UnknownModel, match=r"language, language:FOLDER, .*rules"):
        DocumentService("oracle:somewhere", HOURS)


def test_reading_processes_are_given_the_endpoint_without_its_key() -> None:
    whole = settings(url="http://127.0.0.1:9/v1", key=SecretStr("sk-abc"))
    handed_down = whole.model_dump(mode="json", include=HANDED_DOWN, exclude=KEPT_BACK)
    assert "sk-abc" not in json.dumps(handed_down) + repr(whole)
    assert Settings(**handed_down).language == whole.language.model_copy(update={"key": None})
