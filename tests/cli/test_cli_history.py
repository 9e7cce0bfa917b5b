from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytest_causal.model.run import Cause, Metric, MetricKind, Outcome, Phase
from pytest_causal.model.session import SessionState

if TYPE_CHECKING:
    from tests.cli.conftest import Project

PASSED, FAILED = Outcome.PASSED, Outcome.FAILED


def test_every_run_is_a_line_newest_first(project: Project) -> None:
    project.record({"a": PASSED, "b": FAILED}, commit="c1", branch="main")
    project.record({"a": FAILED}, commit="c2", branch="dev")
    lines = project.lines()
    assert [(line["session"], line["scenario"], line["outcome"]) for line in lines] == [
        (2, "a", "failed"),
        (1, "b", "failed"),
        (1, "a", "passed"),
    ]
    assert [(line["commit"], line["branch"]) for line in lines] == [
        ("c2", "dev"),
        ("c1", "main"),
        ("c1", "main"),
    ]


def test_a_run_is_whole(project: Project) -> None:
    run = project.a_run(
        "the scenario",
        Outcome.ERROR,
        1_700_000_000_250_000,
        nodeid="test_x.py::test_x[1]",
        setup_seconds=0.5,
        call_seconds=1.0,
        teardown_seconds=0.25,
        attempt=2,
        occurrence=3,
        worker="gw1",
        cause=Cause(phase=Phase.SETUP, type="OSError", message="no room", is_infrastructure=True),
        metrics=(Metric(name="p95", value=12.5), Metric(name="bad", value=None, kind=MetricKind.NAN)),
        reads=project.reads(limits__timeout=[1, 2]),
    )
    project.record({"x": run}, commit="c1", branch="main")
    (line,) = project.lines()
    assert line == {
        "session": 1,
        "session_uid": line["session_uid"],
        "scenario": "the scenario",
        "nodeid": "test_x.py::test_x[1]",
        "outcome": "error",
        "attempt": 2,
        "occurrence": 3,
        "is_superseded": False,
        "started_at": "2023-11-14T22:13:20.250000Z",
        "duration_seconds": 1.75,
        "phases": {"setup": 0.5, "call": 1.0, "teardown": 0.25},
        "worker": "gw1",
        "arm": "control",
        "cause": {"phase": "setup", "type": "OSError", "message": "no room", "is_infrastructure": True},
        "metrics": {"p95": 12.5, "bad": None},
        "metric_kinds": {"bad": "nan"},
        "reads": [{"path": "limits.timeout", "value": [1, 2], "how": "tracked"}],
        "commit": "c1",
        "branch": "main",
    }


def test_p21_no_number_that_json_lacks_is_written(project: Project) -> None:
    kinds = (MetricKind.NAN, MetricKind.POSITIVE_INFINITY, MetricKind.NEGATIVE_INFINITY, MetricKind.OTHER)
    metrics = tuple(Metric(name=kind.name, value=None, kind=kind) for kind in kinds)
    project.record({"x": project.a_run("x", PASSED, metrics=(*metrics, Metric(name="least", value=-0.0)))})
    (line,) = project.lines()
    assert line["metric_kinds"] == {kind.name: kind.value for kind in kinds}
    assert line["metrics"] == dict.fromkeys((kind.name for kind in kinds), None) | {"least": 0.0}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), ["c", "b", "a"]),
        (("a",), ["a"]),
        (("--outcome", "failed"), ["b"]),
        (("--outcome", "failed", "--outcome", "passed"), ["c", "b", "a"]),
        (("--outcome", "crashed"), []),
        (("--branch", "dev"), ["c"]),
        (("--limit", "2"), ["c", "b"]),
        (("--limit", "0"), ["c", "b", "a"]),
        (("--since", "1h"), ["c", "b"]),
        (("--since", "4w"), ["c", "b"]),
        (("--since", "2001-02-03T04:05Z"), ["c", "b", "a"]),
        (("--since", "2999-01-01"), []),
    ],
)
def test_selection(project: Project, arguments: tuple[str, ...], expected: list[str]) -> None:
    project.record({"a": project.a_run("a", PASSED, 1_600_000_000_000_000)}, branch="main")
    recent = project.a_run("b", FAILED), project.a_run("c", PASSED)
    project.record({"b": recent[0]}, branch="main")
    project.record({"c": recent[1]}, branch="dev")
    assert [line["scenario"] for line in project.lines(*arguments)] == expected


