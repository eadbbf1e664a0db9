"""``pocai train``: train a model by a recipe; an interrupted run is continued where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pocai.cli.environment import missing_extra, settings_with
from pocai.cli.tracking import tracked_study, tracker_of
from pocai.errors import ConfigurationError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pocai.documents.page import Document
    from pocai.settings import Settings
    from pocai.training.datasets import Split
    from pocai.training.recipe import Recipe
    from pocai.training.task import Task

app = typer.Typer(
    help="Train a model by a recipe. An interrupted run is continued where it stopped. Needs the extra `train`."
)

RecipePath = Annotated[Path, typer.Option("-r", "--recipe", help="Recipe (TOML).")]
Output = Annotated[Path, typer.Option("-o", "--output", help="Folder of the run: weights, log, checkpoints.")]
Data = Annotated[Path, typer.Option("--data", help="Folder of line pictures with labels, or of corrected timetables.")]
Track = Annotated[
    bool | None,
    typer.Option(
        "--track/--no-track",
        help="Track the run by MLflow; without: where POCAI_MLOPS__TRACKING is set.",
        show_default=False,
    ),
]
Values = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the recipe: loop.steps=500.")
]


@app.command()
def ocr_student(
    output: Output,
    recipe: RecipePath = Path("recipes/ocr-student.toml"),
    values: Values = None,
    track: Track = None,
    version: Annotated[str, typer.Option(help="Version that the model card names.")] = "0",
) -> None:
    """Train the compact recognizer, and export it as ONNX with its card."""
    with missing_extra("train"):
        from pocai.training.ocr_model.shipping import shipped

    weights = _trained(changed(recipe, values), output, track)
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
    track: Track = None,
) -> None:
    """Fine-tune TrOCR, or train one from scratch; with a table model.lora, adapters of it."""
    with missing_extra("train"):
        from pocai.training.ocr_model.trocr import TrOCRTask
        from pocai.training.ocr_model.trocr_run import write_best

    chosen = changed(recipe, values, {} if base is None else {"model.base": base})
    task = TrOCRTask(chosen)
    weights = _run(task, chosen, output, track)
    typer.echo(f"Saved {write_best(task, weights, output / 'model')}", err=True)


@app.command()
def ocr_lora(  # noqa: PLR0913, PLR0917 -- one parameter an option, as Typer reads them
    output: Output,
    data: Data,
    recipe: RecipePath = Path("recipes/ocr-lora.toml"),
    base: Annotated[Path | None, typer.Option(help="Weights (safetensors) to adapt; without: those shipped.")] = None,
    values: Values = None,
    track: Track = None,
) -> None:
    """Train an adapter of the student for a style that it reads badly, from some hundred lines."""
    with missing_extra("train"):
        from pocai.training.lora import LoraTask, train_lora
        from pocai.training.lora_lines import Halves, held
        from pocai.training.progress import PrintedProgress

    chosen = changed(recipe, values, {} if base is None else {"model.base": str(base)})
    lines = checked_lines(data)
    task = LoraTask(chosen, Halves(held(lines.train), held(lines.validation)))
    tracker = tracker_of(output / "run", track)
    result = train_lora(chosen, output, task, tracker=tracker, progress=PrintedProgress())
    before, after = (rates["cer/new"] for rates in (result.card.before, result.card.after))
    typer.echo(f"Saved {result.folder}: error rate {before:.1%} without the adapter, {after:.1%} with it", err=True)


@app.command()
def document_base(  # noqa: PLR0913, PLR0917 -- one parameter an option, as Typer reads them
    output: Output,
    recipe: RecipePath = Path("recipes/document-base.toml"),
    values: Values = None,
    track: Track = None,
    version: Annotated[str, typer.Option(help="Version that the model card names.")] = "0",
    measured: Annotated[int, typer.Option(min=1, help="Made documents on which each figure is measured.")] = 100,
) -> None:
    """Train the layout transformer, and export it as ONNX with its card."""
    with missing_extra("train"):
        from pocai.training.document_model.layout_shipping import MADE

    _ship_layout(_trained(changed(recipe, values), output, track), output, version, measured, MADE)


@app.command()
def document_distil(  # noqa: PLR0913, PLR0917 -- one parameter an option, as Typer reads them
    output: Output,
    recipe: RecipePath = Path("recipes/document-distil.toml"),
    taught: Annotated[
        Path | None, typer.Option(help="Folder of `pocai distill ensemble`; without: those that the recipe names.")
    ] = None,
    values: Values = None,
    track: Track = None,
    version: Annotated[str, typer.Option(help="Version that the model card names.")] = "0",
    measured: Annotated[int, typer.Option(min=1, help="Made documents on which each figure is measured.")] = 100,
) -> None:
    """Train a small layout transformer on what an ensemble says of documents, and export it as ONNX with its card."""
    with missing_extra("train"):
        from pocai.training.document_model.layout_shipping import TAUGHT

    chosen = changed(recipe, values, {} if taught is None else {"data.taught": {str(taught): 1}})
    _ship_layout(_trained(chosen, output, track), output, version, measured, TAUGHT)


@app.command()
def document_llm(  # noqa: PLR0913, PLR0917 -- one parameter an option, as Typer reads them
    output: Output,
    recipe: RecipePath = Path("recipes/document-llm.toml"),
    base: Annotated[
        str | None, typer.Option(help='Published name, local folder, or "config": a network from scratch.')
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of documents with their timetables.")] = None,
    fetch: Annotated[bool, typer.Option("--fetch", help="Fetch a published base that is not in the cache.")] = False,
    values: Values = None,
    track: Track = None,
) -> None:
    """Train a language model (Llama, Mistral …) to read timetables; with a table model.lora, adapters of it."""
    with missing_extra("train"):
        from pocai.training.document_model.language_adapter import write_best
        from pocai.training.document_model.language_task import LanguageTask

    fixed = {"model.base": base, "data.folder": None if data is None else str(data)}
    chosen = changed(recipe, values, {key: value for key, value in fixed.items() if value is not None})
    task = LanguageTask(chosen, fetch=fetch)
    folder = write_best(task, _run(task, chosen, output, track), output / "model")
    place = folder if task.model.lora is None else f"BASE+{folder}"
    typer.echo(f"Saved {folder}: POCAI_DOCUMENT_MODEL=language:{place} pocai extract …", err=True)


@app.command()
def document_lora(  # noqa: PLR0913, PLR0917 -- one parameter an option, as Typer reads them
    output: Output,
    data: Annotated[Path, typer.Option(help="Folder of a school's documents with their corrected timetables.")],
    recipe: RecipePath = Path("recipes/document-lora.toml"),
    base: Annotated[Path | None, typer.Option(help="Weights (safetensors) to adapt; without: those shipped.")] = None,
    values: Values = None,
    track: Track = None,
) -> None:
    """Train an adapter of the layout transformer for a school's style, from three to ten corrected timetables."""
    with missing_extra("train"):
        from pocai.training.document_model.labelled_documents import corrected_documents
        from pocai.training.document_model.layout_lora import LayoutLoraTask, train_layout_lora
        from pocai.training.progress import PrintedProgress

    chosen = changed(recipe, values, {} if base is None else {"model.base": str(base)})
    documents, left_out = corrected_documents(data, read_document(settings_with()), _tell_documents)
    for each in left_out:
        typer.echo(f"Left out: {each}", err=True)
    task = LayoutLoraTask(chosen, documents)
    tracker = tracker_of(output / "run", track)
    result = train_layout_lora(chosen, output, task, tracker=tracker, progress=PrintedProgress())
    before, after = (each["block_f1/new"] for each in (result.card.before, result.card.after))
    figures = f"block F1 of held-back documents {before:.3f} without the adapter, {after:.3f} with it"
    typer.echo(f"Saved {result.folder}: {figures}", err=True)


