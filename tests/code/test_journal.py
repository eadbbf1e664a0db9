"""The journal: nobody changes, removes, adds or moves a line, or cuts off the end, without its being seen."""

from __future__ import annotations

import hashlib
import json
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocai.errors import ModelError
from pocai.mlops.journal import GENESIS, MOST_LINE, Entry, Journal


def told(journal: Journal, number: int, name: str = "layout") -> Entry:
    details = {"number": number, "share": 0.1, "champion": None, "text": "Größe – 7/8"}
    return journal.append("promote", actor="ada", name=name, version=number, reason="better", details=details)


@pytest.fixture(name="journal")
def a_journal(tmp_path: Path) -> Journal:
    """With five lines, all about the layout model."""
    journal = Journal(tmp_path / "state" / "journal.jsonl")
    for number in range(5):
        told(journal, number)
    return journal


def lines(journal: Journal) -> list[bytes]:
    return journal.path.read_bytes().splitlines(keepends=True)


# --- what it is for -----------------------------------------------------------------------------------------------


def test_entries_are_what_was_told(journal: Journal) -> None:
    made = told(journal, 5)
    assert journal.entries()[-1] == made
    assert [(entry.number, entry.version) for entry in journal.entries()] == [(n + 1, n) for n in range(6)]
    assert made.details["text"] == "Größe – 7/8"
    assert journal.verify(made.hash) == 6
    assert journal.head == made.hash


def test_each_line_vouches_for_the_one_before(journal: Journal) -> None:
    entries = journal.entries()
    assert entries[0].previous == GENESIS
    assert [entry.previous for entry in entries[1:]] == [entry.hash for entry in entries[:-1]]


def test_an_empty_journal_holds(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "none" / "journal.jsonl")
    assert (journal.verify(), journal.entries(), journal.head) == (0, (), GENESIS)
    assert not journal.path.exists()


def test_only_we_may_read_it(journal: Journal) -> None:
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.path.parent.stat().st_mode) == 0o700


def test_lines_are_only_added(journal: Journal) -> None:
    before = journal.path.read_bytes()
    told(journal, 5)
    assert journal.path.read_bytes().startswith(before)


# --- what it detects ----------------------------------------------------------------------------------------------


def changed(rows: list[bytes]) -> list[bytes]:
    return [*rows[:2], rows[2].replace(b'"ada"', b'"bob"'), *rows[3:]]


def removed(rows: list[bytes]) -> list[bytes]:
    return [*rows[:2], *rows[3:]]


def moved(rows: list[bytes]) -> list[bytes]:
    return [*rows[:2], rows[3], rows[2], rows[4]]


def added(rows: list[bytes]) -> list[bytes]:
    return [*rows[:2], rows[1], *rows[2:]]


def first_removed(rows: list[bytes]) -> list[bytes]:
    return rows[1:]


def spaced(rows: list[bytes]) -> list[bytes]:
    return [*rows[:2], rows[2].replace(b'":', b'": '), *rows[3:]]


def no_json(rows: list[bytes]) -> list[bytes]:
    return [*rows[:2], b"{\n", *rows[3:]]


def with_a_field(rows: list[bytes]) -> list[bytes]:
    return [*rows[:2], json.dumps({**json.loads(rows[2]), "more": 1}).encode() + b"\n", *rows[3:]]


def forged(rows: list[bytes]) -> list[bytes]:
    """A line with a hash that fits it: the next one does not."""
    line = json.loads(changed(rows)[2])
    del line["hash"]
    line["hash"] = hashlib.sha256(canonical(line)).hexdigest()
    return [*rows[:2], canonical(line) + b"\n", *rows[3:]]


def canonical(line: object) -> bytes:
    return json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (changed, "line 3 of the journal was changed"),
        (removed, "line 3 of the journal does not follow"),
        (moved, "line 3 of the journal does not follow"),
        (added, "line 3 of the journal does not follow"),
        (first_removed, "line 1 of the journal does not follow"),
        (spaced, "line 3 of the journal is broken"),
        (no_json, "line 3 of the journal is broken"),
        (with_a_field, "line 3 of the journal is broken"),
        (forged, "line 4 of the journal does not follow"),
    ],
)
def test_the_first_broken_line_is_named(
    change: Callable[[list[bytes]], list[bytes]], line: str, journal: Journal
) -> None:
    journal.path.write_bytes(b"".join(change(lines(journal))))
    with pytest.raises(ModelError, match=line):
        journal.verify()


