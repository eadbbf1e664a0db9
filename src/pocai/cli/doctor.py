"""``pocai doctor``: what is installed, whether the models are whole, and whether the bundled document is read right."""

from __future__ import annotations

import json
import platform
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

import typer

State = Literal["ok", "missing", "failed"]
STYLES: dict[State, str] = {"ok": "green", "missing": "yellow", "failed": "bold red"}
SELF_TEST_F1 = 0.95  # block F1 on the bundled document from which this installation reads as it should


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; only optional things are ``missing``, all others ``failed``."""

    group: str
    name: str
    state: State
    detail: str


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check this installation: packages, models, and a self-test on the bundled document; exit 1 where one fails."""
    checks = list(packages())
    if _healthy(checks):  # without its packages nothing else can be looked at
        checks += [*models(), self_test()]
    healthy = _healthy(checks)
    if as_json:
        typer.echo(json.dumps({"healthy": healthy, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        _print(checks)
    raise typer.Exit(0 if healthy else 1)


def _healthy(checks: Sequence[Check]) -> bool:
    return all(check.state != "failed" for check in checks)


def packages() -> Iterator[Check]:
    """Python, and every package that pocai needs to run, with its version."""
    from importlib.metadata import PackageNotFoundError, requires, version

    yield Check("system", "python", "ok", f"{platform.python_version()} at {sys.executable}")
    yield Check("system", "machine", "ok", f"{platform.system()} {platform.machine()}")
    needed = [text for text in requires("pocai") or [] if "extra ==" not in text]
    for name in ["pocai", *(re.split(r"[^\w.-]", text, maxsplit=1)[0] for text in needed)]:
        try:
            yield Check("package", name, "ok", version(name))
        except PackageNotFoundError:
            yield Check("package", name, "failed", "not installed")


def models() -> Iterator[Check]:
    """Every engine of the catalogue, and each of its files by its hash; an engine that is not installed is missing."""
    from pocai.errors import ModelError
    from pocai.models import catalog

    for model in catalog.describe():
        state: State = "ok" if model.installed else "missing"
        yield Check("model", model.name, state, f"{model.version}, {model.licence}")
        for artefact in catalog.entry(model.name).artefacts:
            name = artefact.path.rpartition("/")[2]
            try:
                artefact.verified()
            except ModelError as error:
                yield Check("model", name, "failed", str(error))
            else:
                yield Check("model", name, "ok", f"SHA-256 {artefact.sha256}")


def self_test() -> Check:
    """Read the bundled document and compare it with what is printed on it."""
    from importlib.resources import files

    from pocai.evaluation.timetables import score
    from pocai.inference import pipeline

    demo = files("pocai") / "assets/demo"
    start = time.perf_counter()
    try:
        timetables = pipeline.extract((demo / "demo.png").read_bytes())
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is what the doctor is asked for
        return Check("self-test", "bundled document", "failed", f"{type(error).__name__}: {error}")
    seconds = time.perf_counter() - start
    figures = score(json.loads((demo / "demo.json").read_text(encoding="utf-8")), timetables).figures
    detail = f"block F1 {figures.block:.3f} (needs {SELF_TEST_F1}), {seconds:.1f} s"
    return Check("self-test", "bundled document", "ok" if figures.block >= SELF_TEST_F1 else "failed", detail)


def _print(checks: Sequence[Check]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("", "What", "State", "Detail", box=None)
    last = ""
    for check in checks:
        group = "" if check.group == last else check.group
        state = Text(check.state, style=STYLES[check.state])
        table.add_row(group, check.name, state, Text(check.detail, overflow="fold"))
        last = check.group
    Console().print(table)
