"""Studies of hyperparameters with Optuna (Akiba et al. 2019, arXiv:1907.10902): pruned early, resumed, in parallel.

A study lives in one file. Started again, it goes on where it was: what was being tried when it was interrupted is tried
again, under a new number. Several calls may share a file, on several hosts too.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache, partial
from math import isfinite
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Literal

import numpy as np

from pocai.errors import ConfigurationError, ModelError
from pocai.training.recipe import Recipe
from pocai.training.search_space import SearchSpace
from pocai.training.study_result import StudyResult, result_of

if TYPE_CHECKING:
    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial, Trial, TrialState

Report = Callable[[int, float], bool]
"""Takes the number of an evaluation and its score; true where the trial should end, because others were better."""
Objective = Callable[[Recipe, Report], float]
"""Trains by a recipe and gives the score, lower is better. With several workers it must be picklable."""
Pruner = Literal["median", "hyperband", "none"]

_SQLITE = {".db", ".sqlite"}
_LOCKED = 10  # seconds after which the lock of a journal belongs to a process that was killed
_UNJUDGED = 5  # trials that the median pruner lets run to their end first


class Pruned(Exception):
    """Raised by an objective to end a trial that was reported to be worse than others; returning does as well."""


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """How a study is made.

    ``trials`` counts all that ended, in earlier calls too. ``storage`` is a file: SQLite with the ending ``.db`` or
    ``.sqlite``, otherwise Optuna's journal, the better one for many workers. ``workers`` are processes; each trains
    with as many threads as the recipe says. With one worker the same ``seed`` gives the same trials. With the engine
    "ray" they run on the cluster that this process is connected to, whose hosts must all see the file.
    """

    storage: Path
    trials: int
    name: str = "study"
    workers: int = 1
    pruner: Pruner = "median"
    seed: int = 0
    engine: Literal["processes", "ray"] = "processes"


Progress = Callable[[int, int], None]
"""Is told how many trials have ended, and how many there will be."""


def tune(
    objective: Objective, recipe: Recipe, space: SearchSpace, plan: StudyPlan, progress: Progress | None = None
) -> StudyResult:
    """Try recipes from a space around ``recipe`` and give back the best one.

    A trial whose objective raises ModelError (a loss that is no number) or ConfigurationError (values that do not go
    together) has failed, and the study goes on; any other error ends it. Raises ConfigurationError where the storage
    holds a study of another recipe or space, or where no trial came to its end.
    """
    job = _Job(objective, recipe, space, plan)
    study = _opened(job)
    _take_up(study)
    for _ in _trials(job, plan.trials - _ended(study)):
        if progress is not None:
            progress(_ended(study), plan.trials)
    return result_of(study, recipe)


@dataclass(frozen=True, slots=True)
class _Job:
    """What a worker needs to try a recipe."""

    objective: Objective
    recipe: Recipe
    space: SearchSpace
    plan: StudyPlan


def _trials(job: _Job, count: int) -> Iterator[None]:
    """Run so many trials, in this process or in several."""
    if job.plan.engine == "ray":
        from pocai.training.cluster import repeated

        yield from repeated(partial(_run, job), count, job.plan.workers, max(1, job.recipe.loop.threads))
        return
    if job.plan.workers == 1:
        for _ in range(count):
            _run(job)
            yield
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(job.plan.workers, context, initializer=_end_with_parent) as pool:
        try:
            for future in as_completed([pool.submit(_run, job) for _ in range(count)]):
                future.result()
                yield
        except BrokenProcessPool as error:
            what = "a worker of the study was killed, probably for want of memory"
            raise ConfigurationError(what, mend="Take fewer workers and start again: the study goes on") from error
        finally:
            pool.shutdown(cancel_futures=True)  # trials that run come to their end


def _end_with_parent() -> None:
    """Let a worker not outlive the process that started it, even if that one was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "runs in workers only"

    def wait() -> None:
        parent.join()
        os._exit(1)

    Thread(target=wait, daemon=True).start()


