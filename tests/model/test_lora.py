"""Adapters learn for real: a tiny student that reads upright digits learns slanted ones, and forgets nothing."""

from __future__ import annotations

import math
import pickle
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pocai.errors import ConfigurationError, InputError, ModelError
from pocai.models.adapter import AdaptableStudent
from pocai.models.adapter_card import sha256_of
from pocai.models.card import ModelCard, card_file
from pocai.models.ctc import CLASSES, decode
from pocai.models.line_image import line_image
from pocai.models.student_network import STEP, StudentConfig
from pocai.training.adaptable import export_adaptable
from pocai.training.line_batches import LineImages
from pocai.training.loop import train
from pocai.training.lora import AdapterResult, LoraTask, strayed_from, train_lora
from pocai.training.lora_files import read_adapter
from pocai.training.lora_lines import ChosenLines, Halves
from pocai.training.lora_network import FrozenStudent, LoraTable, counted, digest_of, load_student, with_lora
from pocai.training.ocr_model.line_sources import HeldLines
from pocai.training.ocr_model.student import StudentData, StudentLoss, StudentTask, error_rate, read_lines
from pocai.training.recipe import Recipe, read_recipe
from pocai.training.task import Share

REPOSITORY = Path(__file__).parents[2]
FACE = REPOSITORY / "src/pocai/assets/fonts/Vera.ttf"
TINY = StudentConfig(channels=(8, 12, 16, 24), blocks=(0, 0, 1), mixer=48, layers=1, heads=2, dropout=0)
LETTERS = "0123456789"
SLANT = 0.7  # pixels to the right for each pixel up


def crop(text: str, slant: float) -> NDArray[np.uint8]:
    """Digits as RGB ``(48, w, 3)``."""
    font = ImageFont.truetype(str(FACE), 30)
    width = int(font.getlength(text)) + 12
    picture = Image.new("L", (width + int(slant * 48), 48), 255)
    ImageDraw.Draw(picture).text((6, 6), text, fill=0, font=font)
    warp = np.array([[1, -slant, slant * 46], [0, 1, 0]], np.float32)
    slanted = cv2.warpAffine(np.array(picture), warp, picture.size, borderValue=(255,)) if slant else np.array(picture)
    return np.repeat(slanted[:, :, None], 3, axis=2).astype(np.uint8)


def made_lines(count: int, seed: int, slant: float = 0) -> HeldLines:
    random = np.random.default_rng(seed)
    texts = ["".join(random.choice(list(LETTERS), int(random.integers(2, 5)))) for _ in range(count)]
    return HeldLines([line_image(crop(text, slant)) for text in texts], texts)


def rate(network: FrozenStudent, lines: LineImages) -> float:
    return error_rate(read_lines(network, lines), [lines.text(number) for number in range(len(lines))])


@dataclass(frozen=True)
class Trained:
    """A tiny student, the lines that it reads, and an adapter for slanted ones."""

    base: Path
    new: Halves
    old: Halves
    recipe: Recipe
    result: AdapterResult


def recipe_for(base: Path, **values: object) -> Recipe:
    recipe = Recipe.model_validate(
        {
            "task": "ocr-lora",
            "seed": 3,
            "model": {"rank": 4, "alpha": 8, "base": str(base)},
            "data": {"batch": 16, "replay_batch": 8, "augment": 0.3, "licence": "CC0-1.0"},
            "loop": {"steps": 60, "learning_rate": 1e-2, "warmup_steps": 5, "evaluate_every": 20, "threads": 1},
        }
    )
    return recipe.with_values({key.replace("__", "."): value for key, value in values.items()})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("lora")
    task = StudentTask(TINY, StudentData(batch=32, made=1, augment=0.3), StudentLoss(), 1)
    task.__dict__.update(lines=made_lines(600, 1), validation={"upright": made_lines(60, 2)})
    loop = {"steps": 240, "learning_rate": 4e-3, "warmup_steps": 20, "clip": 3.0, "threads": 1}
    student = Recipe.model_validate({"task": "ocr-student", "model": TINY.model_dump(mode="json"), "loop": loop})
    base = train(task, student, folder / "student").weights
    new, old = Halves.of(made_lines(120, 11, SLANT)), Halves.of(made_lines(120, 12))
    recipe = recipe_for(base)
    return Trained(base, new, old, recipe, train_lora(recipe, folder / "slanted", LoraTask(recipe, new, old)))


