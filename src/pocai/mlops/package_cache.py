"""Packages of registered versions on this machine: fetched into quarantine, verified, and only then put into use."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pocai.errors import ModelError, UntrustedModel
from pocai.mlops.connection import own_folder
from pocai.mlops.file_lock import locked
from pocai.mlops.model_version import ModelVersion
from pocai.mlops.quarantine import check_sizes, fetch, names_below, quarantined, same_files
from pocai.mlops.trust import trusted_keys
from pocai.models.package import MOST_BYTES, check_name
from pocai.models.signing import verified
from pocai.settings import MlopsSettings

if TYPE_CHECKING:
    from mlflow import MlflowClient

CACHE, ADAPTERS, PACKAGES = "cache", "adapters", "packages"  # folders: two of ours, and one of a run

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PackageCache:
    """What was fetched by ``client``; processes that share the folder of the settings share it."""

    client: MlflowClient
    settings: MlopsSettings

    def pull(self, version: ModelVersion) -> Path:
        """The folder of a version's package, which was verified just now; fetched where it is not there yet.

        Raises UntrustedModel where it is not what was registered, not signed by a trusted key, or never to be loaded.
        """
        folder = own_folder(self.settings)
        cached = folder / CACHE / version.digest
        with locked(folder / f"{CACHE}.lock"):
            if cached.exists():
                try:
                    self._check(version, cached)
                except ModelError as error:
                    log.warning("the copy of %s here is refused, and is fetched again: %s", version, error.what)
                    with quarantined(folder) as here:  # out of use at once, and away
                        cached.rename(here / cached.name)
                else:
                    return cached
            self._fetch(version, cached)
        return cached

    def pull_adapter(self, version: ModelVersion) -> Path:
        """The folder of an adapter as models take it, made from the package that was verified just now."""
        from pocai.models.adapter_package import usable

        folder = own_folder(self.settings)
        place = folder / ADAPTERS / version.digest
        package = self.pull(version)
        with locked(folder / f"{ADAPTERS}.lock"), quarantined(folder) as here:
            made = usable(package, here / "adapter")
            if not same_files(made, place):
                if place.exists():
                    place.rename(here / "old")
                place.parent.mkdir(mode=0o700, exist_ok=True)
                made.rename(place)
        return place

    def _fetch(self, version: ModelVersion, cached: Path) -> None:
        if version.run_id is None:
            raise UntrustedModel(f"{version} has no run, and so no files", mend="Register it again.")
        place = f"{PACKAGES}/{version.digest}"
        names = names_below(self.client, version.run_id, place)
        check_sizes(names, MOST_BYTES, lambda name: check_name(name, own=True))
        with quarantined(own_folder(self.settings)) as here:
            fetched = fetch(self.client, version.run_id, place, names, here)
            self._check(version, fetched)
            cached.parent.mkdir(mode=0o700, exist_ok=True)
            fetched.replace(cached)

    def _check(self, version: ModelVersion, folder: Path) -> None:
        """Raises UntrustedModel where a folder does not hold the package of a version."""
        manifest = verified(folder, trusted_keys(self.settings))
        if (manifest.digest, manifest.kind) != (version.digest, version.kind):
            what = f"{version} is package {version.digest[:12]}…, a {version.kind}; what is kept there is another"
            raise UntrustedModel(what, mend="Register it again, and look at who may write to its run.")
