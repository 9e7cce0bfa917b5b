"""Whom a run of a candidate speaks against that ended before it read anything of the change."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_causal.model.run import Outcome, Read, Run

_PASSES = frozenset({Outcome.PASSED, Outcome.XFAILED, Outcome.XPASSED})


def attributed(run: Run, changed: Sequence[Read]) -> Run:
    """Return a run of a candidate's arm, with the ``changed`` values as its reads where it must answer for them.

    A candidate that crashes the worker, or fails in a set-up, reads nothing: without this its failure would speak
    against today's policy. So a run that is no pass and read none of the changed paths is taken to have read all of
    them. A pass without such a read is left alone: it says nothing about the change.
    """
    if run.outcome in _PASSES and not run.is_failure:
        return run
    paths = {read.path for read in changed}
    if any(read.path in paths for read in run.reads):
        return run
    return run._replace(reads=tuple(sorted((*run.reads, *changed))))
