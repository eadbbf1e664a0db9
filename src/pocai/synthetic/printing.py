"""From drafts to what is printed: the axis, the entries with their times as text, the key, and the truth about them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from pocai.synthetic.dice import Dice
from pocai.synthetic.draft import Draft
from pocai.synthetic.frame import Frame
from pocai.synthetic.made import Entry, KeyEntry, Slot
from pocai.synthetic.schools import School
from pocai.timetable.timetable import WEEK, Day, TimeBlock, clock

_MOST_KEYS = 14  # entries of a key of subjects, teachers or colours
_WHOLE, _HALVES = (0.0, 1.0), ((0.0, 0.5), (0.5, 1.0))
_Span = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class Print:
    """A filled frame on its way to paper.

    ``spans`` are the times that the page states for each draft, in minutes, None where it states none: the printed
    text and the truth both come from them. ``labels`` are the printed names of the periods, ``written`` remembers the
    texts of times.
    """

    school: School
    frame: Frame
    drafts: Sequence[Draft]
    spans: tuple[_Span, ...]
    labels: tuple[str, ...]
    written: dict[_Span, str] = field(default_factory=dict)

    @classmethod
    def of(cls, school: School, frame: Frame, drafts: Sequence[Draft]) -> Print:
        """The print of drafts; what is the same for several of its parts is computed once."""
        labels = tuple(school.label(period) for period in frame.plans[0])
        return cls(school, frame, drafts, tuple(stated(draft, frame) for draft in drafts), labels)

    def axis(self) -> tuple[Slot, ...]:
        """The slots as the axis prints them."""
        frame, style = self.frame, self.school.style
        named = {draft.first: draft.content.name for draft in self.drafts if draft.in_axis}
        slots = []
        for row, (period, (start, end)) in enumerate(zip(frame.plans[0], frame.shown, strict=True)):
            printed, first, last = "", "", ""
            if frame.times == "ranges":
                printed, first, last = style.span(start, end), style.write(start), style.write(end)
            elif frame.times == "starts":
                printed = first = style.write(start)
            label = named.get(row) or self.labels[row]
            slot = Slot(period.start, period.end, label, printed, first, last, period.kind)
            slots.append(slot if frame.common else replace(slot, start=None, end=None))
        return tuple(slots)

    def blocks(self, week: str | None) -> tuple[tuple[TimeBlock, ...], list[tuple[int, ...]]]:
        """The time blocks in the order of the week and of the day, and for each draft the indices of its own."""
        marked = []
        for index, (draft, (start, end)) in enumerate(zip(self.drafts, self.spans, strict=True)):
            name, notes = draft.content.name, " ".join(note.text for note in draft.content.notes) or None
            first, last = None if start is None else clock(start), None if end is None else clock(end)
            weeks = draft.weeks or week
            for day in self._days(draft):
                order = (
                    -1 if day is None else WEEK.index(day),
                    -1 if start is None else start,
                    draft.first,
                    draft.lane,
                )
                block = TimeBlock(day=day, name=name, start_time=first, end_time=last, notes=notes, weeks=weeks)
                marked.append((order, index, block))
        marked.sort(key=lambda mark: mark[:2])
        places: list[list[int]] = [[] for _ in self.drafts]
        for place, (_, index, _) in enumerate(marked):
            places[index].append(place)
        return tuple(block for _, _, block in marked), [tuple(own) for own in places]

    def _days(self, draft: Draft) -> Iterable[Day | None]:
        for column in draft.columns:
            yield from self.frame.days[column].days or (None,)

    def entries(self, blocks: Sequence[tuple[int, ...]]) -> tuple[Entry, ...]:
        """The drafts as they are printed, column by column and down the day."""
        entries = [self._entry(index, own) for index, own in enumerate(blocks)]
        return tuple(sorted(entries, key=lambda entry: (entry.columns, entry.first, entry.share, entry.lane)))

    def _entry(self, index: int, blocks: tuple[int, ...]) -> Entry:
        draft, frame = self.drafts[index], self.frame
        start, end = draft.own or (0, 0)
        if draft.own is None or draft.misprinted:
            start, end = _part(draft, frame.planned(draft.columns[0], draft.first, draft.count))
        content = draft.content
        return Entry(
            columns=draft.columns,
            first=draft.first,
            count=draft.count,
            start=start,
            end=end,
            name=content.name,
            notes=content.notes,
            time=self._time(index),
            own_time=frame.times == "cells" or (frame.times != "none" and draft.own is not None),
            period=self._period(draft),
            kind=content.kind,
            color=content.color,
            weeks=draft.weeks,
            lane=draft.lane,
            lanes=draft.lanes,
            share=draft.share,
            in_axis=draft.in_axis,
            blocks=blocks,
        )

    def _time(self, index: int) -> str:
        start, end = self.spans[index]
        if start is None or (self.frame.times == "key" and self.drafts[index].own is None):
            return ""
        end = None if self.frame.times == "starts" and not self.frame.scale else end
        if (start, end) not in self.written:
            style = self.school.style
            self.written[start, end] = style.write(start) if end is None else style.span(start, end)
        return self.written[start, end]

    def _period(self, draft: Draft) -> str:
        """The names of a draft's slots: "3", "3-4"."""
        first, last = self.labels[draft.first], self.labels[draft.first + draft.count - 1]
        if first == last or not (first and last):
            return first
        return f"{first}{self.school.habits.period_joint}{last}"

    def period_key(self, axis: Sequence[Slot]) -> tuple[KeyEntry, ...]:
        """The key that explains the names of periods; () where the times stand elsewhere."""
        if self.frame.times != "key":
            return ()
        joint, style = self.school.habits.key_joint, self.school.style
        rows = zip(axis, self.frame.shown, strict=True)
        return tuple(KeyEntry(slot.label, style.span(*shown), "period", joint) for slot, shown in rows if slot.label)

    def other_key(self, dice: Dice) -> tuple[KeyEntry, ...]:
        """A key of the codes of subjects, the signs of teachers or the colours that are printed; mostly none."""
        habits, joint = self.school.habits, self.school.habits.key_joint
        names = {draft.content.name for draft in self.drafts}
        courses = [course for course in self.school.courses if course.name in names][:_MOST_KEYS]
        coded, signed, colored = dice.chance(0.6), dice.chance(0.3), dice.chance(0.12)
        if habits.names == "code" and coded:
            return tuple(KeyEntry(one.name, one.long, "subject", joint) for one in courses)
        if habits.teachers == "sign" and signed:
            signs = {note.text for draft in self.drafts for note in draft.content.notes if note.kind == "teacher"}
            staff = [teacher for teacher in self.school.teachers if teacher.sign in signs][:_MOST_KEYS]
            return tuple(KeyEntry(one.sign, one.full, "teacher", joint) for one in staff)
        if colored:
            return tuple(KeyEntry("", one.long, "color", joint, one.color) for one in courses if one.color is not None)
        return ()

    def features(self) -> frozenset[str]:
        """The cases that occur, by their names in `pocai.synthetic.made.FEATURES`."""
        drafts, frame, width = self.drafts, self.frame, len(self.frame.days)
        cases = {
            "double": not frame.scale and any(d.count > 1 and d.content.kind == "lesson" for d in drafts),
            "bar": any(len(d.columns) == width > 1 and d.content.kind != "lesson" and not d.in_axis for d in drafts),
            "span": any(len(d.columns) > 1 and d.content.kind == "lesson" for d in drafts),
            "split": not frame.scale and any(d.share in _HALVES for d in drafts),
            "parallel": not frame.scale and any(d.lanes > 1 and d.own is None and d.weeks is None for d in drafts),
            "weeks": any(d.weeks for d in drafts),
            "empty": self._has_gaps(),
            "overlap": self._overlaps(),
            "own_time": frame.times not in ("cells", "none") and any(d.own is not None for d in drafts),
            "in_axis": any(d.in_axis for d in drafts),
            "remark": any(note.kind == "remark" for d in drafts for note in d.content.notes),
            "other_times": not frame.common,
            "shared_days": any(len(day.days) > 1 for day in frame.days),
            "no_day": any(not day.days for day in frame.days),
            "dated": frame.dated,
        }
        return frozenset(name for name, occurs in cases.items() if occurs)

    def _has_gaps(self) -> bool:
        covered = {(c, d.first + i) for d in self.drafts for c in d.columns for i in range(d.count)}
        return len(covered) < len(self.frame.days) * len(self.frame.plans[0])

    def _overlaps(self) -> bool:
        """Whether two blocks of a column overlap by their printed times."""
        for column in self.frame.columns:
            spans = (span for draft, span in zip(self.drafts, self.spans, strict=True) if column in draft.columns)
            timed = sorted((a, b) for a, b in spans if a is not None and b is not None and a < b)
            if any(after[0] < before[1] for before, after in pairwise(timed)):
                return True
        return False


