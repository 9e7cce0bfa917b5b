"""Times as people and programs read them: always UTC."""

from __future__ import annotations

from pytest_causal import clock


def utc_stamp(microseconds: int) -> str:
    """Return ``2026-11-21T09:04:00.250000Z``, as it stands in JSON, for microseconds since the epoch."""
    return clock.at(microseconds).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def stamp_or_none(microseconds: int) -> str | None:
    """Return the stamp, or ``None`` for 0, which stands for no time at all."""
    return utc_stamp(microseconds) if microseconds else None


def utc_minutes(microseconds: int) -> str:
    """Return ``2026-11-21 09:04``, as it stands in a table."""
    return clock.at(microseconds).strftime("%Y-%m-%d %H:%M")


def duration(seconds: float) -> str:
    """Return a length of time in at most seven characters: ``0.4 ms``, ``12 ms``, ``3.2 s``, ``4m 05s``, ``2h 10m``."""
    if seconds < 0.00995:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02d}m"
