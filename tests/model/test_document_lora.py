"""An adapter of a very small layout transformer learns a school's style for real, and is used by the request."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from pocai.documents.page import Document
from pocai.errors import InputError, ModelError
from pocai.inference.document_service import DocumentService
from pocai.inference.school_service import assembled
from pocai.models.adapter import RUNTIME, TENSORS
from pocai.models.adapter_card import CARD, AdapterCard, sha256_of
from pocai.models.card import card_file
from pocai.models.layout import INPUTS, LayoutCard, LayoutModel
from pocai.models.layout_network import LayoutConfig, LayoutNetwork
from pocai.models.layout_tokens import tokens_of
from pocai.settings import SchoolHours, Settings
from pocai.synthetic.compose import compose
from pocai.timetable.school import SchoolMemory
from pocai.training import checkpoints
from pocai.training.checkpoints import Checkpoint
from pocai.training.document_model.labelled_documents import Corrected, corrected
from pocai.training.document_model.layout_export import LAYERS, difference, export_layout
from pocai.training.document_model.layout_lora import LayoutLoraTask, helps, load_layout, train_layout_lora
from pocai.training.document_model.layout_pages import known_of, read_pages, write_pages
from pocai.training.document_model.layout_task import batch_of
from pocai.training.document_model.made_pages import made_pages
from pocai.training.document_model.page_variants import plain
from pocai.training.lora import AdapterResult
from pocai.training.lora_files import read_adapter
from pocai.training.lora_network import LoraTable, lora_tensors, with_lora
from pocai.training.recipe import Recipe

SMALL = LayoutConfig(width=24, layers=1, heads=2, inner=32, letter=8, text=16, pair=8, relation=12, dropout=0)
SWAP = 0.005  # seconds
LARGEST = 300_000  # bytes


def documents(count: int) -> list[Corrected]:
    """Documents of one layout with their corrections."""
    found = []
    for seed in range(count):
        drawing = compose(seed, layouts="times_inside")
        pages = [each.page for each in made_pages(drawing, np.random.default_rng(seed), plain=True)]
        tables = [table.model_dump(by_alias=True, mode="json") for table in drawing.timetables]
        found.append(corrected(str(seed), pages, tables))
    return found


def recipe_for(base: Path, **values: object) -> Recipe:
    recipe = Recipe.model_validate(
        {
            "task": "document-lora",
            "seed": 3,
            "model": {"base": str(base)},
            "data": {"variants": 1, "made_replay": 3, "batch": 2, "replay_batch": 1, "licence": "CC0-1.0"},
            "loss": {"replay": 0.0},  # the base knows nothing that could be forgotten
            "loop": {"steps": 40, "learning_rate": 3e-2, "warmup_steps": 2, "evaluate_every": 20, "threads": 1},
        }
    )
    return recipe.with_values({key.replace("__", "."): value for key, value in values.items()})


def written_base(folder: Path, seed: int) -> Path:
    """Weights of a network that was not trained."""
    torch.manual_seed(seed)
    network = LayoutNetwork(SMALL)
    file = folder / f"base-{seed}.safetensors"
    recipe = {"recipe": {"model": SMALL.model_dump(mode="json")}}
    checkpoints.write(file, Checkpoint(checkpoints.network_tensors(network), recipe))
    return file


@dataclass(frozen=True)
class Trained:
    base: Path
    task: LayoutLoraTask
    result: AdapterResult
    weights: Path

    @property
    def folder(self) -> Path:
        return self.result.folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("layout-lora")
    base = written_base(folder, 0)
    recipe = recipe_for(base)
    task = LayoutLoraTask(recipe, documents(4))
    result = train_layout_lora(recipe, folder / "school", task)
    weights = export_layout(load_layout(base), folder / "layout.onnx")
    card = LayoutCard(name="layout", version="test", licence="MIT", sha256=sha256_of(weights))
    card_file(weights).write_text(card.model_dump_json(), encoding="utf-8")
    return Trained(base, task, result, weights)


def test_an_adapter_learns_from_three_documents_what_a_fourth_says(trained: Trained) -> None:
    card = trained.result.card
    assert card.after["wrong_role/new"] < 0.8 * card.before["wrong_role/new"]
    assert card.after["score"] < card.before["score"]
    assert (card.name, card.rank, card.licence) == ("school", 4, "CC0-1.0")
    assert card.lines == sum(len(page.made.truths) for each in trained.task.learned for page in each.pages)
    assert len(trained.task.learned) == 3


def test_an_adapter_of_the_shipped_size_is_small(tmp_path: Path) -> None:
    network = with_lora(LayoutNetwork(LayoutConfig()), LoraTable(rank=4, alpha=8, targets=LAYERS))
    checkpoints.write(tmp_path / TENSORS, Checkpoint(lora_tensors(network), {"base_sha256": "0" * 64}))
    assert (tmp_path / TENSORS).stat().st_size < LARGEST


def test_onnx_runtime_computes_what_torch_does_with_and_without_the_adapter(trained: Trained) -> None:
    base = load_layout(trained.base)
    assert difference(base, trained.weights) < 1e-3
    adapted, model = read_adapter(base, trained.folder), LayoutModel(SchoolHours(), trained.weights)
    page = plain(trained.task.held_back[0].pages[0])
    assert page is not None
    batch = batch_of([page])
    adapter = model._adapters.adapter(trained.folder)  # the one that `adapted` holds
    tokens = tokens_of(trained.task.held_back[0].pages[0].made.page)
    for network, judged in ((base, model.judged(tokens)), (adapted, model.judged(tokens, adapter))):
        with torch.inference_mode():
            roles, related = network(*(getattr(batch, name) for name in INPUTS))
        assert np.allclose(torch.softmax(roles[0], dim=1).numpy(), judged.roles, atol=1e-3)
        assert np.allclose(torch.sigmoid(related[0]).numpy(), judged.related, atol=1e-3)


def test_requests_with_and_without_an_adapter_do_not_mix(trained: Trained) -> None:
    model = LayoutModel(SchoolHours(), trained.weights)
    page = trained.task.held_back[0].pages[0].made.page
    tokens, adapter = tokens_of(page), model._adapters.adapter(trained.folder)
    alone, with_it = model.judged(tokens).roles, model.judged(tokens, adapter).roles
    assert not np.allclose(alone, with_it, atol=1e-2)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: model.judged(tokens, adapter if n % 2 else None).roles, range(24)))
    for number, roles in enumerate(found):
        assert np.array_equal(roles, with_it if number % 2 else alone)


def test_a_school_asks_by_its_folder(trained: Trained) -> None:
    model = LayoutModel(SchoolHours(), trained.weights)
    document = Document((trained.task.held_back[0].pages[0].made.page,), "pdf", "")
    service = DocumentService(model, SchoolHours(), adapter=trained.folder)
    assembly = service.extract(document)
    assert assembly.model in {"layout+school", "rules"}, "a very small network may find no timetable"
    assert assembly.model == "layout+school" or "layout+school" in str(assembly.fallback_reason)
    with pytest.raises(ModelError, match="rules takes no adapters"):
        DocumentService("rules", SchoolHours(), adapter=trained.folder)
    with pytest.raises(ModelError, match="holds no adapter"):
        DocumentService(model, SchoolHours(), adapter=trained.folder / "run")


def test_a_school_is_read_with_its_own_adapter_alone(trained: Trained, tmp_path: Path) -> None:
    settings = Settings.model_construct(document_model=f"layout:{trained.weights.parent}")
    document = Document((trained.task.held_back[0].pages[0].made.page,), "pdf", "")
    north, south = SchoolMemory(adapter=str(trained.folder)), SchoolMemory()

    def read(memory: SchoolMemory | None, settings: Settings = settings) -> tuple[str, str]:
        assembly, _ = assembled(document, settings, memory)
        return assembly.model, assembly.fallback_reason or ""

    asked = [read(memory) for memory in (north, south, None, north)]
    assert asked[0] == asked[3]
    assert asked[1] == asked[2]
    assert ["layout+school" in "".join(each) for each in asked] == [True, False, False, True]
    named = settings.model_copy(update={"document_adapter": trained.folder})
    assert read(SchoolMemory(adapter=str(tmp_path)), named) == asked[0], "the settings come first"


def test_an_adapter_that_does_not_fit_is_left_out_and_told(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / RUNTIME).write_bytes((trained.folder / RUNTIME).read_bytes())
    AdapterCard.read(trained.folder).model_copy(update={"base_sha256": "0" * 64}).write(tmp_path)
    document = Document((trained.task.held_back[0].pages[0].made.page,), "pdf", "")
    own = f"layout:{trained.weights.parent}"
    for model, folder in ((own, tmp_path), (own, trained.folder / "run"), ("rules", trained.folder)):
        settings = Settings.model_construct(document_model=model)
        plain, _ = assembled(document, settings, None)
        found, _ = assembled(document, settings, SchoolMemory(adapter=str(folder)))
        assert (found.timetables, found.model) == (plain.timetables, plain.model)
        told = ["the school's adapter was not used: model_error", *filter(None, [plain.fallback_reason])]
        assert found.fallback_reason == "; ".join(told)


def test_a_swap_takes_no_time(trained: Trained) -> None:
    model = LayoutModel(SchoolHours(), trained.weights)
    spans = []
    for _ in range(20):
        begun = time.perf_counter()
        model.adapted(trained.folder)
        spans.append(time.perf_counter() - begun)
    assert min(spans[1:]) < SWAP, "the first reads the files"


def test_an_adapter_of_other_weights_is_refused(trained: Trained, tmp_path: Path) -> None:
    weights = export_layout(load_layout(written_base(tmp_path, 1)), tmp_path / "layout.onnx")
    card = LayoutCard(name="layout", version="test", licence="MIT", sha256=sha256_of(weights))
    card_file(weights).write_text(card.model_dump_json(), encoding="utf-8")
    with pytest.raises(ModelError, match="belongs to base weights"):
        LayoutModel(SchoolHours(), weights).adapted(trained.folder)


def test_an_altered_adapter_is_refused(trained: Trained, tmp_path: Path) -> None:
    for name in (CARD, RUNTIME):
        (tmp_path / name).write_bytes((trained.folder / name).read_bytes())
    (tmp_path / RUNTIME).write_bytes((trained.folder / RUNTIME).read_bytes() + b"x")
    with pytest.raises(ModelError, match="not what its card is of"):
        LayoutModel(SchoolHours(), trained.weights).adapted(tmp_path)


def test_an_adapter_that_does_not_help_is_not_written(trained: Trained, tmp_path: Path) -> None:
    recipe = recipe_for(trained.base, loop__steps=2, loop__warmup_steps=0, loop__learning_rate=1e-12)
    task = LayoutLoraTask(recipe, [*trained.task.learned, *trained.task.held_back])
    with pytest.raises(ModelError, match="does not help"):
        train_layout_lora(recipe, tmp_path / "school", task)
    assert not (tmp_path / "school" / CARD).exists()


@pytest.mark.parametrize(
    ("changes", "good"),
    [
        ({"block_f1/new": 0.9}, True),
        ({"score/new": 0.1}, True),
        ({}, False),
        ({"block_f1/new": 0.9, "score/old": 0.07}, False),
        ({"score/new": 0.1, "block_f1/new": 0.77}, False),
    ],
)
def test_no_figure_may_fall_by_more_than_a_point(changes: dict[str, float], good: bool) -> None:
    before = {"block_f1/new": 0.8, "score/new": 0.2, "score/old": 0.05}
    assert helps(before, before | changes) is good


def test_two_documents_are_too_few(trained: Trained) -> None:
    task = LayoutLoraTask(recipe_for(trained.base), trained.task.learned[:2])
    with pytest.raises(InputError, match="needs 3 corrected documents, there are 2"):
        _ = task.new


def test_what_is_unknown_is_kept_in_files_and_left_out_of_the_loss(trained: Trained, tmp_path: Path) -> None:
    page = trained.task.validation[0]
    assert page.known is not None
    write_pages(tmp_path / "pages.npz", [page])
    (read,) = read_pages(tmp_path / "pages.npz")
    assert np.array_equal(known_of(read), page.known)
    batch = batch_of([page])
    unknown = int(np.flatnonzero(~page.known[:, 1])[0]) if not page.known[:, 1].all() else None
    assert unknown is None or not batch.both[0, unknown].any()
    assert int(batch.known[0, :, 0].sum()) == int(page.known[:, 0].sum())
