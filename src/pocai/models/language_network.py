"""Causal language models (Llama, Mistral and their like) of `transformers`: found, made, loaded and saved.

Weights are safetensors and nothing else, no code of a model's repository is run, and nothing is fetched unless the
caller allows it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    MistralConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from pocai.errors import ModelError
from pocai.models.language_page import NumberedPage
from pocai.models.language_prompt import told
from pocai.models.quiet_hub import quiet
from pocai.models.trocr_network import read_card, weights_hash, write_card

Precision = Literal["float32", "bfloat16"]
Count = Annotated[int, Field(ge=1)]

ADAPTER = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
_WANTED = ("*.json", "*.txt", "*.model", "*.jinja", "*.safetensors")  # of a published model; the rest stays where it is
_BEGIN, _END, _PAD = "<s>", "</s>", "<pad>"
_LEAST_PIECES = 259  # bytes and marks


class Sizes(BaseModel):
    """A network from scratch: a Llama (Touvron et al. 2023, arXiv:2302.13971) or a Mistral (arXiv:2310.06825).

    ``pieces`` is the size of its vocabulary, byte pairs that are learned from the prompts; ``context`` the number of
    tokens that prompt and answer have together, ``window`` how many tokens back one of a Mistral sees.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["llama", "mistral"] = "llama"
    hidden: Count = 256
    layers: Count = 4
    heads: Count = 4
    key_heads: Count = 2
    inner: Count = 688
    context: Count = 8192
    window: Count = 4096
    pieces: Annotated[int, Field(ge=_LEAST_PIECES)] = 1024

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.hidden % (2 * self.heads) or self.heads % self.key_heads:
            raise ValueError("hidden must be a multiple of 2 * heads, and heads one of key_heads")
        return self


@dataclass(frozen=True, slots=True)
class Script:
    """Prompts and answers as tokens of a model's tokenizer."""

    tokenizer: Any

    def prompt(self, page: NumberedPage) -> list[int]:
        """The tokens that show a page: in a turn of a conversation where the model has such, else the page alone.

        What looks like one of the model's own marks in the page's text is taken apart: no text can end its turn.
        """
        tokenizer = self.tokenizer
        if getattr(tokenizer, "chat_template", None):
            turn = [{"role": "user", "content": self._harmless(told(page))}]
            return list(tokenizer.apply_chat_template(turn, add_generation_prompt=True, return_dict=True)["input_ids"])
        begin = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
        return [*begin, *self._plain(f"{self._harmless(page.text)}\n\n")]

    def answer(self, text: str) -> list[int]:
        """The tokens of an answer, the end among them."""
        return [*self._plain(text), self.tokenizer.eos_token_id]

    def _plain(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _harmless(self, text: str) -> str:
        for mark in self.tokenizer.added_tokens_decoder.values():
            if mark.special and len(mark.content) > 1:
                text = text.replace(mark.content, f"{mark.content[0]} {mark.content[1:]}")
        return text


@dataclass(frozen=True, slots=True)
class Language:
    """A network and how it is spoken to; ``network`` may have PEFT's adapters in it."""

    network: nn.Module
    script: Script


def folder_of(base: str, *, fetch: bool = False) -> Path:
    """Where the files of a base lie: a local folder as it is, a published name from the hub's cache.

    With ``fetch`` a name that is not in the cache is fetched: JSON, tokenizer files and safetensors only. Raises
    ModelError for a name that is neither a folder nor in the cache, or that cannot be fetched.
    """
    folder = Path(base).expanduser()
    if folder.is_dir():
        return folder
    from huggingface_hub import snapshot_download

    for cached in (True, False) if fetch else (True,):
        try:
            return Path(snapshot_download(base, allow_patterns=list(_WANTED), local_files_only=cached))
        except Exception as error:  # noqa: BLE001 -- the hub's client raises errors of many kinds
            last = error
    what = f"base {base!r} is no folder, and no model of that name " + (
        "can be fetched" if fetch else "is in the cache"
    )
    mend = "Name a folder in the layout of save_pretrained" + ("" if fetch else ", or allow it to be fetched")
    raise ModelError(what, mend=mend) from last


def load(folder: Path, adapter: Path | None = None, precision: Precision = "float32") -> Language:
    """The model in a folder as `save` or transformers' ``save_pretrained`` writes it, with adapters where asked for.

    Raises ModelError: no safetensors (pickles are refused), a torn or altered file, missing weights, a model that needs
    code of its own, no tokenizer, adapters of another base.
    """
    _check(folder, "config.json", "*.safetensors")
    tokenizer = tokenizer_of(folder)
    kind: Any = AutoModelForCausalLM
    try:
        with quiet():
            network, report = kind.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=getattr(torch, precision),
                output_loading_info=True,
            )
    except Exception as error:  # transformers raises errors of many kinds
        raise ModelError(f"the language model in {folder} cannot be loaded", mend="Save or copy it again.") from error
    if report["missing_keys"] or report["mismatched_keys"]:
        raise ModelError(f"weights are missing in {folder}", mend="Copy the model again.")
    if adapter is not None:
        _adapted(network, folder, adapter)
    return Language(network.eval(), Script(tokenizer))


