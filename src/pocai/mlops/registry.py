"""The registry of models, on MLflow: packages that are signed when they come in, and verified before every use."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, get_args

from pocai.errors import InputError, UnknownModel, UntrustedModel
from pocai.mlops.connection import answered, connect, experiment, own_folder
from pocai.mlops.journal import Entry, Journal
from pocai.mlops.model_version import (
    GATE,
    LONGEST,
    Gate,
    ModelVersion,
    card_text,
    check_model_name,
    is_ours,
    read_version,
    tags_of,
)
from pocai.mlops.package_cache import PACKAGES, PackageCache
from pocai.mlops.quarantine import check_sizes, fetch, names_below, quarantined
from pocai.mlops.trust import signing_key, trusted_keys
from pocai.models.package import ModelKind, pack
from pocai.models.signing import sign, signed_by, verified
from pocai.settings import MlopsSettings

if TYPE_CHECKING:
    from types import TracebackType

    from mlflow import MlflowClient

__all__ = ["ALIASES", "Lineage", "ModelVersion", "Registry"]
Alias = Literal["champion", "challenger", "shadow", "previous"]
ALIASES: tuple[Alias, ...] = get_args(Alias)
EXPERIMENT, JOURNAL = "models", "journal.jsonl"
ATTACHED = "versions"  # folder of a run
STATE, HEAD = "pocai.state", "pocai.journal"  # tags of a registered model
MOST_ATTACHED = 256 * 2**20  # bytes
_ABSENT = {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"}
_PAGE = 200

log = logging.getLogger(__name__)


class Verdict(Protocol):
    """What `pocai.mlops.gate` finds."""

    @property
    def passed(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a version comes from, and where it went: data → run → version → deployments, the oldest first.

    ``run`` are the tags of its run that say how it came about, by name.
    """

    data_sha256: str | None
    run: Mapping[str, str]
    version: ModelVersion
    deployments: tuple[Entry, ...]


