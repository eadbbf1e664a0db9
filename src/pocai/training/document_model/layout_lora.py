"""Training an adapter of the layout transformer: a few corrected timetables teach it a school's style."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from pocai.errors import ConfigurationError, InputError, ModelError
from pocai.models.adapter_card import AdapterOrigin
from pocai.models.artefact import Artefact
from pocai.models.layout import LayoutCard
from pocai.models.layout_network import LayoutConfig, LayoutNetwork
from pocai.training import checkpoints
from pocai.training.document_model.labelled_documents import Corrected
from pocai.training.document_model.labelled_pages import LabelledPage
from pocai.training.document_model.layout_export import LAYERS
from pocai.training.document_model.layout_pages import LayoutPage, pages_of_seed, read_pages
from pocai.training.document_model.layout_score import block_f1
from pocai.training.document_model.layout_task import LayoutBatch, LayoutData, batch_of, changed, wrong_shares
from pocai.training.document_model.page_variants import plain, texts_by_role, variant
from pocai.training.loop import train
from pocai.training.lora import AdapterResult
from pocai.training.lora_files import write_adapter
from pocai.training.lora_network import NAME, LoraTable, digest_of, load_base, lora_layers, with_lora
from pocai.training.progress import Reporter
from pocai.training.recipe import Recipe
from pocai.training.task import Share
from pocai.training.tracker import Tracker

SHIPPED = Artefact("pocai", "assets/models/layout.safetensors", "", "")
LEAST = 3  # documents
FALL = 0.01  # by which no figure may become worse
FALL_OF_ONE = 0.05  # by which the block F1 of no single corrected document may
EACH = "block_f1/document "
SCALES = (1.0, 0.7, 0.4, 0.2)  # of an adapter that does too much
REPLAYED = 7_000_000  # seed of the first made page


class LayoutLoraModel(LoraTable):
    """The adapter's size, and the base that it is for (safetensors); the shipped one where none is named."""

    rank: int = Field(4, ge=1)
    alpha: int = Field(8, ge=1)
    targets: tuple[str, ...] = Field(LAYERS, min_length=1)
    base: Path | None = None

    @property
    def weights(self) -> Path:
        """The file of the base. Raises ModelError where none is named and none is shipped."""
        return self.base or SHIPPED.file


class LayoutLoraData(BaseModel):
    """What is made of a few documents, and the made pages against forgetting."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variants: int = Field(16, ge=1, description="variants of each page that are trained on")
    held_back: float = Field(0.25, gt=0, lt=1, description="share of the documents that decide and are not trained on")
    replay: tuple[Path, ...] = Field((), description="files of pages that the base was trained on")
    made_replay: int = Field(60, ge=2, description="documents that are made against forgetting where no file is named")
    batch: int = Field(4, ge=1, description="new pages of a step in each process")
    replay_batch: int = Field(4, ge=1, description="made pages of a step in each process")
    blur: float = Field(0.05, ge=0, description="noise added to places, in heights of text")
    tilt: float = Field(0.004, ge=0, description="spread of the angle by which a page is turned, in radians")
    stretch: float = Field(0.08, ge=0, description="spread of the logarithm by which a page is stretched either way")
    forget: float = Field(0.05, ge=0, le=1, description="chance that a kind of fact is unknown on a page")
    licence: str = Field("not stated", min_length=1, description="of the documents; it goes into the adapter's card")


class LayoutLoraLoss(BaseModel):
    """``relation`` weighs relations beside roles, ``replay`` what made pages say beside the new ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    relation: float = Field(1.0, ge=0)
    replay: float = Field(1.0, ge=0)


@dataclass(frozen=True, slots=True)
class LayoutLoraBatch:
    """Pages of a step: of the style, and made ones."""

    new: LayoutBatch
    old: LayoutBatch


