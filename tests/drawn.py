"""Pages drawn with characters: a way to write a layout down so that a reader of the test sees it.

A character is 10 x 20 units. ``+``, ``-`` and ``|`` draw rules where a line holds ``+--`` (or ``|`` under one);
other text becomes lines, split where two or more blanks stand.
"""

from __future__ import annotations

import re

from pocai.documents.page import Box, Line, Page, Quad, Rule

WIDE, HIGH = 10.0, 20.0


def drawn(text: str) -> Page:
    """The page that ``text`` draws."""
    rows = [row.rstrip() for row in text.strip("\n").split("\n")]
    width = max(len(row) for row in rows)
    rows = [row.ljust(width) for row in rows]
    ruled = any("+-" in row for row in rows)
    lines = [line for y, row in enumerate(rows) for line in _texts(row, y, ruled=ruled)]
    rules = (*_across(rows), *_down(rows)) if ruled else ()
    return Page(0, width * WIDE + 40, len(rows) * HIGH + 40, lines=tuple(lines), rules=rules)


def _texts(row: str, y: int, *, ruled: bool) -> list[Line]:
    blank = re.sub(r"\+?-{2,}\+?|[|+]", lambda m: " " * len(m[0]), row) if ruled else row
    if ruled:  # a rule also ends a text
        blank = re.sub(r"(?<=\S) (?=\S)", "\0", blank)
        blank = "".join(" " if row[i] in "|+" else c for i, c in enumerate(blank))
    found = []
    for match in re.finditer(r"\S+(?:[ \0]\S+)*", blank):
        content = match[0].replace("\0", " ")
        box = Box(match.start() * WIDE, y * HIGH + 4, match.end() * WIDE, y * HIGH + 16)
        found.append(Line(content, Quad.of(box), confidence=0.99, size=12))
    return found


def _across(rows: list[str]) -> list[Rule]:
    return [
        Rule((m.start() * WIDE + 5, y * HIGH + 10), ((m.end() - 1) * WIDE + 5, y * HIGH + 10))
        for y, row in enumerate(rows)
        for m in re.finditer(r"\+(?:-+\+)+", row)
    ]


def _down(rows: list[str]) -> list[Rule]:
    rules = []
    for x in range(len(rows[0])):
        column = "".join(row[x] for row in rows)
        for m in re.finditer(r"[+|]*\|[+|]*", column):
            top, bottom = m.start(), m.end() - 1
            top -= top > 0 and _rules_here(rows[top - 1], x)
            bottom += bottom + 1 < len(rows) and _rules_here(rows[bottom + 1], x)
            rules.append(Rule((x * WIDE + 5, top * HIGH + 10), (x * WIDE + 5, bottom * HIGH + 10)))
    return rules


def _rules_here(row: str, x: int) -> bool:
    """Whether a horizontal rule runs through column ``x`` of a row."""
    return any(m.start() <= x < m.end() for m in re.finditer(r"\+(?:-+\+)+", row))
