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
from tools.soak.kpi import Finding, KpiSet, judge_run
from tools.soak.progress import Progress, replayed
from tools.soak.surroundings import Files

SUMMARY_SCHEMA = "causal.soak_iteration/1"
TUNING_SCHEMA = "causal.soak_tuning/1"
GATE_SCHEMA = "causal.soak_gate/1"
TUNING_REPORT = "TUNING_REPORT.json"
KPI_GATE = "KPI_GATE.json"
VOLATILE = "volatile"
_encoded = json.JSONEncoder(sort_keys=True, allow_nan=False).encode
"""One encoder for all: making one anew costs as much as a small value."""
_SECOND_US = 1_000_000


def summary_name(iteration: int) -> str:
    """Return the file name of an iteration's summary."""
    return f"ITER_SUMMARY_{iteration}.json"


def iteration_summary(progress: Progress) -> dict[str, Any]:
    """Return the summary of an iteration that is done."""
    plan, decided, applied = progress.plan, progress.decided, progress.applied
    measurement = progress.measured["measurement"]
    return {
        "schema": SUMMARY_SCHEMA,
        "run": plan.run if plan else "",
        "scenario": plan.scenario if plan else "",
        "iteration": progress.iteration,
        "phase": progress.planned["phase"],
        "verdict": decided["verdict"],
        "findings": decided["findings"],
        "metrics": measurement["metrics"],
        "problem": measurement["problem"],
        "disturbed": measurement["disturbed"],
        "values": progress.planned["values"],
        "reads": [{"path": path, "value": value, "how": how} for path, value, how in measurement["reads"]],
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
        "proposed": decided["proposed"],
        "set_aside": [
            {"path": path, "rule": rule, "reason": reason} for path, rule, reason in decided["set_aside"]
        ],
        "refused": decided["refused"],
        "applied": []
        if applied["taken_back"]
        else [{"path": path, "before": before, "after": after} for path, before, after in decided["applied"]],
        "taken_back": applied["taken_back"],
        "is_revert": decided["is_revert"],
        "credited": decided["credited"],
        "uncredited": decided["uncredited"],
    }


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
    files.replace(folder / summary_name(progress.iteration), [as_text(iteration_summary(progress)).encode()])
    if (oldest := oldest_kept(progress)) > 1:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(folder, summary_name(oldest - 1)))


def mend_summaries(files: Files, folder: Path, end: Progress) -> None:
    """Write each summary that a kill has kept from being written. Raises as reading a journal does, and StoreError."""
    oldest = oldest_kept(end)
    for progress in replayed(read_journal(folder / JOURNAL)):
        if progress.iteration >= oldest and not (folder / summary_name(progress.iteration)).exists():
            write_summary(files, folder, progress)


def oldest_kept(progress: Progress) -> int:
    """Return the first iteration whose summary the run keeps as a file; the journal keeps them all."""
    keep = progress.plan.keep_summaries if progress.plan else 0
    return max(1, progress.iteration - keep + 1) if keep else 1


def write_reports(files: Files, folder: Path, progress: Progress, kpis: KpiSet) -> None:
    """Write what stands at the end of a run: the tuning report, line by line, and the gate. Raises StoreError."""
    files.replace(folder / TUNING_REPORT, tuning_report(read_journal(folder / JOURNAL), progress))
    files.replace(folder / KPI_GATE, [as_text(gate(progress, kpis)).encode()])


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
        refused.update({check["guard"] for check in entry["refused"]})
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
    text = json.dumps(rest, sort_keys=True, indent=2, allow_nan=False)
    yield f"\n  ],{text[1:]}\n".encode()


def gate(progress: Progress, kpis: KpiSet) -> dict[str, Any]:
    """Return the verdict on the whole run, with the evidence that it rests on."""
    finished = progress.finished or {}
    result = judge_run(kpis, progress.tally)
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
        "findings": [finding_to_json(finding) for finding in result.findings],
        "drift": finished.get("drift", {}),
        "steady": _counts(progress.tally.steady),
        "warmup": _counts(progress.tally.warmup),
        VOLATILE: {
            "finished_at": utc_stamp(finished.get("at_us", 0)),
            "elapsed_seconds": progress.elapsed_us / _SECOND_US,
            "own_drift": finished.get("own_drift", {}),
        },
    }


def finding_to_json(finding: Finding) -> dict[str, Any]:
    """Return a finding of the gate as JSON types."""
    return {
        "metric": finding.metric,
        "value": finding.value,
        "level": finding.level,
        "limit": finding.limit,
        "side": finding.side,
        "samples": finding.samples,
        "low": finding.low,
        "high": finding.high,
        "reason": finding.reason,
    }


def as_text(document: Mapping[str, Any]) -> str:
    """Return an artifact's text: keys sorted, ASCII, no NaN, a line for each key at the top.

    Indenting all of it costs ten times as much, in every iteration.
    """
    lines = [f"  {_encoded(key)}: {_encoded(document[key])}" for key in sorted(document)]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _counts(verdicts: Mapping[Any, int]) -> dict[str, int]:
    return {verdict.value: count for verdict, count in sorted(verdicts.items())}
