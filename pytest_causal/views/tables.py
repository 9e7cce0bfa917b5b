"""Tables as data: which columns a terminal of some width has room for, and what stands in their cells.

Nothing is drawn here. Text in cells is untrusted until it went through :func:`~pytest_causal.views.escape.terminal`,
which whoever makes a cell sees to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_causal.views.summary import Line

Cell = tuple[Line, ...]
"""One cell: lines, one under the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column, left out on terminals of fewer than ``shown_from`` columns.

    It is as wide as its widest cell, or ``width`` characters where that is given; the one that ``is_wide`` takes what
    is left, and wraps. Numbers are aligned to the right.
    """

    header: str
    width: int = 0
    is_wide: bool = False
    is_number: bool = False
    shown_from: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table for a terminal."""

    columns: tuple[Column, ...]
    rows: Sequence[tuple[Cell, ...]]
    has_header: bool = True

    def fitted(self, width: int) -> Table:
        """Return the table with those columns only that a terminal of this many columns has room for."""
        places = [place for place, column in enumerate(self.columns) if column.shown_from <= width]
        return Table(
            columns=tuple(self.columns[place] for place in places),
            rows=[tuple(row[place] for place in places) for row in self.rows],
            has_header=self.has_header,
        )


def cell(text: str, *marks: str) -> Cell:
    """Return a cell of one line."""
    return (Line(text=text, marks=marks),)
