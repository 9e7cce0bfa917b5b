"""One process of a trial: a pytest session that records itself, or a program whose answer is recorded for it."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pytest_causal import clock
from pytest_causal.actions.conclude import conclude_dead_sessions, conclude_session
from pytest_causal.actions.processes import Ended, run_program
from pytest_causal.actions.session_facts import session_facts
from pytest_causal.actions.surroundings import is_dirty
from pytest_causal.actions.validity import validity
from pytest_causal.errors import DataError, MissingInputError
from pytest_causal.model.change import CONTROL, Change
from pytest_causal.model.run import Cause, Outcome, Phase, Read, ReadHow, Run
from pytest_causal.model.session import Session, SessionEnding, SessionFacts, SessionState
from pytest_causal.model.trial import Attempt, Kind, TrialPlan
from pytest_causal.policy.canonical import fingerprint
from pytest_causal.policy.exchange import (
    POLICY_FILE_ENV,
    RESULT_FILE_ENV,
    Answer,
    ReadBack,
    read_back,
    read_result_file,
    write_policy_file,
)
from pytest_causal.policy.promotion_rules import usable_rules
from pytest_causal.policy.secrets import read_value
from pytest_causal.rules.attribution import attributed
from pytest_causal.store.interface import HistoryQuery
from pytest_causal.store.opening import open_store

if TYPE_CHECKING:
    from pytest_causal.policy.in_force import Policy
    from pytest_causal.settings.sources import Settings
    from pytest_causal.store.interface import HistoryStore

SESSION_KIND = "trial"
"""The kind of the sessions that a trial records for programs."""
_PYTEST_RAN = (0, 1)
"""Exit codes of a pytest session that came to its end, whether all passed or some failed."""
_SESSIONS_LOOKED_AT = 200
"""Newest sessions among which that of a process is looked for; others may record at the same time."""
_MISMATCH = "pytest_causal.policy.mapping.PolicyMismatch"


class Ground(NamedTuple):
    """Where a trial takes place: the settings and the policy in force, and what its processes start with."""

    settings: Settings
    policy: Policy
    directory: Path
    env: Mapping[str, str]

    def opened(self) -> closing[HistoryStore]:
        """Open the store for a ``with`` block. Raises StoreError."""
        return closing(open_store(self.settings.store, busy_seconds=self.settings.busy_seconds))

    def texts(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Return dotted path -> the text that a read of the value is recorded as."""
        return {path: read_value(path, value, self.policy.secrets) for path, value in values.items()}


class Slot(NamedTuple):
    """A place in a trial: which round, which arm, and the key of the session that is to be recorded."""

    round: int
    arm: str
    key: str


class Arms(Protocol):
    """Runs the processes of a trial, one at a time."""

    def run(self, slot: Slot, is_stopped: Callable[[], bool]) -> Attempt:
        """Run one process until it ends, its time is over, or ``is_stopped`` says so. Raises StoreError."""


def arms_of(plan: TrialPlan, change: Change, ground: Ground) -> Arms:
    """Return what runs the processes of a plan."""
    return PytestArms(plan, ground) if plan.kind is Kind.PYTEST else CommandArms(plan, change, ground)


class PytestArms:
    """Runs a suite under one arm; the plugin in it records the session, which is found again by its key."""

    def __init__(self, plan: TrialPlan, ground: Ground) -> None:
        self._plan = plan
        self._ground = ground

    def run(self, slot: Slot, is_stopped: Callable[[], bool]) -> Attempt:
        """Run a session. One that did not come to its end, or that is no evidence, speaks against the arm only."""
        # Nothing is decided in the middle of a trial, or the arms would not stay what they are.
        options = ["-p", "causal", f"--causal-arm={slot.arm}", "--no-causal-shadow", "--no-causal-review"]
        options.append(f"--causal-session-key={slot.key}")
        ended = run_program(
            [sys.executable, "-m", "pytest", *options, *self._plan.words],
            directory=self._ground.directory,
            env={**self._ground.env, "CAUSAL_STORE": self._ground.settings.store},
            timeout_seconds=self._plan.timeout_seconds,
            is_stopped=is_stopped,
        )
        attempt = Attempt(
            round=slot.round,
            arm=slot.arm,
            seconds=ended.seconds,
            is_killed=ended.is_timed_out or (ended.status < 0 and not ended.is_stopped),
            is_timed_out=ended.is_timed_out,
            is_cut_off=ended.is_stopped,
            problem="" if ended.status in _PYTEST_RAN else _complaint(ended),
        )
        with self._ground.opened() as store:
            conclude_dead_sessions(
                store, self._ground.settings.criteria, clock.now_us(), usable_rules(self._ground.settings)
            )
            session = _session_of(store, slot.key)
            if session is None:
                return attempt._replace(problem=attempt.problem or "nothing was recorded")
            runs = tuple(record.run for record in store.history(HistoryQuery(session=session.number)))
        attempt = attempt._replace(session=session.number)
        if session.ending.broken:
            return attempt._replace(problem=session.ending.broken)
        if session.ending.state is SessionState.INTERRUPTED:
            runs = tuple(run for run in runs if run.is_failure)
        return attempt._replace(runs=runs)


