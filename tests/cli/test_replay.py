"""What ``promote``, ``status`` and ``audit`` write as JSON is enough to make every decision again, without the store.

A real history is told by the commands. Then only their output is read: every verdict, every state and every value
in force must come out again by the pure rules alone, and must not where a value of the output was changed.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal import clock
from pytest_causal.actions.decision_record import case_from
from pytest_causal.model.evidence import Verdict
from pytest_causal.model.promotion import Event, State, Trigger
from pytest_causal.policy.canonical import fingerprint
from pytest_causal.rules.candidacy import judge_candidate
from pytest_causal.rules.guards import Guard
from pytest_causal.rules.lifecycle import events_to, next_state, state_for
from pytest_causal.rules.watch import watch
from pytest_causal.store.promotion_rows import verdict_document
from pytest_causal.store.promotions import chained
from tests.cli.worlds import POLICY, RULE, commands_in

Document = dict[str, Any]
SLOWER = """
[[promotion]]
name = "longer-wait"
scenarios = ["wait"]
changes = {"limits.wait_ms" = 300}
criteria = {unit = "run", min_runs = 25}
watch_sessions = 1
revert_when = {failure_rate = {max = 0.2}}

[guards]
cooldown_hours = 0
max_actions = 1000
"""


class Told(NamedTuple):
    """All that the commands wrote."""

    rows: list[Document]
    promoted: list[Document]
    status: Document
    values: Mapping[str, Any]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Tell a history with promotions, refusals, reverts by a trigger and by a person, lessons and hand edits."""
    with (
        pytest.MonkeyPatch.context() as patch,
        commands_in(tmp_path_factory.mktemp("told") / "p", patch, POLICY + RULE % "auto" + SLOWER) as causal,
    ):
        causal.world.tests["wait"] = lambda policy, metric: policy["limits"]["wait_ms"]
        ticks = itertools.count(60_000_000, 1_000_000)
        patch.setattr(clock, "now_us", lambda: causal.world.now_us + next(ticks))  # no two acts at one time
        config = causal.root / "causal.toml"
        promoted = []

        def promote(*arguments: str, code: int = 0) -> None:
            promoted.append(causal.json("promote", *arguments, schema="promotion", code=code))

        causal.sessions(1, reviewed=True, repeats=15)
        promote("longer-wait", code=3)  # too early
        causal.sessions(1, reviewed=True, repeats=15)
        causal.said("freeze", "--reason", "a release")
        promote("longer-wait", code=4)
        causal.said("freeze", "--lift")
        promote("longer-wait", "--dry-run")
        promote("longer-wait")
        causal.sessions(1, reviewed=True)  # watched, and one of the two validated
        causal.breaks_above = 600
        causal.sessions(1, reviewed=True)  # taken back, a lesson
        promote("more-rows", code=4)
        causal.breaks_above = 10**9
        causal.said("lessons", "--retire", "L-1", "--reason", "mended")
        causal.sessions(2, reviewed=True, repeats=15)  # earned again
        config.write_text(config.read_text().replace("= 800", "= 900"))
        causal.sessions(1, reviewed=True)
        config.write_text(config.read_text().replace("= 900", "= 950"))
        causal.sessions(1, reviewed=True)  # another change is proposed in its place
        causal.said("revert", "--reason", "not in winter")
        causal.edit_overrides("limits.wait_ms", 250)
        causal.said("reconcile", "--file", "--reason", "it was me")
        causal.sessions(1, reviewed=True)
        yield Told(
            causal.rows(), promoted, causal.json("status", schema="status"), dict(causal.world.policy.flat)
        )


