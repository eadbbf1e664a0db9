"""Batches on a local Ray: actors and drivers that are killed, clusters joined by address, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from batches import DEADLY, Mortal, assert_exactly_once, below, gone, lines, states, until, weeks

from pocai.errors import ConfigurationError
from pocai.inference.batch import Plan, Progress, run
from pocai.inference.batch_local import LocalWorker
from pocai.inference.batch_ray import RayWorker, connected
from pocai.inference.batch_worker import configuration
from pocai.settings import Settings

SETTINGS = Settings()
ENDINGS = frozenset({".docx", ".png"})
SECRET = "hidden-from-ray"


@pytest.fixture(scope="module", name="ray")
def a_cluster() -> Iterator[str]:
    """The address of a Ray of this machine that was made while the environment held a secret."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        environment.setenv("PYTHONPATH", str(Path(__file__).parents[1]))  # actors import from there
        with connected(None, 2):
            assert os.environ["AWS_SECRET_ACCESS_KEY"] == SECRET, "it is only kept from others"
            import ray

            yield ray.get_runtime_context().gcs_address
    until(lambda: not below(os.getpid(), "ray"), "the end of all that Ray started")


@pytest.fixture(scope="module", name="school")
def a_school(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("school")
    return folder, weeks(folder, 8)


def plan(source: Path, target: Path, **more: Any) -> Plan:
    return Plan(str(source), str(target), ENDINGS, **more)


def command(source: Path, target: Path, *more: str) -> list[str]:
    words = [sys.executable, "-m", "pocai", "batch", str(source), "-o", str(target)]
    return [*words, "--engine", "ray", "--workers", "1", "--resume", *more]


@pytest.mark.usefixtures("ray")
def test_a_killed_actor_and_a_deadly_document_cost_no_other(school: tuple[Path, list[str]], tmp_path: Path) -> None:
    source, names = tmp_path / "in", school[1]
    source.mkdir()
    for name in names:
        (source / name).write_bytes((school[0] / name).read_bytes())
    (source / "x-deadly.png").write_bytes(DEADLY)  # the last one
    pids: list[int] = []

    def start(configured: Any, threads: int) -> RayWorker:
        import ray

        worker = RayWorker.start(configured, threads, reader=Mortal)
        pids.append(ray.get(worker._actor.pid.remote()))
        return worker

    def tell(progress: Progress) -> None:
        if progress.done == 2:
            assert SECRET.encode() not in Path(f"/proc/{pids[0]}/environ").read_bytes()
            os.kill(pids[0], signal.SIGKILL)

    summary = run(plan(source, tmp_path / "out", workers=2, attempts=2), start, SETTINGS, tell)
    assert (summary.documents, summary.done, summary.failed) == (9, 8, {"worker_lost": 1})
    deaths = [state for _, state in states(tmp_path / "out").elements()].count("lost")
    assert deaths == 3, "the actor that was killed once, and the deadly document twice"
    index = lines(tmp_path / "out", "results.jsonl")
    assert [line["path"] for line in index if line["state"] == "done"] == names
    assert len(index) == len(names) + 1
    until(lambda: all(map(gone, pids)), "the end of the actors")


def test_a_killed_driver_goes_on_at_a_cluster_with_results_as_without_ray(
    ray: str, school: tuple[Path, list[str]], tmp_path: Path
) -> None:
    source, names = school
    words = command(source, tmp_path / "out", "--address", ray)
    driver = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    manifest = tmp_path / "out" / "manifest.jsonl"
    until(lambda: manifest.exists() and len(lines(tmp_path / "out", "manifest.jsonl")) > 2, "two documents")
    actors = below(os.getpid(), "ray::Reader")
    assert actors
    driver.send_signal(signal.SIGKILL)
    driver.wait(60)
    before = states(tmp_path / "out")
    assert 2 <= len(before) < len(names), "it was to be killed half way"
    until(lambda: all(map(gone, actors)), "the end of its actors")
    ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=240)
    assert ended.returncode == 0, ended.stderr
    assert_exactly_once(tmp_path / "out", names)
    run(plan(source, tmp_path / "plain", workers=2), LocalWorker.start, SETTINGS)
    one, other = (
        {line["path"]: line["result_sha256"] for line in lines(tmp_path / folder, "results.jsonl")}
        for folder in ("out", "plain")
    )
    assert one == other


def test_a_cluster_made_for_a_batch_ends_with_it_and_leaves_nothing_at_home(
    school: tuple[Path, list[str]], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment |= {"HOME": str(home), "AWS_SECRET_ACCESS_KEY": SECRET}
    words = command(school[0], tmp_path / "out")
    driver = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until((tmp_path / "out" / "results").exists, "a result")
    started = below(driver.pid, "ray")
    assert [pid for pid in started if b"ray::Reader" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    for pid in started:
        assert SECRET.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    agents = [pid for pid in started if b"Agent" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    driver.send_signal(signal.SIGKILL)
    driver.wait(60)
    until(lambda: all(gone(pid) for pid in started if pid not in agents), "the end of what Ray started")
    for pid in agents:  # they look for their cluster for a minute
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert list(home.iterdir()) == []


@pytest.mark.usefixtures("ray")
def test_a_host_that_cannot_load_what_reads_is_told(tmp_path: Path) -> None:
    (tmp_path / "only_here.py").write_text("from pocai.inference.batch_worker import Reader\nclass Here(Reader): ...\n")
    with pytest.MonkeyPatch.context() as here:
        here.syspath_prepend(tmp_path)
        from only_here import Here  # type: ignore[import-not-found]

        with pytest.raises(ConfigurationError, match="cannot load"):
            RayWorker.start(configuration(SETTINGS, 1), 1, reader=Here)


@pytest.mark.parametrize(
    ("address", "message"), [("127.0.0.1:9", "no Ray cluster"), ("nothing://", "Ray cannot be reached")]
)
def test_a_cluster_that_is_not_there_is_told(address: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message), connected(address, 1):
        pass