class CommandArms:
    """Runs a program that is told its policy in one file and answers in another, and records a session for it."""

    def __init__(self, plan: TrialPlan, change: Change, ground: Ground) -> None:
        self._plan = plan
        self._ground = ground
        self._scenario = command_scenario(plan)
        texts = ground.texts(change.after)
        self._changed = tuple(Read(path, texts[path], ReadHow.ASSIGNED) for path in change.paths)
        self._values = {
            CONTROL: dict(ground.policy.flat),
            plan.rule.candidate(change).arm: {**ground.policy.flat, **change.after},
        }

    def run(self, slot: Slot, is_stopped: Callable[[], bool]) -> Attempt:
        """Run the program once and record what came of it as a session of one run."""
        values = self._values[slot.arm]
        facts = session_facts(self._ground.settings, self._ground.env, policy_fingerprint=fingerprint(values))
        facts = facts._replace(kind=SESSION_KIND, key=slot.key)
        attempt = Attempt(round=slot.round, arm=slot.arm)
        with tempfile.TemporaryDirectory(prefix="causal-trial-", ignore_cleanup_errors=True) as folder:
            policy_file, result_file = Path(folder, "policy.json"), Path(folder, "result.json")
            write_policy_file(policy_file, values)
            try:
                ended = run_program(
                    self._plan.words,
                    directory=self._ground.directory,
                    env={
                        **self._ground.env,
                        POLICY_FILE_ENV: str(policy_file),
                        RESULT_FILE_ENV: str(result_file),
                    },
                    timeout_seconds=self._plan.timeout_seconds,
                    is_stopped=is_stopped,
                )
            except OSError as error:
                return attempt._replace(problem=f"it cannot be started: {error.strerror}")
            attempt = attempt._replace(
                seconds=ended.seconds, is_cut_off=ended.is_stopped, is_timed_out=ended.is_timed_out
            )
            if ended.is_stopped:
                return attempt
            reply = _reply(result_file, values, self._ground.policy.secrets)
        outcome, cause, problem = _ending(ended, reply)
        run = Run(
            scenario=self._scenario,
            nodeid=self._scenario,
            outcome=outcome,
            started_us=facts.started_us,
            call_seconds=ended.seconds,
            arm=slot.arm,
            cause=cause,
            metrics=reply.answer.metrics,
            reads=reply.back.reads,
        )
        if slot.arm != CONTROL:
            run = self._answered_for(run, reply.back.differing)
        return attempt._replace(session=self._record(facts, run, ended), runs=(run,), problem=problem)

    def _answered_for(self, run: Run, differing: Sequence[str]) -> Run:
        """Return a run of the candidate with what it must answer for. One that used other values than those of the
        change speaks against the candidate, not against whatever policy has these values."""
        paths = {read.path for read in self._changed}.intersection(differing)
        return attributed(
            run._replace(reads=tuple(read for read in run.reads if read.path not in paths)), self._changed
        )

    def _record(self, facts: SessionFacts, run: Run, ended: Ended) -> int:
        settings, policy = self._ground.settings, self._ground.policy
        ending = SessionEnding(
            state=SessionState.FINISHED,
            finished_us=clock.now_us(),
            exit_status=ended.status,
            is_dirty=is_dirty(settings.root),
        )
        with self._ground.opened() as store:
            number = store.begin_session(facts)
            store.add_runs(number, [run])
            is_valid = validity(store, lambda: policy.read_values)
            rules = usable_rules(settings)
            conclude_session(store, number, ending, settings.criteria, is_valid=is_valid, rules=rules)
        return number


class _Reply(NamedTuple):
    """What a program answered, as far as it can be used, and what is wrong with it."""

    answer: Answer = Answer()
    back: ReadBack = ReadBack((), ())
    problem: str = ""


def command_scenario(plan: TrialPlan) -> str:
    """Return the scenario that a program's runs are recorded under: the rule's, if it names a single one."""
    named = [each for each in plan.rule.scenarios if not any(sign in each for sign in "*?[")]
    return named[0] if len(named) == 1 else f"command:{Path(plan.words[0]).name}"


def _reply(path: Path, values: Mapping[str, Any], secrets: frozenset[str]) -> _Reply:
    try:
        answer = read_result_file(path)
        if answer.policy is None:
            return _Reply(answer)
        return _Reply(answer, read_back(answer.policy, values, secrets))
    except (MissingInputError, DataError) as error:
        return _Reply(problem=str(error))


def _ending(ended: Ended, reply: _Reply) -> tuple[Outcome, Cause | None, str]:
    """Return the outcome of a program's run, its cause, and what a person must be told of it.

    What the program wrote is told, and not stored: it may hold anything. A run without an answer is ``missing``: it
    did not fail, and shows nothing.
    """
    if ended.is_timed_out:
        return Outcome.FAILED, Cause(Phase.CALL, "builtins.TimeoutError", ended.words), ended.words
    if ended.status:
        outcome = Outcome.CRASHED if ended.status < 0 else Outcome.FAILED
        return outcome, Cause(Phase.CALL, "", ended.words), _complaint(ended)
    if reply.problem:
        return Outcome.MISSING, Cause(Phase.CALL, "", "no answer that can be used"), reply.problem
    if reply.back.differing:
        words = f"it used other values than it was given: {', '.join(reply.back.differing)}"
        return Outcome.FAILED, Cause(Phase.CALL, _MISMATCH, words), words
    return Outcome.PASSED, None, ""


def _complaint(ended: Ended) -> str:
    return ": ".join(part for part in (ended.words, ended.complaint) if part)


def _session_of(store: HistoryStore, key: str) -> Session | None:
    return next((each for each in store.sessions(limit=_SESSIONS_LOOKED_AT) if each.facts.key == key), None)
