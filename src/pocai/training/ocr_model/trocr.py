"""Training TrOCR, whole or by adapters: the letters of a line one after the other, by cross-entropy."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import starmap
from operator import ne
from pathlib import Path
from typing import Annotated, Any, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from rapidfuzz.distance import Levenshtein
from torch import Tensor, nn

from pocai.models.ctc import LETTERS
from pocai.models.trocr import read_pictures
from pocai.models.trocr_image import Fit, Preparation
from pocai.models.trocr_network import Sizes, TrOCR, folder_of, fresh, load, plain, preparation_of, save, weights_hash
from pocai.models.trocr_tokens import Charset, Tokens, tokens_of
from pocai.training.line_batches import numbers_of_step
from pocai.training.ocr_model.trocr_adapter import AttentionLora, save_adapter, with_adapter
from pocai.training.ocr_model.trocr_lines import CropPictures, Crops, Pictures, TrOCRData, labelled, pictures_of
from pocai.training.recipe import Recipe, digest
from pocai.training.task import Share
from pocai.training.tasks import checked

FRESH = "config"  # the base that is none: a network from scratch
_IGNORED = -100  # label of what is no letter, as torch's cross-entropy leaves it out
Count = Annotated[int, Field(ge=1)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TrOCRModel(_Table):
    """Where the network comes from and which part of it learns.

    ``base`` is a published name, a local folder, or ``config`` for a network of ``sizes`` from scratch, whose
    vocabulary is ``letters``. ``fit``, ``height`` and ``width`` change how a base wants its lines (see `Preparation`).
    """

    base: str = FRESH
    sizes: Sizes = Sizes()
    letters: str = " " + LETTERS
    fit: Fit | None = None
    height: Count | None = None
    width: Count | None = None
    longest: Count = 96
    freeze_encoder: bool = False
    gradient_checkpointing: bool = False
    lora: AttentionLora | None = None

    @property
    def changes(self) -> dict[str, Any]:
        """What is asked for of the base's `Preparation`."""
        wanted = {"fit": self.fit, "height": self.height, "width": self.width}
        return {name: value for name, value in wanted.items() if value is not None}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.base == FRESH and self.changes:
            raise ValueError('fit, height and width are for a base; sizes give those of "config"')
        if self.base == FRESH and self.lora is not None:
            raise ValueError("adapters need a base that is trained")
        if self.lora is not None and self.freeze_encoder:
            raise ValueError("adapters leave the whole base as it is; freeze_encoder adds nothing")
        return self


class TrOCRLoss(_Table):
    """``label_smoothing`` is the share of the target that all tokens have in common (Szegedy et al. 2016)."""

    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0


