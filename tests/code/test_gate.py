"""The gate on real models: what is shipped passes against itself, and each kind of worse model is refused."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import typer
from frozen import folder_of, tiny_set  # noqa: F401 - a fixture
from gate_models import (
    STUDENT,
    burdened_student,
    layout_adapter,
    miscalibrated_student,
    shipped_copy,
    student_adapter,
    worse_layout,
)
from made_packages import model as an_onnx_model
from mlflow_server import empty_mlflow_tables, mlops_settings  # noqa: F401 - fixtures
from registries import a_registry  # noqa: F401 - a fixture
from typer.testing import CliRunner

from pocai.cli.gate import gate as gate_command
from pocai.errors import GateRefused, InputError, ModelError
from pocai.evaluation.slices import Slice
from pocai.inference.document_service import DocumentService
from pocai.inference.rollout import Order
from pocai.mlops.contestants import HOURS, LayoutContestant, Posed, contestant
from pocai.mlops.frozen_set import Content, FrozenSet, kept
from pocai.mlops.gate import POLICIES, Verdict, gate
from pocai.mlops.gated import champion_of, gate_version
from pocai.mlops.registry import Registry
from pocai.models.layout import SHIPPED_LAYOUT
from pocai.models.package import ModelKind, pack
from pocai.settings import MlopsSettings

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the exporter to ONNX, and of MLflow's


@dataclass(frozen=True)
class Judge:
    """The gate on the tiny set."""

    frozen: FrozenSet

    def of(self, folder: Path, kind: ModelKind = "layout", champion: Path | None = None) -> Verdict:
        return gate(folder, champion, kind, POLICIES[kind], self.frozen)


@pytest.fixture(scope="module")
def judge(tiny: FrozenSet) -> Judge:
    return Judge(tiny)


@pytest.fixture(scope="module")
def good(judge: Judge, tmp_path_factory: pytest.TempPathFactory) -> Verdict:
    """The verdict on the shipped layout transformer, as a package, against itself."""
    place = tmp_path_factory.mktemp("good")
    pack(shipped_copy(place / "model", SHIPPED_LAYOUT.file) / "layout.onnx", place / "package", "layout")
    return judge.of(place / "package")


@pytest.fixture(scope="module")
def worse(judge: Judge, tmp_path_factory: pytest.TempPathFactory) -> Verdict:
    return judge.of(worse_layout(tmp_path_factory.mktemp("worse") / "model", 0.6))


def failed(verdict: Verdict) -> set[str]:
    return {check.name for check in verdict.failed}


def test_what_is_shipped_passes_against_itself(good: Verdict) -> None:
    assert good.passed, good.sentence
    good.raise_if_refused()
    names = [check.name for check in good.checks]
    assert names == [
        *("score", "as served", "slices", "not worse", "better", "failures", "latency", "latency budget"),
        *("memory", "memory budget", "size", "calibration", "invariance", "direction", "minimum function"),
    ]
    test = good.evidence.bootstrap
    assert test is not None
    assert (test.difference, test.worse, test.better) == (0.0, 1.0, 1.0)
    assert 0.75 < good.metrics()["latency"] < 1.25
    assert good.metrics()["size"] == pytest.approx(SHIPPED_LAYOUT.file.stat().st_size / 2**20, abs=0.1)
    assert all(fact.candidate == fact.champion for fact in good.evidence.slices)
    json.dumps(good.to_json())


def test_a_worse_model_is_refused_and_told_why(worse: Verdict) -> None:
    assert not worse.passed
    assert {"score", "as served", "slices", "not worse", "minimum function"} <= failed(worse)
    assert not {"latency", "memory", "size"} & failed(worse)
    with pytest.raises(GateRefused) as refusal:
        worse.raise_if_refused()
    for check in worse.failed:
        assert check.name in refusal.value.what
    score = next(check for check in worse.failed if check.name == "score")
    assert score.measured is not None
    assert re.search(rf"score: block F1 {score.measured:.4f} .*at least 0\.8", refusal.value.what)


def test_a_model_that_is_slow_large_and_wasteful_is_refused_for_that_alone(judge: Judge, tmp_path: Path) -> None:
    verdict = judge.of(burdened_student(tmp_path / "model"), "student")
    budgets = {"latency budget", "memory budget"}  # how much exactly is wasted depends on the machine
    assert failed(verdict) - budgets == {"latency", "memory", "size"}, verdict.sentence
    found = {check.name: check for check in verdict.checks}
    assert (found["size"].measured or 0) > 21
    assert (found["memory"].measured or 0) > 1.3
    assert verdict.evidence.bootstrap is not None
    assert verdict.evidence.bootstrap.difference == 0.0


def test_students_are_judged_by_lines(judge: Judge, tmp_path: Path) -> None:
    same = judge.of(shipped_copy(tmp_path / "same", STUDENT), "student")
    assert same.passed, same.sentence
    assert same.evidence.documents == 60
    assert [check.name for check in same.checks if "served" in check.name] == []


def test_an_adapter_must_help_on_what_was_held_back(tiny: FrozenSet, tmp_path: Path) -> None:
    lines = list(tiny.lines())
    own = tuple(replace(line, slices=(Slice("set", "own"),)) for line in lines[:16])
    frozen = kept(tmp_path / "frozen", {}, lambda: Content(lines=(*own, *lines[16:40])))
    policy = POLICIES["student-adapter"]
    harmful = gate(student_adapter(tmp_path / "harmful", 3.0), None, "student-adapter", policy, frozen)
    assert "corrected documents" in failed(harmful), harmful.sentence
    assert harmful.evidence.documents == 40
    assert {"set: own", "set: made"} <= {fact.name for fact in harmful.evidence.slices}
    said = harmful.sentence + harmful.evidence.candidate.title
    assert "harmful" not in said, "the name of an adapter is a school's"


def test_an_adapter_that_does_nothing_reads_as_its_base(tiny: FrozenSet, tmp_path: Path) -> None:
    idle = layout_adapter(tmp_path / "idle", 0.0)
    with_it, without = (contestant(folder, "layout-adapter") for folder in (idle, None))
    for document in list(tiny.documents())[:3]:
        posed = Posed(document, ())
        assert with_it.outcomes(posed)[0].parts == without.outcomes(posed)[0].parts


def replaced(folder: Path, content: bytes) -> Path:
    """The shipped layout transformer with other weights, of which its card is."""
    shipped_copy(folder, SHIPPED_LAYOUT.file)
    (folder / "layout.onnx").write_bytes(content)
    card = json.loads((folder / "layout.json").read_text(encoding="utf-8"))
    card["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "layout.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def test_what_cannot_be_loaded_is_refused(judge: Judge, tmp_path: Path) -> None:
    verdict = judge.of(replaced(tmp_path / "model", b"no model at all"))
    assert not verdict.passed
    assert failed(verdict) == {"loads"}
    assert "loads: layout.onnx is refused" in verdict.sentence


def test_another_network_fails_at_every_document(tiny: FrozenSet, tmp_path: Path) -> None:
    strange = contestant(replaced(tmp_path / "model", an_onnx_model()), "layout")
    for document in list(tiny.documents())[:3]:
        (outcome,) = strange.outcomes(Posed(document, ()))
        assert outcome.failed == "model_error"
        assert outcome.parts["block"].right == outcome.parts["served"].right == 0


def test_a_champion_that_cannot_be_loaded_is_an_error(judge: Judge, tmp_path: Path) -> None:
    folder = shipped_copy(tmp_path / "model", SHIPPED_LAYOUT.file)
    (tmp_path / "broken").mkdir()
    with pytest.raises(ModelError):
        judge.of(folder, champion=tmp_path / "broken")


def test_an_altered_set_judges_nobody(judge: Judge, tmp_path: Path) -> None:
    folder = folder_of(judge.frozen)
    copy = Path(shutil.copytree(folder, tmp_path / folder.name))
    (copy / "documents/00000.json").write_bytes(b"{}")
    with pytest.raises(InputError, match="was altered"):
        gate(tmp_path, None, "layout", POLICIES["layout"], FrozenSet((copy,)))


def test_a_set_without_documents_judges_no_layout_transformer(tiny: FrozenSet, tmp_path: Path) -> None:
    lines = kept(tmp_path / "frozen", {}, lambda: Content(lines=tuple(tiny.lines())[:8]))
    with pytest.raises(InputError, match="holds nothing"):
        gate(shipped_copy(tmp_path / "m", SHIPPED_LAYOUT.file), None, "layout", POLICIES["layout"], lines)


def test_served_is_what_the_service_serves(tiny: FrozenSet, tmp_path: Path) -> None:
    folder = shipped_copy(tmp_path / "model", SHIPPED_LAYOUT.file)
    model = contestant(folder, "layout")
    assert isinstance(model, LayoutContestant)
    assert model.served is not None
    service = DocumentService(f"auto:{folder}", HOURS)
    for document in list(tiny.documents())[:3]:
        assert service.extract(document.document).timetables == model.served.assemble(document.document)


def test_a_registered_version_keeps_its_verdict(
    tiny: FrozenSet, registry: Registry, mlops: MlopsSettings, tmp_path: Path
) -> None:
    first = registry.register(shipped_copy(tmp_path / "first", STUDENT), "student", kind="student")
    second = registry.register(miscalibrated_student(tmp_path / "second"), "student", kind="student")
    assert champion_of(registry, first) is None
    registry.set_alias("student", "champion", 1)
    assert champion_of(registry, first) is None
    assert champion_of(registry, second) == registry.pull(first)
    verdict = gate_version(registry, second, tiny, Order("ada", "a new student"))
    assert failed(verdict) == {"calibration"}, verdict.sentence
    found = registry.get("student", 2)
    assert found.gate == "failed"
    assert set(registry.attachments(found)) == {"gate.md", "gate.html"}
    (entry,) = registry.journal.entries()
    assert (entry.action, entry.actor, entry.name, entry.version) == ("gate", "ada", "student", 2)
    assert entry.details["failed"] == ["calibration"]
    assert entry.details["measured"]["calibration"] > 0.2
    assert registry.journal.verify_heads(registry.heads()) == 1
    assert registry.get("student", 1).gate == "none"
    del mlops


def test_the_command_judges_a_folder(tiny: FrozenSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCAI_MLOPS__FOLDER", str(tmp_path / "home"))
    app = typer.Typer()
    app.command()(gate_command)
    student = shipped_copy(tmp_path / "student", STUDENT)
    own = ["--frozen", str(folder_of(tiny)), "--alone"]
    result = CliRunner().invoke(app, [str(student), "--kind", "student", *own, "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "Gate: passed" in result.output
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"gate.md", "gate.html"}
    assert not (tmp_path / "home" / "frozen").exists(), "nothing was made"
    refused = CliRunner().invoke(app, [str(student), "--kind", "layout", *own])
    assert isinstance(refused.exception, GateRefused)
    for wrong in ([str(student), *own], ["student", *own], [str(student), "--alone"]):
        assert CliRunner().invoke(app, wrong).exit_code == 2
