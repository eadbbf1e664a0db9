"""The one place that configures MLflow: a client for tracking and registry, in a database of our own or at a server.

MLflow takes some settings from the environment only. They are set there for this process, where they are not set yet:
no report of its use leaves the machine, a server that is silent is given up after seconds, nothing is drawn on the
terminal. Its password is not among them: it stays in memory and goes to the configured server only, whatever address
a run names for its files.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pocai.errors import ConfigurationError, NotAllowed, PocaiError, RegistryError
from pocai.mlops.file_lock import locked
from pocai.settings import MlopsSettings

if TYPE_CHECKING:
    from mlflow import MlflowClient

DATABASE, ARTEFACTS, LOCK = "mlflow.db", "artefacts", "connect.lock"
SQLITE = "sqlite:///"
AUTH = "pocai"  # under which MLflow knows who brings the password
ENVIRONMENT: Mapping[str, str] = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
_REFUSED = {401, 403}
_passwords: dict[str, tuple[str, str]] = {}  # by origin of a server; of two users in one process the last counts


def connect(settings: MlopsSettings) -> MlflowClient:
    """A client of the configured server or database, which has answered once; a database is made where there is none.

    Raises ConfigurationError for addresses that cannot be used, RegistryError for what cannot be reached, NotAllowed
    for what refuses us. Users of the client call it within `answered`.
    """
    place = tracking_uri(settings)
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of SQLAlchemy, about MLflow's own tables
            from mlflow import MlflowClient
    except ImportError as error:
        raise RegistryError("mlflow is not installed", mend="pip install 'pocai[mlops]'") from error
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    _keep_password(place, settings)
    # Two processes that make the tables of one database at a time would both fail: so one after the other.
    with answered(), locked(own_folder(settings) / LOCK), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _make_tables(place)
        client = MlflowClient(place, place)
        client.search_experiments(max_results=1)
    return client


def _make_tables(place: str) -> None:
    """Make a database in a file that is not there yet, whole or not at all: MLflow cannot go on with half of one."""
    from mlflow import MlflowClient

    database = Path(place.removeprefix(SQLITE))
    if not place.startswith(SQLITE) or database.exists():
        return
    draft = database.with_name(f".{database.name}")
    for each in (draft, draft.with_name(f"{draft.name}-journal")):
        each.unlink(missing_ok=True)
    MlflowClient(SQLITE + str(draft), SQLITE + str(draft)).search_experiments(max_results=1)
    draft.rename(database)


def tracking_uri(settings: MlopsSettings) -> str:
    """Where runs and models are kept. Raises ConfigurationError where it is no server or file, or holds a password."""
    if settings.tracking is None:
        return SQLITE + str(own_folder(settings) / DATABASE)
    parts = urlsplit(settings.tracking)
    if parts.scheme not in {"http", "https", "sqlite"}:
        what = f"POCAI_MLOPS__TRACKING names {parts.scheme or 'no'!r} address"
        raise ConfigurationError(what, mend="Name a server (http://…) or a file (sqlite:///…).")
    if parts.username is not None or parts.password is not None:
        what = "POCAI_MLOPS__TRACKING holds a password"
        raise ConfigurationError(what, mend="Set POCAI_MLOPS__USER and POCAI_MLOPS__PASSWORD instead.")
    return settings.tracking


def artefact_root(settings: MlopsSettings) -> str | None:
    """Below which new experiments keep their files; None where the server decides."""
    if settings.artefacts is not None:
        return settings.artefacts if "://" in settings.artefacts else str(_absolute(Path(settings.artefacts)))
    if settings.tracking is not None and not settings.tracking.startswith("sqlite:"):
        return None
    return str(own_folder(settings) / ARTEFACTS)


def experiment(client: MlflowClient, settings: MlopsSettings, name: str) -> str:
    """The id of an experiment, which is made where there is none; call it within `answered`."""
    from mlflow.exceptions import MlflowException

    root = artefact_root(settings)
    held = client.get_experiment_by_name(name)
    if held is None:
        try:
            place = None if root is None else f"{root.rstrip('/')}/{name}"
            return str(client.create_experiment(name, artifact_location=place))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another process was faster
                raise
            held = client.get_experiment_by_name(name)
    return str(held.experiment_id)


def own_folder(settings: MlopsSettings) -> Path:
    """The folder of what has no place of its own, which only we may read; it is made where it is missing."""
    folder = _absolute(settings.folder)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be made", mend="Set POCAI_MLOPS__FOLDER.") from error
    return folder


@contextmanager
def answered() -> Iterator[None]:
    """Turns what MLflow raises into RegistryError, and NotAllowed where the server knows us and refuses."""
    try:
        yield
    except PocaiError:
        raise
    except Exception as error:  # MLflow raises its own errors, and those of databases, HTTP and S3
        code = str(getattr(error, "error_code", "") or type(error).__name__)
        if refused(error):
            what = "the model registry does not allow this to us"
            raise NotAllowed(what, mend="Check POCAI_MLOPS__USER and its permissions at MLflow.") from error
        what = f"the model registry cannot be reached, or refuses ({code})"
        raise RegistryError(what, mend="Check POCAI_MLOPS__TRACKING, and whether its server runs.") from error


def refused(error: Exception) -> bool:
    """Whether an error of MLflow says that we may not do what we asked for."""
    status = getattr(getattr(error, "response", None), "status_code", None)  # of requests
    if status is None and hasattr(error, "get_http_status_code"):
        status = error.get_http_status_code()
    plain = any(f"error code {each}" in str(error) for each in _REFUSED)  # an answer that is no JSON
    return status in _REFUSED or plain


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - links stay as they are


def _keep_password(place: str, settings: MlopsSettings) -> None:
    """Have MLflow send user and password to this server, and to no other."""
    if settings.user is None or settings.password is None:
        return
    from mlflow.tracking.request_auth.abstract_request_auth_provider import RequestAuthProvider
    from mlflow.tracking.request_auth.registry import _request_auth_provider_registry as registry

    class Provider(RequestAuthProvider):  # type: ignore[misc]  # MLflow has no types
        """Brings the password."""

        def get_name(self) -> str:
            return AUTH

        def get_auth(self) -> Any:
            return _with_password

    _passwords[_origin(place)] = (settings.user, settings.password.get_secret_value())
    if not any(each.get_name() == AUTH for each in registry):
        registry.register(Provider)
    os.environ["MLFLOW_TRACKING_AUTH"] = AUTH


def _with_password(request: Any) -> Any:
    """A request (`requests.PreparedRequest`) with the password, where it goes to a server that we have one for."""
    from requests.auth import HTTPBasicAuth

    known = _passwords.get(_origin(request.url))
    return request if known is None else HTTPBasicAuth(*known)(request)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"
