from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.model.change import Change, Step
from pytest_causal.model.promotion import Action, Lesson
from pytest_causal.rules.guards import (
    Guard,
    PastAction,
    Refusal,
    Situation,
    reaches,
    refusals,
    revert_refusals,
)

HOUR_US = 3_600_000_000
NOW_US = 1_763_700_000_000_000
CHANGE = Change((Step("limits.rows", 500, 800), Step("limits.wait", 1, 2)))


def lesson(path: str = "limits.rows", before: Any = 500, after: Any = 800) -> Lesson:
    return Lesson(
        id=3,
        scenario="load",
        path=path,
        before=before,
        after=after,
        reason="",
        promotion=1,
        signature="",
        created_us=0,
    )


def situation(**fields: Any) -> Situation:
    given: dict[str, Any] = {
        "now_us": NOW_US,
        "frozen_by": "",
        "is_within_bounds": lambda step: True,
        "locked_by": (),
        "past": (),
        "cooldown_hours": 6.0,
        "max_actions": 3,
    }
    return Situation(**given | fields)


def past(*hours_ago: float, action: Action = Action.PROMOTE, path: str = "other") -> tuple[PastAction, ...]:
    return tuple(PastAction(NOW_US - round(hours * HOUR_US), action, (path,)) for hours in hours_ago)


def guards(found: Sequence[Refusal]) -> list[Guard]:
    return [each.guard for each in found]


def test_where_nothing_stands_in_the_way_there_is_no_refusal() -> None:
    assert refusals(CHANGE, situation()) == ()


@given(st.sets(st.sampled_from(Guard)))
def test_all_that_refuse_are_told_in_the_order_of_the_guards(refusing: set[Guard]) -> None:
    fields: dict[str, Any] = {}
    if Guard.KILL_SWITCH in refusing:
        fields["frozen_by"] = "FROZEN"
    if Guard.BOUNDS in refusing:
        fields["is_within_bounds"] = lambda step: step.path != "limits.rows"
    if Guard.LOCKOUT in refusing:
        fields["locked_by"] = (lesson(),)
    cooling = past(1, path="limits.wait") if Guard.COOLDOWN in refusing else ()
    crowd = past(1, 2, 3) if Guard.RATE in refusing else ()
    fields["past"] = cooling + crowd
    assert guards(refusals(CHANGE, situation(**fields))) == [guard for guard in Guard if guard in refusing]


def test_what_a_person_must_lift_has_no_time_and_what_passes_has_one() -> None:
    found = refusals(
        CHANGE,
        situation(
            frozen_by="FROZEN",
            is_within_bounds=lambda step: False,
            locked_by=(lesson(),),
            past=past(1, 2, 3, path="limits.rows"),
        ),
    )
    passing = {Guard.COOLDOWN, Guard.RATE}
    assert all((each.could_pass_us is not None) is (each.guard in passing) for each in found)
    assert [each.subject for each in found if each.guard is Guard.BOUNDS] == ["limits.rows", "limits.wait"]
    assert [each.subject for each in found if each.guard is Guard.LOCKOUT] == ["L-3"]


class TestCooldown:
    """A value that was changed is left alone for a while."""

    @given(st.floats(0.1, 100), st.floats(0.0, 200))
    def test_it_lasts_as_long_as_it_is_set(self, cooldown_hours: float, hours_ago: float) -> None:
        found = refusals(
            CHANGE, situation(cooldown_hours=cooldown_hours, past=past(hours_ago, path="limits.rows"))
        )
        is_cooling = round(hours_ago * HOUR_US) < round(cooldown_hours * HOUR_US)
        assert (guards(found) == [Guard.COOLDOWN]) is is_cooling
        if is_cooling:
            assert found[0].could_pass_us == NOW_US - round(hours_ago * HOUR_US) + round(
                cooldown_hours * HOUR_US
            )
            later = situation(
                now_us=found[0].could_pass_us,
                cooldown_hours=cooldown_hours,
                past=past(hours_ago, path="limits.rows"),
            )
            assert refusals(CHANGE, later) == ()

    def test_other_values_do_not_matter(self) -> None:
        assert refusals(CHANGE, situation(past=past(0.1, path="limits.depth"))) == ()

    @pytest.mark.parametrize("action", [Action.PROMOTE, Action.CONSTRAIN, Action.REVERT])
    def test_whatever_changed_the_value_counts(self, action: Action) -> None:
        found = refusals(CHANGE, situation(past=past(1, action=action, path="limits.rows")))
        assert guards(found) == [Guard.COOLDOWN]

    @given(st.floats(0, 24 * 365))
    def test_m9_a_clock_that_was_set_back_does_not_shorten_it(self, hours: float) -> None:
        made_us = NOW_US
        act = (PastAction(made_us, Action.PROMOTE, ("limits.rows",)),)
        back = situation(now_us=NOW_US - round(hours * HOUR_US), past=act)
        assert guards(refusals(CHANGE, back)) == [Guard.COOLDOWN]
        assert refusals(CHANGE, back)[0].could_pass_us == made_us + 6 * HOUR_US

    def test_none_is_none(self) -> None:
        assert refusals(CHANGE, situation(cooldown_hours=0.0, past=past(0, path="limits.rows"))) == ()


