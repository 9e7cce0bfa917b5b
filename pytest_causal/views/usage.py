"""Where the space is, as a person and as a program reads it."""

from __future__ import annotations

from typing import Any

from pytest_causal.artifacts.usage import Space, Usage
from pytest_causal.views.escape import terminal
from pytest_causal.views.rotation import size_words
from pytest_causal.views.tables import Column, Table, cell

SCHEMA = "causal.usage/1"


def usage_document(usage: Usage, root: str) -> dict[str, Any]:
    """Return the usage of a directory as JSON: schema ``causal.usage/1``. Sizes are in bytes."""
    return {
        "schema": SCHEMA,
        "root": root,
        "total": usage.total._asdict(),
        "classes": [{"name": name, **space._asdict()} for name, space in usage.classes],
        "directories": [{"name": name, **space._asdict()} for name, space in usage.directories],
        "problems": list(usage.problems),
    }


def usage_table(usage: Usage, root: str, *, limit: int) -> Table:
    """Return a row for all, for each class, and for the ``limit`` largest directories (all of them for 0)."""
    columns = (
        Column(header="", is_wide=True),
        Column(header="files", is_number=True),
        Column(header="compressed", is_number=True, shown_from=60),
        Column(header="size", is_number=True),
        Column(header="on disk", is_number=True),
    )
    directories = usage.directories[:limit] if limit else usage.directories
    rows = [(root, usage.total)]
    rows += [(f"  class {name}", space) for name, space in usage.classes]
    rows += [(f"  {name}/", space) for name, space in directories]
    return Table(columns=columns, rows=[_row(name, space) for name, space in rows])


def _row(name: str, space: Space) -> tuple[Any, ...]:
    return (
        cell(terminal(name)),
        cell(f"{space.files:,}"),
        cell(f"{space.compressed_files:,}"),
        cell(size_words(space.size_bytes)),
        cell(size_words(space.allocated_bytes)),
    )
