"""Verify the audit: the chain of its rows, every decision made again, and the values that they lead to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pytest_causal.actions.act import drift_words, is_behind, is_projected, is_sound
from pytest_causal.actions.decision_record import replay
from pytest_causal.errors import ConfigError
from pytest_causal.model.audit import Live
from pytest_causal.model.promotion import Trigger
from pytest_causal.policy.overrides import read_overrides
from pytest_causal.rules.watch import watch
from pytest_causal.store.interface import HistoryStore
from pytest_causal.store.promotions import chained


class Verification(NamedTuple):
    """What was found: how many rows, how many decisions were made again, and what is wrong, a line each."""

    rows: int
    decisions: int
    problems: tuple[str, ...]


def verify_audit(store: HistoryStore, path: Path | None) -> Verification:
    """Recompute the chain and every decision, and compare the end with the live values and the override file.

    Without a path the file is left out. A row that was changed, removed, put elsewhere or cut off at the end breaks
    the chain. Raises StoreError.
    """
    problems: list[str] = []
    rows = decisions = 0
    before = ""
    fingerprint, revision = "", 0
    for row in store.audit():
        rows += 1
        if row.number != rows:
            problems.append(f"row {rows} is missing: row {row.number} follows row {rows - 1}")
            rows = row.number
        if chained(before, row.document) != row.hash:
            problems.append(f"row {row.number} is not what was written, or not where it was written")
        before = row.hash
        data = _document(row.document)
        if data is None or data.get("number") != row.number:
            problems.append(f"row {row.number} cannot be read as an audit row")
            continue
        if data["fingerprint_before"] != fingerprint:
            problems.append(f"row {row.number} begins at values that no row before it ended at")
        fingerprint, revision = data["fingerprint_after"], data["revision"]
        for problem in _decided_otherwise(data):
            problems.append(f"row {row.number}: {problem}")
        decisions += data.get("decision") is not None
    live = store.live()
    if (live.audited, live.audit_hash) != (rows, before):
        problems.append(f"rows are missing at the end: {live.audited} were written, {rows} are there")
    if (live.revision, live.fingerprint) != (revision, fingerprint) or not is_sound(live):
        problems.append("the live values are not those of the last row")
    problems += _file_problems(live, path) if path is not None else []
    return Verification(rows, decisions, tuple(problems))


def _document(text: str) -> dict[str, Any] | None:
    try:
        data = json.loads(text)
    except ValueError:
        return None
    needed = {"action", "fingerprint_before", "fingerprint_after", "revision"}
    return data if isinstance(data, dict) and needed <= data.keys() else None


def _decided_otherwise(data: dict[str, Any]) -> Iterator[str]:
    decision = data.get("decision")
    if decision is None:
        return
    try:
        if decision["kind"] == "candidate":
            if replay(decision) != decision["verdict"]:
                yield "its inputs lead to another verdict today"
        elif _watched_again(decision) != decision["health"]:
            yield "its signals lead to another judgement today"
    except (KeyError, TypeError, ValueError) as error:
        yield f"its decision cannot be made again ({type(error).__name__}: {error})"


def _watched_again(decision: dict[str, Any]) -> str:
    triggers = [Trigger(**trigger) for trigger in decision["triggers"]]
    return watch(triggers, decision["signals"], decision["baseline"]).health.value


def _file_problems(live: Live, path: Path) -> list[str]:
    try:
        file = read_overrides(path)
    except ConfigError as error:
        return [error.what]
    if is_projected(live, file):
        return []
    if is_behind(live, file):
        return [f"{path} was not written yet for revision {live.revision}: the next action finishes that"]
    return [drift_words(live, file)]
