"""``/v1/features`` on a real service with a real store (Feast on SQLite): schools, documents, and who may see them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from calling import Caller, code, letter, saved, week
from feature_services import caller, corrected, flushed, measured, remembering_service
from serving import Running

from pocai.timetable.school import CORRECTED

HIDDEN = "Hogwarts"  # a school's name, which no log may hold


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    access = {"mode": "on", "rate_per_key": "100000/minute", "rate_per_ip": "100000/minute"}
    features = {"kind": "sqlite", "read_seconds": 5, "cache_seconds": 0}
    with remembering_service(tmp_path_factory.mktemp("features"), features, access=access) as found:
        yield found


@pytest.fixture(scope="module")
def trust(running: Running) -> Caller:
    """A tenant with several schools."""
    return caller(running, "trust", "extract", "features")


def names(api: Caller, school: str) -> dict[str, int]:
    answer = api("GET", f"/v1/features/schools/{school}")
    assert answer.status_code == 200, answer.text
    found = answer.json()["names"]
    assert isinstance(found, dict)
    return found


# --- reading teaches, and what was taught is used ------------------------------------------------------------------


def test_what_is_read_is_remembered_of_its_school(running: Running, trust: Caller) -> None:
    assert trust.send(week("one"), "/v1/extractions?school=north").status_code == 200
    assert trust.send(week("two"), headers={"X-School": "north"}).status_code == 200
    assert trust.send(week("three")).status_code == 200
    flushed(running)
    answer = trust("GET", "/v1/features/schools/north").json()
    assert answer["documents"] == 2
    assert answer["names"]["Maths"] == 6
    assert {"startTime": "09:00", "endTime": "10:00", "count": 10} in answer["periods"]
    assert (answer["cycle"], answer["corrected"], answer["correctionRate"]) == (5, 0, None)
    assert trust("GET", "/v1/features/schools/trust").json()["documents"] == 1  # no school named: the tenant's own


def test_a_document_without_timetable_teaches_nothing(running: Running, trust: Caller) -> None:
    assert trust.send(letter(), "/v1/extractions?school=letters").status_code in {200, 422}
    flushed(running)
    assert trust("GET", "/v1/features/schools/letters").status_code == 404


def test_text_only_is_not_remembered(running: Running, trust: Caller) -> None:
    assert trust.send(week("text"), "/v1/ocr").status_code == 200
    flushed(running)
    digest = hashlib.sha256(week("text")).hexdigest()
    assert trust("GET", f"/v1/features/documents/{digest}").status_code == 404


def evening_class(title: str) -> bytes:
    import docx

    document = docx.Document()
    document.add_paragraph(title)
    table = document.add_table(rows=0, cols=3)
    table.style = "Table Grid"
    for row in (("", "Monday", "Tuesday"), ("7.00-8.00", "Yoga", "Pottery"), ("8.15-9.15", "French", "Yoga")):
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text
    return saved(document)


def test_what_is_known_of_a_school_helps_to_read_and_says_so(trust: Caller) -> None:
    hours = (("19:00", "20:00"), ("20:15", "21:15"))
    blocks = [{"day": "Monday", "name": "Yoga", "startTime": start, "endTime": end} for start, end in hours]
    body = {"timetables": [{"timeblocks": blocks}]}
    assert trust("POST", "/v1/features/schools/evening", json=body).status_code == 200

    def read(title: str, school: str) -> dict[str, Any]:
        answer = trust.send(evening_class(title), f"/v1/extractions?school={school}")
        assert answer.status_code == 200, answer.text
        block = answer.json()["result"]["timetables"][0]["timeblocks"][0]
        assert isinstance(block, dict)
        return block

    without, with_school = read("of nobody", "unknown"), read("of the evening", "evening")
    assert (without["startTime"], without["endTime"]) == ("07:00", "08:00")
    assert (with_school["startTime"], with_school["endTime"]) == ("19:00", "20:00")
    assert with_school["fields"]["startTime"]["evidence"] == "school"
    assert without["fields"]["startTime"]["evidence"] != "school"


# --- documents -----------------------------------------------------------------------------------------------------


def test_a_document_is_measured_and_its_text_kept_back(running: Running, trust: Caller) -> None:
    job = trust.send(week("measured"), "/v1/extractions?school=west").json()
    flushed(running)
    path = f"/v1/features/documents/{job['document']['sha256']}"
    answer = trust("GET", f"{path}?school=west")
    assert answer.status_code == 200, answer.text
    views = answer.json()["views"]
    assert views["document"]["school"] == "west"
    assert (views["document"]["pages"], views["document"]["format"]) == (1, "docx")
    assert views["ocr"]["source"] == "native"
    assert views["ocr"]["times"] >= 2
    assert "text" not in views["ocr"]
    assert "Maths" not in answer.text
    for elsewhere in (path, f"{path}?school=east"):
        assert trust("GET", elsewhere).status_code == 404
    gone = trust("DELETE", f"{path}?school=west")
    assert gone.status_code == 200
    assert gone.json()["rows"] >= 2
    assert trust("GET", f"{path}?school=west").status_code == 404
    assert names(trust, "west")["Maths"] == 3  # the school has learned from it all the same


# --- corrections ---------------------------------------------------------------------------------------------------


def test_a_correction_weighs_more_and_what_was_changed_is_counted(trust: Caller) -> None:
    wrong, right = corrected("Maths", "Ort"), corrected("Maths", "Art")
    first = trust("POST", "/v1/features/schools/south", json=right | {"read": wrong["timetables"]})
    assert first.status_code == 200, first.text
    told = first.json()
    assert told["names"] == {"Maths": CORRECTED, "Art": CORRECTED}
    assert (told["documents"], told["corrected"]) == (1, 1)
    assert (told["fields"], told["changed"], told["correctionRate"]) == (8, 1, 0.125)
    second = trust("POST", "/v1/features/schools/south", json=corrected("Maths"))
    assert second.json()["names"]["Maths"] == 2 * CORRECTED
    assert second.json() == trust("GET", "/v1/features/schools/south").json()


def test_marks_of_a_reading_do_not_speak_against_a_person(trust: Caller) -> None:
    body = corrected("Drama")
    mark = {"page": 0, "box": [0, 0, 9, 9], "evidence": "inferred", "confidence": 0.1}
    body["timetables"][0]["timeblocks"][0]["fields"] = {"name": mark, "startTime": mark, "endTime": mark}
    answer = trust("POST", "/v1/features/schools/marked", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["names"] == {"Drama": CORRECTED}
    assert answer.json()["periods"] == [{"startTime": "09:00", "endTime": "10:00", "count": CORRECTED}]


def test_an_adapter_needs_the_right_to_deploy_models(running: Running, trust: Caller) -> None:
    refused = trust("POST", "/v1/features/schools/adapted", json={"adapter": "out/adapted"})
    assert (refused.status_code, code(refused)) == (403, "not_allowed")
    deployer = caller(running, "trust", "features", "models:deploy")
    for adapter, kept in (("out/adapted", "out/adapted"), ("", None)):
        answer = deployer("POST", "/v1/features/schools/adapted", json={"adapter": adapter})
        assert answer.status_code == 200, answer.text
        assert answer.json()["adapter"] == kept


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"timetables": []}, 400),
        ({"timetables": "x"}, 422),
        ({"timetables": [{"timeblocks": [{"day": "Noday", "name": "x"}]}]}, 422),
        ({"timetables": [{}] * 101}, 422),
        ({"unknown": 1}, 422),
        ({"adapter": "x" * 1025}, 422),
    ],
)
def test_a_correction_that_cannot_be_used_is_explained(trust: Caller, body: dict[str, object], status: int) -> None:
    answer = trust("POST", "/v1/features/schools/bad", json=body)
    assert answer.status_code == status, answer.text
    assert code(answer) == "bad_request"
    assert trust("GET", "/v1/features/schools/bad").status_code == 404


@pytest.mark.parametrize("name", ["a b", "-x", "x" * 101, "%2e%2e", "a%0ab", "a:b"])
def test_a_name_that_no_school_can_have(trust: Caller, name: str) -> None:
    for method in ("GET", "DELETE"):
        assert trust(method, f"/v1/features/schools/{name}").status_code in {404, 422}
    assert trust.send(week("x"), f"/v1/extractions?school={name}").status_code == 422


# --- who may -------------------------------------------------------------------------------------------------------


def test_tenants_never_see_each_others_schools(running: Running, trust: Caller) -> None:
    other = caller(running, "other", "extract", "features")
    assert trust("POST", "/v1/features/schools/shared", json=corrected("Ours")).status_code == 200
    assert other("GET", "/v1/features/schools/shared").status_code == 404
    assert other("POST", "/v1/features/schools/shared", json=corrected("Theirs")).json()["names"] == {
        "Theirs": CORRECTED
    }
    assert names(trust, "shared") == {"Ours": CORRECTED}
    # the key of another tenant's school is no name that one's own can have
    assert other("GET", "/v1/features/schools/trust%2Fshared").status_code == 404
    assert other("DELETE", "/v1/features/schools/trust").json()["rows"] == 0
    assert other("DELETE", "/v1/features/schools/shared").json()["rows"] >= 1
    assert names(trust, "shared") == {"Ours": CORRECTED}
    document = week("of the trust")
    trust.send(document, "/v1/extractions?school=shared")
    flushed(running)
    path = f"/v1/features/documents/{hashlib.sha256(document).hexdigest()}?school=shared"
    assert trust("GET", path).status_code == 200
    assert other("GET", path).status_code == 404
    assert other("DELETE", path).json()["rows"] == 0
    assert trust("GET", path).status_code == 200


def test_only_who_has_the_scope(running: Running, trust: Caller) -> None:
    stranger, reader = Caller(running, {}), caller(running, "trust", "extract", "review", "models:deploy")
    paths = ("/v1/features/schools/north", f"/v1/features/documents/{'0' * 64}")
    for method, path in [(method, path) for path in paths for method in ("GET", "DELETE")]:
        assert (stranger(method, path).status_code, reader(method, path).status_code) == (401, 403)
    assert stranger("POST", paths[0], json=corrected("x")).status_code == 401
    assert reader("POST", paths[0], json=corrected("x")).status_code == 403
    assert "x" not in names(trust, "north")
    admin = caller(running, "trust", "admin")
    assert admin("GET", paths[0]).status_code == 200


# --- forgetting, and what is written down ---------------------------------------------------------------------------


def test_a_school_is_forgotten_with_its_documents(running: Running, trust: Caller) -> None:
    job = trust.send(week("to forget"), "/v1/extractions?school=gone").json()
    assert trust("POST", "/v1/features/schools/gone", json=corrected("Latin")).status_code == 200
    flushed(running)
    path = f"/v1/features/documents/{job['document']['sha256']}?school=gone"
    assert trust("GET", path).status_code == 200
    gone = trust("DELETE", "/v1/features/schools/gone")
    assert gone.status_code == 200
    assert gone.json()["rows"] >= 5  # online and in the history: two of the school, two of the document
    assert trust("GET", "/v1/features/schools/gone").status_code == 404
    assert trust("GET", path).status_code == 404
    assert trust("DELETE", "/v1/features/schools/gone").json() == {"rows": 0}
    assert names(trust, "north")  # others stay


def test_the_audit_log_names_no_school(running: Running, trust: Caller) -> None:
    for method, more in (("POST", {"json": corrected("Potions")}), ("GET", {}), ("DELETE", {})):
        assert trust(method, f"/v1/features/schools/{HIDDEN}", **more).status_code == 200
    text = (running.settings.server.state_dir / "audit.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["action"] for line in lines if line["tenant"] == "trust"][-3:] == [
        "features.correct",
        "features.read",
        "features.forget",
    ]
    assert HIDDEN not in text
    assert "Potions" not in text


def test_metrics_tell_what_the_store_does_and_name_nobody(running: Running, trust: Caller) -> None:
    admin = caller(running, "trust", "admin")
    trust.send(week("measured too"), f"/v1/extractions?school={HIDDEN}")
    trust.send(week("and again"), f"/v1/extractions?school={HIDDEN}")
    flushed(running)
    text = admin("GET", "/metrics").text
    assert HIDDEN not in text
    for name in (
        'pocai_feature_lookups_total{outcome="hit"}',
        'pocai_feature_lookups_total{outcome="miss"}',
        "pocai_feature_lookup_duration_seconds_count",
        "pocai_feature_age_seconds_count",
        "pocai_feature_empty_ratio_count",
        "pocai_feature_writes_total",
        "pocai_feature_write_lag_seconds_count",
    ):
        assert measured(admin, name) > 0, name
    for name in ("pocai_feature_writes_dropped_total", "pocai_feature_writes_queued"):
        assert measured(admin, name) == 0, name
    assert measured(admin, 'pocai_feature_breaker_state{state="closed"}') == 1