@app.command()
def field_confidence(
    output: Output,
    model: Annotated[str, typer.Option(help="Document model, by its name in the catalogue.")] = "rules",
    documents: Annotated[int, typer.Option(min=10, help="Documents that are made and read.")] = 1200,
    processes: Annotated[int, typer.Option(min=1, help="Processes that read documents.")] = 1,
    version: Annotated[str, typer.Option(help="Version that the card names.")] = "0",
) -> None:
    """Fit how sure a document model may be of what it says; pages that were read once serve every model."""
    with missing_extra("train"):
        from pocai.cli.kept_reading import KeptReading
        from pocai.models.field_confidence import card_name
        from pocai.training.document_model.confidence import ConfidencePlan, fit

    plan = ConfidencePlan.of(documents, model, version=version, processes=processes)
    read = KeptReading(output / "read", settings_with(threads=1), model)
    block = fit(output, output, read, plan, _tell_part).metrics["block"]
    figures = f"{block['right']:.1%} of blocks right, {block['confidence']:.1%} stated, error {block['ece']:.3f}"
    typer.echo(f"Saved {output / card_name(model)}: {figures}", err=True)


@app.command()
def document_critic(
    output: Output,
    data: Annotated[
        list[Path], typer.Option(help="Folders of documents with their timetables (`pocai synth documents`).")
    ],
    version: Annotated[str, typer.Option(help="Version that the card names.")] = "0",
) -> None:
    """Fit the critic that chooses between the rules and the layout transformer; every fourth document measures it."""
    with missing_extra("train"):
        from pocai.cli.kept_reading import KeptReading
        from pocai.evaluation.dataset import read_dataset
        from pocai.inference.document_service import DOCUMENT_MODELS
        from pocai.models.card import card_file
        from pocai.models.layout import SHIPPED_LAYOUT, LayoutCard
        from pocai.training.document_model.critic import compared, fit_critic, measured

    settings = settings_with(threads=1)
    read = KeptReading(output / "read", settings, "rules")
    labelled = [document for folder in data for document in read_dataset(folder).documents]
    rules, layout = (DOCUMENT_MODELS[name](settings.school_hours) for name in ("rules", "layout"))
    found = []
    for number, each in enumerate(labelled, 1):
        found += compared([(read.document(each.path), dict(each.truth))], rules, layout)
        _tell_part("documents", number, len(labelled))
    card = fit_critic([each for number, each in enumerate(found) if number % 4], version)
    held = measured(card, found[3::4])
    output.mkdir(parents=True, exist_ok=True)
    judged = LayoutCard.read(card_file(SHIPPED_LAYOUT.file)).sha256
    card.model_copy(update={"metrics": {"held out": held}, "layout_sha256": judged}).write(output / "critic.json")
    typer.echo(f"Saved {output / 'critic.json'}: mean block F1 of documents held back {held}", err=True)


