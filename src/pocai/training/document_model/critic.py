"""Fitting the critic: documents with their truth are read by the rules and by the layout transformer, and compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocai.documents.page import Document
from pocai.errors import InputError
from pocai.evaluation.timetables import score
from pocai.models.critic import CODES, NAMES, CriticCard, figures
from pocai.models.protocols import DocumentModel
from pocai.settings import SchoolHours
from pocai.training.document_model.logistic import logistic_regression

RIDGE = 0.3  # of the regression; its weights are gains of block F1, a tenth of a document each
FEWEST = 20  # documents
ASKED = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))  # probabilities from which the transformer is taken
COST = 0.01  # of mean block F1
SIGNS = {**dict.fromkeys(CODES, 1), **dict.fromkeys(("day", "start", "end"), -1)}

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Compared:
    """Two readings of one document: the critic's figures, and the block F1 of each."""

    figures: tuple[float, ...]
    rules: float
    layout: float


def compared(
    documents: Iterable[tuple[Document, dict[str, Any]]], rules: DocumentModel, layout: DocumentModel
) -> list[Compared]:
    """Each document, given with its truth as `pocai.evaluation` reads it, assembled by both models."""
    found = []
    for document, truth in documents:
        readings = rules.assemble(document), layout.assemble(document)
        one, other = (score(truth, each).figures.block for each in readings)
        found.append(Compared(figures(*readings, SchoolHours()), one, other))
    return found


def fit_critic(known: Sequence[Compared], version: str) -> CriticCard:
    """The card of a critic that learned from some documents; each counts as much as the choice matters.

    Made documents are what the transformer knows best, and a school's are not made. So the rules have the benefit of
    the doubt: as high a probability is asked for as costs less than `COST` on the documents known. Raises InputError
    for fewer than 20 documents.
    """
    if len(known) < FEWEST:
        raise InputError(f"{len(known)} documents are too few for a critic", mend=f"Give at least {FEWEST}")
    inputs = np.array([each.figures for each in known], np.float64)
    gains = np.array([each.layout - each.rules for each in known], np.float64)
    means, spreads = inputs.mean(axis=0), inputs.std(axis=0) + 1e-3
    scaled = (inputs - means) / spreads
    weights, constant = _sensible(scaled, gains)
    card = CriticCard(
        version=version,
        names=NAMES,
        means=_rounded(means),
        spreads=_rounded(spreads),
        weights=_rounded(weights),
        constant=round(constant, 6),
    )
    cards = [card.model_copy(update={"least": least}) for least in ASKED]
    chosen = [measured(each, known)["chosen"] for each in cards]
    return max(
        (c for c, figure in zip(cards, chosen, strict=True) if figure >= max(chosen) - COST), key=lambda c: c.least
    )


def _sensible(scaled: Matrix, gains: Matrix) -> tuple[Matrix, float]:
    """Weights and constant of the regression; a figure whose weight would turn a fault into a merit gets none.

    Figures are the rules' minus the transformer's: more faults of the rules may only speak for the transformer, more
    days and times of theirs only for the rules. Rare faults would else get weights of either sign.
    """
    kept = list(range(len(NAMES)))
    while True:
        *found, constant = logistic_regression(scaled[:, kept], (gains > 0).astype(float), RIDGE, 10 * np.abs(gains))
        against = {place: weight * SIGNS.get(NAMES[place], 0) for place, weight in zip(kept, found, strict=True)}
        worst = min(against, key=lambda place: against[place])
        if against[worst] >= 0:
            weights = np.zeros(len(NAMES))
            weights[kept] = found
            return weights, float(constant)
        kept.remove(worst)


def measured(card: CriticCard, documents: Sequence[Compared]) -> dict[str, float]:
    """Mean block F1 over documents: of each model alone, as the critic chooses, and of the better one each time."""
    odds = (np.array([each.figures for each in documents]) - card.means) / card.spreads @ card.weights + card.constant
    takes = odds >= np.log(card.least / (1 - card.least))
    rules, layout = (np.array([getattr(each, name) for each in documents]) for name in ("rules", "layout"))
    figures_ = {
        "documents": float(len(documents)),
        "rules": rules.mean(),
        "layout": layout.mean(),
        "chosen": np.where(takes, layout, rules).mean(),
        "better": np.maximum(rules, layout).mean(),
    }
    return {name: round(float(value), 4) for name, value in figures_.items()}


def _rounded(values: Matrix) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)
