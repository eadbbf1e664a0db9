"""Workflows: parameters, the place of what is made, steps that fail or were done before, a school's adapter."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from commands import done, environment
from made_adapters import adapter_folder
from mlflow_server import empty_mlflow_tables, mlops_settings  # noqa: F401 - fixtures
from pydantic import SecretStr
from school_stores import week

from pocai.errors import ConfigurationError, Conflict, InputError, ModelError
from pocai.inference.feature_store_client import open_client
from pocai.inference.lessons import Lesson
from pocai.mlops import workflow_nightly as nights
from pocai.mlops import workflow_school as school
from pocai.mlops.registry import Registry
from pocai.mlops.workflow import FLOWS, AdaptSchool, Nightly, TrainAndPromote, parameters_of, serve_flow
from pocai.mlops.workflow_place import is_whole, place_of, settings_of
from pocai.mlops.workflow_promotion import register_model
from pocai.mlops.workflow_training import check_data, exported, kind_of
from pocai.models.adapter import RUNTIME
from pocai.models.adapter_card import AdapterCard
from pocai.settings import FeatureSettings, MlopsSettings, Settings

SMOKE = Path("recipes/document-smoke-tune.toml")
KEY = base64.b64encode(bytes(32)).decode()
PATIENCE = 240.0  # seconds for what takes thirty on a quiet machine


# --- parameters ---------------------------------------------------------------------------------------------------


def test_parameters_are_given_by_dotted_keys() -> None:
    given = {"share": 0.5, "values.loop.steps": 7, "values.seed": 3}
    plan = parameters_of("train_and_promote", given, smoke=True)
    assert isinstance(plan, TrainAndPromote)
    assert (plan.share, plan.values, plan.frozen) == (0.5, {"loop.steps": 7, "seed": 3}, "small")
    assert parameters_of("nightly", {"train.share": 0.3, "days": 3}).model_dump()["train"]["share"] == 0.3


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("unknown", {}, "there is no workflow 'unknown'"),
        ("nightly", {"day": 3}, "day"),
        ("train_and_promote", {"share": 2}, "share"),
        ("train_and_promote", {"retries": -1}, "retries"),
        ("adapt_school", {}, "school"),
        ("train_and_promote", {"version": "1", "version.x": 2}, "version is no table"),
    ],
)
def test_parameters_that_cannot_be_used_say_which(name: str, given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as raised:
        parameters_of(name, given)
    assert raised.value.mend


def test_only_what_has_a_smoke_test_has_one() -> None:
    with pytest.raises(ConfigurationError, match="nightly has no smoke test"):
        parameters_of("nightly", {}, smoke=True)


def test_every_parameter_is_described() -> None:
    for kind in FLOWS.values():
        assert kind.__doc__
        assert all(field.description for field in kind.model_fields.values())


def test_a_schedule_needs_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with pytest.raises(ConfigurationError, match="needs a Prefect server"):
        serve_flow("nightly", parameters_of("nightly", {}), "0 3 * * *")


# --- places -------------------------------------------------------------------------------------------------------


@pytest.fixture(name="settings")
def settings_of_a_school(mlops: MlopsSettings, tmp_path: Path) -> Settings:
    features = FeatureSettings(kind="sqlite", folder=tmp_path / "features", key=SecretStr(KEY))
    return Settings(mlops=mlops, features=features)


def test_a_place_is_known_by_all_that_goes_in(settings: Settings) -> None:
    with settings_of(settings):
        one, same = place_of(SMOKE, {}), place_of(SMOKE, {})
        other = place_of(SMOKE, {"loop.steps": 13})
    assert one == same
    assert one.key != other.key
    assert one.folder != other.folder


def test_the_same_work_is_not_done_twice_at_once(settings: Settings) -> None:
    with settings_of(settings):
        place = place_of(SMOKE, {})
        with place.alone(), pytest.raises(Conflict, match="is running already"), place.alone():
            pass
        with place.alone():
            pass


def test_what_a_step_made_is_whole_or_not(tmp_path: Path) -> None:
    file = tmp_path / "made"
    file.write_bytes(b"x")
    sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert is_whole({"files": {str(file): sha256}})
    file.write_bytes(b"y")
    assert not is_whole({"files": {str(file): sha256}})
    file.unlink()
    assert not is_whole({"files": {str(file): sha256}})


def test_recipes_that_workflows_do_not_train_are_refused(settings: Settings) -> None:
    with settings_of(settings):
        place = place_of(Path("recipes/document-llm.toml"), {})
        with pytest.raises(ConfigurationError, match="gives nothing that the registry takes"):
            kind_of(place.recipe)
        with pytest.raises(ConfigurationError, match="-p data=FOLDER") as raised:
            check_data(place_of(Path("recipes/document-lora.toml"), {}))
        assert "trained on documents" in raised.value.what
        with pytest.raises(ConfigurationError, match=r"gone\.toml is not there"):
            place_of(Path("gone.toml"), {})


# --- steps --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", name="toy")
def what_the_toy_workflow_tells(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    desk = tmp_path_factory.mktemp("toy")
    program = [sys.executable, str(Path(__file__).parents[1] / "toy_workflow.py"), str(desk)]
    ended = subprocess.run(
        program, env=environment(desk), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout)
    return told


def test_a_fault_that_may_pass_is_tried_again_and_others_are_not(toy: dict[str, Any]) -> None:
    tried = toy["tried"]
    assert (tried["recovers"], tried["never recovers"], tried["hopeless"]) == (3, 3, 1)
    assert (tried["OSError"], tried["ValueError"]) == (1, 1)


def test_a_step_is_done_again_only_where_its_content_or_its_files_changed(toy: dict[str, Any]) -> None:
    assert toy["contents"] == ["a", "a", "b", "a", "a"]
    cached = [each["cached"] for each in toy["steps"] if each["step"] == "makes"]
    assert cached == [False, True, False, False, False]
    assert toy["tried"]["makes"] == 4


# --- whole workflows ----------------------------------------------------------------------------------------------


def test_the_night_of_a_young_service_finds_too_few_documents(tmp_path: Path) -> None:
    features = {"KIND": "sqlite", "FOLDER": str(tmp_path / "features"), "KEY": KEY}
    store = {f"POCAI_FEATURES__{name}": value for name, value in features.items()}
    ended = done(tmp_path, "flow", "run", "nightly", "-p", "retrain=drift", "--json", **store)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert [each["step"] for each in told["steps"]] == ["materialise", "drift"]
    assert (told["drift"]["judged"], told["drift"]["alarms"]) == (False, [])
    assert "trained" not in told
    assert list(tmp_path.glob(f"mlops/drift/{datetime.now(UTC):%Y-%m}-*/*.html"))
    assert "too few documents" in ended.stderr


def test_a_night_without_a_feature_store_says_so(settings: Settings) -> None:
    without = settings.model_copy(update={"features": FeatureSettings()})
    with settings_of(without), pytest.raises(ConfigurationError, match="feature store"):
        nights.materialise(Nightly(), datetime.now(UTC))


# --- a school -----------------------------------------------------------------------------------------------------


def test_a_school_is_adapted_when_enough_of_its_documents_were_corrected(settings: Settings, tmp_path: Path) -> None:
    plan = AdaptSchool(school="a/b", data=tmp_path)
    client = open_client(settings.features)
    with settings_of(settings):
        for count in range(3):
            with pytest.raises(InputError, match=f"{count} documents of the school were corrected, 3 are wanted"):
                school.check_corrections(plan)
            client.learn(Lesson("a/b", [week("Art")], corrected=True))
        assert school.check_corrections(plan) == school.School(3, "")
        made = {**exported(adapter_folder(tmp_path / "school"), school.KIND), "run_id": None}
        registered = register_model(place_of(SMOKE, {}), made)
        assert register_model(place_of(SMOKE, {}), made)["version"] == registered["version"] == 1
        adapter = Path(school.activate(plan, registered)["adapter"])
        assert school.activate(plan, registered)["adapter"] == str(adapter)
    memory = client.look("a/b")
    client.close()
    assert memory is not None
    assert memory.adapter == str(adapter)
    assert (adapter / RUNTIME).is_file()
    assert AdapterCard.read(adapter).name == "school"
    with Registry.open(settings.mlops) as registry:
        (entry,) = [entry for entry in registry.journal.entries() if entry.action == "activate"]
        assert entry.details["school"] == school.mark_of("a/b")
        assert "a/b" not in json.dumps(entry.details)


def test_a_champion_that_takes_no_adapters_says_how_to_get_one_that_does(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no layout\.safetensors"):
        school.base_of(tmp_path)
    assert school.base_of(None) is None
