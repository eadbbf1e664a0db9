"""TrOCR (Li et al. 2023, arXiv:2109.10282): an image transformer that looks, a text transformer that writes.

Networks are those of `transformers`, in its folder layout; weights are read as safetensors and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from transformers import TrOCRConfig, VisionEncoderDecoderConfig, VisionEncoderDecoderModel, ViTConfig

from pocai.errors import ConfigurationError, ModelError
from pocai.models.quiet_hub import quiet
from pocai.models.trocr_image import Preparation
from pocai.models.trocr_tokens import Tokens, tokens_of

CARD = "card.json"
PUBLISHED = ("microsoft/trocr-base-printed", "microsoft/trocr-large-printed")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_WANTED = ("*.json", "*.txt", "*.model", "*.safetensors")  # of a published model; its pickles stay where they are

_PATCHES = 8  # a picture is filled up to a multiple of so many patches, so that few widths differ

Count = Annotated[int, Field(ge=1)]


class Sizes(BaseModel):
    """A network from scratch: pixels, patches (pixels), and the widths, layers and heads of both transformers.

    A line is read along one axis, so a patch is as high as the line and a few pixels wide: one vector for each place
    of the writing, in order. The decoder learns to follow these sooner than square patches (CER 0.27 against 0.45
    after 200 steps of a tiny network), and a line of 320 x 48 pixels is 40 vectors, where TrOCR's 384 x 384 in
    patches of 16 are 576. ``image_width`` is that of the widest line; narrower ones use the first columns.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_height: Count = 48
    image_width: Count = 1024
    patch_height: Count = 48
    patch_width: Count = 8
    hidden: Count = 384
    layers: Count = 8
    heads: Count = 6
    decoder_hidden: Count = 256
    decoder_layers: Count = 4
    decoder_heads: Count = 8
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.image_height % self.patch_height or self.image_width % self.patch_width:
            raise ValueError("image_height and image_width must be multiples of patch_height and patch_width")
        if self.hidden % self.heads or self.decoder_hidden % self.decoder_heads:
            raise ValueError("hidden and decoder_hidden must be multiples of heads and decoder_heads")
        return self

    def preparation(self) -> Preparation:
        """Lines in their own shape, grey; paper is 0, so that empty patches differ by their positions alone."""
        return Preparation(
            fit="keep",
            height=self.image_height,
            width=self.image_width,
            multiple=_PATCHES * self.patch_width,
            channels=1,
            mean=1.0,
        )


@dataclass(frozen=True, slots=True)
class TrOCR:
    """A network with all that it needs to read: ``longest`` is the number of tokens after which it stops.

    ``network`` is a `VisionEncoderDecoderModel`, or one with PEFT's adapters in it.
    """

    network: nn.Module
    tokens: Tokens
    preparation: Preparation
    longest: int


