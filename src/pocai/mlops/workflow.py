"""Workflows: what they are given, and how they are run; `pocai.mlops.flows` says of which steps they consist.

Parameters are typed. They hold nothing secret: a Prefect server keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pocai.errors import ConfigurationError
from pocai.settings import Settings
from pocai.training.recipe import invalid


class FlowParameters(BaseModel):
    """What every workflow takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    retries: int = Field(2, ge=0, le=10, description="times that a step is tried again after a fault that may pass")
    wait: float = Field(10.0, ge=0, description="seconds before it is tried again")
    actor: str = Field("workflow", min_length=1, description="who does it, for the journal")


class TrainAndPromote(FlowParameters):
    """From a recipe to a version that was measured, signed, registered and reads in the shadow."""

    recipe: Path = Field(Path("recipes/document-base.toml"), description="recipe (TOML)")
    values: dict[str, Any] = Field({}, description="values of the recipe that are changed, by dotted key")
    data: Path | None = Field(None, description="folder of documents with corrected timetables, for an adapter")
    version: str = Field("0", min_length=1, description="version that the model card names")
    measured: int = Field(100, ge=1, description="made documents on which each figure of the card is measured")
    frozen: Literal["whole", "small"] = Field("whole", description="frozen set of the gate; small is for a smoke test")
    deploy: Literal["shadow", "none"] = Field("shadow", description="what becomes of a version that passed the gate")
    share: float = Field(0.1, gt=0, le=1, description="share of the documents that it reads in the shadow")
    replace: bool = Field(default=False, description="whether a trial that runs is ended for it")


class Nightly(FlowParameters):
    """The feature store is made compact and brought online, drift is looked for, and a model trained if asked."""

    days: int = Field(7, ge=1, description="length of the current days that are looked at for drift")
    reference: int = Field(28, ge=1, description="days before them that they are compared with")
    hours: float = Field(26.0, gt=0, description="hours back from now of which the history is brought online")
    retrain: Literal["never", "drift", "always"] = Field("never", description="when a model is trained")
    train: TrainAndPromote = Field(TrainAndPromote(), description="how, if it is")


class AdaptSchool(FlowParameters):
    """An adapter for a school that has enough corrected documents; it is used from then on if it helps."""

    school: str = Field(min_length=1, description="key of the school: a tenant of the service, or TENANT/SCHOOL")
    data: Path = Field(description="folder of its documents with their corrected timetables")
    least: int = Field(3, ge=3, description="corrected documents that it must have")
    recipe: Path = Field(Path("recipes/document-lora.toml"), description="recipe (TOML)")
    values: dict[str, Any] = Field({}, description="values of the recipe that are changed, by dotted key")
    frozen: Literal["whole", "small"] = Field("whole", description="frozen set of the gate; small is for a smoke test")


FLOWS: Mapping[str, type[FlowParameters]] = {
    "train_and_promote": TrainAndPromote,
    "nightly": Nightly,
    "adapt_school": AdaptSchool,
}
SMOKE: Mapping[str, Mapping[str, Any]] = {
    "train_and_promote": {
        "recipe": "recipes/document-smoke-tune.toml",
        "version": "smoke",
        "measured": 2,
        "frozen": "small",
    }
}


def parameters_of(name: str, pairs: Mapping[str, Any], *, smoke: bool = False) -> FlowParameters:
    """The parameters of a workflow from values by dotted key; ``smoke`` begins from those of the smoke test.

    Raises ConfigurationError for a workflow or a key that is not known, and for a value that cannot be used.
    """
    kind = FLOWS.get(name)
    if kind is None:
        raise ConfigurationError(f"there is no workflow {name!r}", mend=f"Known: {', '.join(FLOWS)}")
    if smoke and name not in SMOKE:
        raise ConfigurationError(f"{name} has no smoke test", mend=f"Those that have one: {', '.join(SMOKE)}")
    try:
        return kind.model_validate(_nested(kind, {**(SMOKE[name] if smoke else {}), **pairs}))
    except ValidationError as error:
        raise invalid(error, f"workflow {name}") from None


def run_flow(name: str, parameters: FlowParameters, settings: Settings) -> dict[str, Any]:
    """Run a workflow here, and tell what came of it.

    Its runs are known to the server that PREFECT_API_URL names, or else to one that runs as long as it does. Raises
    what its steps raise; done again it goes on where it was.
    """
    from pocai.mlops.prefect_api import prefect_api
    from pocai.mlops.workflow_place import settings_of

    with settings_of(settings), prefect_api(settings.mlops):
        from pocai.mlops import flows

        found: dict[str, Any] = getattr(flows, name)(parameters)
    return found


def serve_flow(name: str, parameters: FlowParameters, cron: str | None) -> None:
    """Run a workflow whenever the server that PREFECT_API_URL names says so, until it is stopped.

    Raises ConfigurationError without a server, or for a schedule that is none.
    """
    from pocai.mlops.prefect_api import check_server

    check_server()
    from prefect.flows import EntrypointType

    from pocai.mlops import flows

    flow = getattr(flows, name)
    try:
        flow.serve(
            name="pocai",
            cron=cron,
            parameters={"plan": parameters.model_dump(mode="json")},
            print_starting_message=False,
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
    except ValueError as error:
        raise ConfigurationError(f"the schedule {cron!r} cannot be used", mend="Write it as 0 3 * * *") from error


def _nested(kind: type[BaseModel], pairs: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted key as tables in one another, as far as the type has tables."""
    found: dict[str, Any] = {}
    for key, value in pairs.items():
        name, dot, rest = key.partition(".")
        if not dot:
            found[name] = value
            continue
        table = found.setdefault(name, {})
        if not isinstance(table, dict):
            raise ConfigurationError(f"parameter {key}: {name} is no table", mend="Check the key")
        table[rest] = value
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(found.get(name), dict) and isinstance(inner, type) and issubclass(inner, BaseModel):
            found[name] = _nested(inner, found[name])
    return found
