"""Language models small enough for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from small_pages import SmallExamples
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torch import nn
from transformers import LlamaTokenizer

from pocai.models.language_network import Language, Script, Sizes, fresh, learned_tokenizer, save
from pocai.training.document_model.language_data import Sources
from pocai.training.recipe import Recipe

SIZES: dict[str, Any] = {
    "hidden": 64,
    "layers": 2,
    "heads": 4,
    "key_heads": 2,
    "inner": 128,
    "context": 2048,
    "window": 48,
    "pieces": 420,
}


def sources(count: int = 16) -> Sources:
    """Small pages to train and to measure on."""
    return Sources(SmallExamples(0, 0), SmallExamples(count, 1), {"small": SmallExamples(4, 2)})


def recipe(kind: str = "llama", steps: int = 1, model: dict[str, Any] | None = None, **data: Any) -> Recipe:
    """A recipe of a small network from scratch, or of the ``model`` given."""
    return Recipe(
        task="document-llm",
        seed=5,
        model={"sizes": {**SIZES, "kind": kind}} if model is None else model,
        data={"batch": 4, "longest": 2000, **data},
        loop={"steps": steps, "learning_rate": 4e-3, "warmup_steps": min(5, steps - 1), "evaluate_every": 0},
    )


def texts() -> list[str]:
    """Prompts and answers from which tokenizers are learned."""
    found = [example for number in range(8) if (example := SmallExamples(8, 3).example(number))]
    return [text for example in found for text in (example.page.text, example.answer.to_json())]


def untrained(kind: str = "llama", *, pieces: bool = False) -> Language:
    """A network with random weights; with ``pieces`` a tokenizer as Mistral's, that falls back to bytes."""
    torch.manual_seed(0)
    sizes = Sizes.model_validate({**SIZES, "kind": kind})
    tokenizer = word_pieces() if pieces else learned_tokenizer(texts(), sizes.pieces)
    network: nn.Module = fresh(sizes, tokenizer)
    return Language(network.eval(), Script(tokenizer))


def word_pieces() -> Any:
    """A tokenizer as Llama 2 and Mistral have it: pieces with "▁" for spaces, and single bytes for the rest."""
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    learner.train_from_iterator(texts(), trainers.BpeTrainer(vocab_size=200, show_progress=False))
    learned = json.loads(learner.to_str())["model"]
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *learned["vocab"], "▁"]
    vocab = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return LlamaTokenizer(vocab=vocab, merges=[tuple(pair) for pair in learned["merges"]])


def saved(folder: Path, kind: str = "llama", *, pieces: bool = False) -> Path:
    """A network that has learned nothing, in a folder."""
    save(untrained(kind, pieces=pieces), folder, {})
    return folder