class TrOCRTask:
    """The tasks ``ocr-teacher`` and ``trocr-lora``: a TrOCR learns labelled lines, whole or by adapters.

    Raises ConfigurationError where the recipe's tables cannot be used.
    ``lines``, crops to train on and crops to evaluate on by slice, may be given in place of what ``data`` names.
    """

    def __init__(self, recipe: Recipe, lines: tuple[Crops, Mapping[str, Crops]] | None = None) -> None:
        self.name = recipe.task
        self.model = checked(TrOCRModel, recipe, "model")
        self.data = checked(TrOCRData, recipe, "data")
        self.loss = checked(TrOCRLoss, recipe, "loss")
        self.seed = recipe.seed
        self._given = lines

    def build(self) -> nn.Module:
        """The base, or a new network; with new adapters where the recipe asks for them."""
        network = self._base().network
        core: Any = plain(network)
        for parameter in core.encoder.parameters() if self.model.freeze_encoder else ():
            parameter.requires_grad = False
        if self.model.gradient_checkpointing:
            core.activation_checkpointing_enable({"use_reentrant": False})
        return network if self.model.lora is None else with_adapter(network, self.model.lora)

    def batch(self, step: int, share: Share) -> dict[str, Tensor]:
        """``pixel_values`` ``(N, channels, H, W)`` and ``labels`` ``(N, T)``, filled up with -100."""
        numbers = numbers_of_step(self.lines.widths(), step, self.data.batch, self.seed, share)
        pictures, texts = labelled(self.lines, numbers)
        encoded = [torch.tensor(self.tokens.encode(text)[: self.model.longest]) for text in texts]
        labels = nn.utils.rnn.pad_sequence(encoded, batch_first=True, padding_value=_IGNORED)
        return {"pixel_values": torch.from_numpy(self.preparation.batch(pictures)), "labels": labels}

    def losses(self, network: nn.Module, batch: Mapping[str, Tensor], step: int) -> Mapping[str, Tensor]:
        """Cross-entropy of the next letter (nats), smoothed where the recipe asks for it."""
        del step
        output = network(**batch, use_cache=False)
        if not self.loss.label_smoothing:
            return {"total": output.loss}
        smoothed = nn.functional.cross_entropy(
            output.logits.flatten(0, 1),
            batch["labels"].flatten(),
            ignore_index=_IGNORED,
            label_smoothing=self.loss.label_smoothing,
        )
        return {"total": smoothed, "cross_entropy": output.loss.detach()}

    def evaluate(self, network: nn.Module) -> Mapping[str, float]:
        """Of each slice, read greedily: character error rate and share of wrong lines. The score is the mean rate."""
        model = self.reader(network)
        metrics: dict[str, float] = {}
        for name, lines in self.validation.items():
            pictures, truth = labelled(lines, range(min(len(lines), self.data.evaluated)))
            pairs = [(reading.text, text) for reading, text in zip(read_pictures(model, pictures), truth, strict=True)]
            metrics[f"cer/{name}"] = sum(starmap(Levenshtein.distance, pairs)) / max(1, sum(map(len, truth)))
            metrics[f"wrong/{name}"] = sum(starmap(ne, pairs)) / max(1, len(pairs))
        rates = [value for key, value in metrics.items() if key.startswith("cer/")]
        return {**metrics, "score": sum(rates) / len(rates)}

    def save(self, network: nn.Module, folder: Path, card: Mapping[str, Any]) -> None:
        """Write a trained network: whole, or its adapters alone. ``card`` holds its recipe and metrics."""
        known = {
            "base": self.model.base,
            "base_sha256": self._base_hash,
            "data_sha256": self.data_hash,
            "licence": self.data.licence,
            **card,
        }
        if self.model.lora is None:
            save(self.reader(network), folder, known)
        else:
            save_adapter(self.reader(network), folder, known)

    def reader(self, network: nn.Module) -> TrOCR:
        """A network that `build` made, with what it needs to read."""
        return TrOCR(network.eval(), self.tokens, self.preparation, self.model.longest)

    @cached_property
    def tokens(self) -> Tokens:
        """What the network writes."""
        return Charset(self.model.letters) if self._folder is None else tokens_of(self._folder)

    @cached_property
    def preparation(self) -> Preparation:
        """What becomes of a line before the network sees it."""
        if self._folder is None:
            return self.model.sizes.preparation()
        return preparation_of(self._folder, self.model.changes)

    @property
    def lines(self) -> Pictures:
        """What is trained on."""
        return self._pictures[0]

    @property
    def validation(self) -> Mapping[str, Pictures]:
        """What is evaluated on, by slice."""
        return self._pictures[1]

    @property
    def data_hash(self) -> str:
        """SHA-256 of what is trained on; of lines that do not know theirs, of how they are made."""
        made = {"seed": self.seed, "data": self.data.model_dump(mode="json")}
        return self.lines.content or digest(made)

    @cached_property
    def _pictures(self) -> tuple[Pictures, Mapping[str, Pictures]]:
        if self._given is None:
            return pictures_of(self.data, self.seed, self.preparation)
        train, held_out = self._given
        slices = {name: CropPictures(crops, self.preparation) for name, crops in held_out.items()}
        return CropPictures(train, self.preparation), slices

    @cached_property
    def _folder(self) -> Path | None:
        """Where the base lies; None for a network from scratch."""
        return None if self.model.base == FRESH else folder_of(self.model.base)

    @cached_property
    def _base_hash(self) -> str | None:
        return None if self._folder is None else weights_hash(self._folder)

    def _base(self) -> TrOCR:
        if self._folder is None:
            return fresh(self.model.sizes, self.tokens, self.model.longest)
        return load(self._folder, self.preparation, self.model.longest)
