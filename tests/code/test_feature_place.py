"""Where features are kept: settings and addresses are understood, by Feast and by redis-py alike, or refused."""

from __future__ import annotations

import base64
import io
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from feature_fixtures import Servers
from feature_servers import KEY, a_memory
from pydantic import SecretStr

from pocai import __version__
from pocai.errors import ConfigurationError
from pocai.feature_store.feast_store import FeastStore, open_store
from pocai.feature_store.feature_definitions import service_name
from pocai.feature_store.features import school_row
from pocai.feature_store.place import Place, RedisAddress
from pocai.feature_store.store import FeatureRow
from pocai.settings import FeatureSettings

NOW = datetime.now(UTC)


def row(number: int) -> FeatureRow:
    return school_row("A", a_memory(number, NOW))


def address(url: str, *, cluster: bool = False) -> RedisAddress:
    return RedisAddress.of(url, 0.5, cluster=cluster)


@pytest.mark.parametrize(
    ("url", "nodes", "login"),
    [
        ("redis://127.0.0.1", [("127.0.0.1", 6379)], {"db": 0}),
        ("redis://host:7000/3", [("host", 7000)], {"db": 3}),
        ("redis://:pass@host", [("host", 6379)], {"db": 0, "password": "pass"}),
        ("redis://me:p%2Ca%3Ds%C3%A9%22@host", [("host", 6379)], {"db": 0, "username": "me", "password": 'p,a=sé"'}),
        ("redis://:1234@host", [("host", 6379)], {"db": 0, "password": "1234"}),
        (
            "rediss://host?ssl_ca_certs=/a%20b/ca.pem",
            [("host", 6379)],
            {"db": 0, "ssl": True, "ssl_ca_certs": "/a b/ca.pem"},
        ),
        ("rediss://host?ssl_check_hostname=no", [("host", 6379)], {"db": 0, "ssl": True, "ssl_check_hostname": False}),
    ],
)
def test_an_address_means_the_same_to_redis_and_to_feast(
    url: str, nodes: list[tuple[str, int]], login: dict[str, object]
) -> None:
    from feast.infra.online_stores.redis import RedisOnlineStore

    known = address(url)
    assert list(known.nodes) == nodes
    assert known.options == {**login, "socket_timeout": 0.5, "socket_connect_timeout": 0.5}
    told, options = RedisOnlineStore._parse_connection_string(known.connection_string)
    assert [(each["host"], int(each["port"])) for each in told] == nodes
    assert options == known.options


def test_a_cluster_may_have_several_hosts_and_no_database() -> None:
    known = address("redis://a:1,b,c:3", cluster=True)
    assert known.nodes == (("a", 1), ("b", 6379), ("c", 3))
    assert "db" not in known.options


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host:6379",
        "http://me:s3cret@host",
        "redis://me:s3cret@",
        "redis://me:s3cret@host:s3cret",
        "redis://me:s3cret@host/s3cret",
        "redis://me:s3cret@one,two",
        "redis://me:s3cret@host?s3cret=1",
        "redis://me:s3cret@host?s3cret",
        "redis://me:s3cret@host#s3cret",
    ],
)
def test_what_is_no_address_is_refused_and_not_told(url: str) -> None:
    with pytest.raises(ConfigurationError, match="address") as caught:
        address(url)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_secrets_are_not_shown() -> None:
    where = Place(
        Path("features"), b"s3cret" * 5, kind="redis", address="redis://me:s3cret@host", storage={"a": "s3cret"}
    )
    assert "s3cret" not in repr(where)
    assert "s3cret" not in repr(where.redis)


def test_writes_have_more_time_than_reads() -> None:
    assert address("redis://host").patient.options["socket_timeout"] == 5
    assert RedisAddress.of("redis://host", 9).patient.options["socket_timeout"] == 9
    where = Place(Path("features"), KEY, kind="redis", address="redis://host", timeout=0.1)
    assert "socket_timeout=5" in where.repo_config().online_store.connection_string


def test_with_a_folder_alone_all_is_in_it_and_is_its_owners(tmp_path: Path) -> None:
    used = open_store(FeatureSettings(kind="sqlite", folder=tmp_path / "features"))
    used.apply()
    used.write([row(1)])
    folder = tmp_path / "features"
    assert {path.name for path in folder.iterdir()} >= {"features.key", "online.db", "registry.db", "history"}
    assert [path.name for path in tmp_path.iterdir()] == ["features"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert service_name(__version__) in {service.name for service in used.feast().list_feature_services()}
    used.close()
    again = open_store(FeatureSettings(kind="sqlite", folder=folder))
    assert again.schools(["A"]) == [a_memory(1, NOW)]
    again.close()


def test_everything_can_be_elsewhere(tmp_path: Path) -> None:
    key = base64.b64encode(KEY).decode()
    settings = FeatureSettings(
        kind="sqlite",
        folder=tmp_path / "features",
        connection=SecretStr(str(tmp_path / "there.db")),
        project="other",
        registry=str(tmp_path / "registry" / "r.db"),
        offline=str(tmp_path / "history"),
        key=SecretStr(key),
    )
    used = open_store(settings)
    used.apply()
    used.write([row(1)])
    used.close()
    assert list((tmp_path / "features").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"features", "there.db", "registry", "history"}
    same = FeastStore(
        Place(
            tmp_path / "features",
            KEY,
            address=str(tmp_path / "there.db"),
            project="other",
            registry=settings.registry or "",
            history=settings.offline or "",
        )
    )
    assert same.schools(["A"]) == [a_memory(1, NOW)]
    same.close()


def test_the_history_in_s3_is_found_by_its_url_and_the_environment(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feast.infra.registry.s3.TemporaryFile", io.BytesIO)  # it leaves files open
    monkeypatch.setenv("AWS_ENDPOINT_URL", servers.url("s3"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("FEAST_S3_ENDPOINT_URL", servers.url("s3"))
    settings = FeatureSettings(
        kind="redis",
        folder=tmp_path,
        connection=SecretStr(servers.url("redis")),
        project="by_environment",
        registry="s3://features/by-environment/registry.db",
        offline="s3://features/by-environment/history",
    )
    used = open_store(settings)
    used.apply()
    used.write([row(1)])
    assert used.schools(["A"]) == [a_memory(1, NOW)]
    assert used.trace(school="A") == used.forget(school="A") == 2
    used.close()
    assert [path.name for path in tmp_path.iterdir()] == ["features.key"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "POCAI_FEATURES__KIND"),
        ({"kind": "redis"}, "POCAI_FEATURES__CONNECTION"),
        ({"kind": "cluster"}, "POCAI_FEATURES__CONNECTION"),
        ({"kind": "redis", "connection": "s3cret"}, "redis://user:password@host"),
        ({"kind": "sqlite", "key": "s3cret!"}, "openssl rand -base64 32"),
        ({"kind": "sqlite", "key": base64.b64encode(b"s3cret").decode()}, "not 32 bytes"),
    ],
)
def test_settings_that_cannot_be_used_say_how_to_mend_them(changes: dict[str, str], told: str, tmp_path: Path) -> None:
    settings = FeatureSettings.model_validate({"folder": tmp_path, **changes})
    with pytest.raises(ConfigurationError, match=told) as caught:
        open_store(settings)
    assert "s3cret" not in str(caught.value)


def test_a_folder_of_ones_home_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    open_store(FeatureSettings(kind="sqlite", folder=Path("~/features"))).close()
    assert [path.name for path in (tmp_path / "features").iterdir()] == ["features.key"]
