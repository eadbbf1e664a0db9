"""The frozen set: made once, named by its content, and refused when anything of it was altered."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from frozen import RECIPE, folder_of, tiny_content, tiny_set  # noqa: F401 - a fixture
from labelled_lines import listed, picture

from pocai.documents.stored import to_json
from pocai.errors import InputError
from pocai.evaluation.dataset import read_dataset
from pocai.evaluation.slices import Slice
from pocai.evaluation.timetables import score, total
from pocai.inference.document_service import RuleAssembler
from pocai.mlops.frozen_made import FIRST, SMALL, WHOLE, Size, default_set, made
from pocai.mlops.frozen_own import own_set
from pocai.mlops.frozen_set import MANIFEST, Content, FrozenSet, is_set, kept, opened, sets_in
from pocai.settings import SchoolHours, Settings
from pocai.synthetic.dataset import write_documents
from pocai.synthetic.layouts import FAMILIES, HELD_OUT
from pocai.synthetic.made_document import DocumentSet

SETTINGS = Settings.model_construct()
FEW = Size(plain=3, read=0, lines=5)


@pytest.fixture
def copied(tiny: FrozenSet, tmp_path: Path) -> Path:
    """A copy of the tiny set that may be altered."""
    return Path(shutil.copytree(folder_of(tiny), tmp_path / folder_of(tiny).name))


def never() -> Content:
    raise AssertionError("it was made again")


def test_what_is_kept_comes_back(tiny: FrozenSet) -> None:
    wanted = tiny_content()
    for document, kept_one in zip(wanted.documents, tiny.documents(), strict=True):
        assert to_json(kept_one.document) == to_json(document.document)
        assert (kept_one.name, kept_one.truth, kept_one.slices) == (document.name, document.truth, document.slices)
    for line, kept_line in zip(wanted.lines, tiny.lines(), strict=True):
        assert np.array_equal(line.image, kept_line.image)
        assert (kept_line.text, kept_line.slices) == (line.text, line.slices)


def test_documents_are_those_that_their_labels_are_of(tiny: FrozenSet) -> None:
    rules = RuleAssembler(SchoolHours())
    found = total(score(each.truth, rules.assemble(each.document)) for each in tiny.documents())
    assert found.golds > 200
    assert found.figures.block > 0.6


def test_a_set_is_made_once_and_the_same_everywhere(tiny: FrozenSet, tmp_path: Path) -> None:
    assert kept(folder_of(tiny).parent, RECIPE, never) == tiny
    one, other = (kept(tmp_path / name, {}, lambda: made(FEW)) for name in ("one", "other"))
    assert one.sha256 == other.sha256 == folder_of(one).name
    assert one.sha256 != tiny.sha256


def test_another_recipe_makes_another_set(tiny: FrozenSet) -> None:
    content = tiny_content()
    other = kept(folder_of(tiny).parent, {"kind": "other"}, lambda: Content(content.documents[:1], ()))
    assert other.sha256 != tiny.sha256
    assert len(list(other.documents())) == 1
    assert list(other.lines()) == []
    both = tiny.with_(other).with_(tiny)
    assert len(both.folders) == 2
    assert both.sha256 not in {tiny.sha256, other.sha256}
    assert both.sha256 == other.with_(tiny).sha256
    assert len(list(both.documents())) == len(content.documents) + 1
    both.verify()


def _add(folder: Path) -> None:
    (folder / "documents" / "99999.json").write_bytes((folder / "documents/00000.json").read_bytes())


def _alter(folder: Path) -> None:
    file = folder / "documents/00001.json"
    file.write_text(
        file.read_text(encoding="utf-8").replace('"day": "Monday"', '"day": "Tuesday"', 1), encoding="utf-8"
    )


def _easier(folder: Path) -> None:
    """Take away a document, and say so in the manifest."""
    (folder / "documents/00001.json").unlink()
    held = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    del held["files"]["documents/00001.json"]
    (folder / MANIFEST).write_text(json.dumps(held), encoding="utf-8")


def _link(folder: Path) -> None:
    target = folder.parent / "elsewhere.json"
    shutil.move(folder / "documents/00000.json", target)
    (folder / "documents/00000.json").symlink_to(target)


ALTERATIONS: list[tuple[Callable[[Path], object], str]] = [
    (_add, "was added to"),
    (_alter, "was altered"),
    (_easier, "not what its name says"),
    (_link, "was altered"),
    (lambda folder: (folder / "lines.npz").unlink(), "is missing from"),
    (lambda folder: (folder / "lines.npz").write_bytes(b"PK\x05\x06" + bytes(18)), "was altered"),
    (lambda folder: (folder / MANIFEST).write_text("{}"), "holds no frozen set"),
    (lambda folder: (folder / MANIFEST).write_text("["), "holds no frozen set"),
]


@pytest.mark.parametrize(("alter", "why"), ALTERATIONS)
def test_an_altered_set_is_refused(copied: Path, alter: Callable[[Path], object], why: str) -> None:
    assert opened(copied).sha256 == copied.name
    alter(copied)
    with pytest.raises(InputError, match=why):
        FrozenSet((copied,)).verify()
    with pytest.raises(InputError, match=why):
        opened(copied)


def test_an_altered_set_is_neither_used_nor_made_again_in_silence(copied: Path) -> None:
    _alter(copied)
    with pytest.raises(InputError, match="was altered"):
        kept(copied.parent, RECIPE, never)
    with pytest.raises(InputError, match="was altered"):
        list(FrozenSet((copied,)).documents())


def test_a_set_under_another_name_is_refused(copied: Path) -> None:
    other = copied.rename(copied.with_name("0" * 64))
    with pytest.raises(InputError, match="not what its name says"):
        opened(other)


def test_making_it_leaves_nothing_behind_when_it_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        kept(tmp_path, RECIPE, never)
    assert list(tmp_path.iterdir()) == []


def test_the_default_set_has_every_family_in_every_way_of_reading() -> None:
    from pocai.mlops.frozen_made import _PLAIN, _READ

    families = list(FAMILIES)
    kinds = [_PLAIN[number % len(_PLAIN)] for number in range(WHOLE.plain)]
    met = {(families[number % len(families)], kind) for number, kind in enumerate(kinds)}
    assert {family for family, _ in met} == set(FAMILIES) > HELD_OUT
    assert all(len({kind for family, kind in met if family == name}) >= 3 for name in FAMILIES)
    assert all({"native", "imitated"} == {kind[0] for family, kind in met if family == name} for name in FAMILIES)
    assert {kind for kind, _ in (*_PLAIN, *_READ)} == {"native", "imitated", "clean picture", "damaged picture"}
    assert SMALL.read == 0
    assert FIRST > 1_000 * 4_000_000 * 200


def test_slices_say_what_a_document_is(tiny: FrozenSet) -> None:
    documents = list(tiny.documents())
    dimensions = {each.dimension for document in documents for each in document.slices}
    assert {"set", "reading", "layout", "layouts", "language"} <= dimensions
    assert all(Slice("set", "made") in document.slices for document in documents)
    kinds = {each.value for line in tiny.lines() for each in line.slices if each.dimension == "lines"}
    assert kinds == {"printed", "damaged", "badly damaged", "rare letters"}


def test_the_default_set_lies_where_only_we_may_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pocai.mlops.frozen_made.SMALL", FEW)
    told: list[float] = []
    found = default_set(tmp_path / "home", small=True, tell=lambda _, share: told.append(share))
    assert folder_of(found).parent == tmp_path / "home" / "frozen"
    assert (tmp_path / "home" / "frozen").stat().st_mode & 0o777 == 0o700
    assert told[-1] == 1.0
    assert default_set(tmp_path / "home", small=True, tell=lambda *_: pytest.fail("made again")) == found


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own") / "documents of Mr Smith"
    write_documents(folder, DocumentSet(4711, 3, ("pdf", "docx"), "clean"))
    for label in (folder / "truth").iterdir():
        truth = json.loads(label.read_text(encoding="utf-8"))
        truth["slices"]["school"] = "Smith School"
        label.write_text(json.dumps(truth), encoding="utf-8")
    return folder


def test_documents_of_ones_own_are_read_once(documents: Path, tmp_path: Path) -> None:
    found = own_set(tmp_path, documents, "documents", SETTINGS)
    held = list(found.documents())
    assert len(held) == 3
    assert all(Slice("set", "own") in each.slices for each in held)
    assert {each.value for document in held for each in document.slices if each.dimension == "format"} == {
        "pdf",
        "docx",
    }
    assert {json.dumps(each.truth["timetables"]) for each in held} == {
        json.dumps(each.truth["timetables"]) for each in read_dataset(documents).documents
    }
    assert own_set(tmp_path, documents, "documents", SETTINGS, lambda *_: pytest.fail("read again")) == found
    told = (folder_of(found) / MANIFEST).read_text(encoding="utf-8") + "".join(
        f"{each.name}{each.slices}" for each in held
    )
    assert "Smith" not in told
    assert "00000" not in "".join(each.name for each in held)


def test_documents_that_change_are_read_again(documents: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(documents, tmp_path / "changing"))
    before = own_set(tmp_path, folder, "documents", SETTINGS)
    label = folder / "truth/00000.json"
    label.write_text(label.read_text(encoding="utf-8").replace('"Monday"', '"Sunday"'), encoding="utf-8")
    assert own_set(tmp_path, folder, "documents", SETTINGS).sha256 != before.sha256


def test_line_pictures_of_ones_own(tmp_path: Path) -> None:
    texts = ["Maths", "English", "Room 12"]
    folder = listed(tmp_path / "lines", {f"{number}.png": text for number, text in enumerate(texts)})
    found = own_set(tmp_path, folder, "lines", SETTINGS)
    lines = {line.text: line for line in found.lines()}
    assert sorted(lines) == sorted(texts)
    assert np.array_equal(lines["Maths"].image, picture("Maths"))
    assert list(found.documents()) == []


def test_a_folder_that_is_a_frozen_set_is_taken_as_it_is(tiny: FrozenSet, documents: Path, tmp_path: Path) -> None:
    assert own_set(tmp_path, folder_of(tiny), "documents", SETTINGS) == tiny
    assert not is_set(documents), "a made data set has a manifest too"
    assert sets_in(tmp_path).is_dir()


@pytest.mark.parametrize("what", ["documents", "lines"])
def test_an_empty_folder_is_no_set(tmp_path: Path, what: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no files"):
        own_set(tmp_path, tmp_path / "empty", "documents" if what == "documents" else "lines", SETTINGS)
