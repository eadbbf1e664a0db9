"""``pocai evaluate``: measure against documents with known truth, and write the report."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocai.cli.environment import settings_with

if TYPE_CHECKING:
    from rich.table import Table

    from pocai.evaluation.dataset import Dataset
    from pocai.evaluation.evaluate import EvaluationResult, Extraction, Extractor
    from pocai.evaluation.timetables import Counts
    from pocai.settings import Settings
    from pocai.timetable.school import SchoolMemory


def evaluate(  # noqa: PLR0913, PLR0917 -- one parameter an option, as Typer reads them
    folder: Annotated[Path, typer.Argument(help="Documents with labels: documents/NAME.* and truth/NAME.json.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for report.md and report.html.")] = Path("out"),
    engine: Annotated[str | None, typer.Option(help="OCR engine, one that `pocai doctor` lists.")] = None,
    adapter: Annotated[
        Path | None, typer.Option(help="Adapter that the engine reads with: a folder by `pocai train ocr-lora`.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=0, help="Threads; 0 takes all usable cores.")] = None,
    with_features: Annotated[
        bool,
        typer.Option(
            "--with-features/--without", help="Read each document with what those before it have shown of its school."
        ),
    ] = False,
) -> None:
    """Measure on labelled documents: block, slot and name F1, notes, header, edits."""
    from rich.console import Console
    from rich.progress import Progress

    from pocai.evaluation.dataset import read_dataset
    from pocai.evaluation.evaluate import evaluate as measure
    from pocai.evaluation.report import write_report

    dataset = read_dataset(folder)
    settings = settings_with(ocr_engine=engine, ocr_adapter=adapter, threads=threads)
    extractor = remembering(settings, dataset) if with_features else extractor_with(settings)
    log = Console(stderr=True)
    with Progress(console=log, transient=True, disable=not log.is_terminal) as bar:
        task = bar.add_task("Measuring", total=len(dataset.documents))
        result = measure(dataset, extractor, lambda _: bar.advance(task))
    Console().print(_table(result))
    for path in write_report(result, output):
        log.print(f"Saved {path}", style="bold", soft_wrap=True, markup=False)


def extractor_with(settings: Settings) -> Extractor:
    """The pipeline as the evaluation calls it: timetables, the words that were read, and the pages."""
    return lambda path: _extracted(path, settings, None)


def remembering(settings: Settings, dataset: Dataset) -> Extractor:
    """The pipeline with a memory of each school: of the documents that were read before, in the dataset's order.

    The school of a document is the slice "school" of its label; documents without one are of one school together.
    """
    from pocai.timetable.school import SchoolMemory, remember

    schools = {document.path: document.slices.get("school", "") for document in dataset.documents}
    memories: dict[object, SchoolMemory] = {}

    def extract(path: Path) -> Extraction:
        school = schools.get(path, "")
        memory = memories.setdefault(school, SchoolMemory())
        extraction = _extracted(path, settings, memory)
        memories[school] = remember(memory, extraction.timetables, datetime.now(UTC))
        return extraction

    return extract


def _extracted(path: Path, settings: Settings, memory: SchoolMemory | None) -> Extraction:
    from pocai.evaluation.evaluate import Extraction
    from pocai.inference import pipeline

    extraction = pipeline.read(path, name=path.name, settings=settings, memory=memory)
    native = [
        line
        for page in extraction.document.pages
        for line in (*page.lines, *(line for table in page.tables for cell in table.cells for line in cell.lines))
    ]
    words = tuple(word for line in native for word in line.text.split())
    return Extraction(extraction.timetables, words, extraction.document, extraction.confidences)


def _table(result: EvaluationResult) -> Table:
    """A row a document, and the micro averages over all at the end."""
    from rich.table import Table

    table = Table()
    table.add_column("Document")
    for heading in ("gold", "found", "block", "slot", "name", "notes", "header", "edits", "seconds"):
        table.add_column(heading, justify="right")
    for document in result.documents:
        table.add_row(*_row(document.name, counts=document.counts, seconds=document.seconds))
    table.add_section()
    seconds = sum(document.seconds for document in result.documents)
    table.add_row(*_row("all", counts=result.counts, seconds=seconds), style="bold")
    return table


def _row(name: str, *, counts: Counts, seconds: float) -> list[str]:
    figures = counts.figures
    shares = (figures.block, figures.slot, figures.name, figures.notes, figures.header)
    sizes = (str(counts.golds), str(counts.preds))
    return [name, *sizes, *(f"{share:.3f}" for share in shares), str(figures.edits), f"{seconds:.1f}"]
