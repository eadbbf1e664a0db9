"""How a school prints times: the sign between hour and minute, am and pm, the dash of ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pocai.synthetic.dice import Dice
from pocai.synthetic.vocabulary import TimeHabits, Vocabulary

_NOON = 12 * 60  # minutes
_HOUR = 60
_DASHES = (
    (" - ", 6.0),
    ("-", 5.0),
    ("–", 4.0),
    (" – ", 5.0),
    ("—", 0.4),
    (" — ", 0.6),
    (" -", 0.4),
    ("- ", 0.4),
    (" → ", 0.2),
)
_MERIDIEMS = (("am", 5.0), (" am", 4.0), ("AM", 1.0), (" AM", 2.0), (" a.m.", 0.7), ("a.m.", 0.3))


@dataclass(frozen=True, slots=True)
class TimeStyle:
    """A notation of times of day.

    ``separator`` stands between hour and minute ("" for "0900"); with ``twelve`` hours count to 12 and ``meridiem``
    ("am", " AM", "a.m." or "" for none) follows each time or, with ``once``, a range; ``zero`` pads hours to two
    digits; ``short`` leaves full hours without minutes ("9-10", "9h"); ``dash`` joins a range; ``suffix`` (" Uhr")
    ends it all.
    """

    separator: str = ":"
    twelve: bool = False
    meridiem: str = ""
    once: bool = False
    zero: bool = True
    short: bool = False
    dash: str = " - "
    suffix: str = ""

    @classmethod
    def of(cls, dice: Dice, words: Vocabulary) -> TimeStyle:
        """A style that is usual in the language."""
        separator = _separator(dice, words.times)
        twelve = separator in (":", ".") and dice.chance(words.times.twelve / 10)
        meridiem = dice.weighted(_MERIDIEMS) if twelve and dice.chance(0.45) else ""
        dash = f" {words.words['to'][0]} " if dice.chance(0.08) else dice.weighted(_DASHES)
        suffixes = words.times.suffixes if separator in (":", ".") else ()
        short = separator in ("h", " h ") or (separator != "" and dice.chance(0.12 if twelve else 0.0))
        return cls(
            separator,
            twelve,
            meridiem,
            once=dice.chance(0.5),
            zero=separator == "" or dice.chance(0.1 if twelve else 0.6),
            short=short and (separator in ("h", " h ") or bool(meridiem) or dice.chance(0.3)),
            dash=dash,
            suffix=f" {dice.pick(suffixes)}" if suffixes and dice.chance(0.12) else "",
        )

    def write(self, minute: int) -> str:
        """A single time, minutes after midnight: "9.05am"."""
        return self._clock(minute) + self._half(minute) + self.suffix

    def span(self, start: int, end: int) -> str:
        """A range: "9.05-9.50", with am or pm at its end only where the style says so and the halves agree."""
        one = self.once and self._half(start) == self._half(end)
        first = self._clock(start) + ("" if one else self._half(start))
        return f"{first}{self.dash}{self._clock(end)}{self._half(end)}{self.suffix}"

    def _half(self, minute: int) -> str:
        if not self.meridiem:
            return ""
        return self.meridiem if minute < _NOON else self.meridiem.replace("a", "p").replace("A", "P")

    def _clock(self, minute: int) -> str:
        hour, rest = divmod(minute, _HOUR)
        hour = (hour - 1) % 12 + 1 if self.twelve else hour
        text = f"{hour:02d}" if self.zero else str(hour)
        if self.short and rest == 0:
            return text + ("h" if self.separator == "h" else " h" if self.separator == " h " else "")
        return f"{text}{self.separator}{rest:02d}"


def _separator(dice: Dice, habits: TimeHabits) -> str:
    letter: Literal["h", " h "] = "h" if dice.chance(0.9) else " h "
    options = ((":", habits.colon), (".", habits.point), (letter, habits.letter), ("", habits.compact))
    return dice.weighted(options)
