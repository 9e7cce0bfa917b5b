from __future__ import annotations

import math
import random
from functools import reduce

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_causal.rules.sequential import (
    NEW_RUIN,
    NEW_WEALTH,
    Weights,
    bet,
    bet_on_ruin,
    clean_units_needed,
    e_value,
    failure_rate_upper,
    replay,
    threshold,
)

UNCAPPED = 1e-200
"""An alpha at which no history of a test comes near the cap."""

limits = st.sampled_from([0.01, 0.05, 0.1, 0.15, 0.3, 0.5, 0.9])
fractions = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1))
histories = st.lists(fractions, max_size=40)


def after(history: list[float], limit: float, alpha: float = 0.05) -> Weights:
    return reduce(lambda weights, badness: bet(weights, badness, limit, alpha), history, NEW_WEALTH)


def ruin_after(history: list[float], limit: float, alpha: float = 0.05) -> Weights:
    return reduce(lambda weights, badness: bet_on_ruin(weights, badness, limit, alpha), history, NEW_RUIN)


def closed_form(units: int, failures: float, limit: float) -> float:
    rates = [limit * part for part in (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7)]
    terms = [(q / limit) ** failures * ((1 - q) / (1 - limit)) ** (units - failures) for q in rates]
    return math.fsum(terms) / len(terms)


def units_to_proof(failures: int, limit: float, alpha: float = 0.05) -> int:
    needed = clean_units_needed(after([1.0] * failures, limit, alpha), limit, alpha)
    assert needed is not None
    return failures + needed


@pytest.mark.parametrize(
    ("alpha", "limit", "units"),
    [
        (0.05, 0.15, 23), (0.05, 0.10, 36), (0.05, 0.05, 73), (0.05, 0.01, 369),
        (0.10, 0.10, 28), (0.10, 0.05, 57), (0.10, 0.01, 289),
        (0.01, 0.10, 53), (0.01, 0.05, 108), (0.01, 0.01, 550),
    ],
)  # fmt: skip
def test_clean_units_that_prove_a_limit(alpha: float, limit: float, units: int) -> None:
    assert units_to_proof(0, limit, alpha) == units
    assert e_value(after([0.0] * units, limit, alpha)) >= threshold(alpha)
    assert e_value(after([0.0] * (units - 1), limit, alpha)) < threshold(alpha)


@pytest.mark.parametrize(
    ("limit", "units"),
    [
        (0.10, [36, 62, 84, 104, 121, 138]),
        (0.05, [73, 126, 171, 211, 247, 281]),
        (0.01, [369, 640, 867, 1066, 1249, 1422]),
    ],
)
def test_units_that_prove_a_limit_after_failures(limit: float, units: list[int]) -> None:
    assert [units_to_proof(failures, limit) for failures in range(6)] == units


@pytest.mark.parametrize(("failures", "units"), [(5, 10), (7, 20), (13, 50)])
def test_failures_that_prove_a_scenario_bad(failures: int, units: int) -> None:
    def ruin(failed: int) -> float:
        return e_value(ruin_after([0.0] * (units - failed) + [1.0] * failed, 0.1))

    assert ruin(failures) >= threshold(0.05) > ruin(failures - 1)


@given(st.lists(st.booleans(), max_size=60), limits, st.randoms(use_true_random=False))
def test_closed_form_equals_bets_in_any_order(failed: list[bool], limit: float, rng: random.Random) -> None:
    history = [float(each) for each in failed]
    shuffled = history.copy()
    rng.shuffle(shuffled)
    expected = closed_form(len(history), sum(history), limit)
    assert e_value(after(history, limit, UNCAPPED)) == pytest.approx(expected, rel=1e-9)
    assert e_value(after(shuffled, limit, UNCAPPED)) == pytest.approx(expected, rel=1e-9)


@given(st.lists(st.booleans(), max_size=60), st.sampled_from([0.01, 0.05, 0.1]))
def test_closed_form_of_ruin_equals_its_bets(failed: list[bool], limit: float) -> None:
    history = [float(each) for each in failed]
    rates = [limit * times for times in (1.5, 2, 3, 5, 8)]
    passed, failures = failed.count(False), failed.count(True)
    terms = [(q / limit) ** failures * ((1 - q) / (1 - limit)) ** passed for q in rates]
    assert e_value(ruin_after(history, limit, UNCAPPED)) == pytest.approx(math.fsum(terms) / 5, rel=1e-9)


