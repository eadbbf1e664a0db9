"""Trials of a study, and one training in several processes, on a Ray cluster that this process is connected to.

The same code runs on the cores of a laptop and on many hosts. The folders must then be ones that all hosts see. On a
laptop a cluster is made by `pocai.inference.batch_ray.connected`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocai.errors import ConfigurationError
from pocai.training.recipe import Recipe
from pocai.training.tasks import task_of
from pocai.training.tracker import CsvTracker, Tracker

if TYPE_CHECKING:
    from pocai.training.loop import Outcome
    from pocai.training.task import Task

LOSSES = 3  # processes that may be lost before all ends
ROOM = 900.0  # seconds that a cluster may take to make room for a training; it may have to start hosts
AFTER = 10.0  # seconds in which the other processes of a training must have noticed that one is lost


class _Lost(Exception):
    """A process died, or its host."""


def repeated(work: Callable[[], None], count: int, workers: int, cores: int) -> Iterator[None]:
    """Do the same ``count`` times, at most ``workers`` at a time with so many ``cores`` each; yields after each.

    What a lost process did is done again. What is raised there is raised here; what runs then is interrupted.
    """
    import ray

    task = ray.remote(_done).options(num_cpus=cores, max_retries=0)
    running: list[Any] = []
    ended = lost = 0
    try:
        while ended < count:
            running += [task.remote(work) for _ in range(min(workers, count - ended) - len(running))]
            (first,), running = ray.wait(running)
            try:
                _result(first)
            except _Lost as error:
                lost += 1
                if lost > LOSSES:
                    what = f"{lost} processes of the study were lost"
                    raise ConfigurationError(what, mend="Is there memory for so many? Then start again") from error
                continue
            ended += 1
            yield
    finally:
        for each in running:
            ray.cancel(each)


def _done(work: Callable[[], None]) -> None:
    work()


@dataclass(frozen=True, slots=True)
class Team:
    """The processes of one training: each has ``cores``, or a GPU of its own too."""

    processes: int
    cores: int = 1
    gpu: bool = False


def train_together(
    recipe: Recipe,
    folder: Path,
    team: Team,
    make: Callable[[Recipe], Task[Any]] = task_of,
    trackers: Callable[[Path], Tracker] = CsvTracker,
) -> Outcome:
    """Train by the one loop (`pocai.training.loop`) in the processes of a team, as ``torchrun`` would start them.

    ``make`` gives the task of a recipe, ``trackers`` the tracker of a folder's run; both must be picklable. When a
    process is lost, all begin again from the newest checkpoint. Raises what the training raises, and ConfigurationError
    where the cluster has no room for the team, or too many were lost.
    """
    for _ in range(LOSSES + 1):
        with _ranks(team) as ranks:
            try:
                environments = _environments(ranks, gpu=team.gpu)
                return _ended(
                    [
                        rank.train.remote(environment, recipe, folder, (make, trackers))
                        for rank, environment in zip(ranks, environments, strict=True)
                    ]
                )
            except _Lost:
                continue
    what = f"processes of the training were lost {LOSSES + 1} times"
    raise ConfigurationError(what, mend="Is there memory for all of them? Start again: it goes on where it was")


class _Rank:
    """One process of a training, as an actor."""

    def place(self) -> tuple[str, str, int]:
        """Its host, the address of that, and a free port there."""
        import ray

        address = ray.util.get_node_ip_address()
        with socket.socket() as free:
            free.bind((address, 0))
            return ray.get_runtime_context().get_node_id(), address, free.getsockname()[1]

    def train(
        self,
        environment: Mapping[str, str],
        recipe: Recipe,
        folder: Path,
        makers: tuple[Callable[[Recipe], Task[Any]], Callable[[Path], Tracker]],
    ) -> Outcome:
        """Train as the process that the environment says it is."""
        os.environ.update(environment)
        from pocai.training.loop import train

        make, trackers = makers
        return train(make(recipe), recipe, folder, tracker=trackers(folder))


@contextmanager
def _ranks(team: Team) -> Iterator[list[Any]]:
    """The actors of a team, all or none; raises ConfigurationError where there is no room for them."""
    import ray
    from ray.util.placement_group import placement_group, remove_placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    needed = {"CPU": team.cores, "GPU": 1} if team.gpu else {"CPU": team.cores}
    group = placement_group([needed] * team.processes)
    try:
        if not group.wait(ROOM):
            what = f"the cluster has no room for {team.processes} processes with {needed} each"
            raise ConfigurationError(what, mend="Take fewer, or add hosts")
        rank = ray.remote(_Rank).options(
            num_cpus=team.cores,
            num_gpus=int(team.gpu),
            max_restarts=0,
            scheduling_strategy=PlacementGroupSchedulingStrategy(placement_group=group),
        )
        yield [rank.remote() for _ in range(team.processes)]
    finally:
        remove_placement_group(group)  # which ends its actors


def _environments(ranks: Sequence[Any], *, gpu: bool) -> list[dict[str, str]]:
    """What ``torchrun`` tells each process. With a GPU each sees its own one only, as the first."""
    places = [_result(each) for each in [rank.place.remote() for rank in ranks]]
    hosts = [host for host, _, _ in places]
    _, address, port = places[0]
    return [
        {
            "MASTER_ADDR": address,
            "MASTER_PORT": str(port),
            "WORLD_SIZE": str(len(ranks)),
            "RANK": str(number),
            "LOCAL_RANK": "0" if gpu else str(hosts[:number].count(host)),
            "LOCAL_WORLD_SIZE": str(hosts.count(host)),
        }
        for number, host in enumerate(hosts)
    ]


def _ended(running: Sequence[Any]) -> Outcome:
    """What the first process gives when all have ended. The error that came first, unless one of them is lost."""
    import ray

    outcomes: dict[Any, Outcome] = {}
    errors: list[Exception] = []
    left = list(running)
    while left:
        ended, left = ray.wait(left, timeout=AFTER if errors else None)
        if not ended:
            break
        try:
            outcomes[ended[0]] = _result(ended[0])
        except _Lost:
            raise
        except Exception as error:  # noqa: BLE001 - raised below, when it is known that no process was lost
            errors.append(error)
    if errors:
        raise errors[0]
    return outcomes[running[0]]


def _result(reference: Any) -> Any:
    """What a task or a method gives, or raises there. Raises `_Lost` where its process died."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        return ray.get(reference)
    except RayTaskError as error:
        raise error.cause or error from error
    except RayError as error:
        raise _Lost from error
