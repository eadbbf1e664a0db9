"""The report about a verdict: Markdown, and one HTML page with plots; neither holds text or names of any document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from pathlib import Path

from pocai.evaluation.markup import Html, element, together
from pocai.evaluation.plots import reliability_plot
from pocai.mlops.gate_plots import bootstrap_plot, latency_plot, slices_plot
from pocai.mlops.model_tests import Behaviour
from pocai.mlops.verdict import Check, Evidence, SliceFact, Verdict

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLES = ("report.css", "trust.css", "gate.css")
_CHECKS = ("", "Check", "Measured", "Limit", "What was found")
_SLICES = ("Slice", "Documents", "Champion", "Candidate", "Difference", "Tolerated fall")
_TESTS = ("Test", "Kind", "Trials", "Measured", "At least")
_GRADUAL = 1.25  # slope of the second line in the plot of latencies, where no check says another


def write_report(verdict: Verdict, folder: Path) -> tuple[Path, Path]:
    """Write ``gate.md`` and ``gate.html`` into ``folder``, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    text, page = folder / "gate.md", folder / "gate.html"
    text.write_text(markdown(verdict), encoding="utf-8")
    page.write_text(html_page(verdict), encoding="utf-8")
    return text, page


def markdown(verdict: Verdict) -> str:
    """Verdict, checks, slices and behavioural tests as Markdown tables."""
    checks = [
        [_sign(each), each.name, _number(each.measured), _number(each.limit), each.text] for each in verdict.checks
    ]
    parts = [
        f"# Gate: {'passed' if verdict.passed else 'refused'}",
        f"{title_sentence(verdict.evidence)}\n\nIt {verdict.sentence}.",
        _table(_CHECKS, checks, left=(1, 4)),
    ]
    if verdict.evidence.slices:
        parts += ["## By slice", _table(_SLICES, map(_slice_cells, verdict.evidence.slices))]
    tests = _behaviours(verdict)
    if tests:
        parts += ["## Behaviour", _table(_TESTS, map(_test_cells, tests), left=(1,))]
    return "\n\n".join([*parts, origin_sentence(verdict.evidence)]) + "\n"


def title_sentence(evidence: Evidence) -> str:
    """Who was compared with whom, and on what."""
    ours, theirs = evidence.candidate.title, evidence.champion.title
    what = "documents" if evidence.kind.startswith("layout") else "lines"
    return f"Candidate {ours}, champion {theirs}; {evidence.kind}, {evidence.documents} {what}."


def origin_sentence(evidence: Evidence) -> str:
    """By which frozen set, when, and in what time."""
    when = f"{evidence.when:%Y-%m-%d %H:%M} UTC"
    return f"Frozen set {evidence.frozen}; {when}, in {evidence.seconds:.0f} s."


