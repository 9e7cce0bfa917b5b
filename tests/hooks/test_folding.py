"""Reports in any order that pytest, xdist and rerun plugins can produce become whole runs, each closed once."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.hooks.folding import Folding
from pytest_causal.hooks.notes import ATTRIBUTE
from pytest_causal.model.run import Outcome, Phase, Run

START_SECONDS = 1_763_700_000.25


def report(
    nodeid: str, when: str, outcome: str = "passed", *, worker: str = "", longrepr: Any = None, **more: Any
) -> pytest.TestReport:
    """A report as pytest makes it; the worker's name is set as xdist sets it on arrival."""
    made = pytest.TestReport(
        nodeid,
        (nodeid.partition("::")[0], 0, nodeid),
        {},
        outcome,  # type: ignore[arg-type] # plugins invent outcomes of their own
        "it broke" if longrepr is None and outcome in ("failed", "rerun", "retried") else longrepr,
        when,  # type: ignore[arg-type] # xdist reports a crash with "???"
        duration=0.5,
        start=START_SECONDS,
    )
    if worker:
        more["worker_id"] = worker
    vars(made).update(more)
    return made


def crash(nodeid: str, worker: str, outcome: str = "failed") -> pytest.TestReport:
    """The report that xdist's controller makes for the test in which a worker died."""
    made = pytest.TestReport(
        nodeid,
        (nodeid, None, nodeid),
        (),  # type: ignore[arg-type] # as xdist does
        outcome,  # type: ignore[arg-type]
        f"worker {worker!r} crashed while running {nodeid!r}",
        "???",  # type: ignore[arg-type]
    )
    made.node = SimpleNamespace(gateway=SimpleNamespace(id=worker))  # type: ignore[attr-defined]
    return made


def folding(**options: Any) -> Folding:
    return Folding(str.upper, **options)


def feed(fold: Folding, *reports: pytest.TestReport) -> list[Run]:
    return list(fold.fold(deque(reports)))


def only(*reports: pytest.TestReport) -> Run:
    (run,) = feed(folding(), *reports)
    return run


SHAPES: dict[str, tuple[Outcome, tuple[tuple[str, str, dict[str, Any]], ...]]] = {
    "pass": (
        Outcome.PASSED,
        (("setup", "passed", {}), ("call", "passed", {}), ("teardown", "passed", {})),
    ),
    "fail": (
        Outcome.FAILED,
        (("setup", "passed", {}), ("call", "failed", {}), ("teardown", "passed", {})),
    ),
    "fail twice": (
        Outcome.FAILED,
        (("setup", "passed", {}), ("call", "failed", {}), ("teardown", "failed", {})),
    ),
    "setup error": (Outcome.ERROR, (("setup", "failed", {}), ("teardown", "passed", {}))),
    "teardown error": (
        Outcome.ERROR,
        (("setup", "passed", {}), ("call", "passed", {}), ("teardown", "failed", {})),
    ),
    "skip": (
        Outcome.SKIPPED,
        (("setup", "skipped", {"longrepr": ("f", 1, "Skipped: no")}), ("teardown", "passed", {})),
    ),
    "skip in call": (
        Outcome.SKIPPED,
        (("setup", "passed", {}), ("call", "skipped", {}), ("teardown", "passed", {})),
    ),
    "skip, then teardown error": (
        Outcome.ERROR,
        (("setup", "passed", {}), ("call", "skipped", {}), ("teardown", "failed", {})),
    ),
    "xfail": (
        Outcome.XFAILED,
        (("setup", "passed", {}), ("call", "skipped", {"wasxfail": "known"}), ("teardown", "passed", {})),
    ),
    "xfail, then teardown error": (
        Outcome.ERROR,
        (("setup", "passed", {}), ("call", "skipped", {"wasxfail": "known"}), ("teardown", "failed", {})),
    ),
    "xpass": (
        Outcome.XPASSED,
        (("setup", "passed", {}), ("call", "passed", {"wasxfail": ""}), ("teardown", "passed", {})),
    ),
    "xpass strict": (
        Outcome.XPASSED,
        (
            ("setup", "passed", {}),
            ("call", "failed", {"longrepr": "[XPASS(strict)] known"}),
            ("teardown", "passed", {}),
        ),
    ),
    "nothing called": (Outcome.MISSING, (("setup", "passed", {}), ("teardown", "passed", {}))),
}
"""What pytest reports for each way that a test can end, and the outcome that must be stored."""

