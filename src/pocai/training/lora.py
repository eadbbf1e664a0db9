"""Training an adapter: some hundred lines of a style that the student reads badly, and old ones against forgetting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from pocai.errors import ConfigurationError, ModelError
from pocai.models.adapter_card import AdapterCard, AdapterOrigin
from pocai.models.artefact import Artefact
from pocai.training import checkpoints
from pocai.training.datasets import read_line_folder
from pocai.training.distill import ctc_loss
from pocai.training.line_batches import LineBatch, LineImages, Pixels, batch_of, numbers_of_step
from pocai.training.loop import Outcome, train
from pocai.training.lora_files import write_adapter
from pocai.training.lora_lines import MOST_OLD, Halves
from pocai.training.lora_network import FrozenStudent, LoraTable, digest_of, load_student, with_lora
from pocai.training.ocr_model.augment import augmented
from pocai.training.ocr_model.student import error_rate, read_lines
from pocai.training.progress import Reporter
from pocai.training.recipe import Recipe
from pocai.training.task import Share
from pocai.training.tracker import Tracker

SHIPPED = Artefact("pocai", "assets/models/student.safetensors", "", "")


class LoraModel(LoraTable):
    """The adapter's size, and the student that it is for (safetensors); the shipped one where none is named."""

    base: Path | None = None

    @property
    def weights(self) -> Path:
        """The file of the base. Raises ModelError where none is named and none is shipped."""
        return self.base or SHIPPED.file


class LoraData(BaseModel):
    """Where lines come from: a folder of the new style (`read_line_folder`), and old lines against forgetting."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lines: Path | None = Field(None, description="folder of labelled lines in the new style")
    replay: tuple[Path, ...] = Field((), description="folders of shards with old lines")
    made_replay: int = Field(0, ge=0, description="old lines that are made, where no folder is named")
    damage: Literal["clean", "mixed", "heavy"] = "mixed"
    batch: int = Field(24, ge=1, description="new lines of a step in each process")
    replay_batch: int = Field(8, ge=1, description="old lines of a step in each process")
    augment: float = Field(0.5, ge=0, le=1, description="chance of each small change to a line image")
    licence: str = Field("not stated", min_length=1, description="of the lines; it goes into the adapter's card")


class LoraLoss(BaseModel):
    """``replay`` is the weight of what old lines say beside that of new ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    replay: float = Field(1.0, ge=0)


@dataclass(frozen=True, slots=True)
class LoraBatch:
    """Lines of a step: the first ``new`` are of the new style, the others old."""

    lines: LineBatch
    new: int


@dataclass(frozen=True, slots=True)
class AdapterResult:
    """A trained adapter: its folder, its card, and how its training went."""

    folder: Path
    card: AdapterCard
    outcome: Outcome


