"""The history in encrypted Parquet, in a folder and in an S3: whole, in order of time, and refused where altered."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import fsspec
import pyarrow.parquet as pq
import pytest
from feature_fixtures import Servers
from feature_servers import KEY, a_document, a_memory, s3_options
from hypothesis import given, settings
from hypothesis import strategies as st

from pocai.errors import FeatureStoreError
from pocai.feature_store.feature_table import VIEWS
from pocai.feature_store.features import Subject, document_rows, school_row
from pocai.feature_store.history import ENCRYPTED, History, rows_of
from pocai.feature_store.sealing import sealed
from pocai.feature_store.store import FeatureRow

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY, TICK = timedelta(days=1), timedelta(microseconds=1)
_numbers = count()


def row(number: int = 1, at: datetime = NOON, school: str = "A") -> FeatureRow:
    return sealed(school_row(school, a_memory(number, at)), KEY)


class Where:
    """A place of a history, seen by fsspec."""

    def __init__(self, url: str, storage: Mapping[str, Any]) -> None:
        self.url, self.storage = url, storage
        self.files = fsspec.filesystem(url.partition("://")[0] if "://" in url else "file", **storage)

    def history(self, key: bytes = KEY) -> History:
        return History(self.url, key, self.storage)

    def paths(self) -> list[str]:
        """All files, within the history."""
        self.files.invalidate_cache()
        root = self.url.removeprefix("s3://")
        return sorted(path.removeprefix(root + "/") for path in self.files.find(root))


@pytest.fixture(params=["folder", "s3"], name="where")
def each_place(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> Iterator[Where]:
    if request.param == "folder":
        yield Where(str(tmp_path / "history"), {})
    else:
        yield Where(f"s3://features/history-{next(_numbers)}", s3_options(servers.url("s3")))


def test_rows_are_read_as_they_were_written(where: Where) -> None:
    documents = [sealed(each, KEY) for each in document_rows(Subject("d", NOON, "A"), a_document(1))]
    where.history().append([row(1), row(2, NOON + TICK), row(3, NOON + DAY, "B"), *documents])
    history = where.history()
    assert [(each.key["school"], each.at) for each in sorted_rows(history, "school")] == [
        ("A", NOON),
        ("A", NOON + TICK),
        ("B", NOON + DAY),
    ]
    for each in documents:
        assert list(rows_of(VIEWS[each.view], history.read(each.view))) == [each]


def sorted_rows(history: History, view: str) -> list[FeatureRow]:
    return sorted(rows_of(VIEWS[view], history.read(view)), key=lambda each: each.at)


def test_files_lie_by_view_and_day_in_utc(where: Where) -> None:
    east = datetime.fromisoformat("2026-03-02T00:30:00+01:00")
    where.history().append([row(1), row(2, east), row(3, NOON + DAY)])
    folders = [path.rpartition("/")[0] for path in where.paths()]
    assert folders == ["school/day=2026-03-01", "school/day=2026-03-02"]
    assert {path.rpartition(".")[2] for path in where.paths()} == {"parquet"}


def test_an_empty_history_has_no_rows(where: Where) -> None:
    history = where.history()
    assert history.read("school").num_rows == history.count("school", ["A"]) == history.forget("school", ["A"]) == 0
    assert history.compact("school", NOON.date()) == 0
    assert history.latest("school", NOON, NOON) == []


def test_a_stretch_of_time_includes_both_ends(where: Where) -> None:
    history = where.history()
    history.append([row(each, NOON + (each - 2) * TICK) for each in range(5)] + [row(9, NOON - DAY)])
    read = history.read("school", NOON - TICK, NOON + TICK)
    assert sorted(read["documents"].to_pylist()) == [11, 12, 13]


def test_the_latest_of_each_key_is_found(where: Where) -> None:
    history = where.history()
    history.append([row(1, NOON), row(2, NOON + DAY), row(3, NOON - DAY), row(4, NOON, "B"), row(5, NOON + 3 * DAY)])
    latest = {each.key["school"]: each.values["documents"] for each in history.latest("school", NOON - DAY, NOON + DAY)}
    assert latest == {"A": 12, "B": 14}


def test_what_was_written_twice_counts_once(where: Where) -> None:
    history = where.history()
    history.append([row(1), row(2, NOON + TICK)])
    history.append([row(1)])
    assert len(where.paths()) == 2
    assert history.count("school", ["A"]) == 2


def test_compaction_makes_one_file_of_a_day_and_loses_nothing(where: Where) -> None:
    history = where.history()
    for hour in range(4):
        history.append([row(hour, NOON + timedelta(hours=hour)), row(hour, NOON + DAY + timedelta(hours=hour))])
    history.append([row(0)])  # once more
    before = sorted_rows(history, "school")
    assert len(where.paths()) == 9
    assert history.compact("school", (NOON + DAY).date()) == 4
    assert [path.split("/")[1] for path in where.paths()] == ["day=2026-03-01"] + 4 * ["day=2026-03-02"]
    assert sorted_rows(where.history(), "school") == before
    assert len(before) == 8
    assert history.compact("school", (NOON + DAY).date()) == 0


def test_what_is_forgotten_is_gone_and_the_rest_stays(where: Where) -> None:
    history = where.history()
    history.append([row(1), row(2, school="B")])
    history.append([row(3, NOON + DAY)])
    history.append([row(4, NOON + 2 * DAY, "C")])
    untouched = where.paths()[-1]
    assert history.forget("school", ["A", "nobody"]) == 2
    assert history.count("school", ["A"]) == 0
    assert sorted(each.key["school"] for each in sorted_rows(history, "school")) == ["B", "C"]
    assert len(where.paths()) == 2
    assert history.keys("school", "school", "B") == {"B"}
    assert where.paths()[-1] == untouched


def test_no_word_and_no_key_is_in_the_files(where: Where) -> None:
    where.history().append([row(1, school="st-marys")])
    for path in where.paths():
        held = where.files.cat_file(f"{where.url.removeprefix('s3://')}/{path}")
        assert held[:4] == held[-4:] == ENCRYPTED
        assert not any(word in held for word in (b"st-marys", b"Maths", b"names", b"event_timestamp"))


def test_a_wrong_key_opens_nothing_and_forgets_nothing(where: Where) -> None:
    where.history().append([row(1)])
    before = where.paths()
    wrong = where.history(bytes(32))
    today = NOON.date() + DAY
    for act in (
        lambda: wrong.read("school"),
        lambda: wrong.forget("school", ["A"]),
        lambda: wrong.count("school", ["A"]),
    ):
        with pytest.raises(FeatureStoreError, match="Is the key the one") as caught:
            act()
        assert where.url not in str(caught.value)
    assert wrong.compact("school", today) == 0, "one file alone need not be opened"
    assert where.paths() == before
    assert where.history().count("school", ["A"]) == 1


def spoiled_by(change: Callable[[bytes], bytes], where: Where) -> None:
    """Write one file and change it behind the history's back."""
    where.history().append([row(1)])
    path = f"{where.url.removeprefix('s3://')}/{where.paths()[0]}"
    where.files.pipe_file(path, change(where.files.cat_file(path)))


