"""Batches in processes of this machine: one result for each document, whoever is killed, and wherever it lies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from batches import (
    COMMAND,
    DEADLY,
    Instant,
    assert_exactly_once,
    below,
    gone,
    lines,
    states,
    until,
    weeks,
)
from feature_fixtures import Servers
from feature_servers import s3_options

from pocai import extract
from pocai.cli import main
from pocai.cli.results import timetables_of
from pocai.errors import ConfigurationError, InputError, ModelError, Unavailable, WorkerLost
from pocai.inference.batch import Plan, Progress, Start, Worker, result_path, run
from pocai.inference.batch_local import LocalWorker
from pocai.inference.batch_manifest import Record
from pocai.inference.batch_sources import Bucket, Folder, Locate, Place, place
from pocai.inference.batch_worker import configuration
from pocai.settings import LanguageEndpoint, Settings

SETTINGS = Settings()
ENDINGS = frozenset({".docx", ".pdf", ".png"})
_numbers = count()


def plan(source: object, target: object, **more: Any) -> Plan:
    return Plan(str(source), str(target), ENDINGS, **more)


def instant(_: Any, __: int) -> Worker:
    return Instant()


def texts(folder: Path, number: int) -> list[str]:
    """So many documents for `Instant`; their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{each:02}.pdf" for each in range(number)]
    for name in names:
        (folder / name).write_text(f"content of {name}")
    return names


# --- with real processes -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module", name="school")
def a_school(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("school")
    return folder, weeks(folder, 8)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "pocai", "batch", *map(str, arguments)]


def test_a_killed_driver_goes_on_with_the_same_command(school: tuple[Path, list[str]], tmp_path: Path) -> None:
    source, names = school
    words = command(source, "-o", tmp_path / "out", "--workers", 1, "--resume")
    driver = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    manifest = tmp_path / "out" / "manifest.jsonl"
    until(lambda: manifest.exists() and len(lines(tmp_path / "out", "manifest.jsonl")) > 2, "two documents")
    (worker,) = below(driver.pid, "batch_worker")
    driver.send_signal(signal.SIGKILL)
    assert driver.wait(60) == -signal.SIGKILL
    until(lambda: gone(worker), "the end of the reading process")
    before = states(tmp_path / "out")
    assert 2 <= len(before) < len(names), "it was to be killed half way"
    with manifest.open("ab") as stream:
        stream.write(b'{"path": "week00.docx", "stat')  # as a power cut leaves it
    ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=240)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == ""
    assert "8 of 8 documents have a result" in ended.stderr
    assert_exactly_once(tmp_path / "out", names)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["read"] == len(names) - len(before), "what was done was read again"
    for name in names:
        (result,) = (tmp_path / "out" / "results").glob(f"{name}.*")
        assert list(timetables_of(result)) == list(extract(source / name))


def test_a_killed_worker_costs_its_document_one_try(school: tuple[Path, list[str]], tmp_path: Path) -> None:
    source, names = school
    pids: list[int] = []

    def start(configured: Any, threads: int) -> LocalWorker:
        worker = LocalWorker.start(configured, threads)
        pids.append(worker.pid)
        return worker

    def tell(progress: Progress) -> None:
        if progress.done == 2:
            os.kill(pids[0], signal.SIGKILL)

    summary = run(plan(source, tmp_path, workers=2), start, SETTINGS, tell)
    assert (summary.done, summary.failed, summary.exit_code) == (len(names), {}, 0)
    assert_exactly_once(tmp_path, names)
    assert [line["attempts"] for line in lines(tmp_path, "results.jsonl")].count(2) == 1
    assert len(pids) == 3
    assert all(map(gone, pids))