def stated(draft: Draft, frame: Frame) -> _Span:
    """What the page says about the time of a draft, in minutes; None where it says nothing."""
    if frame.times == "none":
        return None, None
    if draft.own is not None:
        start, end = draft.own
    elif frame.common:
        start, end = _part(draft, (frame.shown[draft.first][0], frame.shown[draft.first + draft.count - 1][1]))
    else:
        start, end = _part(draft, frame.planned(draft.columns[0], draft.first, draft.count))
    ends_day = frame.times == "starts" and end == frame.plans[0][-1].end
    return start, None if ends_day else end


def _part(draft: Draft, whole: tuple[int, int]) -> tuple[int, int]:
    """The share of a stretch that a draft fills."""
    if draft.share == _WHOLE:
        return whole
    start, end = whole
    low, high = draft.share
    return round(start + low * (end - start)), round(start + high * (end - start))


def in_week(drafts: Sequence[Draft], week: str, *, scale: bool) -> list[Draft]:
    """The drafts of one week of the cycle, where the heading names the week and the cells do not."""
    return [_unmarked(draft, scale=scale) for draft in drafts if draft.weeks in (None, week)]


def _unmarked(draft: Draft, *, scale: bool) -> Draft:
    if draft.weeks is None:
        return draft
    notes = tuple(note for note in draft.content.notes if note.kind != "week")
    plain = replace(draft, weeks=None, content=replace(draft.content, notes=notes))
    return plain if scale else replace(plain, lane=0, lanes=1)
