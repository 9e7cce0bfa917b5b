"""Reports of shadow items: shown to everybody as no failure, and to the record as they were.

pytest counts failures, stops at them, remembers them and derives its exit code from one thing, the outcome of a
report. So a failing report of a shadow item goes out as ``skipped``, with the failure in its reason, and carries the
truth beside it as one text, the shape that every transport can carry.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_causal.model.change import CANDIDATE_PREFIX

if TYPE_CHECKING:
    import pytest

ARM = "causal_arm"
"""The report attribute that holds the name of the candidate in whose shadow the item ran."""

_TRUTH = "causal_truth"
_REASON_CHARACTERS = 200
R = TypeVar("R")


def mask(report: pytest.TestReport, candidate: str) -> None:
    """Mark a report as that of a shadow item, and hide its failure from those who count failures."""
    setattr(report, ARM, candidate)
    if report.outcome != "failed":
        return
    message = _message(report.longrepr)
    setattr(report, _TRUTH, json.dumps(message))
    path, line, _ = report.location
    first = message.strip().partition("\n")[0][:_REASON_CHARACTERS]
    reason = f"Skipped: shadow failed under {CANDIDATE_PREFIX}{candidate}: {first}"
    report.outcome = "skipped"
    report.longrepr = (path, (line or 0) + 1, reason)


def unmasked(report: R) -> R:
    """Return a report as it was before :func:`mask`; the report itself stays masked."""
    truth = vars(report).get(_TRUTH)
    if truth is None:
        return report
    plain: Any = copy.copy(report)
    plain.outcome = "failed"
    plain.longrepr = json.loads(truth)
    return plain  # type: ignore[no-any-return] # a copy of what was given


def candidate_of(report: object) -> str:
    """Return the name of the candidate in whose shadow a report was made, or nothing."""
    name: str = getattr(report, ARM, "")
    return name


def is_masked(report: object) -> bool:
    """Whether a report tells of a failure that it does not show."""
    return hasattr(report, _TRUTH)


def _message(longrepr: Any) -> str:
    crash = getattr(longrepr, "reprcrash", None)
    return str(longrepr if crash is None else crash.message)
