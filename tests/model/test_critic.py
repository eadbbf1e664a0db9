"""The critic learns to tell the better of two readings from what they look like, without a word of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pocai.documents.page import Document
from pocai.errors import InputError, ModelError
from pocai.models.card import card_file
from pocai.models.critic import CODES, NAMES, CriticCard, figures, shipped
from pocai.models.layout import SHIPPED_LAYOUT, LayoutCard
from pocai.settings import SchoolHours
from pocai.synthetic.compose import compose
from pocai.timetable.timetable import TimeBlock, Timetable
from pocai.training.document_model.critic import Compared, compared, fit_critic, measured

HOURS = SchoolHours()
Week = tuple[Timetable, ...]


def spoilt(timetables: Week, rng: np.random.Generator) -> Week:
    """Times lost, names run together."""

    def block(number: int, table: Timetable) -> TimeBlock:
        old = table.timeblocks[number]
        if rng.random() < 0.5:
            return old.model_copy(update={"start_time": None, "end_time": None})
        return old.model_copy(update={"name": f"{old.name} {table.timeblocks[number - 1].name}"})

    return tuple(
        table.model_copy(update={"timeblocks": tuple(block(n, table) for n in range(len(table.timeblocks)))})
        for table in timetables
    )


@dataclass
class Says:
    """A document model that says what it was told."""

    readings: list[Week]
    name: str = "fake"

    def assemble(self, document: Document) -> Week:
        return self.readings[int(document.name)]


@pytest.fixture(scope="module")
def known() -> list[Compared]:
    rng = np.random.default_rng(2)
    truths = [compose(seed).timetables for seed in range(80)]
    right = rng.random(80) < 0.5
    rules = [truth if good else spoilt(truth, rng) for truth, good in zip(truths, right, strict=True)]
    layout = [spoilt(truth, rng) if good else truth for truth, good in zip(truths, right, strict=True)]
    documents = [
        (Document((), "pdf", "", str(n)), {"timetables": [t.model_dump(by_alias=True, mode="json") for t in truth]})
        for n, truth in enumerate(truths)
    ]
    return compared(documents, Says(rules), Says(layout))


def test_the_better_reading_is_chosen_on_documents_never_seen(known: list[Compared]) -> None:
    card = fit_critic(known[:60], "test")
    found = measured(card, known[60:])
    assert found["documents"] == 20
    assert found["better"] > 0.99
    assert max(found["rules"], found["layout"]) < 0.9
    assert found["chosen"] > 0.97


def test_a_card_comes_back_and_judges_alike(known: list[Compared], tmp_path: Path) -> None:
    card = fit_critic(known, "test")
    card.write(tmp_path / "critic.json")
    assert CriticCard.read(tmp_path / "critic.json") == card
    truth = compose(500).timetables
    worse = spoilt(truth, np.random.default_rng(1))
    assert card.prefers_layout(worse, truth, HOURS)
    assert not card.prefers_layout(truth, worse, HOURS)


def test_two_like_readings_agree() -> None:
    truth = compose(3).timetables
    found = dict(zip(NAMES, figures(truth, truth, HOURS), strict=True))
    assert (found.pop("agree"), found.pop("agree_slot")) == (1, 1)
    assert set(found.values()) == {0}
    assert figures((), (), HOURS)[0] == 0


def test_what_cannot_be_a_card_is_refused(known: list[Compared], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="too few"):
        fit_critic(known[:10], "test")
    with pytest.raises(ModelError, match="no critic's card"):
        CriticCard.read(tmp_path / "missing.json")
    card = fit_critic(known, "test").model_copy(update={"names": ("agree",)})
    card.write(tmp_path / "other.json")
    with pytest.raises(ModelError, match="other figures"):
        CriticCard.read(tmp_path / "other.json")


def test_the_card_in_the_package_is_whole() -> None:
    card = shipped()
    assert card.metrics["held out"]["chosen"] >= max(card.metrics["held out"][name] for name in ("rules", "layout"))


def test_the_shipped_critic_judges_the_shipped_transformer() -> None:
    assert shipped().layout_sha256 == LayoutCard.read(card_file(SHIPPED_LAYOUT.file)).sha256


def test_no_fault_of_a_reading_speaks_for_it() -> None:
    card = shipped()
    weights = dict(zip(card.names, card.weights, strict=True))
    assert all(weights[code] >= 0 for code in CODES)
    assert all(weights[name] <= 0 for name in ("day", "start", "end"))


def test_a_rare_fault_learns_no_wrong_sign(known: list[Compared]) -> None:
    """Faults that stand in the better reading by chance get no weight."""
    place = NAMES.index("order")
    odd = []
    for each in known:
        seen = list(each.figures)
        seen[place] = -float(each.layout > each.rules)
        odd.append(Compared(tuple(seen), each.rules, each.layout))
    assert fit_critic(odd, "1").weights[place] == 0.0
