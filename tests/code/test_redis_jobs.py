"""What only Redis must stand: other set-ups, refusals, and being away for a while."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from job_places import DOCUMENT, RESULT, a_job, added, claimed, empty, opened
from redis.asyncio import Redis
from redis_server import free_port, redis_server

from pocai.errors import ConfigurationError, Unavailable
from pocai.server.redis_jobs import RedisJobs

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def cycle(url: str) -> None:
    """One job from end to end, with every method once."""
    async with opened(RedisJobs(url)) as store:
        job = await added(store)
        assert await claimed(store) == await store.get(job.id)
        await store.advance(job.id, "me", "text", 0.5)
        assert await store.renew(job.id, "me", 60)
        assert await store.hand_back(job.id, "me", counted=True)
        assert (await claimed(store)).attempts == 2
        assert await store.finish(job.id, "me", RESULT)
        assert await store.find("school", "f" * 64) == await store.get(job.id)
        assert await store.document(job.id) == DOCUMENT
        await store.note_file("/data/x", 1.0)
        assert await store.due_files(2.0) == ["/data/x"]
        await store.forget_file("/data/x")
        assert await store.reclaim() == 0
        assert not await store.cancel(job.id)
        assert await store.expire(time.time() + 60) == 1
        await store.delete(job.id)


async def test_it_works_on_a_cluster() -> None:
    with redis_server("--cluster-enabled", "yes", "--cluster-port", str(free_port())) as url:
        async with Redis.from_url(url) as client:
            await client.cluster("ADDSLOTSRANGE", 0, 16383)  # all there are
            until = time.monotonic() + 20
            while (await client.cluster("INFO"))["cluster_state"] != "ok":
                assert time.monotonic() < until
                await asyncio.sleep(0.05)
        await cycle(url)


RIGHTS = ("~pocai:*", "+@read", "+@write", "+@scripting", "+time", "+ping")


async def test_a_user_with_few_rights_is_enough_and_a_wrong_password_is_not_told() -> None:
    users = ["--user", "default", "off", "--user", "reader", "on", ">s3cret", *RIGHTS]
    with redis_server(*users) as url:
        await cycle(url.replace("//", "//reader:s3cret@"))
        for credentials in ("reader:wr0ng@", "", "nobody:s3cret@"):
            with pytest.raises(ConfigurationError) as caught:
                await RedisJobs(url.replace("//", f"//{credentials}")).open()
            told = told_by(caught.value)
            assert "POCAI_SERVER__REDIS_URL" in told
            assert not any(secret in told for secret in ("wr0ng", "s3cret"))


async def test_a_user_with_too_few_rights_is_refused_at_open() -> None:
    with (
        redis_server("--user", "reader", "on", "nopass", "~*", "+@read", "+@scripting") as url,
        pytest.raises(ConfigurationError, match="POCAI_SERVER__REDIS_URL"),
    ):
        await RedisJobs(url.replace("//", "//reader:any@")).open()


def told_by(error: BaseException | None) -> str:
    """What a log would show of an error: its text, and those of its causes."""
    return "" if error is None else f"{error!r} {error} {told_by(error.__cause__)}"


@pytest.mark.parametrize(
    "url", ["http://user:s3cret@host", "redis://user:s3cret@host:s3cret", "redis://:s3cret@host/0?such=option"]
)
async def test_what_is_no_address_is_told_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match="POCAI_SERVER__REDIS_URL") as caught:
        await RedisJobs(url).open()
    assert "s3cret" not in told_by(caught.value)


async def test_tls_is_spoken_and_certificates_are_checked(tmp_path: Path) -> None:
    key, certificate = certified(tmp_path)
    port = free_port()
    options = ["--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key)]
    with redis_server(*options, "--tls-auth-clients", "no"):
        await cycle(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificate}")
        with pytest.raises(Unavailable):
            await RedisJobs(f"rediss://127.0.0.1:{port}/0").open()


def certified(folder: Path) -> tuple[Path, Path]:
    """A key, and a certificate for 127.0.0.1 that it has signed itself."""
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    return folder / "key.pem", folder / "certificate.pem"


async def test_without_redis_it_is_unavailable_and_comes_back_with_it() -> None:
    with redis_server("--requirepass", "s3cret") as url:
        port = int(url.rpartition(":")[2].partition("/")[0])
        store = RedisJobs(url.replace("//", "//:s3cret@"))
        await store.open()
        await added(store)
    steps: list[Callable[[], Coroutine[Any, Any, object]]] = [
        lambda: store.get("0" * 32),
        lambda: store.claim("me", 60),
        lambda: store.document("0" * 32),
        lambda: store.add(a_job(), DOCUMENT, limit=1),
        lambda: store.due_files(1.0),
    ]
    for step in steps:
        with pytest.raises(Unavailable) as caught:
            await step()
        assert "s3cret" not in told_by(caught.value)
        assert caught.value.retry_after is not None
    with pytest.raises(Unavailable):
        await RedisJobs(url).open()
    with redis_server("--requirepass", "s3cret", port=port):
        await added(store)
        await claimed(store)
    await store.close()


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with redis_server() as url:
        yield url


async def test_every_key_has_our_prefix_and_those_with_content_end_by_themselves(redis_url: str) -> None:
    empty(redis_url)
    async with opened(RedisJobs(redis_url)) as store:
        for _ in range(3):
            await added(store, a_job(deadline=time.time() + 3600))
        await store.finish((await claimed(store)).id, "me", RESULT)
        await claimed(store)
        async with Redis.from_url(redis_url, decode_responses=True) as client:
            ends = {key: int(await client.ttl(key)) async for key in client.scan_iter()}
    assert all(key.startswith("pocai:{jobs}:") for key in ends)
    kinds = {kind: [end for key, end in ends.items() if f":{kind}:" in key] for kind in ("job", "document", "result")}
    assert [len(found) for found in kinds.values()] == [3, 3, 1]
    eight_days = 8 * 24 * 3600
    assert all(eight_days < end <= eight_days + 3600 for found in kinds.values() for end in found)


async def test_a_job_that_ended_by_itself_is_passed_over(redis_url: str) -> None:
    empty(redis_url)
    async with opened(RedisJobs(redis_url)) as store:
        gone, lost, job = [await added(store, a_job(age)) for age in (3, 2, 1)]
        with contextlib.closing(redis.Redis.from_url(redis_url)) as client:
            client.delete(f"pocai:{{jobs}}:job:{gone.id}")
            assert (await claimed(store, seconds=0)).id == lost.id
            client.delete(f"pocai:{{jobs}}:job:{lost.id}")
        assert await store.reclaim() == 0
        assert await store.find("school", "f" * 64) == job
        assert (await claimed(store)).id == job.id


async def test_a_redis_that_may_evict_jobs_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with redis_server("--maxmemory-policy", "allkeys-lru") as url:
        async with opened(RedisJobs(url)):
            assert "allkeys-lru" in caplog.text