@app.command()
def study(  # noqa: PLR0913, PLR0917 -- one parameter an option, as Typer reads them
    output: Output,
    recipe: RecipePath = Path("recipes/ocr-student.toml"),
    space: Annotated[Path, typer.Option(help="What is tried (TOML).")] = Path("recipes/spaces/ocr-student.toml"),
    trials: Annotated[int, typer.Option(min=1, help="Trials in all; those of earlier calls count.")] = 20,
    workers: Annotated[int, typer.Option(min=1, help="Processes that try recipes.")] = 1,
    values: Values = None,
    track: Track = None,
) -> None:
    """Look for a better recipe: an Optuna study that can be interrupted, continued and shared."""
    with missing_extra("train"):
        from pocai.training.search_space import read_space
        from pocai.training.trained_score import TrainedScore
        from pocai.training.tune import StudyPlan, tune

    plan, chosen, wide = (
        StudyPlan(output / "study.journal", trials, workers=workers),
        changed(recipe, values),
        read_space(space),
    )
    with tracked_study(output, track, chosen, wide.fingerprint) as (trackers, tracker):
        objective = TrainedScore(output / "trials", trackers=trackers)
        found = tune(objective, chosen, wide, plan, _tell_trials)
        for path in found.write(output):
            tracker.artefact(path)
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


def _run(task: Task[Any], recipe: Recipe, output: Path, track: bool | None) -> Path:
    """Train, telling progress on standard error; gives back the best weights."""
    from pocai.training.loop import train
    from pocai.training.progress import PrintedProgress

    outcome = train(task, recipe, output, tracker=tracker_of(output, track), progress=PrintedProgress())
    typer.echo(f"{outcome.steps} steps in {outcome.seconds:.0f} s, score {outcome.best_score:.4f}", err=True)
    return outcome.weights


def _trained(recipe: Recipe, output: Path, track: bool | None) -> Path:
    """As `_run`, with the task that the recipe names."""
    from pocai.training.tasks import task_of

    return _run(task_of(recipe), recipe, output, track)


def _ship_layout(weights: Path, output: Path, version: str, measured: int, trained_on: str) -> None:
    """Export a layout transformer with its card."""
    from pocai.training.document_model.layout_shipping import shipped_layout

    typer.echo("Measuring on made documents that it was not trained on", err=True)
    file = shipped_layout(weights, output, version, measured, trained_on)
    typer.echo(f"Saved {file}: POCAI_DOCUMENT_MODEL=layout:{output} pocai extract …", err=True)


def _holds_timetables(folder: Path) -> bool:
    """Whether a folder holds documents with their timetables, rather than pictures of lines."""
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder", mend="Name the folder with the data")
    return (folder / "truth").is_dir() or any(folder.glob("*.json"))


def read_document(settings: Settings) -> Callable[[Path], Document]:
    """Reads a document's lines as they are read in use, before anything is understood."""
    from pocai.documents.ingest import load
    from pocai.documents.limits import Deadline
    from pocai.inference.pipeline import Stopwatch, read_text

    def read(path: Path) -> Document:
        document = load(path, limits=settings.limits)
        return read_text(document, settings, Deadline(settings.limits.max_seconds), Stopwatch(None))[0]

    return read


def _tell_part(part: str, done: int, total: int) -> None:
    if done in {1, total} or done % 10 == 0:
        typer.echo(f"{part}: {done} of {total}", err=True)


def _tell_documents(done: int, total: int) -> None:
    typer.echo(f"Read {done} of {total} documents", err=True)


def _tell_trials(done: int, total: int) -> None:
    typer.echo(f"{done} of {total} trials have ended", err=True)
