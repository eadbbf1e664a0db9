"""The tokens of a language model as the bytes that they write, and those of them that a grammar allows next."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Any, Self

from pocai.errors import ModelError
from pocai.models.language_grammar import State, is_complete, onward

_SPACE = "▁"  # what SentencePiece writes for a space
_BYTE = 0x100
_IN_UTF8 = frozenset(range(ord(" "), 0xF5)) - {
    0x7F,
    0xC0,
    0xC1,
}  # the bytes that texts without control signs consist of
_MEND = "Take a model whose tokenizer is of the byte level (Llama 3) or has bytes to fall back to (Mistral)"


class Vocabulary:
    """Tokens by the bytes that they write; ``end`` is the number of the token that ends an answer.

    Marks such as those that begin a text or a turn of a conversation write nothing and are never allowed.
    Raises ModelError where a byte cannot be written by itself: a grammar could then lead to where no token goes on.
    """

    def __init__(self, tokens: Mapping[int, bytes], end: int) -> None:
        self.end = end
        self._bytes = dict(tokens)
        pairs = sorted((text, number) for number, text in tokens.items() if text)
        self._texts = [text for text, _ in pairs]
        self._numbers = [number for _, number in pairs]
        missing = _IN_UTF8 - {text[0] for text in self._texts if len(text) == 1}
        if missing:
            what = f"the tokenizer cannot write {len(missing)} of the bytes by themselves"
            raise ModelError(what, mend=_MEND)

    @classmethod
    def of(cls, tokenizer: Any) -> Self:
        """The vocabulary of a fast tokenizer of `transformers`. Raises ModelError for one of another kind."""
        try:
            decoder = json.dumps(json.loads(tokenizer.backend_tokenizer.to_str())["decoder"])
        except (AttributeError, KeyError, ValueError) as error:
            raise ModelError("the tokenizer is of no known kind", mend=_MEND) from error
        marks = set(tokenizer.added_tokens_decoder)
        plain = {number: text for text, number in tokenizer.get_vocab().items() if number not in marks}
        if "ByteLevel" in decoder:
            known = {number: text for number, text in plain.items() if _LEVEL.keys() >= set(text)}
            tokens = {number: bytes(_LEVEL[sign] for sign in text) for number, text in known.items()}
        elif "ByteFallback" in decoder:
            tokens = {number: _sentence_piece(text) for number, text in plain.items()}
        else:
            raise ModelError("the tokenizer is of no known kind", mend=_MEND)
        return cls(tokens, int(tokenizer.eos_token_id))

    def written(self, number: int) -> bytes:
        """The bytes of a token, none for a mark."""
        return self._bytes.get(number, b"")

    def allowed(self, state: State, *, closing: bool) -> list[int]:
        """The tokens that a grammar allows next; the end is one where the answer may end."""
        numbers = list(self._below(state, b"", (0, len(self._texts)), closing=closing))
        return [*numbers, self.end] if is_complete(state) else numbers

    def _below(self, state: State, prefix: bytes, span: tuple[int, int], *, closing: bool) -> Iterator[int]:
        """The allowed tokens among those of a span of the sorted ones, which all begin with ``prefix``."""
        for byte, after in onward(state, closing=closing):
            text = prefix + bytes((byte,))
            low = bisect_left(self._texts, text, *span)
            high = bisect_left(self._texts, prefix + bytes((byte + 1,)), low, span[1])
            while low < high and self._texts[low] == text:
                yield self._numbers[low]
                low += 1
            if low < high:
                yield from self._below(after, text, (low, high), closing=closing)


def _level() -> dict[str, int]:
    """The printable letters that byte-level tokenizers write for bytes (Radford et al. 2019, GPT-2)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(_BYTE) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(_BYTE + at): byte for at, byte in enumerate(others)}


_LEVEL: Mapping[str, int] = _level()


def _sentence_piece(text: str) -> bytes:
    """The bytes of a piece: itself with spaces, or the one byte that "<0x0A>" stands for."""
    if len(text) == len("<0x0A>") and text.startswith("<0x") and text.endswith(">"):
        return bytes((int(text[3:5], 16),))
    return text.replace(_SPACE, " ").encode()
