"""Training a causal language model to answer about pages, whole or by adapters (LoRA), by cross-entropy.

Only the answer's tokens are learned; the page's are given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from pocai.errors import ConfigurationError
from pocai.evaluation.timetables import score, total
from pocai.models.language_answer import read_answer, timetables_of
from pocai.models.language_network import (
    Language,
    Precision,
    Script,
    Sizes,
    folder_of,
    fresh,
    learned_tokenizer,
    load,
    save,
    tokenizer_of,
)
from pocai.models.language_writer import LocalWriter
from pocai.models.trocr_network import weights_hash
from pocai.settings import SchoolHours
from pocai.training.document_model.language_adapter import save_adapter
from pocai.training.document_model.language_data import Examples, LanguageData, Sources, sources_of
from pocai.training.document_model.language_examples import Example
from pocai.training.ocr_model.trocr_adapter import AttentionLora, with_adapter
from pocai.training.recipe import Recipe, digest
from pocai.training.task import Share
from pocai.training.tasks import checked

FRESH = "config"  # the base that is none: a network from scratch
_IGNORED = -100  # label of what is not learned, as torch's cross-entropy leaves it out
_TOLD = 48  # examples from which the tokenizer of a network from scratch is learned
_TRIES = 60  # examples in a row that may be too long


class LanguageTable(BaseModel):
    """Where the network comes from and which part of it learns.

    ``base`` is a published name, a local folder, or ``config`` for a network of ``sizes`` from scratch; ``precision``
    is that of a base's weights in memory.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str = FRESH
    sizes: Sizes = Sizes()
    precision: Precision = "float32"
    gradient_checkpointing: bool = False
    lora: AttentionLora | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.base == FRESH and self.lora is not None:
            raise ValueError("adapters need a base that is trained")
        return self


