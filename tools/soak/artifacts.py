"""The artifacts of a run: what its journal says, for people and programs, one file a purpose and one schema a file.

Each is a function of the journal, so that a run that was resumed has the artifacts of one that was not, and a lost one
can be made again. What differs between two runs of one plan and seed (times, own cost, attempts) stands under the key
``volatile`` and nowhere else; in the override file it is the ``at`` of each entry.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_causal.views.times import utc_stamp
from tools.soak.journal import NAME as JOURNAL
from tools.soak.journal import Line, read_journal
from tools.soak.kpi import judge_run
from tools.soak.progress import Progress, replayed
from tools.soak.surroundings import Files
from tools.soak.tuning import APPLIED_ROW, PROPOSED_ROW, REFUSED_ROW, SET_ASIDE_ROW

SUMMARY_SCHEMA = "causal.soak_iteration/1"
TUNING_SCHEMA = "causal.soak_tuning/1"
GATE_SCHEMA = "causal.soak_gate/1"
TUNING_REPORT = "TUNING_REPORT.json"
KPI_GATE = "KPI_GATE.json"
VOLATILE = "volatile"
_encoded = json.JSONEncoder(sort_keys=True, allow_nan=False, check_circular=False).encode
_in_lines = json.JSONEncoder(
    sort_keys=True, allow_nan=False, check_circular=False, separators=(",\n", ": ")
).encode
"""One encoder for all: making one anew costs as much as a small value."""
_SECOND_US = 1_000_000


def summary_name(iteration: int) -> str:
    """Return the file name of an iteration's summary."""
    return f"ITER_SUMMARY_{iteration}.json"


def iteration_summary(progress: Progress) -> dict[str, Any]:
    """Return the summary of an iteration that is done."""
    plan, decided, applied = progress.plan, progress.decided, progress.applied
    measurement = progress.measurement
    return {
        "schema": SUMMARY_SCHEMA,
        "run": plan.run if plan else "",
        "scenario": plan.scenario if plan else "",
        "iteration": progress.iteration,
        "phase": progress.planned["phase"],
        "verdict": decided["verdict"],
        "findings": [finding._asdict() for finding in progress.gate.findings],
        "metrics": {name: sample._asdict() for name, sample in measurement.metrics.items()},
        "problem": measurement.problem,
        "disturbed": measurement.disturbed,
        "values": progress.values,
        "reads": [read._asdict() for read in measurement.reads],
        "tuning": tuning_of(progress),
        "stop": decided["stop"],
        "revision": applied["revision"],
        "fingerprint": applied["fingerprint"],
        VOLATILE: _volatile(progress),
    }


def tuning_of(progress: Progress) -> dict[str, Any]:
    """Return what was proposed, refused and changed after an iteration, and whether the change before it was read."""
    decided, applied = progress.decided, progress.applied
    return {
        "proposed": _tables(PROPOSED_ROW, decided["proposed"]),
        "set_aside": _tables(SET_ASIDE_ROW, decided["set_aside"]),
        "refused": _tables(REFUSED_ROW, decided["refused"]),
        "applied": [] if applied["taken_back"] else _tables(APPLIED_ROW, decided["applied"]),
        "taken_back": applied["taken_back"],
        "is_revert": decided["is_revert"],
        "credited": decided["credited"],
        "uncredited": decided["uncredited"],
    }