class Registry:
    """The models of one MLflow, which `open` connects to; may be used by several threads.

    What is not there raises UnknownModel, what cannot be reached RegistryError, what we may not do NotAllowed.
    """

    def __init__(self, client: MlflowClient, settings: MlopsSettings) -> None:
        self._client = client
        self._settings = settings
        self._folder = own_folder(settings)
        self._packages = PackageCache(client, settings)

    @classmethod
    def open(cls, settings: MlopsSettings) -> Self:
        """The registry of the settings."""
        return cls(connect(settings), settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open."""

    @property
    def trusted(self) -> tuple[Path, ...]:
        """The public keys whose models are loaded."""
        return trusted_keys(self._settings)

    @property
    def journal(self) -> Journal:
        """The journal of deployments that lies beside."""
        return Journal(self._folder / JOURNAL)

    # --- versions ------------------------------------------------------------------------------------------------

    def register(
        self, folder: Path, name: str, *, kind: ModelKind, run_id: str | None = None, description: str = ""
    ) -> ModelVersion:
        """Pack a model (see `pack`), sign it, and add it as a new version; without ``run_id`` it gets its own run.

        Raises UntrustedModel where the model has a form that is never loaded, ConfigurationError where the key that
        signs is not trusted: then nothing is registered.
        """
        check_model_name(name)
        with quarantined(self._folder) as place:
            package = place / "package"
            pack(_in_open_forms(folder, place, kind), package, kind)
            sign(package, signing_key(self._settings))
            manifest = verified(package, self.trusted)
            run = run_id or self._new_run(f"{name} registered")
            source = f"{PACKAGES}/{manifest.digest}"
            with answered():
                self._client.log_artifacts(run, str(package), source)
                if run_id is None:
                    self._client.set_terminated(run)
                self._ensure(name)
                made = self._client.create_model_version(
                    name,
                    source=f"{self._client.get_run(run).info.artifact_uri}/{source}",
                    run_id=run,
                    tags=tags_of(package, manifest, signed_by(package)),
                    description=card_text(package, manifest, description),
                )
        return read_version(made, {})

    def versions(self, name: str | None = None) -> tuple[ModelVersion, ...]:
        """All versions under a name, or under all names, by name and number; those of others are left out."""
        wanted = None if name is None else f"name = '{check_model_name(name)}'"
        with answered():
            found = list(_pages(self._client.search_model_versions, wanted))
            models = list(_pages(self._client.search_registered_models, wanted))
        aliases = {model.name: _numbers(model.aliases) for model in models}
        if name is not None and name not in aliases:
            raise _unknown(name)
        ours = (_readable(each, aliases.get(each.name, {})) for each in found if is_ours(each))
        return tuple(sorted((each for each in ours if each), key=_key))

    def get(self, name: str, reference: int | str) -> ModelVersion:
        """A version by its number, or by an alias."""
        aliases = self.aliases(name)
        number = aliases.get(str(reference)) if str(reference) in ALIASES else _number(reference)
        if number is None:
            raise _unknown(f"{name}@{reference}")
        with _existing(f"{name}@{reference}"):
            return read_version(self._client.get_model_version(name, str(number)), aliases)

    def aliases(self, name: str) -> Mapping[str, int]:
        """Which versions bear aliases."""
        return _numbers(self._model(name).aliases)

    def set_alias(self, name: str, alias: str, version: int | None) -> None:
        """Give an alias to a version, from whichever has it; None takes it away."""
        if alias not in ALIASES:
            raise InputError(f"there is no alias {alias[:80]!a}", mend=f"Known: {', '.join(ALIASES)}.")
        with _existing(f"{name}@{version or alias}"):
            if version is not None:
                self._client.set_registered_model_alias(name, alias, str(version))
            elif alias in self._client.get_registered_model(name).aliases:
                self._client.delete_registered_model_alias(name, alias)

    # --- files ---------------------------------------------------------------------------------------------------

    def pull(self, version: ModelVersion) -> Path:
        """The folder of a version's package, which was verified just now; fetched where it is not there yet.

        Raises UntrustedModel where it is not what was registered, not signed by a trusted key, or never to be loaded.
        """
        return self._packages.pull(version)

    def pull_adapter(self, version: ModelVersion) -> Path:
        """The folder of an adapter as models take it, made from the package that was verified just now."""
        return self._packages.pull_adapter(version)

    def attach(self, version: ModelVersion, file: Path) -> None:
        """Keep a file with a version."""
        run, place = self._attached(version)
        with answered():
            self._client.log_artifact(run, str(file), place)

    def attachments(self, version: ModelVersion) -> tuple[str, ...]:
        """Names of the files that are kept with a version."""
        return tuple(sorted(names_below(self._client, *self._attached(version))))

    def fetch(self, version: ModelVersion, attachment: str, target: Path) -> Path:
        """Copy a file that is kept with a version into the folder ``target``; where it is then."""
        run, place = self._attached(version)
        size = names_below(self._client, run, place).get(attachment)
        if size is None:
            raise UnknownModel(f"{version} has no file {attachment[:80]!a}", mend="See pocai models show.")
        wanted = {attachment: size}
        check_sizes(wanted, MOST_ATTACHED, lambda _: None)
        target.mkdir(parents=True, exist_ok=True)
        with quarantined(self._folder) as here:
            fetched = fetch(self._client, run, place, wanted, here) / attachment
            shutil.move(fetched, target / attachment)
        return target / attachment

    # --- what is known of them -----------------------------------------------------------------------------------

    def set_gate(self, name: str, version: int, verdict: Verdict, report: Path) -> None:
        """Note whether a version passed the gate, and keep the report (a file, or those in a folder) with it."""
        found = self.get(name, version)
        for file in sorted(report.iterdir()) if report.is_dir() else [report]:
            if file.is_file():
                self.attach(found, file)
        gate: Gate = "passed" if verdict.passed else "failed"
        with _existing(str(found)):
            self._client.set_model_version_tag(name, str(version), GATE, gate)

    def deployed(self, name: str) -> tuple[Mapping[str, int], str | None]:
        """Which versions bear aliases, and the text that is kept with a name, as of one moment."""
        model = self._model(name)
        return _numbers(model.aliases), model.tags.get(STATE) or None

    def read_state(self, name: str) -> str | None:
        """The text that was kept with a name; None where there is none."""
        return self._model(name).tags.get(STATE) or None

    def write_state(self, name: str, text: str) -> None:
        """Keep a text with a name, in place of the one before."""
        self._tag(name, STATE, text)

    def heads(self) -> Mapping[str, str]:
        """The hash of the newest line of the journal about each name, as far as it was told (see `write_head`)."""
        with answered():
            models = list(_pages(self._client.search_registered_models, None))
        return {model.name: model.tags[HEAD] for model in models if model.tags.get(HEAD)}

    def write_head(self, name: str, head: str) -> None:
        """Keep the hash of the newest line of the journal about a name: the journal can then not be cut off unseen."""
        self._tag(name, HEAD, head)

    def lineage(self, version: ModelVersion) -> Lineage:
        """From what a version was trained on to where it was deployed."""
        run: dict[str, str] = {}
        if version.run_id:
            with answered():
                found = self._client.get_run(version.run_id)
            run = {"id": version.run_id, "experiment": found.info.experiment_id, **found.data.tags}
        ours = {"id", "experiment", "mlflow.runName", "mlflow.source.git.commit"}
        entries = (entry for entry in self.journal.entries() if (entry.name, entry.version) == _key(version))
        told = {name: value for name, value in run.items() if name in ours or name.startswith("pocai.")}
        return Lineage(version.data_sha256, told, version, tuple(entries))

    # -------------------------------------------------------------------------------------------------------------

    def _new_run(self, name: str) -> str:
        with answered():
            place = experiment(self._client, self._settings, EXPERIMENT)
            return str(self._client.create_run(place, run_name=name).info.run_id)

    def _ensure(self, name: str) -> None:
        """Make a name that is not there yet."""
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _model(self, name: str) -> Any:
        check_model_name(name)
        with _existing(name):
            return self._client.get_registered_model(name)

    def _tag(self, name: str, tag: str, text: str) -> None:
        if len(text) > LONGEST:
            raise InputError(f"{len(text)} characters cannot be kept with {name}", mend=f"At most {LONGEST}.")
        with _existing(name):
            self._client.set_registered_model_tag(name, tag, text)

    def _attached(self, version: ModelVersion) -> tuple[str, str]:
        """The run and the folder in it where files of a version are kept."""
        if version.run_id is None:
            raise UnknownModel(f"{version} has no run, and so no files", mend="Register it again.")
        return version.run_id, f"{ATTACHED}/{check_model_name(version.name)}/{version.version}"


def _in_open_forms(folder: Path, place: Path, kind: ModelKind) -> Path:
    """A model as it can be packed: an adapter is written anew."""
    if not kind.endswith("-adapter"):
        return folder
    from pocai.models.adapter_package import portable

    return portable(folder, place / "portable")


@contextmanager
def _existing(what: str) -> Iterator[None]:
    """Turns MLflow's error for what is not there into UnknownModel, others as `answered` does."""
    from mlflow.exceptions import MlflowException

    with answered():
        try:
            yield
        except MlflowException as error:
            if error.error_code in _ABSENT:
                raise _unknown(what) from error
            raise


def _unknown(what: str) -> UnknownModel:
    return UnknownModel(f"there is no model {what}", mend="See pocai models list.")


def _pages(search: Any, wanted: str | None) -> Iterator[Any]:
    """All that a search of MLflow finds."""
    token = None
    while True:
        page = search(filter_string=wanted, max_results=_PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _readable(found: Any, aliases: Mapping[str, int]) -> ModelVersion | None:
    """A version of a list; None for one that cannot be read, which must not hide the others."""
    try:
        return read_version(found, aliases)
    except UntrustedModel as error:
        log.warning("left out: %s", error.what)
        return None


def _numbers(aliases: Mapping[str, Any]) -> dict[str, int]:
    return {str(alias): int(version) for alias, version in aliases.items()}


def _number(reference: int | str) -> int | None:
    text = str(reference)
    return int(text) if text.isascii() and text.isdigit() and len(text) < len(str(2**31)) else None


def _key(version: ModelVersion) -> tuple[str, int]:
    return version.name, version.version
