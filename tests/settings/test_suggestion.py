from __future__ import annotations

from pytest_causal.settings.suggestion import did_you_mean


def test_the_nearest_word_is_named_as_it_is_written() -> None:
    assert did_you_mean("stroe", ["store", "strict"]) == "did you mean 'store'?"
    assert did_you_mean("STORE", ["Store", "strict"]) == "did you mean 'Store'?"


def test_without_a_near_word_the_known_ones_are_listed_up_to_a_limit() -> None:
    assert did_you_mean("zzz", ["b", "a"]) == "known: a, b"
    assert did_you_mean("zzz", [f"k{number:02}" for number in range(15)]).endswith("k11 and 3 more")
    assert did_you_mean("zzz", []) == "none is known"