def test_a_document_that_kills_each_process_ends_as_an_error(tmp_path: Path) -> None:
    names = weeks(tmp_path / "in", 2)
    (tmp_path / "in" / "bad.png").write_bytes(b"no picture")
    (tmp_path / "in" / "deadly.png").write_bytes(DEADLY)
    start: Start = partial(LocalWorker.start, command=COMMAND)
    summary = run(plan(tmp_path / "in", tmp_path / "out", workers=1, attempts=2), start, SETTINGS)
    assert (summary.done, summary.failed) == (2, {"worker_lost": 1, "unsupported_format": 1})
    assert summary.exit_code == 2
    ended = {line["path"]: line for line in lines(tmp_path / "out", "results.jsonl")}
    assert [name for name, line in ended.items() if line["state"] == "done"] == names
    assert (ended["deadly.png"]["code"], ended["deadly.png"]["attempts"]) == ("worker_lost", 2)
    assert states(tmp_path / "out")["deadly.png", "lost"] == 2
    again = run(plan(tmp_path / "in", tmp_path / "out", attempts=2, resume=True), start, SETTINGS)
    assert again.read == 0
    assert states(tmp_path / "out")["deadly.png", "error"] == 1, "it is not tried for ever"


def test_a_document_that_takes_too_long_is_given_up(school: tuple[Path, list[str]], tmp_path: Path) -> None:
    limits = SETTINGS.server.workers.model_copy(update={"wall_seconds": 0.001})
    hasty = SETTINGS.model_copy(update={"server": SETTINGS.server.model_copy(update={"workers": limits})})
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.docx").write_bytes((school[0] / school[1][0]).read_bytes())
    summary = run(plan(tmp_path / "in", tmp_path / "out"), LocalWorker.start, hasty)
    assert (summary.failed, summary.exit_code) == ({"deadline_exceeded": 1}, 2)


def test_a_reading_process_has_no_secrets_and_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    worker = LocalWorker.start(configuration(SETTINGS, 1), 1)
    try:
        place = Path(f"/proc/{worker.pid}")
        environment = (place / "environ").read_bytes()
        assert b"hidden" not in environment
        assert b"OMP_NUM_THREADS=1" in environment
        (memory,) = [line for line in (place / "limits").read_text().splitlines() if "address space" in line]
        assert str(SETTINGS.server.workers.memory_bytes) in memory
    finally:
        worker.close()
    assert gone(worker.pid)


@pytest.mark.parametrize("model", ["nothing-of-this-name", "layout:/nowhere"])
def test_a_model_that_is_not_there_ends_the_batch(school: tuple[Path, list[str]], tmp_path: Path, model: str) -> None:
    with pytest.raises(ModelError):
        run(plan(school[0], tmp_path), LocalWorker.start, SETTINGS.model_copy(update={"document_model": model}))


# --- whatever is interrupted -------------------------------------------------------------------------------------


class PowerCut(Exception):
    """Ends a batch in the middle of something."""


class Cut:
    """A place whose power is cut at its ``at``-th write, before or after that is done."""

    def __init__(self, place: Place, at: int, *, after: bool) -> None:
        self._place, self._left, self._after = place, at, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._place, name)

    def write(self, path: str, content: bytes) -> None:
        self._written(partial(self._place.write, path, content))

    def append(self, name: str, line: bytes) -> None:
        self._written(partial(self._place.append, name, line))

    def _written(self, work: Callable[[], None]) -> None:
        self._left -= 1
        if self._left >= 0 or self._after:
            work()
        if self._left < 0:
            raise PowerCut


def cutting(locate: Locate, at: int, *, after: bool) -> Locate:
    """Places as they are, but for their power."""

    def cut(address: str) -> Place:
        return Cut(locate(address), at, after=after)  # the rest is handed on

    return cut


