from __future__ import annotations

import pytest

from pytest_causal.artifacts.usage import Space, Usage
from pytest_causal.views.usage import usage_table

USAGE = Usage(
    Space(3, 1, 5011, 16384),
    (("logs", Space(3, 1, 5011, 16384)),),
    (("a\x1b", Space(2, 0, 5010, 8192)), ("b", Space(1, 1, 1, 4096))),
    (),
)


@pytest.mark.parametrize(("limit", "directories"), [(1, ["  a\\x1b/"]), (0, ["  a\\x1b/", "  b/"])])
def test_classes_come_before_the_largest_directories(limit: int, directories: list[str]) -> None:
    rows = [
        [line.text for cell in row for line in cell] for row in usage_table(USAGE, "soak", limit=limit).rows
    ]
    assert rows[0] == ["soak", "3", "1", "5.0 kB", "16.4 kB"]
    assert [row[0] for row in rows] == ["soak", "  class logs", *directories]
