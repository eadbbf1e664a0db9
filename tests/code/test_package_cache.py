"""Packages of the registry, in files and in S3: verified before every use, whatever is done to them where they lie."""

from __future__ import annotations

import logging
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from feature_servers import s3_options, s3_server
from made_packages import CARD, EVIL_WEIGHTS, WEIGHTS, Change, forged, model, model_folder, outside, signed_anyhow
from mlflow_server import empty_mlflow_tables, mlops_settings  # noqa: F401 - fixtures
from registries import a_registry, a_version, quarantine, stored  # noqa: F401 - two fixtures

from pocai.errors import ConfigurationError, PocaiError, UntrustedModel
from pocai.mlops.connection import own_folder
from pocai.mlops.model_version import KIND, ModelVersion
from pocai.mlops.package_cache import CACHE
from pocai.mlops.registry import Registry
from pocai.models.package import MANIFEST, SIGNATURE, checked
from pocai.models.signing import make_key
from pocai.settings import MlopsSettings


def test_a_package_is_fetched_once_and_verified_always(
    version: ModelVersion, registry: Registry, mlops: MlopsSettings
) -> None:
    folder = registry.pull(version)
    assert folder == own_folder(mlops) / CACHE / version.digest
    shutil.rmtree(stored(registry, version))
    assert registry.pull(version) == folder
    (folder / WEIGHTS).write_bytes(b"other weights")
    with pytest.raises(PocaiError):
        registry.pull(version)
    assert not folder.exists()
    assert quarantine(mlops) == []


