"""Artifacts of the predecessor: read in every shape that it wrote, into one shape; never written.

An iteration summary, a tuning report (an object with ``iterations``, or a bare list), and an override file with flat
and nested keys, often both at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_causal.errors import ConfigError, DataError
from pytest_causal.policy.json_document import parse_json
from pytest_causal.settings.text_file import read_text

_SUMMARY = re.compile(r"ITER_SUMMARY_([0-9]+)\.json", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class LegacyTuning:
    """What one file says of the tuning after one iteration.

    ``deltas`` is name -> change; ``skips`` the reasons why nothing was applied, in words. ``state_hash`` is of the
    override file, empty where it was null.
    """

    iteration: int
    applied: bool
    deltas: Mapping[str, float] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    skips: tuple[str, ...] = ()
    state_hash: str = ""
    old_hash: str = ""
    verdict: str = ""
    at: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LegacyRun:
    """The folder of a run: summaries and report by iteration, the report's own counts, the override file."""

    summaries: Mapping[int, LegacyTuning]
    report: Mapping[int, LegacyTuning]
    counts: Mapping[str, int]
    overrides: Mapping[str, Any]


def read_legacy_run(folder: Path) -> LegacyRun:
    """Return what a folder holds; gaps in the numbers are no end. Raises DataError for a file that cannot be read."""
    summaries = {number: _summary(_read(path), path) for number, path in summary_files(folder)}
    report_path, overrides_path = folder / "TUNING_REPORT.json", folder / "runtime_overrides.json"
    reported = _read(report_path) if report_path.exists() else []
    counts = reported.get("summary") if isinstance(reported, dict) else None
    overrides = _read(overrides_path) if overrides_path.exists() else {}
    if not isinstance(overrides, dict):
        raise DataError(f"{overrides_path} holds no JSON object", "it is no override file")
    return LegacyRun(
        summaries=summaries,
        report=_report(reported, report_path),
        counts={name: value for name, value in (counts or {}).items() if isinstance(value, int)},
        overrides=overrides,
    )


def summary_files(folder: Path) -> list[tuple[int, Path]]:
    """Return the summaries of a folder by their number, not by their name: 10 stands behind 9."""
    found = ((match, path) for path in folder.iterdir() if (match := _SUMMARY.fullmatch(path.name)))
    return sorted((int(match[1]), path) for match, path in found)


def skip_reasons(found: Any) -> tuple[str, ...]:
    """Return the reasons of a skip, which was text, null, or an object of switches with a note."""
    if isinstance(found, str):
        return (found,) if found else ()
    if isinstance(found, dict):
        names = [name for name, value in sorted(found.items()) if value is True]
        note = found.get("note")
        return (*names, *([note] if isinstance(note, str) and note else []))
    return ()


def _summary(data: Any, path: Path) -> LegacyTuning:
    if not isinstance(data, dict) or not isinstance(data.get("tuning"), dict):
        raise DataError(
            f"{path} is no summary of an iteration", 'expected {"iteration", "summary", "tuning"}'
        )
    return _tuning({**data["tuning"], "iteration": data.get("iteration")}, data.get("summary") or {}, path)


def _report(data: Any, path: Path) -> dict[int, LegacyTuning]:
    entries = data.get("iterations") if isinstance(data, dict) else data
    if not isinstance(entries, list):
        raise DataError(f"{path} is no tuning report", "expected a list, or an object with iterations")
    read = [_tuning(entry, entry, path) for entry in entries if isinstance(entry, dict)]
    return {each.iteration: each for each in read}


def _tuning(data: Mapping[str, Any], summary: Mapping[str, Any], path: Path) -> LegacyTuning:
    iteration = data.get("iteration")
    if isinstance(iteration, bool) or not isinstance(iteration, int):
        raise DataError(
            f"{path}: an entry has no number of an iteration", "it cannot be told which one it is"
        )
    deltas = data.get("deltas", data.get("proposed_deltas")) or {}
    return LegacyTuning(
        iteration=iteration,
        applied=data.get("applied") is True,
        deltas={name: value for name, value in deltas.items() if isinstance(value, int | float)},
        changed=tuple(data.get("changed_keys") or ()),
        skips=skip_reasons(data.get("skip_reason", data.get("skipped_reason"))),
        state_hash=str(data.get("state_hash") or ""),
        old_hash=str(data.get("old_hash") or ""),
        verdict=str(summary.get("kpi_verdict") or ""),
        at=str(summary.get("runtime_utc") or ""),
        metrics={
            name: value
            for name, value in summary.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        },
    )


def _read(path: Path) -> Any:
    try:
        return parse_json(read_text(path), str(path)).data
    except ConfigError as error:
        raise DataError(error.what, error.remedy) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "check the permissions") from error
