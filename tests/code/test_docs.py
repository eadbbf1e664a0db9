"""What the documents say is true: their commands run, their tree and their tables are those of the code."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import pocai
from pocai import errors
from pocai.cli import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SERVICE = "http://127.0.0.1:8000"  # where the examples say that it runs
DEMO = Path(pocai.__file__).parent / "assets/demo/demo.png"


def blocks(language: str) -> list[str]:
    """The fenced blocks of the README in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


COMMANDS = [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines()]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """An empty folder with the bundled document as ``week.png``."""
    shutil.copy(DEMO, tmp_path / "week.png")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_readme_runs(command: str, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    words, _, source = command.partition(" < ")
    if source:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((desk / source).read_bytes())))
    with pytest.raises(SystemExit) as caught:
        main(words.removeprefix("pocai ").split())
    assert caught.value.code == 0


@pytest.mark.parametrize("code", blocks("python"))
def test_every_python_block_of_the_readme_runs(
    code: str, desk: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(desk)
    if SERVICE in code:
        code = code.replace(SERVICE, request.getfixturevalue("service").url)
    exec(compile(code, "README.md", "exec"), {})


def test_exit_codes_of_the_readme_are_those_of_the_errors() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d) \|", README, re.MULTILINE)}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.PocaiError)]
    assert told == {0} | {kind.exit_code for kind in kinds}


def test_formats_of_the_readme_are_those_of_the_command_line() -> None:
    from pocai.cli.saving import Format

    assert re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE) == [form.value for form in Format]


def test_every_make_target_that_is_mentioned_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    documents = [README, *(path.read_text(encoding="utf-8") for path in [ROOT / "CONTRIBUTING.md", ROOT / ".ci/run"])]
    mentioned = {target for text in documents for target in re.findall(r"\bmake (?:--\S+ )?([a-z]+)\b(?=`| |\n)", text)}
    assert {"demo", "test", "check"} <= mentioned & targets
    assert set(re.findall(r"`make ([a-z]+)`", README)) <= targets


@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        "CONTRIBUTING.md",
        "docs/ARCHITECTURE.md",
        "docs/INTEGRATION.md",
        "docs/API.md",
        "docs/FEATURE_STORE.md",
    ],
)
def test_every_link_leads_to_a_file(document: str) -> None:
    path = ROOT / document
    links = re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []


def test_tree_of_the_architecture_is_that_of_the_package() -> None:
    printed = subprocess.run(
        [sys.executable, ROOT / "tools/tree.py"], capture_output=True, check=True, text=True
    ).stdout
    assert f"```\n{printed}```" in (ROOT / "docs/ARCHITECTURE.md").read_text(encoding="utf-8"), "run `make docs`"


def test_every_dependency_has_a_line_that_says_why() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    names = {re.split(r"[^\w.-]", text, maxsplit=1)[0] for text in wanted}
    table = re.findall(r"^\| ([\w.-]+) \|", (ROOT / "docs/DEPENDENCIES.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert names - set(table) - {project["name"]} == set()
    assert set(table) - names == {"package", "program", "file", "tesseract", "redis-server", "---"}


CUDA = ("nvidia-", "cuda-", "triton")  # which versions torch pins itself, in its wheels for such a card


def test_everything_that_is_needed_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {canonical(line.partition("==")[0]) for line in lines if "==" in line}
    missing, waiting, seen = set(), [Requirement("pocai[dev]")], set()
    while waiting:
        wanted = waiting.pop()
        name = canonical(wanted.name)
        for extra in {"", *wanted.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                missing |= {name} - pinned - {"pocai"} if not name.startswith(CUDA) else set()
                waiting += needs(name, extra=extra)
    assert missing == set()


def needs(name: str, *, extra: str) -> list[Requirement]:
    """What an installed package requires here; nothing for one that is not installed, for another platform say."""
    try:
        texts = requires(name) or []
    except PackageNotFoundError:
        return []
    wanted = [Requirement(text) for text in texts]
    return [each for each in wanted if each.marker is None or each.marker.evaluate({"extra": extra})]