RERUNS: dict[str, tuple[Outcome, tuple[tuple[str, str, dict[str, Any]], ...]]] = {
    "rerun of the call": (Outcome.FAILED, (("setup", "passed", {}), ("call", "rerun", {}))),
    "rerun of the setup": (Outcome.ERROR, (("setup", "rerun", {}),)),
    "rerun of the teardown": (
        Outcome.ERROR,
        (("setup", "passed", {}), ("call", "passed", {}), ("teardown", "rerun", {})),
    ),
    "retried, with its teardown": (
        Outcome.FAILED,
        (("setup", "passed", {}), ("call", "retried", {}), ("teardown", "passed", {})),
    ),
}


def reports_of(
    nodeid: str, phases: tuple[tuple[str, str, dict[str, Any]], ...], worker: str = ""
) -> list[pytest.TestReport]:
    return [report(nodeid, when, outcome, worker=worker, **more) for when, outcome, more in phases]


@pytest.mark.parametrize("shape", SHAPES)
def test_each_way_a_test_can_end_is_one_run(shape: str) -> None:
    outcome, phases = SHAPES[shape]
    fold = folding()
    (run,) = feed(fold, *reports_of("f::a", phases))
    assert (run.outcome, run.attempt, run.occurrence, run.is_superseded) == (outcome, 1, 1, False)
    assert (run.scenario, run.nodeid, run.worker) == ("f::a", "f::a", "")
    assert run.started_us == 1_763_700_000_250_000
    assert run.duration_seconds == 0.5 * len(phases)
    assert list(fold.missing([("", "f::a")])) == []


@pytest.mark.parametrize(
    ("shape", "phase", "kind", "message"),
    [
        ("fail", Phase.CALL, "", "IT BROKE"),
        ("fail twice", Phase.CALL, "", "IT BROKE"),
        ("setup error", Phase.SETUP, "", "IT BROKE"),
        ("teardown error", Phase.TEARDOWN, "", "IT BROKE"),
        ("skip", Phase.SETUP, "", "NO"),
        ("xfail", Phase.CALL, "", "KNOWN"),
        ("xpass strict", Phase.CALL, "xpassed(strict)", "KNOWN"),
        ("skip, then teardown error", Phase.TEARDOWN, "", "IT BROKE"),
    ],
)
def test_the_cause_is_the_first_failure_and_its_message_is_cleaned(
    shape: str, phase: Phase, kind: str, message: str
) -> None:
    cause = only(*reports_of("f::a", SHAPES[shape][1])).cause
    assert cause is not None
    assert (cause.phase, cause.type, cause.message) == (phase, kind, message)


@pytest.mark.parametrize("shape", ["pass", "xpass"])
def test_a_pass_has_no_cause_because_a_cause_would_make_an_xpass_a_failure(shape: str) -> None:
    run = only(*reports_of("f::a", SHAPES[shape][1]))
    assert run.cause is None
    assert not run.is_failure


def test_a_message_that_only_looks_like_a_strict_xpass_is_a_failure() -> None:
    crashed = SimpleNamespace(reprcrash=SimpleNamespace(message="[XPASS(strict)] said the test itself"))
    run = only(
        report("f::a", "setup"),
        report("f::a", "call", "failed", longrepr=crashed),
        report("f::a", "teardown"),
    )
    assert run.outcome is Outcome.FAILED