@given(histories, limits)
def test_closed_form_never_exceeds_bets_on_fractions(history: list[float], limit: float) -> None:
    won = e_value(after(history, limit, UNCAPPED))
    assert closed_form(len(history), sum(history), limit) <= won * (1 + 1e-9)


@given(histories, limits, st.floats(0, 1))
def test_wealth_gains_nothing_on_average_at_the_limit_or_beyond(
    history: list[float], limit: float, excess: float
) -> None:
    weights = after(history, limit, UNCAPPED)
    rate = limit + excess * (1 - limit)
    clean, failed = bet(weights, 0.0, limit, UNCAPPED), bet(weights, 1.0, limit, UNCAPPED)
    assert rate * e_value(failed) + (1 - rate) * e_value(clean) <= e_value(weights) * (1 + 1e-9)
    # The bet is fair, not merely losing: at the limit itself it keeps its value.
    assert limit * e_value(failed) + (1 - limit) * e_value(clean) == pytest.approx(e_value(weights), rel=1e-9)


@given(histories, limits, st.floats(0, 1))
def test_ruin_gains_nothing_on_average_at_the_limit_or_below(
    history: list[float], limit: float, part: float
) -> None:
    weights = ruin_after(history, limit, UNCAPPED)
    rate = part * limit
    clean, failed = (bet_on_ruin(weights, badness, limit, UNCAPPED) for badness in (0.0, 1.0))
    assert rate * e_value(failed) + (1 - rate) * e_value(clean) <= e_value(weights) * (1 + 1e-9)
    assert limit * e_value(failed) + (1 - limit) * e_value(clean) == pytest.approx(e_value(weights), rel=1e-9)


@given(limits | st.floats(1e-12, 1 - 1e-9), st.floats(0, 1), st.floats(0, 1))
def test_more_badness_never_helps_wealth_nor_hurts_ruin(limit: float, one: float, other: float) -> None:
    better, worse = sorted((one, other))
    for good, bad in zip(
        bet(NEW_WEALTH, better, limit, UNCAPPED), bet(NEW_WEALTH, worse, limit, UNCAPPED), strict=True
    ):
        assert bad <= good * (1 + 1e-9)
    for good, bad in zip(
        bet_on_ruin(NEW_RUIN, better, limit, UNCAPPED),
        bet_on_ruin(NEW_RUIN, worse, limit, UNCAPPED),
        strict=True,
    ):
        assert bad >= good * (1 - 1e-9)


def test_ruin_is_a_bet_on_failures_even_where_the_limit_is_beyond_the_highest_fear() -> None:
    assert (
        e_value(bet_on_ruin(NEW_RUIN, 1.0, 0.95, 0.05))
        > 1.0
        > e_value(bet_on_ruin(NEW_RUIN, 0.0, 0.95, 0.05))
    )


@given(histories, limits, st.sampled_from([0.01, 0.05, 0.3]))
def test_the_cap_only_takes(history: list[float], limit: float, alpha: float) -> None:
    capped, free = after(history, limit, alpha), after(history, limit, UNCAPPED)
    assert e_value(capped) <= 10 / alpha * (1 + 1e-12)
    assert all(one <= other * (1 + 1e-9) for one, other in zip(capped, free, strict=True))
    assert e_value(ruin_after(history, limit, alpha)) <= 10 / alpha * (1 + 1e-12)


def test_the_cap_lets_old_wealth_be_lost_within_a_few_failures() -> None:
    history = [0.0] * 1000 + [1.0] * 4
    assert e_value(after(history, 0.1)) < threshold(0.05)
    assert closed_form(1004, 4, 0.1) > threshold(0.05)  # without the cap the past would still speak for it


def test_the_cap_lets_a_mended_scenario_leave_ruin() -> None:
    failing = [1.0] * 200
    assert e_value(ruin_after(failing, 0.1)) >= threshold(0.05)
    assert e_value(ruin_after(failing + [0.0] * 40, 0.1)) < threshold(0.05)
    assert e_value(ruin_after(failing + [0.0] * 40, 0.1, UNCAPPED)) > threshold(0.05)


