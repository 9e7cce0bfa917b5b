"""``causal doctor``: is the history sound, what is in force, and what should be done."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_causal import __version__, clock
from pytest_causal.cli.acting import bare_context
from pytest_causal.cli.output import Screen, progress, write, write_json
from pytest_causal.cli.place import Place, find_place, policy_in_force, store_option
from pytest_causal.cli.pytest_config import find_activation
from pytest_causal.errors import CausalError, ExitCode, MissingInputError
from pytest_causal.model.session import Session, SessionState
from pytest_causal.settings.config_file import unread_config
from pytest_causal.settings.table import CRITERIA, SETTINGS
from pytest_causal.views.doctor import DoctorView, Problem, SettingRow
from pytest_causal.views.escape import without_password

if TYPE_CHECKING:
    from pytest_causal.settings.sources import Settings
    from pytest_causal.store.interface import HistoryStore, StoreHealth

_DISTRIBUTIONS = ("pytest", "pytest-xdist", "pytest-rerunfailures", "click", "rich")
_RECOVER = "what is readable can be recovered with: sqlite3 FILE .recover"


@click.command()
@store_option
@click.option("--deep", is_flag=True, help="Read every page of the store and check what refers to what.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object (schema causal.doctor/1).")
def doctor(store: str | None, deep: bool, as_json: bool) -> int:
    """Check the store; show versions, settings and problems.

    Settings come with their origins, problems with what to do. Nothing is changed.

    \b
    Exit codes:
      0   healthy
      1   problems were found
      66  there is no store
      78  the settings cannot be used
    """
    place = find_place(store)
    view = _view(place, deep=deep)
    if as_json:
        from pytest_causal.views.doctor import doctor_document

        write_json(doctor_document(view))
    else:
        _show(view)
    if view.problems:
        return ExitCode.FAIL
    return ExitCode.OK if view.health is not None else ExitCode.NO_INPUT


def _show(view: DoctorView) -> None:
    from pytest_causal.views.doctor import doctor_lines, problem_lines, settings_table

    screen = Screen()
    above, below = screen.lines(doctor_lines(view)), screen.lines(problem_lines(view))
    write([above, "\n", screen.table(settings_table(view, screen.width)), "\n", below])


def _view(place: Place, *, deep: bool) -> DoctorView:
    health: StoreHealth | None = None
    recording: tuple[Session, ...] = ()
    left: tuple[Session, ...] = ()
    problems = [*_unread_settings(place), *_policy_problems(place)]
    is_missing = False
    try:
        is_missing = place.has_nothing_recorded()
        if not is_missing:
            with place.reading() as store:
                health = _health(store, deep=deep)
                left = tuple(store.dead_sessions())
                recording = _recording(store, health.running, left)
                problems += _store_problems(health, store.notices)
                problems += _promotion_problems(place, store)
    except MissingInputError:
        is_missing = True
    except CausalError as error:
        problems.append(Problem(what=error.what, remedy=error.remedy))
    activation = find_activation(place.config, os.environ)
    return DoctorView(
        location=without_password(place.settings.store),
        generated_us=clock.now_us(),
        is_deep=deep,
        is_missing=is_missing,
        versions=_versions(),
        is_active=activation.is_active,
        activation=activation.why,
        health=health,
        recording=recording,
        left=left,
        settings=_setting_rows(place.settings),
        problems=list({each.what: each for each in problems}.values()),
    )


def _health(store: HistoryStore, *, deep: bool) -> StoreHealth:
    if not deep:
        return store.health()
    with progress(f"reading every page of {store.location}"):
        return store.health(deep=True)


def _recording(store: HistoryStore, running: int, left: Sequence[Session]) -> tuple[Session, ...]:
    """Return the sessions that are being recorded: those marked running that were not left by a killed process."""
    if running <= len(left):
        return ()
    killed = {session.number for session in left}
    return tuple(
        session
        for session in store.sessions()
        if session.ending.state is SessionState.RUNNING and session.number not in killed
    )


def _store_problems(health: StoreHealth, notices: Sequence[str]) -> list[Problem]:
    problems = [
        Problem(
            what=what,
            remedy="" if what in notices else f"copy {health.location} before anything else; {_RECOVER}",
        )
        for what in health.problems
    ]
    problems += [
        Problem(what=f"a damaged file was set aside: {path}", remedy=f"{_RECOVER}, or delete it")
        for path in health.quarantined
    ]
    return problems


def _promotion_problems(place: Place, store: HistoryStore) -> list[Problem]:
    """Return what is wrong with the rules of promotion, the audit, and the values that it leads to."""
    from pytest_causal.actions.audit import verify_audit
    from pytest_causal.actions.reconcile import examine
    from pytest_causal.actions.rule_check import check_rules

    context = bare_context(place, store)
    problems = [Problem(what=each.what, remedy=each.remedy) for each in check_rules(context)]
    drift = examine(context)
    if drift.words:
        problems.append(
            Problem(what=drift.words, remedy="settle it with causal reconcile; nothing acts until then")
        )
    if drift.is_unfinished:
        what = f"an act was cut short: revision {drift.live.revision} is decided and not yet written"
        problems.append(Problem(what=what, remedy="causal reconcile finishes it, and so does the next act"))
    problems += [
        Problem(
            what=f"the audit: {problem}", remedy="what changed it is to be found; see causal audit --verify"
        )
        for problem in verify_audit(store, None).problems
    ]
    return problems


def _unread_settings(place: Place) -> list[Problem]:
    unread = unread_config(place.config.root, Path.cwd())
    return [] if unread is None else [Problem(what=unread.what, remedy=unread.remedy)]


def _policy_problems(place: Place) -> list[Problem]:
    try:
        policy_in_force(place)
    except CausalError as error:
        return [Problem(what=error.what, remedy=error.remedy)]
    return []


def _versions() -> dict[str, str]:
    versions = {
        "pytest-causal": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
    for name in _DISTRIBUTIONS:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def _setting_rows(settings: Settings) -> list[SettingRow]:
    rows = []
    for setting in SETTINGS:
        holder = settings.criteria if setting.section == CRITERIA else settings
        value = getattr(holder, setting.name)
        origin = settings.origins[setting.name]
        if isinstance(value, str):
            value = without_password(str(value))
        rows.append(SettingRow(name=setting.key, value=value, origin=origin.layer.value, place=origin.place))
    return rows
