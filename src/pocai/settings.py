"""Settings: one frozen, typed object, read only by the command line and the server.

Every value can be set by an environment variable: ``POCAI_LIMITS__MAX_PAGES=20``.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Limits(BaseModel):
    """What a document may cost; each is checked before the memory is spent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_bytes: int = Field(50 * 2**20, gt=0, description="size of the file, in bytes")
    max_pixels: int = Field(12_000_000, gt=0, description="pixels of a page; a larger picture is scaled down")
    max_source_pixels: int = Field(400_000_000, gt=0, description="pixels of a picture that is decoded at all")
    max_pages: int = Field(50, gt=0, description="pages that are read; later ones are left out with a warning")
    max_zip_ratio: float = Field(200.0, gt=1, description="unpacked size of an Office file over its packed size")
    max_unpacked_bytes: int = Field(300 * 2**20, gt=0, description="unpacked size of an Office file, in bytes")
    max_cells: int = Field(20_000, gt=0, description="cells of one sheet or table")
    max_seconds: float = Field(120.0, gt=0, description="wall time for one document, in seconds")


class SchoolHours(BaseModel):
    """When lessons happen: decides what "1.15" means where no am or pm is printed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    earliest: int = Field(6 * 60 + 30, ge=0, lt=1440, description="earliest start, minutes after midnight")
    latest: int = Field(22 * 60, gt=0, le=1440, description="latest end, minutes after midnight")


class QualityThresholds(BaseModel):
    """Thresholds of the quality gates (all shares or scores from 0 to 1)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accept_reading: float = Field(0.90, ge=0, le=1, description="mean recognizer score from which a page is accepted")
    reject_reading: float = Field(0.50, ge=0, le=1, description="mean recognizer score below which a page is rejected")
    accept_timed: float = Field(0.90, ge=0, le=1, description="share of blocks with start and end to be accepted")
    accept_block: float | None = Field(
        None, ge=0, le=1, description="confidence from which a block is accepted; without: where at most 1 % are wrong"
    )
    host_confidence: float = Field(0.80, ge=0, le=1, description="the host application's own gate")


class QualityGate(BaseModel):
    """The host's ``/ocr/quality-gate``: only the route "ai" yields a timetable there, and here it costs nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["ai", "host"] = Field("ai", description='"ai": always that route; "host": by quality.host_confidence')


class WorkerLimits(BaseModel):
    """The processes that read documents, and what one document may cost them before they are stopped."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    processes: int = Field(0, ge=0, description="reading processes; 0: one for every two usable cores")
    memory_bytes: int = Field(6 * 2**30, ge=2**30, description="address space of a reading process, in bytes")
    cpu_seconds: int = Field(240, gt=0, description="processor time for one document, in seconds, over all threads")
    wall_seconds: float = Field(150.0, gt=0, description="wall time for one document, in seconds")
    attempts: int = Field(3, ge=1, description="how often a document is tried when its process dies")
    recycle_after: int = Field(500, gt=0, description="documents after which a process is replaced by a fresh one")


class QueueLimits(BaseModel):
    """How many accepted documents may wait for a reading process; beyond that the answer is 429."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    waiting: int = Field(0, ge=0, description="requests that wait for their result; 0: one for each reading process")
    host: int = Field(64, gt=0, description="documents of the host application, which treats 429 as a failure")
    backlog: int = Field(500, gt=0, description="documents handed in with Prefer: respond-async")


class Access(BaseModel):
    """Who may call the service. Secrets are never shown or logged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["auto", "on", "off"] = Field("auto", description='"auto": off on loopback, on everywhere else')
    jwt_secret: SecretStr | None = Field(None, description="secret of HS256 tokens, at least 32 bytes")
    jwks_url: str | None = Field(None, description="where the keys of RS256 or ES256 tokens are published")
    jwt_audience: str | None = Field(None, description="audience that a token must name")
    jwt_issuer: str | None = Field(None, description="issuer that a token must name")
    tenant_claim: str = Field("tenant", min_length=1, description="claim of a token that holds the tenant")
    rate_per_key: str = Field("600/minute", description="requests of one key or token; as in “10/second;600/minute”")
    rate_per_ip: str = Field("1200/minute", description="requests of one address, and logins that failed")
    cors_origins: tuple[str, ...] = Field((), description="origins of web pages that may call /v1")
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = Field((), description="whose X-Forwarded-For is believed")


