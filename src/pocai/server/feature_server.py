"""Serves Feast's feature server, on loopback only: it knows neither credentials nor tenants."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import uvicorn

from pocai.errors import ConfigurationError


def check_local(host: str) -> None:
    """Raises ConfigurationError for an address that others can reach."""
    if not _is_loopback(host):
        raise ConfigurationError(
            f"Feast's feature server asks for no credentials and must not listen on {host}",
            mend="Use 127.0.0.1 here, and /v1/features of pocai serve from elsewhere",
        )


def serve_features(app: Any, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT. Raises as `check_local` does."""
    check_local(host)
    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False, server_header=False)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
