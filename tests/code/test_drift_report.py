"""The report on drift, what it tells Prometheus, and the alert rules over that."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import yaml
from drifting import BEGIN, made_schools, made_window
from prometheus_client.parser import text_string_to_metric_families

from pocai.mlops.drift import Day, DriftReport, compared
from pocai.mlops.drift_accuracy import Accuracy, Estimated
from pocai.mlops.drift_alerts import HELP, exposition, gauges, write_gauges
from pocai.mlops.drift_plots import days_plot, spread_plot
from pocai.mlops.drift_questions import Spread
from pocai.mlops.drift_report import MEANING, as_json, html_page, markdown, sentence, write_report

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "pocai-drift.rules.yml"


@pytest.fixture(scope="module", name="drifted")
def a_report_with_alarms() -> DriftReport:
    random = np.random.default_rng(0)
    schools = made_schools(random)
    before = made_window(random, schools, 1200, name="Secret School")
    move = {"document.sharpness": 3.0, "document.confidence": -2.5}
    return compared(before, made_window(random, schools, 300, name="Secret School", move=move, changed=0.4))


@pytest.fixture(scope="module", name="nothing")
def a_report_on_nothing() -> DriftReport:
    random = np.random.default_rng(1)
    window = made_window(random, made_schools(random), 0)
    return compared(window, window)


class Page(HTMLParser):
    """Checks that elements nest, and keeps all text and attributes."""

    VOID = frozenset(("meta", "input", "col"))

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text: list[str] = []
        self.links: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_markdown_says_what_drifted_and_nothing_of_any_school(drifted: DriftReport) -> None:
    text = markdown(drifted)
    assert "300 documents of" in text
    assert "Drifted: " in text
    assert re.search(r"^\| document.sharpness \| data \| .* \| ✗ drifted \|$", text, re.MULTILINE)
    assert len(re.findall(r"^\| \w[\w.]+ \| (data|layout|prediction|accuracy) \|", text, re.MULTILINE)) == len(MEANING)
    assert "Estimated accuracy: " in text
    assert "Secret" not in text + html_page(drifted) + as_json(drifted) + exposition(drifted)


def test_the_page_is_whole_and_fetches_nothing(drifted: DriftReport) -> None:
    page = Page(html_page(drifted))
    assert not page.links
    assert "script" not in page.seen
    assert page.seen.count("svg") >= 4
    assert "✗ drifted" in page.text
    assert not re.search(r"\bnan\b|\binf\b", html_page(drifted))


def test_a_report_on_nothing_says_so(nothing: DriftReport) -> None:
    assert "too few to say anything" in sentence(nothing)
    Page(html_page(nothing))
    assert json.loads(as_json(nothing))["judged"] is False
    assert gauges(nothing) == {
        "pocai_drift_report_timestamp_seconds": nothing.current[1].timestamp(),
        "pocai_drift_documents": 0.0,
        "pocai_drift_judged": 0.0,
        "pocai_drift_alarms": 0.0,
    }


def test_a_quiet_report_says_so(drifted: DriftReport) -> None:
    quiet = replace(drifted, shifts=tuple(replace(shift, state="steady") for shift in drifted.shifts))
    assert sentence(quiet).endswith("nothing has drifted.")


def test_the_json_holds_all_figures(drifted: DriftReport) -> None:
    told = json.loads(as_json(drifted))
    assert told["alarms"] == [shift.name for shift in drifted.alarms]
    assert {each["name"] for each in told["figures"]} == set(MEANING)
    assert told["accuracy"]["estimate"] == pytest.approx(drifted.accuracy.estimate)
    assert told["accuracy"]["corrected"]["share"] == pytest.approx(0.4, abs=0.05)
    assert told["documents"] == [1200, 300]


def test_ratios_of_corrections_are_explained(drifted: DriftReport) -> None:
    known = Accuracy(
        expected=Estimated(0.9, 0.88, 0.92, 100),
        burden=Estimated(1.1, 0.9, 1.3, 20),
        strain=Estimated(2.0, 1.5, 2.5, 20),
    )
    text = markdown(replace(drifted, accuracy=known))
    assert "changed 1.10 times (0.90 to 1.30) of what confidence expects, which may be chance." in text
    assert "2.00 times (1.50 to 2.50) as much now, and the estimate takes it into account." in text
    assert "Estimated accuracy: 80.0%." in text


def test_both_files_are_written(drifted: DriftReport, tmp_path: Path) -> None:
    text, page = write_report(drifted, tmp_path / "made" / "here")
    assert text.read_text(encoding="utf-8") == markdown(drifted)
    assert page.read_text(encoding="utf-8") == html_page(drifted)


def test_plots_take_what_is_odd() -> None:
    Page(days_plot((), "2026-09-01"))
    Page(days_plot((Day("2026-09-01", 3, None), Day("2026-09-02", 3, 0.2)), "2026-09-02"))
    kinds = spread_plot("format", Spread((0.0, 1.0), (1.0, 0.0), kinds=("<script>", "a-very-long-name-of-a-format")))
    assert "<script>" not in kinds
    Page(kinds)


# --- Prometheus ------------------------------------------------------------------------------------------------------


def test_the_gauges_are_read_by_prometheus(drifted: DriftReport, tmp_path: Path) -> None:
    file = tmp_path / "collector" / "pocai.prom"
    write_gauges(drifted, file)
    write_gauges(drifted, file)
    assert [each.name for each in file.parent.iterdir()] == ["pocai.prom"]
    families = {each.name: each for each in text_string_to_metric_families(file.read_text(encoding="utf-8"))}
    assert set(families) == set(HELP)
    assert {each.type for each in families.values()} == {"gauge"}
    by_figure = {each.labels["figure"]: each.value for each in families["pocai_drift_drifted"].samples}
    assert by_figure["document.sharpness"] == 1.0
    assert by_figure["ocr.words"] == 0.0
    assert families["pocai_drift_alarms"].samples[0].value == len(drifted.alarms)
    assert families["pocai_drift_report_timestamp_seconds"].samples[0].value > BEGIN.timestamp()


def test_alert_rules_are_over_gauges_that_there_are() -> None:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) >= 4
    for rule in rules:
        used = set(re.findall(r"\bpocai_\w+", rule["expr"]))
        assert used
        assert used <= set(HELP)
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert rule["annotations"]["summary"]
        figures = re.findall(r'figure="([^"]+)"', rule["expr"])
        assert set(figures) <= set(MEANING)
