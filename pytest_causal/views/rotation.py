"""A rotation as a person and as a program reads it: the plan with its reasons, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_causal.artifacts.retrieval import Compressed
from pytest_causal.errors import ExitCode
from pytest_causal.model.artifact import FAULTS, Action, Outcome, Plan, Problem, Rotation
from pytest_causal.views.escape import terminal
from pytest_causal.views.summary import Line
from pytest_causal.views.tables import Column, Table, cell
from pytest_causal.views.times import duration, utc_stamp
from pytest_causal.views.words import plural

_MARKS = {Action.DELETE: ("red",), Action.LEAVE: ("yellow",)}
_WIDTH = max(map(len, Action))


def rotation_document(rotation: Rotation, root: str, *, now_us: int) -> dict[str, Any]:
    """Return the rotation of one root as JSON, a part of ``causal.rotate/1``. Of a dry run ``outcome`` is null."""
    limit_bytes = rotation.policy.max_size_bytes
    outcome = rotation.outcome
    return {
        "root": root,
        "at": utc_stamp(now_us),
        "plan": plan_document(rotation.plan),
        "problems": list(rotation.problems),
        "limit_bytes": limit_bytes,
        "outcome": None if outcome is None else _outcome_document(rotation.plan, outcome, limit_bytes),
        "exit_code": int(rotation.exit_code),
    }


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON: every file once, with its action and its reasons."""
    return {
        "files": [
            {
                "name": artifact.name,
                "action": action,
                "reasons": list(reasons),
                "size_bytes": artifact.size_bytes,
                "allocated_bytes": artifact.allocated_bytes,
            }
            for artifact, action, reasons in plan.actions
        ],
        "archives": [
            {"name": each.name, "members": [member.name for member in each.members]} for each in plan.archives
        ],
        "total_bytes": plan.total_bytes,
        "allocated_bytes": plan.allocated_bytes,
        "held_back": plan.held_back,
    }


def plan_lines(plan: Plan, *, has_kept: bool) -> Iterator[Line]:
    """Yield a line for each file: what is done with it, its size, its name, and why. Kept files if asked for."""
    into = {member.name: archive.name for archive in plan.archives for member in archive.members}
    for artifact, action, reasons in plan.actions:
        if has_kept or action not in (Action.KEEP, Action.LEAVE):
            target = f" -> {terminal(into[artifact.name])}" if artifact.name in into else ""
            text = (
                f"{action:<{_WIDTH}}  {size_words(artifact.size_bytes):>8}  {terminal(artifact.name)}{target}"
                f"  ({', '.join(reasons)})"
            )
            yield Line(text=text, marks=_MARKS.get(action, ()))


def left_lines(plan: Plan) -> Iterator[Line]:
    """Yield how many files are left or kept against another rule, by reason."""
    reasons = Counter(
        reason
        for _, action, reasons in plan.actions
        for reason in reasons
        if action is Action.LEAVE or reason.startswith("despite-") or reason == "removal-cap"
    )
    if reasons:
        counted = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items()))
        yield Line(text=f"left alone: {counted}")
    if plan.held_back:
        yield Line(
            text=(
                f"{plural(plan.held_back, 'deletion')} held back: more than the share of files that one run may "
                "delete; look at the clock and the rules, then use --force"
            ),
            marks=("yellow",),
        )


def last_lines(rotation: Rotation, root: str) -> Iterator[Line]:
    """Yield what went wrong, file by file, and the last line: kept, compressed, deleted, freed, size of limit."""
    plan, outcome, limit_bytes = rotation.plan, rotation.outcome, rotation.policy.max_size_bytes
    for problem in rotation.problems if outcome is None else outcome.problems:
        yield Line(text=terminal(problem), marks=("red",))
    if outcome is None:
        counts = Counter(action for _, action, _ in plan.actions)
        words = ", ".join(f"{action} {counts[action]:,}" for action in Action)
        size = _of_limit(plan.total_bytes, limit_bytes)
        yield Line(text=f"{terminal(root)}: dry run, nothing was changed: {words}; {size}")
        return
    for result in outcome.results:
        if result.problem is not None:
            marks = ("red",) if result.problem in FAULTS else ("yellow",)
            yield Line(
                text=f"{result.problem}: {terminal(result.name)}: {terminal(result.detail)}", marks=marks
            )
    is_well = rotation.exit_code is ExitCode.OK
    yield Line(
        text=f"{terminal(root)}: {_summary(plan, outcome, limit_bytes)}", marks=() if is_well else ("red",)
    )


