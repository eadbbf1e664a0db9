"""Adapters on disk, as training writes and reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from torch import nn

from pocai.models.adapter import RUNTIME, TENSORS, write_runtime_adapter
from pocai.models.adapter_card import AdapterCard, AdapterOrigin, sha256_of, verified
from pocai.training import checkpoints
from pocai.training.adaptable import runtime_matrices
from pocai.training.checkpoints import Checkpoint
from pocai.training.lora_network import (
    LoraTable,
    Network,
    counted,
    digest_of,
    load_lora,
    lora_tensors,
    with_lora,
)


def write_adapter(network: nn.Module, folder: Path, origin: AdapterOrigin) -> AdapterCard:
    """Write the adapter of a network `with_lora`, its card last; the folder's name becomes its own."""
    checkpoints.write(folder / TENSORS, Checkpoint(lora_tensors(network), {"base_sha256": origin.base_sha256}))
    write_runtime_adapter(runtime_matrices(network), folder / RUNTIME)
    parameters, share = counted(network)
    card = AdapterCard(
        **origin.model_dump(),
        name=folder.name,
        sha256=sha256_of(folder / RUNTIME),
        tensors_sha256=sha256_of(folder / TENSORS),
        parameters=parameters,
        share=share,
        created=datetime.now(UTC).date(),
    )
    card.write(folder)
    return card


def read_adapter(base: Network, folder: Path) -> Network:
    """The network with the adapter in a folder. Raises ModelError where it is of another base, or was altered."""
    card = AdapterCard.read(folder)
    card.check_base(digest_of(base))
    network = with_lora(base, LoraTable(rank=card.rank, alpha=card.alpha, targets=card.targets))
    load_lora(network, checkpoints.read(verified(folder / TENSORS, card.tensors_sha256)).tensors)
    network.eval()
    return network
