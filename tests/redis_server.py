"""A Redis of one's own for tests: a real redis-server on a free loopback port that keeps nothing."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 20.0  # seconds that it may take to answer; it usually takes 50 ms


@contextmanager
def redis_server(*options: str, port: int = 0) -> Iterator[str]:
    """The URL of a running server, started with more ``options``; without a ``port`` on any free one."""
    port = port or free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", folder, "--save", ""]
        process = subprocess.Popen([*command, "--appendonly", "no", *options], stdout=subprocess.DEVNULL)
        try:
            wait_for(port, process)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.kill()
            process.wait()


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until the server answers; credentials are not needed, a refusal is an answer."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                if connection.recv(64).startswith((b"+PONG", b"-NOAUTH")):
                    return
        except OSError:
            pass  # not yet
        assert process.poll() is None, f"redis-server ended with {process.returncode}"
        assert time.monotonic() < until, f"redis-server did not answer within {PATIENCE} s"
        time.sleep(0.02)
