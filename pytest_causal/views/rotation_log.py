"""The log of rotations as a person and as a program reads it; ours and the predecessors' side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_causal.artifacts.rotation_log import LogLine
from pytest_causal.views.escape import terminal
from pytest_causal.views.rotation import size_words
from pytest_causal.views.tables import Cell, Column, Table, cell

SCHEMA = "causal.rotation-log/1"
_KILOBYTE_BYTES = 1024
_MEGABYTE_BYTES = 1024 * 1024
"""The predecessors' units."""


def log_document(lines: Iterable[LogLine]) -> dict[str, Any]:
    """Return the log as JSON: schema ``causal.rotation-log/1``. Records stand as they were written."""
    return {
        "schema": SCHEMA,
        "runs": [
            {"is_legacy": line.is_legacy, "record": line.record, "text": line.text or None} for line in lines
        ],
    }


def log_table(lines: Iterable[LogLine]) -> Table:
    """Return a row for each run: when, what was done, how much that freed, and the size that was left."""
    columns = (
        Column(header="when (UTC)"),
        Column(header="kept", is_number=True),
        Column(header="compressed", is_number=True),
        Column(header="deleted", is_number=True),
        Column(header="left", is_number=True, shown_from=70),
        Column(header="freed", is_number=True),
        Column(header="size", is_number=True),
        Column(header="", is_wide=True),
    )
    return Table(columns=columns, rows=[_row(line) for line in lines])


def _row(line: LogLine) -> tuple[Cell, ...]:
    if line.record is None:
        return (*(cell("") for _ in range(7)), cell(f"unreadable: {terminal(line.text, 60)}", "yellow"))
    numbers = _legacy_numbers(line.record) if line.is_legacy else _numbers(line.record)
    when, *counts, freed, size, is_within = numbers
    remark = "legacy" if line.is_legacy else ""
    if is_within is False:
        remark = f"{remark} over the limit".strip()
    return (
        cell(terminal(str(when or "?"), 20)),
        *(cell("" if count is None else f"{count:,}") for count in counts),
        cell(_size(freed)),
        cell(_size(size)),
        cell(remark, *(["red"] if is_within is False else [])),
    )


def _numbers(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return (when, kept, compressed, deleted, left, freed bytes, size in bytes, whether within the limit)."""
    compressed, archived = _number(record, "counts", "compressed"), _number(record, "counts", "archived")
    before, after = _number(record, "size", "before_bytes"), _number(record, "size", "after_bytes")
    return (
        record.get("at"),
        _number(record, "counts", "kept"),
        None if compressed is None or archived is None else compressed + archived,
        _number(record, "counts", "deleted"),
        _number(record, "counts", "left"),
        None if before is None or after is None else before - after,
        after,
        _at(record, "size", "is_within_limit"),
    )


def _legacy_numbers(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what :func:`_numbers` does, of a record of the predecessors' artifact manager."""
    freed, size = _number(record, "summary", "disk_reduction_kb"), _number(record, "summary", "final_size_mb")
    return (
        record.get("timestamp"),
        _number(record, "rotation", "kept"),
        _number(record, "summary", "compressed_snapshots"),
        _number(record, "summary", "deleted_files"),
        None,
        None if freed is None else freed * _KILOBYTE_BYTES,
        None if size is None else size * _MEGABYTE_BYTES,
        _at(record, "summary", "within_limit"),
    )


def _at(record: Mapping[str, Any], section: str, key: str) -> Any:
    inner = record.get(section)
    return inner.get(key) if isinstance(inner, dict) else None


def _number(record: Mapping[str, Any], section: str, key: str) -> int | float | None:
    value = _at(record, section, key)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and abs(value) < 1e18 else None


def _size(size_bytes: float | None) -> str:
    return "" if size_bytes is None else size_words(int(size_bytes))
