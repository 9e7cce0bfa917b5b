from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pytest_causal.model.change import CONTROL, Change, Step
from pytest_causal.model.promotion import MetricLimit, PromotionRule, Trigger
from pytest_causal.model.run import Cause, Metric, Outcome, Phase, Read, ReadHow, Run
from pytest_causal.model.trial import Attempt, Better, Finding, Kind, TrialPlan, TrialReason, TrialVerdict
from pytest_causal.rules.trial_verdict import (
    ChangedValues,
    Findings,
    Round,
    direction,
    find_broken,
    judge_trial,
)

CHANGE = Change((Step("pool.size", 2, 4),))
CHANGED = ChangedValues({"pool.size": "2"}, {"pool.size": "4"})
RULE = PromotionRule("bigger", ("s",))
MS = MetricLimit("ms", max=500.0)
FAILURE = Cause(Phase.CALL, "builtins.AssertionError", "")
CANDIDATE = RULE.candidate(CHANGE).arm


def a_plan(**fields: Any) -> TrialPlan:
    given: dict[str, Any] = {"rule": RULE, "change": CHANGE, "kind": Kind.PYTEST, "words": (), "rounds": 20}
    return TrialPlan(
        **(given | {"timeout_seconds": 60.0, "seed": 1, "min_effect": 0.2, "alpha": 0.05} | fields)
    )


def a_run(arm: str, outcome: Outcome = Outcome.PASSED, scenario: str = "s", **fields: Any) -> Run:
    given: dict[str, Any] = {
        "reads": (Read("pool.size", "2" if arm == CONTROL else "4"),),
        "cause": FAILURE if outcome is Outcome.FAILED else None,
    } | fields
    return Run(scenario=scenario, nodeid=scenario, outcome=outcome, started_us=1, arm=arm, **given)


def rounds(
    control: Callable[[int], Sequence[Run]], candidate: Callable[[int], Sequence[Run]], count: int = 14
):
    return [
        Round(
            Attempt(number, CONTROL, runs=tuple(control(number))),
            Attempt(number, CANDIDATE, runs=tuple(candidate(number))),
        )
        for number in range(1, count + 1)
    ]


def passing(arm: str, **fields: Any) -> Callable[[int], Sequence[Run]]:
    return lambda number: [a_run(arm, **fields)]


def measuring(arm: str, level: float) -> Callable[[int], Sequence[Run]]:
    return lambda number: [a_run(arm, metrics=(Metric("ms", level + number % 3),))]


def judge(found: list[Round], **fields: Any) -> Findings:
    return judge_trial(a_plan(**fields), found, CHANGED)


def reasons(found: Findings) -> list[TrialReason]:
    assert found.verdict is not TrialVerdict.PASS
    return list(found.reasons)


def test_a_candidate_that_is_not_worse_passes() -> None:
    found = judge(rounds(passing(CONTROL), passing(CANDIDATE)))
    assert (found.verdict, found.reasons) == (TrialVerdict.PASS, ())
    (scenario,) = found.scenarios
    assert scenario.reads == (("pool.size", "tracked"),)
    assert (scenario.control_runs, scenario.candidate_runs, scenario.failures.finding) == (
        14,
        14,
        Finding.NOT_WORSE,
    )


def test_too_few_rounds_say_how_many_it_takes() -> None:
    found = judge(rounds(passing(CONTROL), passing(CANDIDATE), 13))
    assert reasons(found) == [TrialReason.TOO_FEW_ROUNDS]
    assert found.rounds_needed == 14


def test_a_candidate_that_fails_fails_the_trial() -> None:
    found = judge(rounds(passing(CONTROL), passing(CANDIDATE, outcome=Outcome.FAILED)))
    assert (found.verdict, reasons(found)) == (TrialVerdict.FAIL, [TrialReason.WORSE])


def test_a_metric_that_the_rule_limits_is_judged_and_another_is_not() -> None:
    worse = rounds(measuring(CONTROL, 100.0), measuring(CANDIDATE, 200.0))
    assert judge(worse).verdict is TrialVerdict.PASS
    found = judge(worse, rule=RULE._replace(metrics=(MS,)))
    assert (found.verdict, reasons(found)) == (TrialVerdict.FAIL, [TrialReason.WORSE])
    better = rounds(measuring(CONTROL, 200.0), measuring(CANDIDATE, 100.0))
    assert judge(better, rule=RULE._replace(metrics=(MS,))).verdict is TrialVerdict.PASS


def test_m10_without_any_run_it_is_inconclusive() -> None:
    assert reasons(judge([])) == [TrialReason.NO_RECORD]
    assert reasons(judge(rounds(lambda number: [], lambda number: []))) == [TrialReason.NO_RECORD]


def test_m10_below_the_minimum_of_rounds_nothing_is_worse() -> None:
    found = judge(rounds(passing(CONTROL), passing(CANDIDATE, outcome=Outcome.FAILED), 4))
    assert (found.verdict, reasons(found)) == (TrialVerdict.INCONCLUSIVE, [TrialReason.TOO_FEW_ROUNDS])


def test_m10_all_skipped_is_inconclusive() -> None:
    found = judge(rounds(passing(CONTROL), passing(CANDIDATE, outcome=Outcome.SKIPPED)))
    assert reasons(found) == [TrialReason.NO_DATA]


