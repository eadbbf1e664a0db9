"""Clients of both kinds whose calls block, so that one test serves both."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Literal

from pocai.client import AsyncClient, Client

Kind = Literal["blocking", "asynchronous"]
Connect = Callable[..., Any]  # takes what a client takes


@contextlib.contextmanager
def connecting(kind: Kind) -> Iterator[Connect]:
    """Makes clients of one kind; all are closed when the block ends."""
    made: list[Any] = []
    with asyncio.Runner() as runner:

        def connect(*arguments: Any, **options: Any) -> Any:
            blocking = kind == "blocking"
            made.append(Client(*arguments, **options) if blocking else FromLoop(runner, *arguments, **options))
            return made[-1]

        yield connect
        for each in made:
            each.close() if isinstance(each, Client) else each.aclose()


class FromLoop:
    """An AsyncClient whose calls block."""

    def __init__(self, runner: asyncio.Runner, *arguments: Any, **options: Any) -> None:
        self.client = AsyncClient(*arguments, **options)
        self._runner = runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.client, name)

        def call(*arguments: Any, **options: Any) -> Any:
            begun = method(*arguments, **options)
            return self._runner.run(_all(begun) if hasattr(begun, "__aiter__") else begun)

        return call


async def _all(told: AsyncIterator[Any]) -> list[Any]:
    return [each async for each in told]