def test_no_unit_is_no_evidence() -> None:
    assert e_value(NEW_WEALTH) == e_value(NEW_RUIN) == 1.0
    assert len(NEW_WEALTH) == 7
    assert len(NEW_RUIN) == 5


@pytest.mark.parametrize("badness", [-0.01, 1.01, math.nan, math.inf, -math.inf])
def test_badness_that_is_no_fraction_is_refused(badness: float) -> None:
    for bet_once, weights in ((bet, NEW_WEALTH), (bet_on_ruin, NEW_RUIN)):
        with pytest.raises(ValueError, match="badness"):
            bet_once(weights, badness, 0.1, 0.05)


@pytest.mark.parametrize("limit", [0.0, 1.0, -0.1, 1.5, math.nan, math.inf])
def test_limit_outside_its_range_is_refused(limit: float) -> None:
    for bet_once, weights in ((bet, NEW_WEALTH), (bet_on_ruin, NEW_RUIN)):
        with pytest.raises(ValueError, match="limit"):
            bet_once(weights, 0.0, limit, 0.05)
    with pytest.raises(ValueError, match="limit"):
        clean_units_needed(NEW_WEALTH, limit, 0.05)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.05, 2.0, math.nan, math.inf])
def test_alpha_outside_its_range_is_refused(alpha: float) -> None:
    for bet_once, weights in ((bet, NEW_WEALTH), (bet_on_ruin, NEW_RUIN)):
        with pytest.raises(ValueError, match="alpha"):
            bet_once(weights, 0.0, 0.1, alpha)
    with pytest.raises(ValueError, match="alpha"):
        threshold(alpha)
    with pytest.raises(ValueError, match="alpha"):
        clean_units_needed(NEW_WEALTH, 0.1, alpha)
    with pytest.raises(ValueError, match="alpha"):
        failure_rate_upper(10, 0.0, alpha)


def test_a_million_units_neither_overflow_nor_turn_the_verdict() -> None:
    weights = NEW_WEALTH
    for unit in range(1_000_000):
        weights = bet(weights, 1.0 if unit % 20 == 0 else 0.0, 0.15, 0.05)
    assert threshold(0.05) <= e_value(weights) <= 10 / 0.05 * (1 + 1e-12)


def test_weights_that_underflow_stay_on_the_safe_side() -> None:
    weights = NEW_WEALTH
    for _ in range(1_000_000):
        weights = bet(weights, 1.0, 0.15, 0.05)
    assert 0.0 <= e_value(weights) < 1e-300
    weights = reduce(lambda held, _: bet(held, 0.0, 0.15, 0.05), range(2000), weights)
    assert e_value(weights) < threshold(0.05)


@pytest.mark.parametrize("limit", [5e-324, 1e-300, 1e-17, 1 - 1e-16])
@pytest.mark.parametrize("alpha", [5e-324, 1e-300, 0.05, 1 - 1e-16])
def test_extreme_settings_stay_finite(limit: float, alpha: float) -> None:
    for badness in (0.0, 0.5, 1.0):
        weights, ruin = NEW_WEALTH, NEW_RUIN
        for _ in range(50):
            weights, ruin = bet(weights, badness, limit, alpha), bet_on_ruin(ruin, badness, limit, alpha)
        assert math.isfinite(e_value(weights) + e_value(ruin))
        needed = clean_units_needed(weights, limit, alpha)
        assert needed is None or needed >= 0
        assert 0.0 < failure_rate_upper(50, 50 * badness, alpha) <= 1.0


@given(st.lists(fractions, max_size=12), limits, st.sampled_from([0.01, 0.05, 0.2]))
def test_clean_units_needed_is_the_least_number_that_proves(
    history: list[float], limit: float, alpha: float
) -> None:
    weights = after(history, limit, alpha)
    needed = clean_units_needed(weights, limit, alpha)
    assert needed is not None
    assume(needed < 3000)
    for _ in range(needed - 1):
        weights = bet(weights, 0.0, limit, alpha)
    if needed:
        assert e_value(weights) < threshold(alpha) * (1 + 1e-9)
        weights = bet(weights, 0.0, limit, alpha)
    assert e_value(weights) >= threshold(alpha) * (1 - 1e-9)


