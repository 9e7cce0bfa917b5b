"""One rotation of one root: look, plan, apply, measure, record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pytest_causal.artifacts.directory import Root
from pytest_causal.artifacts.root_lock import hold_root
from pytest_causal.artifacts.rotation import Applied, Progress, apply_plan
from pytest_causal.artifacts.rotation_log import append_record, known_incompressible, rotation_record
from pytest_causal.artifacts.survey import Survey, measure, survey_root
from pytest_causal.errors import ArtifactError
from pytest_causal.model.artifact import Outcome, Plan, Rotation, RotationPolicy


def plan_root(path: Path, policy: RotationPolicy, *, now_us: int) -> Rotation:
    """Return what a rotation would do now; nothing is changed, not even a lock is taken. Raises CausalError."""
    with Root.open(path) as root:
        found = _survey(root, policy, now_us)
    return Rotation(found.plan, policy, found.problems)


def rotate_root(
    path: Path,
    policy: RotationPolicy,
    *,
    now_us: int,
    deadline_seconds: float | None = None,
    on_plan: Callable[[Plan], object] | None = None,
    progress: Progress | None = None,
) -> Rotation:
    """Rotate a root. ``on_plan`` is told the plan before anything is done.

    Raises RootBusyError where another rotation holds the root, MissingInputError where there is none, ConfigError for
    classes that cannot be used and where something is to be compressed without a codec.
    """
    with Root.open(path) as root, hold_root(root, run_id=str(now_us)):
        plan, problems = _survey(root, policy, now_us)
        if on_plan:
            on_plan(plan)
        applied = apply_plan(root, plan, policy, deadline_seconds=deadline_seconds, progress=progress)
        outcome = _outcome(root, plan, applied, problems)
        try:
            append_record(root, rotation_record(plan, outcome, policy, now_us))
        except ArtifactError as error:
            outcome = outcome._replace(problems=(*outcome.problems, str(error)))
    return Rotation(plan, policy, problems, outcome)


def forced(policy: RotationPolicy) -> RotationPolicy:
    """Return a policy whose run may delete any share of the files."""
    return replace(policy, max_removed_ratio=1.0)


def _survey(root: Root, policy: RotationPolicy, now_us: int) -> Survey:
    return survey_root(root, policy, now_us=now_us, incompressible=known_incompressible(root))


def _outcome(root: Root, plan: Plan, applied: Applied, problems: tuple[str, ...]) -> Outcome:
    total, allocated = measure(root) if applied.results else (plan.total_bytes, plan.allocated_bytes)
    return Outcome(applied.results, applied.archives, problems, total, allocated)
