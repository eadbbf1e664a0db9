"""``pocai synth``: made training data with the truth about it, and a manifest that says how it came about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocai.cli.environment import missing_extra

if TYPE_CHECKING:
    from pocai.documents.page import Document
    from pocai.synthetic.made_document import MadeDocument

app = typer.Typer(help="Make training data: text lines, or whole documents, with the truth about them.")


class Split(StrEnum):
    """Which faces and layouts are used: those to train on, or those that are kept for tests."""

    TRAIN = "train"
    TEST = "test"


class FaceKind(StrEnum):
    """Kinds of type faces."""

    SANS = "sans"
    SERIF = "serif"
    MONO = "mono"
    CONDENSED = "condensed"
    DISPLAY = "display"
    HAND = "hand"


class Damage(StrEnum):
    """How much what is made is damaged."""

    CLEAN = "clean"
    MIXED = "mixed"
    HEAVY = "heavy"


@app.command()
def lines(  # noqa: PLR0913, PLR0917 -- the options of a command
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the parts of 5,000 lines.")],
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="Number of lines.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same lines.")] = 1,
    split: Annotated[Split, typer.Option(help="Type faces to use.")] = Split.TRAIN,
    damage: Annotated[Damage, typer.Option(help="What is done to the lines.")] = Damage.MIXED,
    kind: Annotated[FaceKind | None, typer.Option(help="Only faces of this kind. Default: all.")] = None,
    taught: Annotated[bool, typer.Option("--taught", help="Add the scores of PP-OCRv6, to distil from.")] = False,
    processes: Annotated[int, typer.Option(min=1, help="Processes that make lines.")] = 1,
) -> None:
    """Make text lines in the shape that the student is trained on; an interrupted run is continued."""
    with missing_extra("train"):
        from pocai.training.made_shards import MadeSet, write_made

    made = MadeSet(seed, count, split.value, damage.value, taught, None if kind is None else kind.value)
    with _bar("Making lines", count) as told:
        parts = write_made(output, made, processes, lambda done, _: told(done))
    typer.echo(f"Saved {count} lines in {len(parts)} parts under {output}", err=True)


class Format(StrEnum):
    """The formats of made documents; a scan is a PDF of pictures."""

    PNG = "png"
    JPEG = "jpeg"
    PDF = "pdf"
    SCAN = "scan"
    DOCX = "docx"
    XLSX = "xlsx"


@app.command()
def documents(  # noqa: PLR0913, PLR0917 -- the options of a command
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for documents, truth, lines and manifest.")],
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="Number of documents.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first document; each has the next one.")] = 1,
    formats: Annotated[list[Format] | None, typer.Option("--format", help="A format; repeat it. Default: all.")] = None,
    damage: Annotated[Damage, typer.Option(help="What is done to pictures and scans.")] = Damage.MIXED,
    layouts: Annotated[str, typer.Option(help='"train", "test", or the name of a family of layouts.')] = "train",
    split: Annotated[Split, typer.Option(help="Type faces to use.")] = Split.TRAIN,
) -> None:
    """Make whole documents with the truth about them, for `pocai evaluate`; an interrupted run is continued."""
    with missing_extra("train"):
        import reportlab  # noqa: F401 -- writes PDF files; asked for before any document is made
    from pocai.synthetic.dataset import write_documents
    from pocai.synthetic.made_document import FORMATS, DocumentSet

    chosen = tuple(kind for kind in FORMATS if not formats or Format(kind) in formats)
    made = DocumentSet(seed, count, chosen, damage.value, layouts, split.value)
    with _bar("Making documents", count) as told:
        manifest = write_documents(output, made, told)
    typer.echo(f"Saved {count} documents under {output}; {manifest.name} says how they came about", err=True)


@app.command()
def pages(  # noqa: PLR0913, PLR0917 -- the options of a command
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the parts of 100 documents.")],
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="Number of documents.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first document; each has the next one.")] = 1,
    split: Annotated[Split, typer.Option(help="Layouts and type faces to use.")] = Split.TRAIN,
    taught: Annotated[bool, typer.Option("--taught", help="Add the scores of PP-OCRv6, to distil from.")] = False,
    processes: Annotated[int, typer.Option(min=1, help="Processes that make pages.")] = 1,
) -> None:
    """Make text lines as the detector cuts them out of made pages; an interrupted run is continued."""
    with missing_extra("train"):
        from pocai.training.page_lines import PageSet, write_page_lines

    wanted = PageSet(seed, count, split.value, taught)
    with _bar("Making pages", count) as told:
        parts = write_page_lines(output, wanted, processes, lambda done, _: told(done))
    typer.echo(f"Saved the lines of {count} documents in {len(parts)} parts under {output}", err=True)


@app.command()
def layouts(  # noqa: PLR0913, PLR0917 -- the options of a command
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the files of 100 documents.")],
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="Number of documents.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first document; each has the next one.")] = 1,
    layouts: Annotated[str, typer.Option(help='"train", "test", or the name of a family of layouts.')] = "train",
    split: Annotated[Split, typer.Option(help="Type faces to use.")] = Split.TRAIN,
    variants: Annotated[int, typer.Option(min=1, help="Ways in which the reading of a document is imitated.")] = 1,
    formats: Annotated[
        list[Format] | None,
        typer.Option("--format", help="Make files of this format and read them; repeat it. Default: imitate reading."),
    ] = None,
    damage: Annotated[Damage, typer.Option(help="What is done to pictures and scans that are read.")] = Damage.MIXED,
    processes: Annotated[int, typer.Option(min=1, help="Processes that make pages.")] = 1,
) -> None:
    """Make pages to train the layout transformer on: lines, rules and cells, and what each line is."""
    with missing_extra("train"):
        from pocai.synthetic.made_document import FORMATS
        from pocai.training.document_model.layout_sets import LayoutSet, write_layouts

    kinds = tuple(kind for kind in FORMATS if Format(kind) in (formats or ()))
    wanted = LayoutSet(seed, count, layouts, split.value, variants, kinds, damage.value)
    with _bar("Making pages", count) as told:
        files = write_layouts(output, wanted, _read_text, processes, lambda done, _: told(done))
    typer.echo(f"Saved the pages of {count} documents in {len(files)} files under {output}", err=True)


def _read_text(made: MadeDocument) -> tuple[Document, list[float]]:
    """A made file with its lines, as the pipeline reads them, and the widths of its pages."""
    from pocai.documents.ingest import load
    from pocai.documents.limits import Deadline
    from pocai.inference.pipeline import Stopwatch, read_text
    from pocai.settings import Settings

    settings = Settings.model_construct()
    document = load(made.printed.data, name=f"made.{made.ending}", limits=settings.limits)
    widths = [page.source_size[0] for page in document.pages]
    return read_text(document, settings, Deadline(settings.limits.max_seconds), Stopwatch(None))[0], widths


@contextmanager
def _bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error, only where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    log = Console(stderr=True)
    with Progress(console=log, transient=True, disable=not log.is_terminal) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.update(task, completed=done)
