"""Rows of the database, and the records they stand for."""

from __future__ import annotations

import json
import math
from typing import Any

from pytest_causal.errors import DataError
from pytest_causal.model.criteria import Rule, Unit
from pytest_causal.model.run import Metric, MetricKind
from pytest_causal.model.scenario import Declaration
from pytest_causal.model.session import Session, SessionEnding, SessionFacts, SessionState
from pytest_causal.store.database import Row
from pytest_causal.store.text import from_stored, to_stored


def facts_row(facts: SessionFacts) -> dict[str, object]:
    """Return the columns of a session that is beginning."""
    return {
        "uid": to_stored(facts.uid),
        "key": to_stored(facts.key),
        "state": SessionState.RUNNING.value,
        "kind": to_stored(facts.kind),
        "started_us": facts.started_us,
        "commit_id": to_stored(facts.commit),
        "branch": to_stored(facts.branch),
        "is_dirty": facts.is_dirty,
        "ci_provider": to_stored(facts.ci_provider),
        "ci_run": to_stored(facts.ci_run),
        "ci_attempt": to_stored(facts.ci_attempt),
        "ci_job": to_stored(facts.ci_job),
        "is_trusted": facts.is_trusted,
        "python": to_stored(facts.python),
        "platform": to_stored(facts.platform),
        "host": to_stored(facts.host),
        "process": to_stored(facts.process),
        "plugin_version": to_stored(facts.plugin_version),
        "pytest_version": to_stored(facts.pytest_version),
        "workers": facts.workers,
        "profile": to_stored(facts.profile),
        "policy_fingerprint": to_stored(facts.policy_fingerprint),
    }


def session_from(row: Row) -> Session:
    """Return the session in a row of ``sessions``."""
    (
        number,
        uid,
        key,
        order,
        state,
        kind,
        started_us,
        finished_us,
        exit_status,
        broken,
        commit,
        branch,
        *rest,
    ) = row
    (is_dirty, provider, ci_run, attempt, job, is_trusted, python, platform, host, process, *rest) = rest
    (plugin_version, pytest_version, workers, profile, fingerprint, _, _, runs) = rest
    facts = SessionFacts(
        uid=from_stored(uid),
        key=from_stored(key),
        started_us=started_us,
        kind=from_stored(kind),
        commit=from_stored(commit),
        branch=from_stored(branch),
        is_dirty=_bool_or_none(is_dirty),
        ci_provider=from_stored(provider),
        ci_run=from_stored(ci_run),
        ci_attempt=from_stored(attempt),
        ci_job=from_stored(job),
        is_trusted=bool(is_trusted),
        python=from_stored(python),
        platform=from_stored(platform),
        host=from_stored(host),
        process=from_stored(process),
        plugin_version=from_stored(plugin_version),
        pytest_version=from_stored(pytest_version),
        workers=workers,
        profile=from_stored(profile),
        policy_fingerprint=from_stored(fingerprint),
    )
    ending = SessionEnding(
        state=SessionState(state),
        finished_us=finished_us,
        exit_status=exit_status,
        is_dirty=_bool_or_none(is_dirty),
        broken=from_stored(broken),
    )
    return Session(number=number, facts=facts, ending=ending, order=order, runs=runs)


def metric_value(metric: Metric) -> float | None:
    """Return the number of a metric as the database takes it: a finite float, or nothing."""
    if metric.kind is not MetricKind.NUMBER or metric.value is None:
        return None
    value = float(metric.value)
    return value if math.isfinite(value) else None


def declaration_text(declaration: Declaration) -> str | None:
    """Return what is declared as JSON, ``None`` for nothing. Raises DataError for what JSON cannot hold."""
    if not declaration.tags and not declaration.criteria:
        return None
    content = {"tags": declaration.tags, "criteria": dict(declaration.criteria)}
    try:
        return json.dumps(content, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"what scenario {declaration.scenario!r} declares cannot be stored ({error})",
            "use numbers and strings",
        ) from error


def declaration_from(scenario: str, text: str | None) -> Declaration:
    """Return what was declared of a scenario, from its JSON."""
    if text is None:
        return Declaration(scenario=scenario)
    content = json.loads(text)
    criteria = tuple(
        (field, _criterion(field, value)) for field, value in sorted(content["criteria"].items())
    )
    return Declaration(scenario=scenario, tags=tuple(content["tags"]), criteria=criteria)


def _criterion(field: str, value: Any) -> Any:
    kind = _CRITERION_KINDS.get(field)
    return kind(value) if kind else value


def _bool_or_none(value: int | None) -> bool | None:
    return None if value is None else bool(value)


_CRITERION_KINDS = {"unit": Unit, "rule": Rule}
