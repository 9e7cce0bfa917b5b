"""The hooks that other plugins, a conftest, or a module named in ``plugins`` may implement.

They are plain functions of these names; a parameter that is not needed may be left out. No implementation is a
wrapper. What one of them raises never breaks a run: it is told, and stands in the way of the change it was asked about.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import pytest

    from pytest_causal.model.change import Change
    from pytest_causal.model.evidence import Verdict
    from pytest_causal.model.promotion import Promotion, State

hookspec = pluggy.HookspecMarker("pytest")


@hookspec
def pytest_causal_metrics(item: pytest.Item, report: pytest.TestReport) -> Mapping[str, float] | None:
    """Return more metrics of a run, by name, beside those that the test recorded with ``causal_metric``.

    Called once a run in the process that runs the test, with the report of its call, or of the set-up that failed,
    before any fixture is torn down. One that raises costs the run its metrics and nothing else; the metric
    ``causal_hooks_failed`` counts them.
    """


@hookspec
def pytest_causal_decision(decision: Promotion) -> str | Verdict | None:
    """Veto or amend a decision before it is acted on.

    ``decision`` is the promotion as it stands: its ``change``, its ``scenarios``, and as ``verdict`` everything that
    the evidence says. Return a text to veto it: why not now. Return a verdict that is stricter than the one reached
    to amend it; one that is not stricter changes nothing. Return ``None`` to let it pass. One that raises vetoes.
    """


@hookspec
def pytest_causal_apply(change: Change, promotion: Promotion) -> None:
    """Make a change on a target of your own, such as a running service, when the live values have changed.

    Each step has a ``path``, the value ``before`` and the value ``after``. Where one raises, the promotion is taken
    back, and all implementations are asked to revert it, also those that it never reached.
    """


@hookspec
def pytest_causal_revert(change: Change, promotion: Promotion) -> None:
    """Take a change back on a target of your own.

    ``change`` is the inverse of what was applied: the values ``after`` are to be in force again, and may be already.
    All implementations are asked, also when one of them raises; a revert that failed is reported as such.
    """


@hookspec
def pytest_causal_transition(promotion: Promotion, before: State, after: State) -> None:
    """Learn that a promotion has gone from one state to another. It has happened: what is raised is only told."""
