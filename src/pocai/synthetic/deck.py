"""What the cells of one made timetable say: courses of a class, classes of a teacher, guests of a room."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pocai.synthetic.curriculum import Course, filled
from pocai.synthetic.dice import Dice
from pocai.synthetic.draft import Content
from pocai.synthetic.made import Note
from pocai.synthetic.schools import NoteKind, School

Whose = Literal["class", "teacher", "room"]

_OTHER_ROOM = 0.15  # share of lessons elsewhere than in their usual room
_FORM_STYLES = ("none", "brackets", "before", "note")  # how a university prints "Lecture"
_LONG = 45  # characters of a long remark


class Deck:
    """Draws contents, each course about as often as the others. ``index`` tells the timetables of a school apart."""

    def __init__(self, school: School, dice: Dice, whose: Whose, index: int) -> None:
        self.school, self._dice, self._whose, self._index = school, dice, whose, index
        self._left: list[Course] = []
        self._form = dice.pick(_FORM_STYLES) if school.stage == "university" else "none"
        self._week_mark = dice.pick(school.words.week_marks)
        self._classes = dice.sample(school.classes, 6)

    def draw(self) -> Content:
        """The next lesson."""
        if self._whose == "teacher":
            return self._of_teacher()
        return self._of_room() if self._whose == "room" else self.lesson(self._course())

    def groups(self, count: int) -> list[Content]:
        """Lessons at the same time for parts of a class: sets of one course, or different ones."""
        course = self._course()
        one = self._dice.chance(0.5)
        marks: dict[str, None] = {}
        while len(marks) < count:
            marks[filled(self._dice.pick(self.school.words.groups), self._dice)] = None
        lessons = [self.lesson(course if one else self._course(), turn) for turn in range(count)]
        return [with_note(lesson, "group", mark) for lesson, mark in zip(lessons, marks, strict=True)]

    def in_week(self, content: Content, week: str) -> Content:
        """The lesson with the mark of a week of the cycle."""
        return with_note(content, "week", self._week_mark.format(w=week))

    def remarked(self, content: Content, *, long: bool) -> Content:
        """The lesson with a remark."""
        remarks = self.school.words.remarks[self.school.stage]
        of_length = [remark for remark in remarks if (len(remark) > _LONG) is long]
        return with_note(content, "remark", self._dice.pick(of_length or remarks))

    def event(self, kind: Literal["event", "club", "free"]) -> Content:
        """Something that is no lesson."""
        notes: tuple[Note, ...] = ()
        if kind == "club" and self._dice.chance(0.3):
            notes = (Note(self._dice.pick(self.school.rooms), "room"),)
        return Content(self.school.event(self._dice, kind), notes, None, kind)

    def lesson(self, course: Course, turn: int = 0) -> Content:
        """A lesson of a course; groups are told apart by ``turn``, which other teachers take."""
        notes = [
            Note(self._room(course, turn) if kind == "room" else self._teacher(course, turn), kind)
            for kind in self.school.habits.notes
        ]
        return self._formed(Content(course.name, tuple(notes), course.color))

    def _course(self) -> Course:
        if not self._left:
            self._left = self._dice.shuffled(self.school.courses)
        return self._left.pop()

    def _room(self, course: Course, turn: int) -> str:
        if self._dice.chance(_OTHER_ROOM):
            return self._dice.pick(self.school.rooms)
        return course.rooms[(self._index + turn) % len(course.rooms)]

    def _teacher(self, course: Course, turn: int) -> str:
        return course.teachers[(self._index + turn) % len(course.teachers)].printed

    def _formed(self, content: Content) -> Content:
        """The content with the form of teaching: "Databases (Lecture)"."""
        if self._form == "none":
            return content
        form = self._dice.pick(self.school.words.forms)
        if self._form == "note":
            return replace(content, notes=(Note(form, "remark"), *content.notes))
        pattern = "{name} ({form})" if self._form == "brackets" else "{form} {name}"
        return replace(content, name=pattern.format(name=content.name, form=form))

    def _of_teacher(self) -> Content:
        course = self.school.courses[self._index % len(self.school.courses)]
        notes = (Note(self._room(course, 0), "room"),) if "room" in self.school.habits.notes else ()
        return Content(self._dice.pick(self._classes), notes, course.color)

    def _of_room(self) -> Content:
        course = self._course()
        notes = [Note(self._dice.pick(self._classes), "group")]
        if "teacher" in self.school.habits.notes:
            notes.append(Note(self._teacher(course, 0), "teacher"))
        return Content(course.name, tuple(notes), course.color)


def with_note(content: Content, kind: NoteKind, text: str) -> Content:
    """The content with one more note at its end."""
    return replace(content, notes=(*content.notes, Note(text, kind)))
