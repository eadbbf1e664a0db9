"""Fixtures of the model registry: one of its own in files for each test, with a version of a small model."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_packages import model_folder

from pocai.mlops.connection import own_folder
from pocai.mlops.model_version import ModelVersion
from pocai.mlops.package_cache import PACKAGES
from pocai.mlops.registry import Registry
from pocai.settings import MlopsSettings


@pytest.fixture(name="registry")
def a_registry(mlops: MlopsSettings) -> Registry:
    return Registry.open(mlops)


@pytest.fixture(name="version")
def a_version(registry: Registry, tmp_path: Path) -> ModelVersion:
    return registry.register(model_folder(tmp_path / "model"), "layout", kind="layout", description="the first")


def stored(registry: Registry, version: ModelVersion) -> Path:
    """The folder in which the run of a version keeps its package."""
    run = registry._client.get_run(version.run_id)
    return Path(run.info.artifact_uri) / PACKAGES / version.digest


def quarantine(mlops: MlopsSettings) -> list[Path]:
    """What is left there."""
    return list((own_folder(mlops) / "quarantine").iterdir())