class Replay:
    """The policy and its promotions, as far as the rows of the audit lead. Asserts that each row follows."""

    def __init__(self) -> None:
        self.hash = ""
        self.number = 0
        self.revision = 0
        self.fingerprint = ""
        self.states: dict[str, State] = {}
        self.leaves: dict[str, Any] = {}
        self.below: dict[str, Any] = {}
        self.lessons: set[str] = set()

    def take(self, row: Document) -> None:
        """Take one more row."""
        document = {key: value for key, value in row.items() if key != "hash"}
        text = json.dumps(document, sort_keys=True, separators=(",", ":"))
        self.hash, self.number = chained(self.hash, text), self.number + 1
        assert (row["hash"], row["number"]) == (self.hash, self.number)
        assert row["fingerprint_before"] == self.fingerprint
        before = dict(self.leaves)
        if "promotion" in row:
            self._promotion(row)
        elif row.get("retired"):
            self.lessons.remove(row["retired"])
        else:
            self._reconciled(row)
        self.revision += self.leaves != before
        self.fingerprint = fingerprint(self.leaves) if self.revision else ""
        assert (row["revision"], row["fingerprint_after"]) == (self.revision, self.fingerprint)

    def _promotion(self, row: Document) -> None:
        before, after = row["state_before"], State(row["state_after"])
        assert before == self.states.get(row["promotion"], "")
        match row["action"]:
            case "promote" | "constrain":
                assert self.decided(row["decision"]) is State.ELIGIBLE
                reached = State.ELIGIBLE if before == "" else State(before)
                assert next_state(reached, Event.PROMOTE) is after
                for step in row["change"]:
                    self.below.setdefault(step["path"], step["from"])
                    assert self.value(step["path"]) == step["from"]
                    self.leaves[step["path"]] = step["to"]
            case "revert":
                assert next_state(State(before), Event.REVERT) is after
                assert row["decision"] is None or watched(row["decision"]) == "critical"
                for step in row["change"]:
                    assert self.value(step["path"]) == step["to"]
                    self._set(step["path"], step["from"])
                self.lessons |= set(row["lessons"])
            case "observe":
                self._observed(row["decision"], State(before or State.PROPOSED), after)
        self.states[row["promotion"]] = after

    def _observed(self, decision: Document | None, before: State, after: State) -> None:
        if decision is None:
            assert after in (next_state(before, Event.SUPERSEDE), next_state(before, Event.EXPIRE))
        elif decision["kind"] == "watch":
            assert watched(decision) == "ok"
            assert next_state(before, Event.VALIDATE) is after
        else:
            assert self.decided(decision) is after
            assert [event.value for event in events_to(before, after)] == decision["events"]

    def _reconciled(self, row: Document) -> None:
        for each in row.get("differences", ()):
            assert self.leaves.get(each["path"]) == each["audited"]
            if row["side"] == "file":
                self._set(each["path"], each["in_file"])
        for label in row.get("superseded", ()):
            self.states[label] = State.SUPERSEDED

    def _set(self, path: str, value: Any) -> None:
        if value is None or value == self.below.get(path):
            self.leaves.pop(path, None)
        else:
            self.leaves[path] = value

    def value(self, path: str) -> Any:
        """The value in force, where any row has said it."""
        return self.leaves.get(path, self.below.get(path))

    def decided(self, decision: Document) -> State:
        """Judge the evidence again, and return where that leads with what stood in the way."""
        verdict = judge_candidate(case_from(decision["case"]))
        assert verdict_document(verdict) == decision["verdict"]
        guards = {Guard(each["guard"]): each["subject"] for each in decision["guards"]}
        assert guards.get(Guard.LOCKOUT, "") in {"", *self.lessons}
        is_locked = Guard.LOCKOUT in guards
        return state_for(verdict.verdict, is_locked=is_locked, is_held=bool(guards or decision["vetoes"]))


def watched(decision: Document) -> str:
    triggers = [Trigger(**trigger) for trigger in decision["triggers"]]
    health = watch(triggers, decision["signals"], decision["baseline"]).health
    assert health == decision["health"]
    return str(health)


