"""An event of a made timetable before it is printed: what it is, where it stands, and which times its cell states."""

from __future__ import annotations

from dataclasses import dataclass

from pocai.documents.page import Color
from pocai.synthetic.made import Kind, Note


@dataclass(frozen=True, slots=True)
class Content:
    """What a cell says besides times."""

    name: str
    notes: tuple[Note, ...] = ()
    color: Color | None = None
    kind: Kind = "lesson"


@dataclass(frozen=True, slots=True)
class Draft:
    """An event in slots of one or more columns; the fields are those of `pocai.synthetic.made.Entry`.

    ``own`` are times that the cell itself states, in minutes, None where those of its slots hold; ``misprinted`` says
    that they are wrong, so that they do not tell where to draw.
    """

    columns: tuple[int, ...]
    first: int
    content: Content
    count: int = 1
    weeks: str | None = None
    lane: int = 0
    lanes: int = 1
    share: tuple[float, float] = (0.0, 1.0)
    in_axis: bool = False
    own: tuple[int, int] | None = None
    misprinted: bool = False

    @property
    def plain(self) -> bool:
        """Whether this is one lesson of one day that fills its slot alone and takes its times from it."""
        whole = self.lanes == 1 and self.share == (0.0, 1.0) and self.own is None and self.weeks is None
        return whole and self.count == 1 and len(self.columns) == 1 and self.content.kind == "lesson"
