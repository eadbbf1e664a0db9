"""``pocai drift report`` as an operator meets it, on a history that the feature store wrote."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from drifting import document_row, made_rows, school_row
from typer.testing import CliRunner, Result

from pocai.cli import app
from pocai.cli.drift import DRIFTED
from pocai.errors import ConfigurationError
from pocai.feature_store.encryption import Keys
from pocai.feature_store.feast_store import open_store
from pocai.feature_store.history import History
from pocai.settings import FeatureSettings

Run = Callable[..., Result]
KEY = bytes(range(32))
UNTIL = "2026-09-15"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``pocai drift report ARGUMENTS`` with a feature store of its own."""
    monkeypatch.setenv("POCAI_FEATURES__KIND", "sqlite")
    monkeypatch.setenv("POCAI_FEATURES__FOLDER", str(tmp_path / "features"))
    monkeypatch.setenv("POCAI_FEATURES__KEY", base64.b64encode(KEY).decode())
    return lambda *arguments: CliRunner().invoke(app, ["drift", "report", *(str(each) for each in arguments)])


@pytest.fixture
def filled(tmp_path: Path) -> None:
    """Two weeks in the history, the last two days of which are worse."""
    history = History(str(tmp_path / "features" / "history"), Keys.of(KEY).files)
    history.append(list(made_rows(np.random.default_rng(0), 14, 2)))


@pytest.mark.usefixtures("filled")
def test_a_change_is_told_and_written(run: Run, tmp_path: Path) -> None:
    gauges = tmp_path / "pocai.prom"
    told = run("--days", 2, "--reference", 12, "--until", UNTIL, "-o", tmp_path / "out", "--gauges", gauges)
    assert told.exit_code == 0, (told.output, told.exception)
    assert "Drifted: " in told.stdout
    assert "Secret" not in told.output
    assert {each.name for each in (tmp_path / "out").iterdir()} == {"drift.md", "drift.html"}
    assert 'pocai_drift_drifted{figure="document.sharpness"} 1.0' in gauges.read_text(encoding="utf-8")


@pytest.mark.usefixtures("filled")
def test_only_where_it_is_asked_for_the_exit_code_says_so(run: Run) -> None:
    found = run("--days", 2, "--reference", 12, "--until", UNTIL, "--json", "--fail-on-drift")
    assert found.exit_code == DRIFTED
    assert "document.sharpness" in json.loads(found.stdout)["alarms"]
    quiet = run("--days", 2, "--reference", 10, "--until", "2026-09-13", "--json", "--fail-on-drift")
    assert quiet.exit_code == 0, quiet.output
    assert json.loads(quiet.stdout)["alarms"] == []
    assert json.loads(quiet.stdout)["judged"] is True


def test_an_empty_history_is_no_error(run: Run) -> None:
    told = run("--fail-on-drift")
    assert told.exit_code == 0, (told.output, told.exception)
    assert "too few to say anything" in told.stdout


def test_without_a_store_the_error_says_what_to_set(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCAI_FEATURES__KIND", "none")
    told = run()
    assert isinstance(told.exception, ConfigurationError)
    assert "POCAI_FEATURES__KIND" in str(told.exception)


def test_what_the_feature_store_writes_is_read(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the key that the store made for itself in its folder, and texts sealed."""
    monkeypatch.delenv("POCAI_FEATURES__KEY")
    now = datetime.now(UTC)
    store = open_store(FeatureSettings(kind="sqlite", folder=tmp_path / "features"))
    try:
        store.apply()
        rows = [
            row
            for number in range(3)
            for row in document_row(f"{number}", now - timedelta(hours=number + 1), "north", ocr__text="Übung")
        ]
        store.write([*rows, school_row("north", now - timedelta(hours=1), 80, 8)])
    finally:
        store.close()
    told = run("--json")
    assert told.exit_code == 0, (told.output, told.exception)
    found = json.loads(told.stdout)
    assert found["documents"] == [0, 3]
    assert found["schools"] == [0, 1]
    assert found["accuracy"]["corrected"]["share"] == pytest.approx(0.1)
    assert found["accuracy"]["estimate"] == pytest.approx(0.95, abs=0.03)
