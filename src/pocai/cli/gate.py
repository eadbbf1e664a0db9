"""``pocai models gate``: judge a model against the champion before it is promoted, and write the report."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pocai.cli.environment import missing_extra, settings_with

if TYPE_CHECKING:
    from rich.table import Table

    from pocai.mlops.frozen_set import FrozenSet, Tell
    from pocai.mlops.gate import Verdict
    from pocai.models.package import ModelKind
    from pocai.settings import Settings

Kind = Literal["layout", "student", "layout-adapter", "student-adapter"]


def gate(  # noqa: PLR0913, PLR0917 -- one parameter an option, as Typer reads them
    what: Annotated[
        str, typer.Argument(metavar="NAME@VERSION|FOLDER", help="A registered version, or the folder of a model.")
    ],
    kind: Annotated[Kind | None, typer.Option("--kind", help="Of a folder that is no package: what it holds.")] = None,
    champion: Annotated[
        Path | None, typer.Option("--champion", help="Folder of the model to compare with; without: the champion.")
    ] = None,
    frozen: Annotated[
        Path | None,
        typer.Option("--frozen", help="Documents with labels (or lines) of your own, beside those that are made."),
    ] = None,
    alone: Annotated[bool, typer.Option("--alone", help="Only those of --frozen, none that are made.")] = False,
    small: Annotated[bool, typer.Option("--small", help="Few made documents: for a first look.")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Folder for gate.md and gate.html.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes into the journal.")] = "before a promotion",
) -> None:
    """Judge a model; exit code 4 where it is refused. The verdict on a registered version is kept and journalled.

    Example: pocai models gate layout@3
    """
    if alone and frozen is None:
        raise typer.BadParameter("--alone needs --frozen")
    with missing_extra("mlops"):
        from pocai.mlops.gate import write_report
    asked = Asked(settings_with(), frozen, alone=alone, small=small)
    with missing_extra("train"), _bar() as tell:
        if Path(what).is_dir():
            verdict = _of_folder(Path(what), champion, _kind(Path(what), kind), asked, tell)
        else:
            verdict = _of_version(what, champion, reason, asked, tell)
    from rich.console import Console

    Console().print(_table(verdict))
    for path in write_report(verdict, output) if output else ():
        typer.secho(f"Saved {path}", err=True, bold=True)
    verdict.raise_if_refused()


@dataclass(frozen=True, slots=True)
class Asked:
    """On what a model is judged: documents or lines of one's own, made ones (a ``small`` set of them), or both."""

    settings: Settings
    own: Path | None
    alone: bool
    small: bool

    def frozen(self, kind: ModelKind, tell: Tell) -> FrozenSet:
        """The frozen set for models of a kind. Raises InputError where it was altered, or cannot be made."""
        from pocai.mlops.frozen_made import default_set
        from pocai.mlops.frozen_own import own_set

        home = self.settings.mlops.folder
        sets = [] if self.alone else [default_set(home, small=self.small, tell=tell)]
        if self.own is not None:
            lines = kind.startswith("student")
            sets.append(own_set(home, self.own, "lines" if lines else "documents", self.settings, tell))
        return reduce(lambda one, other: one.with_(other), sets)


def _of_folder(folder: Path, champion: Path | None, kind: ModelKind, asked: Asked, tell: Tell) -> Verdict:
    from pocai.mlops.gate import POLICIES
    from pocai.mlops.gate import gate as judge

    return judge(folder, champion, kind, POLICIES[kind], asked.frozen(kind, tell), tell=tell)


def _of_version(reference: str, champion: Path | None, reason: str, asked: Asked, tell: Tell) -> Verdict:
    from pocai.inference.rollout import Order
    from pocai.mlops.gated import gate_version
    from pocai.mlops.registry import Registry

    name, _, version = reference.rpartition("@")
    if not name or not version:
        raise typer.BadParameter(f"{reference!r} is no folder and names no version: NAME@NUMBER, or NAME@ALIAS")
    with Registry.open(asked.settings.mlops) as registry:
        found = registry.get(name, version)
        order = Order(getpass.getuser(), reason)
        return gate_version(registry, found, asked.frozen(found.kind, tell), order, champion=champion, tell=tell)


def _kind(folder: Path, kind: ModelKind | None) -> ModelKind:
    """The kind of a model: that which its package says, or which is told."""
    from pocai.models.package import MANIFEST, checked

    if (folder / MANIFEST).is_file():
        return checked(folder).kind
    if kind is None:
        raise typer.BadParameter(f"{folder} is no package: say with --kind what it holds")
    return kind


def _table(verdict: Verdict) -> Table:
    """A row a check."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, title=f"Gate: {'passed' if verdict.passed else 'refused'}", title_justify="left")
    for heading in ("", "Check", "What was found"):
        table.add_column(heading, overflow="fold")
    for check in verdict.checks:
        sign = Text("✓", "green") if check.passed else Text("✗", "bold red")
        table.add_row(sign, Text(check.name, "bold"), Text(check.text))
    return table


@contextmanager
def _bar() -> Iterator[Tell]:
    """A progress bar on standard error, only where that is a terminal: one line, which says what is being done."""
    from rich.console import Console
    from rich.progress import Progress

    log = Console(stderr=True)
    with Progress(console=log, transient=True, disable=not log.is_terminal) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda what, share: bar.update(task, description=what.capitalize(), completed=share)