class LayoutLoraTask:
    """The task ``document-lora``: adapters of a frozen layout transformer learn the style of some ``documents``."""

    name = "document-lora"

    def __init__(self, recipe: Recipe, documents: Sequence[Corrected] = ()) -> None:
        self.model = LayoutLoraModel.model_validate(recipe.model)
        self.data = LayoutLoraData.model_validate(recipe.data)
        self.loss = LayoutLoraLoss.model_validate(recipe.loss)
        self.seed = recipe.seed
        self._documents = tuple(documents)

    @property
    def held_back(self) -> tuple[Corrected, ...]:
        """The documents that decide when to stop, and whether the adapter helps: the last ones."""
        return self._documents[-self._held :]

    @property
    def learned(self) -> tuple[Corrected, ...]:
        """The documents that are trained on."""
        return self._documents[: -self._held]

    @property
    def _held(self) -> int:
        """How many are held back. Raises InputError where there are too few documents."""
        count = len(self._documents)
        if count < LEAST:
            what = f"an adapter needs {LEAST} corrected documents, there are {count}"
            raise InputError(what, mend="Correct more documents of the school")
        return min(max(1, round(self.data.held_back * count)), count - LEAST + 1)

    @cached_property
    def base(self) -> LayoutNetwork:
        """The network without adapters."""
        return load_layout(self.model.weights)

    @cached_property
    def new(self) -> Sequence[LayoutPage]:
        """The pages that are learned, and variants of them."""
        pages = pages_of(self.learned)
        texts = texts_by_role(pages)
        found = [plain(page) for page in pages]
        for number in range(self.data.variants):
            found += [
                variant(page, texts, np.random.default_rng((self.seed, number, place)))
                for place, page in enumerate(pages)
            ]
        return [page for page in found if page is not None]

    @cached_property
    def validation(self) -> Sequence[LayoutPage]:
        """The pages that are held back."""
        return [page for page in map(plain, pages_of(self.held_back)) if page is not None]

    @cached_property
    def old(self) -> tuple[Sequence[LayoutPage], Sequence[LayoutPage]]:
        """Made pages against forgetting: to train on, and every fourth to validate on."""
        pages = [page for file in self.data.replay for page in read_pages(file)]
        if not self.data.replay:
            pages = [page for number in range(self.data.made_replay) for page in pages_of_seed(REPLAYED + number)]
        if len(pages) < 2:  # noqa: PLR2004 -- one on each side
            raise ConfigurationError("data.replay: there are no pages", mend="Name files with pages, or none")
        return [page for number, page in enumerate(pages) if number % 4], pages[::4]

    @property
    def data_hash(self) -> str:
        """SHA-256 over the pages of the style."""
        whole = hashlib.sha256()
        for page in [plain(each) for each in (*pages_of(self.learned), *pages_of(self.held_back))]:
            if page is not None:
                for values in (page.letters, page.places, page.roles, page.members):
                    whole.update(values.tobytes())
        return whole.hexdigest()

    def build(self) -> nn.Module:
        """The base with new adapters."""
        return with_lora(self.base, self.model)

    def batch(self, step: int, share: Share) -> LayoutLoraBatch:
        """New and old pages of a step, changed a little."""
        rng = np.random.default_rng((self.seed, step, share.rank, share.world))
        return LayoutLoraBatch(
            batch_of(self._drawn(self.new, self.data.batch, rng)),
            batch_of(self._drawn(self.old[0], self.data.replay_batch, rng)),
        )

    def _drawn(self, pages: Sequence[LayoutPage], count: int, rng: np.random.Generator) -> list[LayoutPage]:
        dials = LayoutData(blur=self.data.blur, tilt=self.data.tilt, forget=self.data.forget)
        chosen = rng.choice(len(pages), min(count, len(pages)), replace=False)
        return [stretched(changed(pages[number], dials, rng), self.data.stretch, rng) for number in chosen]

    def losses(self, network: nn.Module, batch: LayoutLoraBatch, step: int) -> Mapping[str, Tensor]:
        """What corrections say of new pages; of old ones how far the adapted network strays from the base."""
        del step
        new, old = batch.new, batch.old
        roles, related = network(*inputs_of(new))
        told = new.known[:, :, 0]
        role = nn.functional.cross_entropy(roles.float()[told], new.roles[told])
        each = nn.functional.binary_cross_entropy_with_logits(related.float(), new.related, reduction="none") * new.both
        relation = (each.sum(dim=(1, 2)) / new.filled.sum(dim=1)).mean() / 8  # as of `LayoutTask`
        with torch.no_grad():
            before = self.base.to(old.letters.device)(*inputs_of(old))
        strayed = strayed_from(before, network(*inputs_of(old)), old)
        total = role + self.loss.relation * relation + self.loss.replay * strayed
        return {"total": total, "role": role.detach(), "relation": relation.detach(), "old": strayed.detach()}

    def evaluate(self, network: nn.Module) -> Mapping[str, float]:
        """Wrong shares of held-back and of made pages; the mean of both is the score."""
        sides = {"new": self.validation, "old": self.old[1]}
        found = {name: wrong_shares(network, pages, self.data.batch) for name, pages in sides.items()}
        rates = {f"{figure}/{name}": shares[figure] for name, shares in found.items() for figure in shares}
        return {**rates, "score": (found["new"]["score"] + found["old"]["score"]) / 2}


def train_layout_lora(
    recipe: Recipe,
    folder: Path,
    task: LayoutLoraTask,
    *,
    tracker: Tracker | None = None,
    progress: Reporter | None = None,
) -> AdapterResult:
    """Train an adapter and write it to ``folder``; the run itself goes to ``folder/run`` and can be taken up again.

    It is scaled down as far as needed so that neither held-back documents nor made pages become worse by more than a
    point. Raises ModelError where it then helps nothing: nothing is written.
    """
    before = figures(task, task.base)
    outcome = train(task, recipe, folder / "run", tracker=tracker, progress=progress)
    network = task.build()
    checkpoints.load_network(network, checkpoints.read(outcome.weights).tensors, str(outcome.weights))
    scale, after = best_scale(task, network.eval(), before)
    origin = AdapterOrigin(
        base_sha256=digest_of(task.base),
        rank=task.model.rank,
        alpha=task.model.alpha,
        targets=task.model.targets,
        lines=sum(len(page.made.truths) for page in pages_of(task.learned)),
        data_sha256=task.data_hash,
        before=before,
        after={**after, "scale": scale},
        recipe=recipe.model_dump(mode="json"),
        licence=task.data.licence,
    )
    return AdapterResult(folder, write_adapter(network, folder, origin), outcome)


