"""Runs the application with uvicorn, and stops it so that nothing accepted is lost."""

from __future__ import annotations

import asyncio
import signal
from types import FrameType

import uvicorn

from pocai.inference.rollout import Deployments
from pocai.server.app import create_app
from pocai.server.logs import configure
from pocai.settings import Settings

MARGIN = 5.0  # seconds that answers may take on their way out after the grace


class Server(uvicorn.Server):
    """uvicorn's server that, told to stop, has the runner end or hand back its jobs while connections stay open."""

    def __init__(self, settings: Settings, deployments: Deployments | None = None) -> None:
        self._settings = settings
        self._draining: asyncio.Task[None] | None = None
        server = settings.server
        super().__init__(
            uvicorn.Config(
                create_app(settings, deployments),
                host=server.host,
                port=server.port,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # an address is believed only of `trusted_proxies`, in `auth`
                timeout_graceful_shutdown=round(server.grace_seconds + MARGIN),
                timeout_keep_alive=75,
                ws_max_size=2**16,
            )
        )

    @property
    def port(self) -> int:
        """The port that it listens on; that of the settings unless that is 0."""
        return int(self.servers[0].sockets[0].getsockname()[1])

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as uvicorn calls it
        """Stop on SIGINT and SIGTERM; a second SIGINT does not wait.

        uvicorn would end itself by the same signal afterwards; a service that was told to stop and did so exits with 0.
        """
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True

    async def shutdown(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Drain first, so that the answers of running work still find their connections."""
        self._drain()
        await super().shutdown(sockets)  # type: ignore[arg-type]
        if self._draining is not None:
            await self._draining

    def _drain(self) -> None:
        if self._draining is None and self.started:
            service = self.config.app.state.service  # type: ignore[union-attr]
            self._draining = asyncio.create_task(service.runner.drain(self._settings.server.grace_seconds))


def serve(settings: Settings, deployments: Deployments | None = None) -> None:
    """Serve until SIGTERM or SIGINT, with what is deployed in ``deployments`` or else with what is shipped.

    Raises ConfigurationError for settings that are not safe or cannot be used.
    """
    configure(settings)
    server = Server(settings, deployments)
    server.run()