class LanguageEndpoint(BaseModel):
    """A language model behind an OpenAI-compatible endpoint, and whether documents may leave this machine for one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str | None = Field(None, description='address before "/chat/completions", as http://127.0.0.1:11434/v1')
    model: str | None = Field(None, description="name by which the endpoint knows the model")
    key: SecretStr | None = Field(None, description="key of the endpoint; reading processes of the service have none")
    seconds: float = Field(120.0, gt=0, description="wall time for one page, in seconds")
    egress: bool = Field(default=False, description="whether text may be sent to another machine than this one")


class FeatureSettings(BaseModel):
    """The feature store, which remembers each school. Off by default; everything works without it.

    With ``kind`` alone it is one file and one folder below ``folder``; all else is for stores that are shared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["none", "sqlite", "redis", "cluster"] = Field(
        "none", description="what holds the newest values: nothing, a file, Redis, or a Redis Cluster"
    )
    folder: Path = Field(
        Path("~/.local/state/pocai/features"), description="folder of what has no place of its own; only we may read it"
    )
    connection: SecretStr | None = Field(None, description="URL of Redis, or of nodes of the cluster")
    project: str = Field("pocai", pattern=r"^[a-z][a-z0-9_]{0,63}$", description="Feast's name for all of this")
    registry: str | None = Field(None, description="path or URL of Feast's registry (without: in the folder)")
    offline: str | None = Field(
        None,
        description="folder, or URL such as s3://bucket/history, of the history (without: in the folder)",
    )
    key: SecretStr | None = Field(None, description="key that texts are encrypted with: 32 bytes in Base64")
    read_seconds: float = Field(0.1, gt=0, le=10, description="what a look-up may cost a document, in seconds")
    cache_seconds: float = Field(10.0, ge=0, description="seconds for which a school is not looked up again; 0: never")
    queue: int = Field(1000, gt=0, description="writes that may wait; beyond that the oldest is dropped")
    flush_seconds: float = Field(5.0, ge=0, description="seconds that waiting writes may take when the service stops")
    in_extraction: bool = Field(default=True, description="whether extraction uses what is remembered of a school")


class MlopsSettings(BaseModel):
    """Tracking, registry and deployment of models. By default all of it is files below ``folder``, without a server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    serve: bool = Field(default=False, description="whether the service reads with the registry's champions")
    folder: Path = Field(
        Path("~/.local/state/pocai/mlops"), description="folder of what has no place of its own; only we may read it"
    )
    tracking: str | None = Field(
        None, description="MLflow's server (http://…) or database (sqlite:///…); without: a database in the folder"
    )
    user: str | None = Field(None, description="name at MLflow's server")
    password: SecretStr | None = Field(None, description="password at MLflow's server")
    artefacts: str | None = Field(
        None, description="folder or s3://bucket/prefix of what runs leave; without: in the folder, or the server's own"
    )
    signing_key: Path | None = Field(None, description="private key (PEM, P-256) that models are signed with")
    trusted_keys: tuple[Path, ...] = Field(
        (), description="public keys (PEM) whose models are loaded; without: that of the key in the folder"
    )
    refresh_seconds: float = Field(1.0, gt=0, le=5, description="seconds between two looks at what is deployed")


class HostApplication(BaseModel):
    """The host application that calls the middleware's endpoints, without credentials and with files by path."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    roots: tuple[Path, ...] = Field((), description="folders that may be read and written; without: STORAGE_PATH")
    relative_to: Path | None = Field(None, description="folder that relative paths start from; without: where we run")
    networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        (ip_network("127.0.0.0/8"), ip_network("::1/128")), description="addresses that may call without credentials"
    )
    tenant: str = Field(
        "host", pattern=r"^[\w.@-]{1,100}$", description="the tenant that the host's documents belong to"
    )
    derived_hours: float = Field(24.0, gt=0, description="hours after which an enhanced picture is removed")


class ServerSettings(BaseModel):
    """The HTTP service. Loopback without credentials is the default; anything wider must be asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0: any free one")
    state_dir: Path = Field(
        Path("~/.local/state/pocai"), description="folder for jobs, keys, uploads and audit log; only we may read it"
    )
    redis_url: SecretStr | None = Field(None, description="Redis for jobs, keys and rates shared by several replicas")
    retention_hours: float = Field(
        24.0, gt=0, description="hours after which a finished job is removed with its upload"
    )
    request_seconds: float = Field(120.0, gt=0, description="longest deadline of a request, in seconds")
    grace_seconds: float = Field(30.0, ge=0, description="seconds that running work may take when the service stops")
    otlp_endpoint: str | None = Field(None, description="where OpenTelemetry traces go (OTLP over HTTP)")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    workers: WorkerLimits = WorkerLimits()
    queue: QueueLimits = QueueLimits()
    access: Access = Access()
    host_application: HostApplication = HostApplication()


class Settings(BaseSettings):
    """All settings of pocai."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="POCAI_", env_nested_delimiter="__")

    limits: Limits = Limits()
    school_hours: SchoolHours = SchoolHours()
    quality: QualityThresholds = QualityThresholds()
    quality_gate: QualityGate = QualityGate()
    server: ServerSettings = ServerSettings()
    ocr_engine: str = Field("cascade", description="name of the OCR engine in the catalogue")
    ocr_adapter: Path | None = Field(None, description="folder of an adapter (LoRA) for the engine's student")
    document_model: str = Field("auto", description="name of the document model in the catalogue")
    document_adapter: Path | None = Field(None, description="folder of an adapter (LoRA) for the document model")
    language: LanguageEndpoint = LanguageEndpoint()
    features: FeatureSettings = FeatureSettings()
    mlops: MlopsSettings = MlopsSettings()
    threads: int = Field(0, ge=0, description="threads for inference; 0 takes the number of usable cores")
