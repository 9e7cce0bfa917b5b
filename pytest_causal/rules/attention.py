"""What a person should look at first."""

from __future__ import annotations

from pytest_causal.model.evidence import Verdict

WORST_FIRST = (Verdict.REJECTED, Verdict.INCONCLUSIVE, Verdict.INERT, Verdict.NOT_YET, Verdict.ELIGIBLE)
_RANK = {verdict: rank for rank, verdict in enumerate(WORST_FIRST)}

Importance = tuple[int, int, bool]


def importance(verdict: Verdict, *, is_newly_flaky: bool, is_changed: bool) -> Importance:
    """Return a sort key: rejected first, then newly flaky, then worst verdict first with changed before unchanged."""
    pressing = 0 if verdict is Verdict.REJECTED else 1 if is_newly_flaky else 2
    return pressing, _RANK[verdict], not is_changed