@pytest.mark.parametrize("after", [False, True])
def test_every_document_is_there_once_wherever_the_power_is_cut(tmp_path: Path, *, after: bool) -> None:
    names = texts(tmp_path / "in", 3)
    for at in range(2 * len(names) + 3):  # the first line, a result and a line each, the index, the summary
        target = tmp_path / f"out-{at}"
        wanted = plan(tmp_path / "in", target, workers=2, resume=True)
        with pytest.raises(PowerCut):
            run(wanted, instant, SETTINGS, locate=cutting(place, at, after=after))
        run(wanted, instant, SETTINGS)
        assert_exactly_once(target, names)


def test_results_follow_their_documents(tmp_path: Path) -> None:
    names = texts(tmp_path / "in", 3)
    wanted = plan(tmp_path / "in", tmp_path / "out", resume=True)
    run(wanted, instant, SETTINGS)
    (tmp_path / "in" / names[0]).write_text("content that was changed")
    (tmp_path / "in" / names[1]).touch()
    (tmp_path / "in" / names[2]).rename(tmp_path / "in" / "renamed.pdf")
    summary = run(wanted, instant, SETTINGS)
    assert (summary.documents, summary.read) == (3, 2)
    index = {line["path"]: line for line in lines(tmp_path / "out", "results.jsonl")}
    assert sorted(index) == sorted([*names[:2], "renamed.pdf"])
    assert (tmp_path / "out" / index[names[0]]["result"]).read_text() == "content that was changed"


def test_errors_of_ours_are_tried_again_and_those_of_documents_are_not(tmp_path: Path) -> None:
    texts(tmp_path / "in", 1)
    (tmp_path / "in" / "empty.pdf").write_text("NO timetable")
    wanted = plan(tmp_path / "in", tmp_path / "out", resume=True)

    class Faulty(Instant):
        def read(self, content: bytes, seconds: float) -> Any:
            told, _ = super().read(content, seconds)
            return (told, b"") if told.code else (told.model_copy(update={"code": "model_error"}), b"")

    assert run(wanted, lambda _, __: Faulty(), SETTINGS).failed == {"model_error": 1, "no_timetable": 1}
    summary = run(wanted, instant, SETTINGS)
    assert (summary.failed, summary.read, summary.exit_code) == ({"no_timetable": 1}, 1, 3)


def test_processes_are_replaced_after_some_documents_and_given_up_where_none_starts(tmp_path: Path) -> None:
    texts(tmp_path / "in", 5)
    limits = SETTINGS.server.workers.model_copy(update={"recycle_after": 2})
    settings = SETTINGS.model_copy(update={"server": SETTINGS.server.model_copy(update={"workers": limits})})
    started: list[int] = []

    def start(_: Any, __: int) -> Worker:
        started.append(1)
        return Instant()

    run(plan(tmp_path / "in", tmp_path / "out"), start, settings)
    assert len(started) == 3

    def dead(_: Any, __: int) -> Worker:
        raise WorkerLost("it died")

    with pytest.raises(ConfigurationError, match="died while they loaded"):
        run(plan(tmp_path / "in", tmp_path / "other"), dead, SETTINGS)


# --- places ------------------------------------------------------------------------------------------------------


def test_a_target_is_of_one_batch_with_one_set_of_settings(tmp_path: Path) -> None:
    texts(tmp_path / "in", 1)
    run(plan(tmp_path / "in", tmp_path / "out"), instant, SETTINGS)
    with pytest.raises(ConfigurationError, match="holds a batch already"):
        run(plan(tmp_path / "in", tmp_path / "out"), instant, SETTINGS)
    other = SETTINGS.model_copy(update={"document_model": "rules"})
    with pytest.raises(ConfigurationError, match="other settings"):
        run(plan(tmp_path / "in", tmp_path / "out", resume=True), instant, other)
    run(plan(tmp_path / "in", tmp_path / "out", resume=True, threads=2), instant, SETTINGS)
    with Folder(tmp_path / "out").held(), pytest.raises(ConfigurationError, match="another batch"):
        run(plan(tmp_path / "in", tmp_path / "out", resume=True), instant, SETTINGS)


