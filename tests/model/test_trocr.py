"""TrOCR for real, in small: it learns to read, is saved and loaded, and takes adapters."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import ImageFont
from safetensors.torch import load_file, save_file
from small_trocr import FONT, Pixels, PrintedLines, published, recipe, untrained

from pocai.errors import ConfigurationError, ModelError
from pocai.models.protocols import Reading
from pocai.models.trocr import TrOCRRecognizer, read_pictures
from pocai.models.trocr_network import load, plain, save, weights_hash
from pocai.training import checkpoints
from pocai.training.loop import train
from pocai.training.ocr_model.trocr import TrOCRTask
from pocai.training.ocr_model.trocr_adapter import load_adapter, merged
from pocai.training.ocr_model.trocr_run import write_best


@dataclass(frozen=True)
class Trained:
    task: TrOCRTask
    network: torch.nn.Module
    folder: Path
    history: list[dict[str, float]]
    new: PrintedLines


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A tiny teacher, trained by the loop and saved."""
    folder = tmp_path_factory.mktemp("teacher")
    lines, new = PrintedLines(600, seed=1), PrintedLines(40, seed=2)
    loop = {"steps": 240, "learning_rate": 2e-3, "warmup_steps": 20, "evaluate_every": 60}
    plan = recipe(loop=loop, data={"batch": 16, "licence": "MIT"})
    task = TrOCRTask(plan, (lines, {"new": new}))
    outcome = train(task, plan, folder / "run")
    newest = max((folder / "run" / "checkpoints").glob("*.safetensors"))
    history = checkpoints.read(newest).state["run"]["history"]
    return Trained(
        task, best_of(task, outcome.weights), write_best(task, outcome.weights, folder / "model"), history, new
    )


def best_of(task: TrOCRTask, weights: Path) -> torch.nn.Module:
    network = task.build()
    checkpoints.load_network(network, checkpoints.read(weights).tensors, "best")
    return network


# Learning and reading


def test_it_learns_to_read_lines_it_has_not_seen(trained: Trained) -> None:
    rates = [entry["cer/new"] for entry in trained.history]
    assert len(rates) == 4
    assert rates[-1] < 0.35
    assert rates[-1] < 0.6 * rates[0]


def test_what_was_saved_reads_the_same(trained: Trained) -> None:
    model = trained.task.reader(trained.network)
    before = read_pictures(model, [model.preparation.picture(crop) for crop in trained.new.crops])
    after = TrOCRRecognizer(trained.folder).recognize(trained.new.crops)
    assert [reading.text for reading in after] == [reading.text for reading in before]
    assert [reading.confidence for reading in after] == pytest.approx([r.confidence for r in before], abs=1e-5)
    assert any(reading.text for reading in after)


def test_a_folder_describes_itself(trained: Trained) -> None:
    names = {file.name for file in trained.folder.iterdir()}
    assert names == {"config.json", "generation_config.json", "model.safetensors", "charset.json", "card.json"}
    card = json.loads((trained.folder / "card.json").read_text(encoding="utf-8"))
    assert card["sha256"] == weights_hash(trained.folder)
    assert card["base"] == "config"
    assert card["licence"] == "MIT"
    assert card["data_sha256"] == trained.task.data_hash
    assert card["metrics"]["cer/new"] == min(entry["cer/new"] for entry in trained.history)


def test_a_line_reads_the_same_in_any_company(trained: Trained) -> None:
    recognizer = TrOCRRecognizer(trained.folder)
    together = recognizer.recognize(trained.new.crops)
    alone = [recognizer.recognize([crop])[0] for crop in trained.new.crops[:6]]
    assert [reading.text for reading in alone] == [reading.text for reading in together[:6]]
    assert [reading.confidence for reading in alone] == pytest.approx([r.confidence for r in together[:6]], abs=1e-4)


