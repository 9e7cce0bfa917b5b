"""The one map between the flat keys of the predecessors and the nested paths of today.

The first predecessor's writer and its verifier disagreed about the nesting, so that what one wrote the other never
read. Here each flat key has one nested path; the places that its tools also used are known as older names.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

NESTED: Mapping[str, str] = {
    "base_spread_bps_delta": "quoting.base_spread_bps_delta",
    "impact_cap_ratio": "impact.impact_cap_ratio",
    "max_delta_ratio": "impact.max_delta_ratio",
    "min_interval_ms": "quoting.min_interval_ms",
    "replace_rate_per_min": "quoting.replace_rate_per_min",
    "tail_age_ms": "engine.tail_age_ms",
    "edge_bps_threshold": "strategy.edge_bps_threshold",
    "rescue_max_ratio": "taker_rescue.rescue_max_ratio",
}
"""Flat key -> nested path."""

OLDER: Mapping[str, str] = {
    "risk.base_spread_bps_delta": "base_spread_bps_delta",
    "risk.impact_cap_ratio": "impact_cap_ratio",
    "risk.max_delta_ratio": "max_delta_ratio",
    "engine.min_interval_ms": "min_interval_ms",
    "taker_rescue.tail_age_ms": "tail_age_ms",
    "risk.edge_bps_threshold": "edge_bps_threshold",
}
"""Nested path that one of the predecessors' tools used -> flat key."""

_FLAT = {nested: flat for flat, nested in NESTED.items()} | dict(OLDER)


def other_names(path: str) -> tuple[str, ...]:
    """Return the other paths by which the predecessors knew a value, the one of today first."""
    flat = path if path in NESTED else _FLAT.get(path)
    if flat is None:
        return ()
    older = [old for old, key in OLDER.items() if key == flat]
    return tuple(name for name in (NESTED[flat], flat, *older) if name != path)


def known_name(path: str, known: Container[str]) -> str | None:
    """Return the path under which a policy knows a value: as given, or by another of its names."""
    if path in known:
        return path
    return next((name for name in other_names(path) if name in known), None)


def flat_twins(paths: Container[str]) -> dict[str, str]:
    """Return flat key -> nested path, for each value that one document holds under both."""
    twins: dict[str, str] = {}
    for flat in NESTED:
        if flat in paths and (twin := next((name for name in other_names(flat) if name in paths), None)):
            twins[flat] = twin
    return twins
