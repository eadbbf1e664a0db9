"""``pocai batch``: many documents to results, in processes of this machine or on a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from pocai.cli.environment import missing_extra, settings_with
from pocai.cli.sources import SUFFIXES

if TYPE_CHECKING:
    from pocai.inference.batch import Plan, Start, Summary, Tell


class Engine(StrEnum):
    """Where documents are read."""

    LOCAL = "local"
    RAY = "ray"


def batch(  # noqa: PLR0913, PLR0917 - one parameter an option, as Typer reads them
    source: Annotated[str, typer.Argument(help="Folder of documents, or s3://bucket/prefix.")],
    output: Annotated[str, typer.Option("-o", "--output", metavar="TARGET", help="Folder of results, or s3://….")],
    engine: Annotated[Engine, typer.Option(help="Processes of this machine, or Ray.")] = Engine.LOCAL,
    workers: Annotated[int, typer.Option(min=0, help="Processes that read; 0: one for each core of this machine.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Cores that each of them keeps busy.")] = 1,
    address: Annotated[
        str | None,
        typer.Option(help="Ray cluster: auto, HOST:PORT or ray://HOST:PORT (without: RAY_ADDRESS, or one made here)."),
    ] = None,
    attempts: Annotated[int, typer.Option(min=1, help="How often a document is tried whose process dies.")] = 3,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the batch that the target holds.")] = False,
) -> None:
    """Read many documents: one result for each, however often this is interrupted and resumed.

    A document that cannot be read is told in the target's results.jsonl, and never stops the others.

    Examples: pocai batch scans -o out; pocai batch s3://school/scans -o s3://school/out --engine ray --resume
    """
    from pocai.inference.batch import Plan, run
    from pocai.models.artefact import usable_threads

    plan = Plan(
        source,
        output,
        SUFFIXES,
        workers=workers or usable_threads(0),
        threads=threads,
        attempts=attempts,
        resume=resume,
    )
    settings = settings_with()
    with _started(engine, plan, address) as start, _bar() as tell:
        summary = run(plan, start, settings, tell)
    _show(summary)
    raise typer.Exit(summary.exit_code)


@contextmanager
def _started(engine: Engine, plan: Plan, address: str | None) -> Iterator[Start]:
    """How a process is started there."""
    if engine is Engine.LOCAL:
        if address is not None:
            raise typer.BadParameter("--address goes with --engine ray")
        from pocai.inference.batch_local import LocalWorker

        yield LocalWorker.start
        return
    from pocai.inference.batch_ray import RayWorker, connected

    with missing_extra("scale"), connected(address or os.environ.get("RAY_ADDRESS"), plan.workers * plan.threads):
        yield RayWorker.start


@contextmanager
def _bar() -> Iterator[Tell]:
    """A bar on standard error."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from pocai.inference.batch import Progress as Reached

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, *times, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Reading", total=None)

        def tell(reached: Reached) -> None:
            failed = f", {reached.failed} failed" if reached.failed else ""
            bar.update(task, total=reached.total, completed=reached.done, description=f"Reading{failed}")

        yield tell


def _show(summary: Summary) -> None:
    typer.echo(
        f"{summary.done} of {summary.documents} documents have a result; {summary.pages} pages were read "
        f"in {summary.seconds:.1f} s ({summary.pages_per_second:.2f} pages/s)",
        err=True,
    )
    for code, count in sorted(summary.failed.items()):
        typer.secho(f"{count} failed: {code}", err=True, fg="red")