def test_a_failing_subtest_fails_its_test_and_a_passing_one_passes_nothing() -> None:
    failed = only(
        report("f::a", "setup"),
        report("f::a", "call", context="sub 1"),
        report("f::a", "call", "failed", context="sub 2"),
        report("f::a", "call"),
        report("f::a", "teardown"),
    )
    assert failed.outcome is Outcome.FAILED
    assert failed.call_seconds == 0.5
    without_a_call = only(
        report("f::a", "setup"), report("f::a", "call", context="sub 1"), report("f::a", "teardown")
    )
    assert without_a_call.outcome is Outcome.MISSING


@pytest.mark.parametrize("shape", RERUNS)
def test_p16_an_attempt_that_is_rerun_is_a_failed_run_of_its_own(shape: str) -> None:
    outcome, phases = RERUNS[shape]
    first, second = feed(folding(), *reports_of("f::a", phases), *reports_of("f::a", SHAPES["pass"][1]))
    assert (first.outcome, first.attempt, first.is_superseded) == (outcome, 1, True)
    assert first.cause is not None
    assert first.cause.message == "IT BROKE"
    assert (second.outcome, second.attempt, second.is_superseded) == (Outcome.PASSED, 2, False)
    assert first.occurrence == second.occurrence == 1


def test_attempts_begin_anew_with_each_occurrence() -> None:
    once = [*reports_of("f::a", RERUNS["rerun of the call"][1]), *reports_of("f::a", SHAPES["pass"][1])]
    runs = feed(folding(), *once, *once)
    assert [(run.occurrence, run.attempt) for run in runs] == [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_p12_a_crash_closes_the_run_that_its_worker_had_begun() -> None:
    fold = folding()
    (run,) = feed(
        fold,
        report("f::a", "setup", worker="gw1"),
        crash("f::a", "gw1"),
    )
    assert (run.outcome, run.worker, run.setup_seconds) == (Outcome.CRASHED, "gw1", 0.5)
    assert run.cause is not None
    assert run.cause.type == "crashed"
    assert "GW1" in run.cause.message
    assert list(fold.missing([("", "f::a")])) == []


def test_p12_a_crash_before_the_first_report_is_a_run_too() -> None:
    run = only(crash("f::a", "gw0"))
    assert (run.outcome, run.worker, run.attempt) == (Outcome.CRASHED, "gw0", 1)
    assert run.started_us > 0


def test_a_crash_that_is_rerun_elsewhere_is_a_superseded_attempt() -> None:
    first, second = feed(
        folding(),
        report("f::a", "setup", worker="gw0"),
        crash("f::a", "gw0", "rerun"),
        *reports_of("f::a", SHAPES["pass"][1], worker="gw2"),
    )
    assert (first.outcome, first.worker, first.attempt, first.is_superseded) == (
        Outcome.CRASHED,
        "gw0",
        1,
        True,
    )
    assert (second.outcome, second.worker, second.attempt, second.is_superseded) == (
        Outcome.PASSED,
        "gw2",
        2,
        False,
    )
    assert first.occurrence == second.occurrence


def test_interleaved_workers_are_kept_apart() -> None:
    one, two = (
        reports_of("f::a", SHAPES[kind][1], worker=w) for kind, w in (("pass", "gw0"), ("fail", "gw1"))
    )
    mixed = [each for pair in zip(one, two, strict=True) for each in pair]
    assert [(run.worker, run.outcome) for run in feed(folding(), *mixed)] == [
        ("gw0", Outcome.PASSED),
        ("gw1", Outcome.FAILED),
    ]


def test_what_was_selected_and_did_not_end_is_missing_once() -> None:
    fold = folding()
    feed(fold, *reports_of("f::a", SHAPES["pass"][1]), report("f::b", "setup"))
    fold.scenario_of["f::c"] = "named"
    selected = [("", "f::a"), ("", "f::b"), ("", "f::c")]
    found = {run.nodeid: run for run in fold.missing(selected)}
    assert {name: str(run.outcome) for name, run in found.items()} == {"f::b": "missing", "f::c": "missing"}
    said = {name: run.cause.message for name, run in found.items() if run.cause}
    assert said == {"f::b": "interrupted while it ran", "f::c": "collected, but never run"}
    assert found["f::c"].scenario == "named"
    assert list(fold.missing(selected)) == []


def test_with_dist_each_a_test_is_missing_on_the_worker_that_did_not_run_it() -> None:
    fold = folding()
    feed(fold, *reports_of("f::a", SHAPES["pass"][1], worker="gw0"))
    missing = list(fold.missing([("gw0", "f::a"), ("gw1", "f::a")]))
    assert [(run.worker, run.nodeid) for run in missing] == [("gw1", "f::a")]


def test_notes_bring_the_scenario_the_metrics_and_the_type_of_what_was_raised() -> None:
    noted = {
        ATTRIBUTE: json.dumps(
            {
                "scenario": "load",
                "metrics": [["rows", 3.0, "number"]],
                "reads": [["limits.rows", "7", "tracked"]],
                "raised": "OSError",
                "infrastructure": True,
            }
        )
    }
    run = only(report("f::a", "setup"), report("f::a", "call", "failed", **noted), report("f::a", "teardown"))
    assert (run.scenario, run.nodeid) == ("load", "f::a")
    assert [(metric.name, metric.value) for metric in run.metrics] == [("rows", 3.0)]
    assert [(read.path, read.value) for read in run.reads] == [("limits.rows", "7")]
    assert run.cause is not None
    assert (run.cause.type, run.cause.is_infrastructure) == ("OSError", True)


def test_a_run_without_notes_has_the_scenario_that_its_worker_reported() -> None:
    fold = folding()
    fold.scenario_of["f::a"] = "load"
    (run,) = feed(fold, crash("f::a", "gw0"))
    assert run.scenario == "load"


@pytest.mark.parametrize(
    ("raw", "identity"),
    [
        ("deep/f::a@group", "f::a"),
        ("deep/f::a[b@c]@group", "f::a[b@c]"),
        ("deep/f::a[b@c]", "f::a[b@c]"),
        ("other/f::a", "other/f::a"),
    ],
)
def test_identity_has_neither_group_nor_prefix(raw: str, identity: str) -> None:
    fold = folding(prefix="deep/", strips_groups=True)
    (run,) = feed(fold, *reports_of(raw, SHAPES["pass"][1]))
    assert run.nodeid == identity
    assert list(fold.missing([("", raw)])) == []


def test_without_groups_an_at_sign_is_a_part_of_the_id() -> None:
    assert only(*reports_of("f::a@b", SHAPES["pass"][1])).nodeid == "f::a@b"


def collect_report(nodeid: str, outcome: str, longrepr: Any) -> pytest.CollectReport:
    return pytest.CollectReport(nodeid, outcome, longrepr, [])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("longrepr", "kind"),
    [
        ("E   ModuleNotFoundError: No module named 'x'\n", "ModuleNotFoundError"),
        ("file f.py, line 1\nE   SyntaxError: invalid syntax", "SyntaxError"),
        ("E   package.errors.Odd: words: more\nE   an assertion about it", "package.errors.Odd"),
        ("UsageError: at once", "UsageError"),
        ("something went wrong", "CollectError"),
    ],
)
def test_p29_a_collector_that_failed_is_an_error_with_the_type_it_names(longrepr: str, kind: str) -> None:
    fold = folding()
    run = fold.collection_problem(collect_report("broken.py", "failed", longrepr))
    assert run is not None
    assert (run.outcome, run.nodeid) == (Outcome.ERROR, "broken.py")
    assert run.cause is not None
    assert (run.cause.phase, run.cause.type) == (Phase.COLLECT, kind)
    again = fold.collection_problem(collect_report("broken.py", "failed", longrepr))
    assert again is None, "each worker reports it, and it is one fault"


