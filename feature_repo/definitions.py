"""What `feast apply` finds: everything is declared in `pocai.feature_store.feature_definitions`."""

from __future__ import annotations

import os

from pocai.feature_store.feature_definitions import ENTITIES, feature_service, feature_views

VERSION = os.environ.get("POCAI_MODELS_VERSION", "0")
school, document = ENTITIES.values()
school_view, ocr_view, document_view = feature_views("history")
service = feature_service(VERSION, [school_view, ocr_view, document_view])