def test_an_adapter_learns_a_style_that_the_student_has_not_seen_and_keeps_the_old_one(trained: Trained) -> None:
    base, adapted = load_student(trained.base), read_adapter(load_student(trained.base), trained.result.folder)
    slanted, upright = made_lines(80, 21, SLANT), made_lines(80, 22)
    before, after = rate(base, slanted), rate(adapted, slanted)
    assert before > 0.15, "the style must be one that the student reads badly"
    assert after < 0.6 * before
    assert rate(adapted, upright) <= rate(base, upright) + 0.02


def test_the_card_says_what_was_trained_on_what_and_what_it_gave(trained: Trained) -> None:
    card, base = trained.result.card, load_student(trained.base)
    parameters, share = counted(with_lora(base, LoraTable(rank=4)))
    assert (card.name, card.rank, card.licence, card.base_sha256) == ("slanted", 4, "CC0-1.0", digest_of(base))
    assert (card.parameters, card.share, card.lines) == (parameters, share, len(trained.new.train))
    assert card.data_sha256 == trained.new.data_hash
    assert card.before["cer/new"] == rate(base, trained.new.validation)
    assert card.after["cer/new"] == rate(read_adapter(base, trained.result.folder), trained.new.validation)
    assert card.after["score"] < card.before["score"]
    assert Recipe.model_validate(card.recipe) == trained.recipe


def test_onnx_runtime_reads_with_the_adapter_what_torch_does(trained: Trained, tmp_path: Path) -> None:
    base = load_student(trained.base)
    file = export_adaptable(base, tmp_path / "adaptable.onnx")
    card = ModelCard(name="student", version="1", licence="MIT", sha256=sha256_of(file), classes=CLASSES, step=STEP)
    card.write(card_file(file))
    student = AdaptableStudent(1, file)
    crops = [crop(str(number), SLANT) for number in range(1000, 1020)]
    lines = HeldLines([line_image(each) for each in crops], [""] * len(crops))
    options = student.adapter(trained.result.folder).options()
    for network, found in (
        (read_adapter(base, trained.result.folder), student.log_probabilities(crops, run_options=options)),
        (base, student.log_probabilities(crops)),
    ):
        texts = [decode(np.exp(scores), CLASSES, len(scores)).text for scores in found]
        assert texts == read_lines(network, lines)


def test_the_base_does_not_change_while_an_adapter_learns(trained: Trained) -> None:
    task = LoraTask(trained.recipe, trained.new, trained.old)
    digest = digest_of(task.base)
    network = task.build().train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    task.losses(network, task.batch(0, Share()), 0)["total"].backward()  # type: ignore[no-untyped-call]
    learning = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert learning == {name for name, _ in network.named_parameters() if "lora_" in name}
    assert all(tensor.equal(before[name]) for name, tensor in network.state_dict().items()), "no statistics either"
    assert digest_of(task.base) == digest


def test_the_weight_of_old_lines_counts(trained: Trained) -> None:
    for weight in (0.0, 1.0, 100.0):
        task = LoraTask(recipe_for(trained.base, loss__replay=weight), trained.new, trained.old)
        with torch.inference_mode():
            at_first = {name: float(loss) for name, loss in task.losses(task.base, task.batch(0, Share()), 0).items()}
            adapted = read_adapter(task.base, trained.result.folder)
            learnt = {name: float(loss) for name, loss in task.losses(adapted, task.batch(0, Share()), 0).items()}
        assert at_first["old"] == pytest.approx(0, abs=1e-4), "the base does not stray from itself"
        assert at_first["total"] == pytest.approx(at_first["new"], abs=1e-2)
        assert learnt["old"] > 0
        assert learnt["total"] == pytest.approx(learnt["new"] + weight * learnt["old"], rel=1e-5)