def replay(told: Told) -> Replay:
    """Replay the audit, then hold what ``promote`` and ``status`` said against it."""
    made = Replay()
    for row in told.rows:
        made.take(row)
    for document in told.promoted:
        judged_at_its_time(document, told.rows)
    newest = {row["promotion"]: row for row in told.rows if "promotion" in row}
    assert told.status["policy"]["revision"] == made.revision
    assert {each["id"]: each["state"] for each in told.status["promotions"]} == made.states
    for each in told.status["promotions"]:
        assert each["change"] == newest[each["id"]]["change"]
        said = [scenario["verdict"] for scenario in each["evidence"]["scenarios"]]
        assert each["verdict"] == worst(said, each["reasons"])
        if State(each["state"]).is_open or each["state"] in ("locked", "rejected"):
            verdict = Verdict(each["verdict"])
            places = {
                state_for(verdict, is_locked=locked, is_held=held)
                for locked in (False, True)
                for held in (False, True)
            }
            assert each["state"] in places
    return made


def judged_at_its_time(document: Document, rows: list[Document]) -> None:
    """Hold what ``promote`` wrote, done or refused, to what was known when it was asked."""
    decision = document["decision"]
    made = [] if document["is_dry_run"] else [row for row in rows if is_row_of(row, document)]
    assert bool(made) is document["is_done"]
    then = Replay()
    for row in rows:
        if row["at_us"] <= decision["case"]["now_us"] and row not in made:
            then.take(row)
    state = then.decided(decision)
    assert document["promotion"]["verdict"] == decision["verdict"]["verdict"]
    if document["is_done"]:
        assert state is State.ELIGIBLE
        assert document["change"] == made[0]["change"]
    else:
        assert document["promotion"]["state"] == state
        assert document["is_dry_run"] is (state is State.ELIGIBLE)


def is_row_of(row: Document, document: Document) -> bool:
    """Whether a row is of the very act that a command told."""
    return bool(row["action"] == document["action"] and row["decision"] == document["decision"])


def worst(verdicts: list[str], reasons: list[str]) -> str:
    order = ("rejected", "inert", "inconclusive", "not_yet", "eligible")
    if not verdicts or {"no_scenario"} & set(reasons):
        verdicts = [*verdicts, "inconclusive"]
    return min(verdicts, key=order.index)


def test_the_history_holds_what_is_to_be_replayed(told: Told) -> None:
    actions = [row["action"] for row in told.rows]
    assert actions.count("promote") >= 3
    assert actions.count("revert") == 2
    assert "reconcile" in actions
    assert {row["state_after"] for row in told.rows if "state_after" in row} == {
        *("proposed", "eligible", "provisional", "validated", "reverted", "locked", "superseded")
    }
    assert {row["decision"]["kind"] for row in told.rows if row.get("decision")} == {"candidate", "watch"}
    assert [document["is_done"] for document in told.promoted] == [False, False, False, True, False]


def test_every_decision_is_made_again_from_what_was_written(told: Told) -> None:
    made = replay(told)
    assert {path: made.value(path) for path in made.below} == {path: told.values[path] for path in made.below}
    assert made.below == {"limits.rows": 500, "limits.wait_ms": 200}


Place = list[str | int]


def leaves_of(value: Any, at: Place) -> Iterator[Place]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves_of(inner, [*at, key])
    else:
        yield at


def put(document: Any, place: Place, change: Callable[[Any], Any]) -> None:
    for key in place[:-1]:
        document = document[key]
    document[place[-1]] = change(document[place[-1]])


