"""Following an extraction by its server-sent events (WHATWG HTML, 9.2), over as many connections as it takes."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from pocai.client.exchange import Flow, Listen, Next, Pause, Reply, Request, Tell
from pocai.client.patience import Patience
from pocai.client.replies import answer_of, error_of, passes, unreachable
from pocai.errors import PocaiError, Unavailable
from pocai.inference.answers import Answer, Status

OUTAGE = 90.0  # seconds that a service may be gone: a restart ends running work first, which takes its grace
SILENCE = 45.0  # seconds without a byte, heartbeats included, after which a connection is taken for dead
_NAMES = frozenset({"progress", *Status})


class Progress(Answer):
    """How far an extraction is: ``progress`` is the share that is done, 0 to 1."""

    status: Status
    stage: str = ""
    progress: float = 0.0


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream."""

    name: str
    data: str


class EventReader:
    """Finds the events in the bytes of a stream, however they are cut; heartbeats and hints are passed over."""

    def __init__(self) -> None:
        self._decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
        self._rest = ""
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that are complete now."""
        *lines, self._rest = (self._rest + self._decoder.decode(chunk)).split("\n")
        for line in lines:
            event = self._take(line)
            if event is not None:
                yield event

    def _take(self, line: str) -> Event | None:
        field, _, value = line.partition(":")
        if field == "event":
            self._name = value.removeprefix(" ")
        elif field == "data":
            self._data.append(value.removeprefix(" "))
        elif not line:
            event = Event(self._name, "\n".join(self._data)) if self._data else None
            self._name, self._data = "", []
            return event
        return None


class Follower:
    """Follows one extraction; ``patience`` says for how long, and how often the connection may break in a row."""

    def __init__(self, job_id: str, request: Request, patience: Patience) -> None:
        self._job_id = job_id
        self._request = request
        self._patience = patience
        self._last: Progress | None = None

    def follow(self) -> Flow[None]:
        """Tell each `Progress` until the extraction is final; a stream that ends or breaks before is opened again.

        Time that is up is noticed at the next heartbeat, some seconds late at most.
        """
        while True:
            try:
                failure, passing = yield from self._listen()
            except httpx.RequestError as error:
                failure, passing = unreachable(error), True
            if self._over:
                return
            if not passing:
                raise failure
            self._check()
            yield Pause(self._patience.pause_after(failure))

    def _listen(self) -> Flow[tuple[PocaiError, bool]]:
        """Tell what is new on one connection until it ends; why it did, and whether another try may help."""
        reply: Reply = yield Listen(self._request, min(SILENCE, self._patience.left))
        if not reply.ok:
            return error_of(reply), passes(reply)
        reader = EventReader()
        chunk: bytes | None
        while not self._over and (chunk := (yield Next())) is not None:
            for event in reader.feed(chunk):
                yield from self._tell(event)
            self._check()
        return Unavailable("the events broke off", mend=self._mend), True

    @property
    def _over(self) -> bool:
        return self._last is not None and self._last.status.final

    def _tell(self, event: Event) -> Flow[None]:
        if self._over or event.name not in _NAMES:  # an event of another name is one of a newer service
            return
        progress = answer_of(Progress, event.data)
        self._patience.renew()
        changed, self._last = progress != self._last, progress
        if changed:
            yield Tell(progress)

    def _check(self) -> None:
        if not self._over:
            self._patience.check(self._mend)

    @property
    def _mend(self) -> str:
        return f"It goes on: come back with wait({self._job_id!r})"
