"""Which files of a class must not be deleted, and by which rules; and the order in which the others go."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import lru_cache
from itertools import accumulate, groupby
from operator import itemgetter
from typing import NamedTuple

from pytest_causal.model.artifact import Artifact, KeepRules
from pytest_causal.rules.artifact_classes import DAY_SECONDS

LATEST, WITHIN, DAILY, WEEKLY, MONTHLY = "latest", "within", "daily", "weekly", "monthly"
_SECOND_NS = 1_000_000_000
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
DAY_NS = DAY_SECONDS * _SECOND_NS
_TIME_NS = itemgetter(3)


class Item(NamedTuple):
    """A file that a policy speaks of. ``time_ns`` is its time, that of now where it lies in the future.

    Iterations count within a ``run``: a directory and a class. ``members`` is the number of files it holds. ``number``
    is its place in the sorted listing.
    """

    artifact: Artifact
    run: str
    iteration: int
    time_ns: int
    members: int
    number: int


def protected(items: Sequence[Item], rules: KeepRules, now_ns: int) -> dict[int, list[str]]:
    """Return the number of a file -> the rules that keep it, for the items of one class."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for item in _latest(items, rules.keep_latest):
        found[item.number].append(LATEST)
    if rules.keep_within_days:
        oldest_ns = now_ns - int(rules.keep_within_days * DAY_NS)
        for item in items:
            if item.time_ns >= oldest_ns:
                found[item.number].append(WITHIN)
    periods: list[tuple[str, int, Callable[[int], int]]] = [
        (DAILY, rules.keep_daily, lambda day: day),
        (WEEKLY, rules.keep_weekly, lambda day: (day + 3) // 7),  # the epoch was a Thursday
        (MONTHLY, rules.keep_monthly, _month),
    ]
    for rule, count, period in periods:
        for item in _newest_of_each(items, count, period):
            found[item.number].append(rule)
    return found


def oldest_first(items: Iterable[Item]) -> list[Item]:
    """Return items of several classes, oldest first; within a run by iteration, whatever the times say.

    The time of an iteration counts as at least that of the iterations before it, which makes times agree with numbers.
    """
    by_run = sorted(items, key=lambda item: (item.run, item.iteration, item.time_ns, item.artifact.name))
    aged: list[tuple[int, int, Item]] = []
    for _, run in groupby(by_run, key=lambda item: item.run):
        times_ns, items_of_run = zip(*((item.time_ns, item) for item in run), strict=True)
        for time_ns, item in zip(accumulate(times_ns, max), items_of_run, strict=True):
            aged.append((time_ns, len(aged), item))
    return [item for _, _, item in sorted(aged)]


def _latest(items: Sequence[Item], count: int) -> list[Item]:
    """Return the latest items that together hold ``count`` files.

    Without iterations they are those of the latest times. With iterations they are the highest of the newest run, then
    of the run before it; a run is as new as the newest of its files.
    """
    if not count or not items:
        return []
    if items[0].iteration < 0:
        return _first(heapq.nlargest(min(count, len(items)), items, key=_age_order), count)
    runs: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        runs[item[1]].append(item)
    newest_first = sorted(runs, key=lambda run: (max(map(_TIME_NS, runs[run])), run), reverse=True)
    ordered = (item for run in newest_first for item in sorted(runs[run], key=_iteration_order, reverse=True))
    return _first(ordered, count)


def _first(ordered: Iterable[Item], count: int) -> list[Item]:
    """Return items until they hold ``count`` files."""
    taken, held = [], 0
    for item in ordered:
        taken.append(item)
        held += item.members
        if held >= count:
            break
    return taken


def _iteration_order(item: Item) -> tuple[int, int, str]:
    return item.iteration, item.time_ns, item.artifact.name


def _newest_of_each(items: Sequence[Item], count: int, period: Callable[[int], int]) -> list[Item]:
    """Return the newest item of each of the last ``count`` periods that have any."""
    if not count:
        return []
    newest: dict[int, Item] = {}
    for item in items:
        place = period(item.time_ns // DAY_NS)
        if place not in newest or _age_order(item) > _age_order(newest[place]):
            newest[place] = item
    return [newest[place] for place in sorted(newest, reverse=True)[:count]]


def _age_order(item: Item) -> tuple[int, int, str]:
    return item.time_ns, item.iteration, item.artifact.name


@lru_cache(maxsize=4096)
def _month(day: int) -> int:
    """Return a number that grows by one a month, for days since the epoch; the calendar ends in the year 9999."""
    then = date.fromordinal(min(max(day + _EPOCH_ORDINAL, 1), date.max.toordinal()))
    return then.year * 12 + then.month