def test_p29_a_module_that_skips_itself_is_skipped_with_its_reason() -> None:
    run = folding().collection_problem(collect_report("s.py", "skipped", ("s.py", 2, "Skipped: no disk")))
    assert run is not None
    assert run.outcome is Outcome.SKIPPED
    assert run.cause is not None
    assert (run.cause.type, run.cause.message) == ("", "NO DISK")


# One test's life: attempts that were rerun, then how it ends; "cut" leaves it after so many of its reports, as an
# interruption does, and "crash" lets its worker die there.
lives = st.tuples(
    st.lists(st.sampled_from(sorted(RERUNS)), max_size=2),
    st.sampled_from(sorted(SHAPES)),
    st.sampled_from(["whole", "whole", "whole", "cut", "crash"]),
)
plans = st.lists(lives, min_size=1, max_size=12)


class Life:
    """The reports of one planned test on its worker, and the runs that must come of them."""

    def __init__(self, number: int, worker: str, plan: tuple[list[str], str, str]) -> None:
        reruns, shape, end = plan
        self.nodeid = f"f::t{number}"
        self.reports: list[pytest.TestReport] = []
        self.expected: list[tuple[str, str, Outcome, int, bool]] = []
        for attempt, rerun in enumerate(reruns, 1):
            outcome, phases = RERUNS[rerun]
            self.reports += reports_of(self.nodeid, phases, worker)
            self.expected.append((self.nodeid, worker, outcome, attempt, True))
        outcome, phases = SHAPES[shape]
        last = reports_of(self.nodeid, phases, worker)
        attempt = len(reruns) + 1
        if end == "whole":
            self.expected.append((self.nodeid, worker, outcome, attempt, False))
        else:
            last = last[:1]
        if end == "crash":
            last.append(crash(self.nodeid, worker))
            self.expected.append((self.nodeid, worker, Outcome.CRASHED, attempt, False))
        self.is_missing = end == "cut"
        self.reports += last


