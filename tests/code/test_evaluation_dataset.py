"""Labelled folders, slices, and the run over them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocai.documents.page import Box, Cell, Document, Format, Matrix, Page, Rule, Table
from pocai.errors import InputError, UnreadableDocument
from pocai.evaluation.dataset import read_dataset
from pocai.evaluation.evaluate import Evaluated, Extraction, evaluate
from pocai.evaluation.slices import Slice, layout_of, photographed, quarter_turns, ruled, slices_of
from pocai.timetable.timetable import Timetable

BLOCK = {"day": "Monday", "name": "Art", "startTime": "9:00", "endTime": "09:50", "notes": None}
LABEL: dict[str, Any] = {"timeblocks": [BLOCK], "words": ["Monday", "Art", "–"]}


def label(folder: Path, name: str, content: object) -> None:
    folder.mkdir(exist_ok=True, parents=True)
    (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


def document(folder: Path, name: str) -> None:
    folder.mkdir(exist_ok=True, parents=True)
    (folder / name).write_bytes(b"some bytes")


def timetable(*blocks: dict[str, Any]) -> Timetable:
    return Timetable.model_validate({"timeblocks": blocks})


def test_documents_and_truth_in_two_folders(tmp_path: Path) -> None:
    document(tmp_path / "documents", "b.pdf")
    document(tmp_path / "documents", "a.png")
    label(tmp_path / "truth", "a", LABEL)
    label(tmp_path / "truth", "b", {"timetables": [LABEL, LABEL]})

    dataset = read_dataset(tmp_path)

    assert [(each.name, each.path.name) for each in dataset.documents] == [("a", "a.png"), ("b", "b.pdf")]
    assert dataset.documents[0].words == ("Monday", "Art", "–")


def test_documents_and_truth_side_by_side(tmp_path: Path) -> None:
    for name in ("a.png", "unlabelled.docx", ".hidden"):
        document(tmp_path, name)
    label(tmp_path, "a", LABEL)
    label(tmp_path, "sources", ["another file"])

    dataset = read_dataset(tmp_path)

    assert [each.path.name for each in dataset.documents] == ["a.png"]
    assert dataset.unlabelled == ("unlabelled",)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ([], "a.json: is not a JSON object"),
        ({}, "a.json: timeblocks is not a list"),
        ({"timetables": [3]}, "a.json: timetables is not a list of objects"),
        ({"timeblocks": ["Art"]}, "timeblocks[0] is not an object"),
        ({"timeblocks": [BLOCK, BLOCK | {"name": ""}]}, "timeblocks[1].name is missing"),
        ({"timeblocks": [BLOCK | {"day": 1}]}, "timeblocks[0].day is not a text"),
        ({"timeblocks": [BLOCK | {"startTime": "9.00"}]}, "timeblocks[0].startTime is not a time"),
        ({"timeblocks": [BLOCK | {"accept": {}}]}, "timeblocks[0].accept is not a list"),
        ({"timeblocks": [BLOCK | {"accept": [{"endTime": "24:00"}]}]}, "accept[0].endTime is not a time"),
        ({"timeblocks": [BLOCK | {"accept": ["Art"]}]}, "accept[0] is not an object"),
        (LABEL | {"words": "Art"}, "words is not a list"),
        (LABEL | {"slices": ["photo"]}, "slices is not an object"),
    ],
)
def test_a_bad_label_is_named_with_its_place(tmp_path: Path, content: object, place: str) -> None:
    document(tmp_path, "a.png")
    label(tmp_path, "a", content)

    with pytest.raises(InputError) as caught:
        read_dataset(tmp_path)

    assert place in str(caught.value)


def test_all_bad_labels_are_reported_at_once_and_without_their_text(tmp_path: Path) -> None:
    for name in "abcdefghijkl":
        document(tmp_path, f"{name}.png")
        label(tmp_path, name, {"timeblocks": [BLOCK | {"endTime": "Ms Secret"}]})

    with pytest.raises(InputError, match=r"12 mistakes .* and 2 more") as caught:
        read_dataset(tmp_path)

    assert "Secret" not in str(caught.value)


def test_broken_json_missing_documents_and_twins_are_reported(tmp_path: Path) -> None:
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "broken.json").write_bytes(b"{\xff")
    label(tmp_path / "truth", "lonely", LABEL)
    label(tmp_path / "truth", "twins", LABEL)
    for name in ("broken.png", "twins.png", "twins.pdf"):
        document(tmp_path / "documents", name)

    with pytest.raises(InputError) as caught:
        read_dataset(tmp_path)

    assert "broken.json: cannot be read as JSON" in str(caught.value)
    assert "lonely.json: no document has this name" in str(caught.value)
    assert "twins.json: several documents have this name" in str(caught.value)


def test_a_folder_without_labels_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Put NAME\.json beside each document"):
        read_dataset(tmp_path)
    with pytest.raises(InputError, match="is not a folder"):
        read_dataset(tmp_path / "nowhere")


def marked(day: str, box: tuple[float, float, float, float]) -> dict[str, Any]:
    return BLOCK | {"day": day, "startTime": None, "endTime": None, "fields": {"day": {"page": 0, "box": box}}}


@pytest.mark.parametrize(
    ("monday", "tuesday", "layout"),
    [
        ((0, 0, 9, 5), (100, 2, 110, 7), "columns"),
        ((0, 0, 9, 5), (1, 80, 10, 85), "rows"),
        ((0, 0, 90, 5), (0, 0, 90, 5), "lists"),
    ],
)
def test_layout_follows_where_the_days_are_printed(
    monday: tuple[float, float, float, float], tuesday: tuple[float, float, float, float], layout: str
) -> None:
    assert layout_of([timetable(marked("Monday", monday), marked("Tuesday", tuesday))]) == layout


def test_layout_is_unknown_for_one_day_or_none() -> None:
    assert layout_of([timetable(marked("Monday", (0, 0, 9, 9)))]) is None
    assert layout_of([]) is None


def rules(*, across: int, down: int) -> tuple[Rule, ...]:
    return (
        *(Rule((0, 10.0 * y), (90, 10.0 * y)) for y in range(across)),
        *(Rule((10.0 * x, 0), (10.0 * x, 90)) for x in range(down)),
        *(Rule((5, 5.0 * y), (9, 5.0 * y)) for y in range(9)),  # underlines
    )


def test_ruled_asks_for_long_lines_both_ways() -> None:
    assert ruled(Page(0, 100, 100, rules=rules(across=4, down=5))) == "yes"
    assert ruled(Page(0, 100, 100, rules=rules(across=4, down=1))) == "partly"
    assert ruled(Page(0, 100, 100, rules=rules(across=0, down=1))) == "no"
    assert ruled(Page(0, 100, 100, tables=(Table((Cell(Box(0, 0, 1, 1), 0, 0),)),))) == "yes"


def test_rotation_is_read_from_the_way_back_to_the_upload() -> None:
    turned: Matrix = (0.01, -1, 99, 1, 0.01, 0, 0, 0, 1)

    assert quarter_turns((1, 0.02, 0, -0.02, 1, 0, 0, 0, 1)) == 0
    assert quarter_turns(turned) == 1


def test_a_noisy_unevenly_lit_page_is_a_photo_and_a_clean_or_merely_noisy_one_is_not() -> None:
    chance = np.random.default_rng(5)
    clean = np.full((300, 400, 3), 250, np.uint8)
    noise = chance.normal(0, 6, clean.shape)
    light = np.linspace(80, 240, 400)[None, :, None]

    assert not photographed(Page(0, 400, 300, image=clean))
    assert not photographed(Page(0, 400, 300, image=np.clip(clean - 20 + noise, 0, 255).astype(np.uint8)))
    assert photographed(Page(0, 400, 300, image=np.clip(light + noise, 0, 255).astype(np.uint8)))


def test_a_page_taken_at_an_angle_is_a_photo() -> None:
    assert photographed(Page(0, 1000, 800, to_source=(1, 0, 0, 0, 1, 0, 1e-4, 0, 1)))


def some_document(kind: Format, page: Page) -> Document:
    return Document((page,), kind, sha256="0")


def test_what_the_label_states_wins_over_what_is_derived() -> None:
    found = slices_of({"photo": True, "term": "short"}, some_document("jpeg", Page(0, 10, 10)))

    assert found == (
        Slice("format", "jpeg"),
        Slice("photo", "yes"),
        Slice("rotated", "no"),
        Slice("ruled", "no"),
        Slice("term", "short"),
    )


def test_a_native_document_is_neither_rotated_nor_photographed() -> None:
    found = dict(slices_of({}, some_document("docx", Page(0, 10, 10))))

    assert found == {"format": "docx", "ruled": "no"}


def labelled_folder(tmp_path: Path) -> Path:
    for name in ("crash", "damaged", "good"):
        document(tmp_path, f"{name}.png")
        label(tmp_path, name, LABEL | {"slices": {"kind": "odd" if name == "good" else "even"}})
    return tmp_path


def extract(path: Path) -> Extraction:
    if path.stem == "damaged":
        raise UnreadableDocument("it is damaged", mend="Save it again")
    if path.stem == "crash":
        raise ValueError("Ms Secret")
    page = Page(0, 40, 30, image=np.full((30, 40, 3), 255, np.uint8))
    art = timetable(BLOCK | {"startTime": "09:00"})
    return Extraction((art,), words=("Art", "Tuesday"), document=some_document("png", page))


def test_an_evaluation_scores_every_document_and_survives_those_that_fail(tmp_path: Path) -> None:
    seen: list[str] = []

    def progress(done: Evaluated) -> None:
        seen.append(done.name)

    result = evaluate(read_dataset(labelled_folder(tmp_path)), extract, progress)

    crash, damaged, good = result.documents
    assert seen == ["crash", "damaged", "good"]
    assert good.counts.exact == 1
    assert good.error is None
    assert damaged.error == "it is damaged. Save it again"
    assert damaged.counts.figures.block == 0
    assert crash.error is not None
    assert crash.error.startswith("crashed: ValueError at test_evaluation_dataset.py:")
    assert result.counts.figures.block == pytest.approx(0.5)  # micro: 2 * 1 hit / (3 gold + 1 predicted)


def test_words_of_a_failed_document_count_as_unread(tmp_path: Path) -> None:
    result = evaluate(read_dataset(labelled_folder(tmp_path)), extract)

    assert result.recall is not None
    assert (result.recall.found, result.recall.total) == (1, 6)


def test_there_is_no_recall_where_the_extractor_names_no_words(tmp_path: Path) -> None:
    def without_words(path: Path) -> Extraction:
        return Extraction(extract(path).timetables)

    assert evaluate(read_dataset(labelled_folder(tmp_path)), without_words).recall is None


def test_figures_are_kept_apart_by_slice(tmp_path: Path) -> None:
    result = evaluate(read_dataset(labelled_folder(tmp_path)), extract)

    apart = result.by_slice()
    assert [doc.name for doc in apart[Slice("kind", "even")]] == ["crash", "damaged"]
    assert [doc.name for doc in apart[Slice("format", "png")]] == ["good"]


def test_the_json_of_a_result_holds_figures_and_no_document_text(tmp_path: Path) -> None:
    as_json = evaluate(read_dataset(labelled_folder(tmp_path)), extract).to_json()

    assert as_json["slices"]["kind: odd"]["block"] == 1.0
    assert as_json["documents"]["good"]["words"] == 0.5
    assert as_json["all"]["documents"] == 3
    text = json.dumps(as_json)
    assert "Art" not in text
    assert "Secret" not in text
