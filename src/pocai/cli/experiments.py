"""``pocai models power``: how many readings an experiment takes before it is begun."""

from __future__ import annotations

from typing import Annotated

import typer

from pocai.cli.environment import missing_extra


def power(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    baseline: Annotated[float, typer.Option(help="Share with the champion, 0 to 1: of corrected fields, say.")],
    effect: Annotated[float, typer.Option(help="Fall of that share which is worth finding, absolute.")],
    alpha: Annotated[float, typer.Option(help="Probability to see a difference where there is none.")] = 0.05,
    wanted: Annotated[float, typer.Option("--power", help="Probability to find the effect.")] = 0.8,
    per_school: Annotated[float, typer.Option(help="Counts (readings, or fields) of a school, on average.")] = 1.0,
    correlation: Annotated[float, typer.Option(help="How alike two counts of one school are, 0 to 1.")] = 0.0,
    spread: Annotated[float, typer.Option(help="Standard deviation of the counts of schools, over their mean.")] = 0.0,
) -> None:
    """Print how many counts, and schools, each arm of an experiment takes.

    It may be looked at whenever one likes; that is what the test is made for.
    """
    with missing_extra("mlops"):
        from pocai.mlops.clusters import Clusters
        from pocai.mlops.power import sample_size

        size = sample_size(baseline, effect, alpha, wanted, Clusters(per_school, correlation, spread))
    typer.echo(f"Each arm: {size.counts:,} counts in {size.clusters:,} schools")
    typer.echo(
        f"They are worth {size.independent:,} independent ones; a test that looks once takes {size.at_once:,}. "
        f"A fall from {baseline:.1%} to {baseline - effect:.1%} is found in {wanted:.0%} of experiments, "
        f"and a difference that is none is seen in {alpha:.0%} at most"
    )
