"""Checks of labelled lines before anything is trained on them: what would spoil the training or its figures."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pocai.models.ctc import LETTERS
from pocai.training.data_report import DataReport, Problem, Severity, Spread, point
from pocai.training.datasets import NamedLines
from pocai.training.label_rows import Fault
from pocai.training.line_facts import LineFacts, Unreadable, look_alike, measured

LEAST_HEIGHT = 8  # pixels; below, no letter can be told from another
NARROW, WIDE = 5, 120  # pixels a letter, at a height of 48, beyond which label and picture hardly belong together
LEFT_OUT = 0.1  # share of the lines that may be left out before something is wrong with the folder as a whole
FEW = 50  # lines to train on, below which hardly anything is learned


@dataclass(frozen=True, slots=True)
class _Rule:
    """A check of single lines. ``sees`` gives what is to be added to the line's name, None where it is fine."""

    severity: Severity
    what: str
    mend: str
    sees: Callable[[LineFacts], str | None]


def check_lines(
    train: NamedLines, validation: NamedLines, alphabet: str = LETTERS, faults: Sequence[Fault] = ()
) -> DataReport:
    """Check lines to train and to validate on; ``faults`` are what was left out when they were read.

    ``alphabet`` are the letters that the network knows, without the space. Every picture is decoded once.
    """
    learned, held_out = ([*measured(lines)] for lines in (train, validation))
    known, tested = ([fact for fact in facts if isinstance(fact, LineFacts)] for facts in (learned, held_out))
    lost = [fact for fact in (*learned, *held_out) if isinstance(fact, Unreadable)]
    problems = [
        *_too_few(len(known), len(tested)),
        *_left_out(faults, lost, len(learned) + len(held_out)),
        *_singly([*known, *tested], alphabet),
        *_contradictions([*known, *tested]),
        *_leaks(known, tested),
        *_copies(known, tested),
        *_untaught(known, tested),
    ]
    letters = Counter(letter for fact in known for letter in fact.text)
    return DataReport(
        problems=tuple(sorted(problems, key=lambda problem: problem.severity)),
        train=len(known),
        validation=len(tested),
        letters=letters,
        unseen="".join(letter for letter in alphabet if letter not in letters),
        widths=Spread.of(fact.width for fact in known),
        heights=Spread.of(fact.height for fact in known),
        lengths=Spread.of(len(fact.text) for fact in known),
    )


def _rules(alphabet: str) -> tuple[_Rule, ...]:
    letters = frozenset(alphabet) | {" "}

    def foreign(line: LineFacts) -> str | None:
        strange = dict.fromkeys(letter for letter in line.text if letter not in letters and not _unprinted(letter))
        return ", ".join(map(point, strange)) or None

    return (
        _Rule("error", "letters that the network does not know", "Replace them, or remove these lines", foreign),
        *_RULES,
    )


def _unprinted(letter: str) -> bool:
    """Whether a character is no mark on paper: control and format characters, line breaks, what is unassigned."""
    return unicodedata.category(letter) in {"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"}


def _controls(line: LineFacts) -> str | None:
    return ", ".join(map(point, dict.fromkeys(letter for letter in line.text if _unprinted(letter)))) or None


def _per_letter(line: LineFacts) -> float:
    return line.width / max(1, len(line.text))


def _when(condition: Callable[[LineFacts], bool]) -> Callable[[LineFacts], str | None]:
    return lambda line: "" if condition(line) else None


def _sized(condition: Callable[[LineFacts], bool]) -> Callable[[LineFacts], str | None]:
    return lambda line: f"{len(line.text)} letters, {line.width} pixels" if condition(line) else None


_RULES = (
    _Rule(
        "error",
        "empty label",
        "Type what is printed, or remove these lines",
        _when(lambda line: not line.text.strip()),
    ),
    _Rule("error", "label with characters that print nothing", "Remove these characters", _controls),
    _Rule(
        "error",
        "picture without ink",
        "Remove these lines: they teach the network to read what is not there",
        _when(lambda line: line.blank and bool(line.text.strip())),
    ),
    _Rule(
        "error",
        f"picture less than {LEAST_HEIGHT} pixels high",
        "Cut these lines from a larger scan, or remove them",
        lambda line: f"{line.height} pixels" if line.height < LEAST_HEIGHT else None,
    ),
    _Rule(
        "error",
        "label with more letters than its picture has room for",
        "Check that label and picture belong together, and that the writing runs from left to right",
        _sized(lambda line: line.steps_needed > line.steps),
    ),
    _Rule(
        "warning",
        "label that is long for the width of its picture",
        "Check that label and picture belong together",
        _sized(lambda line: line.steps_needed <= line.steps and _per_letter(line) < NARROW),
    ),
    _Rule(
        "warning",
        "label that is short for the width of its picture",
        "Check that the label holds the whole line",
        _sized(lambda line: bool(line.text.strip()) and _per_letter(line) > WIDE),
    ),
    _Rule(
        "warning",
        "label with a space at an end, or several in a row",
        "Remove them: the network gives single spaces between words",
        _when(lambda line: bool(line.text.strip()) and line.text != " ".join(filter(None, line.text.split(" ")))),
    ),
)


