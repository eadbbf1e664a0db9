"""What TrOCR is made of: pictures, tokens, positions, and bases that are loaded or refused."""

from __future__ import annotations

import time
from itertools import combinations_with_replacement, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image as Pillow
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from small_trocr import (
    SIZES,
    printed,
    published,
    untrained,
    word_pieces,
)

from pocai.errors import ConfigurationError, ModelError
from pocai.models.ctc import LETTERS
from pocai.models.line_image import PAPER
from pocai.models.trocr import TrOCRRecognizer, path_of, read_pictures
from pocai.models.trocr_image import Preparation
from pocai.models.trocr_network import Sizes, folder_of, fresh, load, plain, preparation_of, save
from pocai.models.trocr_tokens import Charset, WordPieces, tokens_of

# Preparation


def test_a_kept_line_is_this_tensor() -> None:
    """Golden: two strokes on grey paper; paper is 0 and the darkest ink -2, as the sizes ask."""
    crop = np.full((12, 20, 3), 180, np.uint8)
    crop[2:10, 4:8] = 60
    crop[4:6, 12:18] = 60
    small = Sizes(image_height=6, image_width=32, patch_height=6, patch_width=2).preparation()
    tensor = small.batch([small.picture(crop)])
    assert tensor.shape == (1, 1, 6, 16)
    ink = -tensor[0, 0] * 255 / 2
    assert np.abs(ink - np.array(GOLDEN_INK)).max() <= 1  # OpenCV may round another way


GOLDEN_INK = (
    (0, 1, 15, 15, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    (0, 15, 224, 224, 15, 1, 15, 16, 15, 1, 0, 0, 0, 0, 0, 0),
    (0, 16, 239, 239, 16, 14, 209, 223, 209, 14, 0, 0, 0, 0, 0, 0),
    (0, 16, 239, 239, 16, 1, 15, 16, 15, 1, 0, 0, 0, 0, 0, 0),
    (0, 15, 224, 224, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    (0, 1, 15, 15, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
)


def test_a_squeezed_line_is_what_the_published_processor_makes() -> None:
    from transformers import ViTImageProcessorPil

    line = printed("bob 11 ab")
    processor = ViTImageProcessorPil(
        size={"height": 96, "width": 96}, image_mean=[0.5] * 3, image_std=[0.5] * 3, resample=2
    )
    expected = processor(Pillow.fromarray(line.image), return_tensors="np")["pixel_values"]
    squeeze = Preparation(fit="squeeze", height=96, width=96, multiple=96)
    assert np.abs(squeeze.batch([squeeze.picture(line.image)]) - expected).max() < 1e-5


@given(st.integers(1, 400), st.integers(1, 60))
@settings(deadline=None, max_examples=40)
def test_a_kept_line_has_its_shape(width: int, height: int) -> None:
    keep = Preparation(fit="keep", height=32, width=320, multiple=64, channels=3)
    crop = np.full((height, width, 3), 255, np.uint8)
    picture = keep.picture(crop)
    batch = keep.batch([picture])
    assert picture.shape[::2] == (32, 3)
    assert abs(picture.shape[1] - min(320, max(1, width * 32 / height))) <= max(2, 8 * 32 / 48)
    assert batch.shape[3] % 64 == 0
    assert picture.shape[1] <= batch.shape[3] < picture.shape[1] + 64
    assert (batch[..., picture.shape[1] :] == 1.0).all()
    assert PAPER == 255


# Tokens


@given(st.text(alphabet=" " + LETTERS))
def test_a_charset_writes_back_what_it_reads(text: str) -> None:
    charset = Charset()
    numbers = charset.encode(text)
    assert numbers[-1] == charset.end
    assert max(numbers) < len(charset)
    assert "".join(charset.pieces(numbers)) == text


def test_a_letter_outside_the_alphabet_is_not_written() -> None:
    charset = Charset("ab")
    assert "".join(charset.pieces(charset.encode("aжb"))) == "ab"
    with pytest.raises(ConfigurationError, match="once"):
        Charset("aba")


@pytest.mark.parametrize("content", ["", "[]", '{"specials": [], "letters": "ab"}', '{"letters": 3}'])
def test_a_broken_charset_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "charset.json").write_text(content)
    with pytest.raises(ModelError, match="alphabet"):
        tokens_of(tmp_path)


def test_word_pieces_of_several_bytes_add_up_to_the_text(tmp_path: Path) -> None:
    word_pieces(tmp_path)
    tokens = tokens_of(tmp_path)
    assert isinstance(tokens, WordPieces)
    for text in ("Turnen Zeichnen", "Größe – 8.15 €", "✔ñ", ""):
        numbers = tokens.encode(text)
        assert numbers[-1] == tokens.end
        pieces = tokens.pieces(numbers)
        assert len(pieces) == len(numbers)
        assert "".join(pieces) == text


@given(
    arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 5)), elements=st.floats(0.0009765625, 1, width=32))
)
@settings(deadline=None)
def test_the_path_is_the_likeliest_that_never_goes_back(looks: NDArray[np.float32]) -> None:
    tokens, columns = looks.shape
    found = path_of(looks)
    scores = np.log(looks)
    best = max(
        sum(scores[t, c] for t, c in enumerate(way)) for way in combinations_with_replacement(range(columns), tokens)
    )
    assert all(before <= after for before, after in pairwise(found))
    assert sum(scores[t, c] for t, c in enumerate(found)) == pytest.approx(best, abs=1e-4)


