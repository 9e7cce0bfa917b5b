"""The recent units of a scenario, and which of them were incomplete: bit fields over places of the history.

The lowest bit of a field stands for the newest place, the next for the one before. One field has a bit where the
scenario had a unit, the other where that unit was incomplete. Places are counted, and not units, because the fields
of two streams can then be laid over each other.
"""

from __future__ import annotations

PLACES = 62
"""How far the fields look back; they fit a signed 64-bit column."""

RECENT_UNITS = 20
"""Of how many of the newest units the incomplete ones are counted."""

_ALL = (1 << PLACES) - 1


def moved(field: int, places: int) -> int:
    """Return a field as seen from so many places further on."""
    return (field << places) & _ALL if places < PLACES else 0


def newest_units(incomplete: int, units: int) -> tuple[int, int]:
    """Return how many of the newest units (at most 20) were incomplete, and of how many."""
    count = units.bit_count()
    while count > RECENT_UNITS:
        oldest = 1 << (units.bit_length() - 1)
        units, incomplete, count = units ^ oldest, incomplete & ~oldest, count - 1
    return incomplete.bit_count(), count


def incomplete_share(incomplete: int, units: int) -> float:
    """Return the share of incomplete units among the newest: 0 where there is no unit."""
    if not incomplete:
        return 0.0
    bad, count = newest_units(incomplete, units)
    return bad / count


def complete_units_needed(incomplete: int, units: int, allowed: float) -> int | None:
    """Return how many complete units, at the next places, bring the share to what is allowed; None if none can."""
    for more in range(RECENT_UNITS + 1):
        if incomplete_share(moved(incomplete, more), moved(units, more) | ((1 << more) - 1)) <= allowed:
            return more
    return None
