"""``pocai models``: the registry of models, what is deployed of it, and the journal of all that was done."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pocai.cli.environment import missing_extra, settings_with
from pocai.cli.experiments import power
from pocai.cli.gate import gate

if TYPE_CHECKING:
    from rich.table import Table

    from pocai.inference.rollout import Order
    from pocai.mlops.deployment import Deployments
    from pocai.mlops.journal import Entry
    from pocai.mlops.model_version import ModelVersion
    from pocai.mlops.registry import Registry

app = typer.Typer(
    help="Models that are registered, signed and deployed. Needs the extra `mlops`; POCAI_MLOPS__TRACKING names a "
    "server, without it all lies in the folder of POCAI_MLOPS__FOLDER.",
    no_args_is_help=True,
)
app.command()(gate)
app.command()(power)

Name = Annotated[str, typer.Argument(metavar="NAME", help="What is read by it: layout or student.")]
Reference = Annotated[
    str,
    typer.Argument(metavar="NAME@VERSION", help="A version by its number, or champion, challenger, shadow, previous."),
]
Reason = Annotated[str, typer.Option("--reason", help="Why; it goes into the journal.")]
Force = Annotated[
    bool, typer.Option("--force", help="Although it has not passed the gate; needs a reason, and is journalled.")
]
Actor = Annotated[str, typer.Option("--actor", help="Who does it, for the journal; without: the user of this machine.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, without a table.")]
Kind = Literal["layout", "student", "layout-adapter", "student-adapter"]


@app.command("list")
def list_models(
    name: Annotated[str | None, typer.Argument(help="Only versions under this name.")] = None, as_json: AsJson = False
) -> None:
    """List versions, with their aliases and whether they passed the gate."""
    with _registry() as registry:
        versions = registry.versions(name)
    if as_json:
        _print([_as_json(version) for version in versions])
    else:
        _draw(_version_table(versions))


@app.command()
def show(reference: Reference, as_json: AsJson = False) -> None:
    """Show all about a version: its card, its files, where it comes from, and where it was deployed."""
    with _registry() as registry:
        version = registry.get(*_parts(reference))
        lineage, files = registry.lineage(version), registry.attachments(version)
    if as_json:
        deployments = [_entry_json(entry) for entry in lineage.deployments]
        _print({**_as_json(version), "files": files, "run": dict(lineage.run), "deployments": deployments})
        return
    typer.echo(f"{version}  {' '.join(version.aliases)}\n\n{version.description}\n")
    typer.echo(f"Gate:   {version.gate}")
    typer.echo(f"Data:   {version.data_sha256 or 'not known'}")
    typer.echo(f"Run:    {version.run_id or 'none'}")
    typer.echo(f"Files:  {', '.join(files) or 'none'}")
    for entry in lineage.deployments:
        typer.echo(f"{entry.at:%Y-%m-%d %H:%M} UTC  {entry.action} by {entry.actor}: {entry.reason}")


@app.command()
def register(  # noqa: PLR0913, PLR0917 - options of a command
    model: Annotated[Path, typer.Argument(help="Folder of a model with its card, or its file of weights.")],
    kind: Annotated[Kind, typer.Option("--kind", help="What it is.")],
    name: Annotated[str | None, typer.Option("--name", help="Under which name; without: its kind.")] = None,
    run: Annotated[str | None, typer.Option("--run", metavar="ID", help="MLflow's id of the run it is from.")] = None,
    description: Annotated[str, typer.Option("--description", help="What is to be said of it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Sign a model and add it to the registry as a new version.

    Example: pocai models register runs/layout/export --kind layout
    """
    with _registry() as registry:
        version = registry.register(model, name or kind, kind=kind, run_id=run, description=description)
    if as_json:
        _print(_as_json(version))
    else:
        typer.echo(str(version))
        typer.echo(f"Registered {version}, package {version.digest[:12]}…", err=True)


