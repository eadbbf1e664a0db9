"""The report on drift: Markdown, JSON, and one HTML file with plots. None holds a name of a school or any text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from pocai.evaluation.markup import Html, element
from pocai.evaluation.trust_report import trust_style
from pocai.mlops.drift import DriftReport, Shift
from pocai.mlops.drift_accuracy import Estimated
from pocai.mlops.drift_plots import days_plot, effects_plot, spread_plot

TITLE = "Drift"
MEANING = {
    "ocr.confidence": "mean score of the recognizer",
    "ocr.words": "words of a document",
    "ocr.layout_score": "share of lines in columns",
    "ocr.times": "times of day in the text",
    "ocr.orientation": "how the page lay",
    "ocr.source": "where the text is from",
    "document.pages": "pages",
    "document.sharpness": "sharpness of the picture",
    "document.skew": "skew of the page, degrees",
    "document.resolution": "height of text, pixels",
    "document.format": "format of the file",
    "document.language": "language",
    "document.embedding": "layout as a whole",
    "document.confidence": "confidence of a document's blocks",
    "sure": "share of documents with a confidence of 0.9 or more",
    "expected": "share of fields that are right, by confidence",
    "corrected": "share of fields that persons changed",
}
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_HEAD = ("group", "before", "now", "effect", "p", "state")
_SIGN = {"drifted": "✗ drifted", "steady": "✓ steady", "unclear": "? too few"}
_TONE = {"drifted": "missing", "steady": "right", "unclear": "wrong"}
_PLOTTED = 5  # figures whose spread is shown


def write_report(report: DriftReport, folder: Path) -> tuple[Path, Path]:
    """Write ``drift.md`` and ``drift.html`` into ``folder``, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    text, page = folder / "drift.md", folder / "drift.html"
    text.write_text(markdown(report), encoding="utf-8")
    page.write_text(html_page(report), encoding="utf-8")
    return text, page


def as_json(report: DriftReport) -> str:
    """All figures of the report as JSON, without how they are spread."""
    told: dict[str, Any] = {
        "reference": [each.isoformat() for each in report.reference],
        "current": [each.isoformat() for each in report.current],
        "documents": [documents for documents, _ in report.sizes],
        "schools": [schools for _, schools in report.sizes],
        "judged": report.judged,
        "alpha": report.policy.alpha,
        "alarms": [shift.name for shift in report.alarms],
        "figures": [
            {name: getattr(shift, name) for name in ("name", "group", "state", "effect", "p", "before", "now")}
            for shift in report.shifts
        ],
        "accuracy": {"estimate": report.accuracy.estimate, **{name: _told(each) for name, each in _estimates(report)}},
    }
    return json.dumps(told, indent=2)


def markdown(report: DriftReport) -> str:
    """What was found, as Markdown."""
    rule = [":--", ":--", *["--:"] * 4, ":--"]
    rows = [["figure", *_HEAD], rule, *([shift.name, *_cells(shift)] for shift in _ordered(report))]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return "\n\n".join([f"# {TITLE}", sentence(report), *accuracy_sentences(report), table]) + "\n"


def sentence(report: DriftReport) -> str:
    """What was compared, and what came out."""
    (before, schools_before), (now, schools) = report.sizes
    windows = (
        f"{now} documents of {schools} schools from {_day(report.current[0])} to {_day(report.current[1])}, "
        f"against {before} of {schools_before} schools in the {(report.reference[1] - report.reference[0]).days} days "
        "before"
    )
    if not report.judged:
        policy = report.policy
        fewest = f"{policy.documents} documents of {policy.schools} schools"
        return f"{windows}: too few to say anything; it takes {fewest} in both."
    if not report.alarms:
        return f"{windows}: nothing has drifted."
    return f"{windows}. Drifted: {', '.join(MEANING[shift.name] for shift in report.alarms)}."


def accuracy_sentences(report: DriftReport) -> list[str]:
    """What is known of accuracy, a sentence each."""
    known, said = report.accuracy, []
    if known.expected is not None and known.estimate is not None:
        before = "" if known.expected_before is None else f", {known.expected_before.share:.1%} before"
        said.append(f"By confidence {_share(known.expected)} of a document's fields are right{before}.")
    if known.corrected is not None:
        before = "" if known.corrected_before is None else f", {known.corrected_before.share:.1%} before"
        said.append(f"Persons changed {_share(known.corrected)} of {known.corrected.values} fields{before}.")
    if known.burden is not None:
        said.append(
            f"In the reference they changed {_times(known.burden)} of what confidence expects{_so(known.burden)}."
        )
    if known.strain is not None:
        said.append(f"Measured by that they change {_times(known.strain)} as much now{_so(known.strain)}.")
    if known.estimate is not None:
        said.append(f"Estimated accuracy: {known.estimate:.1%}.")
    return said


