"""A running state begins with nothing, and counts what says something."""

from __future__ import annotations

from pytest_causal.model.evidence import Evidence, Verdict


def test_a_state_begins_with_nothing_and_with_the_stakes_of_every_player() -> None:
    fresh = Evidence(scenario_id=1, reads_id=0)
    assert (fresh.runs, fresh.units, fresh.last_order) == (0, 0, -1)
    assert set(fresh.wealth) == set(fresh.ruin) == {1.0}
    assert fresh.verdict is Verdict.INCONCLUSIVE, "no evidence is not a pass"


def test_runs_are_those_that_say_something() -> None:
    state = Evidence(
        scenario_id=1,
        reads_id=0,
        passed=4,
        failed=2,
        errors=1,
        flaky=2,
        skipped=9,
        missing=9,
        infrastructure=9,
    )
    assert state.runs == 7
