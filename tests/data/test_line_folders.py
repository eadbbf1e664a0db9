"""Folders of line pictures: every layout is read, the split is stable, and what cannot be used is named."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_lines import listed, picture, save
from PIL import Image

from pocai.errors import InputError
from pocai.training.datasets import FileLines, GivenLines, LineFolder, Sample, read_line_folder, split_by_hash

TEXTS = {f"{number:02d}.png": f"Lesson {number}" for number in range(12)}


def texts_of(lines: FileLines) -> dict[str, str]:
    return {lines.name(number): lines.line(number).text for number in range(len(lines))}


def all_texts(folder: LineFolder) -> dict[str, str]:
    return texts_of(folder.train) | texts_of(folder.validation)


def faults(folder: Path) -> list[tuple[str, str]]:
    return [(fault.kind, fault.place) for fault in read_line_folder(folder).faults]


def test_a_list_beside_the_pictures_is_read(tmp_path: Path) -> None:
    folder = read_line_folder(listed(tmp_path, TEXTS))
    assert all_texts(folder) == TEXTS
    assert folder.faults == ()
    name = folder.train.name(0)
    assert (folder.train.line(0).image == picture(TEXTS[name])).all()


CSV = 'image,person,text\r\n00.png,A,"one, ""two"""\r\n01.png,B,three\r\n'
TSV = 'file\ttext\r\n00.png\tone, "two"\r\n\r\n01.png\tthree'
JSONL = '{"file_name": "00.png", "text": "one, \\"two\\""}\n\n{"text": "three", "file": "01.png"}\n'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.csv", CSV),
        ("labels.csv", CSV.split("\r\n", 1)[1].replace(",A", "").replace(",B", "")),
        ("labels.tsv", TSV),
        ("labels.tsv", "\ufeff" + TSV),
        ("labels.jsonl", JSONL),
    ],
)
def test_lists_come_in_three_forms(tmp_path: Path, name: str, content: str) -> None:
    for number in range(2):
        save(tmp_path / f"{number:02d}.png", picture(f"{number}"))
    (tmp_path / name).write_text(content, encoding="utf-8", newline="")
    folder = read_line_folder(tmp_path)
    assert all_texts(folder) == {"00.png": 'one, "two"', "01.png": "three"}
    assert folder.faults == ()


def test_texts_beside_pictures_are_read_as_tesseract_and_kraken_have_them(tmp_path: Path) -> None:
    for name in ("a.png", "b.tif", "c.nrm.png", "deep/d.jpg", "e.png"):
        save(tmp_path / name, picture(name))
    for name in ("a.gt.txt", "a.txt", "b.txt", "c.gt.txt", "deep/d.txt"):
        (tmp_path / name).write_text(f"Text of {name}\n", encoding="utf-8")
    (tmp_path / "alone.gt.txt").write_text("nothing", encoding="utf-8")
    assert all_texts(read_line_folder(tmp_path)) == {
        "a.png": "Text of a.gt.txt",
        "b.tif": "Text of b.txt",
        "c.nrm.png": "Text of c.gt.txt",
        "deep/d.jpg": "Text of deep/d.txt",
    }
    assert faults(tmp_path) == [("no label", "e.png"), ("no picture", "alone.gt.txt")]


@pytest.mark.parametrize("part", ["val", "validation"])
def test_folders_say_what_their_lines_are_for(tmp_path: Path, part: str) -> None:
    listed(tmp_path / "train", {"a.png": "Art", "b.png": "Biology"})
    listed(tmp_path / part, {"a.png": "Chemistry"})
    folder = read_line_folder(tmp_path)
    assert texts_of(folder.train) == {"train/a.png": "Art", "train/b.png": "Biology"}
    assert texts_of(folder.validation) == {f"{part}/a.png": "Chemistry"}


def test_one_list_may_name_pictures_of_both_folders(tmp_path: Path) -> None:
    listed(tmp_path, {"train/a.png": "Art", "val/b.png": "Biology"})
    folder = read_line_folder(tmp_path)
    assert (texts_of(folder.train), texts_of(folder.validation)) == ({"train/a.png": "Art"}, {"val/b.png": "Biology"})


def test_without_folders_the_split_comes_from_the_pixels_alone(tmp_path: Path) -> None:
    first = read_line_folder(listed(tmp_path / "a", TEXTS))
    renamed = {f"other {name}": text for name, text in reversed(TEXTS.items())}
    second = read_line_folder(listed(tmp_path / "b", renamed))
    assert set(texts_of(first.validation).values()) == set(texts_of(second.validation).values())
    assert first.train.content_hash() == second.train.content_hash()


keys = st.lists(st.integers(0, 2**64).map(lambda number: f"{number:020x}"), max_size=60)


@given(keys, keys)
def test_equal_keys_stay_together_and_no_side_is_empty(some: list[str], more: list[str]) -> None:
    held_out = split_by_hash(some + some)
    assert held_out[: len(some)] == held_out[len(some) :]
    if len(set(some)) > 1:
        assert {True, False} == set(held_out)
    before, after = split_by_hash(some), split_by_hash(some + more)
    moved = {key for key, old, new in zip(some, before, after, strict=False) if old is not new}
    assert len(moved) <= 1


def test_about_a_tenth_is_held_out() -> None:
    keys = [f"{int(number):08x}" for number in np.random.default_rng(1).integers(0, 2**32, 5000)]
    assert 0.08 < sum(split_by_hash(keys)) / 5000 < 0.12


