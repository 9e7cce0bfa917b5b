"""What ``causal doctor`` shows: the store, the versions, the settings and their origins, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_causal.model.session import Session
from pytest_causal.store.interface import StoreHealth
from pytest_causal.views.escape import terminal
from pytest_causal.views.summary import Line
from pytest_causal.views.tables import Column, Table, cell
from pytest_causal.views.times import utc_minutes, utc_stamp
from pytest_causal.views.words import plural

SCHEMA = "causal.doctor/1"
_SETTING_COLUMNS = (
    Column(header="setting"),
    Column(header="value", is_wide=True),
    Column(header="from", width=8, shown_from=60),
    Column(header="where", width=28, shown_from=100),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """A setting in force. ``origin`` is flag, env, file or default; ``place`` names the flag, variable or file line."""

    name: str
    value: str | bool | int | float | tuple[str, ...]
    origin: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong, and what to do about it."""

    what: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorView:
    """All that was found. ``health`` is ``None`` where no store could be read; ``is_missing``: because there is none.

    ``recording`` are sessions that a living process records, ``left`` those whose process is gone. ``activation`` says
    whether plain ``pytest`` would record, and why.
    """

    location: str
    generated_us: int
    is_deep: bool
    is_missing: bool
    versions: Mapping[str, str]
    is_active: bool
    activation: str
    health: StoreHealth | None = None
    recording: Sequence[Session] = ()
    left: Sequence[Session] = ()
    settings: Sequence[SettingRow] = ()
    problems: Sequence[Problem] = ()


def doctor_lines(view: DoctorView) -> list[Line]:
    """Return what stands above the table of settings."""
    lines = [Line(text=f"store     {terminal(view.location)}")]
    if view.health is not None:
        lines.append(Line(text=f"          {_health_words(view.health, is_deep=view.is_deep)}"))
    elif view.is_missing:
        lines.append(Line(text="          nothing is recorded yet", marks=("yellow",)))
    lines += [Line(text=f"          recording now: {_session_words(session)}") for session in view.recording]
    lines += [
        Line(
            text=f"          left by a killed process, concluded by the next recording: {_session_words(session)}"
        )
        for session in view.left
    ]
    versions = ", ".join(f"{name} {version}" for name, version in view.versions.items())
    lines.append(Line(text=f"versions  {terminal(versions)}"))
    lines.append(Line(text=f"plugin    {terminal(view.activation)}"))
    return lines


def settings_table(view: DoctorView, width: int) -> Table:
    """Return the settings for a terminal of this many columns; those a person gave stand out."""
    rows = []
    for row in view.settings:
        marks = () if row.origin == "default" else ("bold",)
        value = terminal(_setting_words(row.value))
        rows.append(
            (cell(row.name, *marks), cell(value, *marks), cell(row.origin), cell(terminal(row.place)))
        )
    return Table(columns=_SETTING_COLUMNS, rows=rows).fitted(width)


def problem_lines(view: DoctorView) -> list[Line]:
    """Return what stands below the settings: each problem with what to do, or that there is none."""
    if not view.problems:
        return [Line(text="no problems found", marks=("green",))] if not view.is_missing else []
    lines = [Line(text=f"{plural(len(view.problems), 'problem')} found", marks=("red", "bold"))]
    for problem in view.problems:
        remedy = f"; {terminal(problem.remedy)}" if problem.remedy else ""
        lines.append(Line(text=f"- {terminal(problem.what)}{remedy}", marks=("red",)))
    return lines


def doctor_document(view: DoctorView) -> dict[str, Any]:
    """Return what was found as one JSON object, ``causal.doctor/1``."""
    return {
        "schema": SCHEMA,
        "generated_at": utc_stamp(view.generated_us),
        "store": view.location,
        "health": None if view.health is None else _health_document(view.health, is_deep=view.is_deep),
        "recording": [_session_document(session) for session in view.recording],
        "left_running": [_session_document(session) for session in view.left],
        "versions": dict(view.versions),
        "plugin": {"is_active": view.is_active, "why": view.activation},
        "settings": [
            {"name": row.name, "value": row.value, "origin": row.origin, "place": row.place or None}
            for row in view.settings
        ],
        "problems": [{"what": problem.what, "remedy": problem.remedy or None} for problem in view.problems],
    }


def _health_words(health: StoreHealth, *, is_deep: bool) -> str:
    held = ", ".join(
        (plural(health.sessions, "session"), plural(health.runs, "run"), plural(health.scenarios, "scenario"))
    )
    checked = "every page read" if is_deep else "--deep reads every page"
    return f"schema {health.schema_version}, {held}, {_size_words(health.size_bytes)} ({checked})"


def _size_words(size_bytes: int) -> str:
    size, unit = float(size_bytes), "bytes"
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"


def _session_words(session: Session) -> str:
    facts = session.facts
    return (
        f"session {session.number}, begun {utc_minutes(facts.started_us)} UTC by process "
        f"{terminal(facts.process.partition(':')[0])} on {terminal(facts.host)}, {plural(session.runs, 'run')}"
    )


def _setting_words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value) or "-"
    return str(value) or "-"


def _health_document(health: StoreHealth, *, is_deep: bool) -> dict[str, Any]:
    return {
        "is_deep": is_deep,
        "schema_version": health.schema_version,
        "size_bytes": health.size_bytes,
        "sessions": health.sessions,
        "runs": health.runs,
        "scenarios": health.scenarios,
        "running": health.running,
        "quarantined": list(health.quarantined),
    }


def _session_document(session: Session) -> dict[str, Any]:
    facts = session.facts
    return {
        "session": session.number,
        "session_uid": facts.uid,
        "started_at": utc_stamp(facts.started_us),
        "host": facts.host,
        "process": facts.process,
        "runs": session.runs,
    }
