"""The report about an evaluation: Markdown with figures only, and one HTML file with pages and differences.

The Markdown holds no text of the documents and can be passed on. The HTML shows the pages themselves.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from pocai.evaluation.evaluate import Evaluated, EvaluationResult
from pocai.evaluation.timetables import Counts, total
from pocai.evaluation.trust import claims_of
from pocai.evaluation.trust_report import trust_markdown

SHARES = ("block", "slot", "name", "notes", "header")


def write_report(result: EvaluationResult, folder: Path) -> tuple[Path, Path]:
    """Write ``report.md`` and ``report.html`` into ``folder``, which is made where it is missing."""
    from pocai.evaluation.report_page import html_page

    folder.mkdir(parents=True, exist_ok=True)
    text, page = folder / "report.md", folder / "report.html"
    text.write_text(markdown(result), encoding="utf-8")
    page.write_text(html_page(result), encoding="utf-8")
    return text, page


def markdown(result: EvaluationResult) -> str:
    """The figures over all, by slice and by document, as Markdown tables; no text of any document."""
    parts = [
        "# Evaluation",
        summary_sentence(result),
        _table("all", [(f"{len(result.documents)} documents", result.counts)]),
        "## By slice",
        _table("slice", _slice_rows(result)) if result.by_slice() else "No slice is known.",
        trust_markdown(claims_of(result.documents)),
        "## By document, worst first",
        _document_table(worst_first(result.documents)),
    ]
    if result.unlabelled:
        parts.append("Left out, for lack of a label: " + ", ".join(map(_cell, result.unlabelled)) + ".")
    return "\n\n".join(parts) + "\n"


def summary_sentence(result: EvaluationResult) -> str:
    """One sentence that says how it went."""
    figures = result.counts.figures
    failed = sum(document.error is not None for document in result.documents)
    recall = result.recall
    return (
        f"{figures.block:.1%} of blocks and {figures.slot:.1%} of slots are right (F1) over {len(result.documents)} "
        f"documents; {figures.edits} corrections remain, {figures.exact} documents need none"
        + (f", {failed} could not be extracted" if failed else "")
        + ("" if recall is None else f"; {recall.share:.1%} of the printed words were read")
        + f"; {seconds_of(result.documents)}."
    )


def seconds_of(documents: Sequence[Evaluated]) -> str:
    """Median and longest time a document, as words."""
    if not documents:
        return "no time was measured"
    seconds = [document.seconds for document in documents]
    return f"{statistics.median(seconds):.2f} s a document in the median, {max(seconds):.2f} s at most"


def worst_first(documents: Iterable[Evaluated]) -> list[Evaluated]:
    """The documents by block F1, the lowest first, then by name."""
    return sorted(documents, key=lambda document: (document.counts.figures.block, document.name))


def _slice_rows(result: EvaluationResult) -> list[tuple[str, Counts]]:
    return [
        (f"{each} ({len(documents)})", total(document.counts for document in documents))
        for each, documents in result.by_slice().items()
    ]


def _table(first: str, rows: Iterable[tuple[str, Counts]]) -> str:
    head = [first, *SHARES, "edits", "exact"]
    body = [
        [
            _cell(name),
            *(f"{getattr(counts.figures, share):.3f}" for share in SHARES),
            str(counts.edits),
            str(counts.exact),
        ]
        for name, counts in rows
    ]
    return _rows(head, body)


def _document_table(documents: Iterable[Evaluated]) -> str:
    head = ["document", *SHARES, "edits", "words", "seconds", "error"]
    body = [
        [
            _cell(document.name),
            *(f"{getattr(document.counts.figures, share):.3f}" for share in SHARES),
            str(document.counts.edits),
            "" if document.recall is None else f"{document.recall.share:.3f}",
            f"{document.seconds:.2f}",
            _cell(document.error or ""),
        ]
        for document in documents
    ]
    return _rows(head, body)


def _rows(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    rule = [":--", *(["--:"] * (len(head) - 1))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *body))


def _cell(text: str) -> str:
    """Text that stays text in a Markdown table."""
    return re.sub(r"([\\`*_\[\]<>|#!&~])", r"\\\1", " ".join(text.split()))