def figures(task: LayoutLoraTask, network: nn.Module) -> dict[str, float]:
    """What `LayoutLoraTask.evaluate` says, and the block F1 of the held-back documents and of each corrected one."""
    learned, held = (
        [([page.made.page for page in each.pages], each.timetables) for each in documents]
        for documents in (task.learned, task.held_back)
    )
    each = {f"{EACH}{number}": block_f1(network, [one]) for number, one in enumerate((*learned, *held), 1)}
    return {**task.evaluate(network), "block_f1/new": block_f1(network, held), **each}


def best_scale(task: LayoutLoraTask, network: nn.Module, before: Mapping[str, float]) -> tuple[float, dict[str, float]]:
    """Scale the adapter of a network as is best, and tell the figures then. Raises ModelError where none helps."""
    found: dict[float, dict[str, float]] = {}
    now = 1.0
    for scale in SCALES:
        scale_adapter(network, scale / now)
        now, found[scale] = scale, figures(task, network)
    allowed = {scale: each for scale, each in found.items() if helps(before, each)}
    if not allowed:
        each = found[SCALES[0]]
        f1, wrong = ((before[name], each[name]) for name in ("block_f1/new", "score/old"))
        what = (
            f"the adapter does not help: block F1 of held-back documents {f1[1]:.3f}, without it {f1[0]:.3f}; "
            f"wrong on made pages {wrong[1]:.3f}, without it {wrong[0]:.3f}"
        )
        raise ModelError(what, mend="Check the corrections, or correct more documents of this style")
    best = max(allowed, key=lambda scale: (allowed[scale]["block_f1/new"] - allowed[scale]["score/new"], scale))
    scale_adapter(network, best / now)
    return best, allowed[best]


def helps(before: Mapping[str, float], after: Mapping[str, float]) -> bool:
    """Whether an adapter makes held-back documents better in one figure, and nothing worse.

    No figure may be worse by more than a point. A corrected document that it reads much worse, though it was trained on
    it, tells that it will fail others of the style.
    """
    worse = (
        any(before[name] - after[name] > FALL_OF_ONE for name in before if name.startswith(EACH)),
        before["block_f1/new"] - after["block_f1/new"] > FALL,
        after["score/new"] - before["score/new"] > FALL,
        after["score/old"] - before["score/old"] > FALL,
    )
    better = after["block_f1/new"] > before["block_f1/new"] or after["score/new"] < before["score/new"]
    return better and not any(worse)


@torch.no_grad()
def scale_adapter(network: nn.Module, factor: float) -> None:
    """Multiply what the adapters of a network add."""
    for layer in lora_layers(network).values():
        layer.lora_B[NAME].weight.mul_(factor)


def load_layout(weights: Path) -> LayoutNetwork:
    """The layout transformer in a safetensors file. Raises ModelError as `load_base` does."""
    return load_base(weights, LayoutCard, lambda model: LayoutNetwork(LayoutConfig.model_validate(model)))


def pages_of(documents: Sequence[Corrected]) -> list[LabelledPage]:
    """All pages of some documents."""
    return [page for document in documents for page in document.pages]


def inputs_of(batch: LayoutBatch) -> tuple[Tensor, ...]:
    """What the network is given."""
    return batch.letters, batch.facts, batch.places, batch.cells, batch.filled


def stretched(page: LayoutPage, spread: float, rng: np.random.Generator) -> LayoutPage:
    """A page made wider or narrower, higher or lower."""
    by = np.exp(rng.normal(0, spread, 2)).astype(np.float32)
    places: NDArray[np.float32] = page.places * np.tile(by, page.places.shape[1] // 2)
    return replace(page, places=places)


def strayed_from(before: tuple[Tensor, Tensor], after: tuple[Tensor, Tensor], batch: LayoutBatch) -> Tensor:
    """Mean divergence (Kullback and Leibler, nats a token) of roles and relations from those before.

    "Learning without forgetting" (Li and Hoiem 2016, arXiv:1606.09282).
    """
    old, new = (torch.log_softmax(roles.float(), dim=2)[batch.filled] for roles in (before[0], after[0]))
    roles = nn.functional.kl_div(new, old, reduction="batchmean", log_target=True)
    wanted = torch.sigmoid(before[1].float())
    cross = nn.functional.binary_cross_entropy_with_logits(after[1].float(), wanted, reduction="none")
    least = nn.functional.binary_cross_entropy_with_logits(before[1].float(), wanted, reduction="none")
    related = ((cross - least) * batch.both).sum(dim=(1, 2)) / batch.filled.sum(dim=1)
    strayed: Tensor = roles + related.mean() / 8
    return strayed
