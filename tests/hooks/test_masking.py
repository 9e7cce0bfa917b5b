from __future__ import annotations

from typing import Any

import pytest

from pytest_causal.hooks.masking import candidate_of, is_masked, mask, unmasked


def report(outcome: Any, longrepr: Any = None) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid="t.py::t",
        location=("t.py", 4, "t"),
        keywords={},
        outcome=outcome,
        longrepr=longrepr,
        when="call",
    )


def travelled(sent: pytest.TestReport) -> pytest.TestReport:
    """A report as it arrives from a worker."""
    return pytest.TestReport._from_json(sent._to_json())


def test_a_failure_goes_out_as_a_skip_that_tells_of_it_and_comes_back_as_it_was() -> None:
    failed = report("failed", "E  no room\nfor more")
    mask(failed, "fast")
    arrived = travelled(failed)
    assert (arrived.failed, arrived.skipped) == (False, True)
    assert arrived.longrepr == ("t.py", 5, "Skipped: shadow failed under candidate:fast: E  no room")
    assert candidate_of(arrived) == "fast"
    assert is_masked(arrived)
    truth = unmasked(arrived)
    assert (truth.outcome, truth.longrepr) == ("failed", "E  no room\nfor more")
    assert arrived.skipped, "unmasking makes another report"


@pytest.mark.parametrize("outcome", ["passed", "skipped"])
def test_what_is_no_failure_is_only_marked(outcome: str) -> None:
    told = report(outcome, ("t.py", 1, "Skipped: away"))
    mask(told, "fast")
    assert candidate_of(told) == "fast"
    assert not is_masked(told)
    assert unmasked(told) is told
    assert (told.outcome, told.longrepr) == (outcome, ("t.py", 1, "Skipped: away"))


def test_of_a_long_failure_the_message_is_kept_and_the_reason_is_short() -> None:
    failed = report("failed", "x" * 1000)
    mask(failed, "fast")
    assert len(str(failed.longrepr)) < 300
    assert unmasked(failed).longrepr == "x" * 1000


def test_a_report_of_no_shadow_names_no_candidate() -> None:
    assert candidate_of(report("failed", "no")) == ""
    assert candidate_of(object()) == ""
