"""A local language model writes an answer about a page, held to the grammar of that page token by token."""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Lock
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from pocai.errors import ModelError
from pocai.models.language_grammar import Grammar, after, started
from pocai.models.language_network import Language
from pocai.models.language_page import NumberedPage
from pocai.models.language_vocabulary import Vocabulary
from pocai.models.quiet_hub import quiet
from pocai.settings import SchoolHours

LEAST_ROOM = 256  # tokens that an answer needs at least


@dataclass(frozen=True, slots=True)
class Limit:
    """After so many tokens, or seconds, an answer is brought to its end: no event is begun any more."""

    tokens: int = 6000
    seconds: float = 600.0


class LocalWriter:
    """Writes answers with a network of `pocai.models.language_network`, greedily. Safe to call from several threads.

    Raises ModelError where the tokenizer cannot write every byte.
    """

    def __init__(self, model: Language, hours: SchoolHours, limit: Limit | None = None) -> None:
        self._model = model
        self._hours = hours
        self._limit = limit or Limit()
        self._vocabulary = Vocabulary.of(model.script.tokenizer)
        self._turn = Lock()

    def write(self, page: NumberedPage) -> str:
        """The answer about a page as JSON that keeps to its grammar.

        Raises ModelError where the page leaves no room for an answer in the model's context, or the network fails.
        """
        network: Any = self._model.network
        prompt = self._model.script.prompt(page)
        context = getattr(network.config, "max_position_embeddings", None) or len(prompt) + self._limit.tokens
        room = context - len(prompt)
        if room < LEAST_ROOM:
            what = f"the page takes {len(prompt)} of the {context} tokens that the model sees at once"
            raise ModelError(what, mend="Take a model with a longer context")
        grammar = Grammar(page, self._hours)
        pen = _Pen(self._vocabulary, grammar, Limit(min(room, self._limit.tokens), self._limit.seconds))
        kind: Any = GenerationConfig  # untyped
        config = kind(
            max_new_tokens=pen.most,
            do_sample=False,
            eos_token_id=self._vocabulary.end,
            pad_token_id=self._vocabulary.end,
        )
        ids = torch.tensor([prompt], device=network.device)
        with self._turn, torch.inference_mode(), quiet():
            try:
                network.generate(
                    ids,
                    attention_mask=torch.ones_like(ids),
                    generation_config=config,
                    logits_processor=LogitsProcessorList([pen]),
                )
            except (RuntimeError, IndexError) as error:  # out of memory, or a context shorter than it says
                what = f"the language model failed ({type(error).__name__})"
                raise ModelError(what, mend="Take a smaller model, or more memory") from error
        return pen.text.decode()


class _Pen(LogitsProcessor):
    """Leaves to each step the tokens that the grammar allows, and keeps what was written."""

    def __init__(self, vocabulary: Vocabulary, grammar: Grammar, limit: Limit) -> None:
        self.text = b""
        # what is begun, and at most a header and an event whose comma was allowed just before
        self.most = limit.tokens + 3 * grammar.longest_event
        self._vocabulary = vocabulary
        self._state = started(grammar.ways())
        self._limit = limit
        self._until = time.monotonic() + limit.seconds
        self._steps = 0
        self._closing = False

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores ``(1, V)`` with those of all other tokens at minus infinity."""
        if self._steps:
            text = self._vocabulary.written(int(input_ids[0, -1]))
            self._state = after(self._state, text, closing=self._closing)
            self.text += text
        self._steps += 1
        self._closing = self._steps > self._limit.tokens or time.monotonic() > self._until
        allowed = self._vocabulary.allowed(self._state, closing=self._closing)
        held = torch.full_like(scores, -torch.inf)
        held[:, allowed] = scores[:, allowed].nan_to_num()
        return held
