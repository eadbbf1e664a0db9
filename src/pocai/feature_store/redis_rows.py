"""Feast's rows in Redis, read without its SDK: one pipeline for all keys, and no data frames.

The layout is Feast's (its docs, "Redis online store format"): one hash for each entity key, in it a field for each
feature (the murmur hash of ``VIEW:FEATURE``) and one for each view's event time. Keys and fields are made by Feast's
own functions, and a test holds what is read here against what its SDK gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pocai.feature_store.feature_table import View
from pocai.feature_store.online_values import damaged, entity_key, feast_row, fields_of, value_of
from pocai.feature_store.place import RedisAddress
from pocai.feature_store.store import FeatureRow

if TYPE_CHECKING:
    from feast import FeatureView, RepoConfig
    from feast.infra.provider import Provider

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CONNECTIONS = 64  # of one process
BATCH = 500  # commands that are sent together
HEALTH_CHECK = 30  # seconds of silence after which a connection is tried before it is used


class RedisRows:
    """Rows of one Feast project. Raises what redis-py raises."""

    def __init__(
        self, provider: Provider, config: RepoConfig, views: Mapping[str, FeatureView], address: RedisAddress
    ) -> None:
        """A connection is opened with the first use, but for a cluster, which is asked for its nodes."""
        from feast.infra.key_encoding_utils import serialize_entity_key
        from feast.infra.online_stores.helpers import _mmh3
        from feast.protos.feast.types.Value_pb2 import Value
        from google.protobuf.message import DecodeError
        from google.protobuf.timestamp_pb2 import Timestamp

        self._provider, self._config, self._views = provider, config, views
        self._project: bytes = config.project.encode()
        self._serialize: Callable[..., bytes] = serialize_entity_key
        self._hash: Callable[[str], bytes] = _mmh3
        self._value, self._time, self._undecodable = Value, Timestamp, DecodeError
        self._frames: dict[tuple[str, int], tuple[bytes, bytes]] = {}
        self._fields: dict[str, list[bytes]] = {}
        self._client = _client(address)
        self._patient = _client(address.patient)  # for all but reads

    def read(self, views: Sequence[View], keys: Sequence[str]) -> list[list[FeatureRow | None]]:
        """For each key the rows of these views, which are of one entity, as they are kept; None where there is none."""
        fields = [field for view in views for field in self.fields_of(view)]
        if len(keys) == 1:
            answers = [self._client.hmget(self.key(views[0], keys[0]), fields)]
        else:
            with self._client.pipeline(transaction=False) as pipe:
                for key in keys:
                    pipe.hmget(self.key(views[0], key), fields)
                answers = pipe.execute()
        return [self._rows(views, key, answer) for key, answer in zip(keys, answers, strict=True)]

    def write(self, view: View, rows: Sequence[FeatureRow]) -> None:
        """Keep rows that are newer than what is held, and let Redis forget them when they are past their time."""
        for begin in range(0, len(rows), BATCH):
            data = [feast_row(view, row) for row in rows[begin : begin + BATCH]]
            self._provider.online_write_batch(self._config, self._views[view.name], data, None)
        self._each(lambda pipe, key: pipe.expire(key, view.ttl), view, [row.key[view.entity] for row in rows])

    def erase(self, view: View, keys: Iterable[str]) -> None:
        """Remove all rows of these keys, of all views of the entity."""
        self._each(lambda pipe, key: pipe.delete(key), view, keys)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()
        self._patient.close()

    def check(self) -> None:
        """Fail where a write would."""
        self._patient.ping()

    def key(self, view: View, key: str) -> bytes:
        """Where Redis holds the rows of a school or document."""
        text = key.encode()
        before, after = self._around(view, len(text))
        return before + text + after

    def fields_of(self, view: View) -> list[bytes]:
        """The fields of a view's hash: its features, and the event time last."""
        if view.name not in self._fields:
            hashed = [self._hash(f"{view.name}:{name}") for name in view.names]
            self._fields[view.name] = [*hashed, f"_ts:{view.name}".encode()]
        return self._fields[view.name]

    def _around(self, view: View, length: int) -> tuple[bytes, bytes]:
        """What Feast puts before and behind a key of so many bytes; asked of it once, since it takes its time."""
        known = self._frames.get((view.entity, length))
        if known is None:
            blank = b"\x7f" * length  # in no name of a project or an entity
            entity: bytes = self._serialize(entity_key(view, blank.decode()), entity_key_serialization_version=3)
            begin = entity.rindex(blank)
            known = self._frames[(view.entity, length)] = entity[:begin], entity[begin + length :] + self._project
        return known

    def _each(self, command: Callable[[Any, bytes], object], view: View, keys: Iterable[str]) -> None:
        wanted = [self.key(view, key) for key in keys]
        for begin in range(0, len(wanted), BATCH):
            with self._patient.pipeline(transaction=False) as pipe:
                for key in wanted[begin : begin + BATCH]:
                    command(pipe, key)
                pipe.execute()

    def _rows(self, views: Sequence[View], key: str, answer: Sequence[bytes | None]) -> list[FeatureRow | None]:
        rows, begin = [], 0
        for view in views:
            end = begin + len(view.features)
            rows.append(self._row(view, key, answer[begin:end], answer[end]))
            begin = end + 1
        return rows

    def _row(self, view: View, key: str, values: Sequence[bytes | None], stamp: bytes | None) -> FeatureRow | None:
        if stamp is None:
            return None
        try:
            time = self._time.FromString(stamp)
            decoded = {
                name: value_of(field, many, self._value.FromString(held)) if held else None
                for (name, field, many), held in zip(fields_of(view.name), values, strict=True)
            }
        except (self._undecodable, ValueError):
            raise damaged(view) from None
        at = EPOCH + timedelta(seconds=time.seconds, microseconds=time.nanos // 1000)
        return FeatureRow(view.name, {view.entity: key}, decoded, at)


def _client(address: RedisAddress) -> Any:
    from redis import BlockingConnectionPool, Redis, SSLConnection
    from redis.backoff import NoBackoff
    from redis.cluster import ClusterNode, RedisCluster
    from redis.retry import Retry

    again = Retry(NoBackoff(), 1)  # a connection that Redis has closed meanwhile is opened anew
    options = {**address.options, "retry": again}
    if address.cluster:
        nodes = [ClusterNode(host, port) for host, port in address.nodes]  # type: ignore[no-untyped-call]
        return RedisCluster(startup_nodes=nodes, **options)
    (host, port), timeout = address.nodes[0], address.timeout
    if options.pop("ssl", False):
        options["connection_class"] = SSLConnection
    more: dict[str, Any] = {"max_connections": CONNECTIONS, "timeout": timeout, "health_check_interval": HEALTH_CHECK}
    return Redis.from_pool(BlockingConnectionPool(host=host, port=port, **more, **options))  # type: ignore[no-untyped-call]
