"""Cells from rules and fills: merged, partly ruled, coloured; whatever the page's scale and place."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from drawn import drawn
from hypothesis import given
from hypothesis import strategies as st

from pocai.documents.page import Box, Fill, Line, Page, Quad, Rule, Table
from pocai.timetable.grid import fill_cells, find_tables, reading_order

MERGED = """
+------+-------+-------+
| a    | b     | c     |
+------+-------+-------+
| d    | e             |
|      +-------+-------+
|      | f     | g     |
+------+-------+-------+
"""


BANDS = """
+------+-------+------+
| Mon  | 9-10    Art  |
|      +--------------+
|        10-11   Maths|
|      +--------------+
|        11-12   Music|
+------+--------------+
| Tue    9-10    Maths|
+---------------------+
"""


def spans(table: Table) -> dict[str, tuple[int, int, int, int]]:
    return {cell.text: (cell.row, cell.column, cell.row_span, cell.column_span) for cell in table.cells}


def moved(page: Page, scale: float, dx: float, dy: float) -> Page:
    def at(point: tuple[float, float]) -> tuple[float, float]:
        return point[0] * scale + dx, point[1] * scale + dy

    def box(old: Box) -> Box:
        return Box(*at((old.left, old.top)), *at((old.right, old.bottom)))

    return replace(
        page,
        width=page.width * scale + 2 * dx,
        height=page.height * scale + 2 * dy,
        lines=tuple(replace(line, quad=Quad.of(box(line.box)), size=line.size * scale) for line in page.lines),
        rules=tuple(Rule(at(rule.start), at(rule.end), rule.thickness * scale) for rule in page.rules),
    )


def test_merged_cells_have_their_spans() -> None:
    (table,) = find_tables(drawn(MERGED))
    assert spans(table) == {
        "a": (0, 0, 1, 1),
        "b": (0, 1, 1, 1),
        "c": (0, 2, 1, 1),
        "d": (1, 0, 2, 1),
        "e": (1, 1, 1, 2),
        "f": (2, 1, 1, 1),
        "g": (2, 2, 1, 1),
    }


def test_a_rule_parts_rows_that_hang_together_around_its_end() -> None:
    """The column of days is walled off in the first row only."""
    (table,) = find_tables(drawn(BANDS))
    cells = [cell.text.split() for cell in table.cells if cell.text]
    assert ["10-11", "Maths"] in cells
    assert ["11-12", "Music"] in cells
    assert not any({"Maths", "Music"} <= set(words) for words in cells)


@given(st.floats(0.2, 8), st.floats(0, 500), st.floats(0, 500))
def test_cells_do_not_depend_on_scale_and_place(scale: float, dx: float, dy: float) -> None:
    page = drawn(MERGED)
    (expected,) = find_tables(page)
    (found,) = find_tables(moved(page, scale, dx, dy))
    assert spans(found) == spans(expected)


def test_a_cell_that_splits_a_column_keeps_its_own_edges() -> None:
    (table,) = find_tables(
        drawn("""
+------+-------+-------+
| a    | b     | c     |
+------+---+---+-------+
| d    | e | f         |
+------+---+-----------+
""")
    )
    boxes = {cell.text: cell.box for cell in table.cells}
    assert boxes["e"].right == boxes["f"].left
    assert boxes["b"].left < boxes["e"].right < boxes["b"].right


def test_fields_of_colour_without_lines_are_cells() -> None:
    fills = tuple(Fill(Box(x, y, x + 100, y + 40), (200, 220, 255)) for x in (0, 100, 200) for y in (0, 40, 80))
    lines = tuple(
        Line(f"{x}{y}", Quad.of(Box(x * 100 + 20, y * 40 + 10, x * 100 + 60, y * 40 + 24)), size=12)
        for x in range(3)
        for y in range(3)
    )
    (table,) = find_tables(Page(0, 400, 200, lines=lines, fills=fills))
    assert sorted(cell.text for cell in table.cells) == sorted(f"{x}{y}" for x in range(3) for y in range(3))


def test_strokes_of_letters_and_underlines_are_no_walls() -> None:
    page = drawn(MERGED)
    underline = Rule((95, 52), (115, 52))
    (table,) = find_tables(replace(page, rules=(*page.rules, underline)))
    assert spans(table) == spans(find_tables(page)[0])


def test_a_highlighted_time_is_no_table_of_its_own() -> None:
    page = drawn("""
+--------------------+--------------------+
| a                  | b                  |
|                    |                    |
|                    |                    |
+--------------------+--------------------+
""")
    highlight = Fill(Box(40, 45, 120, 65), (255, 255, 0))
    (table,) = find_tables(replace(page, fills=(highlight,)))
    assert len(table.cells) == 2


def test_a_page_without_rules_has_no_tables() -> None:
    assert find_tables(drawn("a   b   c\nd   e   f")) == ()


def test_text_goes_to_the_smallest_cell_around_it() -> None:
    (table,) = find_tables(drawn(MERGED))
    line = Line("x", Quad.of(Box(100, 105, 110, 115)), size=10)
    filled = fill_cells(table.cells, [line])
    assert [cell.row for cell in filled if line in cell.lines] == [2]


def test_reading_order_follows_the_direction_of_the_text() -> None:
    def line(text: str, box: Box, angle: int) -> Line:
        return Line(text, Quad.of(box, angle), angle=angle)

    upwards = [line("one", Box(10, 0, 30, 100), 270), line("two", Box(40, 0, 60, 100), 270)]
    downwards = [line("one", Box(40, 0, 60, 100), 90), line("two", Box(10, 0, 30, 100), 90)]
    level = [
        line("two", Box(50, 1, 90, 11), 0),
        line("three", Box(0, 20, 40, 30), 0),
        line("one", Box(0, 0, 40, 10), 0),
    ]
    assert [found.text for found in reading_order(upwards[::-1])] == ["one", "two"]
    assert [found.text for found in reading_order(downwards[::-1])] == ["one", "two"]
    assert [found.text for found in reading_order(level)] == ["one", "two", "three"]


def test_borders_drawn_cell_by_cell_are_one_wall() -> None:
    page = drawn(MERGED)
    pieces = []
    for rule in page.rules:
        (x0, y0), (x1, y1) = rule.start, rule.end
        cuts = [0.0, 0.3, 0.55, 1.0]
        pieces += [
            Rule((x0 + a * (x1 - x0), y0 + a * (y1 - y0)), (x0 + b * (x1 - x0), y0 + b * (y1 - y0)), rule.thickness)
            for a, b in pairwise(cuts)
        ]
    (table,) = find_tables(replace(page, rules=tuple(pieces)))
    assert spans(table) == spans(find_tables(page)[0])