def test_an_empty_crop_reads_as_nothing(trained: Trained) -> None:
    empty = np.empty((0, 12, 3), np.uint8)
    readings = TrOCRRecognizer(trained.folder).recognize([empty, trained.new.crops[0]])
    assert readings[0] == Reading("", 0.0, reader="trocr")
    assert readings[1].text
    assert readings[1].reader == "trocr"


def test_words_lie_where_they_are_printed(trained: Trained) -> None:
    """Mean error of the words' edges in heights of the line."""
    font = ImageFont.truetype(FONT, 20)
    errors = []
    readings = TrOCRRecognizer(trained.folder).recognize(trained.new.crops)
    for reading, line in zip(readings, trained.new.all, strict=True):
        if reading.text != line.text:
            continue
        height, width = line.image.shape[:2]
        at = 0
        for word, score, start, end in reading.words:
            at = line.text.index(word, at)
            edges = [4 + font.getlength(line.text[:place]) for place in (at, at + len(word))]
            errors += [
                abs(edge / width - share) * width / height for edge, share in zip(edges, (start, end), strict=True)
            ]
            assert 0 < score <= 1
            at += len(word)
    assert len(errors) >= 20
    assert np.mean(errors) < 0.35


def test_more_beams_read_as_well(trained: Trained) -> None:
    crops, truth = trained.new.crops[:12], [line.text for line in trained.new.all[:12]]
    right = []
    for beams in (1, 3):
        readings = TrOCRRecognizer(trained.folder, beams=beams).recognize(crops)
        right.append(sum(reading.text == text for reading, text in zip(readings, truth, strict=True)))
    assert right[1] >= right[0] - 1
    assert right[1] > 0


# Adapters


@pytest.fixture(scope="module")
def style() -> PrintedLines:
    """Another style: the letters lean."""
    return PrintedLines(48, seed=5, lean=0.4)


@dataclass(frozen=True)
class Adapted:
    task: TrOCRTask
    network: torch.nn.Module
    folder: Path


@pytest.fixture(scope="module")
def adapted(trained: Trained, style: PrintedLines, tmp_path_factory: pytest.TempPathFactory) -> Adapted:
    """Adapters on the tiny teacher, trained by the loop and saved."""
    folder = tmp_path_factory.mktemp("adapter")
    model = {"base": str(trained.folder), "longest": 12, "lora": {"rank": 4, "alpha": 8, "dropout": 0.0}}
    plan = recipe(model, loop={"steps": 40, "learning_rate": 5e-3, "warmup_steps": 5})
    task = TrOCRTask(plan, (style, {"unseen": PrintedLines(48, seed=6, lean=0.4)}))
    outcome = train(task, plan, folder / "run")
    return Adapted(task, best_of(task, outcome.weights), write_best(task, outcome.weights, folder / "adapter"))


def _vectors(model: Any, crops: Sequence[Pixels]) -> torch.Tensor:
    pictures = [model.preparation.picture(crop) for crop in crops]
    pixels = torch.from_numpy(model.preparation.batch(pictures))
    with torch.inference_mode():
        output: torch.Tensor = model.network.eval()(
            pixel_values=pixels, decoder_input_ids=torch.tensor([[2, 4, 5, 6]] * len(crops))
        ).logits
    return output


def test_adapters_learn_a_style_and_leave_the_base_alone(trained: Trained, adapted: Adapted) -> None:
    base = load(trained.folder)
    before = adapted.task.evaluate(base.network)["cer/unseen"]
    card = json.loads((adapted.folder / "card.json").read_text(encoding="utf-8"))
    assert card["metrics"]["cer/unseen"] < 0.85 * before
    assert card["base_sha256"] == weights_hash(trained.folder)
    own = base.network.state_dict()
    theirs = plain(adapted.network).state_dict()
    names = {name.replace(".base_layer", ""): tensor for name, tensor in theirs.items() if "lora_" not in name}
    assert all(torch.equal(tensor, names[name]) for name, tensor in own.items())