@app.command()
def verify(
    what: Annotated[str, typer.Argument(metavar="FOLDER|NAME@VERSION", help="A package, or a registered version.")],
    keys: Annotated[
        list[Path] | None, typer.Option("--key", help="Public key that is trusted; without: those of the settings.")
    ] = None,
) -> None:
    """Check the signature and every file of a package, as it is done before every load; exit code 4 where one fails."""
    folder = Path(what)
    with missing_extra("mlops"):
        from pocai.mlops.registry import Registry
        from pocai.mlops.trust import trusted_keys
        from pocai.models.signing import signed_by, verified
    settings = settings_with().mlops
    if keys:
        settings = settings.model_copy(update={"trusted_keys": tuple(keys)})
    if not folder.is_dir():
        with Registry.open(settings) as registry:
            folder = registry.pull(registry.get(*_parts(what)))
    manifest = verified(folder, trusted_keys(settings))
    size = sum(fact.bytes for fact in manifest.files.values())
    typer.echo(
        f"{manifest.kind} {manifest.name}: {len(manifest.files)} files, {size} bytes, package {manifest.digest}, "
        f"signed with key {signed_by(folder)[:12]}…: verified"
    )


@app.command()
def pull(reference: Reference) -> None:
    """Fetch a version, verify it, and print the folder where it lies."""
    with _registry() as registry:
        typer.echo(str(registry.pull(registry.get(*_parts(reference)))))


@app.command()
def promote(reference: Reference, reason: Reason = "", force: Force = False, actor: Actor = "") -> None:
    """Make a version champion: services read with it within five seconds. What was champion becomes previous."""
    name, version = _numbered(reference)
    order = _order(actor, reason, force=force)
    with _deployments() as deployments:
        typer.echo(f"{deployments.promote(name, version, order)} is champion", err=True)


@app.command()
def deploy(  # noqa: PLR0913, PLR0917 - options of a command
    reference: Reference,
    mode: Annotated[
        Literal["shadow", "canary"],
        typer.Option("--mode", help="shadow: reads a share again, unseen; canary: reads for a share of schools."),
    ] = "shadow",
    share: Annotated[float, typer.Option("--share", min=0.0, max=1.0, help="Which share, from 0 to 1.")] = 0.1,
    limits: Annotated[
        list[str] | None, typer.Option("--limit", metavar="NAME=NUMBER", help="A guardrail; may be repeated.")
    ] = None,
    reason: Reason = "",
    force: Force = False,
    actor: Actor = "",
) -> None:
    """Try a version beside the champion; it is rolled back by itself where it breaks a limit."""
    from pocai.inference.rollout import TrialPlan

    name, version = _numbered(reference)
    order, plan = _order(actor, reason, force=force), TrialPlan(mode, share, _guardrails(limits or ()))
    with _deployments() as deployments:
        trial = deployments.deploy(name, version, plan, order)
    typer.echo(f"{name}@{version} is tried: {trial.mode}, {trial.share:.0%}, trial {trial.id}", err=True)


@app.command()
def stop(name: Name, reason: Reason = "", actor: Actor = "") -> None:
    """End the trial of a version; the champion stays."""
    order = _order(actor, reason)
    with _deployments() as deployments:
        deployments.stop(name, order)
    typer.echo(f"The trial of {name} is over", err=True)


@app.command()
def rollback(name: Name, reason: Reason = "", actor: Actor = "") -> None:
    """Take back: end the trial that runs; without one, make the previous champion champion again."""
    order = _order(actor, reason)
    with _deployments() as deployments:
        champion = deployments.rollback(name, order)
    typer.echo(f"{name} is read by {'what is shipped' if champion is None else champion}", err=True)


