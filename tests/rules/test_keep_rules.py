from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.model.artifact import KeepRules
from pytest_causal.rules.artifact_files import Files, Stretch
from pytest_causal.rules.keep_rules import DAY_NS, oldest_first, protected

NOW_NS = 20_600 * DAY_NS + DAY_NS // 2
NOTHING = KeepRules(keep_latest=0)


class Item(NamedTuple):
    """A file of a run, before it is put into columns."""

    name: str
    iteration: int
    time_ns: int
    run: str
    members: int


def item(name: str, iteration: int = -1, *, days_old: float = 0, run: str = "a/0", members: int = 1) -> Item:
    return Item(name, iteration, NOW_NS - int(days_old * DAY_NS), run, members)


def columns(items: Sequence[Item]) -> Files:
    return Files(
        artifacts=[],
        names=[each.name for each in items],
        sizes_bytes=[1] * len(items),
        runs=[each.run for each in items],
        iterations=[each.iteration for each in items],
        times_ns=[each.time_ns for each in items],
        members=[each.members for each in items],
    )


def stretches(items: Sequence[Item]) -> list[Stretch]:
    """Those of each run: in one piece where they stand together, and otherwise one by one."""
    found = []
    for run in dict.fromkeys(each.run for each in items):
        numbers = [number for number, each in enumerate(items) if each.run == run]
        together = range(numbers[0], numbers[-1] + 1)
        if [*together] == numbers:
            found.append(Stretch(run, together, is_plain=True))
        else:
            found += [Stretch(run, [number], is_plain=True) for number in numbers]
    return found


def kept(items: list[Item], rules: KeepRules) -> dict[str, list[str]]:
    """Name -> the rules that keep it."""
    found = protected(
        columns(items),
        stretches(items),
        rules,
        has_iterations=any(each.iteration >= 0 for each in items),
        now_ns=NOW_NS,
    )
    return {items[number].name: why for number, why in found.items()}


def aged(items: Sequence[Item]) -> list[Item]:
    """The oldest first."""
    return [items[number] for number in oldest_first(columns(items), range(len(items)))]


def test_r1_the_latest_are_those_of_the_highest_numbers_with_equal_times() -> None:
    items = [item(f"ITER_{number}", number) for number in (1, 2, 3, 4, 5, 9, 10, 100)]
    assert set(kept(items, KeepRules(keep_latest=3))) == {"ITER_9", "ITER_10", "ITER_100"}


def test_r1_reversed_times_do_not_change_which_are_the_latest() -> None:
    items = [item(f"ITER_{number}", number, days_old=number) for number in range(1, 12)]
    assert set(kept(items, KeepRules(keep_latest=2))) == {"ITER_10", "ITER_11"}


def test_of_one_iteration_in_two_files_the_later_is_the_latest() -> None:
    items = [item("copy", 5, days_old=2), item("first", 5, days_old=1)]
    assert set(kept(items, KeepRules(keep_latest=1))) == {"first"}


def test_without_iterations_the_latest_are_those_of_the_latest_times() -> None:
    items = [item("b", days_old=1), item("a", days_old=3), item("c", days_old=2)]
    assert set(kept(items, KeepRules(keep_latest=2))) == {"b", "c"}


def test_the_latest_run_comes_first_whatever_the_numbers_of_runs_before() -> None:
    old = [item(f"old/{number}", number, days_old=30, run="old/0") for number in range(500, 510)]
    new = [item(f"new/{number}", number, days_old=1, run="new/0") for number in range(1, 4)]
    assert set(kept(old + new, KeepRules(keep_latest=4))) == {"new/1", "new/2", "new/3", "old/509"}


def test_a_run_is_as_new_as_the_newest_of_its_files_wherever_that_stands() -> None:
    items = [
        item("a/1", 1, days_old=1, run="a/0"),
        item("b/9", 9, days_old=5, run="b/0"),
        item("a/2", 2, days_old=9, run="a/0"),
    ]
    assert set(kept(items, KeepRules(keep_latest=1))) == {"a/2"}
    assert set(kept(items[::-1], KeepRules(keep_latest=1))) == {"a/2"}


def test_an_archive_counts_as_the_files_it_holds() -> None:
    items = [item("5", 5), item("archive", 4, members=3), item("1", 1)]
    assert set(kept(items, KeepRules(keep_latest=4))) == {"5", "archive"}
    assert set(kept(items, KeepRules(keep_latest=5))) == {"5", "archive", "1"}


def test_r5_no_files_all_files_and_more_than_there_are() -> None:
    items = [item(str(number), number) for number in range(5)]
    assert kept(items, NOTHING) == {}
    assert len(kept(items, KeepRules(keep_latest=10**9))) == 5


def test_what_is_young_enough_is_kept() -> None:
    items = [item("new", days_old=0.5), item("edge", days_old=1), item("old", days_old=1.01)]
    assert kept(items, KeepRules(keep_latest=0, keep_within_days=1)) == {
        "new": ["within"],
        "edge": ["within"],
    }


def test_the_newest_of_each_of_the_last_days_with_files_is_kept() -> None:
    items = [item("a", days_old=0.1), item("b", days_old=0.2), item("c", days_old=5), item("d", days_old=9)]
    assert kept(items, KeepRules(keep_latest=0, keep_daily=2)) == {"a": ["daily"], "c": ["daily"]}


def test_weeks_begin_on_monday() -> None:
    # 2026-05-27 is a Wednesday: Monday is two days before it, and Sunday, of the week before, three.
    items = [item("monday", days_old=2), item("sunday", days_old=3), item("saturday", days_old=4)]
    assert set(kept(items, KeepRules(keep_latest=0, keep_weekly=2))) == {"monday", "sunday"}


def test_months_are_those_of_the_calendar() -> None:
    items = [item("may 1", days_old=26), item("april 30", days_old=27), item("april 1", days_old=56)]
    assert set(kept(items, KeepRules(keep_latest=0, keep_monthly=5))) == {"may 1", "april 30"}


def test_every_rule_that_keeps_a_file_is_named() -> None:
    rules = KeepRules(keep_latest=1, keep_within_days=1, keep_daily=1, keep_weekly=1, keep_monthly=1)
    assert kept([item("a")], rules) == {"a": ["latest", "within", "daily", "weekly", "monthly"]}


def test_a_time_beyond_the_calendar_is_in_some_month() -> None:
    far = item("far", days_old=-(10**8))
    assert set(kept([far, item("now")], KeepRules(keep_latest=0, keep_monthly=1))) == {"far"}


def test_the_oldest_go_first_and_within_a_run_by_number() -> None:
    items = [
        item("a/1", 1, days_old=1, run="a/0"),
        item("a/2", 2, days_old=9, run="a/0"),
        item("b", days_old=5, run="b/1"),
        item("a/0", 0, days_old=3, run="a/0"),
    ]
    assert [each.name for each in aged(items)] == ["b", "a/0", "a/1", "a/2"]


@given(
    st.lists(
        st.tuples(st.integers(-1, 20), st.integers(0, 10), st.sampled_from(["a/0", "b/0", "b/1"])),
        max_size=30,
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_does_not_depend_on_that_of_the_listing(
    drawn: list[tuple[int, int, str]], random: object
) -> None:
    items = [
        item(f"{run}/{place}", iteration, days_old=days, run=run)
        for place, (iteration, days, run) in enumerate(drawn)
    ]
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis gives a random.Random
    assert aged(shuffled) == aged(items)
    for one, other in pairwise(aged(items)):
        if one.run == other.run:
            assert one.iteration <= other.iteration
