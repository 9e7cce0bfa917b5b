"""Whether the predecessor's artifacts of a run agree with each other, and whether what was applied came into force."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from pytest_causal.policy.legacy_keys import flat_twins
from pytest_causal.policy.tree import TreeError, flatten
from tools.soak.legacy import LegacyRun, LegacyTuning, read_legacy_run
from tools.soak.verify import Discrepancy, Verification

_REPORT = "TUNING_REPORT.json"
_OVERRIDES = "runtime_overrides.json"
_TOLERANCE = 1e-9


def verify_legacy(folder: Path) -> Verification:
    """Check a folder of the predecessor. Raises DataError for a file that cannot be read."""
    run = read_legacy_run(folder)
    numbers = run.summaries.keys() | run.report.keys()
    found = (*_between_files(run), *_counts(run), *_hashes(run), *_in_force(run), *_times(run))
    missing = sorted(run.report.keys() - run.summaries.keys())
    unchecked = (f"{len(missing)} iterations of the report have no summary",) if missing else ()
    return Verification(len(numbers), found, unchecked)


def _between_files(run: LegacyRun) -> Iterator[Discrepancy]:
    """The summary of an iteration and its entry in the report say the same."""
    for number in sorted(run.summaries.keys() & run.report.keys()):
        mine, other = run.summaries[number], run.report[number]
        if mine.applied != other.applied:
            yield Discrepancy(
                f"iteration {number}",
                f"its summary says {_applied(mine)}, the report says {_applied(other)}",
            )
        elif mine.applied and set(mine.changed) != set(other.changed):
            yield Discrepancy(f"iteration {number}", "summary and report name different keys as changed")


def _counts(run: LegacyRun) -> Iterator[Discrepancy]:
    """The report's own counts are those of its entries."""
    entries = run.report.values()
    counted = {
        "count": len(run.report),
        "applied": sum(each.applied for each in entries),
        "blocked_velocity": sum("velocity" in each.skips for each in entries),
        "blocked_oscillation": sum("oscillation" in each.skips for each in entries),
        "cooldown_skips": sum(any("cooldown" in skip for skip in each.skips) for each in entries),
    }
    for name, count in counted.items():
        if name in run.counts and run.counts[name] != count:
            yield Discrepancy(_REPORT, f"{name} is {run.counts[name]}, and its entries give {count}")


def _hashes(run: LegacyRun) -> Iterator[Discrepancy]:
    """The file changes when something was applied, and only then."""
    for before, after in pairwise(run.report[number] for number in sorted(run.report)):
        if not (before.state_hash and after.state_hash) or after.iteration != before.iteration + 1:
            continue
        is_changed = before.state_hash != after.state_hash
        if is_changed and not after.applied:
            yield Discrepancy(
                f"iteration {after.iteration}", "nothing was applied, and the override file changed"
            )
        if after.applied and not is_changed:
            yield Discrepancy(f"iteration {after.iteration}", "applied, and the override file did not change")


def _in_force(run: LegacyRun) -> Iterator[Discrepancy]:
    """No value stands there twice with two numbers, and no change stands there in place of a value."""
    try:
        leaves = flatten(run.overrides)
    except TreeError as error:
        yield Discrepancy(_OVERRIDES, f"{'.'.join(error.path)}: {error}")
        return
    for flat, nested in flat_twins(leaves).items():
        if leaves[flat] != leaves[nested]:
            yield Discrepancy(
                _OVERRIDES,
                f"{flat} is {leaves[flat]}, and {nested}, which is the same value, is {leaves[nested]}: one of them is"
                " not in force",
            )
    deltas = {(name, delta) for each in _applied_ones(run) for name, delta in each.deltas.items() if delta}
    for path, value in sorted(leaves.items()):
        key = path.rpartition(".")[2]
        if isinstance(value, int | float) and any(
            name == key and abs(value - delta) <= _TOLERANCE for name, delta in deltas
        ):
            yield Discrepancy(
                _OVERRIDES, f"{path} is {value}: the change itself, not a value that was changed by it"
            )


def _times(run: LegacyRun) -> Iterator[Discrepancy]:
    """Iterations that took place one after the other have different times."""
    times = [each.at for each in run.report.values() if each.at] or [
        each.at for each in run.summaries.values()
    ]
    if len(times) > 2 and len(set(times)) == 1:
        yield Discrepancy(_REPORT, f"all {len(times)} iterations have one time, {times[0]}")


def _applied_ones(run: LegacyRun) -> list[LegacyTuning]:
    return [each for each in (*run.summaries.values(), *run.report.values()) if each.applied]


def _applied(each: LegacyTuning) -> str:
    return "applied" if each.applied else f"not applied ({', '.join(each.skips) or 'no reason'})"
