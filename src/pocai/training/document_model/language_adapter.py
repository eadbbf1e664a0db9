"""The end of a ``document-llm`` run: its best weights as a folder, of the whole network or of its adapters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from pocai.models.language_network import ADAPTER, ADAPTER_CONFIG
from pocai.models.trocr_network import weights_hash, write_card
from pocai.training import checkpoints

if TYPE_CHECKING:
    from pocai.training.document_model.language_task import LanguageTask


def save_adapter(network: nn.Module, folder: Path, card: Mapping[str, Any]) -> None:
    """Write adapters (safetensors) and their configuration in PEFT's layout, and the card; no path of this machine."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    adapted: Any = network
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in get_peft_model_state_dict(adapted).items()}
    save_file(tensors, folder / ADAPTER, metadata={"format": "pt"})
    config = {**adapted.active_peft_config.to_dict(), "inference_mode": True, "base_model_name_or_path": None}
    plain = json.dumps(config, default=lambda value: sorted(value) if isinstance(value, set) else str(value))
    (folder / ADAPTER_CONFIG).write_text(json.dumps(json.loads(plain), indent=2) + "\n", encoding="utf-8")
    write_card(folder, {"kind": "language-adapter", **card, "sha256": weights_hash(folder)})


def write_best(task: LanguageTask, weights: Path, folder: Path) -> Path:
    """Write a run's ``best.safetensors`` as a model folder, or as an adapter folder; gives it back."""
    held = checkpoints.read(weights)
    network = task.build()
    checkpoints.load_network(network, held.tensors, str(weights))
    task.save(network, folder, {"recipe": held.state["recipe"], "metrics": held.state["metrics"]})
    return folder
