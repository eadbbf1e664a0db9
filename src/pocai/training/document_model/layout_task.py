"""Training the layout transformer: the role of every line, and which lines share a block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Annotated
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from pocai.errors import ConfigurationError
from pocai.models.ctc import CLASSES
from pocai.models.layout_network import LayoutConfig, LayoutNetwork
from pocai.models.layout_tokens import LOOK_FACTS, ROLES, TEXT_FACTS
from pocai.training.document_model.layout_pages import LayoutPage, known_of, pages_of_seed, read_pages
from pocai.training.task import Share

NAMES = ("event", "note", "title", "class", "teacher", "other")  # roles whose words may be any
SMALL = np.array([number for number, letter in enumerate(CLASSES) if letter.islower()], np.uint8)
SAMPLES = 3  # pages that are drawn at the end
NEIGHBOURS = 16  # pages of like length from which the pages of a batch are drawn, as multiples of a batch


class LayoutData(BaseModel):
    """Where pages come from: files of `pocai synth layouts`, or made on the spot."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: Mapping[Path, Annotated[int, Field(ge=1)]] = Field(
        {}, description="files of pages, or folders of such files, and how many times the pages of each count"
    )
    validation: tuple[Path, ...] = Field((), description="the same, of pages that are not trained on")
    made: int = Field(0, ge=0, description="documents that are made where no file is named")
    made_validation: int = Field(0, ge=0, description="the same, to validate on")
    batch: int = Field(12, ge=1, description="pages of a step in each process")
    blur: float = Field(0.05, ge=0, description="noise added to places, in heights of text")
    tilt: float = Field(0.004, ge=0, description="spread of the angle by which a page is turned, in radians")
    forget: float = Field(0.1, ge=0, le=1, description="chance that a kind of fact is unknown on a page")


class LayoutLoss(BaseModel):
    """Weights of the losses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: float = Field(1.0, ge=0)
    relation: float = Field(1.0, ge=0)


@dataclass(frozen=True, slots=True)
class LayoutBatch:
    """Pages of a step, padded: inputs as of `LayoutNetwork`, ``roles`` ``(B, N)``, ``related`` ``(B, N, N)``.

    ``roles`` may be probabilities ``(B, N, 13)``, and ``related`` too: what a teacher says.
    ``known`` ``(B, N, 2)``: whether a token's role and its blocks are known; false where a page has no token.
    """

    letters: Tensor
    facts: Tensor
    places: Tensor
    cells: Tensor
    filled: Tensor
    roles: Tensor
    related: Tensor
    known: Tensor

    @property
    def both(self) -> Tensor:
        """Pairs of which it is known whether they are related, ``(B, N, N)``."""
        blocks = self.known[:, :, 1]
        return blocks[:, :, None] & blocks[:, None, :]


class LayoutTask:
    """The task ``document-base``."""

    name = "document-base"

    def __init__(self, model: LayoutConfig, data: LayoutData, loss: LayoutLoss, seed: int) -> None:
        self.model, self.data, self.loss, self.seed = model, data, loss, seed

    @cached_property
    def pages(self) -> Sequence[LayoutPage]:
        """Pages to train on. Raises ConfigurationError where there are none."""
        return _pages(self.data.files, self.data.made, self.seed)

    @cached_property
    def validation(self) -> Sequence[LayoutPage]:
        """Pages to validate on."""
        return _pages(dict.fromkeys(self.data.validation, 1), self.data.made_validation, self.seed + 1_000_000)

    @property
    def data_hash(self) -> str:
        """SHA-256 of the files that are trained on, or of what says which pages are made."""
        digest = sha256(repr((self.seed, self.data.made, sorted(self.data.files.values()))).encode())
        for file in (file for name in self.data.files for file in files_of(name)):
            digest.update(file.read_bytes())
        return digest.hexdigest()

    def build(self) -> nn.Module:
        """A new network."""
        return LayoutNetwork(self.model)

    @cached_property
    def _by_length(self) -> NDArray[np.int64]:
        return np.argsort([len(page) for page in self.pages], kind="stable")

    def batch(self, step: int, share: Share) -> LayoutBatch:
        """Pages of nearly equal length, a little changed."""
        rng = np.random.default_rng((self.seed, step, share.rank, share.world))
        chosen = drawn(self._by_length, self.data.batch, rng)
        return batch_of([changed(self.pages[number], self.data, rng) for number in chosen])

    def losses(self, network: nn.Module, batch: LayoutBatch, step: int) -> Mapping[str, Tensor]:
        """Cross-entropy of roles, and of relations over all pairs of a page; each page counts alike in the latter."""
        del step
        roles, related = network(batch.letters, batch.facts, batch.places, batch.cells, batch.filled)
        told = batch.known[:, :, 0]
        role = nn.functional.cross_entropy(roles.float()[told], batch.roles[told])
        each = nn.functional.binary_cross_entropy_with_logits(related.float(), batch.related, reduction="none")
        each = each * batch.both
        # a page of N lines has about N related pairs for each of which there are N others: count per line
        relation = (each.sum(dim=(1, 2)) / batch.filled.sum(dim=1)).mean() / 8
        total = self.loss.role * role + self.loss.relation * relation
        return {"total": total, "role": role.detach(), "relation": relation.detach()}

    def evaluate(self, network: nn.Module) -> Mapping[str, float]:
        """As `wrong_shares`."""
        return wrong_shares(network, self.validation, self.data.batch)

    def samples(self, weights: Path, folder: Path) -> Sequence[Path]:
        """Pictures of the first pages to validate on, with what the trained network says of them."""
        from pocai.training import checkpoints
        from pocai.training.document_model.layout_samples import draw_samples

        network = self.build()
        checkpoints.load_network(network, checkpoints.read(weights).tensors, str(weights))
        return draw_samples(network.eval(), self.validation[:SAMPLES], folder)


def drawn(by_length: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Numbers of ``count`` pages of nearly equal length; ``by_length`` are those of all, the shortest page first."""
    reach = min(len(by_length), NEIGHBOURS * count)
    begin = int(rng.integers(0, len(by_length) - reach + 1))
    return rng.choice(by_length[begin : begin + reach], min(reach, count), replace=False)


