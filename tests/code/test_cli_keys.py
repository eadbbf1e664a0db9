"""``pocai keys`` as an administrator meets it, beside a service that runs, and the stores that both share."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from redis_server import free_port, redis_server
from typer.testing import CliRunner, Result

from pocai.cli.keys import app
from pocai.errors import ConfigurationError, InputError, Unavailable
from pocai.server.keys import ApiKey, HashedKeys, KeyStore, RedisRecords, SQLiteRecords, key_store
from pocai.settings import ServerSettings, Settings

TOKEN = re.compile(r"pocai_[0-9a-f]{8}_[A-Za-z0-9_-]{43}\n")
Keys = Callable[..., Result]


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with redis_server() as url:
        yield url


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keys:
    """Runs ``pocai keys ARGUMENTS`` on a state folder of its own."""
    monkeypatch.setenv("POCAI_SERVER__STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(app, arguments)


def created(keys: Keys, *options: str) -> str:
    done = keys("create", "--name", "Office", "--tenant", "school", *options)
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def audited(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "state/audit.jsonl").read_text(encoding="utf-8").splitlines()]


# --- the command line ---------------------------------------------------------------------------------------------


def test_the_token_alone_goes_to_standard_output(keys: Keys) -> None:
    done = keys("create", "--name", "Office", "--tenant", "school", "--scope", "extract")
    assert done.exit_code == 0
    assert TOKEN.fullmatch(done.stdout)
    key_id = done.stdout.split("_")[1]
    assert key_id in done.stderr
    assert done.stdout.strip() not in done.stderr


def test_a_made_key_opens_the_store_of_a_service_that_runs(keys: Keys, tmp_path: Path) -> None:
    store = HashedKeys(SQLiteRecords(tmp_path / "state"))  # as a service has it open
    token = created(keys, "--scope", "extract", "--scope", "models:read", "--expires-days", "30")
    key = store.find(token)
    assert key is not None
    assert (key.name, key.tenant) == ("Office", "school")
    assert key.scopes == {"extract", "models:read"}
    assert key.expires is not None
    assert round((key.expires - key.created).total_seconds() / 86400) == 30
    assert keys("revoke", key.id).exit_code == 0
    store.close()
    later = HashedKeys(SQLiteRecords(tmp_path / "state"))
    assert later.find(token) is None
    later.close()


def test_the_list_shows_every_key_and_no_secret(keys: Keys) -> None:
    tokens = [created(keys, "--scope", scope) for scope in ("extract", "admin")]
    revoked = tokens[0].split("_")[1]
    assert keys("revoke", revoked).exit_code == 0
    shown = keys("list").stdout
    lines = {line.split()[0]: line for line in shown.splitlines()[1:]}
    assert set(lines) == {token.split("_")[1] for token in tokens}
    assert "revoked" in lines[revoked]
    assert "valid" in lines[tokens[1].split("_")[1]]
    assert "admin" in lines[tokens[1].split("_")[1]]
    for token in tokens:
        assert token.split("_", 2)[2] not in shown


def test_an_empty_list_is_a_list(keys: Keys) -> None:
    done = keys("list")
    assert done.exit_code == 0
    assert "Tenant" in done.stdout


def test_a_revoked_or_unknown_key_cannot_be_revoked(keys: Keys) -> None:
    key_id = created(keys, "--scope", "extract").split("_")[1]
    assert keys("revoke", key_id).exit_code == 0
    for gone in (key_id, "ffffffff", "../x"):
        failed = keys("revoke", gone)
        assert isinstance(failed.exception, InputError)
        assert "pocai keys list" in str(failed.exception)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--name", "x", "--tenant", "school", "--scope", "root"], "root"),
        (["--name", "", "--tenant", "school", "--scope", "extract"], "name"),
        (["--name", "x", "--tenant", "a b", "--scope", "extract"], "tenant"),
    ],
)
def test_a_key_that_cannot_be_made_is_explained(keys: Keys, options: list[str], said: str) -> None:
    failed = keys("create", *options)
    assert isinstance(failed.exception, InputError)
    assert said in str(failed.exception)
    assert failed.stdout == ""


@pytest.mark.parametrize(
    "options",
    [["--name", "x"], ["--name", "x", "--tenant", "t"], ["--name", "x", "--tenant", "t", "--expires-days", "0"]],
)
def test_options_that_are_missing_or_wrong_are_a_matter_of_usage(keys: Keys, options: list[str]) -> None:
    assert keys("create", *options).exit_code == 2


def test_who_made_and_revoked_a_key_is_audited_without_its_secret(keys: Keys, tmp_path: Path) -> None:
    token = created(keys, "--scope", "extract")
    key_id = token.split("_")[1]
    keys("revoke", key_id)
    made, revoked = audited(tmp_path)
    assert [made["action"], revoked["action"]] == ["keys.create", "keys.revoke"]
    assert (made["target"], made["tenant"], made["subject"]) == (key_id, "school", f"uid:{os.getuid()}")
    assert token.split("_", 2)[2] not in json.dumps([made, revoked])
    assert "Office" not in json.dumps([made, revoked])


def test_only_we_may_read_what_is_kept(keys: Keys, tmp_path: Path) -> None:
    created(keys, "--scope", "extract")
    state = tmp_path / "state"
    assert state.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in state.iterdir()} == {0o600}


def test_a_folder_that_cannot_be_used_is_named(keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("POCAI_SERVER__STATE_DIR", str(tmp_path / "file" / "state"))
    assert isinstance(keys("list").exception, ConfigurationError)


def test_keys_go_to_redis_where_it_is_configured(keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with redis_server() as url:
        monkeypatch.setenv("POCAI_SERVER__REDIS_URL", url)
        token = created(keys, "--scope", "extract")
        store = HashedKeys(RedisRecords(url))
        assert store.find(token) is not None
        store.close()
        assert keys("revoke", token.split("_")[1]).exit_code == 0
        assert "revoked" in keys("list").stdout
    assert not (tmp_path / "state/keys.sqlite").exists()
    assert len(audited(tmp_path)) == 2


def test_names_cannot_steer_the_table(keys: Keys) -> None:
    keys("create", "--name", "[red]x[/red]", "--tenant", "school", "--scope", "extract")
    assert "[red]x[/red]" in keys("list").stdout


def test_the_web_framework_is_not_loaded_for_a_list_of_keys(tmp_path: Path) -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from pocai.cli.keys import app; "
        "assert CliRunner().invoke(app, ['list']).exit_code == 0; "
        "sys.exit(any(name in sys.modules for name in ('fastapi', 'starlette', 'redis', 'jwt')))"
    )
    environment = {**os.environ, "POCAI_SERVER__STATE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


# --- stores ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "redis"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], HashedKeys]:
    """Opens the same store again and again, as several processes would; believes what it read for 0.2 s."""
    if request.param == "sqlite":
        return lambda: HashedKeys(SQLiteRecords(tmp_path), fresh=0.2)
    url = request.getfixturevalue("redis_url")
    with_client = RedisRecords(url)
    with_client._redis.flushdb()
    with_client.close()
    return lambda: HashedKeys(RedisRecords(url), fresh=0.2)


def test_a_key_is_found_by_another_process_and_kept_as_it_was_made(open_store: Callable[[], HashedKeys]) -> None:
    expires = datetime.now(UTC) + timedelta(days=1)
    maker, finder = open_store(), open_store()
    made, token = maker.create("Büro", "school", {"extract", "models:read"}, expires)
    found = finder.find(token)
    assert found == made
    assert found.scopes == {"extract", "models:read"}
    assert made.id in token
    (kept,) = finder.list()
    assert kept.last_used is not None
    assert abs((kept.last_used - made.created).total_seconds()) < 5
    assert ApiKey(made.id, "Büro", "school", made.scopes, made.created, expires, None, kept.last_used) == kept
    maker.close()
    finder.close()


def test_a_revocation_elsewhere_acts_when_the_memory_is_stale(open_store: Callable[[], HashedKeys]) -> None:
    one, other = open_store(), open_store()
    made, token = one.create("k", "school", ["extract"])
    assert other.find(token) is not None
    assert one.revoke(made.id)
    assert one.find(token) is None
    time.sleep(0.25)
    assert other.find(token) is None
    when = other.list()[0].revoked
    assert when is not None
    assert not other.revoke(made.id)
    assert not other.revoke("ffffffff")
    assert other.list()[0].revoked == when
    one.close()
    other.close()


def test_a_late_note_of_a_use_does_not_undo_a_revocation(open_store: Callable[[], HashedKeys]) -> None:
    store = open_store()
    made, token = store.create("k", "school", ["extract"])
    store.revoke(made.id)
    store._records.used(made.id, datetime.now(UTC))
    again = open_store()
    assert again.find(token) is None
    assert again.list()[0].revoked is not None
    store.close()
    again.close()


def test_keys_are_listed_from_old_to_new_and_their_ids_differ(open_store: Callable[[], HashedKeys]) -> None:
    store = open_store()
    made = [store.create(f"key {number}", "school", ["extract"])[0] for number in range(5)]
    assert [key.name for key in store.list()] == [key.name for key in made]
    assert len({key.id for key in made}) == 5
    assert not store._records.insert(next(store._records.all()))  # the id is taken
    store.close()


@pytest.mark.parametrize(
    ("name", "tenant", "scopes", "word"),
    [
        ("", "school", ["extract"], "name"),
        ("x\x1b[31m", "school", ["extract"], "name"),
        ("x" * 101, "school", ["extract"], "name"),
        ("x", "", ["extract"], "tenant"),
        ("x", "a:b", ["extract"], "tenant"),
        ("x", "a/../b", ["extract"], "tenant"),
        ("x", "school", [], "scope"),
        ("x", "school", ["extract", "root"], "root"),
    ],
)
def test_keys_that_must_not_be_made(tmp_path: Path, name: str, tenant: str, scopes: list[str], word: str) -> None:
    store = HashedKeys(SQLiteRecords(tmp_path))
    with pytest.raises(InputError, match=word):
        store.create(name, tenant, scopes)
    with pytest.raises(InputError, match="expired"):
        store.create("x", "school", ["extract"], datetime.now(UTC))
    assert store.list() == ()
    store.close()


def test_many_threads_share_a_store(open_store: Callable[[], HashedKeys]) -> None:
    store = open_store()
    made = [store.create("k", "school", ["extract"]) for _ in range(4)]
    found: list[ApiKey | None] = []

    def look() -> None:
        found.extend(store.find(token) for _ in range(25) for _, token in made)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 400
    assert {key.id for key in found if key is not None} == {key.id for key, _ in made}
    assert None not in found
    store.close()


def test_the_file_is_ours_alone_and_holds_no_secret(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    store = HashedKeys(SQLiteRecords(folder))
    _, token = store.create("k", "school", ["extract"])
    assert store.find(token)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    store.close()
    assert token.split("_", 2)[2].encode() not in b"".join(path.read_bytes() for path in folder.iterdir())


def test_redis_holds_no_secret(redis_url: str) -> None:
    store = HashedKeys(RedisRecords(redis_url))
    _, token = store.create("k", "school", ["extract"])
    records = cast("RedisRecords", store._records)
    kept = json.dumps([records._redis.hgetall(name) for name in (records.KEYS, records.REVOKED, records.USED)])
    assert token.split("_", 2)[2] not in kept
    store.close()


def test_a_damaged_or_newer_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys.sqlite"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(ConfigurationError, match=r"keys\.sqlite"):
        SQLiteRecords(tmp_path)
    assert path.read_bytes().startswith(b"no database")
    path.unlink()
    SQLiteRecords(tmp_path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ConfigurationError, match="newer"):
        SQLiteRecords(tmp_path)


def test_a_folder_that_cannot_be_made_is_a_matter_of_configuration(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="POCAI_SERVER__STATE_DIR"):
        SQLiteRecords(tmp_path / "file" / "state")


def test_a_store_that_is_gone_is_unavailable(tmp_path: Path) -> None:
    port = free_port()
    store = HashedKeys(RedisRecords(f"redis://:hunter2@127.0.0.1:{port}/0"))
    for call in (lambda: store.find("pocai_00000000_" + "x" * 43), store.list, lambda: store.revoke("00000000")):
        with pytest.raises(Unavailable) as caught:
            call()
        assert "hunter2" not in str(caught.value)
    store.close()
    closed = HashedKeys(SQLiteRecords(tmp_path))
    closed.close()
    with pytest.raises(Unavailable):
        closed.list()


def test_an_address_that_is_no_redis_is_a_matter_of_configuration() -> None:
    with pytest.raises(ConfigurationError, match="POCAI_SERVER__REDIS_URL"):
        RedisRecords("http://127.0.0.1:1")


def test_a_store_is_chosen_by_the_settings(tmp_path: Path, redis_url: str) -> None:
    def records(**server: Any) -> object:
        settings = Settings.model_construct(server=ServerSettings.model_validate({"state_dir": tmp_path, **server}))
        store: KeyStore = key_store(settings)
        store.close()
        return cast("HashedKeys", store)._records

    assert isinstance(records(), SQLiteRecords)
    assert isinstance(records(redis_url=redis_url), RedisRecords)
