"""What ``/v1/models/{name}`` reads with: deploy a version, try one beside it, take one back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from pocai.errors import NotAllowed
from pocai.inference.answers import Deployment
from pocai.inference.rollout import Mode, Order, Slot, TrialPlan
from pocai.server.auth import ModelsDeployer, ModelsReader, Principal, Scope
from pocai.server.problems import problems
from pocai.server.service import Service, ServiceDep
from pocai.server.shadow import figures

STATUS = {
    "name": "layout",
    "champion": 4,
    "previous": 3,
    "trial": {"id": "t-20260914-1", "mode": "canary", "version": 5, "share": 0.1, "shadow": None},
    "championTally": {"readings": 812, "failures": 0, "violations": 96, "fields": 400, "changed": 7, "p95": 0.214},
    "challengerTally": {"readings": 93, "failures": 0, "violations": 10, "fields": 0, "changed": 0, "p95": 0.214},
}

DEPLOY = {"version": 5, "reason": "better in the A/B test"}
ROLLBACK = {"reason": "slower than before"}
EXPERIMENT = {"version": 5, "mode": "canary", "share": 0.1, "reason": "A/B"}

router = APIRouter(prefix="/v1/models/{name}", tags=["models"], responses=problems(401, 403, 404, 422, 429, 500, 503))

NamePath = Annotated[Slot, Path(description="the part of reading that the model takes", examples=["layout"])]
Reason = Annotated[
    str, Field(min_length=3, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$", description="for the journal")
]
Version = Annotated[int, Field(ge=1, lt=2**31, description="its number in the registry")]
Limit = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


class DeployRequest(BaseModel):
    """A version that is to be the champion."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Version
    reason: Reason
    force: bool = Field(
        default=False, description="although it did not pass the gate; needs the scope admin, is journalled"
    )


class RollbackRequest(BaseModel):
    """Why a deployment is taken back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Reason


class ExperimentRequest(BaseModel):
    """A version that is to be tried beside the champion."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Version
    mode: Mode = Field("shadow", description='"shadow": users see nothing of it; "canary": it reads for some schools')
    share: float = Field(0.1, gt=0, le=1, allow_inf_nan=False, description="of documents (shadow) or schools (canary)")
    guardrails: dict[Annotated[str, Field(pattern="^[a-z_]{1,40}$")], Limit] = Field(
        default_factory=dict, max_length=10, description="limits by name, instead of the usual ones"
    )
    reason: Reason


@dataclass(frozen=True, slots=True)
class Desk:
    """Somebody who looks at what is deployed, or changes it."""

    service: Service
    principal: Principal
    request_id: str

    async def do(
        self, action: Literal["deploy", "rollback", "experiment"], work: Callable[[], object], name: str
    ) -> None:
        """Change something, record it, and read with it at once."""
        await asyncio.to_thread(work)
        self.service.audit.record(f"models.{action}", self.principal, name, "ok", self.request_id)
        await self.service.rollouts.refresh()

    async def show(self, name: Slot) -> Deployment:
        """What is deployed now, and what it did so far."""
        rollouts = self.service.rollouts
        status = await asyncio.to_thread(rollouts.deployments.status, name)
        seen = next((each for each in rollouts.observed if each.slot == name), None)
        tallies: dict[str, Any] = {}
        for arm in ("champion", "challenger"):
            tally = None if seen is None else getattr(seen, arm)
            counts = {} if tally is None else {key: value for key, value in asdict(tally).items() if key != "seconds"}
            tallies[f"{arm}_tally"] = counts | ({} if tally is None else {"p95": tally.quantile(0.95)})
        trial = status.get("trial")
        if trial is not None and trial.get("mode") == "shadow":
            trial = {**trial, "shadow": await asyncio.to_thread(figures, rollouts.shadow_folder, trial["id"])}
        return Deployment.model_validate({**status, "trial": trial, **tallies})

    def order(self, reason: str, *, force: bool = False) -> Order:
        """An order of this caller. Raises NotAllowed for one that passes over the gate without the right to."""
        if force and not self.principal.may(Scope.ADMIN):
            raise NotAllowed(
                f"to pass over the gate needs the scope {str(Scope.ADMIN)!r}", mend="Have the version gated"
            )
        return Order(self.principal.subject, reason, force)


def _desk_of(request: Request, service: ServiceDep, principal: ModelsDeployer) -> Desk:
    return Desk(service, principal, getattr(request.state, "request_id", ""))


def _onlooker_of(request: Request, service: ServiceDep, principal: ModelsReader) -> Desk:
    return Desk(service, principal, getattr(request.state, "request_id", ""))


DeskDep = Annotated[Desk, Depends(_desk_of)]
OnlookerDep = Annotated[Desk, Depends(_onlooker_of)]


def _asked(example: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"content": {"application/json": {"example": example}}}}


SEEN: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {"example": STATUS}}}}


@router.post(
    "/deploy",
    operation_id="deployModel",
    summary="Make a version the champion",
    responses={**SEEN, **problems(400, 409)},
    openapi_extra=_asked(DEPLOY),
)
async def deploy(desk: DeskDep, name: NamePath, wish: DeployRequest) -> Deployment:
    """From now on it reads, here at once and in other replicas within seconds; no request is lost.

    It must have passed the gate. What was champion is `previous`, and comes back where a guardrail is broken.
    """
    order, deployments = desk.order(wish.reason, force=wish.force), desk.service.rollouts.deployments
    await desk.do("deploy", lambda: deployments.promote(name, wish.version, order), name)
    return await desk.show(name)


@router.post(
    "/rollback",
    operation_id="rollbackModel",
    summary="Take a deployment back",
    responses={**SEEN, **problems(400, 409)},
    openapi_extra=_asked(ROLLBACK),
)
async def rollback(desk: DeskDep, name: NamePath, wish: RollbackRequest) -> Deployment:
    """End the experiment that runs; where none does, the champion before this one is champion again."""
    order, deployments = desk.order(wish.reason), desk.service.rollouts.deployments
    await desk.do("rollback", lambda: deployments.rollback(name, order), name)
    return await desk.show(name)


@router.post(
    "/experiments",
    operation_id="startExperiment",
    summary="Try a version beside the champion",
    responses={**SEEN, **problems(400, 409)},
    openapi_extra=_asked(EXPERIMENT),
)
async def experiment(desk: DeskDep, name: NamePath, wish: ExperimentRequest) -> Deployment:
    """In the shadow, or for a share of the schools; a school keeps its version for as long as the experiment runs."""
    order, deployments = desk.order(wish.reason), desk.service.rollouts.deployments
    plan = TrialPlan(wish.mode, wish.share, wish.guardrails)
    await desk.do("experiment", lambda: deployments.deploy(name, wish.version, plan, order), name)
    return await desk.show(name)


@router.get("/experiments", operation_id="getExperiment", summary="What is deployed and tried", responses=SEEN)
async def status(desk: OnlookerDep, name: NamePath) -> Deployment:
    """The versions that read, and what each has done since the line-up last changed, as this replica counted it."""
    return await desk.show(name)
