"""What `import pocai` offers, and what it must not load."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import pocai

ROOT = Path(__file__).parents[2]
HEAVY = {"cv2", "onnxruntime", "rapidocr", "numpy", "pydantic", "PIL", "docx", "openpyxl", "pypdfium2"}


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after ``statement``."""
    code = f"{statement}; import sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_importing_pocai_loads_nothing_heavy() -> None:
    assert not loaded_by("import pocai") & (HEAVY | {"typer", "rich"})


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    assert not loaded_by("import pocai.cli") & HEAVY


def test_every_name_that_is_offered_exists() -> None:
    assert [name for name in pocai.__all__ if getattr(pocai, name, None) is None] == []
    assert set(pocai.__all__) == set(dir(pocai))


def test_types_are_those_of_the_rooms() -> None:
    from pocai.timetable.timetable import TimeBlock, Timetable

    assert pocai.Timetable is Timetable
    assert pocai.TimeBlock is TimeBlock


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'extrct'"):
        _ = pocai.extrct


def test_every_error_is_a_pocai_error_with_a_code_of_its_own_branch() -> None:
    errors = [getattr(pocai, name) for name in pocai.__all__ if isinstance(getattr(pocai, name), type)]
    errors = [error for error in errors if issubclass(error, Exception)]
    assert all(issubclass(error, pocai.PocaiError) for error in errors)
    assert len({error.code for error in errors}) == len(errors)


def test_version_is_that_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert pocai.__version__ == project["version"]


def test_missing_file_is_an_input_error() -> None:
    with pytest.raises(pocai.InputError):
        pocai.extract("no-such-file.png")


def test_bytes_that_are_no_document_are_an_input_error() -> None:
    with pytest.raises(pocai.InputError):
        pocai.extract(b"this is not a document")


def test_the_bundled_document_is_read_by_path_and_by_bytes() -> None:
    path = Path(pocai.__file__).parent / "assets/demo/demo.png"
    (by_path,) = pocai.extract(str(path))
    (by_bytes,) = pocai.extract(path.read_bytes())
    assert by_path == by_bytes
    assert {block.day for block in by_path.timeblocks} >= {"Monday", "Friday"}
