"""What a person sees of shadow items at the end of a session: how each candidate fared, and why its tests failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pytest_causal.model.run import Outcome
from pytest_causal.views.escape import terminal
from pytest_causal.views.summary import Line
from pytest_causal.views.words import plural


class ShadowFailure(NamedTuple):
    """A shadow item that failed, and the message of its failure."""

    arm: str
    nodeid: str
    outcome: Outcome
    message: str


class ShadowView(NamedTuple):
    """The seed of the order, how many runs of each (arm, outcome) there were, and the failures."""

    seed: int
    counts: Mapping[tuple[str, Outcome], int]
    failures: tuple[ShadowFailure, ...]


def shadow_lines(view: ShadowView, *, limit: int | None, width: int) -> Iterator[Line]:
    """Yield a line for each candidate, and one for each failure, ``limit`` of them at most (``None``: all)."""
    for arm in sorted({arm for arm, _ in view.counts}):
        counted = ", ".join(
            f"{view.counts[arm, outcome]:,} {outcome}"
            for outcome in Outcome
            if view.counts.get((arm, outcome))
        )
        yield Line(text=f"in the shadow of {terminal(arm)}: {counted} (seed {view.seed})")
    shown = view.failures if limit is None else view.failures[:limit]
    for failure in shown:
        yield Line(
            text=f"  {failure.outcome:<8} {terminal(failure.nodeid, max(20, width - 12))}", marks=("yellow",)
        )
        if reason := failure.message.strip().partition("\n")[0]:
            yield Line(text=f"           {terminal(reason, max(20, width - 12))}")
    if hidden := len(view.failures) - len(shown):
        yield Line(text=f"  ... and {plural(hidden, 'more failure')} in the shadow (-v shows all)")
