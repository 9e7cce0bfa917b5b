from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.soak.drift import (
    FEWEST_POINTS,
    MATTERS,
    DriftVerdict,
    Trace,
    judge_drift,
    rising_probability,
    theil_sen_slope,
)

MIB = 2**20


def memory(rise_mib: float, *, noise_mib: float = 2.0, points: int = 60, seed: int = 1) -> list[float]:
    chance = random.Random(seed)
    return [
        (100 + rise_mib * place / (points - 1) + chance.gauss(0, noise_mib)) * MIB for place in range(points)
    ]


def verdict(values: list[float], matters: float = MATTERS["memory_bytes"]) -> DriftVerdict:
    return judge_drift(values, matters).verdict


def test_a_leak_is_found_and_measured() -> None:
    drift = judge_drift(memory(40), MATTERS["memory_bytes"])
    assert drift.verdict is DriftVerdict.GROWS
    assert drift.start == pytest.approx(100 * MIB, rel=0.03)
    assert drift.rise == pytest.approx(40 * MIB, rel=0.1)
    assert drift.probability is not None
    assert drift.probability < 1e-6


@pytest.mark.parametrize(
    "values",
    [
        memory(0),
        memory(-40),
        memory(9),  # sure, and below a tenth
        [100.0 * MIB] * 60,
        [100 * MIB + 300 * MIB * (place == 30) for place in range(60)],  # one peak
        [(100 + min(place, 20) * 3) * MIB for place in range(60)],  # a cache that fills, then stays
        [(100 if place < 20 else 160) * MIB for place in range(60)],  # one step
    ],
    ids=["level", "falling", "small", "constant", "peak", "cache", "step"],
)
def test_what_is_no_leak_is_called_level(values: list[float]) -> None:
    assert verdict(values) is DriftVerdict.LEVEL


def test_a_large_rise_that_chance_may_explain_is_level() -> None:
    noisy = memory(20, noise_mib=40, seed=11)
    drift = judge_drift(noisy, MATTERS["memory_bytes"])
    assert drift.rise is not None
    assert drift.rise > 30 * MIB
    assert rising_probability(noisy[30:]) <= 0.05
    assert drift.probability == pytest.approx(0.034, abs=0.001)
    assert drift.verdict is DriftVerdict.LEVEL


def test_a_rise_that_nobody_minds_is_level_however_sure() -> None:
    handles = [10.0 + place // 20 for place in range(60)]
    assert verdict(handles, matters=8) is DriftVerdict.LEVEL
    assert verdict(handles, matters=1) is DriftVerdict.GROWS


def test_a_rise_from_nothing_is_found() -> None:
    assert verdict([float(place) for place in range(60)], matters=8) is DriftVerdict.GROWS


@pytest.mark.parametrize("points", [0, 1, FEWEST_POINTS - 1])
def test_a_short_run_says_nothing(points: int) -> None:
    assert judge_drift(memory(500, points=points) if points > 1 else [1.0] * points, 1.0) == (
        DriftVerdict.INSUFFICIENT, points, None, None, None,
    )  # fmt: skip
    assert verdict(memory(500, points=FEWEST_POINTS)) is DriftVerdict.GROWS


def test_false_alarms_are_rare_and_leaks_are_found() -> None:
    level = sum(verdict(memory(0, noise_mib=20, seed=seed)) is DriftVerdict.GROWS for seed in range(400))
    leaks = sum(verdict(memory(30, noise_mib=5, seed=seed)) is DriftVerdict.GROWS for seed in range(400))
    assert level <= 8
    assert leaks >= 390


def test_the_slope_is_that_of_a_line_and_a_few_peaks_do_not_move_it() -> None:
    line = [3.0 + 0.5 * place for place in range(40)]
    assert theil_sen_slope(line) == pytest.approx(0.5)
    peaks = [value + (1000 if place in (3, 17, 31) else 0) for place, value in enumerate(line)]
    assert theil_sen_slope(peaks) == pytest.approx(0.5, rel=0.05)


def test_the_probability_is_that_of_the_tables() -> None:
    # Ten values, 4 of 45 pairs falling: S = 37; var = 10 * 9 * 25 / 18 = 125; z = 36 / sqrt(125) = 3.2199.
    values = [1, 2, 4, 3, 5, 7, 6, 8, 10, 9]
    falling = sum(a > b for at, a in enumerate(values) for b in values[at + 1 :])
    assert falling == 3
    assert rising_probability(values) == pytest.approx(1 - statistics.NormalDist().cdf(38 / math.sqrt(125)))
    assert rising_probability(values[::-1]) == 1.0
    assert rising_probability([5.0] * 10) == 1.0


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_a_probability_is_one_whatever_the_values(values: list[float]) -> None:
    assert 0.0 <= rising_probability(values) <= 1.0


@given(st.lists(st.floats(-1e6, 1e6), max_size=300), st.sampled_from([2, 4, 16]))
def test_k21_a_trace_is_bounded_and_covers_the_run_in_equal_parts(values: list[float], capacity: int) -> None:
    trace = Trace(capacity)
    for value in values:
        trace.add(value)
    points = trace.points
    assert len(points) <= capacity
    if points:
        each = 1
        while each * (len(points) + 1) <= len(values):
            each *= 2
        chunks = [values[at : at + each] for at in range(0, len(points) * each, each)]
        assert points == pytest.approx([statistics.fmean(chunk) for chunk in chunks], abs=1e-3)


def test_k21_a_long_run_keeps_its_slope() -> None:
    trace, chance = Trace(), random.Random(3)
    for place in range(20_000):
        trace.add((100 + place / 500 + chance.gauss(0, 5)) * MIB)
    drift = judge_drift(trace.points, MATTERS["memory_bytes"])
    assert drift.verdict is DriftVerdict.GROWS
    assert drift.rise == pytest.approx(40 * MIB, rel=0.1)
    assert len(trace.points) <= 128


def test_what_is_no_number_is_left_out() -> None:
    trace = Trace()
    for value in (1.0, None, math.nan, math.inf, 2.0):
        trace.add(value)
    assert trace.points == (1.0, 2.0)


@pytest.mark.parametrize("capacity", [0, 1, 3, -2])
def test_a_trace_of_no_or_an_odd_size_is_refused(capacity: int) -> None:
    with pytest.raises(ValueError, match="expected an even number"):
        Trace(capacity)