@pytest.mark.parametrize(
    "change",
    [
        lambda held: held[:2000] + bytes([held[2000] ^ 1]) + held[2001:],
        lambda held: held[: len(held) // 2],
        lambda held: held[:-30] + bytes([held[-30] ^ 1]) + held[-29:],
        lambda _: b"PARE",
        lambda _: b"",
    ],
    ids=["one bit", "half", "footer", "four bytes", "empty"],
)
def test_a_file_that_was_altered_is_refused(change: Callable[[bytes], bytes], where: Where) -> None:
    spoiled_by(change, where)
    with pytest.raises(FeatureStoreError):
        where.history().read("school")


@settings(max_examples=60)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_bit_that_was_changed_is_noticed(place: float, bit: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    where = Where(str(tmp_path_factory.mktemp("history")), {})

    def change(held: bytes) -> bytes:
        at = int(place * len(held))
        return held[:at] + bytes([held[at] ^ 1 << bit]) + held[at + 1 :]

    spoiled_by(change, where)
    with pytest.raises(FeatureStoreError):
        where.history().read("school")


def test_a_plain_file_that_was_put_there_is_refused(where: Where) -> None:
    history = where.history()
    history.append([row(1)])
    plain = io.BytesIO()
    pq.write_table(history.read("school"), plain)
    where.files.pipe_file(f"{where.url.removeprefix('s3://')}/school/day=2026-03-01/odd.parquet", plain.getvalue())
    with pytest.raises(FeatureStoreError, match="not encrypted"):
        where.history().read("school")


def test_threads_may_write_at_once(where: Where) -> None:
    history = where.history()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: history.append([row(number, school=f"s{number}")]), range(12)))
    assert sorted(each.key["school"] for each in sorted_rows(history, "school")) == sorted(f"s{n}" for n in range(12))


def test_a_history_that_cannot_be_reached_is_an_error_without_its_address(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for history in (
        History(str(tmp_path / "file"), KEY),
        History("nonsense://s3cret@host/history", KEY),
        History("s3://none/history", KEY, {**s3_options("http://127.0.0.1:9"), "config_kwargs": QUICK}),
    ):
        with pytest.raises(FeatureStoreError, match="history") as caught:
            history.append([row(1)])
        assert "s3cret" not in str(caught.value)


QUICK = {"connect_timeout": 0.2, "retries": {"max_attempts": 1}}
