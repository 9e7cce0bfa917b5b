"""What ``causal trial`` shows: each scenario and metric in both arms, what it read, and the verdict in words."""

from __future__ import annotations

import json
from typing import Any

from pytest_causal.model.change import Change
from pytest_causal.model.promotion import FAILURE_RATE, TIMEOUT_RATE
from pytest_causal.model.trial import (
    Better,
    BrokenLimit,
    Comparison,
    Finding,
    Lack,
    ScenarioComparison,
    TrialPlan,
    TrialReason,
    TrialResult,
    TrialVerdict,
)
from pytest_causal.policy.canonical import canonical
from pytest_causal.policy.secrets import MASK
from pytest_causal.views.escape import terminal
from pytest_causal.views.summary import Line
from pytest_causal.views.tables import Cell, Column, Table, cell
from pytest_causal.views.times import duration, utc_stamp
from pytest_causal.views.words import percent, plural

SCHEMA = "causal.trial/1"
_COLUMNS = (
    Column(header="scenario", is_wide=True),
    Column(header="quantity"),
    Column(header="control", is_number=True),
    Column(header="candidate", is_number=True),
    Column(header="difference", is_number=True, shown_from=90),
    Column(header="between", is_number=True, shown_from=120),
    Column(header="noise", is_number=True, shown_from=100),
    Column(header="p worse", is_number=True, shown_from=100),
    Column(header="rounds", is_number=True, shown_from=100),
    Column(header="finding"),
)
_FAILURES = "failed"
_MOST_LIMITS = 5
"""Broken limits that are named; the others are counted."""
_FINDING_WORDS = {
    Finding.WORSE: "worse",
    Finding.BETTER: "better",
    Finding.NOT_WORSE: "not worse",
    Finding.INCONCLUSIVE: "inconclusive",
}
_LACK_WORDS = {
    Lack.NO_DATA: "no data",
    Lack.TOO_FEW_ROUNDS: "too few rounds",
    Lack.TOO_NOISY: "too noisy",
    Lack.NO_DIRECTION: "not judged",
}
_FINDING_MARKS = {
    Finding.WORSE: ("red", "bold"),
    Finding.BETTER: ("green",),
    Finding.NOT_WORSE: ("green",),
    Finding.INCONCLUSIVE: ("yellow",),
}
_VERDICT_MARKS = {
    TrialVerdict.PASS: ("green", "bold"),
    TrialVerdict.FAIL: ("red", "bold"),
    TrialVerdict.INCONCLUSIVE: ("yellow", "bold"),
}


def plan_lines(plan: TrialPlan, secrets: frozenset[str]) -> list[Line]:
    """Return what is about to be tried: the change, how it is run, and the seed that the order is drawn from."""
    lines = [Line(text=f"trial of {plan.rule.name}: {_change_words(plan.change, secrets)}")]
    budget = f", {duration(plan.budget_seconds)} at most" if plan.budget_seconds is not None else ""
    lines.append(
        Line(
            text=f"{plan.kind}, {plural(plan.rounds, 'round')} of control and candidate in an order drawn from "
            f"seed {plan.seed}{budget}",
            marks=("dim",),
        )
    )
    return lines


def trial_table(result: TrialResult, width: int) -> Table:
    """Return the comparisons for a terminal of this many columns."""
    rows = []
    for each in result.scenarios:
        rows.append(_row(terminal(each.scenario), _FAILURES, each.failures, is_share=True))
        rows += [_row("", terminal(name, 40), comparison) for name, comparison in each.metrics]
    return Table(columns=_COLUMNS, rows=rows).fitted(width)


def trial_lines(result: TrialResult) -> list[Line]:
    """Return what stands below the table: what was read, what went wrong, and the verdict."""
    lines = [_read_line(each) for each in result.scenarios]
    lines += [
        Line(text=f"no run of scenario {terminal(each)}", marks=("yellow",)) for each in result.unmatched
    ]
    lines += [
        Line(text=f"nobody reported {terminal(each)} in both arms", marks=("yellow",))
        for each in result.unreported
    ]
    lines += [Line(text=terminal(each), marks=("yellow",)) for each in result.problems]
    lines += [Line(text=_limit_words(each), marks=("red",)) for each in result.broken[:_MOST_LIMITS]]
    if (hidden := len(result.broken) - _MOST_LIMITS) > 0:
        lines.append(Line(text=f"and {plural(hidden, 'more limit')}", marks=("red",)))
    if result.stopped:
        lines.append(Line(text=f"stopped early: {result.stopped}", marks=("yellow",)))
    lines.append(Line(text=_verdict_words(result), marks=_VERDICT_MARKS[result.verdict]))
    return lines


