"""Training the student: CTC on the truth, and on what the teacher makes of the same lines."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from rapidfuzz.distance import Levenshtein
from torch import Tensor, nn

from pocai.models.ctc import CLASSES
from pocai.models.student_network import StudentConfig, StudentNetwork
from pocai.training.distill import ctc_loss, teacher_loss
from pocai.training.line_batches import LineBatch, LineImages, batch_of, numbers_of_step
from pocai.training.ocr_model.augment import augmented
from pocai.training.recipe import digest
from pocai.training.task import Share

EVALUATED_AT_ONCE = 32  # lines


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StudentData(_Table):
    """Where lines come from: folders of shards (`pocai synth lines`), or made while training."""

    shards: tuple[Path, ...] = Field((), description="folders of line images to train on")
    validation: dict[str, Path] = Field({}, description="folders to evaluate on, by the name of the slice")
    made: int = Field(0, ge=0, description="lines that are made while training, instead of shards")
    made_validation: int = Field(256, ge=1, description="made lines to evaluate on, where no folder is named")
    damage: Literal["clean", "mixed", "heavy"] = "mixed"
    families: tuple[str, ...] = Field((), description="families of type that made lines are set in; without: all")
    batch: int = Field(64, ge=1, description="lines of a step in each process")
    augment: float = Field(0.5, ge=0, le=1, description="chance of each small change to a line image")


class StudentLoss(_Table):
    """Weights of the losses. ``teacher`` 0 trains without one; ``temperature`` softens both networks' scores."""

    truth: float = Field(1.0, ge=0)
    teacher: float = Field(0.0, ge=0)
    temperature: float = Field(1.5, gt=0)


class StudentTask:
    """The task ``ocr-student``: a `StudentNetwork` on shards, made lines, or any other `LineImages`."""

    name = "ocr-student"

    def __init__(self, model: StudentConfig, data: StudentData, loss: StudentLoss, seed: int) -> None:
        self.model = model
        self.data = data
        self.loss = loss
        self.seed = seed

    def build(self) -> nn.Module:
        """A new student."""
        network = StudentNetwork(self.model)
        for parameter in network.parameters():
            if parameter.dim() == 4:  # noqa: PLR2004 (of a convolution)
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        return network

    @property
    def data_hash(self) -> str:
        """SHA-256 of the shards that are trained on, or of what says how lines are made."""
        from pocai.training.shards import Shards

        if isinstance(self.lines, Shards):
            return self.lines.content_hash()
        return digest({"seed": self.seed, "data": self.data.model_dump(mode="json")})

    @cached_property
    def lines(self) -> LineImages:
        """What is trained on."""
        from pocai.training.made_shards import parts_of
        from pocai.training.ocr_model.line_sources import MadeLines
        from pocai.training.shards import open_shards

        if self.data.shards:
            return open_shards([part for folder in self.data.shards for part in parts_of(folder)])
        return MadeLines(self.seed, "train", self.data.damage, self.data.made, self.data.families)

    @cached_property
    def validation(self) -> Mapping[str, LineImages]:
        """What is evaluated on, by slice."""
        from pocai.training.made_shards import parts_of
        from pocai.training.ocr_model.line_sources import MadeLines
        from pocai.training.shards import open_shards

        if self.data.validation:
            return {name: open_shards(parts_of(folder)) for name, folder in self.data.validation.items()}
        made = self.data.made_validation
        return {self.data.damage: MadeLines(self.seed + 1, "train", self.data.damage, made, self.data.families)}

    def batch(self, step: int, share: Share) -> LineBatch:
        """The lines of a step, changed a little."""
        numbers = numbers_of_step(self.lines.widths(), step, self.data.batch, self.seed, share)
        random = np.random.default_rng((self.seed, step, share.rank, share.world))
        scored = [self.lines.teacher(number) if self.loss.teacher else None for number in numbers]
        images = [
            augmented(self.lines.image(number), random, self.data.augment, stretch=said is None)
            for number, said in zip(numbers, scored, strict=True)
        ]
        return batch_of(images, [self.lines.text(number) for number in numbers], scored)

    def losses(self, network: nn.Module, batch: LineBatch, step: int) -> Mapping[str, Tensor]:
        """CTC on the labels, plus the divergence from the teacher where it was asked."""
        del step
        scores = network(batch.images).float()
        truth = ctc_loss(scores, batch.labels, batch.lengths, batch.steps).mean()
        if batch.teacher is None or not self.loss.teacher:
            return {"total": self.loss.truth * truth, "ctc": truth.detach()}
        taught = teacher_loss(scores, batch.teacher, self.loss.temperature)
        total = self.loss.truth * truth + self.loss.teacher * taught
        return {"total": total, "ctc": truth.detach(), "teacher": taught.detach()}

    def evaluate(self, network: nn.Module) -> Mapping[str, float]:
        """Character error rate and share of wrong lines of each slice; the score is the mean character error rate."""
        metrics: dict[str, float] = {}
        for name, lines in self.validation.items():
            read = read_lines(network, lines)
            truth = [lines.text(number) for number in range(len(lines))]
            metrics[f"cer/{name}"] = error_rate(read, truth)
            metrics[f"wrong/{name}"] = sum(a != b for a, b in zip(read, truth, strict=True)) / max(1, len(truth))
        rates = [value for key, value in metrics.items() if key.startswith("cer/")]
        return {**metrics, "score": sum(rates) / len(rates)}


def read_lines(network: nn.Module, lines: LineImages) -> list[str]:
    """What the network reads on each line (best path)."""
    texts = [""] * len(lines)
    order = np.argsort(lines.widths(), kind="stable")
    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        for start in range(0, len(order), EVALUATED_AT_ONCE):
            numbers = [int(number) for number in order[start : start + EVALUATED_AT_ONCE]]
            batch = batch_of([lines.image(number) for number in numbers], [""] * len(numbers))
            best = network(batch.images.to(device)).argmax(dim=-1).cpu().numpy()
            for number, path, steps in zip(numbers, best, batch.steps.tolist(), strict=True):
                texts[number] = best_path(path[:steps])
    return texts


def best_path(path: np.ndarray) -> str:
    """The text of a best path ``(T,)`` of classes; spaces in a row become one."""
    kept = path[np.concatenate(([True], path[1:] != path[:-1]))]
    return " ".join("".join(CLASSES[number] for number in kept).split())


def error_rate(read: list[str], truth: list[str]) -> float:
    """Character error rate: edits (Levenshtein) over the letters of the truth."""
    edits = sum(Levenshtein.distance(a, b) for a, b in zip(read, truth, strict=True))
    return edits / max(1, sum(map(len, truth)))
