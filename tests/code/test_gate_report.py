"""The report of the gate: whole, well-formed, of the right numbers, and without anything from elsewhere."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pocai.errors import GateRefused
from pocai.evaluation.calibration import Bin
from pocai.mlops.bootstrap import Part, compared
from pocai.mlops.footprint import Footprint
from pocai.mlops.gate_report import html_page, markdown, write_report
from pocai.mlops.model_tests import Behaviour
from pocai.mlops.race import Took
from pocai.mlops.verdict import Check, Evidence, Side, SliceFact, Verdict

NASTY = "</title><script>alert(1)</script> & | `x` http"
FACTS = (
    SliceFact("format: pdf", 30, 0.91, 0.92, 0.02),
    SliceFact("layout: bars", 12, 0.70, 0.92, 0.02),
    SliceFact("layout: app", 2, 0.50, 0.92),
)
TESTS = (
    Behaviour("a larger page", "invariance", 11, 1.0, 0.99),
    Behaviour("capital letters", "invariance", 11, 0.5, 0.8),
)
CHECKS = (
    Check("score", True, 0.91, 0.8, "block F1 0.9100 on made documents, at least 0.8"),  # noqa: FBT003
    Check("slices", False, 0.22, 0.02, "worse: layout: bars by 0.2200 (at most 0.02)", FACTS),  # noqa: FBT003
    Check("latency", True, 1.1, 1.25, "p95 0.110 s"),  # noqa: FBT003
    Check("invariance", False, 0.5, 0.8, "capital letters 0.500 (at least 0.8)", TESTS),  # noqa: FBT003
)


def side(title: str, score: float, seconds: float) -> Side:
    bins = (Bin(0.0, 0.8, 5, 0.6, 0.4), Bin(0.8, 1.0, 5, 0.95, 1.0))
    took = tuple(Took(seconds * (1 + n / 10), seconds * (1 + n / 10)) for n in range(10))
    return Side(title, {"block": score, "served": score}, 0.08, bins, took, Footprint(60 * 2**20, 118 * 2**20))


@pytest.fixture
def verdict() -> Verdict:
    test = compared([Part(9 - n % 3, 10) for n in range(30)], [Part(9, 10)] * 30, resamples=500)
    evidence = Evidence(
        "layout",
        "f" * 64,
        30,
        side(NASTY, 0.9, 0.11),
        side("layout 0.1 (0123456789ab)", 0.92, 0.1),
        FACTS,
        test,
        12.3,
        datetime(2026, 3, 1, 8, 30, tzinfo=UTC),
    )
    return Verdict(passed=False, checks=CHECKS, evidence=evidence)


def drawings(page: str) -> dict[str, ET.Element]:
    """The plots by their name."""
    found = [ET.fromstring(each) for each in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]
    return {str(each.get("aria-label")).partition(":")[0]: each for each in found}


def of_class(drawing: ET.Element, *names: str) -> list[ET.Element]:
    return [each for each in drawing.iter() if set(names) <= set((each.get("class") or "").split())]


def test_the_page_fetches_nothing_and_runs_nothing(verdict: Verdict) -> None:
    page = html_page(verdict)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"(src|href)=|url\(|@import", page)
    assert "default-src &#x27;none&#x27;" in page


def test_the_page_says_what_came_out(verdict: Verdict) -> None:
    page = html_page(verdict)
    for said in ("Gate: ", ">refused<", "2 of 4", "118 MB", "2026-03-01 08:30 UTC", "in 12 s", "f" * 64):
        assert said in page
    assert page.count('class="no"') == 2
    assert page.count('class="yes"') == 2
    for check in CHECKS:
        assert check.text in page
    assert "0.500 (failed)" in page
    assert "0.02 (exceeded)" in page


def test_plots_show_both_models(verdict: Verdict) -> None:
    found = drawings(html_page(verdict))
    assert set(found) == {"Slices", "Difference", "Latency", "Reliability diagram"}
    slices = found["Slices"]
    assert len(of_class(slices, "before")) == len(of_class(slices, "now")) == 3
    (worse,) = of_class(slices, "now", "worse")
    (before,) = of_class(slices, "before", "worse")
    assert float(worse.get("cx", 0)) < float(before.get("cx", 0)), "it is worse, so further left"
    assert len(of_class(slices, "now", "faint")) == 1
    assert len(of_class(found["Difference"], "bar-below")) > 5
    assert len(of_class(found["Latency"], "dot")) == 10


def test_everything_drawn_lies_within_its_plot(verdict: Verdict) -> None:
    for name, drawing in drawings(html_page(verdict)).items():
        _, _, width, height = map(float, drawing.get("viewBox", "").split())
        for each in drawing.iter():
            for place, most in (
                ("cx", width),
                ("x", width),
                ("x2", width),
                ("cy", height),
                ("y", height),
                ("y2", height),
            ):
                if (value := each.get(place)) is not None:
                    assert 0 <= float(value) <= most, (name, each.tag, place)


def test_models_that_are_the_same_can_be_drawn(verdict: Verdict) -> None:
    same = compared([Part(1, 1)] * 5, [Part(1, 1)] * 5)
    facts = (SliceFact("format: pdf", 12, 1.0, 1.0, 0.02),)
    evidence = replace(verdict.evidence, bootstrap=same, slices=facts)
    page = html_page(Verdict(passed=True, checks=CHECKS[:1], evidence=evidence))
    assert "nan" not in page
    assert set(drawings(page)) == {"Slices", "Difference", "Latency", "Reliability diagram"}
    assert ">passed<" in page


def test_the_markdown_holds_tables_that_stay_whole(verdict: Verdict) -> None:
    text = markdown(verdict)
    assert text.startswith("# Gate: refused\n")
    assert "failed 2 of 4 checks: slices: worse" in text
    for table in re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE):
        columns = {len(re.findall(r"(?<!\\)\|", row)) for row in table.strip().split("\n")}
        assert len(columns) == 1
    assert "| layout: bars | 12 | 0.9200 | 0.7000 | -0.2200 | 0.02 (exceeded) |" in text
    assert "| layout: app | 2 | 0.9200 | 0.5000 | -0.4200 | – |" in text


def test_a_candidate_that_did_not_load_has_a_report_too(tmp_path: Path) -> None:
    check = Check("loads", False, None, None, "layout.onnx cannot be loaded as an ONNX model")  # noqa: FBT003
    evidence = Evidence("layout", "f" * 64, 0, Side("not loaded"), Side("layout 0.1"))
    verdict = Verdict(passed=False, checks=(check,), evidence=evidence)
    text, page = write_report(verdict, tmp_path / "new" / "folder")
    assert (text.name, page.name) == ("gate.md", "gate.html")
    assert "layout.onnx cannot be loaded" in text.read_text(encoding="utf-8")
    assert drawings(page.read_text(encoding="utf-8")) == {}


def test_a_refusal_names_checks_numbers_and_limits(verdict: Verdict) -> None:
    with pytest.raises(GateRefused) as refused:
        verdict.raise_if_refused()
    assert refused.value.what == (
        "the model failed 2 of 4 checks: slices: worse: layout: bars by 0.2200 (at most 0.02); "
        "invariance: capital letters 0.500 (at least 0.8)"
    )
    assert verdict.metrics() == {"score": 0.91, "slices": 0.22, "latency": 1.1, "invariance": 0.5}
    held = verdict.to_json()
    assert (held["passed"], held["kind"], held["frozen"]) == (False, "layout", "f" * 64)
    assert [each["passed"] for each in held["slices"]] == [True, False, True]
