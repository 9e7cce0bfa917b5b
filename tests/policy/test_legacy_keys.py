from __future__ import annotations

import pytest

from pytest_causal.policy.legacy_keys import NESTED, OLDER, flat_twins, known_name, other_names

# What the predecessors' verifier and writer used, as found in their sources.
VERIFIER = {
    "base_spread_bps_delta": ["quoting.base_spread_bps_delta", "risk.base_spread_bps_delta"],
    "edge_bps_threshold": ["strategy.edge_bps_threshold", "risk.edge_bps_threshold"],
    "impact_cap_ratio": ["impact.impact_cap_ratio"],
    "max_delta_ratio": ["impact.max_delta_ratio"],
    "min_interval_ms": ["quoting.min_interval_ms", "engine.min_interval_ms"],
    "replace_rate_per_min": ["quoting.replace_rate_per_min"],
    "rescue_max_ratio": ["taker_rescue.rescue_max_ratio"],
    "tail_age_ms": ["engine.tail_age_ms", "taker_rescue.tail_age_ms"],
}
WRITER = {
    "base_spread_bps_delta": ["risk.base_spread_bps_delta"],
    "impact_cap_ratio": ["risk.impact_cap_ratio"],
    "max_delta_ratio": ["risk.max_delta_ratio"],
    "min_interval_ms": ["engine.min_interval_ms"],
    "tail_age_ms": ["engine.tail_age_ms"],
}


@pytest.mark.parametrize("table", [VERIFIER, WRITER])
def test_every_place_of_the_two_old_maps_is_known(table: dict[str, list[str]]) -> None:
    for flat, places in table.items():
        for place in places:
            assert flat in other_names(place)
            assert place in other_names(flat)


def test_the_map_is_one_to_one_and_older_names_are_no_names_of_today() -> None:
    assert len(set(NESTED.values())) == len(NESTED)
    assert not set(OLDER) & set(NESTED.values())
    assert set(OLDER.values()) <= set(NESTED)


def test_the_name_of_today_comes_first() -> None:
    assert other_names("tail_age_ms") == ("engine.tail_age_ms", "taker_rescue.tail_age_ms")
    assert other_names("taker_rescue.tail_age_ms") == ("engine.tail_age_ms", "tail_age_ms")
    assert other_names("no.such") == ()


def test_a_value_is_known_as_given_or_else_by_another_name() -> None:
    assert known_name("min_interval_ms", {"min_interval_ms", "quoting.min_interval_ms"}) == "min_interval_ms"
    assert known_name("min_interval_ms", {"quoting.min_interval_ms"}) == "quoting.min_interval_ms"
    assert known_name("engine.min_interval_ms", {"min_interval_ms"}) == "min_interval_ms"
    assert known_name("min_interval_ms", {"other"}) is None


def test_twins_are_a_flat_key_and_a_nested_path_in_one_document() -> None:
    assert flat_twins({"tail_age_ms", "engine.tail_age_ms", "x"}) == {"tail_age_ms": "engine.tail_age_ms"}
    assert flat_twins({"tail_age_ms", "taker_rescue.tail_age_ms"}) == {
        "tail_age_ms": "taker_rescue.tail_age_ms"
    }
    assert flat_twins({"engine.tail_age_ms", "taker_rescue.tail_age_ms"}) == {}
