"""Networks as ONNX graphs that take LoRA adapters, and adapters in the form that ONNX Runtime takes.

Beside each adaptable layer a branch ``B (A x)`` is drawn whose matrices are inputs of the graph with defaults of rank
0: without an adapter the branches add nothing and cost next to nothing. Batch normalisation is folded into the
convolutions before, so that the branches of these carry its scale.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pocai.errors import ModelError
from pocai.models.adapter import BASE_KEY
from pocai.models.line_image import HEIGHT
from pocai.models.student_network import Residual, StudentNetwork
from pocai.training.lora_network import LAYERS, NAME, digest_of, lora_layers
from pocai.training.ocr_model.export import INPUT, OPSET, OUTPUT, SAME, difference

SMALL = 4096  # weights of a layer to which its branch is added before it is applied: it may be applied to all pairs
_RANK = 3  # of the matrices in the example that is traced; any other number but 0 and 1 would do
Pair = tuple[tuple[int, ...], tuple[int, ...]]


class Branch(nn.Module):
    """A layer and its low-rank branch, whose matrices are put in for each call."""

    def __init__(self, layer: nn.Linear | nn.Conv2d) -> None:
        super().__init__()
        self.layer = layer
        self.factors: tuple[Tensor, Tensor]

    def forward(self, inputs: Tensor) -> Tensor:
        """Of the layer's own shape."""
        down, up = self.factors
        if isinstance(self.layer, nn.Linear) and self.layer.weight.numel() <= SMALL:
            rows = inputs.flatten(0, -2)  # ONNX Runtime adds the bias on the way where there are only rows
            adapted = nn.functional.linear(rows, self.layer.weight + (down @ up).T, self.layer.bias)
            return adapted.reshape(*inputs.shape[:-1], self.layer.out_features)
        plain: Tensor = self.layer(inputs)
        if isinstance(self.layer, nn.Linear):
            return plain + inputs @ down @ up
        narrow = nn.functional.conv2d(inputs, down, None, self.layer.stride, self.layer.padding)
        return plain + nn.functional.conv2d(narrow, up)

    def shapes(self, rank: int) -> Pair:
        """Shapes of the two matrices."""
        if isinstance(self.layer, nn.Linear):
            return (self.layer.in_features, rank), (rank, self.layer.out_features)
        inputs, outputs, kernel = self.layer.in_channels, self.layer.out_channels, self.layer.kernel_size
        return (rank, inputs, *kernel), (outputs, rank, 1, 1)

    @property
    def axes(self) -> tuple[int, int]:
        """Which axis of each matrix is its rank."""
        return (1, 0) if isinstance(self.layer, nn.Linear) else (0, 1)


class Adaptable(nn.Module):
    """A network with branches beside its ``targets``, as a function of its inputs and all matrices."""

    def __init__(self, network: nn.Module, targets: tuple[str, ...]) -> None:
        super().__init__()
        self.network = network
        self.branches: dict[str, Branch] = {}
        for name, layer in list(network.named_modules()):
            if isinstance(layer, (nn.Linear, nn.Conv2d)) and _meant(name, targets):
                parent, _, own = name.rpartition(".")
                branch = self.branches[name] = Branch(layer)
                setattr(network.get_submodule(parent), own, branch)

    def forward(self, *tensors: Tensor) -> Any:
        """What the network gives."""
        given = len(tensors) - 2 * len(self.branches)
        factors = tensors[given:]
        pairs = zip(factors[::2], factors[1::2], strict=True)
        for branch, pair in zip(self.branches.values(), pairs, strict=True):
            branch.factors = pair
        return self.network(*tensors[:given])

    def matrices(self, rank: int) -> dict[str, tuple[tuple[int, ...], int]]:
        """Shape of each matrix, and which axis is the rank, by the name of its input."""
        return {
            name: (shape, axis)
            for layer, branch in self.branches.items()
            for name, shape, axis in zip(_inputs(layer), branch.shapes(rank), branch.axes, strict=True)
        }


