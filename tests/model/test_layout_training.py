"""A very small layout transformer learns for real, is exported, and reads pages."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from pocai.documents.page import Document, Page
from pocai.errors import ConfigurationError, ModelError
from pocai.models.card import card_file
from pocai.models.layout import LayoutCard, LayoutModel
from pocai.models.layout_network import LayoutConfig, LayoutNetwork
from pocai.models.layout_tokens import MOST, ROLES, tokens_of
from pocai.settings import SchoolHours
from pocai.synthetic.compose import compose
from pocai.training import checkpoints
from pocai.training.document_model.layout_export import SAME, difference, example, export_layout
from pocai.training.document_model.layout_pages import pages_of_seed, read_pages, write_pages
from pocai.training.document_model.layout_task import LayoutTask, batch_of
from pocai.training.document_model.made_pages import made_pages
from pocai.training.loop import Outcome, train
from pocai.training.recipe import read_recipe
from pocai.training.task import Share
from pocai.training.tasks import task_of

SMOKE = Path(__file__).parents[2] / "recipes/document-base-smoke.toml"


@dataclass(frozen=True)
class Trained:
    task: LayoutTask
    before: float
    outcome: Outcome
    weights: Path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("layout")
    recipe = read_recipe(SMOKE)
    task = task_of(recipe)
    assert isinstance(task, LayoutTask)
    torch.manual_seed(0)
    before = task.evaluate(task.build().eval())["score"]
    outcome = train(task, recipe, folder / "run")
    network = task.build()
    checkpoints.load_network(network, checkpoints.read(outcome.weights).tensors, "the run")
    weights = export_layout(network, folder / "layout.onnx")
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    card = LayoutCard(name="layout", version="test", licence="MIT", sha256=digest)
    card_file(weights).write_text(card.model_dump_json(), encoding="utf-8")
    return Trained(task, before, outcome, weights)


def test_a_minute_of_training_teaches_roles_and_relations(trained: Trained) -> None:
    assert trained.outcome.metrics["wrong_role"] < 0.45
    assert trained.outcome.best_score < 0.75 * trained.before


def test_onnx_runtime_computes_what_torch_does(trained: Trained) -> None:
    network = trained.task.build()
    checkpoints.load_network(network, checkpoints.read(trained.outcome.weights).tensors, "the run")
    assert difference(network.eval(), trained.weights) < SAME


def test_padding_changes_nothing(trained: Trained) -> None:
    network = trained.task.build().eval()
    small, large = sorted(trained.task.validation, key=len)[:: len(trained.task.validation) - 1]
    with torch.inference_mode():
        alone, together = batch_of([small]), batch_of([small, large])
        roles, related = network(alone.letters, alone.facts, alone.places, alone.cells, alone.filled)
        padded_roles, padded_related = network(
            together.letters, together.facts, together.places, together.cells, together.filled
        )
    assert torch.allclose(roles[0], padded_roles[0, : len(small)], atol=1e-4)
    assert torch.allclose(related[0], padded_related[0, : len(small), : len(small)], atol=1e-4)


def test_relations_are_symmetric_and_the_order_of_lines_does_not_matter() -> None:
    network = LayoutNetwork(LayoutConfig(width=32, layers=2, heads=4, inner=48)).eval()
    page = example(20, 3)
    order = torch.from_numpy(np.random.default_rng(1).permutation(20))
    with torch.inference_mode():
        roles, related = network(*page)
        other_roles, other_related = network(*(value[:, order] for value in page))
    assert torch.allclose(related, related.transpose(1, 2), atol=1e-5)
    assert torch.allclose(roles[:, order], other_roles, atol=1e-4)
    assert torch.allclose(related[:, order][:, :, order], other_related, atol=1e-4)


def test_the_model_gives_probabilities_and_timetables(trained: Trained) -> None:
    model = LayoutModel(SchoolHours(), trained.weights)
    (made, *_) = made_pages(compose(4), np.random.default_rng(4), plain=True)
    judged = model.judged(tokens_of(made.page))
    assert judged.roles.shape == (len(made.page.lines), len(ROLES))
    assert np.allclose(judged.roles.sum(axis=1), 1, atol=1e-4)
    assert np.allclose(judged.related, judged.related.T, atol=1e-4)
    assert model.assemble(Document((Page(0, 100, 100),), "pdf", "")) == ()
    for table in model.assemble(Document((made.page,), "pdf", "")):
        assert {block.name for block in table.timeblocks}


def test_weights_and_card_belong_together(trained: Trained, tmp_path: Path) -> None:
    weights = tmp_path / "layout.onnx"
    weights.write_bytes(trained.weights.read_bytes() + b"x")
    with pytest.raises(ModelError, match="card"):
        LayoutModel(SchoolHours(), weights)
    card_file(weights).write_bytes(card_file(trained.weights).read_bytes())
    with pytest.raises(ModelError, match="not what its card is of"):
        LayoutModel(SchoolHours(), weights)


def test_a_page_with_too_many_lines_is_refused(trained: Trained) -> None:
    (made, *_) = made_pages(compose(4), np.random.default_rng(4), plain=True)
    many = made.page.with_lines(made.page.lines * (MOST // len(made.page.lines) + 1))
    with pytest.raises(ModelError, match="at most 600"):
        LayoutModel(SchoolHours(), trained.weights).judged(tokens_of(many))


def test_pages_are_kept_whole_in_files(tmp_path: Path) -> None:
    pages = [page for seed in range(3) for page in pages_of_seed(seed)]
    write_pages(tmp_path / "pages.npz", pages)
    for page, read in zip(pages, read_pages(tmp_path / "pages.npz"), strict=True):
        for name in ("letters", "places", "cells", "roles", "members"):
            assert np.array_equal(getattr(page, name), getattr(read, name))
        assert np.allclose(page.facts, read.facts, atol=2e-3)
        assert np.array_equal(page.related(), read.related())


def test_a_step_is_the_same_whenever_it_is_asked_for(trained: Trained) -> None:
    first, second = (trained.task.batch(7, Share(1, 2)) for _ in range(2))
    other = trained.task.batch(8, Share(1, 2))
    assert torch.equal(first.places, second.places)
    assert first.places.shape != other.places.shape or not torch.equal(first.places, other.places)


def test_a_task_without_pages_is_refused() -> None:
    task = task_of(read_recipe(SMOKE).with_values({"data.made": 0}))
    assert isinstance(task, LayoutTask)
    with pytest.raises(ConfigurationError, match="no pages"):
        task.batch(0, Share())
