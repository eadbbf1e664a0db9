"""``pocai distill``: what larger models say of documents, kept as labels or as probabilities to learn from."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocai.cli.environment import missing_extra, settings_with
from pocai.cli.sources import find_sources
from pocai.cli.train import read_document
from pocai.errors import ConfigurationError

if TYPE_CHECKING:
    from pocai.models.language_exchange import Endpoint
    from pocai.settings import LanguageEndpoint
    from pocai.training.document_model.distill_collect import Teacher

app = typer.Typer(help="Learn from a larger model's answers.", no_args_is_help=True)


class Api(StrEnum):
    """What an endpoint speaks."""

    CLAUDE = "claude"
    OPENAI = "openai"


@app.command()
def collect(  # noqa: PLR0913, PLR0917 -- one parameter an option, as Typer reads them
    folder: Annotated[Path, typer.Argument(help="Folder of documents.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for documents, truth and ledger.jsonl.")],
    api: Annotated[Api, typer.Option(help="What the endpoint speaks.")] = Api.CLAUDE,
    model: Annotated[str | None, typer.Option(help="Model. Without: POCAI_LANGUAGE__MODEL.")] = None,
    url: Annotated[str | None, typer.Option(help="Address. Without: Anthropic's, or POCAI_LANGUAGE__URL.")] = None,
    price_read: Annotated[
        float | None, typer.Option(min=0, help="US dollars for a million tokens that the model reads.")
    ] = None,
    price_written: Annotated[
        float | None, typer.Option(min=0, help="US dollars for a million tokens that it writes.")
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(min=0, help="US dollars that all answers in the output folder may cost.")
    ] = None,
    most_tokens: Annotated[int, typer.Option(min=256, help="Tokens of one answer, at most.")] = 8000,
    engine: Annotated[str | None, typer.Option(help="OCR engine, one that `pocai doctor` lists.")] = None,
) -> None:
    """Ask a model about documents, and keep as labels what their text supports; an interrupted run is continued.

    The text of the pages is sent. To another machine than this one only with POCAI_LANGUAGE__EGRESS=true and a key in
    POCAI_LANGUAGE__KEY.
    """
    from pocai.models.language_exchange import Endpoint
    from pocai.training.document_model import distill_collect
    from pocai.training.document_model.distill_collect import Plan
    from pocai.training.document_model.distill_ledger import Price

    settings = settings_with(ocr_engine=engine)
    if (price_read is None) != (price_written is None) or (max_cost is not None and price_read is None):
        raise ConfigurationError("a cost needs both prices", mend="Set --price-read and --price-written")
    price = None if price_read is None or price_written is None else Price(price_read, price_written)
    place, name = _place(api, url, model, settings.language)
    endpoint = Endpoint(place, name, settings.language.key, settings.language.seconds, most_tokens)
    teacher = _teacher(api, endpoint, settings.language)
    paths = [source.path for source in find_sources([folder], leave_out=output)]

    def tell(number: int) -> None:
        typer.echo(f"{number} of {len(paths)} documents", err=True)

    plan = Plan(output, price, max_cost)
    collected = distill_collect.collect(paths, read_document(settings), teacher, plan, tell)
    typer.echo(f"{collected}: {output}", err=True)


@app.command()
def ensemble(
    folder: Annotated[Path, typer.Argument(metavar="DOCUMENTS", help="Folder of documents; no labels are needed.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for what is said of their pages.")],
    teacher: Annotated[
        Path | None,
        typer.Option(help="Folder of a layout transformer (layout.onnx, layout.json); without: the shipped one."),
    ] = None,
    rules: Annotated[float, typer.Option(min=0, max=1, help="Weight of the rules where they say something.")] = 0.3,
    engine: Annotated[str | None, typer.Option(help="OCR engine, one that `pocai doctor` lists.")] = None,
) -> None:
    """Keep what a layout transformer and the rules say of documents, for `pocai train document-distil`.

    Nothing is sent anywhere. An interrupted run is continued: a document whose file is there is not read again.
    """
    with missing_extra("train"):
        from pocai.models.layout import LayoutModel
        from pocai.training.document_model.distill_ensemble import Ensemble, teach

    settings = settings_with(ocr_engine=engine)
    model = LayoutModel(settings.school_hours, None if teacher is None else teacher / "layout.onnx", settings.threads)
    paths = [source.path for source in find_sources([folder], leave_out=output)]

    def tell(done: int, total: int) -> None:
        typer.echo(f"{done} of {total} documents", err=True)

    taught = teach(paths, read_document(settings), Ensemble(model, settings.school_hours, rules), output, tell)
    for each in taught.left_out:
        typer.echo(f"Left out: {each}", err=True)
    typer.echo(f"{taught.documents} documents: {output}", err=True)


def _place(api: Api, url: str | None, model: str | None, settings: LanguageEndpoint) -> tuple[str, str]:
    """Address and model. Raises ConfigurationError where one is not named."""
    from pocai.models.language_claude import CLAUDE

    place = url or (CLAUDE if api is Api.CLAUDE else settings.url)
    name = model or settings.model
    if place is None:
        raise ConfigurationError("no endpoint is named", mend="Set --url or POCAI_LANGUAGE__URL")
    if name is None:
        raise ConfigurationError("no model is named", mend="Set --model or POCAI_LANGUAGE__MODEL")
    return place, name


def _teacher(api: Api, endpoint: Endpoint, settings: LanguageEndpoint) -> Teacher:
    """The teacher. Raises ConfigurationError where it may not be asked."""
    from pocai.models.language_claude import ClaudeWriter
    from pocai.models.language_endpoint import EndpointWriter
    from pocai.models.language_exchange import host_of, is_loopback

    teacher: Teacher
    if api is Api.CLAUDE:
        teacher = ClaudeWriter(endpoint, egress=settings.egress)
    else:
        teacher = EndpointWriter(endpoint, egress=settings.egress)
    if endpoint.key is None and not is_loopback(host_of(endpoint)):
        raise ConfigurationError(f"there is no key for {host_of(endpoint)}", mend="Set POCAI_LANGUAGE__KEY")
    return teacher
