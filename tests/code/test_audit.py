"""The audit log: who did what, one line each, whatever happens meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pocai.errors import Unavailable
from pocai.server import audit as audit_module
from pocai.server.audit import Audit
from pocai.server.auth import ANYONE, Principal

STRANGER = Principal("", "address:203.0.113.7", frozenset())


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_line_says_who_did_what(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    Audit(path).record("extraction.create", ANYONE, "0123", "ok", "request-1")
    Audit(path).record("keys.revoke", None)
    first, second = lines(path)
    assert first.pop("time").endswith("+00:00")
    assert first == {
        "action": "extraction.create",
        "tenant": "local",
        "subject": "anonymous",
        "target": "0123",
        "outcome": "ok",
        "request_id": "request-1",
    }
    assert (second["tenant"], second["subject"], second["target"], second["outcome"]) == ("", "", "", "ok")
    assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_breaks_out_of_its_line(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    Audit(path).record("x", ANYONE, 'a\n{"action": "forged"}\u2028\x00', "ok")
    assert [line["action"] for line in lines(path)] == ["x"]


def write_many(audit: Audit, name: str, count: int) -> None:
    for number in range(count):
        audit.record(name, ANYONE, str(number))


def test_processes_and_threads_share_the_file(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    code = (
        "import sys; from pathlib import Path\n"
        "from pocai.server.audit import Audit; from pocai.server.auth import ANYONE\n"
        "for number in range(300): Audit(Path(sys.argv[1])).record('process', ANYONE, str(number))"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(path)])
    audit = Audit(path)
    threads = [threading.Thread(target=write_many, args=(audit, "thread", 100)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert other.wait(60) == 0
    actions = [line["action"] for line in lines(path)]
    assert (actions.count("process"), actions.count("thread")) == (300, 400)


def test_a_large_file_is_put_aside_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_module, "LARGEST", 1000)
    path = tmp_path / "audit.jsonl"
    write_many(Audit(path), "x", 50)
    files = sorted(tmp_path.iterdir())
    assert len(files) > 5
    assert all(file.stat().st_size < 1300 for file in files)
    assert sorted(int(line["target"]) for file in files for line in lines(file)) == list(range(50))


def test_strangers_cannot_fill_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    audit = Audit(path)
    for _ in range(1000):
        audit.record("auth.refused", STRANGER, outcome="not_authenticated")
    written = len(lines(path))
    assert written in {audit_module.STRANGERS, 2 * audit_module.STRANGERS}  # two where a minute ended meanwhile
    audit.record("extraction.create", ANYONE)
    audit._minute -= 1  # as if a minute had passed
    audit.record("auth.refused", STRANGER)
    *_, known, stranger = lines(path)
    assert known["action"] == "extraction.create"
    assert known["left_out"] + sum(line.get("left_out", 0) for line in lines(path)[:written]) == 1000 - written
    assert "left_out" not in stranger


def test_what_cannot_be_recorded_is_not_done_silently(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="audit log"):
        Audit(tmp_path / "gone" / "audit.jsonl").record("x", ANYONE)
    with pytest.raises(Unavailable, match="audit log"):
        Audit(Path("/dev/full")).record("x", ANYONE)


def test_a_record_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.jsonl")
    begin = time.perf_counter()
    for _ in range(500):
        audit.record("extraction.create", ANYONE, "0" * 32, "ok", "0" * 32)
    assert (time.perf_counter() - begin) / 500 < 0.005
