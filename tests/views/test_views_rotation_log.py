from __future__ import annotations

from typing import Any

import pytest

from pytest_causal.artifacts.rotation_log import LogLine
from pytest_causal.views.rotation_log import log_document, log_table

OURS: dict[str, Any] = {
    "schema": "causal.rotation/1",
    "at": "2026-05-28T20:26:40Z",
    "counts": {"kept": 1, "compressed": 2, "archived": 1000, "deleted": 3, "left": 4, "held_back": 0},
    "size": {"before_bytes": 9000, "after_bytes": 4000, "limit_bytes": 100, "is_within_limit": False},
}
LEGACY: dict[str, Any] = {
    "timestamp": "2025-10-15T02:00:00Z",
    "rotation": {"kept": 100},
    "summary": {
        "compressed_snapshots": 1,
        "deleted_files": 2,
        "disk_reduction_kb": 40.0,
        "final_size_mb": 12.5,
        "within_limit": True,
    },
}


def row(line: LogLine) -> list[str]:
    (cells,) = log_table([line]).rows
    return [each.text for cell in cells for each in cell]


def test_a_record_is_a_row_of_what_was_done() -> None:
    assert row(LogLine(OURS)) == [
        *("2026-05-28T20:26:40Z", "1", "1,002", "3", "4", "5.0 kB", "4.0 kB", "over the limit"),
    ]


def test_a_record_of_the_predecessors_is_read_in_their_units() -> None:
    assert row(LogLine(LEGACY)) == [
        "2025-10-15T02:00:00Z",
        "100",
        "1",
        "2",
        "",
        "41.0 kB",
        "13.1 MB",
        "legacy",
    ]


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"summary": 1, "rotation": []},
        {"timestamp": "\x1b[2J", "summary": {"final_size_mb": "12", "disk_reduction_kb": True}},
        {"schema": "causal.rotation/9", "counts": None, "size": {"after_bytes": float("inf")}},
    ],
)
def test_what_a_record_lacks_or_says_oddly_is_left_blank(record: dict[str, Any]) -> None:
    cells = row(LogLine(record))
    assert len(cells) == 8
    assert all(cell.isprintable() for cell in cells)
    assert set(cells[1:7]) == {""}


def test_a_line_that_is_no_record_is_shown_as_text() -> None:
    assert row(LogLine(None, "torn\x1b"))[-1] == "unreadable: torn\\x1b"


def test_the_document_holds_records_as_they_were_written() -> None:
    document = log_document([LogLine(LEGACY), LogLine(OURS), LogLine(None, "torn")])
    assert document["runs"] == [
        {"is_legacy": True, "record": LEGACY, "text": None},
        {"is_legacy": False, "record": OURS, "text": None},
        {"is_legacy": False, "record": None, "text": "torn"},
    ]
