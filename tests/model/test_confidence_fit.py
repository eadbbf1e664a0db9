"""Field confidence is fitted for real: documents are made, read, judged and learned from, in small."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pocai.cli import main
from pocai.cli.kept_reading import KeptReading
from pocai.errors import ConfigurationError, InputError, UnknownModel, UnreadableDocument
from pocai.inference import pipeline
from pocai.models.field_confidence import FieldConfidenceCard, block_confidences, confident
from pocai.settings import Settings
from pocai.training.document_model.boosting import Boosting
from pocai.training.document_model.confidence import PARTS, ConfidencePlan, fit
from pocai.training.document_model.judged_documents import WasRead, judge_documents, judged_set

SETTINGS = Settings.model_construct(threads=1)
PLAN = ConfidencePlan(fit=12, calibrate=8, test=4, formats=("xlsx", "png", "jpeg", "scan"), boosting=Boosting(trees=25))
CARD = "rules.json"
QUICK = ConfidencePlan(fit=3, calibrate=2, test=2, formats=("xlsx", "docx"), boosting=Boosting(trees=3))


def read(path: Path) -> WasRead:
    found = pipeline.read(path, name=path.name, settings=SETTINGS)
    return WasRead(found.timetables, found.document)


def unreadable(path: Path) -> WasRead:
    raise UnreadableDocument(f"{path.name} is damaged")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("confidence")
    fit(folder, folder / "out", read, PLAN)
    return folder


@pytest.fixture(scope="module")
def card(run: Path) -> FieldConfidenceCard:
    return FieldConfidenceCard.read(run / "out" / CARD)


def test_the_card_says_what_it_was_fitted_on_and_how_it_did(card: FieldConfidenceCard) -> None:
    assert card.trained_on == "12 made documents, calibrated on 8 others"
    assert card.recipe["boosting"]["trees"] == 25
    assert "processes" not in card.recipe
    assert {"day", "name", "startTime", "endTime"} <= card.fields.keys()
    block = card.metrics["block"]
    assert block["values"] > 50
    assert 0 <= block["ece"] <= 0.5
    assert any(name.startswith("block, layout") for name in card.metrics)


def test_its_confidences_are_probabilities_and_rank_better_than_chance(run: Path, card: FieldConfidenceCard) -> None:
    judged = judged_set(sorted((run / "judged" / "rules").glob("fit*/*.npz")))
    sure = card.fields["name"].probabilities(judged.figures)
    right = judged.right("name")
    assert ((sure > 0) & (sure < 1)).all()
    assert 0 < right.sum() < len(right)
    assert sure[right].mean() > sure[~right].mean() + 0.01


def test_a_document_that_was_read_gets_its_confidences(run: Path, card: FieldConfidenceCard) -> None:
    path = min((run / "documents" / "test-known" / "documents").iterdir())
    found = read(path)
    sure = confident(found.timetables, found.document, "rules", card=card)
    marks = [mark for each in sure for block in each.timeblocks for field, mark in block.fields.items()]
    assert marks
    assert all(mark.confidence is not None and mark.reason is None for mark in marks)
    assert None not in [each for timetable in sure for each in block_confidences(timetable, card)]


def test_no_document_is_in_two_parts() -> None:
    seeds = [
        range(made.seed, made.seed + made.count) for part in PARTS for made in ConfidencePlan().sets(part).values()
    ]
    assert all(not set(one) & set(other) for n, one in enumerate(seeds) for other in seeds[:n])
    assert {made.layouts for made in ConfidencePlan().sets("fit").values()} == {"train"}
    assert {made.layouts for made in ConfidencePlan().sets("test").values()} == {"train", "test"}


def test_an_interrupted_fit_goes_on_and_gives_the_same_card(tmp_path: Path) -> None:
    calls: list[str] = []

    def breaking(path: Path) -> WasRead:
        calls.append(path.name)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return read(path)

    fit(tmp_path / "whole", tmp_path / "out", read, QUICK)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "broken", tmp_path / "again", breaking, QUICK)
    fit(tmp_path / "broken", tmp_path / "again", breaking, QUICK)
    assert len(calls) == 7 + 1  # every document once, and the one that broke again
    assert (tmp_path / "again" / CARD).read_bytes() == (tmp_path / "out" / CARD).read_bytes()


def test_several_processes_give_the_same(tmp_path: Path) -> None:
    one = fit(tmp_path / "one", tmp_path / "out", read, QUICK)
    two = fit(tmp_path / "two", tmp_path / "out", read, replace(QUICK, processes=2))
    assert one == two


def test_work_of_another_kind_is_not_continued(run: Path) -> None:
    with pytest.raises(ConfigurationError, match="document_model differ"):
        judge_documents(
            run / "documents" / "fit",
            run / "judged" / "rules" / "fit",
            read,
            (1, {"document_model": "base", "pocai": "0.1.0"}),
        )


def test_a_document_that_cannot_be_read_is_left_out(run: Path, tmp_path: Path) -> None:
    files = judge_documents(run / "documents" / "test-known", tmp_path, unreadable)
    with np.load(files[0]) as arrays:
        assert str(arrays["error"]) == "unreadable_document"
    with pytest.raises(InputError, match="no block"):
        judged_set(files)


def test_progress_is_told_of_each_set(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    fit(tmp_path / "work", tmp_path / "out", read, QUICK, lambda *what: told.append(what))
    assert told[0] == ("fit", 1, 3)
    assert told[-1] == ("test-held-out read", 1, 1)


def test_documents_that_were_read_once_serve_every_model(run: Path, tmp_path: Path) -> None:
    path = min((run / "documents" / "test-known" / "documents").iterdir())
    first = KeptReading(tmp_path / "read", SETTINGS, "rules")(path)
    (file,) = (tmp_path / "read").iterdir()
    again = KeptReading(tmp_path / "read", Settings.model_construct(ocr_engine="no-such-engine"), "rules")(path)
    assert repr(again) == repr(first)
    assert blocks(again) == blocks(
        WasRead(pipeline.read(path, name=path.name, settings=SETTINGS).timetables, first.document)
    )
    assert all(page.image is None for page in again.document.pages)
    file.write_bytes(b"something else")
    with pytest.raises(InputError, match="no document that was kept"):
        KeptReading(tmp_path / "read", SETTINGS, "rules")(path)


def blocks(read: WasRead) -> list[tuple[str | None, ...]]:
    return [(b.day, b.name, b.start_time, b.end_time, b.notes) for each in read.timetables for b in each.timeblocks]


def test_a_model_that_is_not_there_is_told_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="no-such-model"):
        KeptReading(tmp_path / "read", SETTINGS, "no-such-model")
    assert list(tmp_path.iterdir()) == []


def test_the_command_fits_a_card_for_a_model(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["train", "field-confidence", "-o", str(tmp_path), "--model", "rules", "--documents", "10"])
    assert caught.value.code == 0
    card = FieldConfidenceCard.read(tmp_path / CARD)
    assert (card.document_model, card.version) == ("rules", "0")
    assert len(list((tmp_path / "read").iterdir())) == 10
