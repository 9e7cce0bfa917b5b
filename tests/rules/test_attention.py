from __future__ import annotations

import itertools

from pytest_causal.model.evidence import Verdict
from pytest_causal.rules.attention import WORST_FIRST, importance


def test_every_verdict_has_its_place() -> None:
    assert sorted(WORST_FIRST) == sorted(Verdict)


def test_rejected_comes_first_then_newly_flaky_then_the_worst_and_changed_before_unchanged() -> None:
    cases = itertools.product(Verdict, [True, False], [True, False])
    ordered = sorted(cases, key=lambda case: importance(case[0], is_newly_flaky=case[1], is_changed=case[2]))
    assert {case[0] for case in ordered[:4]} == {Verdict.REJECTED}
    assert all(case[1] for case in ordered[4:12])
    assert [case[0] for case in ordered[12:]] == [verdict for verdict in WORST_FIRST[1:] for _ in range(2)]
    assert [case[2] for case in ordered[12:]] == [True, False] * 4