@given(plan=plans, workers=st.integers(1, 3), random=st.randoms(use_true_random=False))
def test_any_interleaving_of_workers_closes_every_run_exactly_once(plan, workers, random) -> None:
    names = [f"gw{n}" for n in range(workers)]
    lives_of: dict[str, list[Life]] = {name: [] for name in names}
    for number, each in enumerate(plan):
        name = names[number % len(names)]
        lives_of[name].append(Life(number, name, each))
    every = [life for lives in lives_of.values() for life in lives]
    streams = [[r for life in lives for r in life.reports] for lives in lives_of.values()]
    fold = folding()
    runs = feed(fold, *shuffled_together(streams, random))
    assert Counter((r.nodeid, r.worker, r.outcome, r.attempt, r.is_superseded) for r in runs) == Counter(
        expected for life in every for expected in life.expected
    )
    missing = [run.nodeid for run in fold.missing([("", life.nodeid) for life in every])]
    assert sorted(missing) == sorted(life.nodeid for life in every if life.is_missing)


def shuffled_together(streams: list[list[pytest.TestReport]], random: Any) -> Iterator[pytest.TestReport]:
    """Yield from all streams, each in its own order."""
    waiting = [stream for reports in streams for stream in [iter(reports)] * len(reports)]
    random.shuffle(waiting)
    for stream in waiting:
        yield next(stream)


wild = st.tuples(
    st.sampled_from(["f::a", "f::b"]),
    st.sampled_from(["setup", "call", "teardown", "???"]),
    st.sampled_from(["passed", "failed", "skipped", "rerun"]),
    st.sampled_from(["", "gw0", "gw1"]),
    st.sampled_from([{}, {}, {"wasxfail": "why"}, {"context": "sub"}]),
)


Told = tuple[str, str, str, str, dict[str, Any]]
passing: st.SearchStrategy[list[Told]] = st.tuples(
    st.sampled_from(["f::a", "f::b"]), st.sampled_from(["", "gw0"])
).map(lambda place: [(place[0], when, "passed", place[1], {}) for when in ("setup", "call", "teardown")])


