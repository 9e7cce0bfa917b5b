"""Which files of a class must not be deleted, and by which rules; and the order in which the others go."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from itertools import accumulate, chain, groupby
from operator import itemgetter

from pytest_causal.model.artifact import KeepRules
from pytest_causal.rules.artifact_classes import DAY_SECONDS
from pytest_causal.rules.artifact_files import Files, Stretch

LATEST, WITHIN, DAILY, WEEKLY, MONTHLY = "latest", "within", "daily", "weekly", "monthly"
_SECOND_NS = 1_000_000_000
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
DAY_NS = DAY_SECONDS * _SECOND_NS

_Aged = tuple[int, int, str, int]
"""(time_ns, iteration, name, number) of a file, which orders files by their age."""


def protected(
    files: Files, stretches: Sequence[Stretch], rules: KeepRules, *, has_iterations: bool, now_ns: int
) -> dict[int, list[str]]:
    """Return the number of a file -> the rules that keep it, for the files of one class."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    latest = _highest if has_iterations else _youngest
    for number in latest(files, stretches, rules.keep_latest):
        found[number].append(LATEST)
    if rules.keep_within_days:
        oldest_ns = now_ns - int(rules.keep_within_days * DAY_NS)
        for stretch in stretches:
            for number, time_ns in zip(stretch.numbers, stretch.of(files.times_ns), strict=True):
                if time_ns >= oldest_ns:
                    found[number].append(WITHIN)
    periods: list[tuple[str, int, Callable[[int], int]]] = [
        (DAILY, rules.keep_daily, lambda day: day),
        (WEEKLY, rules.keep_weekly, lambda day: (day + 3) // 7),  # the epoch was a Thursday
        (MONTHLY, rules.keep_monthly, _month),
    ]
    for rule, count, period in periods:
        for number in _newest_of_each(files, stretches, count, period):
            found[number].append(rule)
    return found


def oldest_first(files: Files, numbers: Iterable[int]) -> list[int]:
    """Return files of several classes, oldest first; within a run by iteration, whatever the times say.

    The time of an iteration counts as at least that of the iterations before it, which makes times agree with numbers.
    """
    by_run = sorted(
        (files.runs[each], files.iterations[each], files.times_ns[each], files.names[each], each)
        for each in numbers
    )
    aged: list[tuple[int, int, int]] = []
    for _, run in groupby(by_run, key=itemgetter(0)):
        _, _, times_ns, _, numbers_of_run = zip(*run, strict=True)
        for time_ns, number in zip(accumulate(times_ns, max), numbers_of_run, strict=True):
            aged.append((time_ns, len(aged), number))
    return [number for _, _, number in sorted(aged)]


def _highest(files: Files, stretches: Sequence[Stretch], count: int) -> list[int]:
    """Return the files of the highest iterations that together hold ``count`` files.

    They are those of the newest run, then those of the run before it; a run is as new as the newest of its files.
    """
    if not count:
        return []
    runs: defaultdict[str, list[Stretch]] = defaultdict(list)
    newest_ns: dict[str, int] = {}
    for stretch in stretches:
        run = stretch.run
        runs[run].append(stretch)
        time_ns = max(stretch.of(files.times_ns))
        newest_ns[run] = max(time_ns, newest_ns.get(run, time_ns))

    def ordered() -> Iterator[int]:
        for run in sorted(runs, key=lambda run: (newest_ns[run], run), reverse=True):
            aged = chain.from_iterable(_aged(files, stretch) for stretch in runs[run])
            numbered = sorted(
                ((iteration, time_ns, name, number) for time_ns, iteration, name, number in aged),
                reverse=True,
            )
            yield from (number for _, _, _, number in numbered)

    return _first(files, ordered(), count)


def _youngest(files: Files, stretches: Sequence[Stretch], count: int) -> list[int]:
    """Return the files of the latest times that together hold ``count`` files."""
    if not count:
        return []
    there = sum(len(stretch.numbers) for stretch in stretches)
    aged = chain.from_iterable(_aged(files, stretch) for stretch in stretches)
    youngest = heapq.nlargest(min(count, there), aged)
    return _first(files, (number for _, _, _, number in youngest), count)


def _first(files: Files, ordered: Iterable[int], count: int) -> list[int]:
    """Return files until they hold ``count`` files; an archive holds many."""
    taken, held = [], 0
    for number in ordered:
        taken.append(number)
        held += files.members[number]
        if held >= count:
            break
    return taken


def _newest_of_each(
    files: Files, stretches: Sequence[Stretch], count: int, period: Callable[[int], int]
) -> list[int]:
    """Return the newest file of each of the last ``count`` periods that have any."""
    if not count:
        return []
    newest: dict[int, _Aged] = {}
    for aged in chain.from_iterable(_aged(files, stretch) for stretch in stretches):
        place = period(aged[0] // DAY_NS)
        if place not in newest or aged > newest[place]:
            newest[place] = aged
    return [newest[place][3] for place in sorted(newest, reverse=True)[:count]]


def _aged(files: Files, stretch: Stretch) -> Iterator[_Aged]:
    iterations, names = stretch.of(files.iterations), stretch.of(files.names)
    return zip(stretch.of(files.times_ns), iterations, names, stretch.numbers, strict=True)


@lru_cache(maxsize=4096)
def _month(day: int) -> int:
    """Return a number that grows by one a month, for days since the epoch; the calendar ends in the year 9999."""
    then = date.fromordinal(min(max(day + _EPOCH_ORDINAL, 1), date.max.toordinal()))
    return then.year * 12 + then.month