def test_straying_is_a_divergence_over_the_steps_that_a_line_fills() -> None:
    before, after = torch.tensor([0.5, 0.5]).log(), torch.tensor([0.25, 0.75]).log()
    scores = torch.stack([torch.stack([after, before]), torch.stack([before, after])])
    same = torch.stack([before, before]).expand(2, 2, 2)
    by_hand = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert float(strayed_from(same, scores, torch.tensor([2, 2]))) == pytest.approx(by_hand)
    assert float(strayed_from(same, scores, torch.tensor([2, 1]))) == pytest.approx(by_hand / 2)
    assert float(strayed_from(same, same, torch.tensor([2, 2]))) == pytest.approx(0)


def test_an_adapter_that_reads_no_better_is_not_written(trained: Trained, tmp_path: Path) -> None:
    recipe = recipe_for(trained.base, loop__steps=1, loop__warmup_steps=0, loop__learning_rate=1e-12)
    with pytest.raises(ModelError, match="reads no better"):
        train_lora(recipe, tmp_path / "mine", LoraTask(recipe, trained.new, trained.old))
    assert not list((tmp_path / "mine").glob("adapter*"))


def test_a_task_goes_to_other_processes(trained: Trained) -> None:
    task = LoraTask(trained.recipe, trained.new, trained.old)
    again = pickle.loads(pickle.dumps(task))
    assert again.batch(3, Share(1, 2)).lines.images.equal(task.batch(3, Share(1, 2)).lines.images)


def test_a_folder_of_pictures_is_trained_on(trained: Trained, tmp_path: Path) -> None:
    rows = []
    for number in range(30):
        cv2.imwrite(str(tmp_path / f"{number}.png"), crop(str(100 + number), SLANT))
        rows.append(f"{number}.png\t{100 + number}\n")
    (tmp_path / "labels.tsv").write_text("".join(rows))
    task = LoraTask(recipe_for(trained.base, data__lines=str(tmp_path)))
    assert len(task.new.train) + len(task.new.validation) == 30
    assert task.old is None
    assert task.batch(0, Share()).lines.images.shape[0] == 16
    assert set(task.evaluate(task.base)) == {"cer/new", "score"}


def test_lines_are_split_by_what_is_on_them() -> None:
    lines = made_lines(60, 4)
    halves, again = Halves.of(lines), Halves.of(ChosenLines(lines, range(59, -1, -1)))
    texts = sorted(halves.validation.text(number) for number in range(len(halves.validation)))
    assert texts == sorted(again.validation.text(number) for number in range(len(again.validation)))
    assert halves.data_hash == again.data_hash != Halves.of(made_lines(60, 5)).data_hash
    assert len(Halves.of(lines, 20).train) + len(Halves.of(lines, 20).validation) == 20


def test_lines_that_are_missing_are_asked_for(trained: Trained) -> None:
    with pytest.raises(ConfigurationError, match=r"data\.lines"):
        _ = LoraTask(trained.recipe).new
    with pytest.raises(InputError, match="too few lines of the new style: 1 to train on"):
        _ = LoraTask(trained.recipe, Halves.of(made_lines(1, 1))).new


def test_layers_that_the_student_does_not_have_are_refused(trained: Trained) -> None:
    with pytest.raises(ConfigurationError, match=r"'dense'.*Known layers: .*query_key_value"):
        with_lora(load_student(trained.base), LoraTable(targets=("out", "dense")))


def test_weights_that_do_not_say_what_they_are_need_their_card(trained: Trained, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    save_file(load_file(trained.base), tmp_path / "student.safetensors")
    with pytest.raises(ModelError, match=r"student\.json"):
        load_student(tmp_path / "student.safetensors")
    card = ModelCard(name="student", version="1", licence="MIT", sha256="0" * 64, classes=CLASSES, step=STEP)
    card.write(tmp_path / "student.json")
    with pytest.raises(ModelError, match="which network"):
        load_student(tmp_path / "student.safetensors")
    card.model_copy(update={"recipe": {"model": TINY.model_dump(mode="json")}}).write(tmp_path / "student.json")
    assert digest_of(load_student(tmp_path / "student.safetensors")) == digest_of(load_student(trained.base))


def test_the_shipped_recipe_trains_at_most_a_twentieth_of_the_student() -> None:
    recipe = read_recipe(REPOSITORY / "recipes/ocr-lora.toml")
    task = LoraTask(recipe)
    _, share = counted(with_lora(FrozenStudent(StudentConfig()), task.model))
    assert 0.01 < share <= 0.05
