"""Signatures of packages: what is not signed by a trusted key, or is evil although it is, is refused unparsed."""

from __future__ import annotations

import base64
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from made_packages import CARD, EVIL_WEIGHTS, WEIGHTS, Change, forged, model, package, signed_anyhow

from pocai.errors import ConfigurationError, ModelError, UntrustedModel
from pocai.models.artefact import Artefact
from pocai.models.package import MANIFEST, SIGNATURE, checked, pack
from pocai.models.signing import key_id, make_key, public_key, sign, signed_by, verified

LAYOUT = Artefact("pocai", "assets/models/layout.onnx", "", "")
Keys = tuple[Path, Path]


@pytest.fixture(scope="module", name="keys")
def a_key_pair(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return make_key(tmp_path_factory.mktemp("keys"))


@pytest.fixture(name="signed")
def a_signed_package(tmp_path: Path, keys: Keys) -> Path:
    folder = package(tmp_path)
    sign(folder, keys[0])
    return folder


# --- what is trusted ----------------------------------------------------------------------------------------------


def test_a_signed_package_is_verified(signed: Path, keys: Keys) -> None:
    assert verified(signed, [keys[1]]) == checked(signed)


def test_it_is_verified_wherever_it_lies(signed: Path, keys: Keys, tmp_path: Path) -> None:
    manifest = checked(signed)
    signed.rename(tmp_path / manifest.digest)
    assert verified(tmp_path / manifest.digest, [keys[1]]) == manifest


def test_the_shipped_layout_can_be_handed_on(tmp_path: Path, keys: Keys) -> None:
    manifest = pack(LAYOUT.file, tmp_path / "package", "layout")
    sign(tmp_path / "package", keys[0])
    assert verified(tmp_path / "package", [keys[1]]) == manifest
    assert manifest.weights == "layout.onnx"


def test_keys_are_rotated_by_trusting_both(signed: Path, keys: Keys, tmp_path: Path) -> None:
    new = make_key(tmp_path / "new")
    again = pack(signed, tmp_path / "again", "layout")
    sign(tmp_path / "again", new[0])
    for folder in (signed, tmp_path / "again"):
        assert verified(folder, [new[1], keys[1]]).digest == again.digest
    with pytest.raises(UntrustedModel, match="which is not trusted"):
        verified(signed, [new[1]])


def test_a_package_can_be_signed_again(signed: Path, tmp_path: Path) -> None:
    new = make_key(tmp_path / "new")
    sign(signed, new[0])
    assert verified(signed, [new[1]])
    assert signed_by(signed) == key_id(new[1])


def test_what_is_not_in_order_is_not_signed(tmp_path: Path, keys: Keys) -> None:
    folder = forged(tmp_path / "package", {WEIGHTS: EVIL_WEIGHTS["data outside"]})
    with pytest.raises(UntrustedModel):
        sign(folder, keys[0])
    assert not (folder / SIGNATURE).exists()


# --- what is not --------------------------------------------------------------------------------------------------


def altered(name: str) -> Change:
    def change(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)

    return change


def payload(folder: Path, **changes: object) -> None:
    """Write over what the signature says, as one without the key would."""
    bundle = json.loads((folder / SIGNATURE).read_text())
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    statement["predicate"].update(changes)
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    (folder / SIGNATURE).write_text(json.dumps(bundle))


def linked(folder: Path) -> None:
    (folder / SIGNATURE).rename(folder.parent / "elsewhere")
    (folder / SIGNATURE).symlink_to("../elsewhere")


def without_hint(folder: Path) -> None:
    bundle = json.loads((folder / SIGNATURE).read_text())
    bundle["verificationMaterial"]["publicKey"] = {}
    (folder / SIGNATURE).write_text(json.dumps(bundle))


def with_new_weights(folder: Path) -> None:
    """Other weights, with a card and a manifest that fit them: only the signature does not."""
    made = forged(folder.parent / "forged", {WEIGHTS: model() + b"\x12\x01x"})
    for name in (WEIGHTS, CARD, MANIFEST):
        shutil.copy(made / name, folder / name)


CHANGES: dict[str, tuple[Change, str]] = {
    "no signature": (lambda folder: (folder / SIGNATURE).unlink(), "is not signed"),
    "other weights": (altered(WEIGHTS), "was altered"),
    "other weights that fit": (with_new_weights, "was altered"),
    "another card": (altered(CARD), "was altered"),
    "another manifest": (altered(MANIFEST), "was altered"),
    "a file more": (lambda folder: (folder / "more.json").write_text("{}"), "was altered"),
    "a file of git": (lambda folder: (folder / ".gitignore").write_text("x"), "has no place"),
    "another statement": (lambda folder: payload(folder, resources=[]), "was altered"),
    "nothing that is signed": (lambda folder: (folder / SIGNATURE).write_text("{}"), "is no signature of all files"),
    "no JSON": (lambda folder: (folder / SIGNATURE).write_bytes(b"\x80\x04"), "is no signature of all files"),
    "deep JSON": (lambda folder: (folder / SIGNATURE).write_text("[" * 100_000), "is no signature of all files"),
    "a huge signature": (lambda folder: os.truncate(folder / SIGNATURE, 2**30), "at most 1048576 are read"),
    "a signature by a link": (linked, "no plain file"),
    "no key named": (without_hint, "is no signature of all files"),
    "blake2": (
        lambda folder: payload(folder, serialization={"method": "files", "hash_type": "blake2"}),
        "is no signature of all files",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_package_is_refused(change: str, signed: Path, keys: Keys) -> None:
    CHANGES[change][0](signed)
    with pytest.raises(UntrustedModel, match=CHANGES[change][1]):
        verified(signed, [keys[1]])


def test_the_signature_of_another_package_is_refused(signed: Path, keys: Keys, tmp_path: Path) -> None:
    other = package(tmp_path / "other", layout__safetensors=b"\x02\0\0\0\0\0\0\0{}")
    sign(other, keys[0])
    shutil.copy(other / SIGNATURE, signed / SIGNATURE)
    with pytest.raises(UntrustedModel, match="was altered"):
        verified(signed, [keys[1]])


def test_another_key_is_refused(signed: Path, tmp_path: Path) -> None:
    with pytest.raises(UntrustedModel, match=r"signed with key '[0-9a-f]{12}'…, which is not trusted"):
        verified(signed, [make_key(tmp_path / "other")[1]])


def test_a_key_that_another_claims_to_be_is_refused(signed: Path, keys: Keys, tmp_path: Path) -> None:
    mine = make_key(tmp_path / "mine")
    signed_anyhow(signed, mine[0])
    bundle = json.loads((signed / SIGNATURE).read_text())
    bundle["verificationMaterial"]["publicKey"]["hint"] = key_id(keys[1])
    (signed / SIGNATURE).write_text(json.dumps(bundle))
    with pytest.raises(UntrustedModel, match="was altered"):
        verified(signed, [keys[1]])


@pytest.mark.parametrize("left_out", [WEIGHTS, MANIFEST, "."])
def test_a_signature_that_leaves_files_out_is_refused(left_out: str, tmp_path: Path, keys: Keys) -> None:
    folder = signed_anyhow(package(tmp_path), keys[0], ignored=[SIGNATURE, left_out])
    with pytest.raises(UntrustedModel, match="is no signature of all files"):
        verified(folder, [keys[1]])


def test_without_a_trusted_key_nothing_is_verified(signed: Path) -> None:
    with pytest.raises(ConfigurationError, match="no key is trusted"):
        verified(signed, [])


# --- evil, and signed by a key that is trusted --------------------------------------------------------------------

REFUSE = """
import sys
opened = []
def watch(event, arguments):
    if event == "pickle.find_class" or event == "exec" and "unpickled" in str(arguments):
        raise SystemExit("something was unpickled")
    if event == "open" and str(arguments[0]).startswith(("/etc/passwd", "../")):
        opened.append(arguments[0])
sys.addaudithook(watch)
from pathlib import Path
from pocai.errors import UntrustedModel
from pocai.models.signing import verified
before = set(sys.modules)
key, *folders = map(Path, sys.argv[1:])
for folder in folders:
    try:
        verified(folder, [key])
    except UntrustedModel as error:
        assert "onnx is refused" in str(error), (folder, error)
    else:
        raise SystemExit(f"{folder} was taken")
parsers = {"onnxruntime", "onnx", "safetensors", "torch", "numpy"} & set(sys.modules)
print(len(folders), sorted(parsers), opened)
"""


def test_evil_weights_are_refused_before_any_parser_is_there(tmp_path: Path, keys: Keys) -> None:
    folders = [
        signed_anyhow(forged(tmp_path / str(number), {WEIGHTS: content}), keys[0])
        for number, content in enumerate(EVIL_WEIGHTS.values())
    ]
    command = [sys.executable, "-c", REFUSE, str(keys[1]), *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, f"{len(EVIL_WEIGHTS)} [] []\n"), done.stderr


# --- keys ---------------------------------------------------------------------------------------------------------


def test_only_we_may_read_a_private_key(tmp_path: Path) -> None:
    private, public = make_key(tmp_path / "keys")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert public_key(private) == public.read_bytes()
    assert b"PRIVATE" not in public.read_bytes()


def test_a_key_is_not_written_over(tmp_path: Path) -> None:
    before = make_key(tmp_path)[0].read_bytes()
    with pytest.raises(ConfigurationError, match="is there already"):
        make_key(tmp_path)
    assert (tmp_path / "private.pem").read_bytes() == before


def _pem(key: ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no key",
        _pem(ec.generate_private_key(ec.SECP384R1())),
        _pem(ec.generate_private_key(ec.SECP256R1()), b"x"),
    ],
)
def test_a_file_that_holds_no_key_is_told_so(content: bytes, signed: Path, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"key\.pem holds no private key"):
        sign(signed, tmp_path / "key.pem")
    with pytest.raises(ConfigurationError, match=r"key\.pem holds no public key"):
        verified(signed, [tmp_path / "key.pem"])


def test_a_private_key_is_no_public_one(signed: Path, keys: Keys) -> None:
    with pytest.raises(ConfigurationError, match="holds no public key"):
        verified(signed, [keys[0]])


def test_the_library_may_be_missing(signed: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "model_signing", None)
    with pytest.raises(ModelError, match=r"pip install 'pocai\[mlops\]'"):
        verified(signed, [keys[1]])