def test_a_copy_that_was_altered_here_is_fetched_again(
    version: ModelVersion, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    folder = registry.pull(version)
    (folder / WEIGHTS).write_bytes(b"other weights")
    with caplog.at_level(logging.WARNING):
        assert registry.pull(version) == folder
    assert (folder / WEIGHTS).read_bytes() == model()
    assert "the copy of layout@1 here is refused" in caplog.text


def altered(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(model() + b"\x12\x01x")


def replaced(folder: Path) -> None:
    """Everything is another package that is in order, signed by somebody."""
    shutil.rmtree(folder)
    forged(folder, {WEIGHTS: model() + b"\x12\x01x"})
    signed_anyhow(folder, make_key(folder.parents[1] / "evil")[0])


def with_pickle(folder: Path) -> None:
    (folder / "weights.pkl").write_bytes(EVIL_WEIGHTS["pickle of protocol 4"])


def vast(folder: Path) -> None:
    os.truncate(folder / WEIGHTS, 2**41)


STORED: dict[str, tuple[Change, str]] = {
    "altered": (altered, "was altered"),
    "replaced": (replaced, "is not trusted"),
    "not signed": (lambda folder: (folder / SIGNATURE).unlink(), "is not signed"),
    "a pickle beside": (with_pickle, "has no place in a package"),
    "a folder": (lambda folder: (folder / "more").mkdir(), "where no such file can be"),
    "an odd name": (lambda folder: (folder / "a\\b.onnx").write_text("x"), "where no such file can be"),
    "a hidden name": (lambda folder: (folder / ".x.onnx").write_text("x"), "where no such file can be"),
    "a vast file": (vast, "at most 2147483648 are fetched"),
    "nothing": (shutil.rmtree, r"no manifest\.json|is not signed"),
}


@pytest.mark.parametrize("change", STORED)
def test_what_was_changed_where_it_is_stored_is_refused(
    change: str, version: ModelVersion, registry: Registry, mlops: MlopsSettings
) -> None:
    STORED[change][0](stored(registry, version))
    with pytest.raises(UntrustedModel, match=STORED[change][1]):
        registry.pull(version)
    assert not (own_folder(mlops) / CACHE / version.digest).exists()
    assert quarantine(mlops) == []


def test_another_package_of_ours_is_refused_too(version: ModelVersion, registry: Registry, tmp_path: Path) -> None:
    other = registry.register(model_folder(tmp_path / "b", model(nodes=[])), "layout", kind="layout")
    newer = registry.register(model_folder(tmp_path / "c", model() + b"\x12\x01x"), "layout", kind="layout")
    assert other.digest == version.digest != newer.digest
    place = stored(registry, version)
    shutil.rmtree(place)
    shutil.copytree(stored(registry, newer), place)
    with pytest.raises(UntrustedModel, match="what is kept there is another"):
        registry.pull(version)


def test_another_kind_than_was_signed_is_refused(version: ModelVersion, registry: Registry) -> None:
    registry._client.set_model_version_tag("layout", "1", KIND, "student")
    with pytest.raises(UntrustedModel, match="what is kept there is another"):
        registry.pull(registry.get("layout", 1))
    assert version.kind == "layout"


@pytest.mark.parametrize("what", ["pickle of protocol 4", "data outside"])
def test_evil_packages_that_are_signed_by_us_are_refused(
    what: str, version: ModelVersion, registry: Registry, mlops: MlopsSettings
) -> None:
    place = stored(registry, version)
    shutil.rmtree(place)
    signed_anyhow(forged(place, {WEIGHTS: EVIL_WEIGHTS[what]}), own_folder(mlops) / "keys" / "private.pem")
    with pytest.raises(UntrustedModel, match=r"layout\.onnx is refused"):
        registry.pull(version)


@pytest.mark.parametrize("what", ["pickle of protocol 4", "data outside", "torch archive"])
def test_evil_models_are_not_registered(what: str, registry: Registry, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model", EVIL_WEIGHTS[what])
    with pytest.raises(UntrustedModel, match=r"layout\.onnx is refused"):
        registry.register(folder, "layout", kind="layout")
    assert registry.versions() == ()


def test_data_beside_a_model_is_fetched_too(registry: Registry, tmp_path: Path) -> None:
    weights = model(outside("layout.onnx.data", length=8))
    folder = model_folder(tmp_path / "model", weights, layout__onnx__data=bytes(8))
    pulled = registry.pull(registry.register(folder, "layout", kind="layout"))
    assert (pulled / "layout.onnx.data").read_bytes() == bytes(8)


def test_files_are_not_fetched_from_anywhere(version: ModelVersion, registry: Registry) -> None:
    import sqlite3

    database = registry._folder / "mlflow.db"
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE runs SET artifact_uri = 'ftp://203.0.113.7/x' WHERE run_uuid = ?", [version.run_id])
    connection.close()
    with pytest.raises(UntrustedModel, match="keeps its files at ftp://"):
        registry.pull(version)


# --- keys ---------------------------------------------------------------------------------------------------------


def test_our_own_key_is_made_once(version: ModelVersion, registry: Registry, tmp_path: Path) -> None:
    private = registry._folder / "keys" / "private.pem"
    before = private.read_bytes()
    registry.register(tmp_path / "model", "layout", kind="layout")
    assert private.read_bytes() == before
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert registry.trusted == (registry._folder / "keys" / "public.pem",)
    assert version.digest


def test_only_trusted_keys_sign(version: ModelVersion, mlops: MlopsSettings, tmp_path: Path) -> None:
    private, public = make_key(tmp_path / "other")
    mine = own_folder(mlops) / "keys" / "public.pem"
    folder = tmp_path / "model"
    strict = Registry.open(mlops.model_copy(update={"trusted_keys": (public,)}))
    with pytest.raises(UntrustedModel, match="which is not trusted"):
        strict.pull(version)
    with pytest.raises(UntrustedModel, match="which is not trusted"):
        strict.register(folder, "layout", kind="layout")
    signing = {"signing_key": private, "trusted_keys": (mine, public)}
    second = Registry.open(mlops.model_copy(update=signing)).register(folder, "layout", kind="layout")
    assert (second.version, second.digest) == (2, version.digest)
    assert strict.pull(second).name == second.digest


def test_a_key_of_which_nothing_is_trusted_signs_nothing(registry: Registry, tmp_path: Path) -> None:
    signing = registry._settings.model_copy(update={"signing_key": make_key(tmp_path / "other")[0]})
    with pytest.raises(ConfigurationError, match="no public key is trusted"):
        Registry.open(signing).register(model_folder(tmp_path / "model"), "layout", kind="layout")


# --- S3 -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", name="s3")
def an_s3() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture(name="in_s3")
def a_registry_in_s3(mlops: MlopsSettings, s3: str, monkeypatch: pytest.MonkeyPatch) -> Registry:
    options = {"URL": ("AWS_ENDPOINT_URL", s3), "key": ("AWS_ACCESS_KEY_ID", "test")}
    options |= {"secret": ("AWS_SECRET_ACCESS_KEY", "test"), "region": ("AWS_DEFAULT_REGION", "eu-west-1")}
    for name, value in options.values():
        monkeypatch.setenv(name, value)
    return Registry.open(mlops.model_copy(update={"artefacts": "s3://features/models"}))


def test_packages_lie_in_s3(in_s3: Registry, tmp_path: Path, s3: str) -> None:
    import fsspec

    version = in_s3.register(model_folder(tmp_path / "model"), "layout", kind="layout")
    in_s3.attach(version, tmp_path / "model" / "notes.txt")
    files = fsspec.filesystem("s3", **s3_options(s3))
    place = f"features/models/models/{version.run_id}/artifacts/packages/{version.digest}"
    assert {Path(name).name for name in files.ls(place)} == {WEIGHTS, CARD, MANIFEST, SIGNATURE}
    assert checked(in_s3.pull(version)).digest == version.digest
    assert in_s3.attachments(version) == ("notes.txt",)


@pytest.mark.parametrize("name", ["../../../../../evil.onnx", "a/../../evil.onnx", "..", "/etc/evil.onnx", "a\\b.onnx"])
def test_a_name_in_s3_that_leads_out_is_refused(name: str, in_s3: Registry, tmp_path: Path) -> None:
    import boto3  # type: ignore[import-untyped]

    version = in_s3.register(model_folder(tmp_path / "model"), "layout", kind="layout")
    key = f"models/models/{version.run_id}/artifacts/packages/{version.digest}/{name}"
    boto3.client("s3").put_object(Bucket="features", Key=key, Body=b"evil")
    with pytest.raises(UntrustedModel):
        in_s3.pull(version)
    assert not list(tmp_path.rglob("evil.onnx"))
    assert not (in_s3._folder / CACHE / version.digest).exists()
