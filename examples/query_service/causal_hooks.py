"""What this shop adds to pytest-causal: named in ``plugins``, or given as ``--causal-plugins``.

It is told what it needs by three variables: ``SHOP_OPEN_HOURS`` (such as ``08-20``, UTC) are the hours in which no
budget is changed, ``SHOP_CONTROL`` (``HOST:PORT``) is where the running service listens, and ``SHOP_LOGBOOK`` is a file
that people read. What is not set is left out.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from query_service.control import tell
from query_service.engine import Engine

if TYPE_CHECKING:
    import pytest

    from pytest_causal.model.change import Change
    from pytest_causal.model.promotion import Promotion, State


def pytest_causal_metrics(item: pytest.Item) -> dict[str, float] | None:
    """Record the counters of the engine that a test used."""
    engine = getattr(item, "funcargs", {}).get("engine")
    if not isinstance(engine, Engine):
        return None
    return {"engine.answered": engine.answered, "engine.fetched_rows": engine.fetched_rows}


def pytest_causal_decision(decision: Promotion) -> str | None:
    """Hold changes of the customers' budgets back while the shop is open."""
    hours = os.environ.get("SHOP_OPEN_HOURS", "")
    return objection(hours, datetime.now(UTC), decision.change.paths) if hours else None


def pytest_causal_apply(change: Change) -> None:
    """Tell the running service of the new values."""
    _reload(change)


def pytest_causal_revert(change: Change) -> None:
    """Tell the running service of the values that are in force again."""
    _reload(change)


def pytest_causal_transition(promotion: Promotion, before: State, after: State) -> None:
    """Write into the logbook what became of a change."""
    if logbook := os.environ.get("SHOP_LOGBOOK"):
        with open(logbook, "a", encoding="utf-8") as book:
            book.write(f"{promotion.label} {promotion.name}: {before} -> {after}\n")


def objection(hours: str, now: datetime, paths: tuple[str, ...]) -> str | None:
    """Return why values must not be changed now, if they must not.

    ``hours`` is ``FIRST-LAST``: the shop is open from the first hour up to the last, past midnight where it is less.
    Budgets of deep queries are no customer's business and may change at any time.
    """
    opens, _, closes = (int(part) if part.isdecimal() else part for part in hours.partition("-"))
    if not isinstance(opens, int) or not isinstance(closes, int):
        raise ValueError(f"SHOP_OPEN_HOURS is {hours!r}; write it as 08-20")
    is_open = opens <= now.hour < closes if opens <= closes else now.hour >= opens or now.hour < closes
    if not is_open or all(path.startswith("deep.") for path in paths):
        return None
    return f"the shop is open until {closes:02d}:00 UTC"


def _reload(change: Change) -> None:
    if address := os.environ.get("SHOP_CONTROL"):
        tell(address, change.after)
