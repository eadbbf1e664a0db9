"""``pocai serve``: the HTTP service, as the host application's middleware and as an API of its own."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocai.cli.environment import missing_extra, server_settings

if TYPE_CHECKING:
    from pocai.inference.rollout import Deployments
    from pocai.settings import Settings


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (without: 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0 takes any free one.")] = None,
    roots: Annotated[
        list[Path] | None,
        typer.Option("--root", help="Folder whose files the host may name; may be repeated (without: $STORAGE_PATH)."),
    ] = None,
    state_dir: Annotated[Path | None, typer.Option(help="Folder for jobs, keys and uploads.")] = None,
) -> None:
    """Serve until Ctrl-C or SIGTERM; accepted work is ended or kept for the next start.

    All other settings come from the environment, as in POCAI_SERVER__REDIS_URL; docs/INTEGRATION.md explains them.
    """
    settings = server_settings(host=host, port=port, roots=roots, state_dir=state_dir)
    with missing_extra("server"):
        from pocai.server.serve import serve as run

        deployments = _deployments(settings)
        _greet(settings)
        run(settings, deployments)


def _deployments(settings: Settings) -> Deployments | None:
    """What is deployed in the registry, where the service is to read with that."""
    if not settings.mlops.serve:
        return None
    from pocai.mlops.deployment import Deployments

    with missing_extra("mlops"):
        if find_spec("mlflow") is None:  # it takes seconds to import, and the service does that in the background
            raise ModuleNotFoundError(name="mlflow")
    return Deployments(settings.mlops)


def _greet(settings: Settings) -> None:
    """Say on standard error where the service is and whom it lets in."""
    from rich.console import Console

    from pocai.server.auth import access_on

    server = settings.server
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if not console.is_terminal:  # where it is a log, every line of it is JSON
        return
    console.print(f"pocai on http://{server.host}:{server.port or '(a free port)'}  (docs: /docs, metrics: /metrics)")
    folders = ", ".join(str(root) for root in server.host_application.roots)
    console.print(f"files of the host application: {folders or 'none (set STORAGE_PATH or --root)'}")
    asked = access_on(settings)
    console.print("credentials: " + ("an API key (pocai keys create) or a token" if asked else "not asked for"))
