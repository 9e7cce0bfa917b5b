from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.policy.bounds import Bound
from tools.soak.preset import under_preset
from tools.soak.warmup import Phase, between, phase_of, preset_share

BASE: dict[str, Any] = {"quoting.min_interval_ms": 75, "impact.impact_cap_ratio": 0.1, "venue": "x"}
PRESET = {
    "quoting.min_interval_ms": {"op": "add", "value": 25},
    "impact.impact_cap_ratio": {"op": "mul", "value": 0.75},
}
MOVED = under_preset(PRESET, BASE, {"quoting.min_interval_ms": Bound(40, 120)})


def test_d14_four_iterations_of_warm_up_two_of_ramp_down_then_the_base_itself() -> None:
    told = [
        (
            phase_of(iteration, warmup=4, rampdown=2),
            between(BASE, MOVED, preset_share(iteration, warmup=4, rampdown=2)),
        )
        for iteration in range(1, 9)
    ]
    assert [phase for phase, _ in told] == [Phase.WARMUP] * 4 + [Phase.RAMPDOWN] * 2 + [Phase.STEADY] * 2
    assert [values["quoting.min_interval_ms"] for _, values in told] == [100, 100, 100, 100, 92, 83, 75, 75]
    assert [round(values["impact.impact_cap_ratio"], 6) for _, values in told[:6]] == [
        0.075, 0.075, 0.075, 0.075, 0.083333, 0.091667,
    ]  # fmt: skip
    assert [values for _, values in told[6:]] == [BASE, BASE]


def test_without_warm_up_every_iteration_is_steady() -> None:
    assert phase_of(1, warmup=0, rampdown=0) is Phase.STEADY
    assert preset_share(1, warmup=0, rampdown=0) == 0.0


@given(st.integers(0, 10), st.integers(0, 10))
def test_the_share_falls_in_equal_parts_from_one_to_nothing(warmup: int, rampdown: int) -> None:
    shares = [
        preset_share(iteration, warmup=warmup, rampdown=rampdown)
        for iteration in range(1, warmup + rampdown + 3)
    ]
    assert shares[:warmup] == [1.0] * warmup
    assert shares[warmup + rampdown :] == [0.0, 0.0]
    ramp = [1.0, *shares[warmup : warmup + rampdown], 0.0]
    falls = [before - after for before, after in itertools.pairwise(ramp)]
    assert falls == pytest.approx([1 / (rampdown + 1)] * (rampdown + 1))


@given(
    base=st.floats(-1e9, 1e9) | st.integers(-(10**9), 10**9),
    target=st.floats(-1e9, 1e9) | st.integers(-(10**9), 10**9),
    share=st.floats(0, 1),
)
def test_d14_what_is_between_lies_between_and_the_ends_are_exact(
    base: float, target: float, share: float
) -> None:
    (value,) = between({"x": base}, {"x": target}, share).values()
    assert min(base, target) - 1 <= value <= max(base, target) + 1
    assert between({"x": base}, {"x": target}, 0.0) == {"x": base}
    assert between({"x": base}, {"x": target}, 1.0) == {"x": target}


def test_the_base_is_never_changed() -> None:
    before = dict(BASE)
    between(BASE, MOVED, 0.5)
    assert before == BASE
