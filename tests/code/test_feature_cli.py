"""``pocai features`` and ``pocai extract --school`` as an operator meets them, with Feast on SQLite."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from calling import week
from redis_server import free_port
from typer.testing import CliRunner, Result

from pocai.cli import app
from pocai.errors import ConfigurationError, FeatureStoreError, InputError
from pocai.timetable.school import CORRECTED

Run = Callable[..., Result]
PATIENCE = 120.0
DIGEST = hashlib.sha256(b"").hexdigest()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``pocai ARGUMENTS`` with a feature store of its own."""
    environment = {
        "POCAI_FEATURES__KIND": "sqlite",
        "POCAI_FEATURES__FOLDER": str(tmp_path / "features"),
        "POCAI_FEATURES__KEY": base64.b64encode(bytes(range(32))).decode(),
        "POCAI_SERVER__STATE_DIR": str(tmp_path / "state"),
        "COLUMNS": "200",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def saved(path: Path, *names: str, when: datetime | None = None) -> Path:
    """A result as `pocai extract` saves it, with a lesson a name, saved at a time."""
    blocks = [{"day": "Monday", "name": name, "startTime": "09:00", "endTime": "10:00"} for name in names]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"timetables": [{"timeblocks": blocks}], "warnings": []}), encoding="utf-8")
    if when is not None:
        os.utime(path, (when.timestamp(), when.timestamp()))
    return path


def done(result: Result) -> str:
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def school(run: Run, name: str) -> dict[str, Any]:
    found = json.loads(done(run("features", "get", "--school", name, "--json")))
    assert isinstance(found, dict)
    return found


# --- push, get, forget -----------------------------------------------------------------------------------------------


def test_timetables_are_taught_and_shown(run: Run, tmp_path: Path) -> None:
    applied = run("features", "apply")
    assert applied.exit_code == 0, applied.output
    assert "school, ocr, document" in applied.stderr
    read, right = saved(tmp_path / "read.json", "Maths", "Ort"), saved(tmp_path / "right.json", "Maths", "Art")
    done(run("features", "push", read, "--school", "north"))
    told = run("features", "push", right, "--school", "north", "--corrected", "--read", read, "--adapter", "out/north")
    assert "2 documents are remembered of this school, 1 corrected" in told.stderr
    found = school(run, "north")
    assert found["names"] == {"Maths": 1 + CORRECTED, "Art": CORRECTED, "Ort": 1}
    assert (found["correctionRate"], found["adapter"]) == (0.125, "out/north")
    shown = done(run("features", "get", "--school", "north"))
    assert f"Maths ({1 + CORRECTED}), Art ({CORRECTED}), Ort (1)" in shown
    assert f"09:00–10:00 ({2 + 2 * CORRECTED})" in shown
    assert "12.5%" in shown


def test_a_school_is_forgotten_and_that_is_proved(run: Run, tmp_path: Path) -> None:
    for name in ("north", "trust/south"):
        done(run("features", "push", saved(tmp_path / "one.json", "Potions"), "--school", name))
    gone = run("features", "forget", "--school", "trust/south")
    assert gone.exit_code == 0, gone.output
    assert "Erased 2 rows; looked for again: 0 are left" in gone.stderr  # online, and in the history
    assert isinstance(run("features", "get", "--school", "trust/south").exception, InputError)
    assert school(run, "north")["documents"] == 1
    (line,) = (tmp_path / "state/audit.jsonl").read_text(encoding="utf-8").splitlines()
    told = json.loads(line)
    assert (told["action"], told["tenant"], told["subject"]) == ("features.forget", "trust", f"uid:{os.getuid()}")
    assert "south" not in line
    again = run("features", "forget", "--school", "trust/south")
    assert "Erased 0 rows" in again.stderr


def test_the_history_comes_online_again(run: Run, tmp_path: Path) -> None:
    done(run("features", "push", saved(tmp_path / "one.json", "Maths"), "--school", "north"))
    before = school(run, "north")
    (tmp_path / "features/online.db").unlink()
    assert run("features", "get", "--school", "north").exit_code != 0
    yesterday, tomorrow = (datetime.now(UTC) + timedelta(days=days) for days in (-1, 1))
    told = run("features", "materialize", f"{yesterday:%Y-%m-%d}", f"{tomorrow:%Y-%m-%dT%H:%M:%S}")
    assert "1 rows are online" in told.stderr
    assert school(run, "north") == before


