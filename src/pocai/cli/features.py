"""``pocai features``: the feature store, which remembers each school."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocai.cli.environment import missing_extra, settings_with
from pocai.cli.keys import Operator
from pocai.errors import FeatureStoreError, InputError

if TYPE_CHECKING:
    from rich.table import Table

    from pocai.feature_store.feast_store import FeastStore
    from pocai.inference.answers import SchoolAnswer
    from pocai.inference.feature_store_client import FeatureStoreClient
    from pocai.settings import Settings

app = typer.Typer(
    help="The feature store, which remembers each school. Needs the extra `features`, and POCAI_FEATURES__KIND.",
    no_args_is_help=True,
)

MOST_SHOWN = 12  # entries of a table's row
DAYS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]
School = Annotated[str, typer.Option("--school", help="Its key: a tenant of the service, or TENANT/SCHOOL.")]
Document = Annotated[
    str | None, typer.Option("--document", metavar="SHA256", help="One of its documents, by the SHA-256 of the file.")
]


@dataclass(frozen=True, slots=True)
class Opened:
    """The feature store of the settings, and a client that teaches it."""

    store: FeastStore
    client: FeatureStoreClient
    settings: Settings


@app.command()
def apply() -> None:
    """Tell Feast's registry, and the online store, which features there are. Done again it changes nothing."""
    from pocai.feature_store.feature_table import VIEWS

    with _opened() as opened:
        opened.store.apply()
    count = sum(len(view.features) for view in VIEWS.values())
    typer.echo(f"Applied {count} features in {len(VIEWS)} views: {', '.join(VIEWS)}", err=True)


@app.command()
def get(
    school: School,
    document: Document = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, without a table.")] = False,
) -> None:
    """Print what is remembered of a school, or of one of its documents (as JSON, without its text)."""
    from pocai.inference.answers import DocumentFeatures, SchoolAnswer
    from pocai.inference.lessons import document_key

    with _opened(school) as opened:
        if document is not None:
            rows = opened.client.document(document_key(school, _digest(document)))
            if not rows:
                raise InputError("nothing is remembered of this document", mend="Is it of this school?")
            typer.echo(DocumentFeatures.of(rows, school).model_dump_json(by_alias=True, indent=2))
            return
        memory = opened.client.look(school)
    if memory is None:
        raise InputError("nothing is remembered of this school", mend="Read one of its timetables, or push one")
    answer = SchoolAnswer.of(memory)
    if as_json:
        typer.echo(answer.model_dump_json(by_alias=True, indent=2))
        return
    from rich.console import Console

    Console().print(_table(answer))


@app.command()
def push(
    file: Annotated[Path, typer.Argument(help="JSON as `pocai extract` saves it: the timetables of one document.")],
    school: School,
    corrected: Annotated[
        bool, typer.Option("--corrected", help="A person has corrected them; they weigh more then.")
    ] = False,
    read: Annotated[
        Path | None, typer.Option("--read", help="The same as they were read, to count what the person changed.")
    ] = None,
    adapter: Annotated[
        str | None, typer.Option(help='Folder of the adapter to read this school with; "" takes it away.')
    ] = None,
) -> None:
    """Teach the store the timetables of a document."""
    from pocai.cli.results import timetables_of
    from pocai.inference.lessons import Lesson

    if read is not None and not corrected:
        raise typer.BadParameter("--read goes with --corrected")
    before = () if read is None else timetables_of(read)
    lesson = Lesson(school, timetables_of(file), corrected=corrected, read=before, adapter=adapter)
    with _opened(school) as opened:
        memory = opened.client.learn(lesson)
    typer.echo(f"{memory.documents} documents are remembered of this school, {memory.corrected} corrected", err=True)


@app.command()
def materialize(
    begin: Annotated[datetime, typer.Argument(formats=DAYS, help="From then on (UTC).")],
    end: Annotated[datetime, typer.Argument(formats=DAYS, help="Until then (UTC).")],
) -> None:
    """Bring the newest rows of the history, of that time, online: after a loss of Redis, or for a new one."""
    if end <= begin:
        raise typer.BadParameter("END must be later than BEGIN")
    with _opened() as opened:
        count = opened.store.materialize(begin.replace(tzinfo=UTC), end.replace(tzinfo=UTC))
    typer.echo(f"{count} rows are online", err=True)


