"""Causal language models as document models: trained for real, tiny, and held to the grammar whatever they know."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rendering import as_docx
from safetensors.torch import load_file
from small_language import recipe, saved, sources, untrained, word_pieces
from small_pages import SmallExamples, document_of, page_of, timetable_of

from pocai.cli import main
from pocai.errors import ConfigurationError, InputError, ModelError
from pocai.models.language import LanguageModel, LocalModel, language_model, named
from pocai.models.language_answer import read_answer
from pocai.models.language_network import Script, Sizes, folder_of, learned_tokenizer, load
from pocai.models.language_page import numbered
from pocai.models.language_writer import Limit, LocalWriter
from pocai.settings import LanguageEndpoint, SchoolHours
from pocai.training.document_model.language_adapter import write_best
from pocai.training.document_model.language_data import Sources
from pocai.training.document_model.language_task import LanguageTask
from pocai.training.loop import Outcome, train
from pocai.training.recipe import read_recipe
from pocai.training.task import Share

HOURS = SchoolHours()
RECIPES = Path(__file__).parents[2] / "recipes"
NAMES = ["Music", "Maths", "PE", "Science"]
STEPS = 60
LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
RANK = {"rank": 8, "dropout": 0.0, "targets": LAYERS}


@pytest.fixture(scope="module", params=["llama", "mistral"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """A tiny network of each kind that has learned small pages, and the folder that it was written to."""
    folder = tmp_path_factory.mktemp(request.param)
    chosen = recipe(request.param, STEPS)
    task = LanguageTask(chosen, sources())
    outcome = train(task, chosen, folder / "run")
    return outcome, write_best(task, outcome.weights, folder / "model")


def loss_of(task: LanguageTask, network: torch.nn.Module) -> float:
    with torch.no_grad():
        return float(task.evaluate(network.eval())["score"])


def test_a_network_learns_to_answer(trained: tuple[Outcome, Path]) -> None:
    outcome, _ = trained
    task = LanguageTask(recipe(), sources())
    torch.manual_seed(0)
    before = loss_of(task, task.build())
    assert before > 5
    assert outcome.best_score < 0.1 * before
    assert outcome.metrics["right/small"] > 0.9


def test_what_was_trained_reads_a_page(trained: tuple[Outcome, Path]) -> None:
    model = language_model(LocalModel(str(trained[1]), tokens=600), HOURS)
    assert model.name == "language"
    read = model.read(document_of(page_of(NAMES)))
    assert read.unsupported == ()
    (found,) = read.timetables
    truth = {(block.day, block.name, block.start_time, block.end_time) for block in timetable_of(NAMES).timeblocks}
    right = truth & {(block.day, block.name, block.start_time, block.end_time) for block in found.timeblocks}
    assert len(right) >= 2  # of 4, after a minute's training
    assert all(block.fields["name"].box for block in found.timeblocks)
    by_name = named(str(trained[1]), HOURS, LanguageEndpoint())
    again = {block.name for each in by_name.assemble(document_of(page_of(NAMES))) for block in each.timeblocks}
    assert again >= {name for _, name, _, _ in right}


def test_the_command_trains_a_model_and_says_how_to_read_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "document-llm", "-o", str(tmp_path), "-r", str(RECIPES / "document-llm-smoke.toml")]
    few = ("loop.steps=2", "loop.warmup_steps=1", "loop.evaluate_every=2", "data.made=2", "data.made_validation=1")
    tiny = ("model.sizes.hidden=32", "model.sizes.layers=1", "model.sizes.inner=48")
    with pytest.raises(SystemExit) as caught:
        main([*words, "--base", "config", *(word for value in (*few, *tiny) for word in ("--set", value))])
    assert caught.value.code == 0
    assert f"POCAI_DOCUMENT_MODEL=language:{tmp_path / 'model'}" in capsys.readouterr().err
    assert load(tmp_path / "model").network


@pytest.mark.parametrize(("kind", "pieces"), [("llama", False), ("mistral", True)])
def test_a_network_that_knows_nothing_answers_with_what_is_printed(kind: str, pieces: bool) -> None:
    writer = LocalWriter(untrained(kind, pieces=pieces), HOURS, Limit(tokens=150))
    for names in (NAMES, ["Übung", "Art & Craft", "D&T", 'Say "hi" \\o/']):
        text = writer.write(numbered(page_of(names)))
        answer = read_answer(text)
        assert json.loads(text) == json.loads(answer.to_json())
        assert LanguageModel(writer).read(document_of(page_of(names))).unsupported == ()


def test_an_answer_ends_when_its_time_is_over() -> None:
    shown = numbered(page_of(NAMES))
    short = LocalWriter(untrained(), HOURS, Limit(tokens=10**6, seconds=0.0)).write(shown)
    assert sum(len(table.events) for table in read_answer(short).timetables) <= 1


def test_broken_weights_still_give_an_answer() -> None:
    model = untrained()
    with torch.no_grad():
        for weight in model.network.parameters():
            weight.fill_(float("nan"))
    read_answer(LocalWriter(model, HOURS, Limit(tokens=40)).write(numbered(page_of(NAMES))))


def test_a_page_beyond_the_context_is_refused() -> None:
    model = untrained()
    network: Any = model.network
    network.config.max_position_embeddings = 300
    with pytest.raises(ModelError, match="of the 300 tokens"):
        LocalWriter(model, HOURS).write(numbered(page_of(NAMES)))


def test_only_the_answer_is_learned_and_a_batch_is_a_function_of_its_number() -> None:
    task = LanguageTask(recipe(), sources())
    network = task.build()
    other: LanguageTask = pickle.loads(pickle.dumps(task))
    first, again, later = task.batch(2, Share()), other.batch(2, Share()), task.batch(3, Share())
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["input_ids"], later["input_ids"])
    both = torch.cat([task.batch(2, Share(rank, 2))["labels"][:, -1] for rank in (0, 1)])
    assert len(both) == 2 * len(first["labels"])
    end = task.script.tokenizer.eos_token_id
    for ids, mask, labels in zip(*(first[name] for name in ("input_ids", "attention_mask", "labels")), strict=True):
        learned = labels[labels != -100]
        assert learned[-1] == end
        assert torch.equal(ids[labels != -100], learned)
        text = task.script.tokenizer.decode(learned[:-1])
        assert text.startswith('{"timetables":')
        assert "[" not in task.script.tokenizer.decode(ids[(labels == -100) & (mask == 1)]).split("\n")[-1]
    losses = task.losses(network, first, 0)
    changed = {**first, "labels": torch.where(first["labels"] == -100, -100, end)}
    assert losses["total"] != task.losses(network, changed, 0)["total"]


def test_adapters_learn_a_page_that_the_base_reads_badly(trained: tuple[Outcome, Path], tmp_path: Path) -> None:
    odd = ("Chess", "Chess", "Yoga", "Ethics")
    one = SmallExamples(1, 0, odd)
    model = {"base": str(trained[1]), "lora": RANK}
    chosen = recipe(steps=STEPS, model=model, read=1, batch=1).with_values({"loop.learning_rate": 0.01})
    task = LanguageTask(chosen, Sources(one, SmallExamples(0, 0), {"one": one}))
    base = LanguageTask(recipe(model={"base": str(trained[1])}), Sources(one, one, {"one": one}))
    outcome = train(task, chosen, tmp_path / "run")
    assert outcome.best_score < 0.5 * loss_of(base, base.build())
    assert outcome.metrics["block/one"] == 1.0
    folder = write_best(task, outcome.weights, tmp_path / "adapter")
    tensors = load_file(folder / "adapter_model.safetensors")
    assert tensors
    assert all("lora" in name for name in tensors)
    assert str(tmp_path) not in (folder / "adapter_config.json").read_text() + (folder / "card.json").read_text()
    adapted = named(f"{trained[1]}+{folder}", HOURS, LanguageEndpoint())
    (found,) = adapted.assemble(document_of(page_of(list(odd))))
    assert sorted(block.name for block in found.timeblocks) == sorted(odd)
    with pytest.raises(ModelError, match="another base"):
        load(saved(tmp_path / "other"), folder)


def test_labelled_documents_are_learned_from(tmp_path: Path) -> None:
    for number in range(6):
        names = SmallExamples(6, 9).names(number)
        week = timetable_of(names).model_copy(update={"title": None})
        (tmp_path / f"week{number}.docx").write_bytes(as_docx(week, days_across=True))
        label = week.model_dump(by_alias=True, mode="json", exclude={"pages"}) | {"words": [], "slices": {}}
        label["timeblocks"][0]["startTime"] = "9:00"  # labels are written by hand
        (tmp_path / f"week{number}.json").write_text(json.dumps(label))
    task = LanguageTask(recipe(made=2, made_validation=1, folder=tmp_path, share=0.5, longest=12000, reading="plain"))
    assert (len(task.sources.folder), len(task.sources.made)) == (5, 2)
    assert sorted(task.sources.validation) == ["folder", "held-out", "made"]
    for example in (task.sources.folder.example(0), task.sources.validation["folder"].example(0)):
        assert example is not None
        (table,) = example.answer.timetables
        assert sum(len(event.days.value) for event in table.events if event.days) == 4
        assert all(event.start and event.end for event in table.events)
    kinds = {bool(task.batch(step, Share())["labels"].shape[1] > 1500) for step in range(4)}
    assert kinds
    assert task.data_hash != LanguageTask(recipe(made=2, made_validation=1)).data_hash


def test_a_folder_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        LanguageTask(recipe(folder=tmp_path)).build()


@pytest.mark.parametrize(
    ("model", "data", "message"),
    [
        ({"lora": RANK}, {}, "adapters need a base"),
        ({"rank": 3}, {}, "Delete this key"),
        ({"sizes": {"hidden": 100, "heads": 3}}, {}, "multiple of 2"),
        ({}, {"made_validation": 0}, "nothing to measure on"),
        ({}, {}, "no pages to train on"),
    ],
)
def test_a_recipe_that_cannot_be_used_is_refused(model: dict[str, Any], data: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        LanguageTask(recipe(model=model, **data)).build()


def test_pages_that_are_too_long_are_left_out() -> None:
    task = LanguageTask(recipe(longest=64), sources())
    with pytest.raises(ConfigurationError, match=r"data\.longest = 64"):
        task.batch(0, Share())
    with pytest.raises(ConfigurationError, match=r"data\.longest = 64"):
        task.evaluate(task.build())


def test_weights_that_are_no_safetensors_are_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path / "model")
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, "sha256": "0" * 64}))
    with pytest.raises(ModelError, match="not those of its card"):
        load(folder)
    (folder / "card.json").unlink()
    load(folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="pickles"):
        load(folder)
    with pytest.raises(ModelError, match=r"adapter_config\.json is missing"):
        load(saved(tmp_path / "again"), tmp_path)


def test_a_model_that_needs_code_of_its_own_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "homemade",
        "auto_map": {"AutoModelForCausalLM": "evil.Model", "AutoConfig": "evil.Config"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(folder)


def test_nothing_is_fetched_unless_that_is_allowed() -> None:
    with pytest.raises(ModelError, match="no model of that name is in the cache"):
        folder_of("made-up/model-that-is-not-there")
    with pytest.raises(ModelError, match="is in the cache"):
        language_model(LocalModel("made-up/model-that-is-not-there"), HOURS)


def test_the_text_of_a_page_cannot_end_its_turn() -> None:
    tokenizer = word_pieces()
    tokenizer.chat_template = "{% for m in messages %}<s>{{ m['content'] }}{% endfor %}"
    shown = numbered(page_of(["</s>", "<s>", "Maths", "PE"]))
    ids = Script(tokenizer).prompt(shown)
    assert ids.count(tokenizer.bos_token_id) == 1
    assert tokenizer.eos_token_id not in ids
    assert "Answer {" in tokenizer.decode(ids)


def test_a_tokenizer_is_the_same_from_the_same_texts() -> None:
    texts = [numbered(page_of(SmallExamples(4, 1).names(number))).text for number in range(4)]
    first, second = (learned_tokenizer(iter(texts), 300) for _ in range(2))
    assert first.get_vocab() == second.get_vocab()
    assert len(first) <= 300


@pytest.mark.parametrize("name", ["document-llm", "document-llm-smoke"])
def test_the_recipes_are_of_this_task(name: str) -> None:
    chosen = read_recipe(RECIPES / f"{name}.toml")
    task = LanguageTask(chosen)
    assert (task.name, task.model.lora is None) == ("document-llm", name.endswith("smoke"))
    if task.model.lora is None:
        sizes = Sizes.model_validate(task.model.sizes)
        assert sizes.layers * sizes.hidden**2 < 10**6
        assert np.log2(sizes.context) >= 12
