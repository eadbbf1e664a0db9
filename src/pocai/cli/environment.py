"""The settings of a command: those of the environment, and on top what its options say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pocai.errors import ConfigurationError

if TYPE_CHECKING:
    from pocai.settings import Settings


def settings_with(**options: Any) -> Settings:
    """The settings with every option that is not None; raises `ConfigurationError` for a value that cannot be used."""
    from pydantic import ValidationError

    from pocai.settings import Settings

    try:
        return Settings(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = "POCAI_" + "__".join(str(part) for part in first["loc"]).upper()
        raise ConfigurationError(f"{name}={first['input']!r}: {first['msg']}", mend="Set or unset it") from error
