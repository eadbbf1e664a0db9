"""Line images on disk: what is written comes back, an interrupted part is continued, a broken one is refused."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pocai.errors import ConfigurationError, InputError
from pocai.models.ctc import CLASSES, LETTERS
from pocai.models.line_image import line_image
from pocai.training.shards import KEPT, Draws, open_shards, write_shards, written

Picture = NDArray[np.uint8]
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Made:
    image: Picture
    text: str


def made(number: int, width: int = 0, text: str = "") -> Made:
    draw = np.random.default_rng(number)
    height = int(draw.integers(12, 80))
    image = draw.integers(0, 256, (height, width or int(draw.integers(5, 400)), 3)).astype(np.uint8)
    return Made(image, text or f"Line {number}")


def believing(crops: Sequence[Picture]) -> list[Scores]:
    """A teacher whose scores depend on the crop alone: a step for each 20 pixels of its width."""
    answers = []
    for crop in crops:
        logits = np.random.default_rng(int(crop.sum())).normal(0, 4, (1 + crop.shape[1] // 20, len(CLASSES)))
        answers.append((logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32))
    return answers


lines = st.builds(made, st.integers(0, 99), st.integers(1, 700), st.text(LETTERS + " ", max_size=40))


@settings(max_examples=25, deadline=None)
@given(st.lists(lines, max_size=6), st.lists(lines, max_size=6), st.booleans())
def test_lines_come_back_from_several_parts_as_they_were_written(
    first: list[Made], second: list[Made], scored: bool
) -> None:
    teacher = believing if scored else None
    with TemporaryDirectory() as folder:
        parts = [Path(folder, "a"), Path(folder, "b")]
        for part, samples in zip(parts, (first, second), strict=True):
            write_shards(part, samples, teacher)
        shards = open_shards(parts)
        assert len(shards) == len(first + second)
        assert [int(width) for width in shards.widths()] == [shards.width(n) for n in range(len(shards))]
        for number, sample in enumerate(first + second):
            assert (shards.image(number) == line_image(sample.image)).all()
            assert shards.text(number) == sample.text
            assert shards.width(number) == shards.image(number).shape[1]
            believed = shards.teacher(number)
            assert (believed is not None) == scored
            if believed is not None:
                same_belief(believed, believing([sample.image])[0])


def same_belief(kept: tuple[NDArray[np.uint16], NDArray[np.float16]], scores: Scores) -> None:
    classes, values = kept
    assert classes.shape == values.shape == (len(scores), KEPT)
    assert np.allclose(values, -np.sort(-scores, axis=1)[:, :KEPT], rtol=2e-3)
    assert np.allclose(np.take_along_axis(scores, classes.astype(int), 1), values, rtol=2e-3)


def test_every_letter_of_the_alphabet_survives(tmp_path: Path) -> None:
    write_shards(tmp_path, [Made(made(1).image, LETTERS), Made(made(2).image, '"\\\n\u2028')])
    shards = open_shards([tmp_path])
    assert [shards.text(0), shards.text(1)] == [LETTERS, '"\\\n\u2028']


def test_impossible_classes_keep_a_finite_score(tmp_path: Path) -> None:
    scores = np.full((3, len(CLASSES)), -np.inf, np.float32)
    scores[:, 5] = 0
    write_shards(tmp_path, [made(1)], lambda _: [scores])
    believed = open_shards([tmp_path]).teacher(0)
    assert believed is not None
    assert (believed[0][:, 0] == 5).all()
    assert np.isfinite(believed[1]).all()


class Killed(Exception):
    """The process ends here."""


def until(stop: int, drawn: list[int]) -> Draws[Made]:
    def draw(number: int) -> Made:
        if number == stop:
            raise Killed
        drawn.append(number)
        return made(number)

    return Draws(draw, range(200))


def broken_off(folder: Path) -> None:
    with pytest.raises(Killed):
        write_shards(folder, until(150, []), believing, parameters={"seed": 1})


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_interrupted_part_is_refused_and_then_continued_without_repeating_work(tmp_path: Path) -> None:
    broken_off(tmp_path / "a")
    done = written(tmp_path / "a")
    assert 100 < done <= 150
    with pytest.raises(InputError, match="is unfinished"):
        open_shards([tmp_path / "a"])
    drawn: list[int] = []
    write_shards(tmp_path / "a", until(-1, drawn), believing, parameters={"seed": 1})
    assert drawn == list(range(done, 200))
    write_shards(tmp_path / "b", until(-1, []), believing, parameters={"seed": 1})
    assert files(tmp_path / "a") == files(tmp_path / "b")


@pytest.mark.parametrize("name", ["pixels.bin", "labels.jsonl", "teacher.bin", "index.part"])
@pytest.mark.parametrize("change", [-7, 5])
def test_a_part_cut_off_in_the_middle_of_a_line_is_mended(tmp_path: Path, name: str, change: int) -> None:
    broken_off(tmp_path / "a")
    with (tmp_path / "a" / name).open("r+b") as file:
        file.truncate((tmp_path / "a" / name).stat().st_size + change)
    write_shards(tmp_path / "a", until(-1, []), believing, parameters={"seed": 1})
    write_shards(tmp_path / "b", until(-1, []), believing, parameters={"seed": 1})
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_a_generator_is_continued_too(tmp_path: Path) -> None:
    broken_off(tmp_path)
    write_shards(tmp_path, (made(number) for number in range(200)), believing, parameters={"seed": 1})
    assert [open_shards([tmp_path]).text(number) for number in range(200)] == [f"Line {n}" for n in range(200)]


def test_a_finished_part_is_left_as_it_is(tmp_path: Path) -> None:
    write_shards(tmp_path, [made(1)], parameters={"seed": 1})
    before = files(tmp_path)
    drawn: list[int] = []
    write_shards(tmp_path, until(-1, drawn), parameters={"seed": 1})
    assert files(tmp_path) == before
    assert drawn == []


@pytest.mark.parametrize("finished", [True, False])
def test_other_parameters_need_another_folder(tmp_path: Path, *, finished: bool) -> None:
    if finished:
        write_shards(tmp_path, [made(1)], believing, parameters={"seed": 1})
    else:
        broken_off(tmp_path)
    with pytest.raises(ConfigurationError, match=r"parameters differ"):
        write_shards(tmp_path, [made(1)], believing, parameters={"seed": 2})
    with pytest.raises(ConfigurationError, match=r"teacher differ"):
        write_shards(tmp_path, [made(1)], parameters={"seed": 1})


def test_progress_counts_all_lines_and_the_manifest_says_how_they_came_about(tmp_path: Path) -> None:
    told: list[int] = []
    manifest = write_shards(tmp_path, Draws(made, range(130)), believing, told.append, {"seed": 7})
    content = json.loads(manifest.read_text(encoding="utf-8"))
    assert told[-1] == content["lines"] == content["scored"] == 130
    assert content["parameters"] == {"seed": 7}
    assert content["versions"]["numpy"] == np.__version__


def test_the_content_hash_is_of_the_contents_alone(tmp_path: Path) -> None:
    for name, numbers in (("a", range(5)), ("b", range(5, 9)), ("c", range(5)), ("d", range(5, 10))):
        write_shards(tmp_path / name, Draws(made, numbers))
    a, b, c, d = (tmp_path / name for name in "abcd")
    assert open_shards([a, b]).content_hash() == open_shards([b, c]).content_hash()
    assert open_shards([a, b]).content_hash() != open_shards([a, d]).content_hash()


def test_parts_go_to_other_processes_as_their_folders(tmp_path: Path) -> None:
    write_shards(tmp_path, Draws(made, range(300)))
    shards = open_shards([tmp_path])
    packed = pickle.dumps(shards)
    assert len(packed) < 1000
    assert (pickle.loads(packed).image(299) == shards.image(299)).all()


def test_a_view_cannot_be_written_through(tmp_path: Path) -> None:
    write_shards(tmp_path, [made(1)])
    with pytest.raises(ValueError, match="read-only"):
        open_shards([tmp_path]).image(0)[:] = 0


def test_numbers_outside_the_lines_are_refused(tmp_path: Path) -> None:
    write_shards(tmp_path, [made(1), made(2)])
    for number in (-1, 2):
        with pytest.raises(IndexError):
            open_shards([tmp_path]).image(number)


BROKEN: list[tuple[str, bytes | None, str]] = [
    ("manifest.json", None, "holds no line images"),
    ("manifest.json", b"[", "cannot be read as JSON"),
    ("manifest.json", b"[]", "no JSON object"),
    ("manifest.json", b'{"format": 0}', "another alphabet or format"),
    ("pixels.bin", b"", "does not hold what its manifest says"),
    ("labels.jsonl", None, "does not hold what its manifest says"),
    ("index.npy", None, "index.npy cannot be read"),
    ("index.npy", b"\x80\x04.", "index.npy cannot be read"),
]


@pytest.mark.parametrize(("name", "content", "message"), BROKEN)
def test_a_broken_part_is_refused(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    write_shards(tmp_path, [made(1)])
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        open_shards([tmp_path])


def test_pixels_that_were_altered_are_found(tmp_path: Path) -> None:
    write_shards(tmp_path, [made(1)])
    open_shards([tmp_path]).verify()
    data = bytearray((tmp_path / "pixels.bin").read_bytes())
    data[40] ^= 1
    (tmp_path / "pixels.bin").write_bytes(data)
    with pytest.raises(InputError, match="was altered"):
        open_shards([tmp_path]).verify()


def test_no_folder_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No folder"):
        open_shards([])
    with pytest.raises(InputError, match="holds no line images"):
        open_shards([tmp_path / "absent"])
