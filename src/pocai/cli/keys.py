"""``pocai keys``: make, list and revoke the API keys of the service."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from pocai.cli.environment import settings_with
from pocai.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from pocai.server.audit import Audit
    from pocai.server.keys import ApiKey, KeyStore

app = typer.Typer(
    help="API keys of the service. They lie in its state folder, or in Redis where POCAI_SERVER__REDIS_URL names one.",
    no_args_is_help=True,
)


@dataclass(frozen=True, slots=True)
class Operator:
    """Who runs the command line, by the number of the user; names of people do not belong into the audit log."""

    tenant: str
    subject: str


@app.command()
def create(
    name: Annotated[str, typer.Option(help="Whose key it is, or what for.")],
    tenant: Annotated[str, typer.Option(help="The school or client whose documents it opens.")],
    scopes: Annotated[
        list[str],
        typer.Option(
            "--scope", help="extract, review, features, models:read, models:deploy or admin; may be repeated."
        ),
    ],
    expires_days: Annotated[int | None, typer.Option(min=1, help="Days until it expires; without: never.")] = None,
) -> None:
    """Make a key and print its token, this once and never again.

    Example: pocai keys create --name "Office" --tenant school --scope extract > token.txt
    """
    expires = None if expires_days is None else datetime.now(UTC) + timedelta(days=expires_days)
    with _opened() as (store, audit):
        key, token = store.create(name, tenant, scopes, expires)
        _record(audit, "keys.create", key)
    typer.echo(token)
    until = "" if expires is None else f" until {expires:%Y-%m-%d}"
    typer.echo(f"Key {key.id} is valid{until}. Keep the token safe: only its hash is stored.", err=True)


@app.command("list")
def list_keys() -> None:
    """List all keys, without their secrets."""
    from rich.console import Console

    with _opened() as (store, _):
        keys = store.list()
    Console().print(_table(keys))


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID", help="The id of the key, as in the list.")]) -> None:
    """Revoke a key for good; running services refuse it within five seconds."""
    with _opened() as (store, audit):
        key = next((key for key in store.list() if key.id == key_id), None)
        if key is None or not store.revoke(key_id):
            raise InputError(f"no key {key_id!r} is left to revoke", mend="See pocai keys list")
        _record(audit, "keys.revoke", key)
    typer.echo(f"Key {key_id} is revoked.", err=True)


@contextmanager
def _opened() -> Iterator[tuple[KeyStore, Audit]]:
    """The key store and the audit log of the settings."""
    from pocai.server.audit import Audit
    from pocai.server.keys import key_store
    from pocai.server.state import state_folder

    settings = settings_with()
    folder = state_folder(settings)
    store = key_store(settings)
    try:
        yield store, Audit(folder / "audit.jsonl")
    finally:
        store.close()


def _record(audit: Audit, action: str, key: ApiKey) -> None:
    audit.record(action, Operator(key.tenant, f"uid:{os.getuid()}"), key.id)


def _table(keys: tuple[ApiKey, ...]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None)
    for heading in ("Id", "Name", "Tenant", "Scopes", "Created", "Expires", "Last used", "State"):
        table.add_column(heading)
    for key in keys:
        state = Text("valid", "green") if key.valid else Text("revoked" if key.revoked else "expired", "red")
        days = (f"{moment:%Y-%m-%d}" if moment else "" for moment in (key.created, key.expires, key.last_used))
        table.add_row(key.id, Text(key.name), Text(key.tenant), " ".join(sorted(key.scopes)), *days, state)
    return table
