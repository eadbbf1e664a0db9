"""Signatures of packages, with keys of our own, by https://github.com/ossf/model-signing-spec.

``model.sig`` is a Sigstore bundle: an in-toto statement with the SHA-256 of each file, signed with ECDSA on P-256. Keys
are files; nothing is asked of Sigstore's servers. Keys are rotated by trusting several for a while.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pocai.errors import ConfigurationError, ModelError, UntrustedModel
from pocai.models.package import MOST_SIGNATURE, SIGNATURE, Manifest, checked, listed, read_file
from pocai.models.package_forms import json_object

PRIVATE, PUBLIC = "private.pem", "public.pem"
_STATEMENT = "https://model_signing/signature/v1.0"
_MEND = "Do not use this model, or trust the key that it was signed with."


def make_key(folder: Path) -> tuple[Path, Path]:
    """Make a key pair on P-256: ``private.pem``, which only we may read, and ``public.pem``.

    Raises ConfigurationError where there is one already: what was signed with it would be lost.
    """
    with _installed():
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

    private, public = folder / PRIVATE, folder / PUBLIC
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    try:
        handle = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigurationError(f"{private} is there already", mend="Name another folder.") from None
    with os.fdopen(handle, "wb") as stream:
        stream.write(key.private_bytes(serialization.Encoding.PEM, *form))
    public.write_bytes(_pem(key.public_key()))
    return private, public


def public_key(private_key: Path) -> bytes:
    """The public key (PEM) of a private one. Raises ConfigurationError where the file holds none on P-256."""
    return _pem(_read_key(private_key, private=True).public_key())


def key_id(key: Path) -> str:
    """The name of a public key: the SHA-256 of its PEM, as signatures give it. Raises ConfigurationError."""
    return hashlib.sha256(_pem(_read_key(key, private=False))).hexdigest()


def sign(folder: Path, private_key: Path) -> None:
    """Check a package and write its signature. Raises UntrustedModel, and ConfigurationError for an unusable key."""
    with _installed():
        from model_signing import signing

    _read_key(private_key, private=True)
    checked(folder)
    config = signing.Config().use_elliptic_key_signer(private_key=private_key).set_hashing_config(_hashing())
    config.sign(folder, folder / SIGNATURE)


def verified(folder: Path, trusted: Sequence[Path]) -> Manifest:
    """What a package holds, after its signature, by one of the trusted public keys, and all of `checked` were checked.

    Raises UntrustedModel before any file of weights is parsed; ConfigurationError where a trusted key cannot be read.
    """
    if not trusted:
        raise ConfigurationError("no key is trusted, so no model is", mend="Set POCAI_MLOPS__TRUSTED_KEYS.")
    if SIGNATURE not in listed(folder):
        raise UntrustedModel(f"package {folder.name} is not signed", mend=_MEND)
    signature = read_file(folder / SIGNATURE, MOST_SIGNATURE)
    signer = _checked_statement(signature)
    key = next((key for key in trusted if key_id(key) == signer), None)
    if key is None:
        what = f"package {folder.name} is signed with key {signer[:12]!a}…, which is not trusted"
        raise UntrustedModel(what, mend=_MEND)
    _verify(folder, signature, key)
    return checked(folder)


def signed_by(folder: Path) -> str:
    """The name of the key that a package says to be signed with (see `key_id`); whether it is, says `verified`."""
    return _checked_statement(read_file(folder / SIGNATURE, MOST_SIGNATURE))


def _verify(folder: Path, signature: bytes, key: Path) -> None:
    """Raises UntrustedModel where the signature is not by the key, or not of just these files.

    The library gets the very bytes that `_checked_statement` saw.
    """
    with _installed():
        from model_signing import verifying

    config = verifying.Config().use_elliptic_key_verifier(public_key=key).set_hashing_config(_hashing())
    with tempfile.TemporaryDirectory(prefix="pocai-") as own:
        file = Path(own) / SIGNATURE
        file.write_bytes(signature)
        try:
            config.verify(folder, file)
        except OSError as error:
            raise ModelError(f"{folder} cannot be read", mend="Name the folder of a package.") from error
        except Exception as error:  # the library raises what its parts raise, of many kinds
            what = f"package {folder.name} was altered, or its signature is none ({type(error).__name__})"
            raise UntrustedModel(what, mend=_MEND) from error


def _checked_statement(signature: bytes) -> str:
    """The name of the key that a signature says to be of, after it was seen that it speaks of all files.

    A statement can name paths that it leaves out, and the library goes by it: none but the signature itself may be.
    """
    try:
        bundle = json_object(signature, MOST_SIGNATURE)
        statement = json_object(base64.b64decode(bundle["dsseEnvelope"]["payload"], validate=True), MOST_SIGNATURE)
        form = statement["predicate"]["serialization"]
        right = (
            statement["predicateType"] == _STATEMENT
            and (form["method"], form["hash_type"], form["allow_symlinks"]) == ("files", "sha256", False)
            and set(form.get("ignore_paths", ())) <= {SIGNATURE}
        )
        signer = bundle["verificationMaterial"]["publicKey"]["hint"]
    except (LookupError, TypeError, ValueError, UntrustedModel):
        right, signer = False, None
    if not right or not isinstance(signer, str):
        raise UntrustedModel(f"{SIGNATURE} is no signature of all files of a package", mend=_MEND)
    return signer


def _hashing() -> Any:
    """How the library hashes a package: every file in it but the signature; it would leave out files of git."""
    from model_signing import hashing

    config = hashing.Config().use_file_serialization(hashing_algorithm="sha256", max_workers=1)
    return config.set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)


def _read_key(file: Path, *, private: bool) -> Any:
    """A key on P-256. Raises ConfigurationError for anything else."""
    with _installed():
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

    kind = ec.EllipticCurvePrivateKey if private else ec.EllipticCurvePublicKey
    name = "private" if private else "public"
    try:
        content = file.expanduser().read_bytes()
        key = (
            serialization.load_pem_private_key(content, None) if private else serialization.load_pem_public_key(content)
        )
    except (OSError, ValueError, TypeError) as error:  # TypeError: it is encrypted
        raise ConfigurationError(f"{file} holds no {name} key (PEM)", mend="Make one: pocai models key") from error
    if not isinstance(key, kind) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigurationError(f"{file} holds no {name} key on P-256", mend="Make one: pocai models key")
    return key


def _pem(key: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization

    encoded = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return bytes(encoded)


@contextlib.contextmanager
def _installed() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        what = f"signatures of models need {error.name or 'a package'}, which is not installed"
        raise ModelError(what, mend="pip install 'pocai[mlops]'") from error