def trial_document(result: TrialResult, secrets: frozenset[str]) -> dict[str, Any]:
    """Return the result as one JSON object, ``causal.trial/1``. Secrets are masked."""
    plan = result.plan
    return {
        "schema": SCHEMA,
        "promotion": plan.rule.name,
        "kind": plan.kind.value,
        "command": list(plan.words),
        "change": _change_document(plan.change, secrets),
        "seed": plan.seed,
        "alpha": plan.alpha,
        "min_effect": plan.min_effect,
        "rounds_planned": plan.rounds,
        "budget_seconds": plan.budget_seconds,
        "timeout_seconds": plan.timeout_seconds,
        "started_at": utc_stamp(result.started_us),
        "elapsed_seconds": round(result.elapsed_seconds, 3),
        "rounds": result.rounds,
        "rounds_needed": result.rounds_needed,
        "verdict": result.verdict.value,
        "is_inert": result.is_inert,
        "reasons": [reason.value for reason in result.reasons],
        "explanation": _verdict_words(result),
        "scenarios": [_scenario_document(each) for each in result.scenarios],
        "broken_limits": [_limit_document(each) for each in result.broken],
        "unmatched": list(result.unmatched),
        "unreported": list(result.unreported),
        "sessions": list(result.sessions),
        "stopped": result.stopped or None,
        "problems": list(result.problems),
    }


def _row(scenario: str, quantity: str, seen: Comparison, *, is_share: bool = False) -> tuple[Cell, ...]:
    between = f"{_figure(seen.low, is_share)} .. {_figure(seen.high, is_share)}"
    marks = _FINDING_MARKS[seen.finding] if seen.better is not Better.UNKNOWN else ("dim",)
    finding = _LACK_WORDS.get(seen.lack) or _FINDING_WORDS[seen.finding]
    return (
        cell(scenario),
        cell(quantity),
        cell(_figure(seen.control, is_share)),
        cell(_figure(seen.candidate, is_share)),
        cell(_figure(seen.difference, is_share, has_sign=True)),
        cell(between if seen.low is not None or seen.high is not None else "-"),
        cell(_figure(seen.noise_floor, is_share)),
        cell("-" if seen.p_worse is None else f"{seen.p_worse:.2g}"),
        cell(f"{seen.rounds}"),
        cell(finding, *marks),
    )


def _figure(value: float | None, is_share: bool, *, has_sign: bool = False) -> str:
    if value is None:
        return "-"
    if is_share:
        text = percent(abs(value)) if value else "0 %"
        return f"-{text}" if value < 0 else f"+{text}" if has_sign and value else text
    return f"{value:+.4g}" if has_sign else f"{value:.4g}"


def _read_line(each: ScenarioComparison) -> Line:
    name = terminal(each.scenario)
    if each.is_inert:
        return Line(
            text=f"{name} is inert: none of its candidate runs read a changed value", marks=("yellow",)
        )
    if not each.reads:
        return Line(text=f"{name} left no run of the candidate", marks=("yellow",))
    reads = ", ".join(f"{terminal(path)} ({how})" for path, how in each.reads)
    return Line(text=f"{name} read {reads}", marks=("dim",))


def _limit_words(each: BrokenLimit) -> str:
    relation = "above" if each.side == "max" else "below"
    is_share = each.signal in (FAILURE_RATE, TIMEOUT_RATE)
    when = f"on average of {plural(each.rounds, 'round')}" if each.is_mean else f"in round {each.rounds}"
    control = "" if each.control is None else f" (control {_figure(each.control, is_share)})"
    return (
        f"limit broken by {terminal(each.scenario)}: {terminal(each.signal)} {_figure(each.value, is_share)} is "
        f"{relation} {each.side} {_figure(each.limit, is_share)} {when}{control}"
    )


