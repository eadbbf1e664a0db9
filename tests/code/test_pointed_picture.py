"""The picture of what a model says of a page: every role has its colour, and nothing else of the page changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pointed_pages import a_page

from pocai.models.layout_tokens import ROLES
from pocai.timetable.pointed_picture import COLORS, LEGEND, draw_pointed


def test_every_role_has_a_colour() -> None:
    assert set(COLORS) == set(ROLES)
    assert set(LEGEND) <= set(ROLES)


def test_another_role_is_another_colour_at_its_line_and_nowhere_else() -> None:
    pointed = a_page()
    other = replace(pointed, roles=tuple("other" if role == "title" else role for role in pointed.roles))
    one, two = draw_pointed(pointed).astype(int), draw_pointed(other).astype(int)
    assert one.shape == two.shape
    ys, xs = np.nonzero(np.abs(one - two).sum(axis=2))
    scale = one.shape[1] / pointed.page.width
    box = pointed.lines[pointed.roles.index("title")].box.scaled(scale)
    assert xs.min() >= box.left - 2
    assert xs.max() <= box.right + 2
    assert 0 < len(ys) <= 1.2 * box.width * box.height