def _singly(lines: Sequence[LineFacts], alphabet: str) -> Iterator[Problem]:
    for rule in _rules(alphabet):
        seen = ((line.name, rule.sees(line)) for line in lines)
        places = tuple(f"{name}: {detail}" if detail else name for name, detail in seen if detail is not None)
        if places:
            yield Problem(rule.severity, rule.what, rule.mend, places)


def _too_few(train: int, validation: int) -> Iterator[Problem]:
    for side, count in (("train", train), ("validate", validation)):
        if not count:
            yield Problem("error", f"no line to {side} on", "Add lines; two different ones are the least")
    if 0 < train < FEW:
        yield Problem(
            "warning", f"only {train} lines to train on", f"Some hundred are better; below {FEW}, expect little"
        )


def _left_out(faults: Sequence[Fault], lost: Sequence[Unreadable], lines: int) -> Iterator[Problem]:
    """What could not be used is a warning for each kind, and an error where it is much."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for fault in faults:
        kinds[fault.kind].append(f"{fault.place}: {fault.why}" if fault.why else fault.place)
    kinds["unreadable"] += [f"{line.name}: {line.why}" for line in lost]
    for kind, (what, mend) in _FAULTS.items():
        if kinds[kind]:
            yield Problem("warning", what, mend, tuple(kinds[kind]))
    labelled = lines + sum(fault.kind != "no label" for fault in faults)
    share = sum(len(places) for kind, places in kinds.items() if kind != "no label") / max(1, labelled)
    if share > LEFT_OUT:
        yield Problem("error", f"{share:.0%} of the labelled lines cannot be used", "Mend what the warnings name")


_FAULTS = {
    "unreadable": ("picture that cannot be read (left out)", "Save these as PNG again, or remove them"),
    "no picture": ("label without a picture (left out)", "Add the picture, or remove the label"),
    "no label": ("picture without a label (left out)", "Type what is printed, or remove the picture"),
    "bad row": ("row that is not understood (left out)", "Write the file's name below the folder, a tab, and the text"),
}


def _contradictions(lines: Sequence[LineFacts]) -> Iterator[Problem]:
    texts: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        texts[line.pixels].add(line.text)
    places = tuple(", ".join(group) for group in _groups(line for line in lines if len(texts[line.pixels]) > 1))
    if places:
        yield Problem("error", "same picture with different labels", "Keep the label that is right", places)


def _leaks(train: Sequence[LineFacts], validation: Sequence[LineFacts]) -> Iterator[Problem]:
    """Lines to validate on that are trained on as well: the same pixels, or the same text in a picture much like it."""
    taught = {line.pixels for line in train}
    leaked = tuple(line.name for line in validation if line.pixels in taught)
    if leaked:
        mend = "Remove them on one side: on these, the score says nothing"
        yield Problem("error", "picture to validate on that is trained on as well", mend, leaked)
    looks: dict[str, list[bytes]] = defaultdict(list)
    for line in train:
        looks[line.text].append(line.looks)
    rest = (line for line in validation if line.pixels not in taught and not line.blank)
    alike = tuple(line.name for line in rest if look_alike(line.looks, looks[line.text]))
    if alike:
        mend = "Copies of a picture belong on one side; the same words in the same face only make the score flatter"
        yield Problem("warning", "line to validate on that looks like one that is trained on", mend, alike)


def _copies(*sides: Sequence[LineFacts]) -> Iterator[Problem]:
    places = tuple(", ".join(group) for side in sides for group in _groups(side))
    if places:
        yield Problem("warning", "same picture several times", "Keep one of each, unless it is to weigh more", places)


def _groups(lines: Iterable[LineFacts]) -> list[list[str]]:
    """The names of lines with the same pixels, where there are several."""
    groups: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        groups[line.pixels].append(line.name)
    return [names for names in groups.values() if len(names) > 1]


def _untaught(train: Sequence[LineFacts], validation: Sequence[LineFacts]) -> Iterator[Problem]:
    taught = {letter for line in train for letter in line.text}
    asked = Counter(letter for line in validation for letter in line.text if letter not in taught)
    places = tuple(f"{point(letter)}: {count} ×" for letter, count in asked.most_common())
    if places and train:
        mend = "Add lines with these letters to train on"
        yield Problem("warning", "letter to validate on that no line to train on has", mend, places)
