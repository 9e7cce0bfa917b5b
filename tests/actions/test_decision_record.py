"""A decision is made again from what the audit keeps of it, to the last digit."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.actions.decision_record import case_from, decision_document, replay
from pytest_causal.model.criteria import Criteria, Rule, Unit
from pytest_causal.model.evidence import Evidence, Tally
from pytest_causal.model.promotion import MetricLimit, MetricStanding
from pytest_causal.model.run import ReadHow
from pytest_causal.rules.candidacy import Arm, CandidateCase, ScenarioCase, judge_candidate
from pytest_causal.rules.eligibility import fold
from pytest_causal.rules.guards import Guard, Refusal

NOW_US = 1_763_700_000_000_000
rates = st.sampled_from([0.05, 0.15, 0.5])
floats = st.floats(allow_nan=False, allow_infinity=False, width=32)


@st.composite
def evidences(draw: st.DrawFn) -> tuple[Criteria, Evidence | None]:
    criteria = Criteria(
        min_runs=draw(st.integers(1, 30)),
        max_failure_rate=draw(rates),
        unit=draw(st.sampled_from(Unit)),
        rule=draw(st.sampled_from(Rule)),
    )
    state = None
    for place in range(1, draw(st.integers(0, 30)) + 1):
        tally = Tally(
            3,
            5,
            place,
            place,
            "",
            NOW_US,
            passed=draw(st.integers(0, 3)),
            failed=draw(st.sampled_from([0, 0, 1])),
        )
        state = fold(state or Evidence(scenario_id=3, reads_id=5), tally, criteria)
    return criteria, state


@st.composite
def scenario_cases(draw: st.DrawFn) -> ScenarioCase:
    criteria, evidence = draw(evidences())
    runs = draw(st.integers(0, 50))
    return ScenarioCase(
        scenario=draw(st.text(max_size=5)),
        criteria=criteria,
        evidence=evidence,
        reads=tuple(draw(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(ReadHow)), max_size=2))),
        control=Arm(runs, draw(st.integers(0, runs))),
        metrics=tuple(
            draw(
                st.lists(
                    st.builds(MetricStanding, st.just("ms"), st.integers(0, 9), st.integers(0, 1), floats),
                    max_size=1,
                )
            )
        ),
        lesson=draw(st.integers(0, 2)),
    )


cases = st.builds(
    CandidateCase,
    st.lists(scenario_cases(), max_size=3).map(tuple),
    st.lists(st.text(max_size=3), max_size=1).map(tuple),
    st.lists(st.builds(MetricLimit, st.just("ms"), min=floats, max=floats), max_size=1).map(tuple),
    st.booleans(),
    st.just(NOW_US),
)


@given(cases)
def test_any_decision_is_made_again_from_its_json(case: CandidateCase) -> None:
    verdict = judge_candidate(case)
    kept = json.loads(json.dumps(decision_document(case, verdict), allow_nan=False))
    assert replay(kept) == kept["verdict"]
    assert judge_candidate(case_from(kept["case"])) == verdict


def test_what_stood_in_the_way_is_kept_beside_it() -> None:
    case = CandidateCase((), ("load",), (), is_assumed=False, now_us=NOW_US)
    refusals = (Refusal(Guard.COOLDOWN, "rows", 7), Refusal(Guard.LOCKOUT, "L-1"))
    kept = decision_document(case, judge_candidate(case), refusals, ("not today",))
    assert kept["guards"] == [
        {"guard": "cooldown", "subject": "rows", "could_pass_us": 7},
        {"guard": "lockout", "subject": "L-1", "could_pass_us": None},
    ]
    assert kept["vetoes"] == ["not today"]


def test_where_the_evidence_lay_in_this_store_is_no_part_of_it() -> None:
    evidence = Evidence(scenario_id=3, reads_id=5)
    case = CandidateCase((ScenarioCase("a", Criteria(), evidence),), (), (), is_assumed=False, now_us=NOW_US)
    kept = decision_document(case, judge_candidate(case))["case"]["scenarios"][0]["evidence"]
    assert (kept["scenario_id"], kept["reads_id"]) == (0, 0)


@pytest.mark.parametrize("damage", [{"scenarios": 3}, {"limits": [{"metric": "a", "most": 1}]}, {}])
def test_what_is_damaged_is_refused(damage: dict[str, object]) -> None:
    case = CandidateCase((ScenarioCase("a", Criteria(), None),), (), (), is_assumed=False, now_us=NOW_US)
    kept = decision_document(case, judge_candidate(case))["case"]
    with pytest.raises((KeyError, TypeError, ValueError)):
        case_from({**kept, **damage} if damage else {})
