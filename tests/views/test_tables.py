from __future__ import annotations

import pytest

from pytest_causal.views.summary import Line
from pytest_causal.views.tables import Column, Table, cell

TABLE = Table(
    columns=(
        Column(header="always"),
        Column(header="roomy", shown_from=60),
        Column(header="wide", is_wide=True),
        Column(header="rare", shown_from=100, is_number=True),
    ),
    rows=[tuple(cell(text) for text in row) for row in ("abcd", "efgh")],
    has_header=False,
)


@pytest.mark.parametrize(
    ("width", "headers", "first"),
    [
        (1, ["always", "wide"], "ac"),
        (59, ["always", "wide"], "ac"),
        (60, ["always", "roomy", "wide"], "abc"),
        (100, ["always", "roomy", "wide", "rare"], "abcd"),
    ],
)
def test_only_columns_with_room_are_left(width: int, headers: list[str], first: str) -> None:
    fitted = TABLE.fitted(width)
    assert [column.header for column in fitted.columns] == headers
    assert "".join(line.text for each in fitted.rows[0] for line in each) == first
    assert len(fitted.rows) == 2
    assert fitted.has_header is False


def test_cell() -> None:
    assert cell("x", "red", "bold") == (Line(text="x", marks=("red", "bold")),)
