"""Crops of single text lines with what they say: an endless source, each line a pure function of its number.

A crop looks like what `pocai.models.lines.crop` cuts out of a page: paper around the ink, at times a rule of the table
or the feet of the line above, in the size that the page has it in.
"""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Literal, get_args

from pocai.errors import ConfigurationError
from pocai.synthetic.chance import happens
from pocai.synthetic.damage import Kind, damage_line
from pocai.synthetic.fonts import Face, Split, faces, printable
from pocai.synthetic.texts import line_text, marked_text, rare_text
from pocai.synthetic.typeset import typeset
from pocai.synthetic.vocabulary import LANGUAGES, Language

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import Generator
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

Damage = Literal["clean", "mixed", "heavy"]


@dataclass(frozen=True, slots=True)
class LineSample:
    """A crop, RGB ``(h, w, 3)`` uint8 as high as on its page, and what is printed on it.

    ``face`` is the family, ``damage`` the names of what was done to the crop, joined by commas, or "clean".
    """

    image: Image
    text: str
    face: str
    language: Language
    damage: str


@dataclass(frozen=True, slots=True)
class LineSource:
    """Lines by number: the same ``seed``, ``split``, ``families`` and number give the same line on every machine.

    "clean" is print without damage, "mixed" leaves a third of the lines clean, "heavy" damages each of them strongly.
    ``families`` narrows the faces of the split; empty for all. ``rare`` is the share of lines that say nothing, so that
    every letter comes up. Raises ConfigurationError where faces are missing.
    """

    seed: int
    split: Split
    damage: Damage = "mixed"
    families: tuple[str, ...] = ()
    rare: float = 0.08

    def line(self, index: int) -> LineSample:
        """The line of this number, from 0 on."""
        rng, face, language, bold, text = self._begun(index)
        image = typeset(rng, face, text, bold=bold)
        kinds: tuple[Kind, ...] = ()
        if self.damage != "clean":
            image, kinds = damage_line(image, self._stream(index, 1), heavy=self.damage == "heavy")
        return LineSample(image, text, face.family, language, ",".join(kinds) or "clean")

    def text(self, index: int) -> str:
        """What the line of this number says, without drawing it; the damage has no part in it."""
        return self._begun(index)[-1]

    def _begun(self, index: int) -> tuple[Generator, Face, Language, bool, str]:
        """The generator of a line's print after its first choices, and these."""
        rng = self._stream(index, 0)
        marked = happens(rng, _MARKED)
        face = _face(rng, self.split, self.families or (_WITH_MARKS if marked else ()))
        language = LANGUAGES[bisect(_LANGUAGES, rng.random())]
        bold = happens(rng, _BOLD)
        letters = printable(face.cut(bold=bold))
        text = _text(rng, language, letters, self.rare)
        if marked and (marks := [mark for mark in _MARKS if mark in letters]):
            text = marked_text(rng, text, marks)
        return rng, face, language, bold, text

    def _stream(self, index: int, purpose: int) -> Generator:
        """Choices that follow from the number of a line: 0 for its print, 1 for its damage."""
        import numpy as np

        return np.random.default_rng((self.seed, get_args(Split).index(self.split), index, purpose))


@cache
def _choice(split: Split, families: tuple[str, ...]) -> tuple[tuple[Face, ...], tuple[float, ...]]:
    """The faces of a split and their summed weights."""
    chosen = tuple(face for face in faces(split) if not families or face.family in families)
    if not chosen:
        raise ConfigurationError(
            f"none of the families {', '.join(families)} is among the {split} faces",
            mend="Name families that pocai.synthetic.fonts lists",
        )
    return chosen, tuple(accumulate(face.weight for face in chosen))


def _face(rng: Generator, split: Split, families: tuple[str, ...]) -> Face:
    chosen, weights = _choice(split, families)
    return chosen[bisect(weights, rng.random() * weights[-1])]


def _text(rng: Generator, language: Language, letters: frozenset[str], rare: float) -> str:
    """A text that the face can print to the last letter."""
    text = rare_text(rng, letters, language) if happens(rng, rare) else line_text(rng, language)
    if not letters.issuperset(text):
        kept = (letter if letter in letters else _STAND_INS.get(letter, "") for letter in text)
        text = " ".join("".join(kept).split())
    return text if letters.issuperset(text) and text else "12"


_LANGUAGES = (0.35, 0.5, 0.64, 0.77, 0.89, 1.0)  # summed shares, in the order of `LANGUAGES`
_BOLD, _MARKED = 0.25, 0.02
_MARKS = "→←↑↓✓✔★☆●○■□▪"
_WITH_MARKS = (  # families that have some of them: few do
    *("DejaVu Sans", "DejaVu Sans Condensed", "DejaVu Sans Mono", "Inter", "Linux Libertine", "Cardo"),
    *("mononoki", "Clear Sans", "Old Standard", "Vollkorn", "Manrope", "PT Mono"),
)
_STAND_INS = {"–": "-", "—": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "…": "..."}  # what people type instead
