"""Fixtures that several test files share."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest
from feature_fixtures import all_servers  # noqa: F401 - a fixture
from mlflow_server import an_mlflow_server  # noqa: F401 - a fixture
from serving import Running, running_service, settings_for

# An example may take long where another process has the core.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One service on loopback for all tests of a test process; access is off, one reading process."""
    with running_service(settings_for(tmp_path_factory.mktemp("service"))) as running:
        yield running