class LoraTask:
    """The task ``ocr-lora``: adapters of a frozen student learn a new style.

    ``new`` and ``old`` are lines that are in memory already, in place of the folders in ``data``.
    """

    name = "ocr-lora"

    def __init__(self, recipe: Recipe, new: Halves | None = None, old: Halves | None = None) -> None:
        self.model = LoraModel.model_validate(recipe.model)
        self.data = LoraData.model_validate(recipe.data)
        self.loss = LoraLoss.model_validate(recipe.loss)
        self.seed = recipe.seed
        self._new = new
        self._old = old

    @cached_property
    def base(self) -> FrozenStudent:
        """The student without adapters."""
        return load_student(self.model.weights)

    @cached_property
    def new(self) -> Halves:
        """Lines of the new style. Raises ConfigurationError where none are named, InputError where they are too few."""
        if self._new is None and self.data.lines is None:
            raise ConfigurationError("data.lines: no lines are named", mend="Name the folder of labelled lines")
        lines = self._new or Halves.of_folder(read_line_folder(Path(str(self.data.lines))))
        lines.check("lines of the new style")
        return lines

    @cached_property
    def old(self) -> Halves | None:
        """Lines that the student reads already; None where none are kept in mind."""
        from pocai.training.ocr_model.line_sources import MadeLines
        from pocai.training.shards import open_shards

        if self._old is not None:
            return self._old
        if self.data.replay:
            return Halves.of(open_shards(self.data.replay), MOST_OLD)
        if not self.data.made_replay:
            return None
        return Halves.of(MadeLines(self.seed, "train", self.data.damage, self.data.made_replay))

    @property
    def data_hash(self) -> str:
        """SHA-256 over the lines of the new style."""
        return self.new.data_hash

    def build(self) -> nn.Module:
        """The student with new adapters."""
        network = with_lora(self.base, self.model)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
        return network

    def batch(self, step: int, share: Share) -> LoraBatch:
        """New and old lines of a step, changed a little."""
        random = np.random.default_rng((self.seed, step, share.rank, share.world))
        images: list[Pixels] = []
        texts: list[str] = []
        sides = [(self.new.train, self.data.batch)]
        if self.old is not None:
            sides.append((self.old.train, self.data.replay_batch))
        for lines, count in sides:
            numbers = numbers_of_step(lines.widths(), step, count, self.seed, share)
            images += [augmented(lines.image(number), random, self.data.augment) for number in numbers]
            texts += [lines.text(number) for number in numbers]
        return LoraBatch(batch_of(images, texts), self.data.batch)

    def losses(self, network: nn.Module, batch: LoraBatch, step: int) -> Mapping[str, Tensor]:
        """CTC on the labels of new lines; on old ones how far the adapted student's scores stray from the base's."""
        del step
        lines, new = batch.lines, batch.new
        scores = network(lines.images).float()
        read = ctc_loss(scores, lines.labels, lines.lengths, lines.steps)[:new].mean()
        if new == len(lines.images):
            return {"total": read, "new": read.detach()}
        with torch.no_grad():
            before = self.base.to(lines.images.device)(lines.images[new:]).float()
        strayed = strayed_from(before, scores[new:], lines.steps[new:])
        return {"total": read + self.loss.replay * strayed, "new": read.detach(), "old": strayed.detach()}

    def evaluate(self, network: nn.Module) -> Mapping[str, float]:
        """Character error rates of new and old validation lines; their mean is the score: both count alike."""
        sides = {"new": self.new.validation} | ({} if self.old is None else {"old": self.old.validation})
        rates = {f"cer/{name}": _error_rate(network, lines) for name, lines in sides.items()}
        return {**rates, "score": sum(rates.values()) / len(rates)}


def train_lora(
    recipe: Recipe, folder: Path, task: LoraTask, *, tracker: Tracker | None = None, progress: Reporter | None = None
) -> AdapterResult:
    """Train an adapter and write it to ``folder``; the run itself goes to ``folder/run`` and can be taken up again.

    Raises ModelError where the adapter reads no better than the base without it: nothing is written then.
    """
    before = task.evaluate(task.base)
    outcome = train(task, recipe, folder / "run", tracker=tracker, progress=progress)
    if outcome.best_score >= before["score"]:
        what = f"the adapter reads no better: error rate {outcome.best_score:.4f}, without it {before['score']:.4f}"
        raise ModelError(what, mend="Check the labels, give more lines, or change loop.learning_rate")
    network = task.build()
    checkpoints.load_network(network, checkpoints.read(outcome.weights).tensors, str(outcome.weights))
    origin = AdapterOrigin(
        base_sha256=digest_of(task.base),
        rank=task.model.rank,
        alpha=task.model.alpha,
        targets=task.model.targets,
        lines=len(task.new.train),
        data_sha256=task.data_hash,
        before=before,
        after=outcome.metrics,
        recipe=recipe.model_dump(mode="json"),
        licence=task.data.licence,
    )
    return AdapterResult(folder, write_adapter(network.eval(), folder, origin), outcome)


def strayed_from(before: Tensor, scores: Tensor, steps: Tensor) -> Tensor:
    """Mean divergence (Kullback and Leibler, nats a line) of scores ``(N, S, C)`` from those before.

    "Learning without forgetting" (Li and Hoiem 2016, arXiv:1606.09282). ``steps`` ``(N,)`` are those that each line
    fills.
    """
    each = torch.nn.functional.kl_div(scores, before, reduction="none", log_target=True).sum(dim=-1)
    filled = torch.arange(each.shape[1], device=each.device) < steps[:, None].to(each.device)
    strayed: Tensor = (each * filled).sum(dim=1).mean()
    return strayed


def _error_rate(network: nn.Module, lines: LineImages) -> float:
    return error_rate(read_lines(network, lines), [lines.text(number) for number in range(len(lines))])