def _tables(names: tuple[str, ...], rows: Iterable[Iterable[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(names, row, strict=True)) for row in rows]


def _volatile(progress: Progress) -> dict[str, Any]:
    done = progress.done
    return {
        "attempts": progress.attempt,
        "late_seconds": progress.planned["late_us"] / _SECOND_US,
        "missed_slots": progress.planned["missed_slots"],
        "workload_seconds": progress.measured["took_us"] / _SECOND_US,
        "runner_seconds": done["runner_us"] / _SECOND_US,
        "elapsed_seconds": done["elapsed_us"] / _SECOND_US,
        "finished_at": utc_stamp(done["at_us"]),
        "own": done["own"],
    }


def write_summary(files: Files, folder: Path, progress: Progress) -> None:
    """Write the summary of an iteration that is done, and drop one that is no longer kept. Raises StoreError."""
    within = os.path.join(folder, "")
    files.replace(within + summary_name(progress.iteration), [as_text(iteration_summary(progress)).encode()])
    if (oldest := oldest_kept(progress)) > 1:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(within + summary_name(oldest - 1))


def mend_summaries(files: Files, folder: Path, end: Progress) -> None:
    """Write each summary that is not there as a whole. Raises as reading a journal does, and StoreError.

    A kill can keep the last one from being written, and a lost power supply any that was not on the disk yet: none is
    synced, as all of them are in the journal.
    """
    oldest = oldest_kept(end)
    for progress in replayed(read_journal(folder / JOURNAL)):
        if progress.iteration >= oldest and not _is_whole(folder / summary_name(progress.iteration)):
            write_summary(files, folder, progress)


def _is_whole(summary: Path) -> bool:
    """Return whether a summary is there, and not only in part: cut off, or with pages that were never written."""
    try:
        content = summary.read_bytes()
    except OSError:
        return False
    return content.endswith(b"}\n") and b"\0" not in content


def oldest_kept(progress: Progress) -> int:
    """Return the first iteration whose summary the run keeps as a file; the journal keeps them all."""
    keep = progress.plan.keep_summaries if progress.plan else 0
    return max(1, progress.iteration - keep + 1) if keep else 1


def write_reports(files: Files, folder: Path, progress: Progress) -> None:
    """Write what stands at the end of a run: the tuning report, line by line, and the gate. Raises StoreError."""
    files.replace(folder / TUNING_REPORT, tuning_report(read_journal(folder / JOURNAL), progress))
    files.replace(folder / KPI_GATE, [as_text(gate(progress)).encode()])


def tuning_report(lines: Iterable[Line], end: Progress) -> Iterator[bytes]:
    """Yield the tuning report in pieces, in memory that does not grow with the iterations."""
    counts: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    yield b'{\n  "iterations": ['
    comma = ""
    for progress in replayed(lines):
        entry = {
            "iteration": progress.iteration,
            "phase": progress.planned["phase"],
            "verdict": progress.decided["verdict"],
            "fingerprint": progress.applied["fingerprint"],
            **tuning_of(progress),
        }
        counts["iterations"] += 1
        counts["applied"] += bool(entry["applied"])
        counts["taken_back"] += bool(entry["taken_back"])
        counts["reverts"] += bool(entry["is_revert"])
        counts["credited"] += bool(entry["credited"])
        counts["uncredited"] += bool(entry["uncredited"])
        refused.update({refusal["guard"] for refusal in entry["refused"]})
        yield f"{comma}\n    {_encoded(entry)}".encode()
        comma = ","
    rest = {
        "schema": TUNING_SCHEMA,
        "run": end.plan.run if end.plan else "",
        "summary": {
            **{
                name: counts[name]
                for name in ("iterations", "applied", "taken_back", "reverts", "credited", "uncredited")
            },
            "refused_by": dict(sorted(refused.items())),
        },
        VOLATILE: {"resumes": end.resumes, "missed_slots": end.missed_slots},
    }
    text = json.dumps(rest, sort_keys=True, indent=2, allow_nan=False, check_circular=False)
    yield f"\n  ],{text[1:]}\n".encode()


def gate(progress: Progress) -> dict[str, Any]:
    """Return the verdict on the whole run, with the evidence that it rests on."""
    finished = progress.finished or {}
    result = judge_run(progress.kpis, progress.tally)
    plan = progress.plan
    return {
        "schema": GATE_SCHEMA,
        "run": plan.run if plan else "",
        "scenario": plan.scenario if plan else "",
        "kpi_set": plan.kpi_set if plan else "",
        "verdict": finished.get("verdict", result.verdict),
        "reason": finished.get("reason", result.reason),
        "ended": finished.get("ended", ""),
        "exit_code": finished.get("exit_code", 0),
        "ok": finished.get("exit_code", 0) == 0,
        "findings": [finding._asdict() for finding in result.findings],
        "drift": finished.get("drift", {}),
        "steady": _counts(progress.tally.steady),
        "warmup": _counts(progress.tally.warmup),
        VOLATILE: {
            "finished_at": utc_stamp(finished.get("at_us", 0)),
            "elapsed_seconds": progress.elapsed_us / _SECOND_US,
            "own_drift": finished.get("own_drift", {}),
        },
    }


def as_text(document: Mapping[str, Any]) -> str:
    """Return an artifact's text: keys sorted, ASCII, no NaN, a line for each item.

    Indenting them too costs ten times as much, in every iteration.
    """
    return f"{_in_lines(document)}\n"


def _counts(verdicts: Mapping[Any, int]) -> dict[str, int]:
    return {verdict.value: count for verdict, count in sorted(verdicts.items())}
