"""How often somebody may call: rates of keys and of addresses, shared by replicas."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from guarded import guarded
from redis_server import free_port, redis_server

from pocai.errors import Busy, Unavailable
from pocai.server.rates import Rates, parse_rates
from pocai.settings import ServerSettings, Settings


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with redis_server() as url:
        yield url


# --- rates -------------------------------------------------------------------------------------------------------


def test_a_key_that_calls_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    with guarded(tmp_path, access={"rate_per_key": "3/minute"}) as service:
        token, other = service.key(), service.key()
        assert [service.get(token=token).status_code for _ in range(4)] == [200, 200, 200, 429]
        answer = service.get(token=token)
        assert answer.json()["error"]["code"] == "busy"
        assert 50 <= int(answer.headers["Retry-After"]) <= 60
        assert service.get(token=other).status_code == 200


def test_failed_logins_count_twice_against_the_address(tmp_path: Path) -> None:
    with guarded(tmp_path, access={"rate_per_ip": "4/minute"}) as service:
        token = service.key()
        assert [service.get().status_code for _ in range(3)] == [401, 401, 429]
        assert service.get(token=token).status_code == 429


def test_each_address_behind_our_proxy_has_its_own_rate(tmp_path: Path) -> None:
    access = {"rate_per_ip": "2/minute", "trusted_proxies": ["10.9.0.1"]}
    with guarded(tmp_path, peer="10.9.0.1", access=access) as service:
        token = service.key()
        for client in ("198.51.100.1", "198.51.100.2"):
            headers = {"X-Forwarded-For": f"127.0.0.1, {client}"}
            assert [service.get(token=token, **headers).status_code for _ in range(3)] == [200, 200, 429]


def test_one_request_is_counted_once_however_many_dependencies_ask(tmp_path: Path) -> None:
    with guarded(tmp_path, access={"rate_per_key": "2/minute"}) as service:
        token = service.key("extract", "models:read")
        assert [service.get("/v1/both/x", token).status_code for _ in range(3)] == [200, 200, 429]


def test_the_window_moves(tmp_path: Path) -> None:
    with guarded(tmp_path, access={"rate_per_key": "2/2second;100/minute"}) as service:
        token = service.key()
        assert [service.get(token=token).status_code for _ in range(3)] == [200, 200, 429]
        time.sleep(2.1)
        assert service.get(token=token).status_code == 200


def test_a_service_whose_keys_and_rates_are_in_redis(tmp_path: Path, redis_url: str) -> None:
    with guarded(tmp_path, redis_url=redis_url) as service:
        token = service.key()
        assert service.get(token=token).status_code == 200
        assert service.get(token=token[:-1] + "!").status_code == 401
    assert not (tmp_path / "keys.sqlite").exists()


# --- rates shared by replicas ----------------------------------------------------------------------------------------


def rated(url: str, rate: str) -> Settings:
    access = {"rate_per_key": rate, "rate_per_ip": rate}
    return Settings.model_construct(server=ServerSettings.model_validate({"redis_url": url, "access": access}))


def test_replicas_share_their_rates_in_redis(redis_url: str) -> None:
    async def run() -> Busy:
        replicas = [Rates(rated(redis_url, "3/minute")) for _ in range(2)]
        for number in range(3):
            await replicas[number % 2].hit("key", "shared")
        with pytest.raises(Busy) as caught:
            await replicas[1].hit("key", "shared")
        await replicas[0].hit("ip", "shared")  # kinds are counted apart
        for replica in replicas:
            await replica.close()
        return caught.value

    wait = asyncio.run(run()).retry_after
    assert wait is not None
    assert 50 < wait <= 60


def test_rates_without_their_redis_are_unavailable() -> None:
    async def run() -> str:
        rates = Rates(rated(f"redis://:hunter2@127.0.0.1:{free_port()}/0", "3/minute"))
        try:
            with pytest.raises(Unavailable) as caught:
                await rates.hit("ip", "x")
            return str(caught.value)
        finally:
            await rates.close()

    assert "hunter2" not in asyncio.run(run())


@pytest.mark.parametrize("text", ["", "many", "10", "10/fortnight", "0/minute", "10/second;0/minute", "-1/second"])
def test_rates_that_make_no_sense(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_rates(text)
