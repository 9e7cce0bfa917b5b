"""A tree to be rotated, and what must be true of it whatever happened on the way."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

from pytest_causal.actions.rotate import plan_root, rotate_root
from pytest_causal.artifacts.directory import Root
from pytest_causal.artifacts.retrieval import find_holder, read_content
from pytest_causal.errors import MissingInputError
from pytest_causal.model.artifact import Action, ArtifactClass, KeepRules, Rotation, RotationPolicy

DAY_SECONDS = 86_400
NOW_SECONDS = 1_780_000_000
NOW_US = NOW_SECONDS * 1_000_000
CHANGING = (Action.COMPRESS, Action.ARCHIVE, Action.DELETE)

Contents = dict[str, bytes]


def policy(**limits: object) -> RotationPolicy:
    rules = KeepRules(keep_latest=2, compress_after_days=1, delete_after_days=30)
    classes = (
        ArtifactClass(
            name="summaries",
            patterns=("ITER_SUMMARY_*.json",),
            iteration=r"^ITER_SUMMARY_(\d+)\.json$",
            rules=rules,
        ),
        ArtifactClass(
            name="journals",
            patterns=("*.jsonl",),
            rules=KeepRules(keep_latest=0, compress_after_days=1, delete_after_days=30),
        ),
    )
    given: dict[str, object] = {"min_archive_files": 3, "jobs": 1, "max_size_bytes": None}
    return RotationPolicy(classes=classes, **(given | limits))  # type: ignore[arg-type] # the caller knows the names


def fill(root: Path, *, seed: int = 1, large_bytes: int = 200_000) -> Contents:
    """Write a tree: small and large old files, some that are kept, some past their time; return what must stay."""
    draw = random.Random(seed)
    contents: Contents = {}
    for number in range(8):
        contents[f"run/ITER_SUMMARY_{number}.json"] = _json(draw, 40)
    for number in range(3):
        contents[f"run/journal_{number}.jsonl"] = _json(draw, large_bytes // 10)[
            : large_bytes - number * 10_000
        ]
    contents["run/TUNING_REPORT.json"] = _json(draw, 5)
    for name, content in contents.items():
        write(root / name, content, days_old=5)
    for number in range(2):
        write(root / f"run/expired_{number}.jsonl", b"old\n" * 9, days_old=40)
    return contents


def write(path: Path, content: bytes, *, days_old: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    mtime_ns = (NOW_SECONDS - int(days_old * DAY_SECONDS)) * 1_000_000_000
    os.utime(path, ns=(mtime_ns, mtime_ns))


def _json(draw: random.Random, numbers: int) -> bytes:
    return json.dumps({"values": [draw.randrange(10**6) for _ in range(numbers)]}).encode()


def lost(root: Path, contents: Contents) -> list[str]:
    """Return the names whose content cannot be read any more, byte for byte."""
    found = []
    with Root.open(root) as opened:
        for name, content in contents.items():
            try:
                if b"".join(read_content(opened, find_holder(opened, name))) != content:
                    found.append(f"{name} differs")
            except MissingInputError:
                found.append(f"{name} is gone")
    return found


def rotate(root: Path, **limits: object) -> Rotation:
    return rotate_root(root, policy(**limits), now_us=NOW_US)


def unfinished(root: Path, **limits: object) -> list[str]:
    """Return what a further run would still do."""
    planned = plan_root(root, policy(**limits), now_us=NOW_US).plan
    return [f"{each.action} {each.artifact.name}" for each in planned.actions if each.action in CHANGING]


def strays(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if path.name.endswith(".tmp"))