def test_m10_passes_that_never_read_the_change_are_inert() -> None:
    found = judge(rounds(passing(CONTROL), passing(CANDIDATE, reads=())))
    assert reasons(found) == [TrialReason.INERT]
    assert found.scenarios[0].is_inert


def test_failures_that_are_only_assigned_the_change_leave_it_inert_and_count() -> None:
    assigned = (Read("pool.size", "4", ReadHow.ASSIGNED),)
    found = judge(rounds(passing(CONTROL), passing(CANDIDATE, outcome=Outcome.FAILED, reads=assigned)))
    assert (found.verdict, found.scenarios[0].is_inert) == (TrialVerdict.FAIL, True)


def test_m10_a_process_that_hung_or_died_failed_where_nothing_was_recorded() -> None:
    hung = [
        Round(each.control, Attempt(number, CANDIDATE, is_killed=True, is_timed_out=True))
        for number, each in enumerate(rounds(passing(CONTROL), lambda number: []), 1)
    ]
    found = judge(hung)
    assert found.verdict is TrialVerdict.FAIL
    assert found.scenarios[0].failures.candidate == 1.0
    rule = RULE._replace(triggers=(Trigger("timeout_rate", max=0.5),))
    assert find_broken(a_plan(rule=rule), hung[:1], CHANGED)[0].signal == "timeout_rate"


def test_what_was_recorded_before_a_process_hung_keeps_its_word() -> None:
    found = [
        Round(each.control, each.candidate._replace(is_killed=True))
        for each in rounds(passing(CONTROL), passing(CANDIDATE))
    ]
    assert judge(found).verdict is TrialVerdict.PASS


def test_a_hard_limit_fails_the_trial_however_few_rounds() -> None:
    rule = RULE._replace(triggers=(Trigger("failure_rate", max=0.5),))
    found = judge(rounds(passing(CONTROL), passing(CANDIDATE, outcome=Outcome.FAILED), 1), rule=rule)
    assert (found.verdict, reasons(found)) == (TrialVerdict.FAIL, [TrialReason.LIMIT_BROKEN])
    assert found.broken[0].rounds == 1


def test_every_pattern_must_have_run() -> None:
    both = rounds(passing(CONTROL), passing(CANDIDATE))
    found = judge(both, rule=RULE._replace(scenarios=("s", "other*")))
    assert reasons(found) == [TrialReason.NO_SCENARIO]
    assert found.unmatched == ("other*",)
    assert judge(both, rule=RULE._replace(scenarios=("?",))).verdict is TrialVerdict.PASS


def test_scenarios_that_the_rule_does_not_name_are_left_out_of_a_suite_but_not_of_a_program() -> None:
    both = rounds(passing(CONTROL, scenario="other"), passing(CANDIDATE, scenario="other"))
    assert reasons(judge(both)) == [TrialReason.NO_SCENARIO]
    assert judge(both, kind=Kind.COMMAND).verdict is TrialVerdict.PASS


@pytest.mark.parametrize(
    "rule",
    [RULE._replace(metrics=(MS,)), RULE._replace(triggers=(Trigger("ms", max_increase=0.2),))],
    ids=["criterion", "trigger"],
)
def test_a_limited_metric_that_is_not_reported_in_both_arms_is_missing(rule: PromotionRule) -> None:
    found = judge(rounds(measuring(CONTROL, 1.0), passing(CANDIDATE)), rule=rule)
    assert found.unreported == ("ms",)
    assert TrialReason.METRIC_MISSING in reasons(found)


def test_the_same_rounds_give_the_same_findings() -> None:
    found = rounds(measuring(CONTROL, 10.0), measuring(CANDIDATE, 11.0), 20)
    assert judge(found) == judge(found)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (RULE, Better.UNKNOWN),
        (RULE._replace(metrics=(MS,)), Better.LOWER),
        (RULE._replace(metrics=(MetricLimit("ms", min=1.0),)), Better.HIGHER),
        (RULE._replace(metrics=(MetricLimit("ms", min=1.0, max=2.0),)), Better.UNKNOWN),
        (RULE._replace(metrics=(MetricLimit("rows", max=2.0),)), Better.UNKNOWN),
        (RULE._replace(triggers=(Trigger("ms", max_increase=0.1),)), Better.LOWER),
        (RULE._replace(triggers=(Trigger("ms", max_decrease=0.1),)), Better.HIGHER),
        (RULE._replace(triggers=(Trigger("ms", max=0.0),)), Better.LOWER),
        (RULE._replace(triggers=(Trigger("ms", min=0.0),)), Better.HIGHER),
    ],
)
def test_the_direction_of_a_metric_is_what_the_rule_limits(rule: PromotionRule, expected: Better) -> None:
    assert direction(rule, "ms") is expected


def test_m10_both_arms_failing_before_they_read_anything_is_no_pass() -> None:
    assigned = (Read("pool.size", "4", ReadHow.ASSIGNED),)
    found = judge(
        rounds(
            passing(CONTROL, outcome=Outcome.FAILED, reads=()),
            passing(CANDIDATE, outcome=Outcome.FAILED, reads=assigned),
        )
    )
    assert reasons(found) == [TrialReason.INERT]
    assert found.scenarios[0].failures.finding is Finding.NOT_WORSE