@pytest.mark.parametrize("number", [0, 1, 2], ids=["setup", "call", "teardown"])
@pytest.mark.parametrize("end", [0, 1, 2])
@pytest.mark.parametrize("begin", [0, 1, 2])
def test_one_thing_that_is_unlike_a_pass_is_seen_in_reports_that_are_folded_together(
    begin: int, end: int, number: int
) -> None:
    place = ("f::a", "gw0")
    whole: list[tuple[Any, ...]] = [
        (place[0], when, "passed", place[1], {}) for when in ("setup", "call", "teardown")
    ]
    other = [("f::b", when, outcome, *rest) for _, when, outcome, *rest in whole]
    changes: list[tuple[int, Any]] = [
        *((0, nodeid) for nodeid in ("f::b", "f::c")),
        *((1, when) for when in ("setup", "call", "teardown", "???")),
        *((2, outcome) for outcome in ("failed", "skipped", "rerun")),
        *((3, worker) for worker in ("", "gw1")),
        *((4, more) for more in ({"wasxfail": "why"}, {ATTRIBUTE: '{"scenario":"s","raised":"E"}'})),
    ]
    changes += [(4, {"context": "sub"})] if number == 1 else []  # a subtest is one of the call, always
    for field, value in changes:
        told = [[*each] for each in whole]
        told[number][field] = value
        before, after = (([], whole[:1], other)[begin], ([], whole[2:], whole)[end])
        reports = [
            report(nodeid, when, outcome, worker=worker, **more)
            for nodeid, when, outcome, worker, more in (*before, *told, *after)
        ]
        alone, together = folding(), folding()
        one_by_one = [run for each in reports if (run := alone.add(each)) is not None]
        assert feed(together, *reports) == one_by_one, (field, value)
        selected = [("", "f::a"), ("", "f::b"), ("gw0", "f::c")]
        assert [(run.nodeid, run.cause) for run in together.missing(selected)] == [
            (run.nodeid, run.cause) for run in alone.missing(selected)
        ]


def test_a_report_without_a_start_began_when_it_was_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_causal.clock.now_us", lambda: 42)
    reports = [report("f::a", when, start=0.0) for when in ("setup", "call", "teardown")]
    assert only(*reports).started_us == 42


@given(told=st.lists(passing | wild.map(lambda one: [one]), max_size=20), sizes=st.lists(st.integers(1, 9)))
def test_reports_that_are_folded_together_are_the_runs_that_they_are_one_by_one(told, sizes) -> None:
    reports = [
        report(nodeid, when, outcome, worker=worker, **more)
        for group in told
        for nodeid, when, outcome, worker, more in group
    ]
    alone, together = folding(), folding()
    one_by_one = [run for each in reports if (run := alone.add(each)) is not None]
    in_batches: list[Run] = []
    waiting = deque(reports)
    for size in [*sizes, len(reports)]:
        batch = deque(waiting.popleft() for _ in range(min(size, len(waiting))))
        in_batches += together.fold(batch)
        assert not batch
    assert in_batches == one_by_one
    selected = [("", "f::a"), ("", "f::b"), ("gw0", "f::a")]
    assert [run.nodeid for run in alone.missing(selected)] == [
        run.nodeid for run in together.missing(selected)
    ]


@given(told=st.lists(wild, max_size=30))
def test_no_sequence_of_reports_breaks_it_or_makes_a_pass_without_a_call(told) -> None:
    fold = folding()
    is_called: dict[tuple[str, str], bool] = {}
    closed: set[str] = set()
    for nodeid, when, outcome, worker, more in told:
        key = (worker, nodeid)
        if when == "setup":
            is_called[key] = False
        if when == "call" and outcome == "passed" and not more:
            is_called[key] = True
        run = fold.add(report(nodeid, when, outcome, worker=worker, **more))
        if run is None:
            continue
        assert run.nodeid == nodeid
        assert run.outcome is not Outcome.PASSED or is_called.pop(key, False)
        if not run.is_superseded:
            closed.add(nodeid)
    selected = [("", "f::a"), ("", "f::b")]
    missing = {run.nodeid for run in fold.missing(selected)}
    assert missing == {"f::a", "f::b"} - closed
