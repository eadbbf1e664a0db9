"""The batches of a run in their order, prepared ahead in other processes where the settings say so."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from accelerate.utils import send_to_device
from torch.utils.data import DataLoader, Dataset

from pocai.training.task import Share, Task

_AHEAD = 4  # batches that each process may be ahead of the loop


@dataclass(frozen=True, slots=True)
class Span:
    """The batches from number ``start`` up to ``end``, for one of several processes."""

    start: int
    end: int
    share: Share


class _Batches(Dataset[Any]):
    """Batches by number, as torch's loader asks for them."""

    def __init__(self, task: Task[Any], share: Share) -> None:
        self._task = task
        self._share = share

    def __getitem__(self, number: int) -> Any:
        return self._task.batch(number, self._share)


def batches(task: Task[Any], span: Span, workers: int) -> Generator[Any, None, None]:
    """The batches of ``span`` in order; the same whatever the number of ``workers``, which start with the first."""
    if workers == 0:
        yield from (task.batch(number, span.share) for number in range(span.start, span.end))
        return
    loader = DataLoader(
        _Batches(task, span.share),
        batch_size=None,
        sampler=range(span.start, span.end),
        collate_fn=_as_it_is,  # torch would turn arrays into tensors
        num_workers=workers,
        prefetch_factor=_AHEAD,
        # a fork would copy the locks of torch's threads; children of a fork server outlive a run that is killed
        multiprocessing_context="spawn",
        worker_init_fn=_use_one_thread,
        generator=torch.Generator(),  # the loader would draw a number from the one that dropout draws from
    )
    yield from loader


def moved(batch: Any, device: torch.device) -> Any:
    """A batch with its tensors on ``device``: tensors, mappings, tuples and lists of them, data classes of these."""
    if device.type == "cpu":
        return batch
    if is_dataclass(batch) and not isinstance(batch, type):
        return replace(batch, **{field.name: moved(getattr(batch, field.name), device) for field in fields(batch)})
    return send_to_device(batch, device, non_blocking=True)


def _as_it_is(batch: Any) -> Any:
    return batch


def _use_one_thread(_: int) -> None:
    """The processes share the cores among themselves; torch's own threads the loader has limited already."""
    import cv2

    cv2.setNumThreads(1)