def test_an_old_name_finds_the_runs_of_both(project: Project) -> None:
    project.record({"old": PASSED})
    project.record({"new": PASSED})
    assert project.causal("alias", "old", "new").exit_code == 0
    assert len(project.lines("old")) == len(project.lines("new")) == 2


def test_a_name_too_long_to_be_stored_whole_is_found(project: Project) -> None:
    name = "test_x.py::test[" + "x" * 2000 + "]"
    project.record({name: PASSED})
    assert len(project.lines(name)) == 1


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("test_a.py::test_burts", "did you mean 'test_a.py::test_burst'?"),
        ("burst", "did you mean 'test_a.py::test_burst'?"),
        ("TEST_A", "did you mean 'test_a.py::test_burst' or 'test_a.py::test_calm'?"),
        ("zzz", "known: "),
    ],
)
def test_an_unknown_scenario_exits_66_with_the_nearest(project: Project, name: str, remedy: str) -> None:
    project.record({"test_a.py::test_burst": PASSED, "test_a.py::test_calm": PASSED})
    result = project.causal("history", name)
    assert (result.exit_code, result.stdout) == (66, "")
    assert remedy in result.stderr


def test_nothing_recorded_exits_3(project: Project) -> None:
    for arguments in (["history"], ["history", "--json"], ["history", "anything"]):
        result = project.causal(*arguments)
        assert (result.exit_code, result.stdout) == (3, "")
        assert "pytest -p causal" in result.stderr


def test_people_see_the_newest_and_are_told_of_the_rest(project: Project) -> None:
    project.record({f"s{number:03}": PASSED for number in range(60)})
    result = project.causal("history")
    assert result.stdout.count("passed") == 50
    assert "--limit 0 shows all" in result.stderr
    everything = project.causal("history", "--limit", "0")
    assert everything.stdout.count("passed") == 60
    assert everything.stderr == ""


def test_a_long_table_has_one_header_and_straight_columns(project: Project) -> None:
    project.record({f"s{number:03}": PASSED if number % 2 else FAILED for number in range(450)})
    lines = project.causal("history", "--limit", "0", "--outcome", "passed").stdout.splitlines()
    assert sum("outcome" in line for line in lines) == 1
    assert len(lines) == 226
    assert len({line.index("s") for line in lines[1:] if " s" in line}) == 1


def test_the_cause_is_told_on_one_line(project: Project) -> None:
    cause = Cause(phase=Phase.TEARDOWN, type="ValueError", message="first\nsecond")
    project.record({"x": project.a_run("x", Outcome.ERROR, cause=cause)})
    for arguments in ((), ("x",)):
        shown = project.causal("history", *arguments).stdout
        assert "in teardown: ValueError: first" in shown
        assert "second" not in shown


def test_runs_of_a_session_under_way_are_shown(project: Project) -> None:
    project.record({"x": PASSED}, state=SessionState.RUNNING)
    assert len(project.lines()) == 1


def test_no_run_matches_is_no_failure(project: Project) -> None:
    project.record({"x": PASSED})
    result = project.causal("history", "--outcome", "crashed")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no run matches\n")


@pytest.mark.parametrize("since", ["yesterday", "3x", "99999999999d", "2026-13-01", "-3d"])
def test_a_time_that_is_none_is_a_usage_error_that_shows_the_forms(project: Project, since: str) -> None:
    result = project.causal("history", f"--since={since}")
    assert result.exit_code == 64
    assert since in result.stderr
    assert "3d" in result.stderr


def test_json_lines_are_written_as_they_are_read(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten million runs must not be held: what was written before a failure is out."""
    project.record({f"s{number}": PASSED for number in range(5)})
    from pytest_causal.store.sqlite import SqliteStore

    whole = SqliteStore.history

    def breaking(store: SqliteStore, query: object) -> object:
        yield from list(whole(store, query))[:3]  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(SqliteStore, "history", breaking)
    result = project.causal("history", "--json")
    assert result.exit_code == 130
    assert [json.loads(line)["scenario"] for line in result.stdout.splitlines()] == ["s4", "s3", "s2"]