class LanguageLoss(BaseModel):
    """``label_smoothing`` is the share of the target that all tokens have in common (Szegedy et al. 2016)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0


class LanguageTask:
    """The task ``document-llm``.

    Raises ConfigurationError where the recipe's tables cannot be used. ``sources`` may be given in place of what
    ``data`` names; with ``fetch`` a published base that is not in the hub's cache is fetched.
    """

    def __init__(self, recipe: Recipe, sources: Sources | None = None, *, fetch: bool = False) -> None:
        self.name = recipe.task
        self.model = checked(LanguageTable, recipe, "model")
        self.data = checked(LanguageData, recipe, "data")
        self.loss = checked(LanguageLoss, recipe, "loss")
        self.seed = recipe.seed
        self._given = sources
        self._fetch = fetch
        self._held: dict[tuple[str, int], tuple[list[int], list[int]] | None] = {}

    def build(self) -> nn.Module:
        """The base, or a new network; with new adapters where the recipe asks for them.

        Raises ConfigurationError where the recipe names nothing to train or to measure on.
        """
        if not self.sources.validation:
            raise ConfigurationError("no pages to measure on", mend="Set data.made_validation, or label more pages")
        if self._folder is None:
            network: Any = fresh(self.model.sizes, self.script.tokenizer)
        else:
            network = load(self._folder, precision=self.model.precision).network
        if self.model.gradient_checkpointing:
            network.gradient_checkpointing_enable({"use_reentrant": False})
        built: nn.Module = network if self.model.lora is None else with_adapter(network, self.model.lora)
        return built

    def batch(self, step: int, share: Share) -> dict[str, Tensor]:
        """``input_ids``, ``attention_mask`` and ``labels`` ``(N, T)``; prompts and filling are labelled with -100."""
        rows = [self._row(step, at * share.world + share.rank, share.world) for at in range(self.data.batch)]
        return self._padded(rows)

    def losses(self, network: nn.Module, batch: Mapping[str, Tensor], step: int) -> Mapping[str, Tensor]:
        """Cross-entropy of the answer's next token (nats), and the share of them that are the likeliest ones."""
        del step
        logits = network(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False).logits
        wanted = batch["labels"][:, 1:].flatten()
        told = logits[:, :-1].flatten(0, 1)[wanted != _IGNORED].float()
        wanted = wanted[wanted != _IGNORED]
        loss = nn.functional.cross_entropy(told, wanted, label_smoothing=self.loss.label_smoothing)
        return {"total": loss, "right": (told.detach().argmax(dim=1) == wanted).float().mean()}

    def evaluate(self, network: nn.Module) -> Mapping[str, float]:
        """By slice the loss per token, and the block F1 of ``data.read`` pages. The score is the mean loss."""
        metrics: dict[str, float] = {}
        for name, examples in self.sources.validation.items():
            losses = [self.losses(network, self._on(network, row), 0) for row in self._rows(name, examples)]
            if losses:
                metrics[f"loss/{name}"] = sum(float(each["total"]) for each in losses) / len(losses)
                metrics[f"right/{name}"] = sum(float(each["right"]) for each in losses) / len(losses)
            if self.data.read:
                metrics[f"block/{name}"] = self._read(network, examples)
        means = [value for key, value in metrics.items() if key.startswith("loss/")]
        if not means:
            raise self._too_long()
        return {**metrics, "score": sum(means) / len(means)}

    def save(self, network: nn.Module, folder: Path, card: Mapping[str, Any]) -> None:
        """Write a trained network: whole, or its adapters alone. ``card`` holds its recipe and metrics."""
        known = {
            "base": Path(self.model.base).name if self._folder is not None else FRESH,
            "base_sha256": None if self._folder is None else weights_hash(self._folder),
            "data_sha256": self.data_hash,
            "licence": self.data.licence,
            **card,
        }
        if self.model.lora is None:
            save(Language(network.eval(), self.script), folder, known)
        else:
            save_adapter(network, folder, known)

    @cached_property
    def script(self) -> Script:
        """How the network is spoken to; one from scratch learns its tokens from the first examples."""
        if self._folder is not None:
            return Script(tokenizer_of(self._folder))
        source = self.sources.made if len(self.sources.made) else self.sources.folder
        told = (source.example(number) for number in range(min(_TOLD, len(source))))
        texts = [text for each in told if each is not None for text in (each.page.text, each.answer.to_json())]
        return Script(learned_tokenizer(texts, self.model.sizes.pieces))

    @cached_property
    def sources(self) -> Sources:
        """What is trained and measured on. Raises ConfigurationError where there is nothing to train on."""
        sources = sources_of(self.data, self.seed) if self._given is None else self._given
        if not len(sources.made) and not len(sources.folder):
            raise ConfigurationError("no pages to train on", mend="Name data.folder or data.made")
        return sources

    @property
    def data_hash(self) -> str:
        """SHA-256 of how pages are made, and of those that were labelled."""
        folder = (self.sources.folder.example(number) for number in range(len(self.sources.folder)))
        texts = [(each.page.text, each.answer.to_json()) for each in folder if each is not None]
        return digest({"seed": self.seed, "data": self.data.model_dump(mode="json"), "folder": texts})

    @cached_property
    def _folder(self) -> Path | None:
        """Where the base lies; None for a network from scratch."""
        return None if self.model.base == FRESH else folder_of(self.model.base, fetch=self._fetch)

    def _row(self, step: int, at: int, world: int) -> tuple[list[int], list[int]]:
        """Prompt and answer of a place in a step: the next made page in turn, or any labelled one."""
        rng = np.random.default_rng((self.seed, step, at))
        both = len(self.sources.made) > 0 and len(self.sources.folder) > 0
        from_folder = rng.random() < self.data.share if both else len(self.sources.folder) > 0
        name, source = ("folder", self.sources.folder) if from_folder else ("made", self.sources.made)
        first = int(rng.integers(len(source))) if from_folder else step * self.data.batch * world + at
        for number in range(first, first + _TRIES):
            row = self._encoded(f"train/{name}", source, number % len(source))
            if row is not None:
                return row
        raise self._too_long()

    def _rows(self, name: str, examples: Examples) -> Iterator[tuple[list[int], list[int]]]:
        for number in range(len(examples)):
            row = self._encoded(name, examples, number)
            if row is not None:
                yield row

    def _encoded(self, name: str, examples: Examples, number: int) -> tuple[list[int], list[int]] | None:
        """Prompt and answer of an example as tokens; None where it cannot be told or is too long."""
        if (name, number) not in self._held:
            example = examples.example(number)
            row = None if example is None else self._tokens(example)
            fits = row is not None and len(row[0]) + len(row[1]) <= self.data.longest
            self._held[name, number] = row if fits else None
        return self._held[name, number]

    def _tokens(self, example: Example) -> tuple[list[int], list[int]]:
        return self.script.prompt(example.page), self.script.answer(example.answer.to_json())

    def _padded(self, rows: list[tuple[list[int], list[int]]]) -> dict[str, Tensor]:
        whole = [torch.tensor([*prompt, *answer]) for prompt, answer in rows]
        labels = [torch.tensor([*([_IGNORED] * len(prompt)), *answer]) for prompt, answer in rows]
        pad = nn.utils.rnn.pad_sequence
        return {
            "input_ids": pad(whole, batch_first=True),
            "attention_mask": pad([torch.ones_like(row) for row in whole], batch_first=True),
            "labels": pad(labels, batch_first=True, padding_value=_IGNORED),
        }

    def _on(self, network: nn.Module, row: tuple[list[int], list[int]]) -> dict[str, Tensor]:
        device = next(network.parameters()).device
        return {name: tensor.to(device) for name, tensor in self._padded([row]).items()}

    def _read(self, network: nn.Module, examples: Examples) -> float:
        """Block F1 of pages that the network reads as it would in use, against what can be told of them."""
        writer = LocalWriter(Language(network, self.script), SchoolHours.model_construct())
        counts = []
        for number in range(min(self.data.read, len(examples))):
            example = examples.example(number)
            if example is not None:
                truth = timetables_of(example.answer, example.page).timetables
                found = timetables_of(read_answer(writer.write(example.page)), example.page).timetables
                counts.append(score(truth, found))
        return total(counts).figures.block

    def _too_long(self) -> ConfigurationError:
        what = f"no page with its answer has data.longest = {self.data.longest} tokens or fewer"
        return ConfigurationError(what, mend="Allow longer ones")
