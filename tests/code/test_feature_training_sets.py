"""Training sets: what models are trained on is what they were given then, and never what came later."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from feature_fixtures import PlaceOf, StoreOf, a_place, a_store  # noqa: F401 - fixtures
from feature_servers import a_document, a_memory, a_reading
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pocai.errors import FeatureStoreError
from pocai.feature_store.feast_store import FeastStore
from pocai.feature_store.feature_table import VIEWS
from pocai.feature_store.features import Subject, document_rows, memory_of, school_row
from pocai.feature_store.store import FeatureRow
from pocai.feature_store.training_sets import Moment

NOW = datetime.now(UTC)
TICK, DAY = timedelta(microseconds=1), timedelta(days=1)
COUNT = 1000


def values_of(told: Mapping[str, Any], view: str) -> dict[str, Any]:
    """The values of one view in a training row."""
    return {name: told[f"{view}__{name}"] for name in VIEWS[view].names}


def known(told: Mapping[str, Any], view: str) -> bool:
    return any(value is not None for value in values_of(told, view).values())


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_training_and_serving_give_the_same_values_of_a_thousand_documents(kind: str, store: StoreOf) -> None:
    used = store(kind)
    rows: list[FeatureRow] = []
    moments: list[Moment] = []
    for number in range(COUNT):
        document, at = a_document(number), NOW - (COUNT - number) * timedelta(seconds=1)
        readings = [a_reading(document, score=number / COUNT)] if number % 2 else []
        school = f"s{number % 7}" if number % 3 else None
        rows += document_rows(Subject(f"d{number}", at, school), document, readings, number / 7 if number % 5 else None)
        moments.append(Moment(at, document=f"d{number}"))
    used.write(rows)
    offline = used.training_rows(moments)
    online: list[dict[str, FeatureRow]] = []
    for begin in range(0, COUNT, 100):
        online += used.documents([f"d{number}" for number in range(begin, begin + 100)])
    assert len(offline) == len(online) == COUNT
    for number, (told, served) in enumerate(zip(offline, online, strict=True)):
        for place, view in enumerate(("ocr", "document")):
            assert values_of(told, view) == served[view].values == rows[2 * number + place].values
        assert not known(told, "school")


def test_schools_are_as_they_are_served(store: StoreOf) -> None:
    used = store()
    used.write([school_row(f"s{number}", a_memory(number, NOW)) for number in range(20)])
    told = used.training_rows([Moment(NOW, school=f"s{number}") for number in range(20)])
    for number, memory in enumerate(used.schools([f"s{number}" for number in range(20)])):
        row = FeatureRow("school", {"school": f"s{number}"}, values_of(told[number], "school"), NOW)
        assert memory_of(row) == memory == a_memory(number, NOW)


def test_nothing_that_came_later_leaks(store: StoreOf) -> None:
    used = store()
    first, second = NOW - 2 * DAY, NOW - DAY
    used.write([school_row("A", a_memory(1, first))])
    used.write([school_row("A", a_memory(2, second))])
    used.write([school_row("A", a_memory(3, NOW))])
    times = [first - TICK, first, second - TICK, second, NOW - TICK, NOW, NOW + DAY]
    told = used.training_rows([Moment(at, school="A") for at in times])
    assert [each["school__documents"] for each in told] == [None, 11, 11, 12, 12, 13, 13]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_each_moment_has_the_newest_value_of_its_past(data: st.DataObject, place: PlaceOf) -> None:
    """Against a plain search; the order of what is asked for is kept, whatever it is."""
    used = FeastStore(place())
    day = st.integers(0, 12)
    written = data.draw(st.lists(st.tuples(st.sampled_from("AB"), day), max_size=12, unique=True))
    asked = data.draw(st.lists(st.tuples(st.sampled_from("ABC"), day), min_size=1, max_size=8))
    start = NOW - 20 * DAY
    used.apply()
    for number, (school, days) in enumerate(written):
        used.write([school_row(school, a_memory(number, start + days * DAY))])
    told = used.training_rows([Moment(start + days * DAY, school=school) for school, days in asked])
    for (school, days), row in zip(asked, told, strict=True):
        past = [(each, number) for number, (key, each) in enumerate(written) if key == school and each <= days]
        assert row["school__documents"] == (10 + max(past)[1] if past else None)
    used.close()


def test_what_was_past_its_time_then_is_null(store: StoreOf) -> None:
    used = store()
    at = NOW - 60 * DAY
    used.write([*document_rows(Subject("d", at, "A"), a_document(1)), school_row("A", a_memory(1, at))])
    late = at + VIEWS["ocr"].ttl
    told = used.training_rows([Moment(each, school="A", document="d") for each in (at, late, late + TICK)])
    assert [known(each, "ocr") for each in told] == [True, True, False]
    assert [known(each, "document") for each in told] == [True, True, False]
    assert [known(each, "school") for each in told] == [True, True, True]


def test_a_moment_of_a_school_and_a_document_has_both(store: StoreOf) -> None:
    used = store()
    used.write([*document_rows(Subject("d", NOW, "A"), a_document(1)), school_row("A", a_memory(1, NOW))])
    (told,) = used.training_rows([Moment(NOW, school="A", document="d")])
    assert set(told) == {f"{view.name}__{name}" for view in VIEWS.values() for name in view.names}
    assert told["ocr__text"].startswith("Monday Tuesday")
    assert told["document__school"] == "A"
    assert "Maths 1/0" in told["school__names"]


def test_the_same_moment_may_be_asked_for_twice(store: StoreOf) -> None:
    used = store()
    used.write([school_row("A", a_memory(1, NOW))])
    told = used.training_rows([Moment(NOW, school="A")] * 3)
    assert [each["school__documents"] for each in told] == [11, 11, 11]
    assert used.training_rows([]) == []


def test_what_is_written_twice_or_compacted_gives_one_row(store: StoreOf) -> None:
    used = store()
    for _ in range(2):
        used.write([school_row("A", a_memory(1, NOW))])
    before = used.training_rows([Moment(NOW, school="A")])
    assert used.compact((NOW + DAY).date()) == 1
    assert used.training_rows([Moment(NOW, school="A")]) == before


def test_the_history_in_s3_gives_the_same(store: StoreOf, place: PlaceOf) -> None:
    rows = [school_row("A", a_memory(1, NOW)), *document_rows(Subject("d", NOW, "A"), a_document(1))]
    both = []
    for offline in ("", "s3"):
        used = store(place("redis", offline=offline))
        used.write(rows)
        both.append(used.training_rows([Moment(NOW, school="A", document="d"), Moment(NOW - DAY, school="A")]))
    assert both[0] == both[1]
    assert known(both[0][0], "ocr")


def test_training_sets_leave_the_online_store_and_the_registry_alone(store: StoreOf, place: PlaceOf) -> None:
    where = place()
    used = store(where)
    used.write([school_row("A", a_memory(1, NOW))])
    files = {path: path.read_bytes() for path in where.folder.rglob("*") if path.is_file()}
    used.training_rows([Moment(NOW, school="A")])
    assert {path: path.read_bytes() for path in where.folder.rglob("*") if path.is_file()} == files


def test_threads_may_ask_at_once(store: StoreOf) -> None:
    used = store()
    used.write([school_row(f"s{number}", a_memory(number, NOW)) for number in range(4)])
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda number: used.training_rows([Moment(NOW, school=f"s{number}")]), range(4)))
    assert [each[0]["school__documents"] for each in told] == [10, 11, 12, 13]


def test_a_moment_without_a_time_zone_and_a_wrong_key_are_refused(store: StoreOf, place: PlaceOf) -> None:
    where = place()
    used = store(where)
    used.write([school_row("A", a_memory(1, NOW))])
    with pytest.raises(FeatureStoreError, match="time zone"):
        used.training_rows([Moment(NOW.replace(tzinfo=None), school="A")])
    other = store(replace(where, key=bytes(32)))
    with pytest.raises(FeatureStoreError, match="Is the key the one"):
        other.training_rows([Moment(NOW, school="A")])
