"""Actors on Ray that read the documents of a batch, and the connection to a cluster, or to one that is made here.

A cluster made here listens on loopback, asks for a token, and keeps all its files in a folder of its own, which goes
with this process. Where this process is killed, two idle processes of Ray outlive it for a minute.
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pocai.errors import ConfigurationError, WorkerLost
from pocai.inference.batch_local import PASSED_ON
from pocai.inference.batch_worker import Answer, Reader, Told, few_threads, too_late

LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # Ray's way to say that all hosts of a cluster are this one
STARTING = 900.0  # seconds until a cluster must have made room and loaded the models; it may have to start hosts
KNOCKING = 10.0  # seconds that a connection may take
OBJECTS = 256 * 2**20  # bytes of documents and results on their way, in a cluster made here
ALWAYS = {"RAY_USAGE_STATS_ENABLED": "0"}
HERE = ALWAYS | {  # for a cluster that is made here
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray's name for listening on loopback only
    "RAY_worker_niceness": "0",
}
STARTING = 900.0  # seconds until a cluster must have made room and loaded the models; it may have to start hosts
OBJECTS = 256 * 2**20  # bytes of documents and results on their way, in a cluster made here
OURS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
OURS |= {"RAY_gcs_rpc_server_reconnect_timeout_s": "5"}  # its processes end that soon when this one was killed


class RayWorker:
    """A `Reader` as an actor, which Ray neither starts again nor asks twice: attempts are counted by the batch."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    @classmethod
    def start(cls, configured: Mapping[str, Any], threads: int, reader: type[Reader] = Reader) -> RayWorker:
        """A new actor that has loaded its models. Raises WorkerLost where it dies, and the error that it reports."""
        import ray

        environment = {"env_vars": few_threads(threads)}
        made = ray.remote(reader).options(num_cpus=threads, max_restarts=0, max_task_retries=0, runtime_env=environment)
        worker = cls(made.remote(dict(configured)))
        try:
            worker._told(worker._answer("ready", STARTING)).check()
        except BaseException:
            worker.close()
            raise
        return worker

    def read(self, content: bytes, seconds: float) -> Answer:
        """What it makes of a document. Raises WorkerLost and DeadlineExceeded, after which it is of no more use."""
        told, result = self._answer("read", seconds, content)
        return self._told(told), result

    def close(self) -> None:
        """Kill it. Whoever waits for its answer is told that it is lost."""
        import ray

        ray.kill(self._actor)

    def _answer(self, method: str, seconds: float, *arguments: bytes) -> Any:
        import ray
        from ray.exceptions import GetTimeoutError, RayError

        try:
            return ray.get(getattr(self._actor, method).remote(*arguments), timeout=seconds)
        except GetTimeoutError as error:
            raise too_late(seconds) from error
        except RayError as error:
            if getattr(error, "actor_init_failed", False):
                what = "a host of the cluster cannot load pocai"
                raise ConfigurationError(what, mend="Install it there, in the same version") from error
            raise WorkerLost("the actor that read the document died", mend="See the manifest") from error

    def _told(self, told: str) -> Told:
        try:
            return Told.model_validate_json(told)
        except ValidationError as error:
            raise WorkerLost("the actor said what none of ours says", mend="Is its pocai of this version?") from error


@contextmanager
def connected(address: str | None, cores: int) -> Iterator[None]:
    """Ray at an address, or without one a cluster of this machine with so many cores, which ends with the context.

    Raises ConfigurationError where there is no cluster at the address, and ModuleNotFoundError without Ray.
    """
    here = address in {None, "", "local"}
    if not here:
        _knock(str(address))
    with _environment(trimmed=here):
        import ray

        options: dict[str, Any] = {"address": address}
        if here:
            options = {"address": "local", "num_cpus": cores, "include_dashboard": False}
            options |= {"object_store_memory": OBJECTS, "_temp_dir": str(_folder() / "ray")}
        try:
            ray.init(log_to_driver=False, configure_logging=False, **options)
        except (OSError, RuntimeError, ValueError) as error:
            what = f"Ray cannot be reached or started ({type(error).__name__})"
            mend = (
                "Check the address, RAY_AUTH_TOKEN where it asks for one, and for ray:// that ray[client] is installed"
            )
            raise ConfigurationError(what, mend=mend) from error
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise ConfigurationError where nobody listens at an address; Ray would wait for a quarter of an hour."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdecimal():  # "auto", and what only Ray understands
        return
    try:
        socket.create_connection((host, int(port)), KNOCKING).close()
    except OSError as error:
        raise ConfigurationError("there is no Ray cluster at this address", mend="Check the address") from error


@contextmanager
def _environment(*, trimmed: bool) -> Iterator[None]:
    """Ray's own variables, set for good; ``trimmed`` hides all that hold secrets from the processes it starts."""
    for name, value in (HERE if trimmed else ALWAYS).items():
        os.environ.setdefault(name, value)
    if not trimmed:
        yield
        return
    if "RAY_AUTH_MODE" not in os.environ:
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(_folder() / "token")}
    hidden = {
        name: value for name, value in os.environ.items() if name not in PASSED_ON and not name.startswith("RAY_")
    }
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ |= hidden


@cache
def _folder() -> Path:
    """A folder that only we may read, with the token of clusters that are made here."""
    folder = Path(tempfile.mkdtemp(prefix="pocai-"))  # short: it begins the paths of sockets
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "token").write_text(secrets.token_hex(32), encoding="ascii")
    (folder / "token").chmod(0o600)
    return folder
