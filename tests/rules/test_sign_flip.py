from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.rules.sign_flip import DRAWS, EXACT_PAIRS, fewest_pairs, sign_flip

EIGHTHS = st.integers(-800, 800).map(lambda number: number / 8)  # sums of these are exact
RNG = random.Random(0)


def by_brute_force(differences: list[float]) -> tuple[float, float]:
    """Return the shares of sign patterns with a sum at least as high, and at least as low, as the one seen."""
    seen = sum(differences)
    sums = [
        sum(sign * each for sign, each in zip(signs, differences, strict=True))
        for signs in itertools.product((1, -1), repeat=len(differences))
    ]
    return sum(each >= seen for each in sums) / len(sums), sum(each <= seen for each in sums) / len(sums)


@given(st.lists(EIGHTHS, min_size=1, max_size=9))
def test_the_p_values_are_those_of_all_sign_patterns(differences: list[float]) -> None:
    found = sign_flip(differences, 0.05, RNG)
    assert (found.p_above, found.p_below) == by_brute_force(differences)


@given(st.lists(EIGHTHS, min_size=1, max_size=9), st.sampled_from([0.05, 0.1, 0.25]))
def test_a_bound_excludes_zero_where_the_test_does(differences: list[float], alpha: float) -> None:
    found = sign_flip(differences, alpha, RNG)
    assert (found.low is not None and found.low > 0) == (found.p_above <= alpha)
    assert (found.high is not None and found.high < 0) == (found.p_below <= alpha)


@given(st.lists(EIGHTHS, min_size=1, max_size=9), EIGHTHS)
def test_the_bounds_move_with_the_differences(differences: list[float], shift: float) -> None:
    found, moved = (
        sign_flip(differences, 0.2, RNG),
        sign_flip([each + shift for each in differences], 0.2, RNG),
    )
    if found.low is None or found.high is None:
        assert (moved.low, moved.high) == (None, None)
    else:
        assert moved.low == pytest.approx(found.low + shift)
        assert moved.high == pytest.approx(found.high + shift)


@given(st.lists(EIGHTHS, min_size=1, max_size=9))
def test_the_other_sign_exchanges_the_sides(differences: list[float]) -> None:
    found, other = sign_flip(differences, 0.2, RNG), sign_flip([-each for each in differences], 0.2, RNG)
    assert (found.p_above, found.p_below) == (other.p_below, other.p_above)
    assert other.low == (None if found.high is None else -found.high)


def test_m8_too_few_pairs_have_no_bound() -> None:
    assert sign_flip([1.0] * 4, 0.05, RNG)[3:] == (None, None)
    assert sign_flip([1.0] * 5, 0.05, RNG)[3:] == (1.0, 1.0)


@pytest.mark.parametrize(("alpha", "pairs"), [(0.05, 5), (0.01, 7), (0.5, 1), (0.05 / 40, 10)])
def test_the_fewest_pairs_are_those_that_can_reach_alpha(alpha: float, pairs: int) -> None:
    assert fewest_pairs(alpha) == pairs
    assert (
        sign_flip([1.0] * pairs, alpha, RNG).p_above
        <= alpha
        < sign_flip([1.0] * (pairs - 1), alpha, RNG).p_above
    )


def test_m8_rounding_does_not_break_ties() -> None:
    found = sign_flip([0.1, 0.2, -0.3], 0.05, RNG)  # 0.1 + 0.2 - 0.3 is not zero in floats
    assert (found.p_above, found.p_below) == by_brute_force([1.0, 2.0, -3.0])


def test_drawn_p_values_are_near_the_exact_ones_and_never_zero() -> None:
    chance = random.Random(7)
    differences = [chance.gauss(0.3, 1) for _ in range(EXACT_PAIRS)]
    exact = sign_flip(differences, 0.05, RNG)
    drawn = sign_flip(
        [*differences, 0.0], 0.05, random.Random(1)
    )  # a pair without a difference changes nothing
    assert drawn.p_above == pytest.approx(exact.p_above, abs=4 * math.sqrt(0.25 / DRAWS))
    assert sign_flip([1.0] * 60, 0.05, random.Random(1)).p_above == 1 / (DRAWS + 1)


def test_one_seed_gives_one_answer() -> None:
    differences = [RNG.gauss(0, 1) for _ in range(EXACT_PAIRS + 4)]
    assert sign_flip(differences, 0.05, random.Random(3)) == sign_flip(differences, 0.05, random.Random(3))
    assert sign_flip(differences, 0.05, random.Random(3)) != sign_flip(differences, 0.05, random.Random(4))
