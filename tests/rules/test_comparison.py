from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.model.trial import Better, Comparison, Finding, Lack
from pytest_causal.rules.comparison import (
    Demands,
    Pair,
    compare_failures,
    compare_metric,
    noise_floor,
    rounds_needed,
    share_bound,
)

DEMANDS = Demands(alpha=0.05, min_effect=0.2)
CONTROL = [100.0, 103.0, 98.0, 101.0, 99.0, 102.0, 100.0, 97.0]


def chance() -> random.Random:
    return random.Random(1)


def compared(candidate: list[float], better: Better = Better.LOWER, demands: Demands = DEMANDS) -> Comparison:
    return compare_metric(list(zip(CONTROL, candidate, strict=True)), better, demands, chance())


def failures(*pairs: Pair, demands: Demands = DEMANDS) -> Comparison:
    return compare_failures(pairs, demands, chance())


def scaled(factor: float) -> list[float]:
    return [each * factor + place % 3 for place, each in enumerate(CONTROL)]


@pytest.mark.parametrize(
    ("factor", "better", "finding"),
    [
        (1.5, Better.LOWER, Finding.WORSE),
        (1.5, Better.HIGHER, Finding.BETTER),
        (0.6, Better.LOWER, Finding.BETTER),
        (0.6, Better.HIGHER, Finding.WORSE),
        (1.0, Better.LOWER, Finding.NOT_WORSE),
        (1.0, Better.HIGHER, Finding.NOT_WORSE),
    ],
)
def test_the_direction_decides_what_a_difference_is(factor: float, better: Better, finding: Finding) -> None:
    seen = compared(scaled(factor), better)
    assert (seen.finding, seen.lack) == (finding, Lack.NONE)


def test_a_metric_without_a_direction_is_shown_and_not_judged() -> None:
    seen = compared(scaled(3.0), Better.UNKNOWN)
    assert (seen.finding, seen.lack) == (Finding.INCONCLUSIVE, Lack.NO_DIRECTION)
    assert seen.difference == pytest.approx(201, rel=0.01)
    assert (seen.p_worse, seen.p_better) == (None, None)


def test_a_difference_below_the_smallest_that_matters_is_not_worse_however_certain() -> None:
    seen = compared([each + 10 for each in CONTROL])
    assert seen.p_worse == 1 / 2**8
    assert seen.finding is Finding.NOT_WORSE


def test_a_difference_within_the_noise_of_control_is_not_called_worse() -> None:
    """Both arms drift alike, so that the pairs differ by almost nothing, and always to the same side."""
    drifting = [100.0 * place for place in range(1, 9)]
    pairs: list[Pair] = [(each, each * 1.02) for each in drifting]
    demands = DEMANDS._replace(min_effect=0.01)
    seen = compare_metric(pairs, Better.LOWER, demands, chance())
    assert seen.p_worse is not None
    assert seen.noise_floor is not None
    assert seen.difference is not None
    assert seen.p_worse <= 0.05
    assert 0 < seen.difference < seen.noise_floor
    assert (seen.finding, seen.lack) == (Finding.INCONCLUSIVE, Lack.TOO_NOISY)


def test_what_varies_too_much_is_neither_shown_nor_ruled_out() -> None:
    wild = [20.0, 300.0, 50.0, 180.0, 90.0, 10.0, 240.0, 60.0]
    seen = compared(wild)
    assert (seen.finding, seen.lack) == (Finding.INCONCLUSIVE, Lack.TOO_NOISY)


@pytest.mark.parametrize("better", [Better.LOWER, Better.HIGHER])
def test_m8_a_control_of_zero_is_never_divided_by(better: Better) -> None:
    harm = 1.0 if better is Better.LOWER else -1.0
    pairs: list[Pair] = [(0.0, harm)] * 8
    assert compare_metric(pairs, better, DEMANDS, chance()).finding is Finding.WORSE
    assert compare_metric([(0.0, 0.0)] * 8, better, DEMANDS, chance()).finding is Finding.NOT_WORSE


def test_a_negative_metric_is_measured_by_its_size() -> None:
    pairs: list[Pair] = [(-each, -each * 1.5) for each in CONTROL]
    assert compare_metric(pairs, Better.HIGHER, DEMANDS, chance()).finding is Finding.WORSE
    assert compare_metric(pairs, Better.LOWER, DEMANDS, chance()).finding is Finding.BETTER