def test_every_projection_of_attention_gets_an_adapter(adapted: Adapted) -> None:
    names = {
        name.split(".lora_A")[0].split(".")[-1] for name, _ in adapted.network.named_parameters() if "lora_A" in name
    }
    assert names == {"q_proj", "k_proj", "v_proj", "o_proj", "out_proj"}
    count = sum("lora_A" in name for name, _ in adapted.network.named_parameters())
    assert count == 2 * 4 + 1 * 8  # layers of the encoder, and two attentions in that of the decoder
    learning = [name for name, parameter in adapted.network.named_parameters() if parameter.requires_grad]
    assert all("lora_" in name for name in learning)


def test_adapters_are_small_and_hold_no_pickle(trained: Trained, adapted: Adapted) -> None:
    assert {file.name for file in adapted.folder.iterdir()} == {
        "adapter_model.safetensors",
        "adapter_config.json",
        "card.json",
    }
    sizes = [
        (folder / name).stat().st_size
        for folder, name in ((adapted.folder, "adapter_model.safetensors"), (trained.folder, "model.safetensors"))
    ]
    assert sizes[0] < 0.15 * sizes[1]


def test_loaded_and_merged_adapters_give_the_same_scores(
    trained: Trained, adapted: Adapted, style: PrintedLines, tmp_path: Path
) -> None:
    crops = style.crops[:4]
    expected = _vectors(adapted.task.reader(adapted.network), crops)
    loaded = load_adapter(trained.folder, adapted.folder)
    assert torch.allclose(_vectors(loaded, crops), expected, atol=1e-6)
    assert not torch.allclose(_vectors(load(trained.folder), crops), expected, atol=1e-2)
    with pytest.raises(ModelError, match="adapters"):
        save(loaded, tmp_path / "no", {})
    whole = merged(loaded)
    assert torch.allclose(_vectors(whole, crops), expected, atol=1e-5)
    save(whole, tmp_path / "merged", {})
    assert torch.allclose(_vectors(load(tmp_path / "merged"), crops), expected, atol=1e-5)


def test_adapters_of_another_base_altered_ones_and_pickles_are_refused(
    trained: Trained, adapted: Adapted, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="another base"):
        load_adapter(untrained(tmp_path / "other"), adapted.folder)
    copy = shutil.copytree(adapted.folder, tmp_path / "copy")
    tensors = load_file(copy / "adapter_model.safetensors")
    save_file({name: tensor * 2 for name, tensor in tensors.items()}, copy / "adapter_model.safetensors")
    with pytest.raises(ModelError, match="not those of their card"):
        load_adapter(trained.folder, copy)
    torch.save(tensors, copy / "adapter_model.bin")
    (copy / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelError, match="pickles are not read"):
        load_adapter(trained.folder, copy)


def test_names_of_both_spellings_find_the_layers(trained: Trained) -> None:
    model = {"base": str(trained.folder), "longest": 12}
    one = TrOCRTask(recipe({**model, "lora": {"targets": ["q_proj", "query"]}})).build()
    assert sum("lora_A" in name for name, _ in one.named_parameters()) == 2 + 2
    with pytest.raises(ConfigurationError, match="sideways"):
        TrOCRTask(recipe({**model, "lora": {"targets": ["sideways"]}})).build()


def test_adapters_remember_how_lines_were_prepared(style: PrintedLines, tmp_path: Path) -> None:
    base = published(tmp_path / "base")
    model = {"base": str(base), "fit": "keep", "height": 32, "width": 256, "longest": 20, "lora": {"rank": 2}}
    task = TrOCRTask(recipe(model), (style, {"style": style}))
    network = task.build()
    task.save(network, tmp_path / "adapter", {})
    loaded = load_adapter(base, tmp_path / "adapter")
    assert loaded.preparation == task.preparation
    assert loaded.preparation.fit == "keep"
    assert loaded.longest == 20
    assert torch.allclose(_vectors(loaded, style.crops[:2]), _vectors(task.reader(network), style.crops[:2]), atol=1e-6)
