"""``feature_repo/``: its configurations are valid, and Feast's own command line applies from it what pocai applies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from feast.repo_config import load_repo_config
from feature_fixtures import PlaceOf, StoreOf, a_place, a_store  # noqa: F401 - fixtures
from feature_servers import a_memory

from pocai.feature_store.features import school_row
from pocai.feature_store.place import LONGEST

NOW = datetime.now(UTC)
ROOT = Path(__file__).parents[2]
REPO = ROOT / "feature_repo"
CONFIGS = sorted(REPO.glob("*/feature_store.yaml"))


@pytest.fixture(name="surroundings")
def all_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCAI_FEAST_REDIS", "127.0.0.1:6379,password=secret")
    monkeypatch.setenv("POCAI_FEAST_REGISTRY", str(tmp_path / "registry.db"))


def test_there_is_one_for_each_kind_of_online_store() -> None:
    assert [path.parent.name for path in CONFIGS] == ["cluster", "redis", "sqlite"]


@pytest.mark.usefixtures("surroundings")
@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: str(file.parent.name))
def test_feast_loads_it_and_it_means_what_pocai_does(file: Path, place: PlaceOf) -> None:
    kind = file.parent.name
    told = load_repo_config(REPO, file)
    ours = place(kind, address="redis://127.0.0.1" if kind != "sqlite" else "").repo_config()
    assert told.project == "pocai"
    assert told.provider == ours.provider
    assert told.offline_store.type == ours.offline_store.type == "duckdb"
    assert told.online_store.type == ours.online_store.type
    assert told.entity_key_serialization_version == ours.entity_key_serialization_version
    assert told.registry.cache_ttl_seconds == ours.registry.cache_ttl_seconds
    if kind != "sqlite":
        assert told.online_store.redis_type == ours.online_store.redis_type
        assert told.online_store.key_ttl_seconds == ours.online_store.key_ttl_seconds == LONGEST


def test_feasts_own_command_line_applies_it(tmp_path: Path, store: StoreOf) -> None:
    repo = tmp_path / "feature_repo"
    shutil.copytree(REPO, repo, ignore=shutil.ignore_patterns("data", "__pycache__"))
    (repo / "data").mkdir()
    config = ["-c", str(repo), "-f", str(repo / "sqlite/feature_store.yaml")]
    done = subprocess.run(
        [sys.executable, "-m", "feast.cli.cli", *config, "apply"],
        env={**os.environ, "POCAI_MODELS_VERSION": "9.9"},
        cwd=repo,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    used = store(registry=str(repo / "data/registry.db"), address=str(repo / "data/online.db"), project="pocai")
    services = {service.name: service.tags for service in used.feast().list_feature_services()}
    assert services["extraction_9_9"] == {"models": "9.9"}, "it was there before this store was applied"
    used.write([school_row("A", a_memory(1, NOW))])
    assert used.schools(["A"]) == [a_memory(1, NOW)]
