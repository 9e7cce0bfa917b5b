"""What a run is: everything that was chosen when it began. A resumed run is the same run, or it is refused."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_causal.errors import CausalError, ExitCode, UsageError
from pytest_causal.settings.scalars import shown
from tools.soak.warmup import Phase, phase_of

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", re.ASCII)
DEFAULT_TIMEOUT_SECONDS = 1200.0


class ChangedPlanError(CausalError):
    """A run would go on as another run than it began."""

    exit_code = ExitCode.BAD_CONFIG


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The identity of a run. Times are in seconds; ``None`` is no limit.

    ``options`` are the workload's own. ``values`` is dotted path -> value in force at the start, secrets masked, and
    ``fingerprint`` that of the true values; ``profile_hashes`` is file name -> SHA-256 of each profile of the chain.
    ``kpi`` is metric -> limits of the set, ``rules`` the hash of the tuning rules. ``rules_file`` and ``overrides``
    are files as given, empty for the toolkit's own and the run's own.
    """

    run: str
    version: str
    workload: str
    options: Mapping[str, Any] = field(default_factory=dict)
    iterations: int | None = None
    duration_seconds: float | None = None
    warmup: int = 0
    rampdown: int = 0
    sleep_seconds: float = 0.0
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    budget_seconds: float | None = None
    abort_after_seconds: float | None = None
    seed: int = 0
    auto_tune: bool = False
    kpi_set: str = ""
    kpi: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    profile: str = ""
    profile_hashes: Mapping[str, str] = field(default_factory=dict)
    sets: tuple[str, ...] = ()
    preset: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str = ""
    bounds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    rules: str = ""
    rules_file: str = ""
    overrides: str = ""
    keep_summaries: int = 0
    has_history: bool = True

    @property
    def scenario(self) -> str:
        """The scenario under which the iterations join history."""
        return f"soak:{self.workload}/{self.profile or 'default'}"

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON types."""
        return {**dataclasses.asdict(self), "sets": list(self.sets)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """Return what :meth:`to_json` described. Raises TypeError for the plan of another version."""
        return cls(**{**data, "sets": tuple(data["sets"])})

    def phase(self, iteration: int) -> Phase:
        """Return where in the run an iteration stands."""
        return phase_of(iteration, warmup=self.warmup, rampdown=self.rampdown)


def is_run_name(name: str) -> bool:
    """Return whether a run may be called that: a plain name of a folder."""
    return bool(_NAME.fullmatch(name))


def check_run_name(name: str) -> str:
    """Return the name. Raises UsageError for one that is no plain name of a folder."""
    if not is_run_name(name):
        raise UsageError(f"{shown(name)} is no name of a run", "a name is letters, digits, '_', '-' and '.'")
    return name


def differences(began: Plan, now: Plan) -> list[str]:
    """Return a line for each thing that a run would now be different in, by name."""
    before, after = _flat(began.to_json()), _flat(now.to_json())
    return [
        f"{name}: was {shown(before.get(name))}, is {shown(after.get(name))}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def refuse_changes(began: Plan, now: Plan) -> None:
    """Raise ChangedPlanError, with what is different, where a run would go on as another one."""
    if lines := differences(began, now):
        raise ChangedPlanError(
            f"run {began.run} began with another plan: {'; '.join(lines)}",
            "put that back, begin a new run, or go on all the same with --force",
        )


def refuse_the_impossible(plan: Plan) -> None:
    """Raise UsageError for a run that can never be done within its budget."""
    if plan.iterations is None:
        return
    least_seconds = (plan.iterations - 1) * plan.sleep_seconds
    if plan.budget_seconds is not None and least_seconds >= plan.budget_seconds:
        raise UsageError(
            f"{plan.iterations} iterations, one every {plan.sleep_seconds:g} s, take {least_seconds:g} s, and the"
            f" budget is {plan.budget_seconds:g} s",
            "give a larger --budget or fewer --iterations",
        )


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    return dict(_leaves(table, prefix))


def _leaves(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", list(value) if isinstance(value, tuple) else value
