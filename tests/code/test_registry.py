"""The registry in files: versions and what is known of them, aliases, the gate's verdict, files kept with a version."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from made_packages import model_folder
from mlflow_server import empty_mlflow_tables, mlops_settings  # noqa: F401 - fixtures
from registries import a_registry, a_version  # noqa: F401 - fixtures

from pocai.errors import InputError, UnknownModel, UntrustedModel
from pocai.mlops.model_version import DIGEST, KIND, ModelVersion
from pocai.mlops.registry import ALIASES, Registry
from pocai.models.package import checked


def test_a_version_says_what_it_is(version: ModelVersion, registry: Registry) -> None:
    assert str(version) == "layout@1"
    assert (version.kind, version.data_sha256, version.gate) == ("layout", "d" * 64, "none")
    assert version.metrics == {"all/slot": 0.5}
    assert version.created.utcoffset() is not None
    assert registry.get("layout", 1) == version
    assert registry.get("layout", "1") == version
    for said in ("the first", "**Model:** tiny 1", "**Licence:** MIT", "**Limit:** of nothing", "all/slot: 0.5"):
        assert said in version.description


def test_each_registration_is_a_version(version: ModelVersion, registry: Registry, tmp_path: Path) -> None:
    second = registry.register(tmp_path / "model", "layout", kind="layout")
    other = registry.register(tmp_path / "model", "another", kind="layout")
    assert [each.version for each in registry.versions("layout")] == [1, 2]
    assert [str(each) for each in registry.versions()] == ["another@1", "layout@1", "layout@2"]
    assert second.digest == version.digest == other.digest


def test_a_version_belongs_to_the_run_that_it_is_from(registry: Registry, tmp_path: Path) -> None:
    client = registry._client
    training = client.create_experiment("training", artifact_location=str(tmp_path / "files"))
    run = client.create_run(training, tags={"pocai.key": "k"}).info.run_id
    version = registry.register(model_folder(tmp_path / "model"), "layout", kind="layout", run_id=run)
    assert version.run_id == run
    lineage = registry.lineage(version)
    assert (lineage.data_sha256, lineage.run["id"], lineage.run["pocai.key"]) == ("d" * 64, run, "k")
    assert checked(registry.pull(version)).digest == version.digest


def test_lineage_ends_with_deployments(version: ModelVersion, registry: Registry) -> None:
    for name, number in (("layout", 1), ("layout", 2), ("student", 1)):
        registry.journal.append("promote", actor="ada", name=name, version=number, reason="better")
    assert [(entry.name, entry.version) for entry in registry.lineage(version).deployments] == [("layout", 1)]


@pytest.mark.parametrize("reference", [2, "2", "champion", "0", "-1", "", "1.0", "٣", "9" * 30, "latest"])
def test_what_is_not_there_is_unknown(reference: int | str, version: ModelVersion, registry: Registry) -> None:
    assert version.version == 1
    with pytest.raises(UnknownModel, match="there is no model layout@"):
        registry.get("layout", reference)


def test_a_name_that_is_not_there_is_unknown(registry: Registry) -> None:
    for call in (
        lambda: registry.get("layout", 1),
        lambda: registry.versions("layout"),
        lambda: registry.aliases("layout"),
        lambda: registry.set_alias("layout", "champion", 1),
        lambda: registry.set_alias("layout", "champion", None),
        lambda: registry.read_state("layout"),
        lambda: registry.write_state("layout", "x"),
    ):
        with pytest.raises(UnknownModel, match="there is no model layout"):
            call()
    assert registry.versions() == ()


@pytest.mark.parametrize("name", ["", "Layout", "../x", "a/b", "a'b", "a b", "x" * 65, ".x", "a\n"])
def test_odd_names_are_refused(name: str, registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no model can be named"):
        registry.register(model_folder(tmp_path / "model"), name, kind="layout")
    with pytest.raises(InputError, match="no model can be named"):
        registry.versions(name)


def test_models_of_others_are_left_out(
    version: ModelVersion, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    client = registry._client
    client.create_model_version("layout", "s3://others/x", tags={"of": "others"})
    client.create_model_version("layout", "s3://others/x", tags={KIND: "layout", DIGEST: "../../x"})
    with caplog.at_level(logging.WARNING):
        assert registry.versions() == (version,)
    assert "version 3 of 'layout' was not registered by pocai" in caplog.text
    for number in (2, 3):
        with pytest.raises(UntrustedModel, match="was not registered by pocai"):
            registry.get("layout", number)


# --- aliases, state, gate, files ----------------------------------------------------------------------------------


def test_an_alias_is_one_version(version: ModelVersion, registry: Registry, tmp_path: Path) -> None:
    registry.register(tmp_path / "model", "layout", kind="layout")
    registry.set_alias("layout", "champion", 1)
    registry.set_alias("layout", "previous", 1)
    assert registry.get("layout", "champion").version == version.version
    assert registry.versions("layout")[0].aliases == ("champion", "previous")
    registry.set_alias("layout", "champion", 2)
    assert registry.aliases("layout") == {"champion": 2, "previous": 1}
    registry.set_alias("layout", "previous", None)
    registry.set_alias("layout", "previous", None)
    assert registry.aliases("layout") == {"champion": 2}


def test_aliases_are_those_that_are_known(version: ModelVersion, registry: Registry) -> None:
    for alias in ALIASES:
        registry.set_alias("layout", alias, version.version)
    with pytest.raises(InputError, match="there is no alias 'best'"):
        registry.set_alias("layout", "best", 1)
    with pytest.raises(UnknownModel, match="layout@7"):
        registry.set_alias("layout", "champion", 7)


def test_a_text_is_kept_with_a_name(version: ModelVersion, registry: Registry) -> None:
    assert registry.read_state(version.name) is None
    registry.write_state("layout", '{"share": 0.1}')
    assert registry.read_state("layout") == '{"share": 0.1}'
    registry.write_state("layout", "")
    assert registry.read_state("layout") is None
    with pytest.raises(InputError, match="cannot be kept"):
        registry.write_state("layout", "x" * 10_000)


def test_the_end_of_the_journal_is_kept(version: ModelVersion, registry: Registry) -> None:
    entry = registry.journal.append("promote", actor="ada", name=version.name, version=1, reason="better")
    registry.write_head("layout", entry.hash)
    assert registry.heads() == {"layout": entry.hash}
    assert registry.journal.verify_heads(registry.heads()) == 1


class Passed:
    passed = True


class Failed:
    passed = False


def test_the_gates_verdict_and_report_are_kept(version: ModelVersion, registry: Registry, tmp_path: Path) -> None:
    report = tmp_path / "report"
    report.mkdir()
    for name in ("gate.md", "gate.html"):
        (report / name).write_text(f"of {name}")
    registry.set_gate("layout", 1, Passed(), report)
    assert registry.get("layout", 1).gate == "passed"
    registry.set_gate("layout", 1, Failed(), report / "gate.md")
    found = registry.get("layout", 1)
    assert found.gate == "failed"
    assert registry.attachments(found) == ("gate.html", "gate.md")
    assert registry.attachments(version) == registry.attachments(found)
    assert registry.fetch(found, "gate.md", tmp_path / "out").read_text() == "of gate.md"


def test_files_of_versions_do_not_mix(version: ModelVersion, registry: Registry, tmp_path: Path) -> None:
    second = registry.register(tmp_path / "model", "layout", kind="layout", run_id=version.run_id)
    registry.attach(version, tmp_path / "model" / "notes.txt")
    assert (registry.attachments(version), registry.attachments(second)) == (("notes.txt",), ())
    for name in ("none.txt", "../../packages", ""):
        with pytest.raises(UnknownModel, match="has no file"):
            registry.fetch(version, name, tmp_path / "out")


def test_state_is_json_that_others_wrote(version: ModelVersion, registry: Registry) -> None:
    registry._client.set_model_version_tag("layout", "1", "pocai.metrics", json.dumps(["no", "table"]))
    registry._client.set_model_version_tag("layout", "1", "pocai.gate", "certainly")
    found = registry.get("layout", 1)
    assert (found.metrics, found.gate) == ({}, "none")
    assert version.metrics
