"""Error rates of the comparison, by simulation: 1,000 trials a cell, seeded."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from pytest_causal.model.trial import Better, Finding
from pytest_causal.rules.comparison import Demands, Pair, compare_failures, compare_metric

pytestmark = pytest.mark.slow
ALPHA = 0.05
REPEATS = 1_000
SLACK = 0.02
"""Three standard errors of a rate of 5 % in so many repeats."""
ROUNDS = 10


def metric_findings(effect: float, spread: float, *, drift: float = 0.0, seed: int = 1) -> Counter[Finding]:
    """Return how often each finding was made of a metric of which less is better, in log-normal noise."""
    rng = random.Random(seed)

    def a_trial() -> Finding:
        pairs: list[Pair] = []
        for place in range(ROUNDS):
            level = 100 * (1 + drift * place)
            pairs.append(
                (level * rng.lognormvariate(0, spread), level * (1 + effect) * rng.lognormvariate(0, spread))
            )
        return compare_metric(pairs, Better.LOWER, Demands(ALPHA, 0.2), rng).finding

    return Counter(a_trial() for _ in range(REPEATS))


def failure_findings(control: float, candidate: float, rounds: int, seed: int = 1) -> Counter[Finding]:
    rng = random.Random(seed)

    def a_trial() -> Finding:
        pairs: list[Pair] = [
            (float(rng.random() < control), float(rng.random() < candidate)) for _ in range(rounds)
        ]
        return compare_failures(pairs, Demands(ALPHA, 0.2), rng).finding

    return Counter(a_trial() for _ in range(200))


@pytest.mark.parametrize("spread", [0.05, 0.1, 0.3, 0.6])
def test_an_equal_candidate_is_called_worse_no_more_often_than_alpha(spread: float) -> None:
    found = metric_findings(0.0, spread)
    assert found[Finding.WORSE] / REPEATS <= ALPHA + SLACK
    assert found[Finding.BETTER] / REPEATS <= ALPHA + SLACK


@pytest.mark.parametrize("spread", [0.05, 0.1, 0.3])
def test_a_candidate_worse_by_the_smallest_that_matters_is_passed_no_more_often_than_alpha(
    spread: float,
) -> None:
    assert metric_findings(0.2, spread)[Finding.NOT_WORSE] / REPEATS <= ALPHA + SLACK


def test_a_drift_that_befalls_both_arms_is_no_harm() -> None:
    assert metric_findings(0.0, 0.05, drift=0.1)[Finding.WORSE] == 0


@pytest.mark.parametrize(("effect", "spread", "power"), [(0.4, 0.1, 0.95), (0.6, 0.2, 0.9), (1.0, 0.3, 0.9)])
def test_a_real_harm_is_found(effect: float, spread: float, power: float) -> None:
    assert metric_findings(effect, spread)[Finding.WORSE] / REPEATS >= power


def test_a_quiet_equal_candidate_passes() -> None:
    assert metric_findings(0.0, 0.1)[Finding.NOT_WORSE] / REPEATS >= 0.95


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.5])
def test_equal_failure_rates_are_called_worse_no_more_often_than_alpha(rate: float) -> None:
    assert failure_findings(rate, rate, 12)[Finding.WORSE] / 200 <= ALPHA + 0.045


def test_failures_of_the_candidate_alone_are_found_and_never_passed() -> None:
    found = failure_findings(0.0, 0.6, 12)
    assert found[Finding.WORSE] / 200 >= 0.85
    assert found[Finding.NOT_WORSE] == 0
