"""Feast's own feature server, for Feast's clients in other languages: what it answers to reading, and nothing else.

Its other endpoints would write past our encryption, and materialise from files that do not exist here: the history is
encrypted. Texts come as they are kept, encrypted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feast import FeatureStore

OFFERED = frozenset({"/get-online-features", "/health"})
REGISTRY = 60  # seconds after which it looks into the registry again


def reading_app(store: FeatureStore) -> Any:
    """The ASGI application over a Feast store that was applied; it asks for no credentials."""
    from feast.feature_server import get_app

    app = get_app(store, REGISTRY)
    app.router.routes[:] = [route for route in app.router.routes if getattr(route, "path", "") in OFFERED]
    return app