@pytest.mark.parametrize(
    "pairs", [[], [(None, None)] * 9, [(1.0, None)] * 9, [(math.nan, 1.0)] * 9, [(1.0, math.inf)] * 9]
)
def test_m10_no_data_is_inconclusive(pairs: list[Pair]) -> None:
    for seen in (
        compare_metric(pairs, Better.LOWER, DEMANDS, chance()),
        compare_failures(pairs, DEMANDS, chance()),
    ):
        assert (seen.rounds, seen.finding, seen.lack) == (0, Finding.INCONCLUSIVE, Lack.NO_DATA)


def test_m8_numbers_at_the_edge_of_what_floats_hold_are_no_measurements() -> None:
    seen = compare_metric([(1e308, -1e308)] * 20, Better.LOWER, DEMANDS, chance())
    assert seen.lack is Lack.NO_DATA


def test_m10_too_few_rounds_are_inconclusive_however_bad() -> None:
    assert failures(*[(0.0, 1.0)] * 4).lack is Lack.TOO_FEW_ROUNDS
    assert failures(*[(0.0, 1.0)] * 5).finding is Finding.WORSE


def test_the_more_is_judged_the_more_rounds_it_takes() -> None:
    pairs: list[Pair] = [(0.0, 1.0)] * 5
    assert failures(*pairs, demands=DEMANDS._replace(judged=2)).lack is Lack.TOO_FEW_ROUNDS
    assert failures(*pairs, (0.0, 1.0), demands=DEMANDS._replace(judged=2)).finding is Finding.WORSE


def test_clean_rounds_rule_out_no_more_than_their_number_can() -> None:
    assert rounds_needed(DEMANDS) == 14
    assert failures(*[(0.0, 0.0)] * 13).lack is Lack.TOO_FEW_ROUNDS
    assert failures(*[(0.0, 0.0)] * 14).finding is Finding.NOT_WORSE


@pytest.mark.parametrize(("min_effect", "needed"), [(0.1, 29), (0.5, 5), (1.0, 5)])
def test_the_rounds_needed_follow_from_the_smallest_harm(min_effect: float, needed: int) -> None:
    assert rounds_needed(DEMANDS._replace(min_effect=min_effect)) == needed
    pairs: list[Pair] = [(0.0, 0.0)] * needed
    assert failures(*pairs, demands=DEMANDS._replace(min_effect=min_effect)).finding is Finding.NOT_WORSE


def test_failures_that_both_arms_have_are_no_harm() -> None:
    assert failures(*[(1.0, 1.0)] * 14).finding is Finding.NOT_WORSE


def test_a_candidate_that_fails_less_is_better() -> None:
    assert failures(*[(1.0, 0.0)] * 6).finding is Finding.BETTER


@given(st.integers(1, 60), st.data())
def test_the_bound_of_a_share_is_where_so_few_hits_have_the_chance_alpha(
    total: int, data: st.DataObject
) -> None:
    hits = data.draw(st.integers(0, total - 1))
    bound = share_bound(hits, total, 0.05)
    below = sum(
        math.comb(total, count) * bound**count * (1 - bound) ** (total - count) for count in range(hits + 1)
    )
    assert below == pytest.approx(0.05, rel=1e-6)
    assert hits / total < bound < 1


def test_the_bound_of_a_certain_share_is_one() -> None:
    assert share_bound(3, 3, 0.05) == 1.0


def test_the_noise_floor_is_what_halves_of_control_differ_by() -> None:
    assert noise_floor([5.0] * 8, chance()) == 0
    assert noise_floor([1.0, 2.0, 3.0], chance()) is None
    drifting = noise_floor([0.0] * 4 + [10.0] * 4, chance())
    assert drifting is not None
    # Exactly: sum over k of C(4,k)^2/C(8,4) * |10 - 5k|, the mean over all halves.
    expected = sum(math.comb(4, k) ** 2 * abs(10 - 5 * k) for k in range(5)) / math.comb(8, 4)
    assert drifting == pytest.approx(expected, rel=0.2)
