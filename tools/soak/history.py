"""A finished soak in the history store: a session of its own, and each iteration a run of the soak's scenario.

It is written when the run has ended, from the journal, so that a soak that was killed and resumed is one session with
each iteration once; written again, it is found to be there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest_causal
from pytest_causal.actions.conclude import conclude_dead_sessions, conclude_session
from pytest_causal.actions.surroundings import machine, read_checkout, read_ci_job
from pytest_causal.actions.validity import validity
from pytest_causal.cli.output import Screen
from pytest_causal.errors import CausalError
from pytest_causal.hooks.reviewing import review_session
from pytest_causal.model.run import Cause, Metric, MetricKind, Outcome, Phase, Run
from pytest_causal.model.session import SessionEnding, SessionFacts, SessionState
from pytest_causal.policy.promotion_rules import usable_rules
from pytest_causal.settings.sources import Layer
from pytest_causal.settings.table import Trusted
from pytest_causal.store.interface import HistoryStore
from pytest_causal.store.liveness import process_identity
from pytest_causal.store.opening import open_store
from pytest_causal.views.promotion import promotion_lines
from tools.soak.identity import Ground
from tools.soak.journal import NAME as JOURNAL
from tools.soak.journal import read_journal
from tools.soak.kpi import Verdict
from tools.soak.progress import Progress, replayed
from tools.soak.warmup import Phase as SoakPhase

KIND = "soak"
_BATCH = 500
_OUTCOMES = {
    Verdict.PASS: Outcome.PASSED,
    Verdict.WARN: Outcome.PASSED,
    Verdict.FAIL: Outcome.FAILED,
    Verdict.INCONCLUSIVE: Outcome.MISSING,
}
"""An iteration without a verdict is one that was planned and gave no evidence."""


def record(ground: Ground, folder: Path, progress: Progress, note: Callable[[str], None]) -> None:
    """Store a finished run, unless it is stored already. What stands in the way is one line for a person."""
    if progress.plan is None or not progress.plan.has_history:
        return
    try:
        store = open_store(ground.settings.store, busy_seconds=ground.settings.busy_seconds)
    except CausalError as error:
        note(f"the run is not in the history: {error}")
        return
    try:
        session = _record(store, ground, folder, progress)
        if session:
            _review(store, session, ground, note)
    except CausalError as error:
        note(f"the run is not in the history: {error}")
    finally:
        store.close()


def runs_of(folder: Path) -> Iterator[Run]:
    """Yield a run for each iteration that is done; those of the warm-up are skipped ones, which are no evidence."""
    for progress in replayed(read_journal(folder / JOURNAL)):
        yield run_of(progress)


def run_of(progress: Progress) -> Run:
    """Return the iteration that is done as a run of its scenario."""
    scenario = progress.plan.scenario if progress.plan else ""
    is_warmup = progress.planned["phase"] != SoakPhase.STEADY
    took_us = progress.measured["took_us"]
    return Run(
        scenario=scenario,
        nodeid=scenario,
        outcome=Outcome.SKIPPED if is_warmup else _OUTCOMES[progress.verdict],
        started_us=progress.done["at_us"] - took_us,
        call_seconds=took_us / 1_000_000,
        occurrence=progress.iteration,
        cause=_cause(progress),
        metrics=tuple(
            Metric(name, sample.value, MetricKind.NUMBER if sample.value is not None else MetricKind.OTHER)
            for name, sample in sorted(progress.measurement.metrics.items())
        ),
        reads=progress.measurement.reads,
    )


def _cause(progress: Progress) -> Cause | None:
    if progress.verdict in (Verdict.PASS, Verdict.WARN):
        return None
    problem = progress.measurement.problem
    beyond = [
        f"{each.metric} {each.value} beyond {each.side} {each.limit}"
        if not each.reason
        else f"{each.metric}: {each.reason}"
        for each in progress.gate.findings
        if each.level in (Verdict.FAIL, Verdict.INCONCLUSIVE)
    ]
    return Cause(
        phase=Phase.CALL,
        type=f"soak.{progress.verdict}",
        message="; ".join([problem, *beyond]).strip("; ")[:500],
    )


def _record(store: HistoryStore, ground: Ground, folder: Path, progress: Progress) -> int:
    """Store the run as a session; return its id, 0 where it is stored already."""
    facts = _facts(ground, progress)
    rules = usable_rules(ground.settings)
    conclude_dead_sessions(
        store, ground.settings.criteria, progress.finished["at_us"] if progress.finished else 0, rules
    )
    found = store.find_session(facts.uid)
    if found is not None and found.ending.state is SessionState.FINISHED:
        return 0
    if found is not None:  # a process was killed while it wrote; what it wrote can only speak against
        facts = facts._replace(uid=f"{facts.uid}:{process_identity()}")
    session = store.begin_session(facts)
    runs = runs_of(folder)
    while batch := list(islice(runs, _BATCH)):
        store.add_runs(session, batch)
    finished = progress.finished or {}
    ending = SessionEnding(
        state=SessionState.FINISHED, finished_us=finished["at_us"], exit_status=finished["exit_code"]
    )
    policy = ground.parameters.base().read_values
    is_valid = validity(store, lambda: policy)
    conclude_session(store, session, ending, ground.settings.criteria, is_valid=is_valid, rules=rules)
    return session


def _review(store: HistoryStore, session: int, ground: Ground, note: Callable[[str], None]) -> None:
    """Watch changes and decide on rules of promotion as after any session, and say what is new."""
    settings = ground.settings
    if not settings.review or not (settings.promotion_tables or store.has_promotions()):
        return
    reviewed, problem = review_session(store, session, settings)
    for line in promotion_lines(reviewed, None, Screen().width, ground.parameters.base().secrets):
        note(line.text)
    if problem:
        note(problem)


def _facts(ground: Ground, progress: Progress) -> SessionFacts:
    plan, settings = ground.plan, ground.settings
    checkout, job = read_checkout(settings.root), read_ci_job(os.environ)
    is_said = settings.origins["trusted"].layer in (Layer.FLAG, Layer.ENV)
    python, platform, host = machine()
    uid = f"soak:{plan.run}:{progress.began_us}"
    return SessionFacts(
        uid=uid,
        key=uid,
        started_us=progress.began_us,
        kind=KIND,
        commit=checkout.commit,
        branch=checkout.branch,
        ci_provider=job.provider,
        ci_run=job.run,
        ci_attempt=job.attempt if job.run else "",
        ci_job=job.job,
        is_trusted=settings.trusted is not Trusted.NO
        and (not job.is_fork or (settings.trusted is Trusted.YES and is_said)),
        python=python,
        platform=platform,
        host=host,
        process=process_identity(),
        plugin_version=pytest_causal.__version__,
        profile=plan.profile,
        policy_fingerprint=plan.fingerprint,
    )