class LineEmbeddings(nn.Module):
    """The embeddings of a ViT or DeiT for pictures of any width up to the widest: positions of the first columns.

    Takes over the parameters of ``embeddings`` under their names. ``size`` is height and width of the widest picture
    in pixels; where it is not what the positions were trained for, they are interpolated, bicubic (Dosovitskiy et
    al. 2021, arXiv:2010.11929, section 3.2).
    """

    def __init__(self, embeddings: Any, size: tuple[int, int]) -> None:
        super().__init__()
        self.patch: tuple[int, int] = sides(embeddings.patch_embeddings.patch_size)
        if size[0] % self.patch[0] or size[1] % self.patch[1]:
            what = f"pictures of {size[0]} x {size[1]} pixels cannot be cut into patches of {self.patch}"
            raise ConfigurationError(what, mend="Set model.height and model.width to multiples of these.")
        self.grid = (size[0] // self.patch[0], size[1] // self.patch[1])
        trained = sides(embeddings.patch_embeddings.image_size)
        self.cls_token = embeddings.cls_token
        self.distillation_token = getattr(embeddings, "distillation_token", None)
        self.patch_embeddings = embeddings.patch_embeddings
        self.patch_embeddings.image_size = size
        self.position_embeddings = embeddings.position_embeddings
        self.dropout = embeddings.dropout
        if trained != size:
            self.position_embeddings = nn.Parameter(
                self._interpolated(trained[0] // self.patch[0], trained[1] // self.patch[1])
            )

    @property
    def marks(self) -> int:
        """Vectors before those of the patches: class and distillation token."""
        return 1 if self.distillation_token is None else 2

    def forward(self, pixel_values: Tensor, *_: object, **__: object) -> Tensor:
        """Pictures ``(N, channels, height, w)`` as ``(N, marks + rows * columns, C)``, row by row."""
        patches = self.patch_embeddings.projection(pixel_values)
        if patches.shape[2] != self.grid[0] or patches.shape[3] > self.grid[1]:
            what = f"a picture of {tuple(pixel_values.shape[2:])} pixels does not fit {self.grid} patches"
            raise ModelError(what, mend="Prepare pictures as the model's card says.")
        tokens = [token for token in (self.cls_token, self.distillation_token) if token is not None]
        first = [token.expand(len(patches), -1, -1) for token in tokens]
        table = self.position_embeddings[:, self.marks :].reshape(1, *self.grid, -1)[:, :, : patches.shape[3]]
        positions = torch.cat((self.position_embeddings[:, : self.marks], table.flatten(1, 2)), dim=1)
        embedded: Tensor = self.dropout(torch.cat((*first, patches.flatten(2).transpose(1, 2)), dim=1) + positions)
        return embedded

    def _interpolated(self, rows: int, columns: int) -> Tensor:
        table = self.position_embeddings.detach()
        grid = table[:, self.marks :].reshape(1, rows, columns, -1).permute(0, 3, 1, 2)
        resized = nn.functional.interpolate(grid, size=self.grid, mode="bicubic", align_corners=False)
        return torch.cat((table[:, : self.marks], resized.flatten(2).transpose(1, 2)), dim=1)


def fresh(sizes: Sizes, tokens: Tokens, longest: int) -> TrOCR:
    """A network of these sizes, its weights drawn from torch's global generator.

    Their deviation falls with the width of the network: the published 0.02 is for 768 and 1024, and in narrow networks
    it makes the cross-attention so faint that the decoder long learns nothing but the language.
    """
    encoder = ViTConfig(
        hidden_size=sizes.hidden,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        intermediate_size=4 * sizes.hidden,
        hidden_dropout_prob=sizes.dropout,
        initializer_range=sizes.hidden**-0.5,
        image_size=(sizes.image_height, sizes.image_width),
        patch_size=(sizes.patch_height, sizes.patch_width),
        num_channels=1,
    )
    decoder = TrOCRConfig(
        vocab_size=len(tokens),
        d_model=sizes.decoder_hidden,
        decoder_layers=sizes.decoder_layers,
        decoder_attention_heads=sizes.decoder_heads,
        decoder_ffn_dim=4 * sizes.decoder_hidden,
        max_position_embeddings=longest + 2,
        cross_attention_hidden_size=sizes.hidden,
        dropout=sizes.dropout,
        init_std=sizes.decoder_hidden**-0.5,
        pad_token_id=tokens.pad,
        eos_token_id=tokens.end,
        decoder_start_token_id=tokens.end,
    )
    network = VisionEncoderDecoderModel(VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder))
    return _ready(network, tokens, sizes.preparation(), longest)


def folder_of(base: str) -> Path:
    """Where the files of a base lie: a local folder as it is, a published name from the hub's cache or the hub.

    Raises ModelError for a name that is neither, or that cannot be fetched. Nothing but JSON, tokenizer files and
    safetensors is ever fetched.
    """
    folder = Path(base).expanduser()
    if folder.is_dir():
        return folder
    if base not in PUBLISHED:
        what = f"base {base!r} is neither a folder nor one of {', '.join(PUBLISHED)}"
        raise ModelError(what, mend='Name one of these, a folder in the layout of save_pretrained, or "config".')
    from huggingface_hub import snapshot_download

    for cached in (True, False):
        try:
            return Path(snapshot_download(base, allow_patterns=list(_WANTED), local_files_only=cached))
        except Exception as error:  # the hub's client raises errors of many kinds
            if not cached:
                mend = f'Pass the folder of a copy of {base}, or "config" for a network from scratch.'
                raise ModelError(f"{base} cannot be fetched from the hub", mend=mend) from error
    raise AssertionError(base)


def load(folder: Path, preparation: Preparation | None = None, longest: int | None = None) -> TrOCR:
    """The model in a folder as `save` or transformers' ``save_pretrained`` writes it.

    ``preparation`` may ask for pictures of another size than the network was trained on; its positions are then
    interpolated. Raises ModelError: no safetensors (pickles are refused), an altered or torn file, weights that
    are missing, an encoder that is not a ViT or DeiT, no tokenizer.
    """
    _check_files(folder)
    tokens = tokens_of(folder)
    kind: Any = VisionEncoderDecoderModel
    try:
        with quiet():
            network, report = kind.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
            )
    except Exception as error:  # transformers raises errors of many kinds
        raise ModelError(f"the model in {folder} cannot be loaded", mend="Save or copy it again.") from error
    missing = sorted(name for name in report["missing_keys"] if ".pooler." not in name)
    if missing or report["mismatched_keys"]:
        what = f"the weights in {folder} lack {len(missing)} tensors ({', '.join(missing[:3])}, …)"
        raise ModelError(what, mend="Take a checkpoint of a VisionEncoderDecoderModel.")
    most = network.config.decoder.max_position_embeddings - 2
    stop = longest or read_card(folder).get("longest") or most
    if stop > most:
        raise ConfigurationError(
            f"the model in {folder} writes {most} tokens at most, not {stop}", mend="Ask for less."
        )
    return _ready(network, tokens, preparation or preparation_of(folder), stop)