def test_the_content_hash_sees_pixels_and_labels_but_no_order_and_no_names(tmp_path: Path) -> None:
    parts = {"train/a.png": "Art", "train/b.png": "Biology", "val/c.png": "Chemistry"}
    same = read_line_folder(listed(tmp_path / "1", parts)).train.content_hash()
    moved = dict(zip(("train/y.png", "train/x.png", "val/c.png"), parts.values(), strict=True))
    assert read_line_folder(listed(tmp_path / "2", moved)).train.content_hash() == same
    given = [Sample(picture(text), text) for text in ("Biology", "Art")]
    assert GivenLines(given, ["p", "q"]).content_hash() == same
    other_label = [Sample(picture("Biology"), "Biologie"), given[1]]
    other_pixels = [Sample(picture("Biology", pad=7), "Biology"), given[1]]
    for samples in (other_label, other_pixels):
        assert GivenLines(samples, ["p", "q"]).content_hash() != same


def test_labels_are_composed(tmp_path: Path) -> None:
    listed(tmp_path, {"a.png": unicodedata.normalize("NFD", "Français"), "b.png": "b"})
    assert "Français" in all_texts(read_line_folder(tmp_path)).values()


def broken_pictures(folder: Path) -> None:
    whole = (folder / "00.png").read_bytes()
    (folder / "01.png").write_bytes(b"")
    (folder / "02.png").write_bytes(whole[: len(whole) * 3 // 4])
    (folder / "03.png").write_bytes(b"%PDF-1.4 broken")
    (folder / "04.png").write_bytes(b"hello")
    (folder / "05.png").unlink()
    Image.new("1", (6000, 6000)).save(folder / "06.png")
    frames = [Image.new("RGB", (80, 30), tone) for tone in ("white", "black")]
    frames[0].save(folder / "07.tif", save_all=True, append_images=frames[1:])
    (folder / "08.png").unlink()
    (folder / "08.png").mkdir()


def test_broken_pictures_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    listed(tmp_path, {("07.tif" if name == "07.png" else name): text for name, text in TEXTS.items()})
    broken_pictures(tmp_path)
    assert sorted(all_texts(read_line_folder(tmp_path))) == ["00.png", "09.png", "10.png", "11.png"]
    unreadable = [("unreadable", f"{number:02d}.png") for number in (1, 2, 3, 4)]
    expected = [*unreadable, ("no picture", "labels.tsv:6"), ("unreadable", "06.png"), ("unreadable", "07.tif")]
    assert faults(tmp_path) == [*expected, ("no picture", "labels.tsv:9")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.tsv", "a.png\tArt\nno tab\n\tno file\n../a.png\tout\n/etc/hosts\tout\na\0b\tnul\nb.png\tB"),
        (
            "labels.csv",
            'a.png,Art\nno comma\n,no file\n../a.png,out\n/etc/hosts,out\n" ",blank\nb.png,B\n',
        ),
        (
            "labels.jsonl",
            """{"file": "a.png", "text": "Art"}
{
[]
{"file": "../a.png", "text": "out"}
{"file": "/etc/hosts", "text": "out"}
{"file": 1, "text": null}
{"file": "b.png", "text": "B"}
""",
        ),
    ],
)
def test_rows_that_make_no_sense_are_named_and_the_rest_is_read(tmp_path: Path, name: str, content: str) -> None:
    for stem in "ab":
        save(tmp_path / f"{stem}.png", picture(stem))
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert all_texts(read_line_folder(tmp_path)) == {"a.png": "Art", "b.png": "B"}
    assert faults(tmp_path) == [("bad row", f"{name}:{number}") for number in range(2, 7)]


def test_a_quote_that_never_ends_is_named(tmp_path: Path) -> None:
    save(tmp_path / "a.png", picture("a"))
    (tmp_path / "labels.csv").write_text('a.png,Art\nb.png,"B\n', encoding="utf-8")
    assert faults(tmp_path) == [("bad row", "labels.csv:2")]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no labelled line that can be used"),
        ({"labels.tsv": b"a.png\tArt\n"}, r"no labelled line that can be used \(no picture: labels.tsv:1\)"),
        ({"labels.tsv": b"a.png\t\xff\n"}, "cannot be read as UTF-8"),
        ({"a.png": b"", "a.txt": b"\xff"}, "cannot be read as UTF-8"),
        ({"labels.tsv": b"", "labels.csv": b""}, "holds labels.tsv and labels.csv"),
        ({"a.png": b"", "a.txt": b"Art"}, r"\(unreadable: a.png\)"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_line_folder(tmp_path)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        read_line_folder(tmp_path / "absent")


def test_a_picture_that_changes_while_it_is_in_use_is_noticed(tmp_path: Path) -> None:
    folder = read_line_folder(listed(tmp_path, TEXTS))
    save(tmp_path / folder.train.name(3), picture("another"))
    with pytest.raises(InputError, match="was changed"):
        folder.train.line(3)


def test_no_message_holds_the_text_of_a_label(tmp_path: Path) -> None:
    listed(tmp_path, {"a.png": "Secret Name", "b.png": "b"})
    (tmp_path / "a.png").write_bytes(b"")
    for fault in read_line_folder(tmp_path).faults:
        assert "Secret" not in json.dumps([fault.kind, fault.place, fault.why])
