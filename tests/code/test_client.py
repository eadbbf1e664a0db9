"""The client, blocking and asynchronous: one suite for both, against the real service."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import shutil
import subprocess
import sys
import traceback
from collections.abc import Iterator
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

import docx
import pytest
from clients import Connect, connecting
from serving import Running, running_service, settings_for

import pocai
from pocai import errors
from pocai.cli import main
from pocai.cli.environment import server_settings
from pocai.client import AsyncClient, Client
from pocai.client.connection import LOCAL
from pocai.inference.answers import Status
from pocai.server.auth import access_on
from pocai.server.security import check_safe
from pocai.settings import Settings

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/INTEGRATION.md").read_text(encoding="utf-8")
DEMO = Path(pocai.__file__).parent / "assets/demo/demo.png"
SECRET = "pocai_0a1b2c3d_" + "x" * 43  # opens nothing


@pytest.fixture(params=["blocking", "asynchronous"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    with connecting(request.param) as connect:
        yield connect


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Word timetable, which is read quickly."""
    document = docx.Document()
    table = document.add_table(rows=0, cols=3)
    table.style = "Table Grid"
    for row in (("", "Monday", "Tuesday"), ("9.00-10.00", "Maths", "English"), ("10.15-11.15", "Science", "History")):
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text
    path = tmp_path_factory.mktemp("school") / "week.docx"
    document.save(str(path))
    return path


# --- the package ---------------------------------------------------------------------------------------------------


def test_both_clients_offer_the_same_calls() -> None:
    def calls(kind: type) -> dict[str, list[inspect.Parameter]]:
        named = {"aclose": "close"}
        found = inspect.getmembers(kind, inspect.isfunction)
        return {
            named.get(name, name): list(inspect.signature(call).parameters.values())
            for name, call in found
            if name[0] != "_" or name == "__init__"
        }

    assert calls(Client) == calls(AsyncClient)


def test_importing_the_client_loads_neither_the_server_nor_a_model() -> None:
    code = "import pocai.client, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    )
    assert "httpx" in loaded
    assert not loaded & {"fastapi", "starlette", "cv2", "torch", "onnxruntime", "rapidocr", "numpy", "PIL", "typer"}


# --- addresses and credentials -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "options", "told"),
    [
        ("http://pocai.example:8000", {"api_key": SECRET}, "in clear"),
        ("http://pocai.example:8000", {"token": "a.b.c"}, "in clear"),
        ("http://any:secret@127.0.0.1:8000", {}, "holds credentials"),
        ("ftp://127.0.0.1", {}, "no address"),
        ("127.0.0.1:8000", {}, "no address"),
        ("http://127.0.0.1:port", {}, "no URL"),
        ("http://127.0.0.1:8000", {"api_key": ""}, "empty"),
        ("http://127.0.0.1:8000", {"api_key": f'"{SECRET} "'}, "characters"),
        ("http://127.0.0.1:8000", {"api_key": SECRET, "token": "a.b.c"}, "a token were given"),
        ("http://127.0.0.1:8000", {"timeout": 0}, "timeout=0"),
        ("http://127.0.0.1:8000", {"retries": -1}, "retries=-1"),
    ],
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_what_cannot_be_used_or_is_not_safe_is_refused(
    kind: type[Client | AsyncClient], url: str, options: Any, told: str
) -> None:
    with pytest.raises(errors.ConfigurationError, match=told) as caught:
        kind(url, **options)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("http://pocai.example:8000", {}),
        ("http://pocai.example:8000", {"api_key": SECRET, "insecure": True}),
        ("https://pocai.example/under/here", {"api_key": SECRET}),
        ("http://localhost:8000", {"token": "a.b.c", "api_key": None}),
        ("http://[::1]:8000", {"api_key": SECRET}),
    ],
)
def test_what_is_safe_is_taken(connect: Connect, url: str, options: Any) -> None:
    assert connect(url, **options) is not None


# --- the real service ----------------------------------------------------------------------------------------------


def test_a_document_is_read_as_it_is_read_here(connect: Connect, service: Running, week: Path) -> None:
    api = connect(service.url)
    assert api.healthy()
    done = api.extract(week, include_text=True)
    assert list(done.result.timetables) == pocai.extract(week)
    assert done.document.name == "week.docx"
    assert "Monday" in done.result.pages[0].text
    assert api.get(done.id).result.pages == ()
    assert api.read(week).pages == done.result.pages


def test_progress_is_told_in_order_to_the_end(connect: Connect, service: Running, week: Path) -> None:
    told: list[tuple[str, float]] = []
    done = connect(service.url).extract(week, on_progress=lambda *each: told.append(each))
    shares = [share for _, share in told]
    assert done.status == "succeeded"
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_a_job_is_handed_in_followed_exported_and_forgotten(connect: Connect, service: Running, week: Path) -> None:
    api = connect(service.url)
    handed_in = api.submit(week, name="week.png", deadline=60)
    statuses = [each.status for each in api.events(handed_in.id)]
    assert statuses[-1] is Status.SUCCEEDED
    assert api.wait(handed_in.id) == api.get(handed_in.id)
    assert json.loads(api.export(handed_in.id, "json"))["timetables"]
    assert b"Monday" in api.export(handed_in.id, "csv")
    assert api.export(handed_in.id, "xlsx").startswith(b"PK")
    calendar = api.export(handed_in.id, "ics", start=date(2026, 9, 1), end=date(2026, 12, 18), timezone="Europe/Paris")
    assert all(part in calendar for part in (b"BEGIN:VCALENDAR", b"Europe/Paris", b"20261218"))
    assert api.overlay(handed_in.id).startswith(b"\x89PNG")
    assert api.cancel(handed_in.id) is False
    api.delete(handed_in.id)
    with pytest.raises(errors.NotFound):
        api.get(handed_in.id)


