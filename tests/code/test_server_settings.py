"""Settings that the service refuses to start with, and that none of their secrets is shown."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from guarded import SECRET, settings_for
from pydantic import SecretStr

from pocai.errors import ConfigurationError
from pocai.server.rates import Rates
from pocai.server.security import check_safe


@pytest.mark.parametrize(
    ("server", "setting"),
    [
        ({"host": "0.0.0.0", "access": {"mode": "off"}}, "ACCESS__MODE"),
        ({"host": "::", "access": {"mode": "off"}}, "ACCESS__MODE"),
        ({"host": "pocai.school.example", "access": {"mode": "off"}}, "ACCESS__MODE"),
        ({"access": {"trusted_proxies": ["127.0.0.1"]}}, "ACCESS__TRUSTED_PROXIES"),
        ({"access": {"jwt_secret": "x" * 31}}, "ACCESS__JWT_SECRET"),
        ({"access": {"jwks_url": "http://id.example/jwks", "jwt_audience": "a"}}, "ACCESS__JWKS_URL"),
        ({"access": {"jwks_url": "file:///etc/passwd", "jwt_audience": "a"}}, "ACCESS__JWKS_URL"),
        ({"access": {"jwks_url": "https://id.example/jwks"}}, "ACCESS__JWKS_URL"),
        ({"access": {"rate_per_key": "often"}}, "ACCESS__RATE_PER_KEY"),
        ({"access": {"rate_per_ip": "0/minute"}}, "ACCESS__RATE_PER_IP"),
        ({"access": {"cors_origins": ["*"]}}, "ACCESS__CORS_ORIGINS"),
        ({"access": {"cors_origins": ["https://a.example", "null"]}}, "ACCESS__CORS_ORIGINS"),
        ({"access": {"cors_origins": ["https://a.example/path"]}}, "ACCESS__CORS_ORIGINS"),
        ({"access": {"cors_origins": ["https://*.example"]}}, "ACCESS__CORS_ORIGINS"),
        ({"access": {"mode": "on", "trusted_proxies": ["0.0.0.0/0"]}}, "ACCESS__TRUSTED_PROXIES"),
        ({"access": {"mode": "on", "trusted_proxies": ["198.51.100.0/24"]}}, "ACCESS__TRUSTED_PROXIES"),
        ({"host_application": {"networks": ["0.0.0.0/0"]}}, "HOST_APPLICATION__NETWORKS"),
        ({"host_application": {"networks": ["10.0.0.0/7"]}}, "HOST_APPLICATION__NETWORKS"),
        ({"host_application": {"networks": ["127.0.0.0/8", "198.51.100.1/32"]}}, "HOST_APPLICATION__NETWORKS"),
        ({"host_application": {"networks": ["::/0"]}}, "HOST_APPLICATION__NETWORKS"),
        ({"host_application": {"networks": ["::ffff:0:0/96"]}}, "HOST_APPLICATION__NETWORKS"),
        ({"host_application": {"roots": ["/"]}}, "HOST_APPLICATION__ROOTS"),
        ({"host_application": {"roots": ["/proc/self"]}}, "HOST_APPLICATION__ROOTS"),
        ({"host_application": {"roots": ["FOLDER/uploads", "FOLDER/state"]}}, "HOST_APPLICATION__ROOTS"),
        ({"host_application": {"roots": ["FOLDER"]}}, "HOST_APPLICATION__ROOTS"),
        ({"host_application": {"roots": ["FOLDER/state/documents"]}}, "HOST_APPLICATION__ROOTS"),
        ({"host_application": {"roots": ["FOLDER/uploads/../state"]}}, "HOST_APPLICATION__ROOTS"),
        ({"host_application": {"roots": ["FOLDER/link"]}}, "HOST_APPLICATION__ROOTS"),
        ({"state_dir": "/"}, "STATE_DIR"),
        ({"state_dir": "~"}, "STATE_DIR"),
        ({"state_dir": "FOLDER/shared"}, "STATE_DIR"),
        ({"redis_url": "http://redis:6379"}, "REDIS_URL"),
        ({"redis_url": "redis://[redis"}, "REDIS_URL"),
        ({"redis_url": "redis://:hunter2@198.51.100.1:6379/0"}, "REDIS_URL"),
        ({"redis_url": "redis://:hunter2@redis.example.com/0"}, "REDIS_URL"),
        ({"otlp_endpoint": "http://collector.example:4318"}, "OTLP_ENDPOINT"),
        ({"grace_seconds": 121}, "GRACE_SECONDS"),
    ],
)
def test_settings_that_are_not_safe(tmp_path: Path, server: dict[str, Any], setting: str) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "state", target_is_directory=True)
    there = json.loads(json.dumps(server).replace("FOLDER", str(tmp_path)))
    with pytest.raises(ConfigurationError, match=f"^POCAI_SERVER__{setting}: ") as caught:
        check_safe(settings_for(tmp_path, **there))
    assert caught.value.mend
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "server",
    [
        {},
        {"host": "localhost", "access": {"mode": "off"}},
        {"host": "0.0.0.0"},
        {"host": "0.0.0.0", "access": {"mode": "on", "jwt_secret": SECRET}},
        {"access": {"jwks_url": "https://id.example/jwks", "jwt_audience": "pocai"}},
        {"access": {"jwks_url": "http://localhost:9000/jwks", "jwt_audience": "pocai"}},
        {"access": {"mode": "on", "trusted_proxies": ["10.0.0.0/8", "198.51.100.1", "fd00::/8"]}},
        {"access": {"cors_origins": ["https://school.example", "http://localhost:3000", "http://[::1]:3000"]}},
        {"access": {"rate_per_key": "10/second;600/minute"}},
        {
            "host_application": {
                "networks": ["172.18.0.0/16", "10.0.0.0/8", "fd00::/8", "::1/128"],
                "roots": ["FOLDER/uploads"],
            }
        },
        {"redis_url": "redis://redis:6379/0"},
        {"redis_url": "redis://:secret@10.0.0.5/0"},
        {"redis_url": "redis://redis.queue.svc.cluster.local"},
        {"redis_url": "rediss://:secret@redis.example.com/0"},
        {"redis_url": "unix:///run/redis.sock"},
        {"otlp_endpoint": "https://collector.example"},
        {"otlp_endpoint": "http://127.0.0.1:4318"},
    ],
)
def test_settings_that_are_safe(tmp_path: Path, server: dict[str, Any]) -> None:
    check_safe(settings_for(tmp_path, **json.loads(json.dumps(server).replace("FOLDER", str(tmp_path)))))


def test_looking_at_settings_makes_nothing(tmp_path: Path) -> None:
    check_safe(settings_for(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_no_secret_of_the_settings_is_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "hunter2" * 5
    settings = settings_for(
        tmp_path, redis_url=f"redis://:{secret}@redis/0", access={"jwt_secret": secret, "mode": "on"}
    )
    check_safe(settings)
    asyncio.run(Rates(settings).close())
    assert isinstance(settings.server.redis_url, SecretStr)
    assert secret not in repr(settings) + str(settings) + caplog.text
