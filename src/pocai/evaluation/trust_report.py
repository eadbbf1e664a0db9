"""The section "How far to trust it" of the report: what the confidences of an extraction are worth, with two plots.

Both functions take the claims of `pocai.evaluation.trust.claims_of`; the Markdown holds figures only, and no text of
any document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import TypeAlias

from pocai.evaluation.calibration import reliability, risk_coverage
from pocai.evaluation.markup import Html, element
from pocai.evaluation.plots import reliability_plot, risk_coverage_plot
from pocai.evaluation.trust import RISK, Claim, Subject, Trust, by_slice, by_subject, trust_of

TITLE = "How far to trust it"
NOTHING = "No field carries a calibrated confidence."
FEWEST = 20  # values of a slice that is shown
_SEED = 1  # of the intervals
_HEAD = ("values", "right", "confidence", "ECE", "AUROC", "accepted at 1 % wrong")
_SLICED = frozenset(("format", "damage", "layout", "photo"))

Row: TypeAlias = tuple[str, Trust]


def trust_style() -> str:
    """The style sheet of the plots; it goes beside that of the report."""
    return resources.files("pocai").joinpath("assets/report/trust.css").read_text(encoding="utf-8")


def trust_markdown(claims: Sequence[Claim]) -> str:
    """The section as Markdown: one sentence, a table by field, and one of the blocks by slice."""
    groups = by_subject(claims)
    if not groups:
        return f"## {TITLE}\n\n{NOTHING}"
    parts = [f"## {TITLE}", trust_sentence(claims), _markdown_table("field", _field_rows(groups))]
    slices = _slice_rows(groups.get("block", ()))
    if slices:
        parts += ["Blocks by slice:", _markdown_table("slice", slices)]
    return "\n\n".join(parts)


def trust_section(claims: Sequence[Claim]) -> Html:
    """The section as HTML, with the reliability diagram and the risk-coverage curve of blocks."""
    groups = by_subject(claims)
    if not groups:
        return element("section", element("h2", TITLE), element("p", NOTHING, class_="quiet"))
    shown = groups.get("block") or next(iter(groups.values()))
    slices = _slice_rows(groups.get("block", ()))
    return element(
        "section",
        element("h2", TITLE),
        element("p", trust_sentence(claims)),
        _plots(shown),
        _html_table("Field", _field_rows(groups)),
        _html_table("Blocks of", slices) if slices else None,
        class_="trust",
    )


def trust_sentence(claims: Sequence[Claim]) -> str:
    """How the confidences of blocks did, or of fields where no block has one; there must be claims."""
    groups = by_subject(claims)
    subject = "block" if "block" in groups else next(iter(groups))
    figures = trust_of(groups[subject], seed=_SEED)
    mean, right = f"{figures.confidence:.1%}", f"{figures.right:.1%}"
    said = [
        f"{figures.claims} {subject} confidences over {figures.documents} documents: {mean} stated, {right} right",
        f"the expected calibration error is {figures.ece:.3f}{_range(figures.ece_interval)}",
    ]
    if figures.ranking is not None:
        said.append(f"a right one is surer than a wrong one in {figures.ranking:.1%}{_range(figures.ranking_interval)}")
    if figures.accepted is None:
        said.append(f"no threshold leaves at most {RISK:.0%} wrong")
    else:
        accepted = figures.accepted
        said.append(f"{accepted.coverage:.1%} can be accepted with {accepted.risk:.2%} of it wrong")
    return "; ".join(said) + "."


def _range(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f" (95 % interval over documents: {interval[0]:.3f} to {interval[1]:.3f})"


def _plots(claims: Sequence[Claim]) -> Html:
    sure, right = [claim.confidence for claim in claims], [claim.right for claim in claims]
    figures, subject = trust_of(claims), claims[0].subject
    diagram = reliability_plot(
        reliability(sure, right, binning="mass"),
        reliability(sure, right),
        f"Confidence of {len(claims)} {subject} values in ten equally large groups; bars: where the confidences lie.",
    )
    curve = risk_coverage_plot(
        risk_coverage(sure, right), figures.accepted, RISK, f"The surest first; dashed: {RISK:.0%} wrong."
    )
    return element("div", diagram, curve, class_="plots")


def _field_rows(groups: Mapping[Subject, Sequence[Claim]]) -> list[Row]:
    return [(subject, trust_of(claims)) for subject, claims in groups.items()]


def _slice_rows(claims: Sequence[Claim]) -> list[Row]:
    return [
        (str(each), trust_of(some))
        for each, some in by_slice(claims).items()
        if each.dimension in _SLICED and len(some) >= FEWEST
    ]


def _cells(figures: Trust) -> list[str]:
    ranking = "–" if figures.ranking is None else f"{figures.ranking:.3f}"
    accepted = "–" if figures.accepted is None else f"{figures.accepted.coverage:.1%}"
    shares = [f"{figures.right:.3f}", f"{figures.confidence:.3f}", f"{figures.ece:.3f}"]
    return [str(figures.claims), *shares, ranking, accepted]


def _markdown_table(first: str, rows: Iterable[Row]) -> str:
    head = [first, *_HEAD]
    rule = [":--", *["--:"] * len(_HEAD)]
    body = [[name, *_cells(figures)] for name, figures in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *body))


def _html_table(first: str, rows: Iterable[Row]) -> Html:
    heads = [element("th", text, scope="col", class_="number" if text in _HEAD else None) for text in (first, *_HEAD)]
    body = [
        element(
            "tr",
            element("th", name, scope="row"),
            *(element("td", cell, class_="number") for cell in _cells(figures)),
        )
        for name, figures in rows
    ]
    table = element("table", element("thead", element("tr", *heads)), element("tbody", *body))
    return element("div", table, class_="scroll")