def test_a_job_that_waits_can_be_cancelled_and_forgotten(connect: Connect, service: Running, week: Path) -> None:
    api = connect(service.url)
    ahead, cancelled, deleted = api.submit(DEMO), api.submit(week), api.submit(week)  # the first takes its time
    assert api.cancel(cancelled.id) is True
    assert api.cancel(cancelled.id) is True
    assert api.get(cancelled.id).status is Status.CANCELLED
    with pytest.raises(errors.Conflict):
        api.wait(cancelled.id)
    api.delete(deleted.id)
    with pytest.raises(errors.NotFound):
        api.get(deleted.id)
    assert api.wait(ahead.id).status is Status.SUCCEEDED
    assert api.cancel(ahead.id) is False
    assert api.get(ahead.id).status is Status.SUCCEEDED


def test_what_the_service_refuses_is_raised_here(connect: Connect, service: Running) -> None:
    api = connect(service.url)
    with pytest.raises(errors.UnsupportedFormat, match="plain text") as caught:
        api.extract(b"no document")
    assert caught.value.mend
    assert [note.split()[0] for note in caught.value.__notes__] == ["extraction", "request"]
    with pytest.raises(errors.UnreadableDocument):
        api.extract(b"%PDF-1.7 damaged", on_progress=lambda *_: None)
    with pytest.raises(errors.UnknownModel):
        api.model("no-such-model")
    with pytest.raises(errors.NotFound):
        api.get("0" * 32)
    assert {each.name for each in api.models()} >= {"cascade", "ppocr", "rules"}
    assert api.model("cascade").default


def test_a_key_opens_a_service_that_asks_for_one(connect: Connect, tmp_path: Path, week: Path) -> None:
    with running_service(settings_for(tmp_path, access={"mode": "on"})) as service:
        _, key = service.service.keys.create("test", "school", frozenset({"extract"}), None)
        assert connect(service.url, api_key=key).extract(week).status is Status.SUCCEEDED
        with pytest.raises(errors.NotAuthenticated):
            connect(service.url).extract(week)
        with pytest.raises(errors.NotAllowed):
            connect(service.url, api_key=key).models()


# --- the guide -----------------------------------------------------------------------------------------------------


def blocks(language: str) -> list[str]:
    """The fenced blocks of the guide in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("code", blocks("python"))
def test_every_python_block_of_the_guide_runs(
    code: str, service: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(DEMO, tmp_path / "week.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POCAI_KEY", SECRET)
    assert LOCAL in code
    exec(compile(code.replace(LOCAL, service.url), "INTEGRATION.md", "exec"), {})


def test_every_command_of_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCAI_SERVER__STATE_DIR", str(tmp_path))
    commands = [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines()]
    assert commands
    for command in commands:
        with pytest.raises(SystemExit) as caught:
            main(shlex.split(command)[1:])
        assert caught.value.code == 0, command


def default(name: str) -> Any:
    """The default of a setting, by the name of its environment variable."""
    value: Any = Settings()
    for part in name.removeprefix("POCAI_").lower().split("__"):
        value = getattr(value, part)
    return value


def test_every_setting_of_the_guide_exists_and_its_limits_are_the_defaults() -> None:
    for name in set(re.findall(r"POCAI_[A-Z_]+[A-Z]", GUIDE)) - {"POCAI_KEY"}:
        default(name)
    limits = re.findall(r"^\| `(POCAI_\w+)` \| (\S+) \|", GUIDE, re.MULTILINE)
    assert len(limits) > 10
    assert [(name, told) for name, told in limits if str(default(name)) != told] == []


def test_the_configurations_of_the_guide_can_be_used_and_are_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    (compose,) = (import_module("yaml").safe_load(block) for block in blocks("yaml"))
    (file,) = blocks("properties")
    for environment in (
        compose["services"]["pocai"]["environment"],
        dict(line.split("=", 1) for line in file.splitlines() if not line.startswith("#")),
    ):
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            settings = server_settings()
        check_safe(settings)
        assert [str(root) for root in settings.server.host_application.roots] == [environment["STORAGE_PATH"]]
        assert access_on(settings)


def test_every_link_of_the_guide_leads_somewhere() -> None:
    anchors = {
        re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-")
        for line in GUIDE.splitlines()
        if line[:2] == "##"
    }
    for target in re.findall(r"\]\(([^)]+)\)", GUIDE):
        assert target[1:] in anchors if target.startswith("#") else (ROOT / "docs" / target).exists(), target
