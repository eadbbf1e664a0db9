"""Which keys sign models here, and whose models are trusted."""

from __future__ import annotations

from pathlib import Path

from pocai.errors import ConfigurationError
from pocai.mlops.connection import own_folder
from pocai.mlops.file_lock import locked
from pocai.models.signing import PRIVATE, PUBLIC, make_key
from pocai.settings import MlopsSettings

KEYS = "keys"


def trusted_keys(settings: MlopsSettings) -> tuple[Path, ...]:
    """The public keys whose models are loaded; without any in the settings that of our own key, if there is one."""
    if settings.trusted_keys:
        return tuple(key.expanduser() for key in settings.trusted_keys)
    own = own_folder(settings) / KEYS / PUBLIC
    return (own,) if own.exists() else ()


def signing_key(settings: MlopsSettings) -> Path:
    """The private key that signs; it is made where none is named and there is none.

    Raises ConfigurationError where one is named and no public key is trusted: nothing that it signs could be loaded.
    """
    if settings.signing_key is not None:
        if not trusted_keys(settings):
            what = "models are signed with a key of which no public key is trusted"
            raise ConfigurationError(what, mend="Set POCAI_MLOPS__TRUSTED_KEYS.")
        return settings.signing_key.expanduser()
    own = own_folder(settings) / KEYS
    with locked(own_folder(settings) / f"{KEYS}.lock"):
        return own / PRIVATE if (own / PRIVATE).exists() else make_key(own)[0]
