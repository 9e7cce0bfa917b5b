from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.policy.canonical import canonical, fingerprint

values = st.recursive(
    st.one_of(
        st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.text(max_size=5)
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(values)
def test_canonical_text_says_the_value(value: Any) -> None:
    assert json.loads(canonical(value)) == value


@given(st.integers(-(2**52), 2**52))
def test_one_number_has_one_spelling(number: int) -> None:
    assert canonical(number) == canonical(float(number)) == str(number)
    assert canonical([number, {"a": float(number)}]) == canonical([float(number), {"a": number}])


def test_zero_has_no_sign_and_true_is_not_one() -> None:
    assert canonical(-0.0) == canonical(0.0) == canonical(0) == "0"
    assert canonical(True) == "true"
    assert canonical(0.1 + 0.2) != canonical(0.3)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")]])
def test_f5_what_is_not_finite_has_no_canonical_form(value: Any) -> None:
    with pytest.raises(ValueError):
        canonical(value)


@given(st.dictionaries(st.text(max_size=5), values, max_size=6))
def test_the_fingerprint_does_not_depend_on_order(leaves: dict[str, Any]) -> None:
    assert fingerprint(leaves) == fingerprint(dict(reversed(leaves.items())))
    assert fingerprint(leaves) != fingerprint({**leaves, "one more": 1})


def test_the_fingerprint_is_the_same_in_another_process() -> None:
    leaves = {"a.b": 1.0, "é": ("x", True), "c": 0.1}
    code = f"from pytest_causal.policy.canonical import fingerprint; print(fingerprint({leaves!r}))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == fingerprint(leaves)
    assert fingerprint(leaves) == "3a89e597ed4ee27f"
