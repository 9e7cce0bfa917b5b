"""What a workload answered goes through the journal unchanged, and only so much of it."""

from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.model.run import Read, ReadHow
from tools.soak.kpi import Sample
from tools.soak.measurement import MAX_METRICS, MAX_NAME, Measurement, samples_of

NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@given(
    metrics=st.dictionaries(st.text(max_size=20), NUMBERS, max_size=8),
    problem=st.text(max_size=30),
    disturbed=st.integers(0, 99),
)
def test_a_measurement_comes_back_from_json_as_it_was(
    metrics: dict[str, float | None], problem: str, disturbed: int
) -> None:
    made = Measurement(
        metrics={name: Sample.of(value) for name, value in metrics.items()},
        reads=(Read("a.b", "1", ReadHow.TRACKED), Read("c", '"x"', ReadHow.OBSERVED)),
        problem=problem,
        covered_seconds=300.0,
        disturbed=disturbed,
    )
    assert Measurement.from_json(json.loads(json.dumps(made.to_json(), allow_nan=False))) == made


def test_k13_what_is_no_finite_number_has_no_value() -> None:
    reported = {"a": math.nan, "b": math.inf, "c": "1", "d": None, "e": [1], "f": 2, "g": -0.5}
    values = {name: sample.value for name, sample in samples_of(reported).items()}
    assert values == {"a": None, "b": None, "c": None, "d": None, "e": None, "f": 2.0, "g": -0.5}


def test_no_workload_can_fill_the_journal() -> None:
    many = {f"m{number:05}": 1.0 for number in range(10_000)}
    kept = samples_of({**many, "n" * (MAX_NAME + 1): 1.0})
    assert list(kept) == sorted(many)[:MAX_METRICS]
