"""The settings of a command: those of the environment, and on top what its options say."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocai.errors import ConfigurationError

if TYPE_CHECKING:
    from pocai.settings import Settings

SECRET = ("secret", "url", "key", "password", "token")  # in a name whose value is not shown


def settings_with(**options: Any) -> Settings:
    """The settings with every option that is not None; raises `ConfigurationError` for a value that cannot be used."""
    from pydantic import ValidationError

    from pocai.settings import Settings

    try:
        return Settings(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = "POCAI_" + "__".join(str(part) for part in first["loc"]).upper()
        shown = "…" if any(word in name.lower() for word in SECRET) else repr(first["input"])
        raise ConfigurationError(f"{name}={shown}: {first['msg']}", mend="Set or unset it") from None


def server_settings(
    *,
    host: str | None = None,
    port: int | None = None,
    roots: Sequence[Path] | None = None,
    state_dir: Path | None = None,
) -> Settings:
    """The settings of the service: those of the environment, what the options say, and the host's STORAGE_PATH.

    Raises `ConfigurationError` for a value that cannot be used.
    """
    base = settings_with()
    application = base.server.host_application
    if roots:
        application = application.model_copy(update={"roots": tuple(roots)})
    elif not application.roots and os.environ.get("STORAGE_PATH"):
        application = application.model_copy(update={"roots": (Path(os.environ["STORAGE_PATH"]),)})
    options = {"host": host, "port": port, "state_dir": state_dir}
    update = {name: value for name, value in options.items() if value is not None}
    return base.model_copy(
        update={"server": base.server.model_copy(update={**update, "host_application": application})}
    )


@contextmanager
def missing_extra(extra: str) -> Iterator[None]:
    """Turn a package that is not installed into an error that names the extra which brings it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the package {error.name} is not installed", mend=f"pip install 'pocai[{extra}]'"
        ) from error