def test_clean_units_needed_is_none_where_nothing_can_grow() -> None:
    assert clean_units_needed((0.0,) * 7, 0.1, 0.05) is None
    assert clean_units_needed((math.nan,) * 7, 0.1, 0.05) is None
    assert clean_units_needed((0.0,) * 6 + (1e-300,), 0.1, 0.05) is not None


@pytest.mark.parametrize(
    ("units", "failures", "bound"),
    [(50, 2, 0.163), (100, 1, 0.063), (36, 0, 0.097), (0, 0, 1.0), (3, 3, 1.0)],
)
def test_upper_bound_on_the_failure_rate(units: int, failures: float, bound: float) -> None:
    assert failure_rate_upper(units, failures, 0.05) == pytest.approx(bound, abs=6e-4)


@given(st.integers(1, 400), st.data(), st.sampled_from([0.01, 0.05, 0.2]))
def test_upper_bound_is_the_least_limit_that_is_proven(units: int, data: st.DataObject, alpha: float) -> None:
    failures = data.draw(st.integers(0, units))
    upper = failure_rate_upper(units, float(failures), alpha)
    assert failures / units <= upper <= 1.0
    if upper < 1 - 1e-4:
        assert closed_form(units, failures, upper) >= threshold(alpha) * (1 - 1e-9)
        assert closed_form(units, failures, upper * (1 - 1e-4)) < threshold(alpha)
    assert failure_rate_upper(units, min(units, failures + 0.5), alpha) >= upper
    assert failure_rate_upper(units + 1, float(failures), alpha) <= upper


def test_upper_bound_of_a_million_units() -> None:
    assert failure_rate_upper(1_000_000, 0.0, 0.05) == pytest.approx(3.69e-6, rel=0.01)
    assert failure_rate_upper(1_000_000, 1e6, 0.05) == 1.0


@pytest.mark.parametrize(("units", "badness"), [(5, -0.1), (5, 5.1), (5, math.nan), (-1, 0.0)])
def test_upper_bound_refuses_badness_that_cannot_be(units: int, badness: float) -> None:
    with pytest.raises(ValueError, match="badness"):
        failure_rate_upper(units, badness, 0.05)


outcomes = st.lists(st.booleans(), max_size=60).map(lambda failed: [float(each) for each in failed])


@given(outcomes, limits, st.sampled_from([0.05, 0.3]))
def test_replay_of_every_unit_is_what_the_bets_left(history: list[float], limit: float, alpha: float) -> None:
    wealth, ruin = replay([(1.0, badness) for badness in history], limit, alpha)
    assert wealth == pytest.approx(after(history, limit, alpha), rel=1e-9)
    assert ruin == pytest.approx(ruin_after(history, limit, alpha), rel=1e-9)


@given(st.lists(st.tuples(st.integers(1, 400), st.floats(0, 1)), max_size=6), limits)
def test_replay_of_a_stretch_is_that_of_its_units(stretches: list[tuple[int, float]], limit: float) -> None:
    whole = replay([(units, units * share) for units, share in stretches], limit, 0.05)
    piecewise = replay([(1, share) for units, share in stretches for _ in range(units)], limit, 0.05)
    for one, other in zip(whole, piecewise, strict=True):
        assert one == pytest.approx(other, rel=1e-6, abs=1e-300)


@given(histories, limits)
def test_replay_never_holds_more_than_was_won(history: list[float], limit: float) -> None:
    wealth, _ = replay([(len(history), sum(history))], limit, UNCAPPED)
    for one, other in zip(wealth, after(history, limit, UNCAPPED), strict=True):
        assert one <= other * (1 + 1e-9)


@pytest.mark.parametrize("limit", [5e-324, 1e-300, 0.05, 1 - 1e-16])
@pytest.mark.parametrize("badness", [0.0, 0.5, 1.0])
def test_replay_of_a_million_units_stays_finite(limit: float, badness: float) -> None:
    wealth, ruin = replay([(1e6, badness * 1e6), (1e6, 0.0), (1e6, 1e6)], limit, 0.05)
    assert math.isfinite(e_value(wealth) + e_value(ruin))


def test_replay_refuses_what_bets_refuse() -> None:
    with pytest.raises(ValueError, match="limit"):
        replay([], 1.0, 0.05)
    with pytest.raises(ValueError, match="alpha"):
        replay([(1.0, 0.0)], 0.5, 0.0)
