"""What documents say is encrypted before it leaves the process: only the key opens it, and only in its own place."""

from __future__ import annotations

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from feature_servers import KEY, a_document, a_memory
from hypothesis import given
from hypothesis import strategies as st

from pocai.errors import ConfigurationError, FeatureStoreError
from pocai.feature_store.encryption import LENGTH, Keys, decrypted, encrypted, given_key, local_key
from pocai.feature_store.features import Subject, document_rows, school_row
from pocai.feature_store.sealing import opened, sealed

NOW = datetime.now(UTC)


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_what_was_encrypted_opens_in_its_place(text: bytes, place: bytes) -> None:
    held = encrypted(KEY, text, place)
    assert decrypted(KEY, held, place) == text
    assert len(text) < 6 or text not in held
    assert encrypted(KEY, text, place) != held, "the nonce is a new one"


@given(st.binary(max_size=60), st.data())
def test_nothing_else_opens(text: bytes, data: st.DataObject) -> None:
    held = encrypted(KEY, text, b"here")
    bit = data.draw(st.integers(0, 8 * len(held) - 1))
    altered = bytearray(held)
    altered[bit // 8] ^= 1 << bit % 8
    short = held[: data.draw(st.integers(0, len(held) - 1))]
    for key, wrong, place in [
        (bytes(LENGTH), held, b"here"),
        (KEY, held, b"there"),
        (KEY, bytes(altered), b"here"),
        (KEY, short, b"here"),
    ]:
        with pytest.raises(FeatureStoreError, match="does not open"):
            decrypted(key, wrong, place)


def test_keys_for_texts_and_for_files_differ_and_are_not_shown() -> None:
    keys = Keys.of(KEY)
    assert len({keys.texts, keys.files, KEY}) == 3
    assert Keys.of(lambda: KEY) == keys, "from a hook, which asks a key service"
    assert Keys.of(bytes(LENGTH)) != keys
    assert repr(keys) == "Keys()"


@pytest.mark.parametrize("key", [b"", b"secret" * 5, lambda: b"secret", lambda: None])
def test_what_is_no_key_is_refused_and_not_told(key: object) -> None:
    with pytest.raises(ConfigurationError, match="32 bytes") as caught:
        Keys.of(key)  # type: ignore[arg-type]
    assert "secret" not in str(caught.value)


def test_a_key_of_the_settings_is_base64() -> None:
    assert given_key(base64.b64encode(KEY).decode()) == KEY
    for wrong in ("s3cret!", "s3cret", "é"):
        with pytest.raises(ConfigurationError, match="Base64") as caught:
            given_key(wrong)
        assert wrong not in str(caught.value)
        assert caught.value.__suppress_context__


def test_a_local_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "key"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: local_key(file), range(16)))
    assert keys == {file.read_bytes()}
    assert len(file.read_bytes()) == LENGTH
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]
    assert local_key(tmp_path / "other") not in keys


def test_a_local_key_that_cannot_be_had_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for file in (tmp_path, tmp_path / "file" / "key"):
        with pytest.raises(ConfigurationError, match="key file"):
            local_key(file)


def test_rows_are_opened_as_they_were_sealed_and_hold_no_words_meanwhile() -> None:
    rows = [school_row("A", a_memory(3, NOW)), *document_rows(Subject("d", NOW, "A"), a_document(3))]
    for row in rows:
        kept = sealed(row, KEY)
        assert opened(kept, KEY) == row
        assert not any(word in repr(kept.values).encode() for word in (b"Maths", b"English", b"Rm 3"))
    nothing = replace(rows[1], values=dict.fromkeys(rows[1].values))
    assert opened(sealed(nothing, KEY), KEY) == nothing


def test_a_text_that_was_put_elsewhere_does_not_open() -> None:
    """A text of one school under the id of another, or in another feature, is refused."""
    kept = sealed(school_row("A", a_memory(3, NOW)), KEY)
    values = kept.values
    for moved in (
        replace(kept, key={"school": "B"}),
        replace(kept, values={**values, "names": values["notes"], "notes": values["names"]}),
    ):
        with pytest.raises(FeatureStoreError, match="does not open"):
            opened(moved, KEY)


def test_rows_of_another_key_do_not_open() -> None:
    kept = sealed(school_row("A", a_memory(3, NOW)), KEY)
    with pytest.raises(FeatureStoreError, match="Is the key the one"):
        opened(kept, bytes(LENGTH))
