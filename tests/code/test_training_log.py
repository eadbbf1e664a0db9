"""What a run tells while it goes on: its log, its card, its progress."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import fmean

import pytest
import torch
from torch import nn
from toy_tasks import Regression, Stripes, drawn, losses_of, recipe, trained

from pocai.training.loop import train
from pocai.training.progress import PrintedProgress, Progress
from pocai.training.recipe import Recipe
from pocai.training.tracker import CsvTracker


def test_the_log_holds_what_was_measured(tmp_path: Path) -> None:
    outcome = trained(recipe(steps=30, evaluate_every=15), tmp_path)
    rows = [row.split(",") for row in (tmp_path / "log.csv").read_text().splitlines()]
    assert rows[0] == ["step", "name", "value"]
    seen = {(int(step), name): float(value) for step, name, value in rows[1:]}
    assert {step for step, _ in seen} == {15, 20, 30}
    names = {name for step, name in seen if step == 30}
    losses = {"loss/total", "loss/absolute"}
    assert names == {*losses, "learning_rate", "gradient_norm", "steps_per_second", "evaluation/score"}
    assert min(seen[15, "evaluation/score"], seen[30, "evaluation/score"]) == pytest.approx(
        outcome.best_score, rel=1e-5
    )


def test_a_logged_loss_is_the_mean_over_the_steps_since_the_last_one(tmp_path: Path) -> None:
    trained(recipe(steps=30, learning_rate=1e-12), tmp_path)
    torch.manual_seed(0)
    network = Regression().build()
    with torch.no_grad():
        losses = [float(nn.functional.mse_loss(network(drawn(step)[0]), drawn(step)[1])) for step in range(30)]
    assert losses_of(tmp_path) == pytest.approx([fmean(losses[:20]), fmean(losses[20:])], rel=1e-5)


def test_the_run_is_described(tmp_path: Path) -> None:
    made = recipe(steps=2)
    trained(made, tmp_path)
    card = json.loads((tmp_path / "run.json").read_text())
    assert Recipe.model_validate(card["recipe"]) == made
    assert (card["fingerprint"], card["status"], card["files"]) == (made.fingerprint, "finished", ["best.safetensors"])
    assert card["versions"]["torch"] == version("torch")

    class Known(Regression):
        data_hash = "0123abcd"

    train(Known(), made, tmp_path / "known", tracker=CsvTracker(tmp_path / "known"))
    assert json.loads((tmp_path / "known" / "run.json").read_text())["data"] == "0123abcd"


def test_progress_is_told_to_the_end(tmp_path: Path) -> None:
    told: list[Progress] = []
    train(Regression(), recipe(steps=45, evaluate_every=20), tmp_path, progress=told.append)
    assert [progress.step for progress in told] == [20, 40, 45]
    assert told[-1].seconds_left == 0
    assert told[0].seconds_left > 0
    assert (told[0].score is None, told[1].score is None) == (True, False)
    assert told[-1].loss < told[0].loss


def test_printed_progress_is_a_line_now_and_then() -> None:
    stream = io.StringIO()
    printed = PrintedProgress(every=3600, stream=stream)
    for step in (20, 40, 60):
        printed(Progress(step, 60, 1.5 / step, 2.0, (60 - step) / 2, 0.25 if step > 20 else None))
    assert stream.getvalue().splitlines() == [
        "step 20/60  loss 0.0750  2.00 steps/s  0:00:20 left",
        "step 60/60  loss 0.0250  best 0.2500  2.00 steps/s  0:00:00 left",
    ]


def test_a_tracker_may_end_a_run(tmp_path: Path) -> None:
    class Impatient(CsvTracker):
        def metrics(self, step: int, values: Mapping[str, float]) -> None:
            if "evaluation/score" in values:
                raise KeyboardInterrupt
            super().metrics(step, values)

    with pytest.raises(KeyboardInterrupt):
        train(Stripes(), recipe("toy-stripes", steps=4, evaluate_every=2), tmp_path, tracker=Impatient(tmp_path))
    assert json.loads((tmp_path / "run.json").read_text())["status"] == "failed"
