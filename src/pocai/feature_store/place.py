"""Where features are kept: settings of the store, and what Feast and redis-py make of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from pocai.errors import ConfigurationError
from pocai.feature_store.encryption import KeySource
from pocai.feature_store.feature_table import VIEWS

if TYPE_CHECKING:
    from feast import RepoConfig

PORT = 6379
REGISTRY = 3600  # seconds after which Feast looks into its registry again; only writing and training sets use it
OPTIONS = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname", "ssl_cert_reqs"})
PATIENCE = 5.0  # seconds that Redis may take for an answer to a write, which nobody waits for
LONGEST = int(max(view.ttl for view in VIEWS.values()).total_seconds())


@dataclass(frozen=True, slots=True)
class Place:
    """Where one feature store is.

    ``kind`` is of the online store; ``address`` is of its Redis, ``redis://user:password@host:6379/0`` (``rediss://``
    for TLS, with ``?ssl_ca_certs=FILE``; several hosts, joined by commas, for a cluster), or the path of SQLite's file.
    ``key`` is the master key of 32 bytes, or a hook that asks for it. ``folder`` holds what is local. ``registry`` and
    ``history`` are paths or URLs; by default they, and SQLite's file, lie in ``folder``; ``storage`` are fsspec's
    options for the history. ``version`` is that of the models, ``timeout`` the seconds that Redis may take for a read.
    """

    folder: Path
    key: KeySource = field(repr=False)
    kind: Literal["sqlite", "redis", "cluster"] = "sqlite"
    address: str = field(default="", repr=False)
    project: str = "pocai"
    registry: str = ""
    history: str = ""
    storage: Mapping[str, Any] = field(default_factory=dict, repr=False)
    version: str = "0"
    timeout: float = 0.5

    @property
    def history_url(self) -> str:
        return self.history or str(self.folder.absolute() / "history")

    @property
    def redis(self) -> RedisAddress | None:
        """The address of the Redis, None without one; raises ConfigurationError, which does not tell it."""
        if self.kind == "sqlite":
            return None
        return RedisAddress.of(self.address, self.timeout, cluster=self.kind == "cluster")

    def repo_config(self) -> RepoConfig:
        """Feast's configuration; raises ConfigurationError."""
        from feast import RepoConfig

        folder = self.folder.absolute()
        online: dict[str, Any] = {"type": "sqlite", "path": self.address or str(folder / "online.db")}
        if (address := self.redis) is not None:
            kind = "redis_cluster" if address.cluster else "redis"
            online = {"type": "redis", "redis_type": kind, "key_ttl_seconds": LONGEST}
            online["connection_string"] = address.patient.connection_string
        return RepoConfig(
            project=self.project,
            provider="local",
            registry={"path": self.registry or str(folder / "registry.db"), "cache_ttl_seconds": REGISTRY},
            online_store=online,
            offline_store={"type": "duckdb"},
            entity_key_serialization_version=3,
            repo_path=self.folder,
        )


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """The hosts of a Redis, and how to speak to them in the words of redis-py; ``timeout`` in seconds."""

    nodes: tuple[tuple[str, int], ...]
    login: Mapping[str, Any] = field(repr=False)
    timeout: float
    cluster: bool

    @classmethod
    def of(cls, url: str, timeout: float, *, cluster: bool = False) -> RedisAddress:
        """The parts of an address; raises ConfigurationError, which does not tell it, where it is none."""
        try:
            parts = urlsplit(url)
            login, _, hosts = parts.netloc.rpartition("@")
            nodes = tuple(_node(host) for host in hosts.split(","))
            options = _options(dict(parse_qsl(parts.query, strict_parsing=bool(parts.query))))
            database = int(parts.path.strip("/") or 0)
        except ValueError:
            raise _no_address() from None
        if parts.scheme not in ("redis", "rediss") or parts.fragment or len(nodes) > 1 > cluster:
            raise _no_address()
        user, _, password = login.partition(":")
        options |= {"username": unquote(user)} if user else {}
        options |= {"password": unquote(password)} if password else {}
        options |= {"ssl": True} if parts.scheme == "rediss" else {}
        options |= {} if cluster else {"db": database}
        return cls(nodes, options, timeout, cluster)

    @property
    def patient(self) -> RedisAddress:
        """The same Redis for those who have time."""
        return replace(self, timeout=max(self.timeout, PATIENCE))

    @property
    def options(self) -> dict[str, Any]:
        """What redis-py is told beside the hosts."""
        return {**self.login, "socket_timeout": self.timeout, "socket_connect_timeout": self.timeout}

    @property
    def connection_string(self) -> str:
        """As Feast takes it: it splits at commas, and reads values as JSON where they are."""
        told = (f"{name}={json.dumps(value)}".replace(",", "\\u002c") for name, value in self.options.items())
        return ",".join([*(f"{host}:{port}" for host, port in self.nodes), *told])


def _node(host: str) -> tuple[str, int]:
    name, _, port = host.partition(":")
    if not name:
        raise ValueError(host)
    return name, int(port or PORT)


def _options(given: dict[str, str]) -> dict[str, Any]:
    if not OPTIONS.issuperset(given):
        raise ValueError(given)
    known: dict[str, Any] = dict(given)
    if "ssl_check_hostname" in known:
        known["ssl_check_hostname"] = known["ssl_check_hostname"].casefold() in ("1", "true", "yes")
    return known


def _no_address() -> ConfigurationError:
    return ConfigurationError(
        "the address of the feature store's Redis is none",
        mend="Write it as redis://user:password@host:6379/0, or rediss:// for TLS; a cluster may have several hosts",
    )