def test_only_documents_are_read_and_none_of_the_target(tmp_path: Path) -> None:
    names = texts(tmp_path / "in", 2)
    for other in (".hidden.pdf", "~$open.docx", "notes.txt", "out/page.png"):
        (tmp_path / "in" / other).parent.mkdir(exist_ok=True)
        (tmp_path / "in" / other).write_text("other")
    (tmp_path / "in" / "deep" / "er").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "er" / "A.PDF").write_text("below")
    run(plan(tmp_path / "in", tmp_path / "in" / "out"), instant, SETTINGS)
    index = lines(tmp_path / "in" / "out", "results.jsonl")
    assert [line["path"] for line in index] == [*names, "deep/er/A.PDF"]
    assert index[-1]["result"].startswith("results/deep/er/A.PDF.")


def test_a_document_that_cannot_be_read_or_is_too_large_stops_no_other(tmp_path: Path) -> None:
    texts(tmp_path / "in", 1)
    (tmp_path / "in" / "large.pdf").write_bytes(b"x" * 2000)

    class Unreadable(Folder):
        def read(self, path: str) -> bytes:
            return super().read("gone" if path == "00.pdf" else path)

    limits = SETTINGS.limits.model_copy(update={"max_bytes": 1000})
    settings = SETTINGS.model_copy(update={"limits": limits})

    def locate(address: str) -> Place:
        return Unreadable(Path(address))

    summary = run(plan(tmp_path / "in", tmp_path / "out"), instant, settings, locate=locate)
    assert (summary.failed, summary.exit_code) == ({"bad_input": 1, "limit_exceeded": 1}, 2)
    again = run(plan(tmp_path / "in", tmp_path / "out", resume=True), instant, settings)
    assert (again.done, again.failed) == (1, {"limit_exceeded": 1})


@pytest.mark.parametrize("path", ["../../etc/a.pdf", "/etc/a.pdf", "a//b.pdf", "a\nb.pdf", "x" * 250, "a\\b", "\udce4"])
def test_no_name_of_a_document_leads_out_of_the_results(path: str) -> None:
    name = result_path(path, "ab" * 32)
    assert name.startswith("results/")
    assert name.count("/") == 1
    assert name.isascii()
    assert name != result_path(path + "2", "ab" * 32)


def test_a_source_that_is_not_there_or_empty_and_a_target_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    texts(tmp_path / "in", 1)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="no folder"):
        run(plan(tmp_path / "none", tmp_path / "out"), instant, SETTINGS)
    with pytest.raises(InputError, match="holds no document"):
        run(plan(tmp_path / "empty", tmp_path / "out"), instant, SETTINGS)
    with pytest.raises(ConfigurationError, match="cannot be written"):
        run(plan(tmp_path / "in", tmp_path / "file" / "out"), instant, SETTINGS)
    with pytest.raises(ConfigurationError, match="kind of address"):
        run(plan("nothing://a/b", tmp_path / "out"), instant, SETTINGS)


def test_the_key_of_a_language_model_is_kept_back_unless_text_may_leave() -> None:
    kept, given = (
        configuration(SETTINGS.model_copy(update={"language": LanguageEndpoint(key="k3y", egress=egress)}), 1)
        for egress in (False, True)
    )
    assert "k3y" not in json.dumps(kept)
    assert given["settings"]["language"]["key"] == "k3y"


def test_a_record_says_what_a_line_said() -> None:
    record = Record("a.pdf", "1", "ab", "error", 2, "model_error", "what", 1.5)
    assert Record.of(json.loads(record.line())) == record
    assert not record.settled(2)
    assert record.exit_code == 4


# --- in S3 -------------------------------------------------------------------------------------------------------


@pytest.fixture(name="bucket")
def a_bucket(servers: Servers) -> tuple[str, Callable[[str], Place]]:
    """A prefix of one's own in S3, and how its places are found."""
    options = s3_options(servers.url("s3"))
    return f"s3://features/batch-{next(_numbers)}", lambda address: Bucket(address, options)


