"""From a spool to MLflow: each record becomes calls that may be made again without doing anything twice.

A run carries its key as a tag and is found by it. A metric that is sent again has the same time, step and value, which
is one row for MLflow. A resumed run goes on as the same one.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocai.errors import ConfigurationError
from pocai.mlops.connection import experiment as experiment_of
from pocai.mlops.curves import drawn_curves
from pocai.mlops.spool import Record, Sent, Spool
from pocai.settings import MlopsSettings
from pocai.training.recipe import Recipe
from pocai.training.recipe_text import as_toml

if TYPE_CHECKING:
    from mlflow import MlflowClient

KEY, STATUS, DATA = "pocai.key", "pocai.status", "pocai.data_sha256"
PARENT, COMMIT = "mlflow.parentRunId", "mlflow.source.git.commit"
ENDED = {"finished": "FINISHED", "stopped early": "FINISHED", "failed": "FAILED"}
RECORDS = 100  # of metrics that go in one call, if their values are not too many
VALUES, PARAMETERS, LONGEST = 1000, 100, 6000  # MLflow's limits of a call, and of a parameter's text
NEVER = {"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "BAD_REQUEST"}  # trying again would end the same
_ODD = re.compile(r"[^\w\-. :/]", re.ASCII)

log = logging.getLogger(__name__)


class NoParent(Exception):
    """The run that this one is part of is not there yet."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Sends spools by a ``client`` (`pocai.mlops.connection.connect`).

    ``orphans`` are sent too: runs that are part of one that nobody knows.
    """

    client: MlflowClient
    settings: MlopsSettings
    orphans: bool = False

    def send(self, spool: Spool) -> int:
        """Send what was not sent yet, in its order; the number of records. Only who holds the spool's lock may.

        Raises what MLflow raises, and NoParent; what was sent until then stays sent.
        """
        from mlflow.exceptions import MlflowException

        sent, count = spool.sent(), 0
        for part in _parts(spool.records(sent.bytes)):
            try:
                sent = self._apply(spool, part, sent)
            except MlflowException as error:
                if error.error_code not in NEVER:
                    raise
                log.warning("MLflow does not take a record (%s); it is left out: %s", part[0].kind, error.error_code)
            sent = replace(sent, bytes=part[-1].end, ended=part[-1].kind == "finish")
            spool.note(sent)
            count += len(part)
        return count

    def give_up(self, spool: Spool) -> None:
        """Mark a run whose process is gone before it told its end."""
        if run_id := spool.sent().run_id:
            self.client.set_terminated(run_id, status="KILLED")

    def _apply(self, spool: Spool, part: Sequence[Record], sent: Sent) -> Sent:
        """Send records of one kind: one, or several of metrics."""
        record = part[0]
        if record.kind == "start":
            return self._start(record, sent)
        if not sent.run_id:  # its start was refused
            return sent
        if record.kind == "metrics":
            self._metrics(part, sent.run_id)
        elif record.kind == "artefact":
            self._file(sent.run_id, Path(record.content["path"]), record.content.get("under"))
        else:
            if (curves := drawn_curves(spool.folder, _of_run(spool, sent.key))) is not None:
                self._file(sent.run_id, curves)
            self.client.set_tag(sent.run_id, STATUS, record.content["status"])
            self.client.set_terminated(sent.run_id, ENDED[record.content["status"]], record.at)
        return sent

    def _start(self, record: Record, sent: Sent) -> Sent:
        """Begin the run, or take it up again."""
        told, key = record.content, str(record.content["key"])
        recipe = Recipe.model_validate(told["recipe"])
        experiment = experiment_of(self.client, self.settings, str(told["experiment"]))
        run_id = sent.run_id if sent.key == key else self._found(experiment, key)
        if run_id:
            self.client.update_run(run_id, status="RUNNING")
        else:
            tags = {KEY: key, "mlflow.runName": str(told["name"]), **self._parent(experiment, told.get("parent"))}
            run_id = self.client.create_run(experiment, start_time=record.at, tags=tags).info.run_id
        self._parameters(run_id, flat(recipe.model_dump(mode="json")))
        revision = told["revision"]
        tags = {DATA: told["data"], "pocai.recipe_sha256": recipe.fingerprint, **_tags(revision)}
        for name, value in tags.items():
            self.client.set_tag(run_id, name, value)
        self.client.log_text(run_id, _text(recipe), "recipe.toml")
        self.client.log_dict(run_id, {**told["environment"], "code": revision}, "environment.json")
        return Sent(record.end, key, run_id)

    def _parameters(self, run_id: str, parameters: Mapping[str, str]) -> None:
        """Tell parameters; one that a resumed run has changed, which MLflow does not take, is told as a tag."""
        from mlflow.entities import Param

        held = self.client.get_run(run_id).data.params
        new = [Param(name, value) for name, value in parameters.items() if name not in held]
        for begin in range(0, len(new), PARAMETERS):
            self.client.log_batch(run_id, params=new[begin : begin + PARAMETERS])
        for name, value in parameters.items():
            if held.get(name, value) != value:
                self.client.set_tag(run_id, f"resumed with {name}"[:250], value)

    def _metrics(self, part: Sequence[Record], run_id: str) -> None:
        from mlflow.entities import Metric

        rows = [
            Metric(allowed(name), value, record.at, int(record.content["step"]))
            for record in part
            for name, value in record.content["values"].items()
        ]
        for begin in range(0, len(rows), VALUES):
            self.client.log_batch(run_id, metrics=rows[begin : begin + VALUES])

    def _file(self, run_id: str, path: Path, under: str | None = None) -> None:
        if path.is_file():
            self.client.log_artifact(run_id, str(path), under)
        else:
            log.warning("a file of the run is not there any more, and is left out: %s", path.name)

    def _found(self, experiment: str, key: str) -> str:
        runs = self.client.search_runs([experiment], f"tags.`{KEY}` = '{key}'", max_results=1)
        return str(runs[0].info.run_id) if runs else ""

    def _parent(self, experiment: str, key: str | None) -> dict[str, str]:
        if key is None:
            return {}
        run_id = self._found(experiment, key)
        if not run_id and not self.orphans:
            raise NoParent
        return {PARENT: run_id} if run_id else {}


def flat(table: Mapping[str, Any], place: str = "") -> dict[str, str]:
    """A table as texts by dotted names that MLflow takes."""
    found: dict[str, str] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{place}{name}.")
        elif value is not None:
            text = value if isinstance(value, str) else json.dumps(value)
            found[allowed(f"{place}{name}")] = text[:LONGEST]
    return found


def allowed(name: str) -> str:
    """A name with what MLflow does not take replaced."""
    return _ODD.sub("_", name)[:250]


def _text(recipe: Recipe) -> str:
    try:
        return as_toml(recipe)
    except ConfigurationError as error:  # a value that TOML does not have
        return f"# {error.what}\n"


def _tags(revision: Mapping[str, Any]) -> dict[str, str]:
    """The code's revision as tags."""
    tags = {"pocai.version": str(revision["version"]), "pocai.source_sha256": str(revision["source"])}
    if revision["commit"]:
        tags |= {COMMIT: str(revision["commit"]), "pocai.changed": json.dumps(revision["dirty"])}
    return tags


def _parts(records: Iterator[Record]) -> Iterator[list[Record]]:
    """Records one by one, metrics that follow one another together."""
    for kind, same in groupby(records, key=lambda record: record.kind):
        part: list[Record] = []
        for record in same:
            part.append(record)
            if kind != "metrics" or len(part) == RECORDS:
                yield part
                part = []
        if part:
            yield part


def _of_run(spool: Spool, key: str) -> Iterator[Record]:
    """The metrics of the run with this key."""
    own = False
    for record in spool.records():
        own = record.content["key"] == key if record.kind == "start" else own
        if own and record.kind == "metrics":
            yield record