def html_page(report: DriftReport) -> str:
    """The whole report as one HTML document; nothing is fetched, no script runs."""
    style = resources.files("pocai").joinpath("assets/report/report.css").read_text(encoding="utf-8")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", TITLE),
        element("style", Html(style + trust_style())),
    )
    body = element(
        "body",
        element("header", element("h1", TITLE), element("p", sentence(report), class_="lead")),
        element("main", _tiles(report), _accuracy(report), _figures(report), _spreads(report)),
        element("footer", element("p", _caution(report), class_="quiet")),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _tiles(report: DriftReport) -> Html:
    known = report.accuracy
    tiles = {
        "Figures that drifted": f"{len(report.alarms)}",
        "Estimated accuracy": "–" if known.estimate is None else f"{known.estimate:.1%}",
        "Fields corrected": "–" if known.corrected is None else f"{known.corrected.share:.1%}",
        "Documents": f"{report.sizes[1][0]}",
        "Schools": f"{report.sizes[1][1]}",
    }
    parts = (element("div", element("dt", name), element("dd", value)) for name, value in tiles.items())
    return element("section", element("dl", *parts, class_="tiles"))


def _accuracy(report: DriftReport) -> Html:
    said = accuracy_sentences(report) or ["Nothing is known of it."]
    return element(
        "section",
        element("h2", "Accuracy"),
        *(element("p", each) for each in said),
        days_plot(report.days, _day(report.current[0])) if report.days else None,
    )


def _figures(report: DriftReport) -> Html:
    heads = [element("th", text, scope="col", class_=_align(text)) for text in ("figure", "what it is", *_HEAD)]
    rows = (element("tr", *_row(shift)) for shift in _ordered(report))
    table = element("table", element("thead", element("tr", *heads)), element("tbody", *rows))
    return element("section", element("h2", "All figures"), element("div", table, class_="scroll"))


def _row(shift: Shift) -> Iterable[Html]:
    yield element("th", shift.name, scope="row")
    yield element("td", MEANING[shift.name])
    for name, cell in zip(_HEAD, _cells(shift), strict=True):
        shown: str | Html = cell
        if name == "state":
            shown = element("span", cell, class_=f"badge {_TONE[shift.state]}")
        yield element("td", shown, class_=_align(name))


def _spreads(report: DriftReport) -> Html | None:
    shares = [shift for shift in _ordered(report) if shift.group in ("data", "prediction") and shift.effect is not None]
    if not shares:
        return None
    shown = [shift for shift in shares if shift.spread is not None][:_PLOTTED]
    plots = [spread_plot(MEANING[shift.name], shift.spread) for shift in shown if shift.spread is not None]
    return element(
        "section",
        element("h2", "Where it moved"),
        element("div", effects_plot(shares, report.policy.effect), *plots, class_="plots"),
    )


def _caution(report: DriftReport) -> str:
    return (
        f"Of reports on a stream that does not change, {report.policy.alpha:.2%} raise an alarm about any of these "
        "figures. Each school counts once; a p-value is that of all figures together. What moved is not always worse: "
        "accuracy says so."
    )


def _ordered(report: DriftReport) -> Sequence[Shift]:
    """What drifted first, then by p-value and effect."""
    order = {"drifted": 0, "steady": 1, "unclear": 2}
    return sorted(report.shifts, key=lambda each: (order[each.state], each.p or 1.0, -(each.effect or 0.0)))


def _cells(shift: Shift) -> list[str]:
    p = "–" if shift.p is None else f"{shift.p:.4f}"
    effect = "–" if shift.effect is None else f"{shift.effect:.3f}"
    return [shift.group, _value(shift.before), _value(shift.now), effect, p, _SIGN[shift.state]]


def _estimates(report: DriftReport) -> list[tuple[str, Estimated | None]]:
    names = ("expected", "expected_before", "corrected", "corrected_before", "burden", "strain")
    return [(name, getattr(report.accuracy, name)) for name in names]


def _told(estimated: Estimated | None) -> dict[str, float] | None:
    if estimated is None:
        return None
    return {name: getattr(estimated, name) for name in ("share", "low", "high", "values")}


def _share(estimated: Estimated) -> str:
    return f"{estimated.share:.1%} ({estimated.low:.1%} to {estimated.high:.1%})"


def _times(ratio: Estimated) -> str:
    return f"{ratio.share:.2f} times ({ratio.low:.2f} to {ratio.high:.2f})"


def _so(ratio: Estimated) -> str:
    return ", which may be chance" if ratio.is_one else ", and the estimate takes it into account"


def _value(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _align(head: str) -> str | None:
    return "number" if head in ("before", "now", "effect", "p") else None


def _day(at: Any) -> str:
    return str(at.date().isoformat())
