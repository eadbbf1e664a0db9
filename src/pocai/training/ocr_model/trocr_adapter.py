"""LoRA (Hu et al. 2022, arXiv:2106.09685) on TrOCR: small matrices beside the attention's projections, by PEFT."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from pocai.errors import ConfigurationError, ModelError
from pocai.models.trocr_network import TrOCR, load, plain, preparation_of, read_card, weights_hash, write_card

# The projections of attention. ViT's and DeiT's are called q_proj, k_proj, v_proj and o_proj in transformers 5 and
# query, key, value and dense before; dense is left out, as the pooler has one too. The decoder's last is out_proj.
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj", "out_proj", "query", "key", "value")
WEIGHTS = "adapter_model.safetensors"
_CONFIG = "adapter_config.json"


class AttentionLora(BaseModel):
    """Rank of the matrices, their weight (``alpha / rank``), and the layers that get them, by the end of their name.

    Names that a network has not are passed over, as long as it has some of the others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: Annotated[int, Field(ge=1)] = 16
    alpha: Annotated[int, Field(ge=1)] = 32
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    targets: Annotated[tuple[str, ...], Field(min_length=1)] = ATTENTION


def with_adapter(network: nn.Module, table: AttentionLora) -> nn.Module:
    """The network with new adapters, which alone learn. Raises ConfigurationError where no layer has such a name."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=table.rank, lora_alpha=table.alpha, lora_dropout=table.dropout, target_modules=list(table.targets)
    )
    base: Any = network  # PEFT's hint says PreTrainedModel; it takes any module
    try:
        with _older_names():
            adapted: nn.Module = get_peft_model(base, config)
    except ValueError as error:
        what = f"no layer of the network is called {' or '.join(table.targets)}"
        raise ConfigurationError(what, mend="Name layers in model.lora.targets") from error
    return adapted


def save_adapter(model: TrOCR, folder: Path, card: dict[str, Any]) -> None:
    """Write a model's adapters (safetensors) and their configuration in PEFT's layout, and the card."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    adapted: Any = model.network
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in get_peft_model_state_dict(adapted).items()}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    config = {**adapted.active_peft_config.to_dict(), "inference_mode": True, "base_model_name_or_path": None}
    plain_json = json.dumps(config, default=lambda value: sorted(value) if isinstance(value, set) else str(value))
    (folder / _CONFIG).write_text(json.dumps(json.loads(plain_json), indent=2) + "\n", encoding="utf-8")
    whole = {
        "kind": "trocr-adapter",
        **card,
        "longest": model.longest,
        "preparation": model.preparation.model_dump(),
        "sha256": weights_hash(folder),
    }
    write_card(folder, whole)


def load_adapter(base: Path, folder: Path) -> TrOCR:
    """The model in ``base`` with adapters from a folder; lines are prepared as these were trained.

    Raises ModelError: no safetensors (pickles are refused), an altered file, or adapters of another base.
    """
    from peft import PeftModel

    if not (folder / WEIGHTS).is_file() or not (folder / _CONFIG).is_file():
        what = f"{folder} holds no adapters ({WEIGHTS} and {_CONFIG})"
        raise ModelError(what, mend="Save them again; pickles are not read.")
    card = read_card(folder)
    if card.get("sha256") not in (None, weights_hash(folder)):
        raise ModelError(f"the adapters in {folder} are not those of their card", mend="Save them again.")
    if card.get("base_sha256") not in (None, weights_hash(base)):
        raise ModelError(f"the adapters in {folder} were trained on another base", mend="Load them on that one.")
    model = load(base, preparation_of(base, card.get("preparation")), card.get("longest"))
    network: Any = model.network
    try:
        with _older_names():
            adapted = PeftModel.from_pretrained(network, folder)
    except Exception as error:  # PEFT and safetensors raise errors of many kinds
        raise ModelError(f"the adapters in {folder} cannot be loaded", mend="Save them again.") from error
    return replace(model, network=adapted.eval())


def merged(model: TrOCR) -> TrOCR:
    """The model with its adapters added into its own weights, a plain network again. Changes the network given."""
    adapted: Any = model.network
    return replace(model, network=plain(adapted.merge_and_unload()))


@contextmanager
def _older_names() -> Iterator[None]:
    """PEFT 0.21 asks networks for a property that transformers 5.23 has renamed, which warns."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".is_gradient_checkpointing. is deprecated", FutureWarning)
        yield
