"""``pocai train``: train a model by a recipe; an interrupted run is continued where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pocai.cli.environment import missing_extra
from pocai.errors import ConfigurationError, InputError

if TYPE_CHECKING:
    from pocai.training.datasets import Split
    from pocai.training.recipe import Recipe
    from pocai.training.task import Task

app = typer.Typer(
    help="Train a model by a recipe. An interrupted run is continued where it stopped. Needs the extra `train`."
)

RecipePath = Annotated[Path, typer.Option("-r", "--recipe", help="Recipe (TOML).")]
Output = Annotated[Path, typer.Option("-o", "--output", help="Folder of the run: weights, log, checkpoints.")]
Data = Annotated[Path, typer.Option("--data", help="Folder of line pictures with labels, or of corrected timetables.")]
Values = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the recipe: loop.steps=500.")
]


@app.command()
def ocr_student(
    output: Output,
    recipe: RecipePath = Path("recipes/ocr-student.toml"),
    values: Values = None,
    version: Annotated[str, typer.Option(help="Version that the model card names.")] = "0",
) -> None:
    """Train the compact recognizer, and export it as ONNX with its card."""
    with missing_extra("train"):
        from pocai.training.ocr_model.shipping import shipped
        from pocai.training.tasks import task_of

    chosen = changed(recipe, values)
    weights = _run(task_of(chosen), chosen, output)
    typer.echo("Calibrating on lines that it was not trained on", err=True)
    file = shipped(weights, output, version)
    typer.echo(f"Saved {file}: pocai extract --engine student:{output}", err=True)


@app.command()
def average(
    weights: Annotated[list[Path], typer.Argument(help="best.safetensors of runs that went on from one another.")],
    output: Output,
    version: Annotated[str, typer.Option(help="Version that the model card names.")] = "0",
) -> None:
    """Average the weights of students, where that reads better than each of them, and export the mean."""
    with missing_extra("train"):
        from pocai.training.ocr_model.shipping import shipped
        from pocai.training.soup import average_runs

    file = shipped(average_runs(weights, output), output, version)
    typer.echo(f"Saved {file}: pocai extract --engine student:{output}", err=True)


@app.command()
def ocr_teacher(
    output: Output,
    recipe: RecipePath = Path("recipes/ocr-teacher.toml"),
    base: Annotated[
        str | None, typer.Option(help='Published name, local folder, or "config": a network from scratch.')
    ] = None,
    values: Values = None,
) -> None:
    """Fine-tune TrOCR, or train one from scratch; with a table model.lora, adapters of it."""
    with missing_extra("train"):
        from pocai.training.ocr_model.trocr import TrOCRTask
        from pocai.training.ocr_model.trocr_run import write_best

    chosen = changed(recipe, values, {} if base is None else {"model.base": base})
    task = TrOCRTask(chosen)
    weights = _run(task, chosen, output)
    typer.echo(f"Saved {write_best(task, weights, output / 'model')}", err=True)


@app.command()
def ocr_lora(
    output: Output,
    data: Data,
    recipe: RecipePath = Path("recipes/ocr-lora.toml"),
    base: Annotated[Path | None, typer.Option(help="Weights (safetensors) to adapt; without: those shipped.")] = None,
    values: Values = None,
) -> None:
    """Train an adapter of the student for a style that it reads badly, from some hundred lines."""
    with missing_extra("train"):
        from pocai.training.lora import LoraTask, train_lora
        from pocai.training.lora_lines import Halves, held
        from pocai.training.progress import PrintedProgress
        from pocai.training.tracker import CsvTracker

    chosen = changed(recipe, values, {} if base is None else {"model.base": str(base)})
    lines = checked_lines(data)
    task = LoraTask(chosen, Halves(held(lines.train), held(lines.validation)))
    tracker = CsvTracker(output / "run")
    result = train_lora(chosen, output, task, tracker=tracker, progress=PrintedProgress())
    before, after = (rates["cer/new"] for rates in (result.card.before, result.card.after))
    typer.echo(f"Saved {result.folder}: error rate {before:.1%} without the adapter, {after:.1%} with it", err=True)


@app.command()
def study(  # noqa: PLR0913, PLR0917 -- one parameter an option, as Typer reads them
    output: Output,
    recipe: RecipePath = Path("recipes/ocr-student.toml"),
    space: Annotated[Path, typer.Option(help="What is tried (TOML).")] = Path("recipes/spaces/ocr-student.toml"),
    trials: Annotated[int, typer.Option(min=1, help="Trials in all; those of earlier calls count.")] = 20,
    workers: Annotated[int, typer.Option(min=1, help="Processes that try recipes.")] = 1,
    values: Values = None,
) -> None:
    """Look for a better recipe: an Optuna study that can be interrupted, continued and shared."""
    with missing_extra("train"):
        from pocai.training.search_space import read_space
        from pocai.training.trained_score import TrainedScore
        from pocai.training.tune import StudyPlan, tune

    plan = StudyPlan(output / "study.journal", trials, workers=workers)
    objective = TrainedScore(output / "trials")
    found = tune(objective, changed(recipe, values), read_space(space), plan, _tell_trials)
    for path in found.write(output):
        typer.echo(f"Saved {path}", err=True)


def checked_lines(folder: Path) -> Split[Any]:
    """The lines of a folder, after their checks; the report goes to standard error. Raises InputError for bad data."""
    with missing_extra("train"):
        from pocai.models.catalog import engine
        from pocai.training.checks import check_lines
        from pocai.training.corrections import lines_of_corrected
        from pocai.training.datasets import read_line_folder

    lines: Split[Any]
    if _holds_timetables(folder):
        corrected = lines_of_corrected(folder, engine("ppocr"), progress=_tell_documents)
        typer.echo(str(corrected), err=True)
        lines = corrected.lines
    else:
        lines = read_line_folder(folder)
    report = check_lines(lines.train, lines.validation, faults=lines.faults)
    report.raise_if_bad()
    typer.echo(str(report), err=True)
    return lines


def changed(path: Path, values: list[str] | None, fixed: dict[str, Any] | None = None) -> Recipe:
    """A recipe with some of its values changed. Raises ConfigurationError."""
    from pocai.training.recipe import read_recipe

    return read_recipe(path).with_values({**changes(values or []), **(fixed or {})})


def changes(values: list[str]) -> dict[str, Any]:
    """``key=value`` pairs as TOML reads the values; what is no TOML value is a string. Raises ConfigurationError."""
    import tomllib

    found: dict[str, Any] = {}
    for pair in values:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise ConfigurationError(f"--set {pair!r} is no KEY=VALUE", mend="Write it as loop.steps=500")
        try:
            found[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            found[key.strip()] = value.strip()
    return found


def _run(task: Task[Any], recipe: Recipe, output: Path) -> Path:
    """Train, telling progress on standard error; gives back the best weights."""
    from pocai.training.loop import train
    from pocai.training.progress import PrintedProgress
    from pocai.training.tracker import CsvTracker

    outcome = train(task, recipe, output, tracker=CsvTracker(output), progress=PrintedProgress())
    typer.echo(f"{outcome.steps} steps in {outcome.seconds:.0f} s, score {outcome.best_score:.4f}", err=True)
    return outcome.weights


def _holds_timetables(folder: Path) -> bool:
    """Whether a folder holds documents with their timetables, rather than pictures of lines."""
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder", mend="Name the folder with the data")
    return (folder / "truth").is_dir() or any(folder.glob("*.json"))


def _tell_documents(done: int, total: int) -> None:
    typer.echo(f"Read {done} of {total} documents", err=True)


def _tell_trials(done: int, total: int) -> None:
    typer.echo(f"{done} of {total} trials have ended", err=True)
