"""The command line: the only place that wires everything; one file a command.

Commands load what they need when they run, so that ``pocai --help`` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from pocai.cli.batch import batch
from pocai.cli.distill import app as distill
from pocai.cli.doctor import doctor
from pocai.cli.drift import app as drift
from pocai.cli.evaluate import evaluate
from pocai.cli.extract import extract
from pocai.cli.features import app as features
from pocai.cli.flow import app as flow
from pocai.cli.keys import app as keys
from pocai.cli.models import app as models
from pocai.cli.serve import serve
from pocai.cli.synth import app as synth
from pocai.cli.train import app as train
from pocai.errors import PocaiError, fault

EXIT_CODES = """
Exit codes: 0 all done; 1 a fault in pocai; 2 a document or argument that cannot be used; 3 no timetable found;
4 a model is missing, altered or refused, or the feature store or the registry fails; 5 settings that cannot be used;
6 the service could not answer. Of several failures the highest counts.
"""

app = typer.Typer(
    name="pocai",
    help="A school's timetable goes in (photo, scan, PDF, Word, Excel), a correct week comes out. "
    "Nothing leaves this machine.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its traceback shows local variables, and with them text of the document
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(epilog=EXIT_CODES)(extract)
app.command(epilog=EXIT_CODES)(batch)
app.command()(evaluate)
app.command()(doctor)
app.command()(serve)
app.add_typer(keys, name="keys")
app.add_typer(features, name="features")
app.add_typer(flow, name="flow")
app.add_typer(models, name="models")
app.add_typer(drift, name="drift")
app.add_typer(synth, name="synth")
app.add_typer(train, name="train")
app.add_typer(distill, name="distill")


def _print_version(wanted: bool) -> None:
    if wanted:
        from pocai import __version__

        typer.echo(f"pocai {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit; an error of pocai prints one line and exits with its own code."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name="pocai")
    except PocaiError as error:
        _fail(error)
    except Exception as error:  # noqa: BLE001 - no traceback: its last line may hold text of a document
        _fail(fault(error))
    sys.exit(0)


def _fail(error: PocaiError) -> NoReturn:
    typer.secho(f"Error: {error}", err=True, fg="red")
    sys.exit(error.exit_code)