def _verdict_words(result: TrialResult) -> str:
    rounds = plural(result.rounds, "round")
    if result.verdict is TrialVerdict.PASS:
        effect = percent(result.plan.min_effect)
        return f"pass: in {rounds} nothing was worse, and a harm of {effect} is ruled out ({_confidence(result)})"
    said = "; ".join(_REASON_WORDS[reason] for reason in result.reasons)
    needed = f" ({result.rounds_needed} at least)" if TrialReason.TOO_FEW_ROUNDS in result.reasons else ""
    return f"{result.verdict} after {rounds}: {said}{needed}"


def _confidence(result: TrialResult) -> str:
    return f"{percent(1 - result.plan.alpha)} sure"


_REASON_WORDS = {
    TrialReason.WORSE: "the candidate is worse than control",
    TrialReason.LIMIT_BROKEN: "the candidate broke a hard limit",
    TrialReason.NOTHING_TO_CHANGE: "the policy has these values already, there is nothing to try",
    TrialReason.INTERRUPTED: "it was interrupted",
    TrialReason.NO_RECORD: "no run was recorded",
    TrialReason.NO_SCENARIO: "a scenario that must vouch did not run",
    TrialReason.INERT: "a scenario never read what the change changes",
    TrialReason.METRIC_MISSING: "a metric that the rule limits was not reported",
    TrialReason.NO_DATA: "something was not measured in both arms",
    TrialReason.TOO_NOISY: "what was measured varies too much to rule a harm out in so many rounds",
    TrialReason.TOO_FEW_ROUNDS: "it takes more rounds to tell",
}


def _change_words(change: Change | None, secrets: frozenset[str]) -> str:
    if change is None:
        return "nothing to change"
    return ", ".join(
        f"{step.path} {_shown(step.path, step.before, secrets)} -> {_shown(step.path, step.after, secrets)}"
        for step in change.steps
    )


def _shown(path: str, value: Any, secrets: frozenset[str]) -> str:
    return MASK if path in secrets else terminal(canonical(value), 60)


def _change_document(change: Change | None, secrets: frozenset[str]) -> list[dict[str, Any]]:
    def plain(path: str, value: Any) -> Any:
        return MASK if path in secrets else json.loads(canonical(value))

    steps = change.steps if change is not None else ()
    return [
        {"path": step.path, "from": plain(step.path, step.before), "to": plain(step.path, step.after)}
        for step in steps
    ]


def _scenario_document(each: ScenarioComparison) -> dict[str, Any]:
    return {
        "scenario": each.scenario,
        "is_inert": each.is_inert,
        "reads": [{"path": path, "how": how} for path, how in each.reads],
        "control_runs": each.control_runs,
        "candidate_runs": each.candidate_runs,
        "idle_runs": each.idle_runs,
        "failures": _comparison_document(each.failures),
        "metrics": {name: _comparison_document(comparison) for name, comparison in each.metrics},
    }


def _comparison_document(seen: Comparison) -> dict[str, Any]:
    return {
        "rounds": seen.rounds,
        "better": seen.better.value,
        "finding": seen.finding.value,
        "lack": seen.lack.value or None,
        "control": seen.control,
        "candidate": seen.candidate,
        "difference": seen.difference,
        "low": seen.low,
        "high": seen.high,
        "noise_floor": seen.noise_floor,
        "minimum": seen.minimum,
        "p_worse": seen.p_worse,
        "p_better": seen.p_better,
    }


def _limit_document(each: BrokenLimit) -> dict[str, Any]:
    return {
        "scenario": each.scenario,
        "signal": each.signal,
        "side": each.side,
        "limit": each.limit,
        "value": each.value,
        "control": each.control,
        "rounds": each.rounds,
        "is_mean": each.is_mean,
    }


def progress_words(round_: int, rounds: int, arm: str, seconds_left: float | None) -> str:
    """Return one line on how far a trial is."""
    left = f", about {duration(seconds_left)} left" if seconds_left is not None else ""
    return f"round {round_} of {rounds}: {terminal(arm)}{left}"
