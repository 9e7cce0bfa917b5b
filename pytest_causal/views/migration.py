"""A migration before and after: what is written, what became of every value, and what stands in the way."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any

from pytest_causal.policy.migration import ASIDE, Migration
from pytest_causal.policy.migration_plan import Fate, Note
from pytest_causal.policy.tree import nest, thawed
from pytest_causal.settings.scalars import shown
from pytest_causal.views.escape import terminal
from pytest_causal.views.summary import Line

SCHEMA = "causal.migration/1"
_WORTH_SAYING = frozenset({Fate.OUTWEIGHED, Fate.REPORTED})


def migration_document(migration: Migration, *, is_dry_run: bool) -> dict[str, Any]:
    """Return a migration as JSON: schema ``causal.migration/1``."""
    plan = migration.plan
    return {
        "schema": SCHEMA,
        "is_dry_run": is_dry_run,
        "inputs": [
            {"file": str(file.path), "kind": str(file.kind), "sha256": file.sha256} for file in plan.files
        ],
        "profiles": [
            {
                "name": output.path.stem,
                "file": str(output.path),
                "is_new": not output.is_there,
                "values": nest(plan.profiles[output.path.stem]),
            }
            for output in migration.profiles
        ],
        "overrides": {
            "file": str(migration.overrides.path),
            "is_new": not migration.are_overrides_there,
            "values": nest(plan.overrides),
        },
        "notes": [_note_document(note) for note in plan.notes],
        "problems": list(plan.problems),
        "backup": None if migration.is_empty else str(migration.backup),
    }


def migration_lines(migration: Migration, *, is_dry_run: bool) -> Iterator[Line]:
    """Yield the lines that a person reads: problems, or else what is written, noted and moved."""
    plan = migration.plan
    for problem in plan.problems:
        yield Line(text=terminal(problem), marks=("red",))
    if plan.problems:
        return
    for note in plan.notes:
        if note.fate in _WORTH_SAYING or note.why:
            yield _note_line(note)
    will = "would be" if is_dry_run else "was"
    for output in migration.profiles:
        words = "has these values already" if output.is_there else f"{will} written"
        yield Line(text=terminal(f"profile {output.path.stem}: {output.path} {words}"))
    if plan.overrides:
        words = "has these values already" if migration.are_overrides_there else f"{will} written"
        yield Line(text=terminal(f"overrides: {migration.overrides.path} {words}"))
    for file in plan.files:
        yield Line(text=terminal(f"{file.path} {will} moved to {file.path.name}{ASIDE}"))
    yield Line(text=terminal(f"copies and the report: {migration.backup}"))


def migration_diff(migration: Migration) -> str:
    """Return the unified diff of what would be written."""
    parts = []
    for output in migration.profiles:
        if not output.is_there:
            parts.append(_diff(str(output.path), "", output.text))
    if not migration.are_overrides_there:
        before = {path: thawed(value) for path, value in migration.overrides.leaves.items()}
        after = before | {path: thawed(value) for path, value in migration.plan.overrides.items()}
        texts = (json.dumps(nest(values), indent=2) + "\n" if values else "" for values in (before, after))
        parts.append(_diff(f"{migration.overrides.path} (values)", *texts))
    return "".join(parts)


def _diff(name: str, before: str, after: str) -> str:
    old = before.splitlines(keepends=True)
    new = after.splitlines(keepends=True)
    lines = difflib.unified_diff(old, new, name if before else "/dev/null", name)
    return "".join(terminal(line.removesuffix("\n")) + "\n" for line in lines)


def _note_document(note: Note) -> dict[str, Any]:
    return {
        "place": note.place,
        "path": note.path,
        "value": thawed(note.value),
        "fate": note.fate.name.lower(),
        "target": note.target or None,
        "why": note.why or None,
    }


def _note_line(note: Note) -> Line:
    why = f": {note.why}" if note.why else ""
    target = f" {note.target}" if note.target else ""
    text = f"{note.place}: {note.path} = {shown(thawed(note.value))} goes {note.fate}{target}{why}"
    if note.fate in (Fate.SAME, Fate.OUTWEIGHED):
        text = f"{note.place}: {note.path} = {shown(thawed(note.value))} is {note.fate}{why}"
    return Line(text=terminal(text), marks=("yellow",))
