from __future__ import annotations

import pytest

from pytest_causal.model.trial import Better, Comparison, Finding, ScenarioComparison

NOTHING = Comparison(0, Better.LOWER, Finding.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("reads", "runs", "idle", "is_inert"),
    [
        ((("pool.size", "tracked"),), 3, 0, False),
        ((), 3, 0, True),
        ((), 0, 3, True),
        ((), 0, 0, False),
    ],
)
def test_what_ran_without_reading_the_change_is_inert_and_what_did_not_run_is_not(
    reads: tuple[tuple[str, str], ...], runs: int, idle: int, is_inert: bool
) -> None:
    assert ScenarioComparison("s", reads, 3, runs, NOTHING, idle_runs=idle).is_inert is is_inert