def preparation_of(folder: Path, changes: Mapping[str, Any] | None = None) -> Preparation:
    """How the model in a folder wants its lines: as its card says; without one squeezed to its size, as published.

    ``changes`` are fields that shall be otherwise. Raises ModelError where the folder does not tell.
    """
    card = read_card(folder)
    try:
        encoder = json.loads((folder / "config.json").read_text(encoding="utf-8"))["encoder"]
        height, width = sides(encoder["image_size"])
        channels = encoder.get("num_channels", 3)
        usual = {"fit": "squeeze", "height": height, "width": width, "channels": channels}
        step = _PATCHES * sides(encoder["patch_size"])[1]
        return Preparation.model_validate({**usual, "multiple": step, **card.get("preparation", {}), **(changes or {})})
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"{folder} does not say how pictures are prepared"
        raise ModelError(what, mend="Name a folder in the layout of save_pretrained.") from error


def save(model: TrOCR, folder: Path, card: dict[str, Any]) -> None:
    """Write network, alphabet or tokenizer, and the card; `load` reads them. Raises ModelError on adapters."""
    if not isinstance(model.network, VisionEncoderDecoderModel):
        raise ModelError("a network with adapters cannot be saved whole", mend="Merge or save its adapters.")
    folder.mkdir(parents=True, exist_ok=True)
    with quiet():
        model.network.save_pretrained(folder)
    model.tokens.save(folder)
    whole = {
        "kind": "trocr",
        **card,
        "longest": model.longest,
        "preparation": model.preparation.model_dump(),
        "sha256": weights_hash(folder),
    }
    write_card(folder, whole)


def write_card(folder: Path, card: dict[str, Any]) -> None:
    """Write a card as JSON."""
    (folder / CARD).write_text(json.dumps(card, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a folder, empty where there is none. Raises ModelError where it is not a JSON object."""
    file = folder / CARD
    if not file.is_file():
        return {}
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{file} is no JSON", mend="Save the model again.") from error
    if not isinstance(card, dict):
        raise ModelError(f"{file} is no JSON object", mend="Save the model again.")
    return card


def weights_hash(folder: Path) -> str:
    """SHA-256 (hexadecimal) over the safetensors of a folder, by name."""
    whole = hashlib.sha256()
    for file in sorted(folder.glob("*.safetensors")):
        with file.open("rb") as stream:
            whole.update(hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()


def plain(network: nn.Module) -> VisionEncoderDecoderModel:
    """The encoder-decoder inside what training wraps around it (PEFT's adapters stay in place)."""
    inner: Any = getattr(network, "module", network)  # a DistributedDataParallel
    found = inner.get_base_model() if hasattr(inner, "get_base_model") else inner
    if not isinstance(found, VisionEncoderDecoderModel):
        raise ModelError(f"a {type(found).__name__} is no TrOCR network")
    return found


def sides(size: Any) -> tuple[int, int]:
    """Height and width of a size that transformers writes as one number or as two."""
    height, width = (size, size) if isinstance(size, int) else size
    return int(height), int(width)


def _check_files(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} holds no model: config.json is missing", mend="Name a folder of save_pretrained.")
    if not any(folder.glob("*.safetensors")):
        pickles = sorted(file.name for pattern in _PICKLES for file in folder.glob(pattern))
        if pickles:
            what = f"{folder} holds its weights as a pickle ({pickles[0]}), which could run any program"
            raise ModelError(what, mend="Convert them to safetensors.")
        raise ModelError(f"{folder} holds no weights (*.safetensors)", mend="Copy the model again.")
    expected = read_card(folder).get("sha256")
    if expected not in (None, weights_hash(folder)):
        raise ModelError(f"the weights in {folder} are not those of its {CARD}", mend="Save the model again.")


def _ready(network: Any, tokens: Tokens, preparation: Preparation, longest: int) -> TrOCR:
    """Positions by column, the generation settings, and no gradient for the pooler, which nothing reads."""
    encoder, config = network.encoder, network.config
    if config.encoder.model_type not in ("vit", "deit"):
        raise ModelError(f"encoder {config.encoder.model_type!r} is not known", mend="Take a TrOCR with ViT or DeiT.")
    encoder.embeddings = LineEmbeddings(encoder.embeddings, (preparation.height, preparation.width))
    config.encoder.image_size = [preparation.height, preparation.width]
    for parameter in () if encoder.pooler is None else encoder.pooler.parameters():
        parameter.requires_grad = False
    if getattr(config, "decoder_start_token_id", None) is None:
        config.decoder_start_token_id = config.decoder.decoder_start_token_id
    config.pad_token_id, config.eos_token_id = tokens.pad, tokens.end
    network.generation_config.update(
        decoder_start_token_id=config.decoder_start_token_id,
        pad_token_id=tokens.pad,
        eos_token_id=tokens.end,
        max_length=longest + 1,  # the start counts as one
        num_beams=1,
        do_sample=False,
    )
    return TrOCR(network, tokens, preparation, longest)