def _run(job: _Job) -> None:
    """One trial, from its values to its end in the storage; none where others have made the last one meanwhile."""
    from optuna.samplers import TPESampler
    from optuna.trial import TrialState

    study = _study(job.plan)
    if _ended(study) >= job.plan.trials:
        return
    seed = np.random.SeedSequence((job.plan.seed, len(study.trials), os.getpid() if job.plan.workers > 1 else 0))
    study.sampler = TPESampler(seed=int(seed.generate_state(1)[0]))
    trial = study.ask()
    trial.set_user_attr("process", _this_process())
    begun = time.monotonic()
    try:
        score = _score(job, trial)
    except Pruned:
        _end(study, trial, begun, TrialState.PRUNED)
    except (ModelError, ConfigurationError) as error:
        trial.set_user_attr("error", error.what)
        _end(study, trial, begun, TrialState.FAIL)
    except BaseException:  # an interrupt too: the values are tried again when the study goes on
        _try_again(study, trial)
        raise
    else:
        _end(study, trial, begun, TrialState.COMPLETE, score)


def _score(job: _Job, trial: Trial) -> float:
    """The score of a trial; raises Pruned where it was told to end."""
    told = False

    def report(number: int, score: float) -> bool:
        nonlocal told
        trial.report(score, number)
        told = told or trial.should_prune()
        return told

    changed = {**job.space.fixed, **job.space.suggest(trial)}
    score = float(job.objective(job.recipe.with_values(changed), report))
    if told:
        raise Pruned
    if not isfinite(score):
        raise ModelError("the score is not a finite number", mend="Narrow the space")
    return score


def _end(study: Study, trial: Trial, begun: float, state: TrialState, score: float | None = None) -> None:
    trial.set_user_attr("seconds", round(time.monotonic() - begun, 3))
    study.tell(trial, score, state)


def _opened(job: _Job) -> Study:
    """The study, new or as it was left; raises ConfigurationError where it is another one."""
    plan = job.plan
    _check(plan)
    plan.storage.parent.mkdir(parents=True, exist_ok=True)
    study = _study(plan)
    origin = {"recipe": job.recipe.fingerprint, "space": job.space.fingerprint}
    other = [name for name, value in origin.items() if study.user_attrs.get(name, value) != value]
    if other:
        what = f"{plan.storage} holds a study {plan.name!r} of another {' and '.join(other)}"
        raise ConfigurationError(what, mend="Name another study, or another file")
    for name in origin.keys() - study.user_attrs.keys():
        study.set_user_attr(name, origin[name])
    return study


def _check(plan: StudyPlan) -> None:
    for name in ("trials", "workers"):
        if getattr(plan, name) < 1:
            raise ConfigurationError(f"a study with {name} = {getattr(plan, name)}", mend="1 is the least")


def _study(plan: StudyPlan) -> Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        storage=_storage(plan.storage), study_name=plan.name, load_if_exists=True, pruner=_pruner(plan.pruner)
    )


@lru_cache(maxsize=1)
def _storage(file: Path) -> BaseStorage:
    """The file of a study, opened once in a process."""
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

    if file.suffix in _SQLITE:
        return RDBStorage(f"sqlite:///{file}", engine_kwargs={"connect_args": {"timeout": 60}})
    lock = JournalFileSymlinkLock(str(file), grace_period=_LOCKED)
    return JournalStorage(JournalFileBackend(str(file), lock))


def _pruner(name: Pruner) -> BasePruner:
    from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner

    pruners: dict[Pruner, Callable[[], BasePruner]] = {
        "median": lambda: MedianPruner(n_startup_trials=_UNJUDGED),
        "hyperband": HyperbandPruner,
        "none": NopPruner,
    }
    return pruners[name]()


def _ended(study: Study) -> int:
    """Trials that came to an end of their own; those that were interrupted have no error."""
    from optuna.trial import TrialState

    return sum(
        trial.state in {TrialState.COMPLETE, TrialState.PRUNED} or "error" in trial.user_attrs for trial in study.trials
    )


def _take_up(study: Study) -> None:
    """Try again what was being tried in processes of this host that are gone."""
    from optuna.trial import TrialState

    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        if _is_gone(str(trial.user_attrs.get("process", ""))):
            _try_again(study, trial)


def _try_again(study: Study, trial: Trial | FrozenTrial) -> None:
    from optuna.trial import TrialState

    study.enqueue_trial(trial.params)
    study.tell(trial.number, state=TrialState.FAIL)


def _this_process() -> str:
    return f"{platform.node()} {os.getpid()}"


def _is_gone(process: str) -> bool:
    """Whether a process of this host has ended. Of other hosts nobody knows; one of our number was here before us."""
    host, _, number = process.rpartition(" ")
    if process in {"", _this_process()}:
        return True
    if host != platform.node() or os.name == "nt":  # there, asking for a process would end it
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it runs, for another user
        return False
    return False
