"""The Python client of the service: `Client` and, with the same calls, `AsyncClient`. Needs the extra ``client``."""

from __future__ import annotations

from pocai.client.asynchronous import AsyncClient
from pocai.client.blocking import Client
from pocai.client.calls import Calendar, Format, OnProgress, Reading
from pocai.client.connection import Options
from pocai.client.documents import Source
from pocai.client.following import Progress

__all__ = ["AsyncClient", "Calendar", "Client", "Format", "OnProgress", "Options", "Progress", "Reading", "Source"]