class TestRate:
    """So many changes a day and no more."""

    @given(st.lists(st.floats(0, 48), max_size=12), st.integers(1, 6))
    def test_it_counts_the_changes_of_a_day(self, hours_ago: list[float], most: int) -> None:
        found = refusals(CHANGE, situation(past=past(*hours_ago), max_actions=most))
        recent = sum(round(hours * HOUR_US) < 24 * HOUR_US for hours in hours_ago)
        assert (guards(found) == [Guard.RATE]) is (recent >= most)
        if found:
            at_us = found[0].could_pass_us
            assert at_us is not None
            freed = situation(now_us=at_us, past=past(*hours_ago), max_actions=most)
            assert refusals(CHANGE, freed) == ()
            before = situation(now_us=at_us - 1, past=past(*hours_ago), max_actions=most)
            assert guards(refusals(CHANGE, before)) == [Guard.RATE]

    def test_what_was_taken_back_is_not_counted(self) -> None:
        assert refusals(CHANGE, situation(past=past(1, 2, 3, 4, action=Action.REVERT))) == ()

    def test_a_change_to_the_safer_side_is_counted(self) -> None:
        found = refusals(CHANGE, situation(past=past(1, 2, 3, action=Action.CONSTRAIN)))
        assert found[0].subject == "3 of 3 in 24 hours"

    def test_m9_acts_of_the_future_count(self) -> None:
        assert guards(refusals(CHANGE, situation(past=past(-5, -6, -7)))) == [Guard.RATE]


def test_a_revert_obeys_the_kill_switch_alone() -> None:
    stopped = situation(
        is_within_bounds=lambda step: False, locked_by=(lesson(),), past=past(1, 2, 3, path="limits.rows")
    )
    assert revert_refusals(stopped) == ()
    assert guards(revert_refusals(stopped._replace(frozen_by="FROZEN"))) == [Guard.KILL_SWITCH]


@pytest.mark.parametrize(
    ("taught", "after", "is_reached"),
    [
        ((500, 800), 800, True),
        ((500, 800), 900, True),
        ((500, 800), 799, False),
        ((500, 800), 300, False),
        ((500, 300), 300, True),
        ((500, 300), 200, True),
        ((500, 300), 301, False),
        ((500, 300), 800, False),
        (("lifo", "fifo"), "fifo", True),
        (("lifo", "fifo"), "random", False),
        ((False, True), True, True),
        ((True, False), True, False),
        (((1,), (1, 2)), (1, 2), True),
        (((1,), (1, 2)), (3,), False),
    ],
)
def test_a_step_reaches_a_lesson_that_it_goes_as_far_as(
    taught: tuple[Any, Any], after: Any, is_reached: bool
) -> None:
    before, failed = taught
    learned = lesson(before=before, after=failed)
    assert reaches(Step("limits.rows", before, after), learned) is is_reached
    assert not reaches(Step("limits.wait", before, after), learned)


@given(st.integers(), st.integers(), st.integers())
def test_whatever_goes_past_a_step_that_reaches_a_lesson_reaches_it_too(
    before: int, failed: int, after: int
) -> None:
    learned = lesson(before=before, after=failed)
    if before != failed and reaches(Step("limits.rows", 0, after), learned):
        further = after + 1 if failed > before else after - 1
        assert reaches(Step("limits.rows", 0, further), learned)
