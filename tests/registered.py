"""A registry in a folder, with versions of the shipped layout transformer, some of them broken on purpose."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pocai.mlops.deployment import Deployments
from pocai.mlops.model_version import ModelVersion
from pocai.mlops.registry import Registry
from pocai.models.layout import LayoutCard
from pocai.settings import MlopsSettings

ASSETS = Path(__file__).parents[1] / "src/pocai/assets/models"
NAMES = {"layout": ("layout.onnx", "layout.json")}


@dataclass(frozen=True)
class GateVerdict:
    """What a gate says, as the registry needs it."""

    passed: bool


@dataclass(frozen=True)
class Home:
    """Settings, registry and deployments in one folder."""

    folder: Path
    settings: MlopsSettings
    registry: Registry
    deployments: Deployments

    def version(self, model: Path, *, gate: bool | None = True) -> ModelVersion:
        """A new version of the layout transformer, gated as a test wishes."""
        made = self.registry.register(model, "layout", kind="layout")
        if gate is not None:
            report = self.folder / "report"
            report.mkdir(exist_ok=True)
            (report / "gate.md").write_text("# Gate\n")
            self.registry.set_gate("layout", made.version, GateVerdict(gate), report)
        return self.registry.get("layout", made.version)


def a_home(folder: Path, **settings: Any) -> Home:
    """A home in a folder that is made."""
    chosen = MlopsSettings(serve=True, folder=folder, **settings)
    return Home(folder, chosen, Registry.open(chosen), Deployments(chosen))


def shipped_layout(folder: Path, version: str = "1") -> Path:
    """The shipped layout transformer in a folder of its own; another ``version`` makes it another package."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES["layout"]:
        shutil.copy(ASSETS / name, folder / name)
    _carded(folder, version)
    return folder


def slow_layout(folder: Path, turns: int) -> Path:
    """The shipped one, which multiplies large matrices ``turns`` times beside its work."""
    shipped_layout(folder, f"slow {turns}")
    model = onnx.load(folder / "layout.onnx")
    graph, side = model.graph, 512
    weights = np.eye(side, dtype=np.float32)
    graph.initializer.append(numpy_helper.from_array(weights, "burden"))
    before = graph.output[0].name
    first = graph.input[1].name  # the facts of the page: what hangs on them cannot be computed beforehand
    graph.node.extend(
        [
            helper.make_node("ReduceMean", [first], ["burden_mean"], keepdims=0),
            helper.make_node("Add", ["burden", "burden_mean"], ["burden_0"]),
            *(
                helper.make_node("MatMul", [f"burden_{turn}", "burden"], [f"burden_{turn + 1}"])
                for turn in range(turns)
            ),
            helper.make_node("ReduceMean", [f"burden_{turns}"], ["burden_end"], keepdims=0),
        ]
    )
    _weighed(model, before, "burden_end")
    return _saved(model, folder, f"slow {turns}")


def failing_layout(folder: Path, most: int) -> Path:
    """The shipped one, which cannot read pages with more than ``most`` lines."""
    shipped_layout(folder, f"failing {most}")
    model = onnx.load(folder / "layout.onnx")
    graph = model.graph
    graph.initializer.append(numpy_helper.from_array(np.arange(most + 1, dtype=np.float32), "few"))
    graph.initializer.append(numpy_helper.from_array(np.array(1, dtype=np.int64), "lines_at"))
    graph.node.extend(
        [
            helper.make_node("Shape", [graph.input[1].name], ["facts_shape"]),
            helper.make_node("Gather", ["facts_shape", "lines_at"], ["lines"]),
            helper.make_node("Gather", ["few", "lines"], ["found"]),  # beyond its end ONNX Runtime raises
        ]
    )
    _weighed(model, graph.output[0].name, "found")
    return _saved(model, folder, f"failing {most}")


def _weighed(model: Any, output: str, burden: str) -> None:
    """Have an output depend on a number without being changed by it."""
    graph = model.graph
    for node in graph.node:
        for at, name in enumerate(node.output):
            if name == output:
                node.output[at] = f"{output}_plain"
    graph.initializer.append(numpy_helper.from_array(np.array(0, dtype=np.float32), "nothing"))
    graph.node.append(helper.make_node("Mul", [burden, "nothing"], ["no_burden"]))
    graph.node.append(helper.make_node("Add", [f"{output}_plain", "no_burden"], [output]))
    assert graph.output[0].type.tensor_type.elem_type == TensorProto.FLOAT


def _saved(model: Any, folder: Path, version: str) -> Path:
    onnx.save(model, folder / "layout.onnx")
    _carded(folder, version)
    return folder


def _carded(folder: Path, version: str) -> None:
    card = LayoutCard.read(folder / "layout.json")
    digest = hashlib.sha256((folder / "layout.onnx").read_bytes()).hexdigest()
    card.model_copy(update={"sha256": digest, "version": version}).write(folder / "layout.json")
