"""What a run would be, told before it is begun: its plan in words, and which guards could ever act."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pytest_causal.views.escape import terminal
from pytest_causal.views.times import duration
from tools.soak.guards import Guard
from tools.soak.identity import stand
from tools.soak.plan import Plan
from tools.soak.reachability import Outlook
from tools.soak.reachability import explain as reach
from tools.soak.tuner import rules_path
from tools.soak.tuning import Tuning
from tools.soak.workload_mock import WINDOW_SECONDS

_SECOND_US = 1_000_000
_GUARD_COLUMNS = max(map(len, Guard))


def explain(asked: Plan, out: Path) -> Iterator[str]:
    """Yield lines on a run that would be begun now. Raises as beginning it would."""
    ground = stand(asked, out / asked.run)
    plan = ground.plan
    yield f"{terminal(plan.scenario)}: {terminal(_length(plan))}, KPI set {terminal(plan.kpi_set)}, seed {plan.seed}\n"
    for limit in ground.kpis.limits:
        shown = {name: getattr(limit, name) for name in ("min", "soft_min", "soft_max", "max")}
        words = ", ".join(f"{name} {value:g}" for name, value in shown.items() if value is not None)
        yield f"  {terminal(limit.metric)}: {words}\n"
    if not plan.auto_tune:
        yield "nothing is tuned: guards are not asked\n"
        return
    tuning, policy = Tuning.from_file(rules_path(plan.rules_file)), ground.parameters.base()
    outlook = Outlook(
        iterations=plan.iterations,
        warmup=plan.warmup,
        period_us=round(_period_seconds(plan) * _SECOND_US),
        has_hard_limit=ground.kpis.has_hard_limit,
    )
    yield "guards, in their order:\n"
    for each in reach(tuning.rules, tuning.limits, policy.bounds, policy.flat, outlook):
        can = "can refuse" if each.can_happen else "can never refuse"
        yield f"  {each.guard:<{_GUARD_COLUMNS}}  {can}: {terminal(each.reason)}\n"


def _period_seconds(plan: Plan) -> float:
    """Return the time that an iteration stands for, as far as it is known before."""
    return max(plan.sleep_seconds, WINDOW_SECONDS if plan.workload == "mock" else 0.0)


def _length(plan: Plan) -> str:
    parts = []
    if plan.iterations is not None:
        parts.append(f"{plan.iterations} iterations")
    if plan.duration_seconds is not None:
        parts.append(f"{duration(plan.duration_seconds)}")
    if plan.warmup:
        parts.append(f"{plan.warmup} of them warm-up")
    if plan.sleep_seconds:
        parts.append(f"one every {duration(plan.sleep_seconds)}")
    return ", ".join(parts)
