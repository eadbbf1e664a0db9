"""``pocai drift``: whether documents or readings have changed, from the history of the feature store."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pocai.cli.environment import missing_extra, settings_with

DRIFTED = 7  # exit code; those below it are errors'
DAYS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]

app = typer.Typer(
    help="Whether documents or readings have changed. Needs a feature store with a history, and the extra `mlops`.",
    no_args_is_help=True,
)


@app.callback()
def _drift() -> None:
    """Keep `report` a command of its own while it is the only one."""


@app.command()
def report(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    days: Annotated[int, typer.Option(min=1, help="Length of the current days.")] = 7,
    reference: Annotated[int, typer.Option(min=1, help="Days before them that they are compared with.")] = 28,
    until: Annotated[
        datetime | None, typer.Option(formats=DAYS, help="End of the current days (UTC); without: now.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for drift.md and drift.html.", file_okay=False)
    ] = None,
    gauges: Annotated[
        Path | None, typer.Option(help="File (.prom) for node_exporter's textfile collector.", dir_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, not Markdown.")] = False,
    fail_on_drift: Annotated[
        bool, typer.Option("--fail-on-drift", help=f"Exit with {DRIFTED} where something has drifted, else with 0.")
    ] = False,
) -> None:
    """Compare the current days with the reference, and print what drifted; no name of a school is told.

    Exits with 0 whether or not something drifted, unless --fail-on-drift is given.
    """
    with missing_extra("mlops"):
        from pocai.mlops.drift import compared
        from pocai.mlops.drift_alerts import write_gauges
        from pocai.mlops.drift_report import as_json as told
        from pocai.mlops.drift_report import markdown, write_report
        from pocai.mlops.drift_window import open_history, windows

        end = datetime.now(UTC) if until is None else until.replace(tzinfo=UTC)
        found = compared(*windows(open_history(settings_with().features), end, days, reference))
    if output is not None:
        for file in write_report(found, output):
            typer.echo(f"Wrote {file}", err=True)
    if gauges is not None:
        write_gauges(found, gauges)
        typer.echo(f"Wrote {gauges}", err=True)
    typer.echo(told(found) if as_json else markdown(found))
    if fail_on_drift and found.alarms:
        raise typer.Exit(DRIFTED)
