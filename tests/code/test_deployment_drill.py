"""A drill on a real service under load: deployed while it reads, broken versions taken back, and nobody notices."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx
import pytest
from registered import Home, a_home, failing_layout, shipped_layout, slow_layout
from rendering import as_docx
from serving import Running, running_service, settings_for

from pocai.inference.rollout import Order, TrialPlan
from pocai.timetable.timetable import TimeBlock, Timetable

NOTICED = 5.0  # seconds within which what is deployed reads
TAKEN_BACK = 60.0  # seconds within which a bad version must be gone
LEAST = 4.0  # times that the slow version takes
ORDER = Order("drill", "a drill")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")


def a_week() -> bytes:
    """A week of forty lessons as a Word file, which is read in a tenth of a second."""
    blocks = tuple(
        TimeBlock(day=day, name=f"Lesson {hour}", start_time=f"{hour:02}:00", end_time=f"{hour:02}:45")
        for day in DAYS
        for hour in range(8, 16)
    )
    return as_docx(Timetable(timeblocks=blocks), days_across=True)


@dataclass
class Load:
    """Documents of ever new schools, sent by threads until `stop`; each must be answered with 200."""

    running: Running
    threads: int = 2
    answers: Counter[int] = field(default_factory=Counter)
    versions: Counter[int] = field(default_factory=Counter)
    recent: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._week = a_week()
        self._numbers = itertools.count()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(self.threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def _send(self) -> None:
        with httpx.Client(timeout=60, base_url=self.running.url) as client:
            while not self._over.is_set():
                number = next(self._numbers)
                week = self._week + number.to_bytes(4)  # zip files may be followed by anything: another document
                answer = client.post(
                    "/v1/extractions", params={"school": f"s{number}"}, files={"file": ("w.docx", week)}
                )
                self.answers[answer.status_code] += 1
                if answer.status_code == httpx.codes.OK:
                    version = answer.json()["result"]["models"]["versions"].get("layout", 0)
                    self.versions[version] += 1
                    self.recent = [*self.recent[-4:], version]


@dataclass(frozen=True)
class Drill:
    home: Home
    running: Running

    @property
    def champion(self) -> int | None:
        found = self.home.deployments.status("layout")["champion"]
        assert found is None or isinstance(found, int)
        return found

    @property
    def is_tried(self) -> bool:
        return self.home.deployments.status("layout")["trial"] is not None


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    folder = tmp_path_factory.mktemp("drill")
    home = a_home(folder / "mlops")
    makers: tuple[Callable[[Path], Path], ...] = (
        shipped_layout,
        lambda place: failing_layout(place, most=20),
        lambda place: slow_layout(place, turns=150),
    )
    for number, make in enumerate(makers, start=1):
        assert home.version(make(folder / f"model {number}")).version == number
    settings = settings_for(folder, queue={"waiting": 8}).model_copy(update={"mlops": home.settings})
    with running_service(settings, home.deployments) as running:
        yield Drill(home, running)


def until(done: Callable[[], bool], seconds: float) -> float:
    """Seconds until something is so; fails where that takes longer than ``seconds``."""
    begin = time.monotonic()
    while not done():
        assert time.monotonic() - begin < seconds, f"not within {seconds} s"
        time.sleep(0.05)
    return time.monotonic() - begin


def test_a_drill_under_load(drill: Drill) -> None:
    deployments = drill.home.deployments
    with Load(drill.running) as load:
        until(lambda: load.versions[0] >= 5, 60)

        deployments.promote("layout", 1, ORDER)
        until(lambda: load.versions[1] > 0, NOTICED + 5)  # the answer itself takes its time under load
        until(lambda: load.recent[-3:] == [1, 1, 1], 30)

        deployments.deploy("layout", 2, TrialPlan("canary", 0.5), ORDER)
        until(lambda: not drill.is_tried, TAKEN_BACK)
        assert drill.champion == 1

        until(lambda: load.versions[1] >= 40, 60)
        deployments.promote("layout", 3, ORDER)
        until(lambda: drill.champion == 1, TAKEN_BACK)
        until(lambda: load.recent[-3:] == [1, 1, 1], 30)

        begin = time.monotonic()
        deployments.rollback("layout", ORDER)
        until(lambda: load.recent[-3:] == [0, 0, 0], 30)
        assert drill.champion is None
        assert time.monotonic() - begin < 3 * NOTICED
    assert set(load.answers) == {200}, "no request failed"
    assert load.versions[2] == 0, "what the challenger could not read another one read"
    assert load.versions[3] > 0
    told = [(entry.action, entry.version, entry.actor) for entry in deployments.journal.entries()]
    assert told == [
        ("promote", 1, "drill"),
        ("try", 2, "drill"),
        ("rollback", 2, "guardrail"),
        ("promote", 3, "drill"),
        ("rollback", 3, "guardrail"),
        ("rollback", 1, "drill"),
    ]
    slow = deployments.journal.entries()[4]
    assert slow.details["breach"]["what"] == "latency"
    assert slow.details["breach"]["measured"] >= LEAST / 2
    assert deployments.journal.verify(drill.home.registry.heads()["layout"]) == 6
