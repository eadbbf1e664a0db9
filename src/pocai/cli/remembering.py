"""What a command remembers of the school whose documents it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pocai.cli.environment import missing_extra
from pocai.errors import FeatureStoreError

if TYPE_CHECKING:
    from pocai.inference.feature_store_client import FeatureStoreClient
    from pocai.inference.pipeline import Extraction
    from pocai.settings import FeatureSettings
    from pocai.timetable.school import SchoolMemory


class Remembering:
    """One school in a feature store, for one document after the other. A store that fails is told and done without."""

    def __init__(
        self, client: FeatureStoreClient, school: str, warn: Callable[[str], None], *, used: bool = True
    ) -> None:
        self._client = client
        self._school = school
        self._warn = warn
        self._used = used

    def recall(self) -> SchoolMemory | None:
        """What is known of the school; None where nothing is, or where it is not to be ``used``."""
        if not self._used:
            return None
        try:
            return self._client.look(self._school)
        except FeatureStoreError as error:
            self._warn(f"read without what is known of the school: {error}")
            return None

    def learn(self, extraction: Extraction) -> None:
        """Teach the store what was read."""
        from pocai.feature_store.features import Subject
        from pocai.inference.lessons import document_key, lesson_of

        key = document_key(self._school, extraction.document.sha256)
        try:
            self._client.learn(lesson_of(extraction, Subject(key, datetime.now(UTC), self._school)))
        except FeatureStoreError as error:
            self._warn(f"not remembered: {error}")


@contextmanager
def remembering(
    settings: FeatureSettings, school: str | None, warn: Callable[[str], None]
) -> Iterator[Remembering | None]:
    """The school in the store of the settings; None without one.

    Raises ConfigurationError where there is no store, or a package is missing, FeatureStoreError for a name that cannot
    be one.
    """
    if school is None:
        yield None
        return
    from pocai.feature_store.features import checked

    checked(school)
    with missing_extra("features"):
        from pocai.inference.feature_store_client import open_client

        client = open_client(settings)
    try:
        yield Remembering(client, school, warn, used=settings.in_extraction)
    finally:
        client.close()
