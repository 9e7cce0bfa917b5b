from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.rules import renames
from pytest_causal.rules.renames import LEAST_LIKENESS_RATIO, suggest_renames


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("tests/test_a.py::test_limit", "tests/unit/test_a.py::test_limit", "same test in another file"),
        ("t/test_a.py::TestX::test_y[1-a]", "t/test_b.py::TestX::test_y[1-a]", "same test in another file"),
        ("t.py::test_load[10]", "t.py::test_load[10-fast]", "same test with other parameters"),
        ("t.py::test_load", "t.py::test_load[10]", "same test with other parameters"),
        ("t.py::test_limit_holds", "t.py::test_limits_hold", "similar name in the same file"),
        ("t.py::TestA::test_load", "t.py::TestB::test_load", "similar name in the same file"),
        ("nightly-soak", "nightly-soaks", "similar id"),
    ],
)
def test_a_likely_rename_is_suggested_with_its_reason(old: str, new: str, why: str) -> None:
    others = ["x/test_other.py::test_unlike", "zzz"]
    (found,) = suggest_renames([old, "gone.py::test_q"], [*others, new])
    assert (found.old, found.new, found.why) == (old, new, why)
    assert LEAST_LIKENESS_RATIO <= found.likeness_ratio < 1.0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("t.py::test_alpha", "t.py::test_queue_is_drained"),  # the same file, but nothing alike
        ("a.py::test_load", "b.py::test_loads"),  # alike, but another file and another name
        ("t.py::test_load[1]", "t.py::test_loads[2]"),  # name and parameters both changed
        ("t.py::test_load", "test_load"),  # one is a test, the other an id given by hand
        ("a/b/c/d/test_very_long_name.py::test_x", "q.py::test_x"),  # a common name in an unlike place
    ],
)
def test_what_is_no_likely_rename(old: str, new: str) -> None:
    assert suggest_renames([old], [new]) == []


def test_a_name_that_stayed_is_no_rename() -> None:
    assert suggest_renames(["t.py::test_a", "t.py::test_ab"], ["t.py::test_a"]) == []


def test_m15_the_best_pairs_win_and_each_name_is_used_once() -> None:
    found = suggest_renames(
        ["t.py::test_load_1", "t.py::test_load_12"], ["t.py::test_load_123", "t.py::test_load_x"]
    )
    assert [(pair.old, pair.new) for pair in found] == [
        ("t.py::test_load_12", "t.py::test_load_123"),
        ("t.py::test_load_1", "t.py::test_load_x"),
    ]


def test_the_number_of_suggestions_is_limited() -> None:
    old = [f"a/t.py::test_{number}" for number in range(30)]
    new = [f"b/t.py::test_{number}" for number in range(30)]
    assert len(suggest_renames(old, new)) == 10
    assert len(suggest_renames(old, new, 3)) == 3
    assert suggest_renames(old, new, 0) == []


def test_comparisons_are_limited_in_number_and_length(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []

    class Counting:
        def __init__(self, junk: None, one: str, other: str, autojunk: bool) -> None:
            compared.append(max(len(one), len(other)))

        def ratio(self) -> float:
            return 0.5

    monkeypatch.setattr(renames, "SequenceMatcher", Counting)
    suggest_renames(
        [f"t.py::test_{'xy' * 5000}{number}" for number in range(1000)],
        [f"t.py::test_{'yx' * 5000}{number}" for number in range(1000)],
    )
    assert len(compared) == 5000
    assert max(compared) <= 120


names = st.sampled_from(
    [f"{file}::test_{name}" for file in ("a.py", "b.py") for name in ("x", "xy", "xyz", "x[1]", "x[12]")]
)


@given(
    st.lists(names | st.text(max_size=12), max_size=12), st.lists(names | st.text(max_size=12), max_size=12)
)
def test_m15_suggestions_join_only_what_vanished_with_what_is_new(
    vanished: list[str], new: list[str]
) -> None:
    found = suggest_renames(vanished, new)
    assert found == suggest_renames(vanished[::-1], new[::-1])
    old_names, new_names = [pair.old for pair in found], [pair.new for pair in found]
    assert len(set(old_names)) == len(set(new_names)) == len(found)
    assert set(old_names) <= set(vanished) - set(new)
    assert set(new_names) <= set(new) - set(vanished)
    ratios = [pair.likeness_ratio for pair in found]
    assert ratios == sorted(ratios, reverse=True)
    assert all(LEAST_LIKENESS_RATIO <= ratio <= 1.0 for ratio in ratios)