# Bases


@pytest.mark.parametrize("deit", [False, True])
def test_a_published_checkpoint_is_loaded_as_it_was(tmp_path: Path, deit: bool) -> None:
    from transformers import VisionEncoderDecoderModel

    folder = published(tmp_path, deit=deit)
    model = load(folder)
    assert model.preparation == Preparation(fit="squeeze", height=64, width=64, multiple=128, channels=3)
    reference: Any = VisionEncoderDecoderModel.from_pretrained(folder)
    pixels = torch.from_numpy(model.preparation.batch([model.preparation.picture(printed("bob 1").image)]))
    with torch.inference_mode():
        ours, theirs = (net.eval().encoder(pixel_values=pixels)[0] for net in (plain(model.network), reference))
    assert torch.equal(ours, theirs)
    assert plain(model.network).config.decoder_start_token_id == 2
    assert all(reading.confidence <= 1 for reading in TrOCRRecognizer(folder).recognize([printed("bob 1").image]))


@pytest.mark.parametrize("deit", [False, True])
def test_a_checkpoint_may_be_asked_to_keep_the_shape_of_lines(tmp_path: Path, deit: bool) -> None:
    folder = published(tmp_path / "base", deit=deit)
    kept = preparation_of(folder, {"fit": "keep", "height": 32, "width": 256})
    model = load(folder, kept, 20)
    embeddings: Any = plain(model.network).encoder.embeddings
    assert embeddings.grid == (2, 16)
    assert embeddings.position_embeddings.shape[1] == 32 + embeddings.marks
    line = [kept.picture(printed("bob 1").image)]
    before = read_pictures(model, line)
    save(model, tmp_path / "saved", {})
    assert preparation_of(tmp_path / "saved") == kept
    assert read_pictures(load(tmp_path / "saved"), line) == before


def test_a_size_that_patches_do_not_divide_is_refused(tmp_path: Path) -> None:
    folder = published(tmp_path)
    with pytest.raises(ConfigurationError, match="patches"):
        load(folder, preparation_of(folder, {"fit": "keep", "height": 40, "width": 256}))
    with pytest.raises(ConfigurationError, match="22 tokens"):
        load(folder, longest=100)
    with pytest.raises(ValidationError, match="multiples"):
        Sizes(image_width=100, patch_width=8)
    network: Any = load(folder).network
    with pytest.raises(ModelError, match="does not fit"):
        network.encoder(pixel_values=torch.zeros(1, 3, 32, 64))


def test_a_narrower_picture_gets_the_positions_of_its_columns() -> None:
    sizes = Sizes(**{**SIZES, "patch_height": 24})
    model = fresh(sizes, Charset("ab"), 4)
    embeddings: Any = plain(model.network).encoder.embeddings
    with torch.inference_mode():
        wide = embeddings(torch.zeros(1, 1, 48, 192))
        narrow = embeddings(torch.zeros(1, 1, 48, 64))
    rows = wide[:, 1:].reshape(1, 2, 24, 64)
    assert torch.equal(narrow[:, 1:].reshape(1, 2, 8, 64), rows[:, :, :8])
    assert torch.equal(narrow[:, :1], wide[:, :1])


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    folder = untrained(tmp_path)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"pickle \(pytorch_model\.bin\).*safetensors"):
        TrOCRRecognizer(folder)


def test_weights_other_than_those_of_the_card_are_refused(tmp_path: Path) -> None:
    folder = untrained(tmp_path / "a")
    tensors = load_file(folder / "model.safetensors")
    save_file({name: tensor + 1 for name, tensor in tensors.items()}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match="not those of its card"):
        load(folder)
    (folder / "card.json").unlink()
    (folder / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(folder)


def test_missing_tensors_are_not_made_up(tmp_path: Path) -> None:
    folder = untrained(tmp_path)
    tensors = load_file(folder / "model.safetensors")
    left = {name: tensor for name, tensor in tensors.items() if "encoder_attn.q_proj" not in name}
    save_file(left, folder / "model.safetensors", {"format": "pt"})
    (folder / "card.json").unlink()
    with pytest.raises(ModelError, match="lack 2 tensors"):
        load(folder)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json is missing"):
        load(tmp_path)
    untrained(tmp_path)
    (tmp_path / "charset.json").unlink()
    with pytest.raises(ModelError, match="tokenizer"):
        load(tmp_path)


def test_a_published_name_without_a_network_fails_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    begun = time.monotonic()
    with pytest.raises(ModelError, match=r"microsoft/trocr-large-printed cannot be fetched.*folder.*config"):
        folder_of("microsoft/trocr-large-printed")
    assert time.monotonic() - begun < 20
    with pytest.raises(ModelError, match="nobody/nothing"):
        folder_of("nobody/nothing")
