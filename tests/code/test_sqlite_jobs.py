"""What only SQLite must stand: restarts, a second service, damage, a full disk."""

from __future__ import annotations

import contextlib
import os
import resource
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from job_places import DOCUMENT, PLENTY, RESULT, a_job, added, claimed, look, opened

from pocai.errors import ConfigurationError, Unavailable
from pocai.server.jobs import new_id
from pocai.server.sqlite_jobs import SQLiteJobs

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


async def test_a_second_service_is_refused_until_the_first_is_gone(folder: Path) -> None:
    async with opened(SQLiteJobs(folder)):
        with pytest.raises(ConfigurationError, match="POCAI_SERVER__STATE_DIR") as caught:
            await SQLiteJobs(folder).open()
        assert str(folder) in str(caught.value)
    async with opened(SQLiteJobs(folder)):
        pass


async def test_what_a_dead_service_was_running_is_queued_at_once(folder: Path) -> None:
    async with opened(SQLiteJobs(folder)) as store:
        job = await added(store)
        await claimed(store, "dead", 3600)
    async with opened(SQLiteJobs(folder)) as store:
        assert await look(store, job) == replace(job, attempts=1)
        assert (await claimed(store)).attempts == 2


async def test_documents_without_a_job_are_removed_at_open(folder: Path) -> None:
    async with opened(SQLiteJobs(folder)) as store:
        job = await added(store)
    documents = folder / "documents"
    for name in (new_id(), f"{new_id()}.part", f"{job.id}.part", "notes.txt"):
        (documents / name).write_bytes(b"left behind")
    async with opened(SQLiteJobs(folder)):
        assert {path.name for path in documents.iterdir()} == {job.id, "notes.txt"}


async def test_only_we_may_read_the_files(folder: Path) -> None:
    mask = os.umask(0)
    try:
        async with opened(SQLiteJobs(folder)) as store:
            await added(store)
            modes = modes_below(folder)
    finally:
        os.umask(mask)
    assert len(modes) == 7  # folder, lock, database with its two companions, documents, one document
    assert all(mode == (0o700 if path.is_dir() else 0o600) for path, mode in modes.items())


def modes_below(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*"))}


async def test_nothing_is_left_of_a_job_that_was_forgotten(folder: Path) -> None:
    private = "Ms Example, 4B"
    async with opened(SQLiteJobs(folder)) as store:
        deleted, expired = [await added(store, a_job(age, name=f"{private}.pdf")) for age in (2, 1)]
        for _ in (deleted, expired):
            await store.finish((await claimed(store)).id, "me", {"teacher": private})
        await store.delete(deleted.id)
    written = (folder / "jobs.sqlite").read_bytes()
    assert [written.count(job.id.encode()) > 0 for job in (deleted, expired)] == [False, True]
    async with opened(SQLiteJobs(folder)) as store:
        assert await store.expire(time.time() + 60) == 1
    assert private.encode() not in (folder / "jobs.sqlite").read_bytes()
    assert list((folder / "documents").iterdir()) == []


@pytest.mark.parametrize("damage", ["no database", "pages overwritten", "a newer version"])
async def test_an_unusable_database_is_told_and_left_alone(folder: Path, damage: str) -> None:
    async with opened(SQLiteJobs(folder)) as store:
        for _ in range(30):
            job = await added(store)
    path = folder / "jobs.sqlite"
    whole = path.read_bytes()
    match damage:
        case "no database":
            path.write_bytes(b"not a database at all" * 1000)
        case "pages overwritten":
            path.write_bytes(whole[:4096] + os.urandom(4096 * 3) + whole[4096 * 4 :])
        case _:
            with contextlib.closing(sqlite3.connect(path)) as base:
                base.execute("PRAGMA user_version = 99")
    damaged = path.read_bytes()
    with pytest.raises(ConfigurationError, match=r"jobs\.sqlite-wal") as caught:
        await SQLiteJobs(folder).open()
    assert str(path) in caught.value.what
    assert path.read_bytes() == damaged
    assert (folder / "documents" / job.id).read_bytes() == DOCUMENT
    path.rename(folder / "aside")  # as it was told
    async with opened(SQLiteJobs(folder)) as store:
        assert await store.get(job.id) is None


async def test_a_folder_that_cannot_be_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="POCAI_SERVER__STATE_DIR"):
        await SQLiteJobs(tmp_path / "state").open()


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let every write beyond ``size`` bytes of a file fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_is_unavailable_and_leaves_nothing_half(folder: Path) -> None:
    async with opened(SQLiteJobs(folder)) as store:
        running = await added(store)
        await claimed(store)
        refused = a_job()
        with files_of_at_most(2**19):
            with pytest.raises(Unavailable):
                await store.add(refused, b"x" * 2**20, limit=PLENTY)
            with pytest.raises(Unavailable):
                await store.finish(running.id, "me", {"text": "x" * 2**20})
        assert await store.get(refused.id) is None
        assert {path.name for path in (folder / "documents").iterdir()} == {running.id}
        assert await store.finish(running.id, "me", RESULT)
