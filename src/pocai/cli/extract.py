"""``pocai extract``: read documents, print their weeks, save them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocai.cli.environment import settings_with
from pocai.cli.remembering import Remembering, remembering
from pocai.cli.saving import Artefact, Calendar, Format, Saved, Saver, render
from pocai.cli.sources import STDIN, Source, find_sources
from pocai.errors import ConfigurationError, NoTimetable, PocaiError, fault

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID
    from rich.table import Table

    from pocai.inference.pipeline import Extraction
    from pocai.settings import Settings

TERM = timedelta(weeks=12)
VERDICT_STYLES = {"accept": "green", "review": "yellow", "reject": "red"}


@dataclass(frozen=True, slots=True)
class Job:
    """What the options ask for; without a ``saver`` results go to standard output.

    ``school`` is the one that the documents come from, where it is remembered.
    """

    formats: tuple[Format, ...]
    calendar: Calendar
    settings: Settings
    saver: Saver | None
    json_errors: bool
    school: Remembering | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one document: its extraction and the files written, or an error."""

    source: Source
    extraction: Extraction | None = None
    saved: tuple[Saved, ...] = ()
    error: PocaiError | None = None


def extract(  # noqa: PLR0913, PLR0917 - one parameter an option, as Typer reads them
    files: Annotated[list[Path], typer.Argument(help="Documents or folders; - reads one from standard input.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for the results; without it: standard output.")
    ] = None,
    formats: Annotated[
        list[Format] | None,
        typer.Option(
            "-f",
            "--format",
            metavar="FORMAT",
            help="table, json, csv, xlsx, ics, overlay; may be repeated (without: table, with -o also json).",
        ),
    ] = None,
    json_errors: Annotated[
        bool, typer.Option("--json-errors", help="One JSON object for each failed document on standard error.")
    ] = False,
    engine: Annotated[str | None, typer.Option(help="OCR engine, one that `pocai doctor` lists.")] = None,
    adapter: Annotated[
        Path | None, typer.Option(help="Adapter that the engine reads with: a folder by `pocai train ocr-lora`.")
    ] = None,
    school: Annotated[
        str | None,
        typer.Option(help="School that the documents come from: the feature store helps to read them, and learns."),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=0, help="Threads; 0 takes all usable cores.")] = None,
    timezone: Annotated[str, typer.Option(help="Time zone of the calendar (ics).")] = "Europe/London",
    term_start: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day of the calendar (without: this Monday).")
    ] = None,
    term_end: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day of the calendar (without: 12 weeks on).")
    ] = None,
) -> None:
    """Read timetables: print the week, and save it.

    A failed document never stops the others.

    Examples: pocai extract week.jpg; pocai extract scans -o out -f json -f ics --term-end 2026-12-18
    """
    folder = None if output is None or output == STDIN else output
    sources = find_sources(files, leave_out=folder)
    saver = None if folder is None else Saver(folder, frozenset(source.path.resolve() for source in sources))
    job = Job(
        formats=_formats(formats, len(sources), saving=saver is not None),
        calendar=_calendar(timezone, term_start, term_end),
        settings=settings_with(ocr_engine=engine, ocr_adapter=adapter, threads=threads),
        saver=saver,
        json_errors=json_errors,
    )
    with remembering(job.settings.features, school, _warn) as remembered:
        outcomes = run(sources, replace(job, school=remembered))
    raise typer.Exit(max((outcome.error.exit_code for outcome in outcomes if outcome.error), default=0))


def run(sources: Sequence[Source], job: Job) -> list[Outcome]:
    """Read every document with a progress bar, show and save what is found, and sum up at the end."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    log = Console(stderr=True, quiet=job.json_errors)
    outcomes = []
    for number, source in enumerate(sources):
        place = f"{number + 1}/{len(sources)} {source.path.name}"
        columns = (TextColumn(place, markup=False), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        # The bar is taken down before anything is printed, so that it never runs into the week.
        with Progress(*columns, console=log, transient=True, disable=not log.is_terminal) as bar:
            task = bar.add_task("", total=1.0)
            outcome = attempt(source, job, partial(_advance, bar, task))
        outcomes.append(outcome)
        _show(outcome, job, log)
    if len(outcomes) > 1:
        log.print(_summary(outcomes))
    return outcomes


def _advance(bar: Progress, task: TaskID, stage: str, share: float) -> None:
    bar.update(task, completed=share, description=stage)


def attempt(source: Source, job: Job, progress: Callable[[str, float], None] | None = None) -> Outcome:
    """Read and save one document; whatever goes wrong becomes the outcome's error."""
    from pocai.inference import pipeline

    try:
        memory = None if job.school is None else job.school.recall()
        extraction = pipeline.read(
            source.content(), name=source.path.name, settings=job.settings, progress=progress, memory=memory
        )
        if job.school is not None:
            job.school.learn(extraction)
        if not extraction.timetables:
            return Outcome(source, error=NoTimetable("no timetable was found", mend="Is it the right page?"))
        artefacts = [artefact for form in job.formats for artefact in render(extraction, form, job.calendar)]
        return Outcome(source, extraction, saved=_deliver(artefacts, source, job.saver))
    except PocaiError as error:
        return Outcome(source, error=error)
    except Exception as error:  # noqa: BLE001 - a fault of ours on one document must not lose all others
        return Outcome(source, error=fault(error))


