"""What a feature store must offer; `feast_store` does it with Feast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from pocai.timetable.school import SchoolMemory


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """A row of one feature view.

    ``view`` is its name in `feature_definitions`, ``key`` the values of its entities ("school", "document"),
    ``values`` the features by name, ``at`` the event time with a time zone.
    """

    view: str
    key: Mapping[str, str]
    values: Mapping[str, Any]
    at: datetime


class FeatureStore(Protocol):
    """Reads what is known of schools, and takes what is new. All of it raises FeatureStoreError where it fails."""

    def schools(self, keys: Sequence[str]) -> list[SchoolMemory | None]:
        """What is known of each school, in one round trip; None of a school that is not known, or no longer fresh."""
        ...

    def documents(self, keys: Sequence[str]) -> list[dict[str, FeatureRow]]:
        """The rows of each document by view; those that are not known, or no longer fresh, are left out."""
        ...

    def write(self, rows: Sequence[FeatureRow]) -> None:
        """Add rows online and to the history. A row older than what is held online leaves that as it is."""
        ...

    def forget(self, *, school: str | None = None, document: str | None = None) -> int:
        """Erase a school or a document, online and in the history; how many rows there were."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...
