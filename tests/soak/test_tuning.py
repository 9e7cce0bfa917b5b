from __future__ import annotations

import json

import pytest

from pytest_causal.errors import DataError
from pytest_causal.policy.bounds import Bound
from tools.soak.guard_state import State
from tools.soak.kpi import Sample, Verdict
from tools.soak.measurement import Measurement
from tools.soak.progress import Progress
from tools.soak.tuning import Moment, Tuning

PATH = "impact.impact_cap_ratio"
VALUES = {PATH: 0.08}
BOUNDS = {PATH: Bound(min=0.08, max=0.12, step=0.005)}
PASSED = Moment(verdict=Verdict.PASS, is_last=False, is_frozen=False)


def progress(iteration: int, memory: object) -> Progress:
    metrics = {"risk_ratio": Sample.of(0.3), "net_bps": Sample.of(3.0)}
    return Progress()._replace(
        iteration=iteration,
        measured={"observed_us": 1_000_000},
        measurement=Measurement(metrics=metrics),
        soak_us=iteration * 1_000_000,
        guards_memory=json.loads(json.dumps(memory)),
    )


def test_a_second_decision_is_the_one_that_a_new_process_makes() -> None:
    tuning = Tuning.from_file()
    first = tuning.decide(progress(1, {}), VALUES, BOUNDS, PASSED)
    second = progress(2, first["guards"])
    assert tuning.decide(second, VALUES, BOUNDS, PASSED) == Tuning.from_file().decide(
        second, VALUES, BOUNDS, PASSED
    )
    assert first["guards"]["spent"] == 1


def test_the_memory_in_the_journal_outweighs_that_of_the_last_decision() -> None:
    tuning = Tuning.from_file()
    first = tuning.decide(progress(1, {}), VALUES, BOUNDS, PASSED)
    other = State(iteration=1, now_us=1_000_000, clock_us=5, spent=7, clear_in_row=9).to_json()
    assert first["guards"] != other
    again = tuning.decide(progress(2, other), VALUES, BOUNDS, PASSED)
    assert again["guards"]["clear_in_row"] == 10
    assert again["guards"]["spent"] == 7 + len(again["applied"])


def test_a_damaged_memory_is_refused_whatever_was_decided_before() -> None:
    tuning = Tuning.from_file()
    first = tuning.decide(progress(1, {}), VALUES, BOUNDS, PASSED)
    damaged = progress(2, {**first["guards"], "spent": -1})
    with pytest.raises(DataError):
        tuning.decide(damaged, VALUES, BOUNDS, PASSED)
