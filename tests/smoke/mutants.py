"""A pytest plugin that breaks the soak toolkit in the way that ``SOAK_MUTANT`` names."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_causal.policy.bounds import Bound
from tools.soak import guards, loop, parameters, run
from tools.soak.mock_market import MockMarket
from tools.soak.parameters import Applied, Parameters, Step
from tools.soak.workload_mock import MockWorkload

_apply = Parameters.apply
_measure = MockMarket.measure
_leaves_after = parameters._leaves_after
_step = guards._step
_workload = MockWorkload.measure
BASE: dict[int, dict[str, Any]] = {}


def apply_dropped(patch: pytest.MonkeyPatch) -> None:
    """Say that a change was applied, and apply nothing."""
    patch.setattr(
        Parameters, "apply", lambda self, steps, author, *, from_revision: Applied(from_revision, "", "")
    )


def sign_inverted(patch: pytest.MonkeyPatch) -> None:
    """Move every value the other way."""

    def step(proposal: Any, values: Mapping[str, Any], bounds: Mapping[str, Bound]) -> Any:
        return _step(proposal._replace(delta=-proposal.delta, floor=None, cap=None), values, bounds)

    patch.setattr(guards, "_step", step)
    patch.setitem(guards._GUARDS, guards.Guard.BOUNDS, lambda case: None)


def clamp_skipped(patch: pytest.MonkeyPatch) -> None:
    """Neither clamp a value to its bounds nor refuse it."""

    def step(proposal: Any, values: Mapping[str, Any], bounds: Mapping[str, Bound]) -> Any:
        return _step(proposal._replace(delta=3 * proposal.delta, floor=None, cap=None), values, {})

    patch.setattr(Bound, "holds", lambda self, value: True)
    patch.setattr(guards, "_step", step)


def wrong_key_written(patch: pytest.MonkeyPatch) -> None:
    """Write the change under the table of another tool."""

    def leaves_after(found: Any, policy: Any, steps: Any) -> dict[str, Any]:
        leaves = _leaves_after(found, policy, steps)
        return {f"risk.{path.rpartition('.')[2]}": value for path, value in leaves.items()}

    patch.setattr(parameters, "_leaves_after", leaves_after)


def workload_deaf(patch: pytest.MonkeyPatch) -> None:
    """Measure under the values of the first iteration for ever."""

    def measure(self: MockWorkload, task: Any) -> Any:
        first = BASE.setdefault(id(self), dict(task.values))
        return _workload(self, task._replace(values=first))

    patch.setattr(MockWorkload, "measure", measure)


def delta_as_value(patch: pytest.MonkeyPatch) -> None:
    """Write the change itself in place of the changed value."""

    def apply(self: Parameters, steps: Any, author: Any, *, from_revision: int) -> Applied:
        moved = [Step(path, before, after - before) for path, before, after in steps]
        return _apply(self, moved, author, from_revision=from_revision)

    patch.setattr(Bound, "holds", lambda self, value: True)
    patch.setattr(Parameters, "apply", apply)


def verdict_ignored(patch: pytest.MonkeyPatch) -> None:
    """Exit with 0 whatever the limits say."""
    told = run._ending
    patch.setattr(run, "_ending", lambda progress, folder: told(progress, folder)._replace(exit_code=0))


def metrics_by_index(patch: pytest.MonkeyPatch) -> None:
    """Give metrics that depend on the number of the iteration alone, though all values are read."""

    def measure(self: MockMarket, values: Any, iteration: int) -> dict[str, float]:
        kpis = _measure(self, values, iteration)
        return {**kpis, "net_bps": 2.0 + 0.01 * iteration}

    patch.setattr(MockMarket, "measure", measure)


def credit_for_nothing(patch: pytest.MonkeyPatch) -> None:
    """Read nothing, and be credited."""

    def measure(self: MockWorkload, task: Any) -> Any:
        return _workload(self, task)._replace(reads=())

    patch.setattr(MockWorkload, "measure", measure)
    patch.setattr(loop.Loop, "_credited", lambda self, measurement: sorted(self.progress.pending))


MUTANTS: Mapping[str, Callable[[pytest.MonkeyPatch], None]] = {
    each.__name__: each
    for each in (
        apply_dropped,
        sign_inverted,
        clamp_skipped,
        wrong_key_written,
        workload_deaf,
        delta_as_value,
        verdict_ignored,
        metrics_by_index,
        credit_for_nothing,
    )
}


def pytest_configure(config: pytest.Config) -> None:
    name = os.environ.get("SOAK_MUTANT", "")
    if name:
        patch = pytest.MonkeyPatch()
        config.add_cleanup(patch.undo)
        MUTANTS[name](patch)
        print(f"mutant {name} is in force", file=sys.stderr)
