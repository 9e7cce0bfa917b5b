from __future__ import annotations

from pytest_causal.model.run import Outcome
from pytest_causal.views.shadow import ShadowFailure, ShadowView, shadow_lines

VIEW = ShadowView(
    seed=7,
    counts={
        ("candidate:a", Outcome.PASSED): 1200,
        ("candidate:a", Outcome.FAILED): 2,
        ("candidate:b", Outcome.SKIPPED): 1,
    },
    failures=(
        ShadowFailure("candidate:a", "t.py::x\x1b[31m", Outcome.FAILED, "first\nsecond"),
        ShadowFailure("candidate:a", "t.py::y", Outcome.CRASHED, ""),
    ),
)


def texts(limit: int | None) -> list[str]:
    return [line.text for line in shadow_lines(VIEW, limit=limit, width=100)]


def test_each_candidate_has_a_line_and_each_failure_its_reason() -> None:
    assert texts(None) == [
        "in the shadow of candidate:a: 1,200 passed, 2 failed (seed 7)",
        "in the shadow of candidate:b: 1 skipped (seed 7)",
        r"  failed   t.py::x\x1b[31m",
        "           first",
        "  crashed  t.py::y",
    ]


def test_failures_beyond_the_limit_are_counted() -> None:
    assert texts(1)[-1] == "  ... and 1 more failure in the shadow (-v shows all)"
    assert texts(0)[-1] == "  ... and 2 more failures in the shadow (-v shows all)"


def test_lines_fit_the_width() -> None:
    long = VIEW._replace(failures=(ShadowFailure("candidate:a", "n" * 300, Outcome.FAILED, "m" * 300),))
    assert max(len(line.text) for line in shadow_lines(long, limit=None, width=80)) <= 80
