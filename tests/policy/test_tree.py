from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.policy.tree import MAX_DEPTH, TreeError, flatten, is_at_or_under, nest

keys = st.text(
    alphabet=st.characters(exclude_characters=".", categories=["L", "N", "P"]), min_size=1, max_size=5
)
scalars = st.one_of(
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.text(max_size=5),
)
leaves = st.one_of(scalars, st.lists(scalars, max_size=3))
tables = st.dictionaries(
    keys,
    st.recursive(leaves, lambda inner: st.dictionaries(keys, inner, min_size=1, max_size=3), max_leaves=8),
)


@given(tables)
def test_nesting_undoes_flattening(table: dict[str, Any]) -> None:
    flat = flatten(table)
    assert not any(isinstance(leaf, list) for leaf in flat.values())
    assert nest(flat) == table


def test_an_empty_table_holds_nothing() -> None:
    assert flatten({"a": {}, "b": {"c": {}}}) == {}


@pytest.mark.parametrize(
    ("table", "path", "problem"),
    [
        ({"a": {"b": None}}, ("a", "b"), "null"),
        ({"a": float("nan")}, ("a",), "finite"),
        ({"a": [1, float("inf")]}, ("a",), "finite"),
        ({"a": 2**63}, ("a",), "64 bits"),
        ({"a": datetime.date(2026, 1, 2)}, ("a",), "type date"),
        ({"a.b": 1}, ("a.b",), "without dots"),
        ({"a": {"": 1}}, ("a", ""), "printable text"),
        ({"a\x1b": 1}, ("a\x1b",), "printable text"),
    ],
)
def test_f5_what_a_policy_cannot_hold_is_refused_with_its_path(
    table: dict[str, Any], path: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(TreeError, match=problem) as caught:
        flatten(table)
    assert caught.value.path == path


def test_f2_depth_and_number_are_bounded() -> None:
    table: dict[str, Any] = {"leaf": 1}
    for _ in range(MAX_DEPTH):
        table = {"t": table}
    with pytest.raises(TreeError, match="deep"):
        flatten(table)
    with pytest.raises(TreeError, match="more than"):
        flatten({f"k{number}": number for number in range(10_001)})


def test_a_path_lies_in_its_tables_and_in_no_name_that_only_begins_alike() -> None:
    assert is_at_or_under("a.b", "a")
    assert is_at_or_under("a.b", "a.b")
    assert not is_at_or_under("a.bc", "a.b")
    assert not is_at_or_under("a", "a.b")