def test_no_changed_byte_is_missed(journal: Journal) -> None:
    whole, head = journal.path.read_bytes(), journal.head

    @settings(max_examples=200)
    @given(place=st.integers(0, len(whole) - 1), bit=st.integers(0, 7))
    def check(place: int, bit: int) -> None:
        content = bytearray(whole)
        content[place] ^= 1 << bit
        journal.path.write_bytes(content)
        with pytest.raises(ModelError):
            journal.verify(head)

    check()


@pytest.mark.parametrize("kept", [0, 1, 4])
def test_an_end_that_was_cut_off_is_seen_by_the_head(kept: int, journal: Journal) -> None:
    head = journal.head
    journal.path.write_bytes(b"".join(lines(journal)[:kept]))
    assert journal.verify() == kept
    with pytest.raises(ModelError, match=f"ends with line {kept} .* lines were cut off"):
        journal.verify(head)


def test_lines_that_nobody_told_the_registry_of_are_seen(journal: Journal) -> None:
    head = journal.head
    told(journal, 5)
    with pytest.raises(ModelError, match=r"ends with line 6 .* added by somebody else"):
        journal.verify(head)


def test_heads_of_several_models_are_checked(journal: Journal) -> None:
    layout, student = journal.head, told(journal, 1, "student").hash
    assert journal.verify_heads({"layout": layout, "student": student}) == 6
    assert journal.verify_heads({}) == 6
    journal.path.write_bytes(b"".join(lines(journal)[:-1]))
    assert journal.verify_heads({"layout": layout}) == 5
    with pytest.raises(ModelError, match="newest about student is no line"):
        journal.verify_heads({"layout": layout, "student": student})
    with pytest.raises(ModelError, match="newest about layout is line 5"):
        journal.verify_heads({"layout": student})


# --- crashes, full disks, and several at once ---------------------------------------------------------------------


def test_an_unfinished_line_is_told_and_then_replaced(journal: Journal) -> None:
    with journal.path.open("ab") as stream:
        stream.write(lines(journal)[-1][:-20])
    with pytest.raises(ModelError, match="line 6 of the journal is broken"):
        journal.verify()
    assert told(journal, 5).number == 6
    assert journal.verify() == 6


def test_a_changed_end_is_not_built_upon(journal: Journal) -> None:
    journal.path.write_bytes(journal.path.read_bytes().replace(b'"version":4', b'"version":9'))
    before = journal.path.read_bytes()
    with pytest.raises(ModelError, match="the last line of the journal was changed"):
        told(journal, 5)
    assert journal.path.read_bytes() == before


FULL = """
import resource, signal, sys
from pathlib import Path
from pocai.errors import ModelError
from pocai.mlops.journal import Journal
journal = Journal(Path(sys.argv[1]))
size = journal.path.stat().st_size
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, size + 100))
try:
    journal.append("promote", actor="ada", name="layout", version=1, reason="better")
except ModelError as error:
    print(error)
"""


def test_on_a_full_disk_a_line_is_not_half_there(journal: Journal) -> None:
    before = journal.path.read_bytes()
    command = [sys.executable, "-c", FULL, str(journal.path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "cannot be added" in done.stdout, done.stderr
    assert journal.path.read_bytes() == before


def test_a_line_has_a_limit(journal: Journal) -> None:
    with pytest.raises(ModelError, match="very long"):
        journal.append("x", actor="a", name="layout", version=None, reason="r", details={"x": "x" * MOST_LINE})
    assert journal.verify() == 5


def test_details_that_json_does_not_have_do_not_keep_it_from_being_written(journal: Journal) -> None:
    details = {
        "rate": float("nan"),
        "limits": (1.5, float("inf")),
        "folder": Path("x\ud800"),
        3: {"a": None, "b": True},
    }
    made = journal.append("x", actor="a", name="layout", version=None, reason="r", details=details)  # type: ignore[arg-type]
    assert made.details == {"rate": "nan", "limits": [1.5, "inf"], "folder": "x?", "3": {"a": None, "b": True}}
    assert journal.verify() == 6


APPEND = """
import sys
from pathlib import Path
from pocai.mlops.journal import Journal
journal = Journal(Path(sys.argv[1]))
for number in range(25):
    journal.append("try", actor=sys.argv[2], name="layout", version=number, reason="at once")
"""


def test_processes_share_it(journal: Journal) -> None:
    command = [sys.executable, "-c", APPEND, str(journal.path)]
    running = [subprocess.Popen([*command, name]) for name in ("a", "b", "c", "d")]
    assert [process.wait(60) for process in running] == [0] * 4
    assert journal.verify(journal.head) == 105
    actors = [entry.actor for entry in journal.entries()[5:]]
    assert {name: actors.count(name) for name in set(actors)} == dict.fromkeys("abcd", 25)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ModelError, match="cannot be opened"):
        told(Journal(tmp_path / "file" / "journal.jsonl"), 1)
