"""The Prefect API that workflows tell what they do: a server that is configured, or one for as long as they run.

Prefect is configured by its environment. What is not set there is set here, for this process: all that it writes lies
in our folder, nothing leaves the machine, and it says nothing on the terminal.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pocai.errors import ConfigurationError
from pocai.mlops.connection import own_folder
from pocai.settings import MlopsSettings

FOLDER, SERVERS = "prefect", "server-*.json"
STARTING = 120  # seconds that a server may take to start: usually ten, on a busy machine thirty
_SERVER = "prefect.server.api.server:create_app"  # in the command line of a server that we started


@contextmanager
def prefect_api(settings: MlopsSettings) -> Iterator[None]:
    """Prefect, ready to run workflows in this process. Raises ConfigurationError where it is not installed."""
    home = own_folder(settings) / FOLDER
    environment = _environment(home)
    for name, value in environment.items():
        os.environ.setdefault(name, value)
    try:
        from prefect.settings import temporary_settings
    except ImportError as error:
        raise ConfigurationError("the package prefect is not installed", mend="pip install 'pocai[mlops]'") from error
    from prefect import settings as known

    home.mkdir(mode=0o700, exist_ok=True)
    own = {getattr(known, name): os.environ[name] for name in environment if hasattr(known, name)}
    with temporary_settings(updates=own), contextlib.ExitStack() as stack:
        if known.PREFECT_API_URL.value() is None:
            url = stack.enter_context(_server(home))
            stack.enter_context(temporary_settings(updates={known.PREFECT_API_URL: url}))
        yield


def check_server() -> None:
    """Raises ConfigurationError where no Prefect server is configured, or Prefect is not installed."""
    if not os.environ.get("PREFECT_API_URL"):
        what = "a schedule needs a Prefect server"
        raise ConfigurationError(what, mend="Start one (prefect server start), and set PREFECT_API_URL")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")


def _environment(home: Path) -> Mapping[str, str]:
    return {
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": str(STARTING),
        "PREFECT_LOGGING_LEVEL": "CRITICAL",  # errors are told by who asked for the run
        "PREFECT_CLI_PROMPT": "false",
    }


@contextmanager
def _server(home: Path) -> Iterator[str]:
    """The address of a server on loopback that keeps its data in a folder, until the block ends."""
    from prefect.server.api.server import SubprocessASGIServer

    _end_orphans(home)
    server = SubprocessASGIServer()
    note = home / f"server-{os.getpid()}.json"
    server.start(timeout=STARTING)
    try:
        if server.server_process is not None:
            note.write_text(json.dumps({"pid": server.server_process.pid}), encoding="utf-8")
        yield server.api_url
    finally:
        server.stop()
        note.unlink(missing_ok=True)


def _end_orphans(home: Path) -> None:
    """End servers whose workflow was killed, where this system shows what they are (Linux)."""
    for note in home.glob(SERVERS):
        owner = int(note.stem.rpartition("-")[2])
        if _command(owner) is not None:
            continue
        with contextlib.suppress(OSError, ValueError, KeyError):
            server = int(json.loads(note.read_text(encoding="utf-8"))["pid"])
            if _SERVER in (_command(server) or ""):
                os.kill(server, signal.SIGTERM)
        note.unlink(missing_ok=True)


def _command(process: int) -> str | None:
    """The command line of a process; None where it is gone, or nothing is known of it."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return None
