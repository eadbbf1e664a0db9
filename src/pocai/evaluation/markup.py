"""HTML that is escaped by construction: text becomes markup only by passing through `element`."""

from __future__ import annotations

import html
import re
from typing import TypeAlias


class Html(str):
    """Markup that is safe to put into a page; plain ``str`` is text and is escaped when it gets there."""

    __slots__ = ()


Child: TypeAlias = str | int | None
_VOID = frozenset(("meta", "input", "col"))
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def element(name: str, /, *children: Child, **attributes: Child) -> Html:
    """``<name attribute="…">children</name>``; text in children and attributes is escaped, None is left out.

    A trailing underscore is dropped and others become dashes: ``class_``, ``aria_label``.
    """
    named = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{named}>" if name in _VOID else f"<{name}{named}>{together(*children)}</{name}>")


def together(*children: Child) -> Html:
    """The children one after the other, text escaped."""
    return Html("".join(_escaped(child) for child in children if child is not None))


def _escaped(value: Child) -> str:
    if isinstance(value, Html):
        return value
    whole = str(value).encode("utf-8", "replace").decode()  # a lone surrogate cannot be written to a file
    return html.escape(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", whole))