def export_adaptable(network: StudentNetwork, file: Path, targets: tuple[str, ...] = LAYERS) -> Path:
    """Write a student without adapters as a graph that takes them beside ``targets``, as `export` writes a plain one.

    Raises ModelError when ONNX Runtime does not compute what torch does.
    """
    network = network.eval()
    adaptable = Adaptable(folded(network), targets).eval()
    lines = torch.full((2, 1, HEIGHT, 64), 255, dtype=torch.uint8)
    axes = {INPUT: {0: "lines", 3: "width"}, OUTPUT: {0: "lines", 1: "steps"}}
    draw(adaptable, file, Signature((lines,), (INPUT,), (OUTPUT,), axes), digest_of(network))
    worst = difference(network, file)
    if worst > SAME:
        raise ModelError(f"{file.name} differs from the network by {worst:.2g}", mend=f"At most {SAME} is allowed.")
    return file


def runtime_matrices(network: nn.Module) -> dict[str, NDArray[np.float32]]:
    """The matrices of a network `with_lora` for a graph by `export_adaptable`; the second of each pair is scaled."""
    norms = _norms(network)
    found: dict[str, NDArray[np.float32]] = {}
    for layer, module in lora_layers(network).items():
        down, up = module.lora_A[NAME].weight.detach(), module.lora_B[NAME].weight.detach() * module.scaling[NAME]
        if isinstance(module.get_base_layer(), nn.Linear):
            down, up = down.T, up.T
        elif layer in norms:
            up = up * _scale(norms[layer]).reshape(-1, 1, 1, 1)
        for name, value in zip(_inputs(layer), (down, up), strict=True):
            found[name] = np.ascontiguousarray(value.cpu().numpy(), np.float32)
    return found


def folded(network: StudentNetwork) -> nn.Module:
    """A copy whose batch normalisations are part of the convolutions before them (as they are in use)."""
    copy = deepcopy(network).eval()
    for name, norm in _norms(copy).items():
        convolution: Any = copy.get_submodule(name)
        _put(copy, name, fuse_conv_bn_eval(convolution, norm))
        _put(copy, next(own for own, module in copy.named_modules() if module is norm), nn.Identity())
    return copy


def _norms(network: nn.Module) -> dict[str, nn.BatchNorm2d]:
    """The batch normalisation behind each convolution, by the convolution's name."""
    found: dict[str, nn.BatchNorm2d] = {}
    for name, module in network.named_modules():
        before = f"{name}." if name else ""
        if isinstance(module, nn.Sequential) and len(module) > 1 and isinstance(module[1], nn.BatchNorm2d):
            found[f"{before}0"] = module[1]
        elif isinstance(module, Residual):
            found[f"{before}second"] = module.norm
        elif isinstance(module, StudentNetwork):
            found[f"{before}join"] = module.join_norm
    return found


def _scale(norm: nn.BatchNorm2d) -> Tensor:
    assert norm.running_var is not None, "the student's norms keep statistics"
    return (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach()


def _put(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(network.get_submodule(parent), own, module)


def _meant(name: str, targets: tuple[str, ...]) -> bool:
    return any(name == target or name.endswith(f".{target}") for target in targets)


def _inputs(layer: str) -> tuple[str, str]:
    return f"{layer}.lora_A", f"{layer}.lora_B"


@dataclass(frozen=True, slots=True)
class Signature:
    """An ``example`` of a network's inputs, names of ``inputs`` and ``outputs``, and of their ``axes`` that vary."""

    example: tuple[Tensor, ...]
    inputs: Sequence[str]
    outputs: Sequence[str]
    axes: Mapping[str, Mapping[int, str]]


def draw(adaptable: Adaptable, file: Path, signature: Signature, base: str) -> None:
    """Write a graph whose matrices have rank 0 where a call names none; ``base`` is the digest that it is given."""
    matrices = adaptable.matrices(_RANK)
    axes: dict[str, Any] = {name: {axis: "rank"} for name, (_, axis) in matrices.items()}
    axes |= {name: dict(own) for name, own in signature.axes.items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(
            adaptable,
            (*signature.example, *(torch.zeros(shape) for shape, _ in matrices.values())),
            str(file),
            dynamo=False,  # the newer exporter writes its weights into a second file
            input_names=[*signature.inputs, *matrices],
            output_names=list(signature.outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
        )
    _add_defaults(adaptable, file, base)


def _add_defaults(adaptable: Adaptable, file: Path, base: str) -> None:
    """Matrices of rank 0 for calls that name none, and the digest of the base."""
    import onnx

    graph = onnx.load(str(file))
    for name, (shape, _) in adaptable.matrices(0).items():
        graph.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(shape, np.float32), name))
    onnx.helper.set_model_props(graph, {BASE_KEY: base})
    onnx.checker.check_model(graph)
    onnx.save(graph, str(file))
