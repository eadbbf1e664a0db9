"""Logs: one JSON object a line on standard error, with the id of the request and nothing personal.

There is one format, on a terminal too: what is read in an emergency looks as it did in every test. Field names are
fixed; of the extra fields of a record only those of `FIELDS` are written. An exception is told by its type and by the
places in the code that it came through; its message and the values around it may hold text of a document. Of the lines
of other libraries only warnings and errors are written, with their placeholders left empty: what stands there is often
an address, a path or the text of an exception.
"""

from __future__ import annotations

import contextlib
import json
import logging
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pocai.settings import Settings

FIELDS = ("job", "attempt", "status", "method", "route", "seconds", "code", "event", "count", "port")
FRAMES = 8  # places in the code that are told of an exception, the last ones

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
TRACEPARENT: ContextVar[str] = ContextVar("traceparent", default="")  # W3C Trace Context, level 1, 3.2


def configure(settings: Settings) -> None:
    """Log as JSON from now on, in this whole process; calling it again only changes the level."""
    root = logging.getLogger()
    if not any(isinstance(handler, Handler) for handler in root.handlers):
        root.addHandler(Handler())
    level = logging.getLevelNamesMapping()[settings.server.log_level.upper()]
    logging.getLogger("pocai").setLevel(level)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).setLevel(max(level, logging.INFO))  # below INFO it tells headers


class Handler(logging.StreamHandler[Any]):
    """Writes to standard error what may be told."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(Lines())
        self.addFilter(lambda record: _trusted(record) or record.levelno >= logging.WARNING)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name of logging's hook
        """Say only which line of code failed to log; logging's own way would print the values."""
        with contextlib.suppress(OSError, ValueError):  # standard error itself is gone: there is nobody to tell
            line = {"level": "error", "message": "a log line could not be written", "at": [_place(record)]}
            self.stream.write(json.dumps(line) + "\n")


class Lines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage() if _trusted(record) else str(record.msg).partition("\n")[0],
        }
        if request_id := REQUEST_ID.get():
            line["request_id"] = request_id
        if traceparent := TRACEPARENT.get():
            line["trace_id"] = traceparent.split("-")[1]
        line |= {name: value for name in FIELDS if isinstance(value := getattr(record, name, None), str | int | float)}
        if record.exc_info and record.exc_info[1] is not None:
            line |= told(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False)


def told(error: BaseException) -> dict[str, Any]:
    """What may be said of an exception: its type, ``error``, and the lines of code on its way, ``at``, deepest last."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
    return {"error": type(error).__name__, "at": places}


def _trusted(record: logging.LogRecord) -> bool:
    """Whether the record is ours, or one of those with which uvicorn says that it starts and stops."""
    return record.name.partition(".")[0] == "pocai" or Path(record.pathname).parts[-2:] == ("uvicorn", "server.py")


def _place(record: logging.LogRecord) -> str:
    return f"{record.filename}:{record.lineno}"
