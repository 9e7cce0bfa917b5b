"""Putting the values of a run back, also after the process that changed them is gone.

What to put back is known from the journal, not from a process: a revert that was killed is finished by the next one,
and one that finds nothing left to do is a success.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_causal import clock
from pytest_causal.errors import MissingInputError
from tools.soak.identity import OVERRIDES
from tools.soak.journal import NAME as JOURNAL
from tools.soak.journal import Journal, Step, read_journal
from tools.soak.lease import lease
from tools.soak.parameters import Author, restore
from tools.soak.plan import Plan
from tools.soak.progress import Progress, replay
from tools.soak.run import LEASE, OVERRIDES_LEASE_SUFFIX, existing_folder
from tools.soak.surroundings import Clock


def revert(name: str, out: Path, time: Clock, *, to_base: bool = False) -> dict[str, Any]:
    """Put back the last good values of a run, or those it began with; return what was put back.

    The run has then ended: it cannot be resumed. Raises MissingInputError, LeaseHeldError for a run that is going on,
    SafetyStopError where a person has edited the file since, and StoreError: nothing was changed then.
    """
    folder = existing_folder(name, out)
    with contextlib.ExitStack() as stack:
        stack.enter_context(lease(folder / LEASE, f"run {name}"))
        progress = replay(read_journal(folder / JOURNAL))
        if progress.plan is None:
            raise MissingInputError(
                f"run {name} was not begun: its journal is empty", "there is nothing to revert"
            )
        path = override_file(progress.plan, folder)
        if path.parent != folder:
            stack.enter_context(lease(path.with_name(path.name + OVERRIDES_LEASE_SUFFIX), str(path)))
        journal = stack.enter_context(contextlib.closing(Journal.open(folder / JOURNAL)))
        leaves = dict(progress.begun_overrides) if to_base else good_leaves(progress)
        journal.append(Step.REVERTING, progress.iteration, time.now_us(), {"overrides": leaves})
        author = Author(by=f"soak {name} revert", at=f"{clock.at(time.now_us()):%Y-%m-%dT%H:%M:%SZ}")
        is_changed = restore(path, leaves, author)
        data = {"overrides": leaves, "is_changed": is_changed}
        journal.append(Step.REVERTED, progress.iteration, time.now_us(), data)
        return data


def override_file(plan: Plan, folder: Path) -> Path:
    """Return the override file that a run tunes."""
    return Path(plan.overrides).absolute() if plan.overrides else folder / OVERRIDES


def good_leaves(progress: Progress) -> dict[str, Any]:
    """Return what the override file held when an iteration last passed; what the run began with if none has."""
    good: Mapping[str, Any] | None = progress.guards.last_good
    if good is None:
        return dict(progress.begun_overrides)
    began = progress.plan.values if progress.plan else {}
    moved = {path: value for path, value in good.items() if path in began and value != began[path]}
    return {**progress.begun_overrides, **moved}
