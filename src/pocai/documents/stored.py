"""A read document as JSON, without the pictures of its pages: what was read once need not be read again."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from pocai.documents.page import Document, Fill, Format, Line, Page, Picture, Rule, Table
from pocai.errors import InputError

_PARTS: dict[str, TypeAdapter[Any]] = {
    "lines": TypeAdapter(tuple[Line, ...]),
    "rules": TypeAdapter(tuple[Rule, ...]),
    "fills": TypeAdapter(tuple[Fill, ...]),
    "pictures": TypeAdapter(tuple[Picture, ...]),
    "tables": TypeAdapter(tuple[Table, ...]),
}
_PLAIN = tuple(field.name for field in fields(Page) if field.name not in {*_PARTS, "image"})


def to_json(document: Document) -> bytes:
    """The document as UTF-8 JSON; no pictures."""
    pages = [
        {name: getattr(page, name) for name in _PLAIN}
        | {name: adapter.dump_python(getattr(page, name), mode="json") for name, adapter in _PARTS.items()}
        for page in document.pages
    ]
    facts = {field.name: getattr(document, field.name) for field in fields(document) if field.name != "pages"}
    return json.dumps(facts | {"pages": pages}, ensure_ascii=False).encode()


def from_json(data: bytes) -> Document:
    """What `to_json` wrote. Raises InputError for anything else."""
    try:
        held = json.loads(data)
        pages = tuple(_page(page) for page in held.pop("pages"))
        document = Document(pages, cast("Format", held.pop("format")), held.pop("sha256"), **held)
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
        raise InputError("this is no stored document", mend="Read the document again") from error
    return replace(document, warnings=tuple(document.warnings))


def _page(held: dict[str, Any]) -> Page:
    parts = {name: adapter.validate_python(held.pop(name)) for name, adapter in _PARTS.items()}
    return Page(**held | parts | {"to_source": tuple(held["to_source"])})