@app.command()
def history(
    name: Annotated[str | None, typer.Argument(help="Only what was done with this model.")] = None,
    check: Annotated[
        bool, typer.Option("--verify", help="Check that no line was changed, removed or added; exit code 4 if one was.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the journal: who did what, when and why."""
    with _registry() as registry:
        journal = registry.journal
        count = journal.verify_heads(registry.heads()) if check else None
        entries = [entry for entry in journal.entries() if name in {None, entry.name}]
    if as_json:
        _print([_entry_json(entry) for entry in entries])
    else:
        _draw(_entry_table(entries))
    if count is not None:
        typer.echo(f"{count} lines, the chain holds, and the registry knows its end", err=True)


@app.command()
def key(folder: Annotated[Path, typer.Argument(help="New folder for private.pem and public.pem.")]) -> None:
    """Make a key pair to sign models with; keep private.pem where only those who register models can read it."""
    with missing_extra("mlops"):
        from pocai.models.signing import key_id, make_key

        private, public = make_key(folder)
        typer.echo(f"POCAI_MLOPS__SIGNING_KEY={private}")
        typer.echo(f"POCAI_MLOPS__TRUSTED_KEYS={json.dumps([str(public)])}")
        typer.echo(f"Key {key_id(public)[:12]}… is made. Keep its private half safe.", err=True)


@contextmanager
def _registry() -> Iterator[Registry]:
    with missing_extra("mlops"):
        from pocai.mlops.registry import Registry
    with Registry.open(settings_with().mlops) as registry:
        yield registry


@contextmanager
def _deployments() -> Iterator[Deployments]:
    with missing_extra("mlops"):
        from pocai.mlops.deployment import Deployments
    yield Deployments(settings_with().mlops)


def _order(actor: str, reason: str, *, force: bool = False) -> Order:
    from pocai.inference.rollout import Order

    if force and not reason.strip():
        raise typer.BadParameter("--force needs a --reason")
    return Order(actor or getpass.getuser(), reason, force)


def _parts(reference: str) -> tuple[str, str]:
    """Name and version of a reference."""
    name, _, version = reference.rpartition("@")
    if not name or not version:
        raise typer.BadParameter(f"{reference!r} names no version: NAME@NUMBER, or NAME@champion")
    return name, version


def _numbered(reference: str) -> tuple[str, int]:
    """Name and number of a reference, of which the registry is asked where it is an alias."""
    name, version = _parts(reference)
    if version.isascii() and version.isdigit():
        return name, int(version)
    with _registry() as registry:
        return name, registry.get(name, version).version


def _guardrails(limits: Sequence[str]) -> dict[str, float]:
    try:
        return {name: float(number) for name, number in (limit.split("=") for limit in limits)}
    except ValueError:
        raise typer.BadParameter("a limit is NAME=NUMBER") from None


def _as_json(version: ModelVersion) -> dict[str, Any]:
    return {**asdict(version), "created": version.created.isoformat()}


def _entry_json(entry: Entry) -> dict[str, Any]:
    return {**asdict(entry), "at": entry.at.isoformat()}


def _print(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _draw(table: Table) -> None:
    from rich.console import Console

    Console().print(table)


def _version_table(versions: Sequence[ModelVersion]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None)
    for heading in ("Version", "Kind", "Aliases", "Gate", "Package", "Registered"):
        table.add_column(heading)
    colours = {"passed": "green", "failed": "red"}
    for each in versions:
        gate = Text(each.gate, colours.get(each.gate, ""))
        moment = f"{each.created:%Y-%m-%d %H:%M}"
        table.add_row(Text(str(each)), each.kind, " ".join(each.aliases), gate, each.digest[:12], moment)
    return table


def _entry_table(entries: Sequence[Entry]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None)
    for heading in ("#", "When (UTC)", "Who", "What", "Version", "Why"):
        table.add_column(heading)
    for each in entries:
        about = each.name if each.version is None else f"{each.name}@{each.version}"
        row = (f"{each.at:%Y-%m-%d %H:%M:%S}", each.actor, each.action, about, each.reason)
        table.add_row(str(each.number), *(Text(text, overflow="fold") for text in row))
    return table