# --- backfill ------------------------------------------------------------------------------------------------------


def test_results_are_taught_in_the_order_of_their_time(run: Run, tmp_path: Path) -> None:
    begin = datetime.now(UTC) - timedelta(days=20)
    results = tmp_path / "results"
    for day, (path, name) in enumerate((("b/late.json", "New"), ("a/x.json", "Art"), ("b/c/early.json", "Old"))):
        saved(results / path, name, "Maths", when=begin - timedelta(days=day))
    (results / "a/broken.json").write_text("no JSON", encoding="utf-8")
    saved(results / "a/empty.json")
    told = run("features", "backfill", results)
    assert told.exit_code == InputError.exit_code
    assert "3 documents of 2 schools" in told.stderr
    assert "broken.json: the file is no JSON" in told.stderr
    assert "empty.json: the file holds no lessons" in told.stderr
    found = school(run, "b")
    assert found["names"] == {"Maths": 2, "New": 1, "Old": 1}
    assert datetime.fromisoformat(found["updatedAt"]) == pytest.approx(begin, abs=timedelta(seconds=1))
    assert school(run, "a")["documents"] == 1
    for broken in ("broken", "empty"):
        (results / f"a/{broken}.json").unlink()
    done(run("features", "backfill", results))
    assert school(run, "b")["documents"] == 4  # it was told twice
    done(run("features", "backfill", results, "--anew"))
    assert school(run, "b")["documents"] == 2
    done(run("features", "backfill", results, "--school", "all"))
    assert school(run, "all")["names"] == {"Maths": 3, "Art": 1, "New": 1, "Old": 1}


def test_many_results_are_written_together(run: Run, tmp_path: Path) -> None:
    for number in range(150):
        saved(tmp_path / f"results/s/{number}.json", f"Lesson {number}")
    done(run("features", "backfill", tmp_path / "results"))
    found = school(run, "s")
    assert (found["documents"], len(found["names"])) == (150, 150)
    assert len(list((tmp_path / "features/history").rglob("*.parquet"))) <= 3


# --- extract --school ------------------------------------------------------------------------------------------------


def test_what_is_read_is_remembered_and_measured(run: Run, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.docx").write_bytes(week(name))
    told = run("extract", tmp_path / "one.docx", tmp_path / "two.docx", "-o", tmp_path / "out", "--school", "north")
    assert told.exit_code == 0, told.output
    found = school(run, "north")
    assert (found["documents"], found["names"]["Maths"]) == (2, 6)
    digest = hashlib.sha256((tmp_path / "one.docx").read_bytes()).hexdigest()
    document = json.loads(done(run("features", "get", "--school", "north", "--document", digest)))
    assert document["views"]["document"]["format"] == "docx"
    assert "text" not in document["views"]["ocr"]
    gone = run("features", "forget", "--school", "north", "--document", digest)
    assert "0 are left" in gone.stderr
    assert isinstance(run("features", "get", "--school", "north", "--document", digest).exception, InputError)
    assert school(run, "north")["documents"] == 2
    assert "Erased 7 rows" in run("features", "forget", "--school", "north").stderr  # and the other document with it


def test_without_a_store_extract_says_so_before_it_reads(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POCAI_FEATURES__KIND")
    (tmp_path / "one.docx").write_bytes(week("one"))
    told = run("extract", tmp_path / "one.docx", "--school", "north")
    assert isinstance(told.exception, ConfigurationError)
    assert "POCAI_FEATURES__KIND" in str(told.exception)
    assert told.stdout == ""
    assert run("extract", tmp_path / "one.docx").exit_code == 0


def test_a_store_that_is_away_does_not_hinder_reading(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POCAI_FEATURES__KIND", "redis")
    monkeypatch.setenv("POCAI_FEATURES__CONNECTION", f"redis://:hunter2@127.0.0.1:{free_port()}/0")
    (tmp_path / "one.docx").write_bytes(week("one"))
    told = run("extract", tmp_path / "one.docx", "--school", "Hogwarts")
    assert told.exit_code == 0, told.output
    assert "Maths" in told.stdout
    assert "read without what is known of the school" in told.stderr
    assert "not remembered" in told.stderr
    assert "hunter2" not in told.output
    assert "Hogwarts" not in told.output
    failed = run("features", "get", "--school", "Hogwarts")
    assert isinstance(failed.exception, FeatureStoreError)
    assert "hunter2" not in str(failed.exception)


# --- what cannot be done ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ('"text"', "no timetables"),
        ('{"timetables": 1}', "no timetables"),
        ('{"timetables": [{"timeblocks": [{"day": "Secret", "name": "x"}]}]}', "timeblocks.0.day"),
    ],
)
def test_a_file_that_cannot_be_used_is_explained(run: Run, tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "file.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    failed = run("features", "push", file, "--school", "north")
    assert isinstance(failed.exception, InputError)
    assert said in str(failed.exception)
    assert "Secret" not in str(failed.exception)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["forget", "--school", "s", "--document", "abc"], "SHA-256"),
        (["get", "--school", "s", "--document", DIGEST.upper()], "SHA-256"),
        (["materialize", "2026-09-02", "2026-09-01"], "later"),
        (["forget"], "--school"),
    ],
)
def test_an_option_that_cannot_be_meant_is_explained(run: Run, arguments: list[str], said: str) -> None:
    failed = run("features", *arguments)
    assert failed.exit_code == 2
    assert said in failed.stderr


