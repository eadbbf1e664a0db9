"""The janitor removes the enhanced pictures that are due, and nothing else."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from job_places import opened

from pocai.server.janitor import Janitor
from pocai.server.sqlite_jobs import SQLiteJobs
from pocai.settings import HostApplication

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def picture(folder: Path, name: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name or f"preprocessed_{uuid.uuid4()}.png")
    path.write_bytes(b"\x89PNG")
    return path


@pytest.fixture
async def janitor(tmp_path: Path) -> AsyncIterator[tuple[SQLiteJobs, Janitor]]:
    (tmp_path / "link").symlink_to(tmp_path / "uploads")
    store = SQLiteJobs(tmp_path / "state")
    async with opened(store):
        yield store, Janitor(store, HostApplication(roots=(tmp_path / "link",)))


async def test_enhanced_pictures_are_removed_when_they_are_due(
    tmp_path: Path, janitor: tuple[SQLiteJobs, Janitor]
) -> None:
    store, sweeper = janitor
    due, later = picture(tmp_path / "uploads/deep"), picture(tmp_path / "uploads")
    gone = tmp_path / "uploads/never" / f"preprocessed_{uuid.uuid4()}.png"
    by_link = tmp_path / "link" / picture(tmp_path / "uploads").name
    for path in (due, gone, by_link):
        await store.note_file(str(path), time.time() - 1)
    await store.note_file(str(later), time.time() + 60)
    await sweeper.sweep()
    assert [path.exists() for path in (due, by_link, later)] == [False, False, True]
    assert await store.due_files(time.time() + 120) == [str(later)]


async def test_nothing_but_our_pictures_inside_the_roots_is_removed(
    tmp_path: Path, janitor: tuple[SQLiteJobs, Janitor], caplog: pytest.LogCaptureFixture
) -> None:
    store, sweeper = janitor
    uploads = tmp_path / "uploads"
    version_1 = "preprocessed_c232ab00-9414-11ec-b3c8-9f6bdeced846.png"
    foreign = [picture(uploads, name) for name in ("week.png", version_1, f"x_preprocessed_{uuid.uuid4()}.png")]
    outside = picture(tmp_path / "uploads-of-others")
    linked = uploads / f"preprocessed_{uuid.uuid4()}.png"
    linked.symlink_to(outside)
    through = uploads / "out"
    through.symlink_to(outside.parent)
    folder = uploads / f"preprocessed_{uuid.uuid4()}.png"
    folder.mkdir()
    climbing = uploads / ".." / outside.parent.name / outside.name
    for path in (
        *foreign,
        outside,
        linked,
        through / outside.name,
        folder,
        climbing,
        "a\0/" + linked.name,
        linked.name,
    ):
        await store.note_file(str(path), time.time() - 1)
    await sweeper.sweep()
    assert all(path in set(uploads.iterdir()) | {outside} for path in (*foreign, outside, linked, folder))
    assert outside.exists()
    kept = await store.due_files(time.time())
    assert sorted(kept) == sorted(map(str, (outside, through / outside.name, climbing, linked.name)))
    assert caplog.records
    assert not any(word in caplog.text for word in ("uploads", "preprocessed", str(tmp_path)))


async def test_the_janitor_sweeps_as_soon_as_it_starts(tmp_path: Path, janitor: tuple[SQLiteJobs, Janitor]) -> None:
    store, sweeper = janitor
    due = picture(tmp_path / "uploads")
    await store.note_file(str(due), time.time() - 1)
    await sweeper.start()
    until = time.monotonic() + 10
    while due.exists() or await store.due_files(time.time()):
        assert time.monotonic() < until
        await asyncio.sleep(0.01)
    await sweeper.close()
