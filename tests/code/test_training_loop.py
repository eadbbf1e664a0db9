"""The training loop: it learns, it resumes to the last bit, it stops where it should, and it says what went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from toy_tasks import Pair, Regression, drawn, losses_of, recipe, toy, trained

from pocai.errors import ConfigurationError, ModelError
from pocai.training.average import Average
from pocai.training.checkpoints import load_network, read
from pocai.training.loop import Outcome, train
from pocai.training.task import Share
from pocai.training.tracker import CsvTracker

NEVER = 10**9


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def state_of(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The newest checkpoint: all tensors, and how far the run is."""
    checkpoint = read(max((folder / "checkpoints").iterdir()))
    return checkpoint.tensors, checkpoint.state["run"]


class Interrupted(Exception):
    """Stands for whatever ends a process."""


class Ending(Regression):
    """A regression that is interrupted when it is asked for batch ``end``, and that counts what it is asked for."""

    def __init__(self, end: int = NEVER, dropout: float = 0.0) -> None:
        super().__init__(dropout)
        self.end = end
        self.asked: list[int] = []

    def batch(self, step: int, share: Share) -> Pair:
        self.asked.append(step)
        if step == self.end:
            raise Interrupted
        return super().batch(step, share)


class Scored(Ending):
    """A regression whose evaluations come to given scores."""

    def __init__(self, scores: list[float]) -> None:
        super().__init__()
        self.scores = iter(scores)

    def evaluate(self, network: nn.Module) -> Mapping[str, float]:
        return {"score": next(self.scores), "weight": float(network.state_dict()["0.weight"][0, 0])}


class Broken(Regression):
    """A regression whose loss is not a number in some steps."""

    def __init__(self, first: int, last: int) -> None:
        super().__init__()
        self.broken = range(first, last + 1)

    def losses(self, network: nn.Module, batch: Pair, step: int) -> Mapping[str, Tensor]:
        losses = super().losses(network, batch, step)
        return {"total": losses["total"] * (float("nan") if step in self.broken else 1.0)}


