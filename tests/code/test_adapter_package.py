"""Adapters in packages: they leave in open forms, and read as before where they arrive."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_adapters import Matrices, adapter_folder, matrices
from made_packages import sha256, tensors
from mlflow_server import empty_mlflow_tables, mlops_settings  # noqa: F401 - fixtures

from pocai.errors import ModelError, UntrustedModel
from pocai.mlops.registry import Registry
from pocai.models.adapter import RUNTIME, TENSORS
from pocai.models.adapter_card import CARD, AdapterCard, sha256_of
from pocai.models.adapter_package import MATRICES, portable, usable
from pocai.models.package import checked, pack
from pocai.settings import MlopsSettings


@pytest.fixture(name="adapter")
def an_adapter(tmp_path: Path) -> Path:
    """As training writes it."""
    return adapter_folder(tmp_path / "school")


def runtime_matrices(folder: Path) -> Matrices:
    from onnxruntime import AdapterFormat

    held = AdapterFormat.read_adapter(str(folder / RUNTIME)).get_parameters()
    return {name: value.numpy() for name, value in held.items()}


def test_an_adapter_arrives_as_it_left(adapter: Path, tmp_path: Path) -> None:
    manifest = pack(portable(adapter, tmp_path / "open"), tmp_path / "package", "layout-adapter")
    assert set(manifest.files) == {CARD, TENSORS, MATRICES}
    arrived = usable(tmp_path / "package", tmp_path / "arrived")
    for name, value in runtime_matrices(arrived).items():
        np.testing.assert_array_equal(value, matrices()[name])
    card, before = AdapterCard.read(arrived), AdapterCard.read(adapter)
    assert card == before.model_copy(update={"sha256": sha256_of(arrived / RUNTIME)})
    assert (arrived / TENSORS).read_bytes() == (adapter / TENSORS).read_bytes()


def test_the_same_package_gives_the_same_files(adapter: Path, tmp_path: Path) -> None:
    made = portable(adapter, tmp_path / "open")
    one, two = (usable(made, tmp_path / name) for name in ("one", "two"))
    for name in (CARD, TENSORS, RUNTIME):
        assert (one / name).read_bytes() == (two / name).read_bytes()


@pytest.mark.parametrize("name", [TENSORS, RUNTIME])
def test_an_altered_adapter_does_not_leave(name: str, adapter: Path, tmp_path: Path) -> None:
    (adapter / name).write_bytes((adapter / name).read_bytes() + b"x")
    with pytest.raises(ModelError, match="is not what its card is of"):
        portable(adapter, tmp_path / "open")


def test_what_is_no_adapter_of_onnx_runtime_does_not_leave(adapter: Path, tmp_path: Path) -> None:
    (adapter / RUNTIME).write_bytes(b"no adapter")
    AdapterCard.read(adapter).model_copy(update={"sha256": sha256(b"no adapter")}).write(adapter)
    with pytest.raises(ModelError, match="is no adapter of ONNX Runtime"):
        portable(adapter, tmp_path / "open")


def test_a_package_without_matrices_is_told(adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"the package holds no runtime\.safetensors"):
        usable(adapter, tmp_path / "arrived")
    (adapter / MATRICES).write_bytes(tensors())
    with pytest.raises(ModelError, match="holds U8, not F32"):
        usable(adapter, tmp_path / "again")


def test_the_registry_hands_adapters_on(adapter: Path, mlops: MlopsSettings) -> None:
    registry = Registry.open(mlops)
    version = registry.register(adapter, "school-1", kind="layout-adapter")
    assert version.metrics == {"before/slot": 0.5, "after/slot": 0.75}
    assert (version.kind, version.data_sha256) == ("layout-adapter", "d" * 64)
    folder = registry.pull_adapter(version)
    assert set(runtime_matrices(folder)) == set(matrices())
    (folder / RUNTIME).write_bytes(b"altered")
    assert registry.pull_adapter(version) == folder
    assert set(runtime_matrices(folder)) == set(matrices())
    (registry.pull(version) / MATRICES).write_bytes(b"altered")
    assert set(runtime_matrices(registry.pull_adapter(version))) == set(matrices())


def test_a_card_of_other_tensors_is_refused(adapter: Path, tmp_path: Path) -> None:
    made = portable(adapter, tmp_path / "open")
    card = json.loads((made / CARD).read_text())
    (made / CARD).write_text(json.dumps({**card, "tensors_sha256": "0" * 64}))
    with pytest.raises(UntrustedModel, match="is not the card of"):
        pack(made, tmp_path / "package", "layout-adapter")
    assert not (tmp_path / "package" / "model.sig").exists()
    with pytest.raises(UntrustedModel):
        checked(tmp_path / "package")
