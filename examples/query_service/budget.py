"""What a query may spend, and the errors of a service that holds it to that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from query_service.catalogue import Tier

Policy = Mapping[str, Any]
"""The nested policy: ``policy["standard"]["max_wall_time_ms"]``."""


class ServiceError(Exception):
    """Base of the refusals of this service."""


class WallTimeExceededError(ServiceError):
    """A query ran longer than its budget and was stopped."""


class RowsExceededError(ServiceError):
    """A result has more rows than its budget. A cut report would be a wrong report, so none is given."""


class QueueFullError(ServiceError):
    """All workers are busy and as many queries wait as may."""


class IntakeBusyError(ServiceError):
    """Other writers did not let go of the database in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The limits of one query: milliseconds, rows, and KiB of page cache (which also bounds sorting in memory)."""

    max_wall_time_ms: int
    max_rows: int
    cache_kib: int

    @classmethod
    def of(cls, policy: Policy, tier: Tier) -> Budget:
        """Read the three budgets of one tier, and of no other."""
        limits = policy[tier]
        return cls(
            max_wall_time_ms=limits["max_wall_time_ms"],
            max_rows=limits["max_rows"],
            cache_kib=limits["cache_kib"],
        )