@pytest.mark.parametrize("task", ["toy-regression", "toy-stripes"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_loss_falls(tmp_path: Path, task: str, precision: str) -> None:
    made = recipe(task, steps=120, ema=0.95, precision=precision)
    outcome = trained(made, tmp_path)
    losses = losses_of(tmp_path)
    assert losses[-1] < 0.5 * losses[0]
    network = toy(made).build()
    load_network(network, read(outcome.weights).tensors, "best")
    assert {tensor.dtype for tensor in network.parameters()} == {torch.float32}
    network.eval()
    with torch.no_grad():
        assert toy(made).evaluate(network)["score"] == pytest.approx(outcome.best_score, rel=0.05)
    assert outcome.metrics == {"score": outcome.best_score}
    assert (outcome.steps, outcome.stopped_early) == (120, False)


@settings(max_examples=12, deadline=None)
@given(
    end=st.integers(0, 23),
    accumulate=st.integers(1, 2),
    every=st.sampled_from((1, 3, 5)),
    ema=st.sampled_from((0, 0.9)),
)
def test_a_run_that_ends_anywhere_goes_on_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, end: int, accumulate: int, every: int, ema: float
) -> None:
    made = recipe(steps=12, accumulate=accumulate, ema=ema, checkpoint_every=every, evaluate_every=4, clip=0.5)
    whole, parts = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("parts")
    whole_outcome = train(Ending(dropout=0.3), made, whole)
    if end < 12 * accumulate:
        with pytest.raises(Interrupted):
            train(Ending(end, dropout=0.3), made, parts)
    torch.rand(end)  # whatever happens between the parts
    outcome = train(Ending(dropout=0.3), made, parts)
    assert_same_tensors(state_of(parts)[0], state_of(whole)[0])
    assert state_of(parts)[1]["history"] == state_of(whole)[1]["history"]
    assert_same_tensors(read(outcome.weights).tensors, read(whole_outcome.weights).tensors)
    assert outcome.best_score == whole_outcome.best_score


def assert_same_tensors(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    assert not [name for name, tensor in one.items() if not torch.equal(tensor, other[name])]


def test_a_network_in_another_memory_format_goes_on_to_the_last_bit(tmp_path: Path) -> None:
    made = recipe("toy-stripes", steps=10, ema=0.9, checkpoint_every=4)
    trained(made, tmp_path / "whole")
    trained(made, tmp_path / "parts")
    (tmp_path / "parts" / "checkpoints" / "00000010.safetensors").unlink()
    trained(made, tmp_path / "parts")
    assert_same_tensors(state_of(tmp_path / "parts")[0], state_of(tmp_path / "whole")[0])


def test_a_run_that_is_over_is_not_run_again(tmp_path: Path) -> None:
    first = trained(recipe(steps=5), tmp_path)
    task = Ending(end=0)
    assert train(task, recipe(steps=5), tmp_path) == first
    assert task.asked == []


def test_more_steps_go_on_where_a_run_ended(tmp_path: Path) -> None:
    trained(recipe(steps=5), tmp_path)
    task = Ending()
    assert train(task, recipe(steps=8, keep=1), tmp_path).steps == 8
    assert task.asked == [5, 6, 7]


def test_it_stops_after_too_many_evaluations_without_a_better_score(tmp_path: Path) -> None:
    made = recipe(steps=100, evaluate_every=2, patience=3)
    task = Scored([5.0, 4.0, 4.5, 4.0, 4.1, 1.0])
    outcome = train(task, made, tmp_path, tracker=CsvTracker(tmp_path))
    assert (outcome.steps, outcome.best_score, outcome.stopped_early) == (10, 4.0, True)
    assert read(outcome.weights).state["step"] == 4
    assert float(read(outcome.weights).tensors["0.weight"][0, 0]) == outcome.metrics["weight"]
    assert json.loads((tmp_path / "run.json").read_text())["status"] == "stopped early"
    assert train(task, made, tmp_path) == outcome
    assert max(task.asked) == 9


def test_without_patience_it_never_stops(tmp_path: Path) -> None:
    outcome = train(Scored([1.0, *[2.0] * 9]), recipe(steps=10, evaluate_every=1), tmp_path)
    assert (outcome.steps, outcome.best_score, outcome.stopped_early) == (10, 1.0, False)


@pytest.mark.parametrize(("clip", "longest"), [(0.25, 0.25), (0, None), (1e6, None)])
def test_a_long_gradient_is_clipped(tmp_path: Path, clip: float, longest: float | None) -> None:
    trained(recipe(steps=1, clip=clip), tmp_path)
    moments = [tensor for name, tensor in state_of(tmp_path)[0].items() if name.endswith("/exp_avg")]
    used = float(torch.cat([moment.flatten() for moment in moments]).norm()) / (1 - 0.9)
    logged = float((tmp_path / "log.csv").read_text().split("gradient_norm,")[1].split()[0])
    assert logged > 1
    assert used == pytest.approx(longest or logged, rel=1e-4)


def test_accumulated_batches_train_as_one_large_batch(tmp_path: Path) -> None:
    class Halves(Regression):
        def batch(self, step: int, share: Share) -> Pair:
            assert share == Share()
            return super().batch(step // 2, Share(step % 2, 2))

    train(Halves(), recipe(steps=20, clip=0, accumulate=2), tmp_path / "halves")
    train(Regression(), recipe(steps=20, clip=0), tmp_path / "whole")
    halves, whole = state_of(tmp_path / "halves")[0], state_of(tmp_path / "whole")[0]
    torch.testing.assert_close(halves, whole, atol=1e-5, rtol=1e-5)


def test_chance_is_another_in_every_batch_of_every_step(tmp_path: Path) -> None:
    class Same(Regression):
        def losses(self, network: nn.Module, batch: Pair, step: int) -> Mapping[str, Tensor]:
            del batch
            losses = super().losses(network, drawn(0), step)
            seen.append(losses["total"].detach().item())
            return losses

    seen: list[float] = []
    train(Same(dropout=0.5), recipe(steps=5, accumulate=2, learning_rate=1e-12), tmp_path)
    assert len(set(seen)) == len(seen) == 10


def test_norms_and_biases_do_not_decay(tmp_path: Path) -> None:
    class Still(Regression):
        def losses(self, network: nn.Module, batch: Pair, step: int) -> Mapping[str, Tensor]:
            return {"total": super().losses(network, batch, step)["total"] * 0}

    torch.manual_seed(0)
    before = Still().build().state_dict()
    train(Still(), recipe(steps=1, learning_rate=0.1, weight_decay=0.5), tmp_path)
    after = read(tmp_path / "best.safetensors").tensors
    torch.testing.assert_close(after["0.weight"], before["0.weight"] * 0.95)
    assert torch.equal(after["0.bias"], before["0.bias"])


def test_the_average_is_what_its_formula_says_and_lets_the_weights_return() -> None:
    network = nn.Linear(1, 1, bias=False)
    average = Average(network, 0.5)
    expected = network.weight.item()
    for step in range(20):
        with torch.no_grad():
            network.weight.fill_(step)
        average.update(step)
        share = min(0.5, (1 + step) / (10 + step))
        expected = share * expected + (1 - share) * step
    with average.in_place():
        assert network.weight.item() == pytest.approx(expected)
    assert network.weight.item() == 19


def test_averaged_weights_are_what_is_measured_and_kept(tmp_path: Path) -> None:
    task = Scored([1.0])
    outcome = train(task, recipe(steps=30, ema=0.9), tmp_path)
    tensors, best = state_of(tmp_path)[0], read(outcome.weights).tensors
    assert all(torch.equal(tensor, tensors[f"average/{name}"]) for name, tensor in best.items())
    assert not torch.equal(best["0.weight"], tensors["network/0.weight"])
    assert outcome.metrics["weight"] == best["0.weight"][0, 0].item()


def test_frozen_weights_neither_move_nor_fill_checkpoints(tmp_path: Path) -> None:
    class Frozen(Regression):
        def build(self) -> nn.Module:
            network = super().build()
            network.get_submodule("0").requires_grad_(requires_grad=False)
            return network

    train(Frozen(), recipe(steps=10, ema=0.9, checkpoint_every=3), tmp_path)
    assert set(read(tmp_path / "best.safetensors").tensors) == {"3.weight", "3.bias"}
    (tmp_path / "checkpoints" / "00000010.safetensors").unlink()
    assert train(Frozen(), recipe(steps=10, ema=0.9, checkpoint_every=3), tmp_path).steps == 10


def test_only_the_newest_checkpoints_are_kept(tmp_path: Path) -> None:
    trained(recipe(steps=11, checkpoint_every=2, keep=3), tmp_path)
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["00000008.safetensors", "00000010.safetensors", "00000011.safetensors"]


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    trained(recipe(steps=3), tmp_path)
    for changed in ({"seed": 1}, {"loop.learning_rate": 0.1}, {"model.dropout": 0.2}, {"data.rows": 1}):
        with pytest.raises(ConfigurationError, match=r"another recipe.*`initial`"):
            trained(recipe(steps=3).with_values(changed), tmp_path)


def test_a_new_run_begins_from_given_weights(tmp_path: Path) -> None:
    first = trained(recipe(steps=60), tmp_path / "first")
    made = recipe(steps=1, learning_rate=1e-9).with_values({"initial": first.weights})
    second = trained(made, tmp_path / "second")
    assert second.best_score == pytest.approx(first.best_score, rel=1e-4)
    begun = read(second.weights).tensors
    torch.testing.assert_close(begun, read(first.weights).tensors, atol=1e-6, rtol=1e-6)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    other = trained(recipe("toy-stripes", steps=1), tmp_path / "stripes")
    with pytest.raises(ModelError, match=r"best\.safetensors does not fit the network: 0\.bias is \(4,\), not \(16,\)"):
        trained(recipe(steps=1).with_values({"initial": other.weights}), tmp_path / "regression")


@pytest.mark.parametrize("content", [None, b"", b"\x10\0\0\0\0\0\0\0{"])
def test_weights_that_cannot_be_read_are_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "weights.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=r"weights\.safetensors cannot be read"):
        trained(recipe(steps=1).with_values({"initial": path}), tmp_path)


def test_a_step_without_a_finite_loss_is_left_out(tmp_path: Path) -> None:
    outcome = train(Broken(5, 20), recipe(steps=60, ema=0.9), tmp_path, tracker=CsvTracker(tmp_path))
    tensors, state = state_of(tmp_path)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values())
    assert tensors["optimiser/0.weight/step"] == 60 - 16
    assert state["bad"] == 0
    assert losses_of(tmp_path)[-1] < losses_of(tmp_path)[0]
    assert outcome.best_score < 1


def test_a_loss_that_stays_no_number_ends_the_run(tmp_path: Path) -> None:
    made = recipe(steps=200, checkpoint_every=10)
    with pytest.raises(ModelError, match=r"not finite in 20 steps in a row.*Lower loop\.learning_rate \(0\.02\)"):
        train(Broken(7, 199), made, tmp_path, tracker=CsvTracker(tmp_path))
    tensors, _ = state_of(tmp_path)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values())
    assert json.loads((tmp_path / "run.json").read_text())["status"] == "failed"


def test_a_score_that_is_no_number_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="score of task toy-regression is not a number at step 2"):
        train(Scored([float("nan")]), recipe(steps=2), tmp_path)


def test_half_precision_of_gpus_is_refused_on_a_processor(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        assert trained(recipe(steps=20, precision="float16"), tmp_path).steps == 20
        return
    with pytest.raises(ConfigurationError, match=r'float16 needs a GPU.*"bfloat16"'):
        trained(recipe(steps=1, precision="float16"), tmp_path)


def test_threads_are_set_for_the_run_only(tmp_path: Path) -> None:
    class Counting(Regression):
        def losses(self, network: nn.Module, batch: Pair, step: int) -> Mapping[str, Tensor]:
            counts.append(torch.get_num_threads())
            return super().losses(network, batch, step)

    counts: list[int] = []
    train(Counting(), recipe(steps=1, threads=2), tmp_path)
    assert counts == [2]
    assert torch.get_num_threads() == 1


def test_an_outcome_says_where_the_weights_are(tmp_path: Path) -> None:
    outcome = trained(recipe(steps=1), tmp_path)
    assert isinstance(outcome, Outcome)
    assert outcome.weights.is_file()
    assert outcome.seconds > 0
