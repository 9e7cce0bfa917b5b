from __future__ import annotations

import array
import json
import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.model.run import Metric, MetricKind
from pytest_causal.rules.metric_values import metric


class NumpyLike:
    """Says what number it is, as a scalar of numpy does, without being a number."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        return self.value


class IndexLike:
    def __index__(self) -> int:
        return 7


class Raising:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def __float__(self) -> float:
        raise self.error


class Evasive(Raising):
    def __gt__(self, other: object) -> bool:
        raise RuntimeError("no comparison")


class TextThatIsANumber(str):
    __slots__ = ()

    def __float__(self) -> float:
        return 12.0


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0), (1.5, 1.5), (True, 1.0), (False, 0.0), (-0.0, 0.0), (1e308, 1e308), (2**63, 2.0**63),
        (5e-324, 5e-324), (Decimal("0.1"), 0.1), (Fraction(1, 4), 0.25), (NumpyLike(2.5), 2.5), (IndexLike(), 7.0),
    ],
)  # fmt: skip
def test_p21_numbers_are_stored_as_floats(value: object, number: float) -> None:
    made = metric("m", value)
    assert made == Metric(name="m", value=number, kind=MetricKind.NUMBER)
    assert type(made.value) is float
    assert math.copysign(1.0, made.value) == math.copysign(1.0, number)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (math.nan, MetricKind.NAN), (Decimal("NaN"), MetricKind.NAN), (NumpyLike(math.nan), MetricKind.NAN),
        (math.inf, MetricKind.POSITIVE_INFINITY), (-math.inf, MetricKind.NEGATIVE_INFINITY),
        (Decimal("-Infinity"), MetricKind.NEGATIVE_INFINITY),
        (10**400, MetricKind.POSITIVE_INFINITY), (-(10**400), MetricKind.NEGATIVE_INFINITY),
        (Fraction(10**400, 3), MetricKind.POSITIVE_INFINITY), (Decimal("1e400"), MetricKind.POSITIVE_INFINITY),
        ("12", MetricKind.OTHER), (TextThatIsANumber("12"), MetricKind.OTHER), (b"12", MetricKind.OTHER),
        (bytearray(b"12"), MetricKind.OTHER), (memoryview(b"12"), MetricKind.OTHER),
        (array.array("b", b"12"), MetricKind.OTHER), (None, MetricKind.OTHER), ([1.0], MetricKind.OTHER),
        (1 + 2j, MetricKind.OTHER), (object(), MetricKind.OTHER), (float, MetricKind.OTHER),
        (Decimal("sNaN"), MetricKind.OTHER),
        (Raising(RuntimeError("broken")), MetricKind.OTHER), (Raising(OverflowError()), MetricKind.OTHER),
        (Evasive(OverflowError()), MetricKind.OTHER),
    ],
)  # fmt: skip
def test_p21_what_is_no_finite_number_has_a_kind_and_no_value(value: object, kind: MetricKind) -> None:
    assert metric("m", value) == Metric(name="m", value=None, kind=kind)


@given(st.floats() | st.integers() | st.decimals() | st.fractions() | st.text() | st.none() | st.binary())
def test_p21_a_metric_is_always_writable_as_strict_json(value: object) -> None:
    made = metric("m", value)
    json.dumps({"value": made.value, "kind": made.kind}, allow_nan=False)
    assert (made.value is None) == (made.kind is not MetricKind.NUMBER)


def test_names_are_cut_at_200_characters() -> None:
    assert metric("n" * 300, 1).name == "n" * 200
    assert metric("n" * 300, "x").name == "n" * 200