def test_read_goes_with_corrected(run: Run, tmp_path: Path) -> None:
    file = saved(tmp_path / "one.json", "Maths")
    assert "--corrected" in run("features", "push", file, "--school", "s", "--read", file).stderr


@pytest.mark.parametrize("place", ["", "loose.json"])
def test_a_folder_that_cannot_be_used_is_explained(run: Run, tmp_path: Path, place: str) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    if place:
        saved(folder / place, "Maths")
    failed = run("features", "backfill", folder)
    assert isinstance(failed.exception, InputError)
    assert ("--school" if place else "no results") in str(failed.exception)


@pytest.mark.parametrize("name", ["", "x" * 201, "a\x1b[31m"])
def test_a_name_that_no_school_can_have(run: Run, tmp_path: Path, name: str) -> None:
    file = saved(tmp_path / "one.json", "Maths")
    failed = run("features", "push", file, "--school", name)
    assert isinstance(failed.exception, FeatureStoreError)
    assert "characters" in str(failed.exception)


# --- serve ---------------------------------------------------------------------------------------------------------


def test_feasts_server_reads_and_does_nothing_else(run: Run, tmp_path: Path) -> None:
    done(run("features", "push", saved(tmp_path / "one.json", "Potions"), "--school", "north"))
    port = free_port()
    command = [sys.executable, "-m", "pocai", "features", "serve", "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _until_up(url, process)
            asked = {"features": ["school:documents", "school:names"], "entities": {"school": ["north", "nobody"]}}
            answer = httpx.post(f"{url}/get-online-features", json=asked, timeout=PATIENCE)
            assert answer.status_code == 200, answer.text
            told = answer.json()
            found = dict(zip(told["metadata"]["feature_names"], told["results"], strict=True))
            assert found["documents"]["values"] == [1, None]
            assert set(found["names"]["statuses"]) == {"PRESENT", "NOT_FOUND"}
            assert "Potions" not in answer.text  # texts stay encrypted
            for path in ("/push", "/write-to-online-store", "/materialize", "/chat", "/docs", "/openapi.json"):
                assert httpx.post(f"{url}{path}", json={}, timeout=PATIENCE).status_code == 404
        finally:
            process.terminate()


def _until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, "the server ended at once"
        assert time.monotonic() < end, "the server does not start"
        try:
            if httpx.get(f"{url}/health", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)


@pytest.mark.parametrize("host", ["0.0.0.0", "example.org"])
def test_feasts_server_listens_to_this_machine_only(run: Run, host: str) -> None:
    failed = run("features", "serve", "--host", host)
    assert isinstance(failed.exception, ConfigurationError)
    assert "credentials" in str(failed.exception)
