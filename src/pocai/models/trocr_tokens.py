"""What a TrOCR network writes: letters of our own alphabet, or the word pieces of a published tokenizer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from pocai.errors import ConfigurationError, ModelError
from pocai.models.ctc import LETTERS

CHARSET = "charset.json"  # the file of a folder that holds our own alphabet
_SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")  # in RoBERTa's order, so that the decoder's numbers are TrOCR's
_TORN = "\N{REPLACEMENT CHARACTER}"  # what a tokenizer writes for the first bytes of a letter


class Tokens(Protocol):
    """Text as numbers and back."""

    def __len__(self) -> int: ...

    @property
    def pad(self) -> int: ...

    @property
    def end(self) -> int: ...

    def encode(self, text: str) -> list[int]:
        """Numbers of a text, the end of the line among them."""
        ...

    def pieces(self, numbers: Sequence[int]) -> list[str]:
        """The part of the text that each number adds; empty for marks such as the end."""
        ...

    def save(self, folder: Path) -> None:
        """Write what `tokens_of` reads."""
        ...


@dataclass(frozen=True, slots=True)
class Charset:
    """One number for each letter; letters outside the alphabet become one mark and are not written back."""

    letters: str = " " + LETTERS
    _numbers: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(set(self.letters)) != len(self.letters) or not self.letters:
            raise ConfigurationError("an alphabet must name each letter once", mend="Remove the doubled letters")
        numbers = {letter: number for number, letter in enumerate(self.letters, start=len(_SPECIALS))}
        object.__setattr__(self, "_numbers", numbers)

    def __len__(self) -> int:
        return len(_SPECIALS) + len(self.letters)

    @property
    def pad(self) -> int:
        return _SPECIALS.index("<pad>")

    @property
    def end(self) -> int:
        return _SPECIALS.index("</s>")

    def encode(self, text: str) -> list[int]:
        """Numbers of the letters, then that of the end."""
        unknown = _SPECIALS.index("<unk>")
        return [*(self._numbers.get(letter, unknown) for letter in text), self.end]

    def pieces(self, numbers: Sequence[int]) -> list[str]:
        """The letter of each number."""
        return ["" if number < len(_SPECIALS) else self.letters[number - len(_SPECIALS)] for number in numbers]

    def save(self, folder: Path) -> None:
        """Write the alphabet as JSON."""
        content = json.dumps({"specials": _SPECIALS, "letters": self.letters}, ensure_ascii=False, indent=1)
        (folder / CHARSET).write_text(content + "\n", encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Charset:
        """The alphabet in a file; raises ModelError where it is none."""
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            if tuple(content["specials"]) == _SPECIALS and isinstance(content["letters"], str):
                return cls(content["letters"])
        except (OSError, ValueError, KeyError, TypeError, ConfigurationError) as error:
            raise ModelError(f"{file} is no alphabet", mend="Save the model again.") from error
        raise ModelError(f"{file} is no alphabet of this version", mend="Save the model again.")


@dataclass(frozen=True, slots=True)
class WordPieces:
    """The tokenizer of a published checkpoint (byte-pair or sentence pieces), as its folder holds it."""

    tokenizer: Any

    def __len__(self) -> int:
        return len(self.tokenizer)

    @property
    def pad(self) -> int:
        return int(self.tokenizer.pad_token_id)

    @property
    def end(self) -> int:
        return int(self.tokenizer.eos_token_id)

    def encode(self, text: str) -> list[int]:
        """Numbers of the pieces with the tokenizer's own marks at both ends, as the checkpoint was trained."""
        return list(self.tokenizer(text)["input_ids"])

    def pieces(self, numbers: Sequence[int]) -> list[str]:
        """What each number adds to the text; a letter of several bytes counts where its last byte is written."""
        texts = [self._text(numbers[:count]) for count in range(len(numbers) + 1)]
        return [after[len(before) :] for before, after in pairwise(texts)]

    def save(self, folder: Path) -> None:
        """Write the tokenizer's files."""
        self.tokenizer.save_pretrained(folder)

    def _text(self, numbers: Iterable[int]) -> str:
        text: str = self.tokenizer.decode(list(numbers), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text.rstrip(_TORN)


def tokens_of(folder: Path) -> Tokens:
    """The tokens of a model's folder: our alphabet where there is one, else its tokenizer. Raises ModelError."""
    if (folder / CHARSET).is_file():
        return Charset.load(folder / CHARSET)
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json", "sentencepiece.bpe.model")):
        what = f"{folder} holds neither {CHARSET} nor a tokenizer"
        raise ModelError(what, mend="Copy the tokenizer's files beside the weights.")
    from transformers import AutoTokenizer

    try:
        return WordPieces(AutoTokenizer.from_pretrained(folder, local_files_only=True))
    except Exception as error:  # transformers raises errors of many kinds
        raise ModelError(f"the tokenizer in {folder} cannot be loaded", mend="Copy its files again.") from error
