"""LoRA (Hu et al. 2022, arXiv:2106.09685) on a frozen network: small trained matrices beside its layers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from pocai.errors import ConfigurationError, ModelError
from pocai.models.card import Card, ModelCard, card_file
from pocai.models.student_network import StudentConfig, StudentNetwork
from pocai.training import checkpoints

NAME = "default"  # of the one adapter that PEFT holds
Network = TypeVar("Network", bound=nn.Module)
LAYERS = ("query_key_value", "out", "up", "down", "head")


class LoraTable(BaseModel):
    """Rank of the matrices, their weight (``alpha / rank``), and the layers that get them, by the end of their name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: Annotated[int, Field(ge=1)] = 8
    alpha: Annotated[int, Field(ge=1)] = 16
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    targets: Annotated[tuple[str, ...], Field(min_length=1)] = LAYERS


class FrozenStudent(StudentNetwork):
    """A student whose normalisation keeps the statistics that it was trained with, while adapters learn."""

    def train(self, mode: bool = True) -> FrozenStudent:
        """Dropout as asked; batch normalisation as in use."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self


def load_student(weights: Path) -> FrozenStudent:
    """The student in a safetensors file. Raises ModelError as `load_base` does."""
    return load_base(weights, ModelCard, lambda model: FrozenStudent(StudentConfig.model_validate(model)))


def load_base(weights: Path, card: type[Card], network: Callable[[Any], Network]) -> Network:
    """The network in a safetensors file, whose header, or the card (.json) beside it, holds the recipe; in use mode.

    ``network`` makes it by the recipe's table ``model``. Raises ModelError where a file is missing, damaged, or does
    not say how large the network is.
    """
    read = checkpoints.read(weights)
    recipe = read.state.get("recipe") or card.read(card_file(weights)).recipe
    try:
        made = network(recipe["model"])
    except (KeyError, ValidationError) as error:
        what = f"neither {weights.name} nor its card says which network it holds"
        raise ModelError(what, mend="Give the best.safetensors of a run, or keep weights and card together.") from error
    checkpoints.load_network(made, read.tensors, str(weights))
    return made.eval()


def digest_of(network: nn.Module) -> str:
    """SHA-256 over names, types, shapes and values of all weights of a network without adapters."""
    whole = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        whole.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        whole.update(values.numpy().tobytes())
    return whole.hexdigest()


def with_lora(network: Network, table: LoraTable) -> Network:
    """A copy of the network with new adapters, which alone learn; they change nothing yet.

    Raises ConfigurationError where no layer has one of the names.
    """
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(
        r=table.rank, lora_alpha=table.alpha, lora_dropout=table.dropout, target_modules=list(table.targets)
    )
    known = [name for name, module in network.named_modules() if isinstance(module, (nn.Linear, nn.Conv2d))]
    for target in table.targets:
        if not any(name == target or name.endswith(f".{target}") for name in known):
            raise ConfigurationError(
                f"model.targets: no layer of the network ends in {target!r}", mend=f"Known layers: {', '.join(known)}"
            )
    adapted = deepcopy(network)
    inject_adapter_in_model(config, adapted)  # in place
    return adapted


def lora_layers(network: nn.Module) -> dict[str, Any]:
    """The layers with adapters (`peft.tuners.lora.LoraLayer`) by name."""
    from peft.tuners.lora import LoraLayer

    return {name: module for name, module in network.named_modules() if isinstance(module, LoraLayer)}


def lora_tensors(network: nn.Module) -> dict[str, Tensor]:
    """The trained matrices, as PEFT names them."""
    from peft import get_peft_model_state_dict

    adapted: Any = network
    tensors: dict[str, Tensor] = get_peft_model_state_dict(adapted, adapter_name=NAME)
    return tensors


def load_lora(network: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Put trained matrices into a network `with_lora`. Raises ModelError where they do not fit."""
    from peft import set_peft_model_state_dict

    own = {name: tuple(tensor.shape) for name, tensor in lora_tensors(network).items()}
    given = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if own != given:
        odd = sorted(name for name in own | given if own.get(name) != given.get(name))
        what = f"the adapter does not fit the network: {odd[0]} is {given.get(odd[0])}, not {own.get(odd[0])}"
        raise ModelError(what, mend="Give it rank and targets of its card")
    adapted: Any = network
    set_peft_model_state_dict(adapted, tensors, adapter_name=NAME)


def merged(network: nn.Module) -> StudentNetwork:
    """A plain student into whose weights the adapters were added; the network given stays as it is."""
    adapted: Any = deepcopy(network)
    for name, layer in lora_layers(adapted).items():
        layer.merge()
        parent, _, own = name.rpartition(".")
        setattr(adapted.get_submodule(parent), own, layer.get_base_layer())
    plain: StudentNetwork = adapted.requires_grad_(requires_grad=True)
    return plain.eval()


def counted(network: nn.Module) -> tuple[int, float]:
    """The number of parameters that learn, and their share of those of the base."""
    learning = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    frozen = sum(parameter.numel() for parameter in network.parameters() if not parameter.requires_grad)
    return learning, learning / max(1, frozen)
