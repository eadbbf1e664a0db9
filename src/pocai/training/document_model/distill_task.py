"""Training a small layout transformer on what an ensemble says of pages, and on made pages whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from pocai.errors import ConfigurationError
from pocai.models.layout_network import LayoutConfig
from pocai.models.layout_tokens import ROLES
from pocai.training.document_model.distill_ensemble import TaughtPage, read_taught
from pocai.training.document_model.layout_task import (
    LayoutBatch,
    LayoutData,
    LayoutLoss,
    LayoutTask,
    batch_of,
    changed,
    drawn,
    files_of,
)
from pocai.training.task import Share

OTHER = 1  # tells the draws of taught pages from those of made pages


class DistilData(LayoutData):
    """Where pages come from: those of `LayoutData`, whose truth is known, and those that an ensemble speaks of."""

    taught: Mapping[Path, Annotated[int, Field(ge=1)]] = Field(
        {}, description="files of `pocai distill ensemble`, or folders of them, and how many times their pages count"
    )
    taught_batch: int = Field(12, ge=1, description="taught pages of a step in each process, beside the others")


class DistilLoss(LayoutLoss):
    """Weights of the losses; ``taught`` weighs what the ensemble says beside the truth of made pages."""

    taught: float = Field(1.0, ge=0)


@dataclass(frozen=True, slots=True)
class DistilBatch:
    """Pages of a step: those whose truth is known, and taught ones with probabilities in place of the truth."""

    known: LayoutBatch
    taught: LayoutBatch


class DistilTask:
    """The task ``document-distil``: as ``document-base``, with taught pages beside those whose truth is known."""

    name = "document-distil"

    def __init__(self, model: LayoutConfig, data: DistilData, loss: DistilLoss, seed: int) -> None:
        self.base = LayoutTask(model, data, loss, seed)
        self.data, self.loss, self.seed = data, loss, seed

    @cached_property
    def taught(self) -> Sequence[TaughtPage]:
        """Pages that an ensemble speaks of. Raises ConfigurationError where there are none, InputError for bad files.

        A page that counts several times is held once.
        """
        pages = [
            page for name, times in self.data.taught.items() for f in files_of(name) for page in read_taught(f) * times
        ]
        if not pages:
            mend = "Name files of `pocai distill ensemble` in data.taught"
            raise ConfigurationError("data.taught: no pages are named", mend=mend)
        return pages

    @property
    def data_hash(self) -> str:
        """SHA-256 of what `LayoutTask.data_hash` tells, and of the taught pages."""
        digest = sha256(repr((self.base.data_hash, sorted(self.data.taught.values()))).encode())
        for file in (file for name in self.data.taught for file in files_of(name)):
            digest.update(file.read_bytes())
        return digest.hexdigest()

    def build(self) -> nn.Module:
        """A new network."""
        return self.base.build()

    @cached_property
    def _by_length(self) -> NDArray[np.int64]:
        return np.argsort([len(page) for page in self.taught], kind="stable")

    def batch(self, step: int, share: Share) -> DistilBatch:
        """Pages of both kinds, each of nearly equal length, a little changed."""
        rng = np.random.default_rng((self.seed, step, share.rank, share.world, OTHER))
        pages = [self.taught[number] for number in drawn(self._by_length, self.data.taught_batch, rng)]
        return DistilBatch(self.base.batch(step, share), taught_batch(pages, self.data, rng))

    def losses(self, network: nn.Module, batch: DistilBatch, step: int) -> Mapping[str, Tensor]:
        """The losses of `LayoutTask` on both kinds of pages: cross-entropy to the truth, and to the probabilities."""
        known, taught = (self.base.losses(network, each, step) for each in (batch.known, batch.taught))
        total = known["total"] + self.loss.taught * taught["total"]
        return {**known, "total": total, "taught_role": taught["role"], "taught_relation": taught["relation"]}

    def evaluate(self, network: nn.Module) -> Mapping[str, float]:
        """As `LayoutTask.evaluate`: on pages whose truth is known."""
        return self.base.evaluate(network)


def taught_batch(pages: Sequence[TaughtPage], data: LayoutData, rng: np.random.Generator) -> LayoutBatch:
    """Pages a little changed, padded; ``roles`` ``(B, N, 13)`` and ``related`` ``(B, N, N)`` are probabilities."""
    batch = batch_of([changed(page.likeliest, data, rng) for page in pages])
    most = batch.roles.shape[1]
    roles, related = (
        np.zeros((len(pages), most, len(ROLES)), np.float32),
        np.zeros((len(pages), most, most), np.float32),
    )
    for number, page in enumerate(pages):
        roles[number, : len(page)] = page.role_scores
        related[number, : len(page), : len(page)] = page.pair_scores
    return replace(batch, roles=torch.from_numpy(roles), related=torch.from_numpy(related))
