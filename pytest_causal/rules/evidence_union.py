"""The union of several streams of evidence: one scenario under different reads, all valid under one policy.

A union is needed where a scenario does not always read the same; above all, a run that fails early reads less than
one that passes. Each stream alone is then a biased sample, and only all of them together are evidence.

The streams' weights cannot simply be multiplied. Without caps that would give what one process over all units would
hold, but caps break it: a stream of passes stays at its cap, a stream of failures keeps its losses for ever, and
the product could never recover, however good the scenario is. So the history is replayed from what the streams
know of it: how many units each had, how bad they were on average, and at which of the last places they were. The
replay never holds more than one process over all units would without caps, player by player (geometric means are
below arithmetic ones), and so keeps its guarantee. Where a stream's own weights are worth less than a replay of that
stream alone, because its failures were recent, the whole is cut in the same proportion.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import groupby
from operator import or_

from pytest_causal.model.criteria import Criteria, Unit
from pytest_causal.model.evidence import Evidence
from pytest_causal.rules.completeness import moved
from pytest_causal.rules.sequential import Weights, e_value, replay

_BOTH_MARKS = 3


def combine(evidences: Sequence[Evidence], criteria: Criteria) -> Evidence:
    """Return the union of streams as one running state, to be judged as any other.

    Counts add up. Where several streams have units at one place of the history, these are parts of one session, and
    count as one unit with their mean badness; before the places that are remembered, as many streams are taken to
    share each session as do at most within them. Only independent runs (``Unit.RUN``) are all counted as they are.
    A place is incomplete where any stream's unit there is. The newest badness is the worst among the streams that
    may hold the newest evidence. The order of the arguments does not matter. ValueError where there is none.
    """
    if not evidences:
        raise ValueError("no evidence to combine")
    streams = sorted(evidences, key=lambda stream: (stream.last_order, stream.reads_id))
    newest = streams[-1]
    if len(streams) == 1:
        return newest
    holders = [stream for stream in streams if stream.units] or [newest]
    units, badness, wealth, ruin = _pooled(holders, criteria)
    newest_complete = max(map(_newest_complete, holders))
    marks, contradictions, flaky_since = _pooled_contradictions(streams)
    return newest._replace(
        passed=sum(stream.passed for stream in streams),
        failed=sum(stream.failed for stream in streams),
        errors=sum(stream.errors for stream in streams),
        flaky=sum(stream.flaky for stream in streams),
        skipped=sum(stream.skipped for stream in streams),
        missing=sum(stream.missing for stream in streams),
        infrastructure=sum(stream.infrastructure for stream in streams),
        units=units,
        badness=badness,
        wealth=wealth,
        ruin=ruin,
        recent=reduce(or_, (moved(s.recent, newest.last_order - s.last_order) for s in streams)),
        recent_units=reduce(or_, (moved(s.recent_units, newest.last_order - s.last_order) for s in streams)),
        last_badness=max(s.last_badness for s in holders if s.last_order >= newest_complete),
        last_run_us=holders[-1].last_run_us,
        commit_marks=marks,
        contradictions=contradictions,
        flaky_since=flaky_since,
    )


def _pooled(holders: Sequence[Evidence], criteria: Criteria) -> tuple[int, float, Weights, Weights]:
    """Return units, badness, wealth and ruin of the union of streams that hold evidence."""
    if len(holders) == 1:
        return holders[0].units, holders[0].badness, holders[0].wealth, holders[0].ruin
    units, stretches = _stretches(holders, criteria.unit)
    wealth, ruin = replay(stretches, criteria.max_failure_rate, criteria.alpha)
    for stream in holders:
        alone = replay(
            [(_bets(stream, criteria.unit), stream.badness)], criteria.max_failure_rate, criteria.alpha
        )
        wealth = _scaled(wealth, _kept(stream.wealth, alone[0]))
        ruin = _scaled(ruin, _kept(stream.ruin, alone[1]))
    return units, math.fsum(badness for _, badness in stretches), wealth, ruin


def _stretches(holders: Sequence[Evidence], unit: Unit) -> tuple[int, list[tuple[float, float]]]:
    """Return how many sessions hold evidence, and the (units, badness) of their stretches, oldest first.

    Complete units have their places; all others are put before them, as if they had been longest ago.
    """
    newest = max(stream.last_order for stream in holders)
    at_place: dict[int, list[tuple[float, float]]] = {}
    before: list[tuple[float, float]] = []
    sessions_before = 0
    for stream in holders:
        of_one = (_bets(stream, unit) / stream.units, stream.badness / stream.units)
        places = list(_places(moved(stream.recent_units & ~stream.recent, newest - stream.last_order)))
        for place in places:
            at_place.setdefault(place, []).append(of_one)
        others = stream.units - len(places)
        before.append((of_one[0] * others, of_one[1] * others))
        sessions_before += others
    shared = max(map(len, at_place.values()), default=1)
    parts = 1 if unit is Unit.RUN else shared
    stretches = [_total(before, parts)]
    by_age = (at_place[place] for place in sorted(at_place, reverse=True))
    by_place = (_total(here, 1 if unit is Unit.RUN else len(here)) for here in by_age)
    stretches += [_total(list(alike), 1) for _, alike in groupby(by_place)]
    return math.ceil(sessions_before / shared) + len(at_place), stretches


def _bets(stream: Evidence, unit: Unit) -> int:
    return stream.runs if unit is Unit.RUN else stream.units


def _places(field: int) -> Iterator[int]:
    """Yield the places of the bits that are set, newest first."""
    while field:
        lowest = field & -field
        yield lowest.bit_length() - 1
        field ^= lowest


def _total(parts: Sequence[tuple[float, float]], shared_by: int) -> tuple[float, float]:
    if len(parts) == 1 and shared_by == 1:
        return parts[0]
    return (
        math.fsum(units for units, _ in parts) / shared_by,
        math.fsum(badness for _, badness in parts) / shared_by,
    )


def _scaled(weights: Weights, part: float) -> Weights:
    return tuple(weight * part for weight in weights)


def _kept(own: Weights, replayed: Weights) -> float:
    """Return the part of its replayed wealth that a stream really holds, at most 1."""
    known = e_value(replayed)
    return min(1.0, e_value(own) / known) if known else 0.0


def _newest_complete(stream: Evidence) -> int:
    """Return the newest place at which a stream surely holds evidence: that of its newest complete unit, or -1."""
    place = next(_places(stream.recent_units & ~stream.recent), None)
    return -1 if place is None else stream.last_order - place


def _pooled_contradictions(streams: Sequence[Evidence]) -> tuple[int, int, int]:
    """Return commit_marks, contradictions and flaky_since of the union.

    One stream may have passed at the newest commit where another failed: that is a contradiction as well.
    """
    newest = streams[-1]
    here = [stream.commit_marks for stream in streams if stream.commit_seen == newest.commit_seen]
    marks = reduce(or_, here)
    found = marks == _BOTH_MARKS and marks not in here
    contradictions = sum(stream.contradictions for stream in streams) + found
    since = [stream.flaky_since for stream in streams if stream.flaky_since]
    return marks, contradictions, min(since, default=newest.last_session if found else 0)
