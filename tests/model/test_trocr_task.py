"""The task of TrOCR: batches, losses, gradients, and where its lines come from."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image as Pillow
from small_trocr import ALPHABET, MODEL, PrintedLines, published, recipe, untrained

from pocai.errors import ConfigurationError
from pocai.models.ctc import LETTERS
from pocai.models.trocr_tokens import Charset
from pocai.training.ocr_model.trocr import TrOCRTask
from pocai.training.recipe import read_recipe
from pocai.training.shards import write_shards
from pocai.training.task import Share

TINY = Path(__file__).parents[2] / "recipes" / "ocr-teacher-tiny.toml"


@pytest.fixture(scope="module")
def lines() -> PrintedLines:
    return PrintedLines(40, seed=2)


def task_on(lines: PrintedLines, *, loss: dict[str, Any] | None = None, **model: Any) -> TrOCRTask:
    table = {"longest": 12, **model} if "base" in model else {**MODEL, **model}
    return TrOCRTask(recipe(table, loss=loss or {}), (lines, {"new": lines}))


def gradients(task: TrOCRTask) -> tuple[torch.nn.Module, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    network = task.build().train()
    torch.autograd.backward(task.losses(network, task.batch(0, Share()), 0)["total"])
    found = {name: weight.grad for name, weight in network.named_parameters() if weight.grad is not None}
    return network, found


def test_a_batch_is_a_function_of_its_number(lines: PrintedLines) -> None:
    task = task_on(lines)
    other_process: TrOCRTask = pickle.loads(pickle.dumps(task))
    first, again, later = task.batch(3, Share()), other_process.batch(3, Share()), task.batch(4, Share())
    assert torch.equal(first["pixel_values"], again["pixel_values"])
    assert torch.equal(first["labels"], again["labels"])
    assert not torch.equal(first["labels"], later["labels"])
    assert first["pixel_values"].shape[:3] == (16, 1, 48)


def test_labels_are_letters_then_the_end_then_nothing(lines: PrintedLines) -> None:
    end = Charset(ALPHABET).end
    labels = task_on(lines).batch(0, Share())["labels"]
    for row in labels.tolist():
        letters, filling = row[: row.index(end)], row[row.index(end) + 1 :]
        assert letters
        assert min(letters) > end
        assert set(filling) <= {-100}


def test_smoothing_changes_what_is_minimised_and_reports_the_rest(lines: PrintedLines) -> None:
    sharp, smooth = task_on(lines), task_on(lines, loss={"label_smoothing": 0.2})
    network, batch = sharp.build().eval(), sharp.batch(0, Share())
    expected = sharp.losses(network, batch, 0)["total"].item()
    losses = smooth.losses(network, batch, 0)
    assert losses["cross_entropy"].item() == pytest.approx(expected, abs=1e-6)
    assert losses["total"].item() != pytest.approx(expected, abs=1e-3)


def test_every_trained_weight_takes_part(lines: PrintedLines) -> None:
    """Several processes wait for the gradients of all that learns."""
    network, found = gradients(task_on(lines))
    learning = {name for name, weight in network.named_parameters() if weight.requires_grad}
    assert learning == found.keys()


def test_a_frozen_encoder_takes_no_gradient(lines: PrintedLines) -> None:
    _, found = gradients(task_on(lines, freeze_encoder=True))
    assert {name.split(".")[0] for name in found} == {"decoder"}


@pytest.mark.parametrize("extra", [{}, {"lora": {"rank": 2, "dropout": 0.0}}])
def test_checkpointing_gives_the_same_gradient(lines: PrintedLines, extra: dict[str, Any], tmp_path: Path) -> None:
    base = str(untrained(tmp_path))
    whole, saving = (
        gradients(task_on(lines, base=base, gradient_checkpointing=flag, **extra))[1] for flag in (False, True)
    )
    assert whole.keys() == saving.keys()
    assert len(whole) > 10
    assert all(torch.allclose(whole[name], saving[name], atol=1e-6) for name in whole)


def test_lines_come_from_a_folder_or_from_shards(lines: PrintedLines, tmp_path: Path) -> None:
    (tmp_path / "crops").mkdir()
    for number, line in enumerate(lines.all):
        Pillow.fromarray(line.image).save(tmp_path / "crops" / f"{number}.png")
        (tmp_path / "crops" / f"{number}.txt").write_text(line.text, encoding="utf-8")
    write_shards(tmp_path / "shards", lines.all)
    hashes = set()
    for data in ({"folder": tmp_path / "crops"}, {"shards": [tmp_path / "shards"]}):
        task = TrOCRTask(recipe(data={"batch": 4, "validation": {"again": tmp_path / "shards"}, **data}))
        assert task.batch(0, Share())["pixel_values"].shape[:3] == (4, 1, 48)
        assert "cer/again" in task.evaluate(task.build())
        hashes.add(task.data_hash)
    assert len(hashes) == 2


def test_lines_come_from_the_generator(tmp_path: Path) -> None:
    data = {"batch": 4, "made": 6, "made_validation": 2, "damage": "clean"}
    kept = TrOCRTask(recipe({**MODEL, "letters": " " + LETTERS}, data=data))
    assert kept.batch(0, Share())["pixel_values"].shape[:3] == (4, 1, 48)
    assert kept.evaluate(kept.build())["score"] > 0
    squeezed = TrOCRTask(recipe({"base": str(published(tmp_path)), "longest": 20}, data=data))
    assert squeezed.batch(0, Share())["pixel_values"].shape == (4, 3, 64, 64)
    many = TrOCRTask(recipe({**MODEL, "letters": " " + LETTERS}, data={**data, "made": 10**6}))
    assert many.batch(0, Share())["pixel_values"].shape[:3] == (4, 1, 48)  # and is there before a million is drawn
    assert kept.data_hash != TrOCRTask(recipe(data={**data, "made": 7})).data_hash


def test_shards_and_crops_become_the_same_pictures(lines: PrintedLines, tmp_path: Path) -> None:
    write_shards(tmp_path, lines.all)
    sharded = TrOCRTask(recipe(data={"batch": 40, "shards": [tmp_path]})).batch(0, Share())
    cropped = TrOCRTask(recipe(data={"batch": 40}), (lines, {"new": lines})).batch(0, Share())
    both = [sorted(batch["pixel_values"].flatten(1).tolist()) for batch in (sharded, cropped)]
    assert both[0] == both[1]


def test_data_that_do_not_suit_are_refused(lines: PrintedLines, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no lines"):
        TrOCRTask(recipe(data={"batch": 4})).batch(0, Share())
    with pytest.raises(ConfigurationError, match="exclude"):
        TrOCRTask(recipe(data={"made": 3, "shards": [tmp_path]}))
    write_shards(tmp_path / "shards", lines.all)
    base = str(published(tmp_path / "base"))
    squeezing = TrOCRTask(recipe({"base": base, "longest": 12}, data={"shards": [tmp_path / "shards"]}))
    with pytest.raises(ConfigurationError, match="squeezed"):
        squeezing.batch(0, Share())


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"fit": "keep"}, "sizes give those"),
        ({"lora": {}}, "adapters need a base"),
        ({"base": "folder", "lora": {}, "freeze_encoder": True}, "adds nothing"),
        ({"rank": 3}, "Delete this key"),
        ({"sizes": {"image_width": 100, "patch_width": 8}}, "multiples of patch"),
        ({"sizes": {"hidden": 100, "heads": 3}}, "multiples of heads"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(model: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TrOCRTask(recipe(model))


def test_the_tiny_recipe_is_tiny() -> None:
    network = TrOCRTask(read_recipe(TINY)).build()
    assert sum(weight.numel() for weight in network.parameters()) < 1_000_000
