"""The mean of the weights of several runs that went on from one another: often better than each of them.

"Model soups" (Wortsman et al. 2022, arXiv:2203.05482). Runs that share their beginning lie in one valley of the loss;
between them it is often lower than at either.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shutil import copyfile

import torch

from pocai.errors import InputError, ModelError
from pocai.training import checkpoints
from pocai.training.recipe import Recipe
from pocai.training.tasks import task_of

FEWEST = 2  # weights of which a mean is taken


def average_runs(weights: Sequence[Path], folder: Path) -> Path:
    """Write the mean of some runs' ``best.safetensors`` to ``folder``, as the run that the last of them belongs to.

    It is evaluated as that run was, and its metrics are written beside it. Raises InputError for less than two files,
    ModelError where they are of different networks.
    """
    if len(weights) < FEWEST:
        raise InputError(
            f"the mean of {len(weights)} weights is asked for", mend="Name the weights of at least two runs"
        )
    held = [checkpoints.read(path) for path in weights]
    last = held[-1]
    recipe = Recipe.model_validate(last.state["recipe"])
    task = task_of(recipe)
    network = task.build()
    for checkpoint, path in zip(held, weights, strict=True):
        checkpoints.load_network(network, checkpoint.tensors, str(path))
    mean = {name: _mean([checkpoint.tensors[name] for checkpoint in held]) for name in last.tensors}
    checkpoints.load_network(network, mean, "the mean")
    with torch.inference_mode():
        metrics = dict(task.evaluate(network.eval()))
    scores = [checkpoint.state["metrics"]["score"] for checkpoint in held]
    if metrics["score"] > min(scores):
        what = f"the mean scores {metrics['score']:.4f}, no better than the best of the runs, {min(scores):.4f}"
        raise ModelError(what, mend="Take that run, or average runs that go on from one another")
    file = folder / "best.safetensors"
    checkpoints.write(file, checkpoints.Checkpoint(mean, {**last.state, "metrics": metrics}))
    record = weights[-1].with_name("run.json")
    if record.is_file():
        copyfile(record, folder / "run.json")
    return file


def _mean(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """Of numbers; counters keep the last value."""
    if not tensors[-1].is_floating_point():
        return tensors[-1]
    return torch.stack([tensor.float() for tensor in tensors]).mean(dim=0).to(tensors[-1].dtype)
