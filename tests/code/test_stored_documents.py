"""A document comes back from its stored form as it was, but for the pictures of its pages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pocai.documents.ingest import load
from pocai.documents.page import Document
from pocai.documents.stored import from_json, to_json
from pocai.errors import InputError
from pocai.settings import Settings
from pocai.synthetic.made_document import DocumentSet, Format, made_document

LIMITS = Settings.model_construct().limits


def read(kind: Format) -> Document:
    made = made_document(DocumentSet(11, 1, (kind,), "clean"), 0)
    return load(made.printed.data, name=f"made.{made.ending}", limits=LIMITS)


def shown(document: Document) -> str:
    return repr(replace(document, pages=tuple(replace(page, image=None) for page in document.pages)))


@pytest.mark.parametrize("kind", ["docx", "xlsx", "pdf"])
def test_a_document_comes_back_as_it_was(kind: Format) -> None:
    document = read(kind)
    assert any(page.has_text for page in document.pages)
    warned = replace(document, warnings=("left out", "scaled"))
    assert shown(from_json(to_json(warned))) == shown(warned)


def test_pictures_are_left_out() -> None:
    document = read("png")
    (page,) = document.pages
    assert page.image is not None
    assert page.image.dtype == np.uint8
    (back,) = from_json(to_json(document)).pages
    assert back.image is None
    assert (back.width, back.height, back.to_source) == (page.width, page.height, page.to_source)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"pages": [{}]}', b'{"pages": [], "format": "pdf"}', b"\xff"])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="no stored document"):
        from_json(data)
