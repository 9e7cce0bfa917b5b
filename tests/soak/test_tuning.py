from __future__ import annotations

import json

from pytest_causal.policy.bounds import Bound
from tools.soak.guard_state import State
from tools.soak.kpi import Sample, Verdict
from tools.soak.measurement import Measurement
from tools.soak.progress import UNDECIDED, Progress
from tools.soak.tuning import Moment, Tuning, guards_that_refused

PATH = "impact.impact_cap_ratio"
VALUES = {PATH: 0.08}
BOUNDS = {PATH: Bound(min=0.08, max=0.12, step=0.005)}
PASSED = Moment(verdict=Verdict.PASS, is_last=False, is_frozen=False)


def progress(iteration: int, guards: State) -> Progress:
    metrics = {"risk_ratio": Sample.of(0.3), "net_bps": Sample.of(3.0)}
    return Progress()._replace(
        iteration=iteration,
        measured={"observed_us": 1_000_000},
        measurement=Measurement(metrics=metrics),
        soak_us=iteration * 1_000_000,
        guards=guards,
    )


def test_a_decision_holds_what_the_guards_remember_anew() -> None:
    tuning = Tuning.from_file()
    first = tuning.decide(progress(1, State()), VALUES, BOUNDS, PASSED)
    assert first["applied"] == [[PATH, 0.08, 0.085]]
    remembered = State().changed_by(json.loads(json.dumps(first["guards"])))
    assert remembered.spent == 1
    second = tuning.decide(progress(2, remembered), VALUES, BOUNDS, PASSED)
    assert "steps" in first["guards"]
    assert second["guards"].keys() >= {"iteration", "clock_us", "clear_in_row"}


def test_a_decision_goes_by_the_memory_that_it_is_given() -> None:
    tuning = Tuning.from_file()
    tuning.decide(progress(1, State()), VALUES, BOUNDS, PASSED)
    other = State(iteration=1, now_us=1_000_000, clock_us=5, spent=7, clear_in_row=9)
    again = tuning.decide(progress(2, other), VALUES, BOUNDS, PASSED)
    assert again["guards"]["clear_in_row"] == 10
    assert other.changed_by(again["guards"]).spent == 7 + len(again["applied"])


def test_the_guards_that_refused_are_named_once_each() -> None:
    frozen = Moment(verdict=Verdict.PASS, is_last=True, is_frozen=True)
    decided = Tuning.from_file().decide(progress(1, State()), VALUES, BOUNDS, frozen)
    assert guards_that_refused(decided) == ["kill_switch", "last_iteration"]
    assert guards_that_refused(UNDECIDED) == []