def progress_words(done_bytes: int, all_bytes: int, seconds: float) -> str:
    """Return how far a rotation is, how quickly it goes, and how long the rest will take."""
    rate = done_bytes / seconds if seconds > 0 else 0.0
    words = f"{size_words(done_bytes)} of {size_words(all_bytes)}"
    if not rate:
        return words
    return f"{words}, {size_words(int(rate))}/s, {duration((all_bytes - done_bytes) / rate)} left"


def compressed_table(found: Sequence[Compressed]) -> Table:
    """Return the files that can be brought back: name, size where it is known, and what holds them."""
    columns = (
        Column(header="file", is_wide=True),
        Column(header="size", is_number=True),
        Column(header="in", shown_from=100),
    )
    rows = [
        (
            cell(terminal(each.name)),
            cell("" if each.size_bytes is None else size_words(each.size_bytes)),
            cell(terminal(each.holder)),
        )
        for each in found
    ]
    return Table(columns=columns, rows=rows)


def compressed_document(found: Sequence[Compressed]) -> dict[str, Any]:
    """Return the files that can be brought back as JSON: schema ``causal.compressed/1``."""
    return {"schema": "causal.compressed/1", "files": [each._asdict() for each in found]}


def _summary(plan: Plan, outcome: Outcome, limit_bytes: int | None) -> str:
    counts = outcome_counts(plan, outcome)
    freed = size_words(plan.total_bytes - outcome.total_bytes)
    freed_on_disk = size_words(plan.allocated_bytes - outcome.allocated_bytes)
    words = ", ".join(
        f"{word} {counts[word]:,}" for word in ("kept", "compressed", "archived", "deleted", "left")
    )
    return f"{words}; freed {freed} ({freed_on_disk} on disk); {_of_limit(outcome.total_bytes, limit_bytes)}"


def outcome_counts(plan: Plan, outcome: Outcome) -> Mapping[str, int]:
    """Return how many files were kept, compressed, archived, deleted, and left for whatever reason."""
    planned = Counter(action for _, action, _ in plan.actions)
    done = Counter(each.action for each in outcome.results if each.problem is None)
    left = sum(each.problem is not None for each in outcome.results)
    return {
        "kept": planned[Action.KEEP],
        "compressed": done[Action.COMPRESS],
        "archived": done[Action.ARCHIVE],
        "deleted": done[Action.DELETE],
        "left": planned[Action.LEAVE] + left,
        "faults": sum(each.problem in FAULTS for each in outcome.results) + len(outcome.problems),
        "held_back": plan.held_back,
        "out_of_time": sum(each.problem is Problem.OUT_OF_TIME for each in outcome.results),
    }


def size_words(size_bytes: int) -> str:
    """Return a size in at most eight characters: ``512 B``, ``2.8 kB``, ``900 MB``."""
    size: float = size_bytes
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 999.5:
            return f"{size:.0f} {unit}" if unit == "B" or abs(size) >= 99.95 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _of_limit(total_bytes: int, limit_bytes: int | None) -> str:
    if limit_bytes is None:
        return f"{size_words(total_bytes)}, no limit"
    over = total_bytes - limit_bytes
    beyond = f", {size_words(over)} over it" if over > 0 else ""
    return f"{size_words(total_bytes)} of {size_words(limit_bytes)}{beyond}"


def _outcome_document(plan: Plan, outcome: Outcome, limit_bytes: int | None) -> dict[str, Any]:
    return {
        "counts": dict(outcome_counts(plan, outcome)),
        "results": [
            {
                "name": each.name,
                "action": each.action,
                "bytes_before": each.bytes_before,
                "bytes_after": each.bytes_after,
                "holder": each.holder or None,
                "problem": each.problem,
                "detail": each.detail or None,
            }
            for each in outcome.results
        ],
        "archives": [each._asdict() for each in outcome.archives],
        "problems": list(outcome.problems),
        "total_bytes": outcome.total_bytes,
        "allocated_bytes": outcome.allocated_bytes,
        "freed_bytes": plan.total_bytes - outcome.total_bytes,
        "freed_allocated_bytes": plan.allocated_bytes - outcome.allocated_bytes,
        "is_within_limit": outcome.is_within(limit_bytes),
    }