@app.command()
def backfill(
    folder: Annotated[Path, typer.Argument(help="Folder of results as `pocai extract -o` saves them.")],
    school: Annotated[
        str | None, typer.Option("--school", help="School of all of them; without: each folder in FOLDER is a school.")
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Forget each of these schools first, so that nothing counts twice.")
    ] = False,
) -> None:
    """Teach the store results that were saved earlier, in the order of their files' times.

    A file that cannot be used is told and does not stop the others.
    """
    from pocai.cli.results import Backfill, find_results

    found = find_results(folder, school)
    with _opened() as opened:
        if anew:
            for name in dict.fromkeys(result.school for result in found):
                opened.client.forget(school=name)
        done = Backfill(opened.store).run(found)
    for path, error in done.failed:
        typer.secho(f"{path}: {error}", err=True, fg="red")
    typer.echo(f"{done.documents} documents of {done.schools} schools are remembered", err=True)
    raise typer.Exit(max((error.exit_code for _, error in done.failed), default=0))


@app.command()
def forget(school: School, document: Document = None) -> None:
    """Erase a school with its documents, or one document, online and in the history; and prove it.

    What a school has learned from a document stays when only the document is forgotten. A service that runs may use
    what it has looked up in the last seconds.
    """
    from pocai.inference.lessons import document_key

    with _opened(school) as opened:
        whom = {"school": school} if document is None else {"document": document_key(school, _digest(document))}
        rows = opened.client.forget(**whom)
        left = opened.store.trace(**whom)
        _record(opened.settings, school)
    if left:
        raise FeatureStoreError(
            f"{left} rows are left of {rows}", mend="Forget it once more: it was added to meanwhile"
        )
    typer.echo(f"Erased {rows} rows; looked for again: {left} are left", err=True)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on, of this machine only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port.")] = 6566,
) -> None:
    """Serve Feast's feature server until Ctrl-C: /get-online-features, for Feast's clients on this machine.

    It only reads, and texts stay encrypted. For everything else there is /v1/features of `pocai serve`.
    """
    with missing_extra("server"):
        from pocai.server.feature_server import check_local, serve_features
    check_local(host)
    with _opened() as opened:
        from pocai.feature_store.feast_server import reading_app

        application = reading_app(opened.store.feast())
        typer.echo(f"Feast's feature server on http://{host}:{port}", err=True)
        serve_features(application, host, port)


@contextmanager
def _opened(school: str | None = None) -> Iterator[Opened]:
    """The feature store of the settings; closed at the end. Raises FeatureStoreError for what can be no ``school``."""
    from pocai.feature_store.features import checked, school_row
    from pocai.inference.feature_store_client import FeatureStoreClient, opened_store

    if school is not None:
        checked(school)
    settings = settings_with()
    with missing_extra("features"):
        store = opened_store(settings.features)
    client = FeatureStoreClient(store, school_row, settings.features)
    try:
        yield Opened(store, client, settings)
    finally:
        client.close()


def _digest(document: str) -> str:
    if len(document) != 64 or not set(document) <= set("0123456789abcdef"):  # noqa: PLR2004 - of SHA-256
        raise typer.BadParameter("a document is named by the SHA-256 of its file, 64 digits: sha256sum FILE")
    return document


def _record(settings: Settings, school: str) -> None:
    """Tell the audit log; the name of the school below its tenant is no part of it."""
    from pocai.server.audit import Audit
    from pocai.server.state import state_folder

    audit = Audit(state_folder(settings) / "audit.jsonl")
    audit.record("features.forget", Operator(school.partition("/")[0], f"uid:{os.getuid()}"))


def _table(answer: SchoolAnswer) -> Table:
    from rich.table import Table
    from rich.text import Text

    periods = {f"{period.start_time}–{period.end_time}": period.count for period in answer.periods}
    rate = "" if answer.correction_rate is None else f"{answer.correction_rate:.1%}"
    rows = {
        "Documents": str(answer.documents),
        "Corrected": str(answer.corrected),
        "Correction rate": rate,
        "Periods": _counts(periods),
        "Names": _counts(answer.names),
        "Notes": _counts(answer.notes),
        "Days": str(answer.cycle),
        "Adapter": answer.adapter or "",
        "Updated": "" if answer.updated_at is None else f"{answer.updated_at:%Y-%m-%d %H:%M} UTC",
    }
    table = Table(box=None, show_header=False)
    for name, text in rows.items():
        table.add_row(Text(name, style="bold"), Text(text, overflow="fold"))
    return table


def _counts(counts: dict[str, int]) -> str:
    """The most frequent ones with their counts."""
    shown = sorted(counts, key=counts.__getitem__, reverse=True)[:MOST_SHOWN]
    rest = len(counts) - len(shown)
    return ", ".join(f"{name} ({counts[name]})" for name in shown) + (f", and {rest} more" if rest else "")
