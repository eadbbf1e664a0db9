"""``pocai flow``: workflows, run here or on a Prefect server, and what trackers of trainings could not send."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from pocai.cli.environment import missing_extra, settings_with

app = typer.Typer(
    help="Workflows: train and promote, the night's work, adapters for schools. Needs the extras `mlops` and `train`.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A workflow, as `pocai flow list` names it.")]
Given = Annotated[
    list[str] | None,
    typer.Option("--parameter", "-p", metavar="KEY=VALUE", help="A parameter: -p share=0.2 -p values.loop.steps=500."),
]


@app.command()
def run(
    name: Name,
    given: Given = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="A few steps on little data; minutes on two cores.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what came of it as JSON.")] = False,
) -> None:
    """Run a workflow here. One that was stopped, or was done before, goes on where it was.

    Without PREFECT_API_URL no server is needed. Example: pocai flow run train_and_promote --smoke
    """
    with missing_extra("train"):
        from pocai.mlops.workflow import parameters_of, run_flow

        parameters = parameters_of(name, _pairs(given), smoke=smoke)
        with _told():
            found = run_flow(name, parameters, settings_with())
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _tell(found)


@app.command("list")
def list_flows(as_json: Annotated[bool, typer.Option("--json", help="As JSON Schema.")] = False) -> None:
    """List workflows with their parameters, and what these are without -p."""
    with missing_extra("train"):
        from pocai.mlops.workflow import FLOWS
    if as_json:
        typer.echo(json.dumps({name: kind.model_json_schema() for name, kind in FLOWS.items()}, indent=2))
        return
    for name, kind in FLOWS.items():
        typer.secho(name, bold=True, nl=False)
        typer.echo(f": {(kind.__doc__ or '').strip()}")
        for key, field in kind.model_fields.items():
            default = "" if field.is_required() else f" [{_shown(field.default)}]"
            typer.echo(f"  {key}: {field.description}{default}")


@app.command()
def serve(
    name: Name,
    cron: Annotated[str | None, typer.Option(help='When it runs: "0 3 * * *"; without, whenever it is asked.')] = None,
    given: Given = None,
) -> None:
    """Run a workflow whenever a Prefect server (PREFECT_API_URL) says so, until Ctrl-C.

    The server keeps the parameters; settings, and with them passwords, are those of this machine.
    """
    with missing_extra("train"):
        from pocai.mlops.workflow import parameters_of, serve_flow

        parameters = parameters_of(name, _pairs(given))
        typer.echo(f"Serving {name}" + (f" at {cron}" if cron else ""), err=True)
        serve_flow(name, parameters, cron)


@app.command()
def replay(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of a run, or one above it; without: all runs that are not sent.")
    ] = None,
) -> None:
    """Send to MLflow what trackers of trainings could not; done again it changes nothing."""
    with missing_extra("mlops"):
        from pocai.mlops.replay import replay as send

        done = send(settings_with().mlops, folder)
    typer.echo(f"Sent {done.records} records of {done.runs} runs", err=True)
    for each in done.left:
        typer.echo(f"Left to itself: {each} is being written", err=True)


def _pairs(given: list[str] | None) -> dict[str, Any]:
    from pocai.cli.train import changes

    return changes(given or [])


@contextmanager
def _told() -> Iterator[None]:
    """Print what workflows log."""
    log, handler = logging.getLogger("pocai.mlops"), logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    before, above = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
        log.propagate = above


def _tell(found: dict[str, Any]) -> None:
    for step in found["steps"]:
        done = "done before" if step["cached"] else f"{step['seconds']:.1f} s"
        typer.echo(f"{step['step']:<14}{done}")
    if "version" in found:
        typer.echo(f"{found['name']}@{found['version']}: {found['gate']}")
    typer.echo(f"{found['flow']} took {found['seconds']:.0f} s", err=True)


def _shown(value: object) -> str:
    from pydantic import BaseModel

    return "as above" if isinstance(value, BaseModel) else str(value)
