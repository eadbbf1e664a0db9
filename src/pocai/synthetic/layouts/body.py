"""Bodies of sheets: one table, or several side by side or below each other."""

from __future__ import annotations

from pocai.synthetic.layouts.inking import inked
from pocai.synthetic.layouts.look import Look
from pocai.synthetic.layouts.part import Part
from pocai.synthetic.layouts.table import Table, fit


def table_body(table: Table, look: Look, room: tuple[float, float]) -> Part | None:
    """One table that fills the room's width."""
    fitted = fit(table, room)
    return None if fitted is None else inked(fitted, (0.0, 0.0), look)
