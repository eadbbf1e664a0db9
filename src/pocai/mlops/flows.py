"""The workflows as Prefect runs them. Importing this imports Prefect, which takes seconds: do it where it is needed.

Steps that cost much are cached by the content of all that goes in (recipe, data, code): a workflow that was killed goes
on where it was, and the same one done again does nothing twice. Results are kept as plain JSON, not as pickles.
Annotations are not postponed here: Prefect makes parameters of them.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from prefect import Task, flow
from prefect.cache_policies import NO_CACHE
from prefect.serializers import JSONSerializer

from pocai.errors import FeatureStoreError, RegistryError
from pocai.mlops import workflow_nightly as nights
from pocai.mlops import workflow_promotion as promotion
from pocai.mlops import workflow_school as school
from pocai.mlops import workflow_training as training
from pocai.mlops.connection import own_folder
from pocai.mlops.workflow import AdaptSchool, FlowParameters, Nightly, TrainAndPromote
from pocai.mlops.workflow_place import FOLDER, STEPS, Place, is_whole, place_of, settings_here
from pocai.mlops.workflow_training import Result
from pocai.training.recipe import digest

PLAIN = JSONSerializer(object_encoder=None, object_decoder=None)
MAY_PASS = (OSError, RegistryError, FeatureStoreError)  # errors after which a step is tried again


@flow(name="train_and_promote")  # type: ignore[untyped-decorator]
def train_and_promote(plan: TrainAndPromote) -> Result:
    """Data check, features, training, export, registration, gate, shadow."""
    place = place_of(plan.recipe, plan.values, plan.data)
    step = Steps(plan)
    with place.alone():
        kind = step("check data", training.check_data, place, plan.data)["kind"]
        if kind == school.KIND:
            return step.told("train_and_promote", _adapter(step, place, plan, ""))
        inputs = (place.key, str(place.folder))
        features = step("features", training.make_features, place, known_by=inputs)
        trained = step("train", training.train_model, place, features, known_by=inputs)
        how = (*inputs, trained["files"], plan.version, plan.measured)
        made = {**step("export", training.export_model, place, plan, known_by=how), "run_id": trained["run_id"]}
        registered = step("register", promotion.register_model, place, made)
        against = promotion.digest_of(promotion.champion_of(kind))
        of = (str(place.folder), registered["version"], made["digest"], against, plan.frozen)
        registered["gate"] = step("gate", promotion.pass_gate, plan, registered, known_by=of)["sentence"]
        if plan.deploy == "shadow":
            registered["deployed"] = step("shadow", promotion.deploy_shadow, registered, plan)
    return step.told("train_and_promote", registered)


@flow(name="nightly")  # type: ignore[untyped-decorator]
def nightly(plan: Nightly) -> Result:
    """The feature store put in order, drift looked for, a model trained if asked."""
    step, now = Steps(plan), nights.today()
    found = {"store": step("materialise", nights.materialise, plan, now)}
    found["drift"] = drift = step("drift", nights.look_for_drift, plan, now)
    if plan.retrain == "always" or (plan.retrain == "drift" and drift["alarms"]):
        found["trained"] = train_and_promote(plan.train)
    return step.told("nightly", found)


@flow(name="adapt_school")  # type: ignore[untyped-decorator]
def adapt_school(plan: AdaptSchool) -> Result:
    """Enough corrections, an adapter, registration, the gate, and the school reads with it."""
    step = Steps(plan)
    known = step("corrections", school.check_corrections, plan)
    place = place_of(plan.recipe, plan.values, plan.data)
    with place.alone():
        registered = _adapter(step, place, plan, known.adapter)
        registered["activated"] = step("activate", school.activate, plan, registered)
    return step.told("adapt_school", registered)


class Steps:
    """Runs the steps of one workflow, and keeps what there is to tell of them."""

    def __init__(self, plan: FlowParameters) -> None:
        self._plan = plan
        self._storage = own_folder(settings_here().mlops) / FOLDER / STEPS
        self._begun = time.monotonic()
        self._told: list[Result] = []

    def __call__(
        self, name: str, work: Callable[..., Any], *given: Any, known_by: Sequence[object] | None = None, **more: Any
    ) -> Any:
        """Do a step, or give what it gave when it was done before with the same content (``known_by``)."""
        begun = time.monotonic()
        step = self._task(name, work, known_by)
        state = step(*given, **more, return_state=True)
        result, cached = state.result(), state.name == "Cached"
        if cached and not is_whole(result):  # its files are gone, or were altered
            cached, result = False, step.with_options(refresh_cache=True)(*given, **more)
        self._told.append({"step": name, "seconds": round(time.monotonic() - begun, 1), "cached": cached})
        return result

    def told(self, flow_name: str, result: Result) -> Result:
        """What a workflow tells at its end."""
        seconds = round(time.monotonic() - self._begun, 1)
        return {"flow": flow_name, "seconds": seconds, "steps": self._told, **result}

    def _task(self, name: str, work: Callable[..., Any], known_by: Sequence[object] | None) -> Any:
        plain: Result = {
            "name": name,
            "retries": self._plan.retries,
            "retry_delay_seconds": self._plan.wait,
            "retry_condition_fn": _may_pass,
        }
        if known_by is None:
            return Task(work, **plain, cache_policy=NO_CACHE, persist_result=False)
        key = digest([name, *known_by])
        kept = {"result_storage": self._storage, "result_serializer": PLAIN, "persist_result": True}
        return Task(work, **plain, **kept, cache_key_fn=lambda *_: key)


def _may_pass(task: Any, run: Any, state: Any) -> bool:
    """Whether a step that failed is tried again."""
    del task, run
    return isinstance(state.result(raise_on_failure=False), MAY_PASS)


def _adapter(step: Steps, place: Place, plan: TrainAndPromote | AdaptSchool, before: str) -> Result:
    """Train an adapter, register it, and have the gate look at it."""
    assert plan.data is not None, "asked by the data check"
    base = _base()
    of: tuple[object, ...] = (place.key, str(place.folder), str(base or ""))
    made = step("train", school.train_adapter, place, plan.data, base, known_by=of)
    registered: Result = step("register", promotion.register_model, place, made)
    of = (*of, registered["version"], made["digest"], before, plan.frozen)
    gate = partial(step, "gate", school.pass_adapter_gate, place, plan, known_by=of)
    registered["gate"] = gate({**made, **registered}, base, before)["sentence"]
    return registered


def _base() -> Path | None:
    """The network that adapters are for: the champion, or None for what is shipped."""
    champion = promotion.champion_of("layout")
    return None if champion is None else school.base_of(promotion.folder_of(champion))
