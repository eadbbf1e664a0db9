"""What tests of the feature store stand on: a Redis Cluster, an S3 server, and made schools and documents."""

from __future__ import annotations

import logging
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from redis_server import free_port, redis_server

from pocai.documents.page import Box, Document, Line, Page, Quad, Rule
from pocai.models.protocols import OCRResult
from pocai.timetable.school import SchoolMemory

KEY = bytes(range(32))
PATIENCE = 30.0  # seconds that a cluster may take to agree; it usually takes three
LESSONS = ("Maths", "English", "Chemistry", "Übung", "PE", "Art & Craft", "Music", "History", "Period of Reading")


@contextmanager
def redis_cluster(masters: int = 3) -> Iterator[str]:
    """The URL of a running cluster, made as one is made by hand."""
    with ExitStack() as stack:
        ports = []
        for _ in range(masters):
            port, bus = free_port(), free_port()
            stack.enter_context(redis_server("--cluster-enabled", "yes", "--cluster-port", str(bus), port=port))
            ports.append(port)
        nodes = [f"127.0.0.1:{port}" for port in ports]
        command = ["redis-cli", "--cluster", "create", *nodes, "--cluster-yes"]
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
        until = time.monotonic() + PATIENCE
        while not all(_agrees(port) for port in ports):
            assert time.monotonic() < until, "the cluster does not agree"
            time.sleep(0.05)
        yield f"redis://{','.join(nodes)}"


def _agrees(port: int) -> bool:
    answer = subprocess.run(
        ["redis-cli", "-p", str(port), "cluster", "info"], check=True, capture_output=True, timeout=PATIENCE
    )
    return b"cluster_state:ok" in answer.stdout


@contextmanager
def s3_server() -> Iterator[str]:
    """The URL of an S3 on loopback that keeps everything in memory, with a bucket "features"."""
    import fsspec
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        files = fsspec.filesystem("s3", **s3_options(f"http://{host}:{port}"))
        files.makedirs("features", exist_ok=True)  # all such servers of a process share one memory
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def s3_options(url: str) -> dict[str, object]:
    """How fsspec speaks to `s3_server`."""
    return {"endpoint_url": url, "key": "test", "secret": "test", "client_kwargs": {"region_name": "eu-west-1"}}


@contextmanager
def certificates() -> Iterator[tuple[Path, Path]]:
    """A key and a certificate for 127.0.0.1 that vouches for itself."""
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder) / "key.pem", Path(folder) / "certificate.pem"
        subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        command = [*made, "-keyout", str(key), "-out", str(certificate), "-days", "2", *subject]
        subprocess.run(command, check=True, capture_output=True)
        yield key, certificate


def a_memory(number: int, when: datetime) -> SchoolMemory:
    """What is remembered of an ordinary school: a dozen periods, a hundred names, some notes."""
    starts = [510 + 45 * period for period in range(12)]
    return SchoolMemory(
        documents=10 + number,
        corrected=2,
        periods={(start, start + 40): 50 - place for place, start in enumerate(starts)},
        names={f"{LESSONS[each % len(LESSONS)]} {number}/{each}": 100 - each for each in range(100)},
        notes={f"Rm {number}-{each}": 40 - each for each in range(30)},
        cycle=5,
        fields=400,
        changed=number % 7,
        adapter=None if number % 2 else f"adapters/{number}",
        updated=when,
    )


def a_document(number: int) -> Document:
    """A native page with a week of its own."""
    days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
    lines = [_line(day, 100 * (place + 1), 20) for place, day in enumerate(days)]
    for row in range(6):
        lines.append(_line(f"{9 + row}.00 – {9 + row}.45", 5, 60 + 40 * row))
        lines += [
            _line(f"{LESSONS[(number + row + place) % len(LESSONS)]} {number}", 100 * (place + 1), 60 + 40 * row)
            for place in range(len(days))
        ]
    rules = tuple(Rule((0.0, 50.0 + 40 * row), (600.0, 50.0 + 40 * row)) for row in range(7))
    return Document((Page(0, 600, 320, tuple(lines), rules, unit="pt"),), "pdf", f"{number:064d}")


def _line(text: str, left: float, top: float) -> Line:
    return Line(text, Quad.of(Box(left, top, left + 7 * len(text), top + 12)), source="pdf", size=12)


def a_reading(document: Document, score: float = 0.9) -> OCRResult:
    """What an engine would have read on the document's first page."""
    lines = [
        Line(line.text, line.quad, confidence=score, source="ocr", reader="small") for line in document.pages[0].lines
    ]
    return OCRResult.of(lines, "small")
