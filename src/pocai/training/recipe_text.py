"""A recipe as the text of a TOML file: what `read_recipe` reads back to the same recipe."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from pocai.errors import ConfigurationError
from pocai.training.recipe import Recipe

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def as_toml(recipe: Recipe) -> str:
    """The recipe with all its values as TOML 1.0. Raises ConfigurationError for a value that a recipe cannot hold."""
    return "\n".join(_lines(recipe.model_dump(), ())) + "\n"


def _lines(table: Mapping[str, Any], place: tuple[str, ...]) -> Iterator[str]:
    """A table's own values, then the tables in it; nothing for None, which TOML does not have."""
    if place:
        yield f"\n[{'.'.join(map(_key, place))}]"
    yield from (
        f"{_key(name)} = {_value(value, '.'.join((*place, name)))}"
        for name, value in table.items()
        if value is not None and not isinstance(value, Mapping)
    )
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _lines(value, (*place, name))


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _value(value: object, place: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str | PurePath):
        return _text(str(value))
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(each, place) for each in value)}]"
    what = f"recipe key {place} holds a value of type {type(value).__name__}, which a recipe cannot hold"
    raise ConfigurationError(what, mend="Use texts, numbers, true, false, and lists of them")


def _text(text: str) -> str:
    """A TOML basic string; JSON's escapes are TOML's, but for DEL, which JSON leaves as it is."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
