"""Quality gates: the host application's confidence and route, and the product's own verdict with its reasons.

The host's number is kept because its clients compare it with 0.80; it is no probability. The product's verdict rests
on what was measured: how well the page was read, how many blocks have both times, what the checks found, and how sure
the blocks are.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from pocai.errors import InputError
from pocai.inference.certainty import Certainty
from pocai.models.protocols import OCRResult
from pocai.settings import QualityThresholds
from pocai.timetable.timetable import TimeBlock, Timetable

Route: TypeAlias = Literal["validation", "ai"]
Decision: TypeAlias = Literal["accept", "review", "reject"]
_Judgement: TypeAlias = tuple[Decision, str]

_STRICTEST_FIRST: tuple[Decision, ...] = ("reject", "review", "accept")

# The host's formula asks for a vocabulary of 25 usual words; these are ours.
VOCABULARY = frozenset(
    (
        *("monday", "tuesday", "wednesday", "thursday", "friday"),
        *("time", "timetable", "day", "period", "class", "teacher", "term", "week", "room"),
        *("maths", "english", "science", "reading", "history", "art", "music", "pe"),
        *("break", "lunch", "assembly"),
    )
)
_LAYOUT_WORDS = 10
_CLOCK = re.compile(
    r"(?<![\d.:])(?:[01]?\d|2[0-3])[.:][0-5]\d(?!\d)"  # 9:05, 13.15
    r"|(?<![\d.:])(?:0?[1-9]|1[0-2])\s?[ap]\.?m\b",  # 2pm, 11 am
    re.IGNORECASE,
)


class CheckFinding(Protocol):
    """What the gate asks of a finding of `pocai.timetable.checks`."""

    @property
    def code(self) -> str: ...

    @property
    def severity(self) -> str: ...


@dataclass(frozen=True, slots=True)
class HostRoute:
    """The host's gate: where the document goes, the confidence that decided, and the host's sentence."""

    route: Route
    confidence: float
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The product's gate: what to do with a result, and why; ``reasons`` is never empty."""

    decision: Decision
    reasons: tuple[str, ...]


def host_confidence(result: OCRResult) -> float:
    """The host's four-part confidence of one page, 0 to 1 (HTTP contract of the host, ``/ocr/process``).

    0.4 x mean word confidence + 0.2 x share of words in a 25-word vocabulary + 0.2 x layout (0.8 above ten words, else
    0.5) + 0.2 x time pattern. Words of native text, which carry no score, count as certain. An empty page has 0.1.
    """
    words = result.words
    count = max(1, len(words))
    mean = sum(1.0 if word.confidence is None else word.confidence for word in words) / count
    known = sum(_plain(word.text) in VOCABULARY for word in words) / count
    layout = 0.8 if len(words) > _LAYOUT_WORDS else 0.5
    return 0.4 * mean + 0.2 * known + 0.2 * layout + 0.2 * _time_pattern(result.text)


def host_gate(confidence: float, thresholds: QualityThresholds) -> HostRoute:
    """The host's route: "validation" from the threshold on, "ai" below it; raises `InputError` outside 0 to 1."""
    if not 0 <= confidence <= 1:
        raise InputError(
            f"the confidence {confidence} is not between 0 and 1", mend="Send the number of the OCR result"
        )
    if confidence >= thresholds.host_confidence:
        return HostRoute("validation", confidence, f"High confidence ({confidence:.2%}) - direct validation")
    return HostRoute("ai", confidence, f"Medium confidence ({confidence:.2%}) - AI processing required")


def gate(
    timetables: Sequence[Timetable],
    ocr: OCRResult | None,
    findings: Sequence[CheckFinding],
    thresholds: QualityThresholds,
    certainty: Certainty | None = None,
) -> Verdict:
    """Accept, send to review, or reject an extraction; ``ocr`` is None where the text is native.

    A document is accepted where each of its blocks is; ``certainty`` says which are not.

    The strictest judgement decides, and the reasons are those that led to it. No reason holds document text.
    """
    blocks = [block for timetable in timetables for block in timetable.timeblocks]
    judged = [
        *_judge_reading(ocr, thresholds),
        *_judge_blocks(blocks, thresholds),
        *_judge_findings(findings),
        *_judge_certainty(certainty),
    ]
    for decision in _STRICTEST_FIRST:
        reasons = tuple(reason for judgement, reason in judged if judgement == decision)
        if reasons:
            return Verdict(decision, reasons)
    raise AssertionError("every gate judges the blocks")  # pragma: no cover


def _judge_reading(ocr: OCRResult | None, thresholds: QualityThresholds) -> Iterable[_Judgement]:
    if ocr is None:
        yield "accept", "the text is native: nothing had to be recognised"
        return
    score = f"the mean reading score is {ocr.confidence:.2f}"
    if ocr.confidence < thresholds.reject_reading:
        yield "reject", f"{score}, below {thresholds.reject_reading:.2f}: a sharper picture is needed"
    elif ocr.confidence < thresholds.accept_reading:
        yield "review", f"{score}, below {thresholds.accept_reading:.2f}"
    else:
        yield "accept", f"{score}, at least {thresholds.accept_reading:.2f}"


def _judge_blocks(blocks: Sequence[TimeBlock], thresholds: QualityThresholds) -> Iterable[_Judgement]:
    if not blocks:
        yield "reject", "no timetable was found"
        return
    timed = sum(block.start_time is not None and block.end_time is not None for block in blocks)
    said = f"{timed} of {len(blocks)} blocks have start and end"
    if timed < thresholds.accept_timed * len(blocks):
        yield "review", f"{said}, fewer than {thresholds.accept_timed:.0%}"
    else:
        yield "accept", said
    undated = sum(block.day is None for block in blocks)
    if undated:
        yield "review", f"{undated} of {len(blocks)} blocks have no day"


def _judge_certainty(certainty: Certainty | None) -> Iterable[_Judgement]:
    """Nothing is said of blocks whose confidence was not calibrated."""
    if certainty is None or not certainty.judged:
        return
    doubtful = sum(map(len, certainty.doubtful))
    if certainty.accept is None:
        yield "review", f"{doubtful} blocks are not sure enough, whatever the threshold"
    elif doubtful:
        yield "review", f"{doubtful} of {certainty.judged} blocks are less sure than {certainty.accept:.3f}"
    else:
        yield "accept", f"all {certainty.judged} blocks are at least {certainty.accept:.3f} sure"


def _judge_findings(findings: Sequence[CheckFinding]) -> Iterable[_Judgement]:
    counted = Counter(finding.code for finding in findings if finding.severity == "warning")
    if not counted:
        yield "accept", "the checks found nothing"
    for code, number in sorted(counted.items()):
        yield "review", f"the checks found: {code} ({number})"


def _time_pattern(text: str) -> float:
    hits = len(_CLOCK.findall(text))
    steps = ((5, 1.0), (3, 0.8), (1, 0.6))
    return next((score for least, score in steps if hits >= least), 0.0)


def _plain(word: str) -> str:
    return unicodedata.normalize("NFKC", word).casefold().strip(" .,:;()[]|-–—*'\"")
