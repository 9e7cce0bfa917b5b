"""The classes of files that soaks leave behind, and named sets of limits for the places where they run."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import NamedTuple

from pytest_causal.model.artifact import ArtifactClass, KeepRules, RotationPolicy


class Preset(StrEnum):
    """Where a rotation runs."""

    DEVELOPMENT = "development"
    PULL_REQUEST = "pull_request"
    MAIN = "main"
    PRODUCTION = "production"


class Limits(NamedTuple):
    """How much is kept: the latest files, days until a file is compressed, and the size of it all in bytes."""

    keep_latest: int
    compress_after_days: float
    max_size_bytes: int


LIMITS = {
    Preset.DEVELOPMENT: Limits(keep_latest=50, compress_after_days=3, max_size_bytes=500_000_000),
    Preset.PULL_REQUEST: Limits(keep_latest=20, compress_after_days=1, max_size_bytes=200_000_000),
    Preset.MAIN: Limits(keep_latest=100, compress_after_days=7, max_size_bytes=900_000_000),
    Preset.PRODUCTION: Limits(keep_latest=200, compress_after_days=30, max_size_bytes=2_000_000_000),
}

SOAK_CLASSES = (
    ArtifactClass(
        name="summaries", patterns=("ITER_SUMMARY_*.json",), iteration=r"^ITER_SUMMARY_(\d+)\.json$"
    ),
    ArtifactClass(name="journals", patterns=("*.jsonl",)),
    ArtifactClass(name="snapshots", patterns=("snap_*", "*snapshot*.json")),
    ArtifactClass(name="logs", patterns=("*.log",)),
)
"""What the soak toolkit writes. Reports of a run (TUNING_REPORT.json) are of no class, and are left."""


def preset_policy(preset: Preset, classes: tuple[ArtifactClass, ...] = SOAK_CLASSES) -> RotationPolicy:
    """Return a policy with the limits of a preset for each of some classes."""
    limits = LIMITS[preset]
    rules = KeepRules(keep_latest=limits.keep_latest, compress_after_days=limits.compress_after_days)
    return RotationPolicy(
        classes=tuple(replace(each, rules=rules) for each in classes), max_size_bytes=limits.max_size_bytes
    )