def html_page(verdict: Verdict) -> str:
    """The report as one HTML document that fetches nothing; all text is escaped."""
    folder = resources.files("pocai").joinpath("assets/report")
    style = "".join(folder.joinpath(name).read_text(encoding="utf-8") for name in _STYLES)
    said = "passed" if verdict.passed else "refused"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"Gate: {said}"),
        element("style", Html(style)),
    )
    title = element("h1", "Gate: ", element("span", said, class_=f"verdict {said}"))
    body = element(
        "body",
        element("header", title, element("p", title_sentence(verdict.evidence), class_="lead")),
        element("main", _tiles(verdict), _check_section(verdict), *_evidence_sections(verdict)),
        element("footer", element("p", origin_sentence(verdict.evidence), class_="quiet")),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _tiles(verdict: Verdict) -> Html | None:
    evidence = verdict.evidence
    test = evidence.bootstrap
    if test is None:
        return None
    first = next(iter(evidence.candidate.scores))
    shown = {
        "Score": f"{evidence.candidate.scores[first]:.1%}",
        "Champion": f"{evidence.champion.scores[first]:.1%}",
        "Difference, points": f"{100 * test.difference:+.1f}",
        "Checks passed": f"{len(verdict.checks) - len(verdict.failed)} of {len(verdict.checks)}",
    }
    ratio = next((check.measured for check in verdict.checks if check.name == "latency"), None)
    if ratio is not None:
        shown["Time, × champion"] = f"{ratio:.2f}"
    if evidence.candidate.footprint is not None:
        shown["Memory"] = f"{evidence.candidate.footprint.megabytes:.0f} MB"
    tiles = [element("div", element("dt", name), element("dd", value)) for name, value in shown.items()]
    return element("section", element("dl", *tiles, class_="tiles"))


def _check_section(verdict: Verdict) -> Html:
    rows = [
        element(
            "tr",
            element("td", _sign(check), class_="sign"),
            element("th", check.name, scope="row"),
            element("td", _number(check.measured), class_="number"),
            element("td", _number(check.limit), class_="number"),
            element("td", check.text),
            class_="yes" if check.passed else "no",
        )
        for check in verdict.checks
    ]
    return element("section", element("h2", "Checks"), _html_table(_CHECKS, rows, (2, 3)), class_="checks")


def _evidence_sections(verdict: Verdict) -> Iterator[Html]:
    evidence = verdict.evidence
    if evidence.slices:
        key = [element("span", "", class_="key"), "champion", element("span", "", class_="key ours"), "candidate"]
        caption = f"{len(evidence.slices)} slices, with their documents; faint ones are too small to decide."
        rows = [_row(_slice_cells(fact)) for fact in evidence.slices]
        figures = element("details", element("summary", "The figures"), _html_table(_SLICES, rows, range(1, 6)))
        plot = element("div", slices_plot(evidence.slices, caption), class_="wide")
        yield element("section", element("h2", "By slice"), element("p", *key, class_="quiet"), plot, figures)
    plots = list(_plots(verdict))
    if plots:
        yield element("section", element("h2", "In comparison"), element("div", *plots, class_="plots"))
    tests = _behaviours(verdict)
    if tests:
        rows = [_row(_test_cells(each), words=2) for each in tests]
        yield element("section", element("h2", "Behaviour"), _html_table(_TESTS, rows, range(2, 5)))


def _plots(verdict: Verdict) -> Iterator[Html]:
    evidence = verdict.evidence
    ours, theirs = evidence.candidate, evidence.champion
    if evidence.bootstrap is not None:
        said = "Resampled documents; line: as seen, dashed: none, bar below: 90 % of them."
        yield bootstrap_plot(evidence.bootstrap, said)
    if ours.took and theirs.took:
        limit = next((check.limit for check in verdict.checks if check.name == "latency"), None) or _GRADUAL
        said = f"{len(ours.took)} readings with both; dashed: as long, and {limit:g} times."
        yield latency_plot(ours.took, theirs.took, limit, said)
    if ours.reliability:
        said = f"Confidences of the candidate; its expected calibration error is {ours.calibration or 0.0:.3f}."
        yield reliability_plot(ours.reliability, (), said)


def _behaviours(verdict: Verdict) -> list[Behaviour]:
    return [each for check in verdict.checks for each in check.details if isinstance(each, Behaviour)]


def _slice_cells(fact: SliceFact) -> list[str]:
    tolerated = "–" if fact.tolerance is None else f"{fact.tolerance:g}{'' if fact.passed else ' (exceeded)'}"
    shares = [f"{fact.champion:.4f}", f"{fact.candidate:.4f}", f"{fact.candidate - fact.champion:+.4f}"]
    return [fact.name, str(fact.documents), *shares, tolerated]


def _test_cells(test: Behaviour) -> list[str]:
    measured = f"{test.measured:.3f}{'' if test.passed else ' (failed)'}"
    return [test.name, test.group, str(test.trials), measured, f"{test.least:g}"]


def _sign(check: Check) -> str:
    return "✓" if check.passed else "✗"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _row(cells: Sequence[str], words: int = 1) -> Html:
    """A row whose first cells are ``words``, and the others numbers."""
    first, *others = cells
    kinds = (None if place < words else "number" for place in range(1, len(cells)))
    columns = (element("td", cell, class_=kind) for cell, kind in zip(others, kinds, strict=True))
    return element("tr", element("th", first, scope="row"), *columns)


def _html_table(head: Sequence[str], rows: Iterable[Html], numbers: Iterable[int]) -> Html:
    right = set(numbers)
    heads = [
        element("th", text, scope="col", class_="number" if place in right else None) for place, text in enumerate(head)
    ]
    table = element("table", element("thead", element("tr", *heads)), element("tbody", together(*rows)))
    return element("div", table, class_="scroll")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[int] = ()) -> str:
    """A Markdown table; its first column and those named stand at the left."""
    rule = [":--" if place in {0, *left} else "--:" for place in range(len(head))]
    body = [[_cell(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in ([*head], rule, *body))


def _cell(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|#~])", r"\\\1", " ".join(text.split()))