def wrong_shares(network: nn.Module, pages: Sequence[LayoutPage], batch_size: int) -> Mapping[str, float]:
    """Share of wrong roles, and 1 - F1 of related pairs; their mean is the score."""
    wrong = lines = hits = said = true = 0
    for start in range(0, len(pages), batch_size):
        batch = batch_of(pages[start : start + batch_size])
        with torch.inference_mode():
            roles, related = network(batch.letters, batch.facts, batch.places, batch.cells, batch.filled)
        told, both = batch.known[:, :, 0], batch.both
        wrong += int((roles.argmax(dim=2) != batch.roles)[told].sum())
        lines += int(told.sum())
        found, wanted = (related > 0) & both, (batch.related > 0) & both
        hits, said, true = hits + int((found & wanted).sum()), said + int(found.sum()), true + int(wanted.sum())
    rates = {"wrong_role": wrong / max(1, lines), "wrong_relation": 1 - 2 * hits / max(1, said + true)}
    return {**rates, "score": sum(rates.values()) / 2}


def changed(page: LayoutPage, data: LayoutData, rng: np.random.Generator) -> LayoutPage:
    """Places shaken and tilted; now and then all colours, weights, cells or known words of a page taken away."""
    places = page.places + rng.normal(0, data.blur, page.places.shape).astype(np.float32)
    tilt = np.float32(rng.normal(0, data.tilt))
    places[:, 1::2] += tilt * places[:, ::2]
    places[:, ::2] -= tilt * places[:, 1::2]
    facts, cells, letters = page.facts.copy(), page.cells, page.letters
    look = facts[:, TEXT_FACTS:]
    for columns in (slice(0, 3), slice(3, 5), slice(14, 15)):
        if rng.random() < data.forget:
            look[:, columns] = np.median(look[:, columns], axis=0)
    if rng.random() < data.forget:
        look[:, LOOK_FACTS - 6 :] = 0
        places[:, 4:], cells = places[:, :4], np.full_like(cells, -1)
    if rng.random() < data.forget:
        letters = _strange(page, rng)
    return replace(page, letters=letters, facts=facts, places=places, cells=cells)


def _strange(page: LayoutPage, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Letters of a page whose names and notes are in no language: each small letter stands for another one."""
    swapped = np.arange(256, dtype=np.uint8)
    swapped[SMALL] = rng.permutation(SMALL)
    names = np.isin(page.roles, [ROLES.index(role) for role in NAMES])
    letters: NDArray[np.uint8] = np.where(names[:, None], swapped[page.letters], page.letters)
    return letters


def batch_of(pages: Sequence[LayoutPage]) -> LayoutBatch:
    """Pages padded to the longest."""
    most = max(len(page) for page in pages)

    def padded(arrays: Sequence[NDArray[np.generic]], fill: float, kind: type[np.generic]) -> Tensor:
        whole = np.full((len(arrays), most, *arrays[0].shape[1:]), fill, kind)
        for number, array in enumerate(arrays):
            whole[number, : len(array)] = array
        return torch.from_numpy(whole)

    related = np.zeros((len(pages), most, most), np.float32)
    for number, page in enumerate(pages):
        related[number, : len(page), : len(page)] = page.related()
    return LayoutBatch(
        padded([page.letters for page in pages], 0, np.int64),
        padded([page.facts for page in pages], 0, np.float32),
        padded([page.places for page in pages], 0, np.float32),
        padded([page.cells for page in pages], -1, np.int64),
        padded([np.ones(len(page), np.bool_) for page in pages], 0, np.bool_),
        padded([page.roles for page in pages], 0, np.int64),
        torch.from_numpy(related),
        padded([known_of(page) for page in pages], 0, np.bool_),
    )


def _pages(files: Mapping[Path, int], made: int, seed: int) -> list[LayoutPage]:
    found = [page for name, times in files.items() for file in files_of(name) for page in read_pages(file) * times]
    if not files:
        first = crc32(str(seed).encode()) % 2**24
        found = [page for number in range(made) for page in pages_of_seed(first + number)]
    if not found:
        raise ConfigurationError("data: no pages are named", mend="Name data.files, or set data.made")
    return found


def files_of(name: Path) -> list[Path]:
    """A file of pages, or all those of a folder."""
    return sorted(name.glob("*.npz")) if name.is_dir() else [name]
