"""The table of features: each once, with a unit and a meaning, and the same in the docs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pocai.feature_store.feature_table import DOCUMENT, EMBEDDING, SCHOOL, VIEWS
from pocai.feature_store.history import schema_of
from pocai.feature_store.online_values import FIELDS

ROOT = Path(__file__).parents[2]
BOOKKEEPING = {"row_key", "event_timestamp", "created_timestamp"}


def test_features_have_names_of_their_own_within_a_view_and_say_what_they_are() -> None:
    for name, view in VIEWS.items():
        assert name == view.name
        assert view.entity in (SCHOOL, DOCUMENT)
        assert len(set(view.names)) == len(view.names)
        assert not set(view.names) & (BOOKKEEPING | {view.entity})
        for feature in view.features:
            assert feature.name.isidentifier()
            assert feature.meaning
            assert feature.meaning[-1] != "."
            assert feature.unit or feature.kind in ("string", "text")


def test_the_view_of_a_document_has_the_school_by_which_it_is_forgotten() -> None:
    assert SCHOOL in VIEWS[DOCUMENT].names
    assert list(VIEWS)[-1] == DOCUMENT, "forgetting relies on it: the view that names a document's school is the last"


def test_the_history_has_a_column_for_each_feature() -> None:
    for view in VIEWS.values():
        columns = set(schema_of(view).names)
        assert columns == {*view.names, view.entity} | BOOKKEEPING


def test_every_kind_of_feature_has_a_field_of_feasts() -> None:
    assert {feature.kind for view in VIEWS.values() for feature in view.features} == set(FIELDS)


def test_the_vector_has_the_length_that_the_table_says() -> None:
    (feature,) = (each for each in VIEWS[DOCUMENT].features if each.name == "embedding")
    assert feature.unit == f"{EMBEDDING} figures"


def test_the_table_of_the_docs_is_that_of_the_code() -> None:
    printed = subprocess.run(
        [sys.executable, ROOT / "tools/feature_docs.py"], capture_output=True, check=True, text=True
    ).stdout
    assert printed.count("\n| `") == sum(len(view.features) for view in VIEWS.values())
    assert printed in (ROOT / "docs/FEATURE_STORE.md").read_text(encoding="utf-8"), "run `make docs`"