def tokenizer_of(folder: Path) -> Any:
    """The tokenizer in a model's folder. Raises ModelError where there is none, or it cannot end a text."""
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # transformers raises errors of many kinds
        raise ModelError(f"the tokenizer in {folder} cannot be loaded", mend="Copy its files again.") from error
    if tokenizer.eos_token_id is None:
        raise ModelError(f"the tokenizer in {folder} has no mark for the end of a text", mend="Take another model.")
    return tokenizer


def fresh(sizes: Sizes, tokenizer: Any) -> PreTrainedModel:
    """A network of these sizes, its weights drawn from torch's global generator."""
    own: dict[str, Any] = {"sliding_window": sizes.window} if sizes.kind == "mistral" else {}
    config = {"llama": LlamaConfig, "mistral": MistralConfig}[sizes.kind](
        **own,
        vocab_size=len(tokenizer),
        hidden_size=sizes.hidden,
        intermediate_size=sizes.inner,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        num_key_value_heads=sizes.key_heads,
        max_position_embeddings=sizes.context,
        initializer_range=sizes.hidden**-0.5 / 2,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    factory: Any = AutoModelForCausalLM
    network: PreTrainedModel = factory.from_config(config)
    return network


def learned_tokenizer(texts: Iterable[str], pieces: int) -> Any:
    """A byte-level tokenizer (as Llama 3 has) whose byte pairs are learned from texts: the same from the same texts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=pieces,
        special_tokens=[_BEGIN, _END, _PAD],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    kind: Any = PreTrainedTokenizerFast  # untyped
    return kind(
        tokenizer_object=tokenizer, bos_token=_BEGIN, eos_token=_END, pad_token=_PAD, clean_up_tokenization_spaces=False
    )


def save(model: Language, folder: Path, card: dict[str, Any]) -> None:
    """Write network, tokenizer and card; `load` reads them. Raises ModelError on adapters."""
    if not isinstance(model.network, PreTrainedModel):
        raise ModelError("a network with adapters cannot be saved whole", mend="Save its adapters.")
    folder.mkdir(parents=True, exist_ok=True)
    with quiet():
        model.network.save_pretrained(folder)
        model.script.tokenizer.save_pretrained(folder)
    write_card(folder, {"kind": "language", **card, "sha256": weights_hash(folder)})


def _adapted(network: Any, base: Path, folder: Path) -> None:
    """Put adapters into a network."""
    _check(folder, ADAPTER_CONFIG, ADAPTER)
    if read_card(folder).get("base_sha256") not in (None, weights_hash(base)):
        raise ModelError(f"the adapters in {folder} were trained on another base", mend="Load them on that one.")
    try:
        with quiet():
            network.load_adapter(str(folder), use_safetensors=True, adapter_kwargs={"local_files_only": True})
    except Exception as error:  # PEFT and safetensors raise errors of many kinds
        raise ModelError(f"the adapters in {folder} cannot be loaded", mend="Save them again.") from error


def _check(folder: Path, config: str, weights: str) -> None:
    """That a folder holds a configuration and safetensors, and those of its card."""
    if not (folder / config).is_file():
        raise ModelError(f"{folder} holds no model: {config} is missing", mend="Name a folder of save_pretrained.")
    if not any(folder.glob(weights)):
        what = f"{folder} holds no weights as safetensors; pickles, which could run any program, are not read"
        raise ModelError(what, mend="Convert them to safetensors.")
    expected = read_card(folder).get("sha256")
    if expected not in (None, weights_hash(folder)):
        raise ModelError(f"the weights in {folder} are not those of its card", mend="Save the model again.")
