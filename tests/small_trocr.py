"""TrOCR networks small enough for tests, and lines in print for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from safetensors.torch import load_file, save_file

import pocai
from pocai.models.trocr_network import Sizes, fresh, save
from pocai.models.trocr_tokens import Charset, tokens_of
from pocai.training.recipe import Recipe

Pixels = NDArray[np.uint8]

FONT = Path(pocai.__file__).parent / "assets" / "fonts" / "Vera.ttf"
ALPHABET = "abo 1"
SIZES = {
    "image_width": 192,
    "hidden": 64,
    "layers": 2,
    "heads": 4,
    "decoder_hidden": 64,
    "decoder_layers": 1,
    "decoder_heads": 4,
    "dropout": 0.0,
}
MODEL = {"sizes": SIZES, "letters": ALPHABET, "longest": 12}


@dataclass(frozen=True)
class Printed:
    image: Pixels
    text: str


class PrintedLines:
    """Random words of few letters, in print."""

    def __init__(self, count: int, seed: int, lean: float = 0.0) -> None:
        random = np.random.default_rng(seed)
        self._lines = [printed(_words(random), lean) for _ in range(count)]

    def __len__(self) -> int:
        return len(self._lines)

    def line(self, index: int) -> Printed:
        return self._lines[index]

    @property
    def all(self) -> list[Printed]:
        return self._lines

    @property
    def crops(self) -> list[Pixels]:
        return [line.image for line in self._lines]


def _words(random: np.random.Generator) -> str:
    sizes = random.integers(1, 4, random.integers(1, 3))
    return " ".join("".join(random.choice(list("abo1"), size)) for size in sizes)


def printed(text: str, lean: float = 0.0) -> Printed:
    font = ImageFont.truetype(FONT, 20)
    picture = Pillow.new("RGB", (int(font.getlength(text)) + 8, 28), "white")
    ImageDraw.Draw(picture).text((4, 2), text, fill="black", font=font)
    shear = (1, lean, -14 * lean, 0, 1, 0)
    return Printed(np.asarray(picture.transform(picture.size, Pillow.Transform.AFFINE, shear, fillcolor="white")), text)


def recipe(model: Mapping[str, Any] = MODEL, steps: int = 1, **tables: Any) -> Recipe:
    content = {"model": dict(model), "data": {"batch": 16}, "loop": {"steps": steps}, **tables}
    return Recipe(task="ocr-teacher", seed=3, **content)


def untrained(folder: Path, **sizes: Any) -> Path:
    """A network that has learned nothing, in a folder."""
    torch.manual_seed(0)
    save(fresh(Sizes(**{**SIZES, **sizes}), Charset(ALPHABET), 12), folder, {})
    return folder


def word_pieces(folder: Path) -> None:
    """A byte-pair tokenizer like RoBERTa's, in its files."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaTokenizer

    trainer = ByteLevelBPETokenizer()
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer.train_from_iterator(["Turnen Turnen Zeichnen 8.15"] * 4, vocab_size=300, special_tokens=specials)
    folder.mkdir(parents=True, exist_ok=True)
    trainer.save_model(str(folder))
    RobertaTokenizer.from_pretrained(folder).save_pretrained(folder)


def published(folder: Path, *, deit: bool = False) -> Path:
    """A checkpoint as they are published: square, squeezed, byte pairs, and the encoder's names of transformers 4."""
    from transformers import DeiTConfig, TrOCRConfig, VisionEncoderDecoderConfig, VisionEncoderDecoderModel, ViTConfig

    word_pieces(folder)
    torch.manual_seed(1)
    shape: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "image_size": 64,
        "patch_size": 16,
    }
    decoder = TrOCRConfig(
        vocab_size=len(tokens_of(folder)),
        d_model=48,
        decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=64,
        max_position_embeddings=24,
        cross_attention_hidden_size=32,
    )
    encoder = DeiTConfig(**shape) if deit else ViTConfig(**shape)
    model = VisionEncoderDecoderModel(VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder))
    model.save_pretrained(folder)
    tensors = load_file(folder / "model.safetensors")
    save_file(
        {_old_name(name): tensor for name, tensor in tensors.items()}, folder / "model.safetensors", {"format": "pt"}
    )
    return folder


def _old_name(name: str) -> str:
    old = {
        "encoder.layers.": "encoder.encoder.layer.",
        "attention.q_proj": "attention.attention.query",
        "attention.k_proj": "attention.attention.key",
        "attention.v_proj": "attention.attention.value",
        "attention.o_proj": "attention.output.dense",
        "mlp.fc1": "intermediate.dense",
        "mlp.fc2": "output.dense",
    }
    for new_part, old_part in old.items() if name.startswith("encoder.") else ():
        name = name.replace(new_part, old_part)
    return name
