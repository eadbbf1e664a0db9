"""Packages of models: what goes in, and everything that is refused before a parser of weights sees it."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
from made_packages import (
    CARD,
    DATA,
    EVIL_WEIGHTS,
    WEIGHTS,
    Change,
    Evil,
    forged,
    model,
    model_folder,
    outside,
    package,
    sha256,
    tensors,
)
from onnx import helper

from pocai.errors import ModelError, UntrustedModel
from pocai.models.package import MANIFEST, MOST_BYTES, MOST_FILES, checked, pack
from pocai.models.package_forms import check_form

# --- packing ------------------------------------------------------------------------------------------------------


def test_a_package_holds_the_allowed_files_only(tmp_path: Path) -> None:
    folder = package(tmp_path, layout__safetensors=tensors())
    assert {file.name for file in folder.iterdir()} == {WEIGHTS, CARD, "layout.safetensors", MANIFEST}


def test_a_manifest_says_what_the_package_is(tmp_path: Path) -> None:
    manifest = checked(package(tmp_path))
    assert (manifest.kind, manifest.name, manifest.card, manifest.weights) == ("layout", "tiny", CARD, WEIGHTS)
    assert manifest.files[WEIGHTS].sha256 == sha256(model())
    assert manifest.digest == sha256((tmp_path / "package" / MANIFEST).read_bytes())


def test_the_same_model_gives_the_same_package(tmp_path: Path) -> None:
    assert checked(package(tmp_path / "a")).digest == checked(package(tmp_path / "b")).digest


def test_a_package_can_be_packed_again(tmp_path: Path) -> None:
    folder = package(tmp_path)
    assert pack(folder, tmp_path / "again", "layout") == checked(folder)


def test_one_of_several_models_is_named_by_its_weights(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model", other__onnx=model(), other__json=(b'{"sha256": "0"}'))
    with pytest.raises(ModelError, match=r"holds 2 models \(layout\.json, other\.json\)"):
        pack(folder, tmp_path / "both", "layout")
    assert set(pack(folder / WEIGHTS, tmp_path / "one", "layout").files) == {WEIGHTS, CARD}


def test_data_beside_a_model_goes_with_it(tmp_path: Path) -> None:
    weights = model(outside(DATA, offset=4, length=8))
    folder = package(tmp_path, weights, layout__onnx__data=bytes(12))
    assert checked(folder).files[DATA].bytes == 12


def test_an_adapter_is_its_tensors_and_its_card(tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter.safetensors").write_bytes(tensors())
    (folder / "adapter.onnx_adapter").write_bytes(b"for ONNX Runtime")
    card = {"name": "school", "sha256": "of the one for ONNX Runtime", "tensors_sha256": sha256(tensors())}
    (folder / "adapter.json").write_text(json.dumps(card))
    manifest = pack(folder, tmp_path / "package", "layout-adapter")
    assert manifest.weights == "adapter.safetensors"
    assert set(manifest.files) == {"adapter.json", "adapter.safetensors"}


@pytest.mark.parametrize("missing", [CARD, WEIGHTS])
def test_weights_and_card_belong_together(missing: str, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model")
    (folder / missing).unlink()
    with pytest.raises(ModelError, match="no weights with their card of kind layout"):
        pack(folder, tmp_path / "package", "layout")


def test_a_card_of_other_weights_is_refused(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model")
    (folder / WEIGHTS).write_bytes(model(nodes=[helper.make_node("Neg", ["a"], ["d"])]))
    with pytest.raises(UntrustedModel, match=r"layout\.json is not the card of layout\.onnx"):
        pack(folder, tmp_path / "package", "layout")


def test_nothing_is_written_over(tmp_path: Path) -> None:
    package(tmp_path)
    with pytest.raises(ModelError, match="is there already"):
        pack(tmp_path / "model", tmp_path / "package", "layout")


def test_a_link_is_not_packed(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model")
    (folder / WEIGHTS).rename(tmp_path / "elsewhere.onnx")
    (folder / WEIGHTS).symlink_to(tmp_path / "elsewhere.onnx")
    with pytest.raises(UntrustedModel, match="is a link"):
        pack(folder, tmp_path / "package", "layout")


@pytest.mark.parametrize("name", ["none", "model/notes.txt"])
def test_what_is_no_model_is_not_packed(name: str, tmp_path: Path) -> None:
    model_folder(tmp_path / "model")
    with pytest.raises(ModelError, match="is no model"):
        pack(tmp_path / name, tmp_path / "package", "layout")


# --- a package that was changed -----------------------------------------------------------------------------------


def swapped(folder: Path) -> None:
    """Other weights of the same size."""
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content.replace(b"Add", b"Sub"))


def linked(folder: Path, name: str = WEIGHTS) -> None:
    (folder / name).rename(folder.parent / "elsewhere")
    (folder / name).symlink_to(folder.parent / "elsewhere")


def vast(folder: Path) -> None:
    """A file that is larger than the disk, and takes no place on it."""
    os.truncate(folder / WEIGHTS, 2**40)


def listed_as(name: str) -> Change:
    """The manifest lists another file, which lies where it says, as far as there is such a place."""

    def change(folder: Path) -> None:
        manifest = json.loads((folder / MANIFEST).read_text())
        manifest["files"][name] = {"sha256": sha256(b"x"), "bytes": 1}
        (folder / MANIFEST).write_text(json.dumps(manifest))
        if name not in {"a\0.json", ".."}:
            place = folder / name.replace("/etc/", "etc_")
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(b"x")

    return change


def with_manifest(**changes: object) -> Change:
    def change(folder: Path) -> None:
        manifest = json.loads((folder / MANIFEST).read_text()) | changes
        (folder / MANIFEST).write_text(json.dumps(manifest))

    return change


def twice(folder: Path) -> None:
    """A manifest that says two things at once: readers differ in which they believe."""
    text = (folder / MANIFEST).read_text().rstrip().removesuffix("}")
    (folder / MANIFEST).write_text(f'{text}, "kind": "student"}}')


CHANGES: dict[str, tuple[Change, str]] = {
    "other weights": (swapped, "was altered"),
    "cut off": (lambda folder: os.truncate(folder / WEIGHTS, 10), "has 10 bytes, not"),
    "far too large": (vast, f"at most {MOST_BYTES} are read"),
    "a missing file": (lambda folder: (folder / WEIGHTS).unlink(), "'layout.onnx' of package 'tiny' is missing"),
    "a file more": (lambda folder: (folder / "more.json").write_text("{}"), "'more.json' .* is not listed"),
    "many files": (
        lambda folder: [(folder / f"{n}.json").write_text("{}") for n in range(MOST_FILES + 3)],
        f"more than {MOST_FILES} files",
    ),
    "a pickle beside": (lambda folder: (folder / "a.pkl").write_bytes(pickle.dumps(Evil())), "has no place"),
    "a file of git": (lambda folder: (folder / ".gitattributes").write_text("x"), "has no place"),
    "a name with a line break": (lambda folder: (folder / "a\n.json").write_text("x"), r"'a\\n.json' has no place"),
    "a folder": (lambda folder: (folder / "deep.onnx").mkdir(), "is no plain file"),
    "a link": (linked, "is no plain file"),
    "a second name": (lambda folder: os.link(folder / WEIGHTS, folder.parent / "x"), "has another name"),
    "a pipe": (lambda folder: os.mkfifo(folder / "pipe.onnx"), "is no plain file"),
    "a manifest by a link": (lambda folder: linked(folder, MANIFEST), "is no plain file"),
    **{
        f"listed {name!a}": (listed_as(name), "has no place")
        for name in ("../x.json", "/etc/x.json", "a\\b.json", "..", ".hidden.json", "x.pkl", "a/b.json")
    },
    "listed with a zero": (listed_as("a\0.json"), r"a\\x00\.json"),
    "a huge manifest": (lambda folder: (folder / MANIFEST).write_bytes(b" " * 2**21), "at most 1048576 are read"),
    "a manifest that is none": (lambda folder: (folder / MANIFEST).write_text("[" * 100_000), "it is no JSON"),
    "two kinds": (twice, "it is no JSON"),
    "another kind": (with_manifest(kind="pickle"), "manifest.json is none"),
    "a field more": (with_manifest(run="me"), "manifest.json is none"),
    "no card": (with_manifest(card="other.json"), "lists no card"),
    "weights as a card": (with_manifest(card=WEIGHTS), "lists no card"),
    "a size that is too large": (
        with_manifest(files={each: {"sha256": "0" * 64, "bytes": MOST_BYTES} for each in (CARD, WEIGHTS)}),
        "a package of more than",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_package_is_refused(change: str, tmp_path: Path) -> None:
    folder = package(tmp_path)
    CHANGES[change][0](folder)
    with pytest.raises(UntrustedModel, match=CHANGES[change][1]):
        checked(folder)


@pytest.mark.parametrize("name", ["none", "model", f"package/{MANIFEST}"])
def test_what_is_no_package_is_told_so(name: str, tmp_path: Path) -> None:
    package(tmp_path)
    (tmp_path / "model" / "log.csv").unlink()
    (tmp_path / "model" / "best.pt").unlink()
    (tmp_path / "model" / "notes.txt").unlink()
    with pytest.raises(ModelError, match=r"cannot be read as a package|holds no manifest\.json"):
        checked(tmp_path / name)


def test_a_link_to_a_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(package(tmp_path))
    with pytest.raises(UntrustedModel, match="is a link"):
        checked(tmp_path / "link")


# --- what is never loaded, although every hash is right -----------------------------------------------------------


@pytest.mark.parametrize("what", EVIL_WEIGHTS)
def test_evil_weights_are_refused(what: str, tmp_path: Path) -> None:
    folder = forged(tmp_path / "package", {WEIGHTS: EVIL_WEIGHTS[what]})
    with pytest.raises(UntrustedModel, match=r"layout\.onnx is refused"):
        checked(folder)


def test_a_pickle_is_called_one(tmp_path: Path) -> None:
    folder = forged(tmp_path / "package", {WEIGHTS: pickle.dumps(Evil())})
    with pytest.raises(UntrustedModel, match="does not begin as an ONNX model; it is a pickle"):
        checked(folder)


@pytest.mark.parametrize(
    "content",
    [
        *(pickle.dumps(Evil(), each) for each in range(6)),
        b"",
        b"\xff" * 8,
        tensors()[:-1],
        tensors() + b"x",
        (2).to_bytes(8, "little") + b"{}" + pickle.dumps(Evil()),
        (2).to_bytes(8, "little") + b"[]",
        tensors(w={"dtype": "U8", "shape": [3], "data_offsets": [0, 4]}),
        tensors(w={"dtype": "PY", "shape": [4], "data_offsets": [0, 4]}),
        tensors(w={"dtype": "U8", "shape": [-4], "data_offsets": [0, -4]}),
        tensors(w={"dtype": "U8", "shape": [2**40], "data_offsets": [0, 2**40]}),
        tensors(w={"dtype": "U8", "shape": [4], "data_offsets": [0]}),
        tensors(w=[0, 4]),
        tensors(4, w={"dtype": "U8", "shape": [2], "data_offsets": [2, 4]}),
    ],
)
def test_safetensors_that_are_none_are_refused(content: bytes, tmp_path: Path) -> None:
    folder = forged(tmp_path / "package", {WEIGHTS: model(), "w.safetensors": content})
    with pytest.raises(UntrustedModel, match=r"w\.safetensors is refused"):
        checked(folder)


@pytest.mark.parametrize("length", [640, 1152])
def test_safetensors_may_begin_as_pickles_do(length: int) -> None:
    header = json.dumps({"__metadata__": {"of": "nothing"}}).encode().ljust(length)
    content = length.to_bytes(8, "little") + header
    assert content.startswith((b"\x80\x02", b"\x80\x04"))
    assert check_form("w.safetensors", content) == ()


@pytest.mark.parametrize(
    "content", [b"", b"[1]", b"{", b"\xff", b'{"a": NaN}', b'{"a":' * 50_000, pickle.dumps(Evil())]
)
def test_json_that_is_none_is_refused(content: bytes, tmp_path: Path) -> None:
    folder = forged(tmp_path / "package", {WEIGHTS: model(), "x.json": content})
    with pytest.raises(UntrustedModel, match=r"x\.json is refused"):
        checked(folder)


def test_data_beyond_the_end_of_its_file_is_refused(tmp_path: Path) -> None:
    files = {WEIGHTS: model(outside(DATA, offset=8, length=8)), DATA: bytes(12)}
    with pytest.raises(UntrustedModel, match=r"lies beyond the end of layout\.onnx\.data"):
        checked(forged(tmp_path / "package", files))
