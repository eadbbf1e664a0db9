"""A tiny layout transformer and the rules teach a smaller one, by what they say of pages without labels."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from rendering import as_docx
from small_pages import document_of, page_of, timetable_of
from torch import nn

from pocai.cli import main
from pocai.documents.page import Document, Page
from pocai.errors import ConfigurationError, InputError, ModelError
from pocai.models.card import card_file
from pocai.models.layout import LayoutCard, LayoutModel
from pocai.models.layout_network import LayoutConfig, LayoutNetwork
from pocai.models.layout_tokens import MOST, ROLES, tokens_of
from pocai.settings import SchoolHours
from pocai.training import checkpoints
from pocai.training.document_model.distill_ensemble import (
    ORIGIN,
    Ensemble,
    TaughtPage,
    read_taught,
    rules_page,
    taught_page,
    teach,
    write_taught,
)
from pocai.training.document_model.distill_task import DistilTask
from pocai.training.document_model.layout_export import export_layout
from pocai.training.document_model.layout_pages import known_of
from pocai.training.loop import train
from pocai.training.recipe import read_recipe
from pocai.training.task import Share
from pocai.training.tasks import task_of

SMOKE = Path(__file__).parents[2] / "recipes/document-distil-smoke.toml"
TINY = LayoutConfig(width=24, layers=1, heads=2, inner=32, letter=8, text=16, pair=8, relation=12, dropout=0)
HOURS = SchoolHours()
WEEKS = (
    ["Maths", "Music", "PE", "Science"],
    ["Music", "PE", "Story time", "Maths"],
    ["PE", "Übung", "Maths", "Music"],
)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> LayoutModel:
    return LayoutModel(HOURS, exported(tmp_path_factory.mktemp("teacher"), seed=5) / "layout.onnx")


def exported(folder: Path, seed: int) -> Path:
    """A folder with a network of random weights that has strong opinions."""
    torch.manual_seed(seed)
    network = LayoutNetwork(TINY)
    with torch.no_grad():
        network.role.weight.mul_(6)
        network.one.weight.mul_(4)
    file = export_layout(network, folder / "layout.onnx")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    card = LayoutCard(name="layout", version="test", licence="MIT", sha256=digest)
    card_file(file).write_text(card.model_dump_json(), encoding="utf-8")
    return folder


def documents(folder: Path) -> Path:
    """Two Word documents, and one that cannot be read."""
    folder.mkdir()
    for number in range(2):
        week = timetable_of(WEEKS[number]).model_copy(update={"title": None})
        (folder / f"week{number}.docx").write_bytes(as_docx(week, days_across=True))
    (folder / "broken.docx").write_bytes(b"PK nothing")
    return folder


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(word) for word in words])
    return int(caught.value.code or 0)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_posteriors_are_probabilities_between_those_of_teacher_and_rules(teacher: LayoutModel, share: float) -> None:
    page = page_of(WEEKS[0])
    judged, rules = teacher.judged(tokens_of(page)), rules_page(page, HOURS)
    assert rules is not None
    told, placed = known_of(rules).T
    both = placed[:, None] & placed
    assert told.sum() >= 8  # four events, two days, two times
    assert rules.related()[both].any()
    found = taught_page(page, teacher, rules, share)
    assert found.role_scores.dtype == found.pair_scores.dtype == np.float32
    assert np.allclose(found.role_scores.sum(axis=1), 1, atol=1e-5)
    assert found.role_scores.min() >= 0
    assert 0 <= found.pair_scores.min() <= found.pair_scores.max() <= 1
    said = np.eye(len(ROLES))[rules.roles]
    wanted = (1 - share) * judged.roles + share * said
    assert np.allclose(found.role_scores, np.where(told[:, None], wanted, judged.roles), atol=1e-6)
    pairs = (1 - share) * judged.related + share * rules.related()
    assert np.allclose(found.pair_scores, np.where(both, pairs, judged.related), atol=1e-6)
    assert np.allclose(taught_page(page, teacher, None, share).role_scores, judged.roles)


def test_the_rules_know_what_they_found() -> None:
    page = page_of(WEEKS[0])
    rules = rules_page(page, HOURS)
    assert rules is not None
    roles = {line.text: ROLES[role] for line, role in zip(page.lines, rules.roles, strict=True)}
    assert {roles[name] for name in WEEKS[0]} == {"event"}
    assert (roles["Monday"], roles["9.00 – 9.45"]) == ("day", "time")
    assert rules_page(Page(0, 500, 300, page.lines[:1], unit="pt"), HOURS) is None


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_is_a_share(teacher: LayoutModel, share: float) -> None:
    with pytest.raises(ConfigurationError, match="share of the rules"):
        taught_page(page_of(WEEKS[0]), teacher, None, share)


def test_pages_that_no_model_reads_are_left_out(teacher: LayoutModel) -> None:
    page = page_of(WEEKS[0])
    many = page.with_lines(page.lines * (MOST // len(page.lines) + 1))
    with pytest.raises(ModelError, match="at most 600"):
        taught_page(many, teacher, None, 0.3)
    ensemble = Ensemble(teacher, HOURS, 0.3)
    assert ensemble.pages(document_of(many)) == ensemble.pages(document_of(Page(0, 9, 9))) == []
    assert len(ensemble.pages(document_of(page))) == 1


def test_files_come_back(teacher: LayoutModel, tmp_path: Path) -> None:
    pages = [taught_page(page_of(week), teacher, None, 0) for week in WEEKS]
    short = {name: getattr(pages[1], name)[:5] for name in TaughtPage.__slots__}
    pages[1] = TaughtPage(**{**short, "pair_scores": short["pair_scores"][:, :5]})
    write_taught(tmp_path / "pages.npz", pages)
    for page, read in zip(pages, read_taught(tmp_path / "pages.npz"), strict=True):
        for name in ("letters", "places", "cells", "role_scores"):
            assert np.array_equal(getattr(page, name), getattr(read, name))
        assert np.allclose(page.facts, read.facts, atol=2e-3)
        assert np.allclose(page.pair_scores, read.pair_scores, atol=0.5 / 255 + 1e-6)
        assert read.pair_scores.dtype == np.float32
    write_taught(tmp_path / "none.npz", [])
    assert read_taught(tmp_path / "none.npz") == []
    assert {path.name for path in tmp_path.iterdir()} == {"pages.npz", "none.npz"}


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no pages")
    np.savez(tmp_path / "other.npz", letters=np.zeros(3))
    for name in ("text.npz", "other.npz", "absent.npz"):
        with pytest.raises(InputError, match=f"{name} cannot be read as taught pages"):
            read_taught(tmp_path / name)


def test_an_interrupted_run_is_continued_and_teachers_are_not_mixed(teacher: LayoutModel, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.docx" for number in range(3)]
    for path in paths:
        path.write_bytes(path.name.encode())
    reads: list[Path] = []
    out = tmp_path / "out"

    def read(path: Path) -> Document:
        if len(reads) == 2 and path == paths[2]:
            reads.append(path)
            raise KeyboardInterrupt
        reads.append(path)
        return document_of(page_of(WEEKS[paths.index(path)]))

    ensemble = Ensemble(teacher, HOURS, 0.3)
    with pytest.raises(KeyboardInterrupt):
        teach(paths, read, ensemble, out)
    assert len(list(out.glob("*.npz"))) == 2
    done: list[tuple[int, int]] = []
    taught = teach(paths, read, ensemble, out, lambda *told: done.append(told))
    assert (taught.documents, taught.left_out, reads[2:]) == (3, (), [paths[2], paths[2]])
    assert done == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(ConfigurationError, match="another share"):
        teach(paths, read, Ensemble(teacher, HOURS, 0.5), out)


def agreement(network: nn.Module, task: DistilTask) -> float:
    """Mean cross-entropy to the teacher over the taught pages, roles and relations."""
    losses = []
    for step in range(4):
        batch = task.batch(1000 + step, Share()).taught
        with torch.inference_mode():
            losses.append(float(task.base.losses(network.eval(), batch, step)["total"]))
    return float(np.mean(losses))


def test_a_student_learns_what_the_teacher_says(teacher: LayoutModel, tmp_path: Path) -> None:
    write_taught(tmp_path / "pages.npz", [taught_page(page_of(week), teacher, None, 0) for week in WEEKS])
    values = {"data.taught": {str(tmp_path): 2}, "data.made": 4, "data.made_validation": 1, "loop.threads": 1}
    recipe = read_recipe(SMOKE).with_values(values)
    task = task_of(recipe)
    assert isinstance(task, DistilTask)
    assert len(task.taught) == 6
    assert torch.equal(task.batch(3, Share()).taught.places, task.batch(3, Share()).taught.places)
    torch.manual_seed(recipe.seed)
    network = task.build()
    before = agreement(network, task)
    outcome = train(task, recipe, tmp_path / "run")
    checkpoints.load_network(network, checkpoints.read(outcome.weights).tensors, "the run")
    assert agreement(network, task) < 0.75 * before
    assert "wrong_role" in outcome.metrics


def test_taught_pages_have_no_weight_where_the_recipe_says_so(teacher: LayoutModel, tmp_path: Path) -> None:
    write_taught(tmp_path / "pages.npz", [taught_page(page_of(WEEKS[0]), teacher, None, 0)])
    totals = []
    for weight in (0.0, 1.0, 2.0):
        values = {"data.taught": {str(tmp_path): 1}, "data.made": 3, "loss.taught": weight}
        task = task_of(read_recipe(SMOKE).with_values(values))
        assert isinstance(task, DistilTask)
        torch.manual_seed(1)
        network = task.build().eval()
        with torch.inference_mode():
            totals.append(float(task.losses(network, task.batch(0, Share()), 0)["total"]))
    assert totals[2] - totals[1] == pytest.approx(totals[1] - totals[0], rel=1e-4)
    assert totals[1] > totals[0]


def test_what_was_taught_is_in_the_hash_of_the_data(teacher: LayoutModel, tmp_path: Path) -> None:
    hashes = set()
    for share in (0.0, 0.5):
        page = page_of(WEEKS[0])
        write_taught(tmp_path / "pages.npz", [taught_page(page, teacher, rules_page(page, HOURS), share)])
        for times in (1, 2):
            task = task_of(read_recipe(SMOKE).with_values({"data.taught": {str(tmp_path): times}}))
            assert isinstance(task, DistilTask)
            hashes.add(task.data_hash)
    assert len(hashes) == 4


def test_a_task_without_taught_pages_is_refused() -> None:
    task = task_of(read_recipe(SMOKE))
    with pytest.raises(ConfigurationError, match=r"data\.taught"):
        task.batch(0, Share())


def test_the_commands_work_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "teacher").mkdir()
    folder, taught, out = exported(tmp_path / "teacher", 5), tmp_path / "taught", tmp_path / "out"
    words = ("distill", "ensemble", documents(tmp_path / "in"), "-o", taught, "--teacher", folder)
    assert run(*words) == 0
    told = capsys.readouterr().err
    assert "Left out: broken.docx" in told
    assert "2 documents" in told
    files = sorted(taught.glob("*.npz"))
    assert [len(read_taught(file)) for file in files] == [1, 1]
    assert json.loads((taught / ORIGIN).read_text())["rules"] == 0.3
    assert run(*words, "--rules", "0.9") == ConfigurationError.exit_code
    sizes = [word for value in ("data.made=2", "data.made_validation=1") for word in ("--set", value)]
    steps = [word for name in ("steps=4", "warmup_steps=1", "threads=1") for word in ("--set", f"loop.{name}")]
    trained = ("train", "document-distil", "-o", out, "-r", SMOKE, "--taught", taught, "--measured", 1)
    assert run(*trained, *sizes, *steps) == 0
    card = LayoutCard.read(out / "layout.json")
    assert "what a teacher and the rules said" in card.trained_on
    assert card.recipe["task"] == "document-distil"
    page = page_of(WEEKS[0])
    assert LayoutModel(HOURS, out / "layout.onnx").judged(tokens_of(page)).roles.shape == (len(page.lines), len(ROLES))
