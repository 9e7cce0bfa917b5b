"""The log of rotations: ``rotation/ROTATION_LOG.jsonl`` below the root, a line for each run.

A record holds no path of the machine, no process and no duration, so the same tree, policy and clock make the same
bytes. It is written by one call, and a torn last line of a killed writer is closed first. When the log is full it
becomes ``ROTATION_LOG.1.jsonl`` in place of the one before. Records of the predecessors are read, never written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pytest_causal import clock
from pytest_causal.artifacts.directory import Root
from pytest_causal.errors import ArtifactError
from pytest_causal.model.artifact import (
    FAULTS,
    LOG_NAME,
    OLD_LOG_NAME,
    ROTATION_DIRECTORY,
    Action,
    Outcome,
    Plan,
    Problem,
    RotationPolicy,
)

SCHEMA = "causal.rotation/1"
MAX_LOG_BYTES = 2_000_000
MAX_NAMES = 500
"""Of each list in a record; the number of those left out is there."""


class LogLine(NamedTuple):
    """A line of the log: a record, ours or a predecessor's, or ``None`` and the text of what is neither."""

    record: dict[str, Any] | None
    text: str = ""

    @property
    def is_legacy(self) -> bool:
        """Whether a predecessor wrote it."""
        return self.record is not None and "schema" not in self.record


def rotation_record(plan: Plan, outcome: Outcome, policy: RotationPolicy, now_us: int) -> dict[str, Any]:
    """Return the record of a run: schema ``causal.rotation/1``. Sizes are in bytes, lists are sorted by name."""
    done = [result for result in outcome.results if result.problem is None]
    left = [result for result in outcome.results if result.problem is not None]
    reasons = {each.artifact.name: each.reasons for each in plan.actions}
    deleted = [
        {"name": each.name, "size_bytes": each.bytes_before, "reasons": list(reasons.get(each.name, ()))}
        for each in done
        if each.action is Action.DELETE
    ]
    compressed = [
        {"name": each.name, "size_bytes": each.bytes_before, "compressed_bytes": each.bytes_after}
        for each in done
        if each.action is Action.COMPRESS
    ]
    archives = [
        {
            "name": each.name,
            "members": each.members,
            "size_bytes": each.bytes_before,
            "compressed_bytes": each.bytes_after,
        }
        for each in outcome.archives
    ]
    return {
        "schema": SCHEMA,
        "at": _stamp(now_us),
        "counts": {
            "kept": sum(each.action is Action.KEEP for each in plan.actions),
            "left": sum(each.action is Action.LEAVE for each in plan.actions) + len(left),
            "compressed": len(compressed),
            "archived": sum(each.action is Action.ARCHIVE for each in done),
            "deleted": len(deleted),
            "held_back": plan.held_back,
        },
        "size": {
            "before_bytes": plan.total_bytes,
            "after_bytes": outcome.total_bytes,
            "limit_bytes": policy.max_size_bytes,
            "is_within_limit": outcome.is_within(policy.max_size_bytes),
        },
        "deleted": _capped(deleted),
        "compressed": _capped(compressed),
        "archives": _capped(archives),
        "problems": _capped(
            {"name": each.name, "problem": each.problem, "is_fault": each.problem in FAULTS} for each in left
        ),
        "incompressible": _capped(_incompressible(plan, outcome)),
        "unreadable": len(outcome.problems),
    }


def append_record(root: Root, record: Mapping[str, Any]) -> None:
    """Append a record and sync it; to be called by whoever holds the root's lock. Raises ArtifactError."""
    line = (json.dumps(record, sort_keys=True, allow_nan=False, separators=(",", ":")) + "\n").encode("ascii")
    root.make_folder(ROTATION_DIRECTORY)
    _make_room(root, len(line))
    descriptor = root.open_own(LOG_NAME, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line
        if os.write(descriptor, line) < len(line):
            raise ArtifactError(f"cannot write all of a record to {LOG_NAME}", "make room on the disk")
        os.fsync(descriptor)
    except OSError as error:
        raise ArtifactError(f"cannot write {LOG_NAME}: {error.strerror}", "check the disk") from error
    finally:
        os.close(descriptor)


def read_log(root: Root) -> Iterator[LogLine]:
    """Yield what the log holds, oldest first. Lines that are no JSON object come as text."""
    for name in (OLD_LOG_NAME, LOG_NAME):
        for line in _lines(root, name):
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                record = None
            if isinstance(record, dict):
                yield LogLine(record)
            elif line.strip():
                yield LogLine(None, line)


def known_incompressible(root: Root) -> dict[str, tuple[int, int]]:
    """Return name -> (size, mtime_ns) of the files that the last run knew not to shrink."""
    records = [line.record for line in read_log(root) if line.record and line.record.get("schema") == SCHEMA]
    try:
        items = records[-1]["incompressible"]["items"] if records else []
        return {str(each["name"]): (int(each["size_bytes"]), int(each["mtime_ns"])) for each in items}
    except (KeyError, TypeError, ValueError):
        return {}  # an edited record: the files are tried once more


def _incompressible(plan: Plan, outcome: Outcome) -> Iterator[dict[str, Any]]:
    found = {result.name for result in outcome.results if result.problem is Problem.DOES_NOT_SHRINK}
    for artifact, _, reasons in plan.actions:
        if artifact.name in found or "does-not-shrink" in reasons:
            yield {
                "name": artifact.name,
                "size_bytes": artifact.size_bytes,
                "mtime_ns": artifact.mtime_ns,
            }


def _capped(items: Iterable[dict[str, Any]]) -> dict[str, Any]:
    ordered = sorted(items, key=lambda item: str(item["name"]))
    return {"items": ordered[:MAX_NAMES], "omitted": max(0, len(ordered) - MAX_NAMES)}


def _make_room(root: Root, line_bytes: int) -> None:
    present = root.look_up(LOG_NAME)
    if present is None or present.size_bytes + line_bytes <= MAX_LOG_BYTES:
        return
    if (old := root.look_up(OLD_LOG_NAME)) is not None:
        root.unlink(old)
    root.set_aside(present, OLD_LOG_NAME)


def _lines(root: Root, name: str) -> list[str]:
    present = root.look_up(name)
    if present is None:
        return []
    descriptor = root.open_own(name, os.O_RDONLY)
    with open(descriptor, encoding="utf-8", errors="replace", newline="\n") as file:
        return file.read(_MAX_READ_CHARACTERS).split("\n")


_MAX_READ_CHARACTERS = 4 * MAX_LOG_BYTES
"""Of one log; what another program made longer is not read to its end."""


def _stamp(microseconds: int) -> str:
    return clock.at(microseconds).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"