def test_a_batch_in_s3_is_interrupted_and_resumed(bucket: tuple[str, Callable[[str], Place]], tmp_path: Path) -> None:
    prefix, locate = bucket
    names = texts(tmp_path, 3)
    source, target = locate(f"{prefix}/in"), locate(f"{prefix}/in/out")
    for name in names:
        source.write(name, (tmp_path / name).read_bytes())
    source.write("notes.txt", b"no document")
    wanted = plan(f"{prefix}/in", f"{prefix}/in/out", workers=2, resume=True)
    for at in (0, 1, 2, 1):
        with pytest.raises(PowerCut):
            run(wanted, instant, SETTINGS, locate=cutting(locate, at, after=True))
    summary = run(wanted, instant, SETTINGS, locate=locate)
    assert (summary.documents, summary.done) == (3, 3)
    index = [json.loads(line) for line in target.read("results.jsonl").splitlines()]
    assert [line["path"] for line in index] == names
    for line in index:
        assert target.read(line["result"]) == (tmp_path / line["path"]).read_bytes()
        assert line["sha256"] == sha256((tmp_path / line["path"]).read_bytes()).hexdigest()
    told = [json.loads(line) for line in target.lines("manifest.jsonl")]
    assert sorted(line["path"] for line in told if line.get("state") == "done") == names


def test_the_command_reads_from_a_bucket_and_writes_into_it(
    bucket: tuple[str, Callable[[str], Place]], servers: Servers, tmp_path: Path
) -> None:
    prefix, locate = bucket
    (name,) = weeks(tmp_path, 1)
    locate(f"{prefix}/in").write(name, (tmp_path / name).read_bytes())
    access = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-west-1"}
    access["AWS_ENDPOINT_URL"] = servers.url("s3")
    words = command(f"{prefix}/in", "-o", f"{prefix}/out", "--workers", 1)
    ended = subprocess.run(
        words, env={**os.environ, **access}, capture_output=True, text=True, check=False, timeout=240
    )
    assert ended.returncode == 0, ended.stderr
    (line,) = [json.loads(line) for line in locate(f"{prefix}/out").read("results.jsonl").splitlines()]
    assert (line["path"], line["state"], line["verdict"]) == (name, "done", "review")


def test_a_bucket_that_is_not_there_or_does_not_answer_is_told_without_its_address(servers: Servers) -> None:
    options = s3_options(servers.url("s3"))
    with pytest.raises(InputError, match="no such file or bucket"):
        Bucket("s3://nobody-has-made-this/in", options).read("a.pdf")
    once = {"config_kwargs": {"retries": {"max_attempts": 0}}}
    unreachable = Bucket("s3://secretname/in", {**options, "endpoint_url": "http://127.0.0.1:9", **once})
    with pytest.raises(Unavailable, match="does not answer") as told:
        unreachable.documents(ENDINGS)
    assert "secretname" not in str(told.value)


# --- the command line --------------------------------------------------------------------------------------------


@contextmanager
def exits() -> Iterator[list[int]]:
    """The exit code that the command line ends with."""
    codes: list[int] = []
    with pytest.raises(SystemExit) as caught:
        yield codes
    codes.append(int(caught.value.code or 0))


def test_the_command_says_how_many_failed_and_names_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "Amelia.pdf").write_bytes(b"no document")
    with exits() as codes:
        main(["batch", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--workers", "1"])
    assert codes == [2]
    told = capsys.readouterr()
    assert "0 of 1 documents have a result" in told.err
    assert "1 failed: unsupported_format" in told.err
    assert "Amelia" not in told.err
    with exits() as codes:
        main(["batch", str(tmp_path / "in"), "-o", str(tmp_path / "out")])
    assert codes == [5]
    with exits() as codes:
        main(["batch", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--address", "auto"])
    assert codes == [2]