def another(value: Any) -> Any:
    """Return another value of its kind."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value + "x"
    return "something"


@given(data=st.data())
def test_a_row_of_which_any_value_was_changed_is_not_replayed(told: Told, data: st.DataObject) -> None:
    rows = copy.deepcopy(told.rows)
    row = data.draw(st.sampled_from(rows))
    put(row, data.draw(st.sampled_from([*leaves_of(row, [])])), another)
    with pytest.raises((AssertionError, ValueError, TypeError, KeyError)):
        replay(told._replace(rows=rows))


def row_of(rows: list[Document], **wanted: Any) -> Document:
    return next(row for row in rows if all(row.get(key) == value for key, value in wanted.items()))


FORGERIES: Mapping[str, Callable[[list[Document]], None]] = {
    "a failure becomes a pass": lambda rows: put(
        row_of(rows, state_after="locked"),
        ["decision", "case", "scenarios", 0, "evidence"],
        lambda evidence: {**evidence, "failed": 0, "passed": evidence["passed"] + evidence["failed"]},
    ),
    "runs are made up": lambda rows: put(
        row_of(rows, state_after="proposed"),
        ["decision", "case", "scenarios", 0, "evidence", "passed"],
        lambda passed: passed + 100,
    ),
    "what was read is forgotten": lambda rows: put(
        row_of(rows, state_after="eligible"), ["decision", "case", "scenarios", 0, "reads"], lambda reads: []
    ),
    "criteria are loosened": lambda rows: put(
        row_of(rows, state_after="proposed"),
        ["decision", "case", "scenarios", 0, "criteria"],
        lambda criteria: {**criteria, "min_runs": 1, "min_sessions": 1, "alpha": 0.9},
    ),
    "a verdict is improved": lambda rows: put(
        row_of(rows, state_after="proposed"), ["decision", "verdict", "verdict"], lambda verdict: "eligible"
    ),
    "a lesson is left out": lambda rows: put(
        row_of(rows, state_after="locked"), ["decision", "guards"], lambda guards: []
    ),
    "a guard is invented": lambda rows: put(
        row_of(rows, action="promote"),
        ["decision", "guards"],
        lambda guards: [{"guard": "rate", "subject": "", "could_pass_us": None}],
    ),
    "a signal is calmed": lambda rows: put(
        row_of(rows, action="revert"), ["decision", "signals", -1, "failure_rate"], lambda rate: 0.0
    ),
    "a limit is moved": lambda rows: put(
        row_of(rows, action="revert"), ["decision", "triggers", 0, "max"], lambda limit: 2.0
    ),
    "another state is written": lambda rows: put(
        row_of(rows, state_after="locked"), ["state_after"], lambda state: "eligible"
    ),
    "another value is written": lambda rows: put(
        row_of(rows, action="promote"), ["change", 0, "to"], lambda value: value + 1
    ),
    "an act is left out": lambda rows: rows.remove(row_of(rows, action="promote")),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forger_who_mends_the_chain_is_found_by_the_decisions(told: Told, forgery: str) -> None:
    rows = copy.deepcopy(told.rows)
    FORGERIES[forgery](rows)
    assert rows != told.rows
    before = ""
    for number, row in enumerate(rows, 1):
        row.pop("hash")
        row["number"] = number
        before = row["hash"] = chained(before, json.dumps(row, sort_keys=True, separators=(",", ":")))
    with pytest.raises((AssertionError, KeyError)):
        replay(told._replace(rows=rows))


@pytest.mark.parametrize("key", ["state", "verdict", "change"])
def test_a_status_that_was_changed_is_noticed(told: Told, key: str) -> None:
    status = copy.deepcopy(told.status)
    (locked, *_) = [each for each in status["promotions"] if each["state"] in ("proposed", "locked")]
    locked[key] = {"state": "eligible", "verdict": "eligible", "change": []}[key]
    with pytest.raises(AssertionError):
        replay(told._replace(status=status))


@pytest.mark.parametrize(
    ("place", "value"),
    [(0, True), (1, True), (3, False)],
    ids=["a refusal that was done", "a freeze that was not obeyed", "a promotion that was not"],
)
def test_a_promotion_that_was_told_otherwise_is_noticed(told: Told, place: int, value: bool) -> None:
    promoted = copy.deepcopy(told.promoted)
    promoted[place]["is_done"] = value
    with pytest.raises(AssertionError):
        replay(told._replace(promoted=promoted))
