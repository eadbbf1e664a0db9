"""Keys, and the encryption of texts before they leave this process (AES-256-GCM, NIST SP 800-38D).

One master key of 32 bytes; from it come one key for texts and one that wraps the keys of Parquet files (HKDF, RFC
5869). A master key may be handed in as it is, or as a hook that asks a key management service for it.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from uuid import uuid4

from pocai.errors import ConfigurationError, FeatureStoreError

KeySource = bytes | Callable[[], bytes]
LENGTH = 32  # bytes of a key
NONCE = 12  # bytes
FORMAT = b"\x01"
TEXTS, FILES = b"pocai feature texts", b"pocai feature history"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that came from a master key."""

    texts: bytes = field(repr=False)
    files: bytes = field(repr=False)

    @classmethod
    def of(cls, source: KeySource) -> Self:
        """The keys from a master key, or a hook that gives it; raises ConfigurationError where that is none."""
        master = source() if callable(source) else source
        if not isinstance(master, bytes) or len(master) != LENGTH:
            raise ConfigurationError(
                f"the key of the feature store is not {LENGTH} bytes", mend="Make one with: openssl rand -base64 32"
            )
        return cls(_derived(master, TEXTS), _derived(master, FILES))


def given_key(text: str) -> bytes:
    """The master key that is written in Base64 (RFC 4648); raises ConfigurationError, which does not tell it."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise ConfigurationError(
            "the key of the feature store is not Base64", mend="Make one with: openssl rand -base64 32"
        ) from None


def local_key(file: Path) -> bytes:
    """The master key in a file that only its owner may read; the file is made where it is missing.

    Raises ConfigurationError for a file that cannot be read or written.
    """
    made = file.with_name(f".{file.name}.{uuid4().hex}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
                opened.write(os.urandom(LENGTH))
            with suppress(FileExistsError):  # another process was faster: its key holds
                os.link(made, file)
            made.unlink()
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"the key file of the feature store cannot be used ({type(error).__name__})",
            mend="Let this user own it, and its folder",
        ) from error


def encrypted(key: bytes, text: bytes, place: bytes) -> bytes:
    """A text that only this key opens, and only at its ``place`` (the view, the feature and the id it belongs to)."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(NONCE)
    return FORMAT + nonce + AESGCM(key).encrypt(nonce, text, place)


def decrypted(key: bytes, sealed: bytes, place: bytes) -> bytes:
    """The text; raises FeatureStoreError for a wrong key, another place, or a single changed bit."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        if sealed[:1] == FORMAT:
            return AESGCM(key).decrypt(sealed[1 : 1 + NONCE], sealed[1 + NONCE :], place)
    except (InvalidTag, ValueError):
        pass
    raise FeatureStoreError(
        "what the feature store holds does not open", mend="Is the key the one it was written with?"
    )


def _derived(master: bytes, purpose: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=LENGTH, salt=None, info=purpose).derive(master)