def _warn(text: str) -> None:
    typer.secho(f"! {text}", err=True, fg="yellow")


def _deliver(artefacts: Sequence[Artefact], source: Source, saver: Saver | None) -> tuple[Saved, ...]:
    """Save below the folder, or write the only artefact to standard output."""
    if saver is not None:
        return tuple(saver.save(source, artefact) for artefact in artefacts)
    if len(artefacts) > 1:
        raise ConfigurationError("several files do not fit on standard output", mend="Name a folder with -o")
    for artefact in artefacts:
        if sys.stdout.isatty() and artefact.ending in {".png", ".xlsx"}:
            raise ConfigurationError(f"a {artefact.ending} does not fit on a terminal", mend="Name a folder with -o")
        sys.stdout.buffer.write(artefact.content)
        sys.stdout.flush()
    return ()


def _formats(wanted: list[Format] | None, documents: int, *, saving: bool) -> tuple[Format, ...]:
    """The formats asked for, each once; without any: the week on the terminal, and JSON where there is a folder."""
    if not wanted:
        if not saving:
            return (Format.TABLE,)
        return (Format.JSON,) if documents > 1 else (Format.TABLE, Format.JSON)
    formats = tuple(dict.fromkeys(wanted))
    if not saving and formats != (Format.TABLE,) and (documents > 1 or len(formats) > 1):
        raise typer.BadParameter("several results do not fit on standard output; name a folder with -o")
    return formats


def _calendar(timezone: str, start: datetime | None, end: datetime | None) -> Calendar:
    today = date.today()  # noqa: DTZ011 - the wall calendar of this machine is meant
    first = start.date() if start else today - timedelta(days=today.weekday())
    return Calendar(timezone, first, end.date() if end else first + TERM)


def _show(outcome: Outcome, job: Job, log: Console) -> None:
    """Print one outcome: the week on standard output, everything about it on standard error."""
    from rich.text import Text

    if outcome.error is not None:
        _show_error(outcome, outcome.error, job, log)
    if outcome.extraction is None:
        return
    if Format.TABLE in job.formats:
        _show_weeks(outcome.extraction)
    verdict = outcome.extraction.verdict
    for warning in outcome.extraction.warnings:
        log.print(Text(f"! {warning}", style="yellow"))
    seconds = sum(outcome.extraction.seconds.values())
    summary = Text(f"{outcome.source.label}: ")
    summary.append(verdict.decision, style=VERDICT_STYLES[verdict.decision])
    summary.append(f" ({'; '.join(verdict.reasons)}), {seconds:.1f} s")
    log.print(summary, soft_wrap=True)
    for path, replaced in outcome.saved:
        log.print(Text(f"{'Replaced' if replaced else 'Saved'} {path}", style="bold"), soft_wrap=True)


def _show_weeks(extraction: Extraction) -> None:
    from rich.console import Console

    from pocai.cli.week import week

    console = Console()
    for timetable in extraction.timetables:
        console.print(week(timetable, width=console.width))


def _show_error(outcome: Outcome, error: PocaiError, job: Job, log: Console) -> None:
    from rich.text import Text

    if job.json_errors:
        told = {"file": outcome.source.label, "code": error.code, "message": error.what, "mend": error.mend}
        sys.stderr.write(json.dumps(told, ensure_ascii=False) + "\n")
    else:
        log.print(Text(f"{outcome.source.label}: {error}", style="red"), soft_wrap=True)


def _summary(outcomes: Sequence[Outcome]) -> Table:
    """One row a document: what was found, the verdict, and how many files were written."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"{len(outcomes)} documents", title_justify="left")
    for heading in ("Document", "Timetables", "Blocks", "Verdict", "Files"):
        table.add_column(heading, justify="left" if heading in {"Document", "Verdict"} else "right")
    for outcome in outcomes:
        document = Text(outcome.source.label, overflow="fold")
        if outcome.extraction is None:
            failure = outcome.error.code if outcome.error else ""
            table.add_row(document, "", "", Text(failure, style="red"), "")
            continue
        timetables, decision = outcome.extraction.timetables, outcome.extraction.verdict.decision
        blocks = sum(len(timetable.timeblocks) for timetable in timetables)
        verdict = Text(decision, style=VERDICT_STYLES[decision])
        table.add_row(document, str(len(timetables)), str(blocks), verdict, str(len(outcome.saved)))
    return table
