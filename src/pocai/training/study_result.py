"""What a study found: the best recipe, all its trials, and which keys mattered."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocai.errors import ConfigurationError
from pocai.training.recipe import Recipe
from pocai.training.recipe_text import as_toml
from pocai.training.search_space import chosen

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

_HEADING = ("number", "state", "score", "seconds", "evaluations", "error")
_ENOUGH = 4  # trials that ended by themselves, below which nothing is said about importance


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial. ``score`` is its last one, None where there is none; ``error`` says why it failed."""

    number: int
    state: str
    score: float | None
    seconds: float | None
    evaluations: int
    error: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StudyResult:
    """The best recipe, its score (lower is better) and the number of its trial; all trials in their order.

    ``importance`` is the share (0 to 1, together 1) of each key in what made trials good (Watanabe et al. 2023,
    PED-ANOVA, arXiv:2304.10255); empty where too few trials came to their end.
    """

    recipe: Recipe
    score: float
    number: int
    trials: tuple[TrialRow, ...]
    importance: Mapping[str, float]

    def write(self, folder: Path) -> tuple[Path, Path, Path]:
        """Write ``best.toml``, ``trials.csv`` and ``importance.csv`` into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        heading = f"# Trial {self.number} of {len(self.trials)}, score {self.score:.6g}.\n"
        importance = [("key", "importance"), *((key, f"{share:.4f}") for key, share in self.importance.items())]
        contents = {
            "best.toml": heading + as_toml(self.recipe),
            "trials.csv": _csv(self._rows()),
            "importance.csv": _csv(importance),
        }
        paths = []
        for name, content in contents.items():
            paths.append(folder / name)
            paths[-1].write_text(content, encoding="utf-8", newline="")
        return paths[0], paths[1], paths[2]

    def _rows(self) -> list[tuple[Any, ...]]:
        keys = tuple(dict.fromkeys(key for trial in self.trials for key in trial.values))
        rows = [
            (
                *(trial.number, trial.state, trial.score, trial.seconds, trial.evaluations, trial.error),
                *(trial.values.get(key) for key in keys),
            )
            for trial in self.trials
        ]
        return [(*_HEADING, *keys), *rows]


def result_of(study: Study, recipe: Recipe) -> StudyResult:
    """What a study around ``recipe`` found. Raises ConfigurationError where none of its trials came to its end."""
    from optuna.trial import TrialState

    trials = study.trials
    ended = [trial for trial in trials if trial.state == TrialState.COMPLETE and trial.value is not None]
    if not ended:
        errors = [str(trial.user_attrs["error"]) for trial in trials if "error" in trial.user_attrs]
        last = f"; the last one failed: {errors[-1]}" if errors else ""
        raise ConfigurationError(f"no trial of the study came to its end{last}", mend="Check the recipe and the space")
    best = min(ended, key=lambda trial: (trial.value, trial.number))
    assert best.value is not None, "asked above"
    return StudyResult(
        recipe=recipe.with_values(chosen(best.params)),
        score=best.value,
        number=best.number,
        trials=tuple(_row(trial) for trial in trials if trial.state != TrialState.WAITING),
        importance=_importance(study) if len(ended) >= _ENOUGH else {},
    )


def _row(trial: FrozenTrial) -> TrialRow:
    reported = trial.intermediate_values
    score = trial.value if trial.value is not None or not reported else reported[max(reported)]
    return TrialRow(
        number=trial.number,
        state=trial.state.name.lower(),
        score=score,
        seconds=trial.user_attrs.get("seconds"),
        evaluations=len(reported),
        error=str(trial.user_attrs.get("error", "")),
        values=chosen(trial.params),
    )


def _importance(study: Study) -> dict[str, float]:
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    try:
        return dict(get_param_importances(study, evaluator=PedAnovaImportanceEvaluator()))
    except (ValueError, RuntimeError):  # all trials alike: nothing can be told apart
        return {}


def _csv(rows: list[tuple[Any, ...]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()
