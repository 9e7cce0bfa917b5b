"""What pytest reports is what the store holds: every outcome word, once, plain and distributed."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import time
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest

from pytest_causal.model.run import MetricKind, Outcome, Phase, ReadHow
from pytest_causal.model.session import SessionState

EVERY_OUTCOME = """
    import pytest

    def test_passed(): pass
    def test_failed(): assert 1 == 2
    def test_raised(): raise ValueError("no such thing")
    @pytest.fixture
    def broken(): raise RuntimeError("set-up broke")
    def test_setup_error(broken): pass
    @pytest.fixture
    def leaky():
        yield
        raise OSError("tear-down broke")
    def test_teardown_error(leaky): pass
    def test_failed_and_teardown_error(leaky): assert False
    @pytest.mark.skip(reason="not today")
    def test_skipped(): pass
    def test_skipped_inside(): pytest.skip("changed my mind")
    @pytest.mark.xfail(reason="known")
    def test_xfailed(): assert False
    @pytest.mark.xfail(reason="never run", run=False)
    def test_xfailed_without_a_run(): assert False
    @pytest.mark.xfail(reason="mended")
    def test_xpassed(): pass
    @pytest.mark.xfail(reason="mended", strict=True)
    def test_xpassed_strict(): pass
    @pytest.mark.parametrize("n", [1, 2])
    def test_many(n): assert n == 1
"""

EXPECTED = {
    "test_passed": "passed",
    "test_failed": "failed",
    "test_raised": "failed",
    "test_setup_error": "error",
    "test_teardown_error": "error",
    "test_failed_and_teardown_error": "failed",
    "test_skipped": "skipped",
    "test_skipped_inside": "skipped",
    "test_xfailed": "xfailed",
    "test_xfailed_without_a_run": "xfailed",
    "test_xpassed": "xpassed",
    "test_xpassed_strict": "xpassed",
    "test_many[1]": "passed",
    "test_many[2]": "failed",
}


def summary_counts(output: str) -> str:
    """The closing line without its time."""
    lines = [line for line in output.splitlines() if re.search(r" in \d+\.\d+s", line)]
    return re.sub(r" in .*", "", lines[-1]).strip("= ")


def test_p15_every_outcome_is_stored_once_and_nothing_changes_for_the_run(suite, distribution) -> None:
    suite.write(test_outcomes=EVERY_OUTCOME)
    bare = suite.run(*distribution, causal=False)
    recorded = suite.run(*distribution)
    assert recorded.returncode == bare.returncode == 1
    assert summary_counts(recorded.stdout) == summary_counts(bare.stdout)
    assert suite.outcomes() == EXPECTED
    assert suite.session().ending.state is SessionState.FINISHED
    assert suite.session().ending.exit_status == 1
    assert {run.worker for run in suite.runs()} <= ({""} if not distribution else {"gw0", "gw1"})


def test_the_store_says_what_junitxml_says(suite, distribution) -> None:
    suite.write(test_outcomes=EVERY_OUTCOME)
    suite.run(*distribution, "--junitxml=out.xml")
    junit: dict[str, set[str]] = {}
    for case in ET.parse(suite.root / "out.xml").iter("testcase"):
        junit.setdefault(case.get("name", ""), set()).update(
            {child.tag for child in case} - {"properties"} or {"passed"}
        )
    assert set(junit) == set(EXPECTED)
    for name, run in suite.by_test().items():
        said = junit[name]
        match run.outcome:
            case Outcome.PASSED:
                assert said == {"passed"}
            case Outcome.XPASSED:
                assert said == ({"failure"} if run.is_failure else {"passed"})
            case Outcome.FAILED:
                assert "failure" in said
            case Outcome.ERROR:
                assert "error" in said
            case Outcome.SKIPPED | Outcome.XFAILED:
                assert said == {"skipped"}


def test_junitxml_is_the_same_with_and_without_the_plugin(inner) -> None:
    inner.write(
        test_it="""
        def test_it(causal_metric): causal_metric("speed", 3)
        """
    )
    inner.run("--junitxml=with.xml")
    text = re.sub(r'(time|timestamp|hostname)="[^"]*"', "", (inner.root / "with.xml").read_text())
    assert "causal" not in text
    assert "properties" not in text


def test_causes_name_the_phase_the_type_and_the_message(inner) -> None:
    inner.write(test_outcomes=EVERY_OUTCOME)
    inner.run()
    causes = {name: run.cause for name, run in inner.by_test().items()}
    assert causes["test_passed"] is None
    assert causes["test_xpassed"] is None
    assert (causes["test_raised"].phase, causes["test_raised"].type) == (Phase.CALL, "ValueError")
    assert "no such thing" in causes["test_raised"].message
    assert (causes["test_failed"].type, causes["test_failed"].message) == ("AssertionError", "assert 1 == 2")
    assert (causes["test_setup_error"].phase, causes["test_setup_error"].type) == (
        Phase.SETUP,
        "RuntimeError",
    )
    assert (causes["test_teardown_error"].phase, causes["test_teardown_error"].type) == (
        Phase.TEARDOWN,
        "OSError",
    )
    assert causes["test_failed_and_teardown_error"].phase is Phase.CALL
    assert causes["test_skipped"].message == "not today"
    assert causes["test_xfailed"].message == "known"
    assert causes["test_xpassed_strict"].type == "xpassed(strict)"


def test_messages_are_capped_redacted_and_can_be_left_out(inner) -> None:
    inner.write(
        test_it="""
        def test_long(): raise ValueError("x" * 100_000)
        def test_secret(): raise ValueError("the token is sesame-open-9731 and password=hunter2hunter2")
        """
    )
    inner.run(SERVICE_TOKEN="sesame-open-9731")
    causes = {name: run.cause.message for name, run in inner.by_test().items()}
    assert 100 < len(causes["test_long"]) <= 500
    raw = b"".join(path.read_bytes() for path in inner.store.parent.iterdir() if path.is_file())
    assert b"the token is" in raw
    assert b"sesame-open-9731" not in raw
    assert b"hunter2" not in raw
    inner.store.unlink()
    inner.run("--no-causal-messages", SERVICE_TOKEN="sesame-open-9731")
    assert {run.cause.message for run in inner.runs()} == {""}


def test_phases_are_timed_apart(inner) -> None:
    inner.write(
        test_it="""
        import pytest, time
        @pytest.fixture
        def slow():
            time.sleep(0.02)
            yield
            time.sleep(0.04)
        def test_it(slow): time.sleep(0.03)
        """
    )
    before = time.time()
    inner.run()
    run = inner.by_test()["test_it"]
    assert run.setup_seconds >= 0.02
    assert run.call_seconds >= 0.03
    assert run.teardown_seconds >= 0.04
    assert before * 1e6 <= run.started_us <= time.time() * 1e6


def test_metrics_and_the_scenario_marker_arrive_from_plain_and_distributed_runs(suite, distribution) -> None:
    suite.write(
        test_it="""
        import pytest
        @pytest.mark.scenario("load", tags=["heavy"], min_runs=3)
        @pytest.mark.parametrize("n", [1, 2])
        def test_load(n, causal_metric):
            causal_metric("rows", n * 10)
            causal_metric("bad", float("nan"))
        """
    )
    suite.run(*distribution)
    for name, run in suite.by_test().items():
        assert run.scenario == "load"
        assert run.nodeid == f"test_it.py::{name}"
        metrics = {metric.name: metric for metric in run.metrics}
        assert metrics["rows"].value == (10 if "1" in name else 20)
        assert (metrics["bad"].value, metrics["bad"].kind) == (None, MetricKind.NAN)


def test_reads_of_the_policy_are_stored_with_how_they_are_known(suite, distribution) -> None:
    (suite.root / "causal.toml").write_text("[policy.limits]\nrows = 7\nseconds = 2\nunread = 1\n")
    suite.write(
        test_it="""
        import pytest
        def test_tracked(causal_policy): assert causal_policy["limits"]["rows"] == 7
        @pytest.mark.scenario(reads=["limits.seconds"])
        def test_declared(): pass
        def test_nothing(): pass
        """
    )
    result = suite.run(*distribution)
    assert result.returncode == 0, result.stdout + result.stderr
    reads = {name: [(r.path, r.value, r.how) for r in run.reads] for name, run in suite.by_test().items()}
    assert reads == {
        "test_tracked": [("limits.rows", "7", ReadHow.TRACKED)],
        "test_declared": [("limits.seconds", "2", ReadHow.DECLARED)],
        "test_nothing": [],
    }


def test_showing_the_policy_in_a_traceback_is_no_read(inner) -> None:
    (inner.root / "causal.toml").write_text("[policy.limits]\nrows = 7\nseconds = 2\n")
    inner.write(test_it="def test_it(causal_policy): assert causal_policy['limits']['rows'] == 8\n")
    result = inner.run("--showlocals", "-vv")
    assert "seconds" in result.stdout, "the traceback does not show the policy, so this test shows nothing"
    (run,) = inner.runs()
    assert [read.path for read in run.reads] == ["limits.rows"]


def test_a_bug_of_ours_costs_the_record_and_not_the_run(suite, distribution) -> None:
    suite.write(
        test_it="def test_it(): assert False\ndef test_other(causal_metric): pass\n",
        conftest="""
        from pytest_causal.hooks import notes
        def broken(*args, **kwargs): raise ZeroDivisionError("planted")
        notes.NoteTaker._carried = broken
        """,
    )
    result = suite.run(*distribution)
    assert result.returncode == 1
    assert result.stdout.count("internal error: ZeroDivisionError: planted at broken") == 1
    # What the tests read from the policy is lost with their notes: a pass cannot be evidence for this policy.
    assert suite.session().ending.state is SessionState.INTERRUPTED
    assert suite.evidence()["test_it.py::test_other"].passed == 0


def test_a_mistake_in_a_marker_is_a_usage_error_that_names_the_test(inner) -> None:
    inner.write(
        test_it="""
        import pytest
        @pytest.mark.scenario(max_failure_rat=0.1)
        def test_it(): pass
        """
    )
    result = inner.run()
    assert result.returncode == 4
    assert "test_it.py::test_it: @pytest.mark.scenario: unknown argument 'max_failure_rat'" in result.stderr
    assert "did you mean 'max_failure_rate'?" in result.stderr


def test_p16_each_rerun_is_an_attempt_of_its_own(inner) -> None:
    inner.write(
        test_it="""
        import pathlib
        def test_mends():
            mark = pathlib.Path("mark")
            tries = len(mark.read_text()) if mark.exists() else 0
            mark.write_text("x" * (tries + 1))
            assert tries == 2
        def test_never(): assert False
        """
    )
    result = inner.run("-p", "rerunfailures", "--reruns=2")
    assert result.returncode == 1, result.stdout + result.stderr
    told = [(r.nodeid.partition("::")[2], r.attempt, str(r.outcome), r.is_superseded) for r in inner.runs()]
    assert told == [
        ("test_mends", 1, "failed", True),
        ("test_mends", 2, "failed", True),
        ("test_mends", 3, "passed", False),
        ("test_never", 1, "failed", True),
        ("test_never", 2, "failed", True),
        ("test_never", 3, "failed", False),
    ]


@pytest.mark.needs_xdist
def test_p16_dist_each_keeps_a_run_for_each_worker(suite) -> None:
    suite.write(test_it="def test_a(): pass\ndef test_b(): pass\n")
    suite.run("--dist=each", "--tx=2*popen")
    assert sorted((run.worker, run.nodeid.partition("::")[2]) for run in suite.runs()) == [
        ("gw0", "test_a"),
        ("gw0", "test_b"),
        ("gw1", "test_a"),
        ("gw1", "test_b"),
    ]


def test_p16_pytest_repeat_gives_each_repetition_its_own_run(inner) -> None:
    inner.write(test_it="def test_a(): pass\n")
    inner.run("-p", "pytest_repeat", "--count=3")
    assert sorted(inner.outcomes()) == ["test_a[1-3]", "test_a[2-3]", "test_a[3-3]"]


@pytest.mark.needs_xdist
def test_loadgroup_does_not_change_the_identity_of_a_test(suite) -> None:
    suite.write(
        test_it="""
        import pytest
        @pytest.mark.xdist_group("g")
        def test_grouped(): pass
        @pytest.mark.parametrize("mail", ["a@b"])
        def test_at(mail): pass
        """
    )
    suite.run("-n2", "--dist=loadgroup")
    assert set(suite.outcomes()) == {"test_grouped", "test_at[a@b]"}


def test_p17_duplicate_node_ids_are_both_stored_and_told_apart(inner) -> None:
    inner.write(
        test_it="def test_a(): pass\n",
        conftest="""
        def pytest_collection_modifyitems(items):
            items.append(items[0])
        """,
    )
    inner.run()
    assert [(run.nodeid, run.occurrence, run.attempt) for run in inner.runs()] == [
        ("test_it.py::test_a", 1, 1),
        ("test_it.py::test_a", 2, 1),
    ]


def test_subtests_are_folded_into_their_test(suite, distribution) -> None:
    pytest.importorskip("_pytest.subtests", reason="subtests came with pytest 9")
    suite.write(
        test_it="""
        def test_mixed(subtests):
            for n in range(3):
                with subtests.test(n=n):
                    assert n != 1
        def test_all_right(subtests):
            for n in range(3):
                with subtests.test(n=n):
                    pass
        """
    )
    suite.run(*distribution)
    assert suite.outcomes() == {"test_mixed": "failed", "test_all_right": "passed"}


def test_p29_collection_errors_and_module_skips_are_recorded_once(suite, distribution) -> None:
    suite.write(
        test_broken="import no_such_module_at_all\n",
        test_skipped="import pytest\npytest.skip('whole file', allow_module_level=True)\n",
        test_fine="def test_fine(): pass\n",
    )
    result = suite.run(*distribution, "--continue-on-collection-errors")
    assert result.returncode == 1
    told = {run.nodeid: (str(run.outcome), run.cause.phase if run.cause else None) for run in suite.runs()}
    assert told["test_broken.py"] == ("error", Phase.COLLECT)
    assert told["test_fine.py::test_fine"] == ("passed", None)
    if not distribution:
        assert told["test_skipped.py"] == ("skipped", Phase.COLLECT)
    assert len(suite.runs()) == len(told)
    (broken,) = [run for run in suite.runs() if run.nodeid == "test_broken.py"]
    assert broken.cause is not None
    assert broken.cause.type == "ModuleNotFoundError"


def test_what_was_collected_and_never_ran_is_missing(suite, distribution) -> None:
    suite.write(test_it="\n".join(f"def test_{n:02}(): assert {n} != 3" for n in range(40)))
    result = suite.run(*distribution, "-x")
    assert result.returncode in (1, 2)
    counted = Counter(suite.outcomes().values())
    assert counted["failed"] == 1
    assert counted["missing"] >= 1
    assert sum(counted.values()) == 40


def test_deselected_tests_are_not_missing(inner) -> None:
    inner.write(test_it="def test_a(): pass\ndef test_b(): pass\n")
    inner.run("-k", "test_a")
    assert inner.outcomes() == {"test_a": "passed"}


def test_pytest_exit_with_status_zero_does_not_make_a_finished_session(inner) -> None:
    inner.write(
        test_it="""
        import pytest
        def test_a(): pass
        def test_b(): pytest.exit("enough", returncode=0)
        def test_c(): pass
        """
    )
    assert inner.run().returncode == 0
    assert inner.session().ending.state is SessionState.INTERRUPTED
    assert inner.outcomes() == {"test_a": "passed", "test_b": "missing", "test_c": "missing"}


def test_p11_ctrl_c_keeps_what_ran_and_pytests_own_exit_code(suite, distribution) -> None:
    suite.write(
        test_it="""
        import time, pathlib
        def test_a(): pass
        def test_b():
            time.sleep(1)  # a controller may be slow to hear of test_a
            pathlib.Path("begun").touch()
            time.sleep(60)
        def test_c(): pass
        """
    )
    process = subprocess.Popen(
        suite.command(*distribution, *(("--dist=loadfile",) if distribution else ())),
        cwd=suite.root,
        env=suite.env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 30
    while not (suite.root / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    assert suite.session().ending.state is SessionState.INTERRUPTED
    outcomes = suite.outcomes()
    assert outcomes["test_a"] == "passed"
    assert outcomes["test_b"] == outcomes["test_c"] == "missing"
    assert "did not finish" in output


@pytest.mark.needs_xdist
def test_p12_a_killed_worker_costs_one_crashed_run_and_nothing_else(suite) -> None:
    body = "\n".join(f"def test_{n:02}(): pass" for n in range(30))
    suite.write(
        test_it=body
        + """
def test_killer():
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)
"""
    )
    result = suite.run("-n4", "--max-worker-restart=2")
    assert result.returncode == 1, result.stdout
    counted = Counter(suite.outcomes().values())
    assert counted == {"passed": 30, "crashed": 1}
    assert suite.outcomes()["test_killer"] == "crashed"


@pytest.mark.needs_xdist
def test_p13_when_all_workers_die_the_rest_is_missing(suite) -> None:
    suite.write(
        test_it="import os\n" + "\n".join(f"def test_{n}(): os._exit(1)" for n in range(12)),
    )
    result = suite.run("-n2", "--max-worker-restart=0")
    assert result.returncode not in (0, 5)
    counted = Counter(suite.outcomes().values())
    assert counted["crashed"] >= 1
    assert counted["crashed"] + counted["missing"] == 12


def test_p26_os_exit_in_a_test_keeps_what_ran_before(suite) -> None:
    suite.write(
        test_it="""
        import os, time
        def test_a(): time.sleep(0.3)  # longer than a run waits for others
        def test_b(): os._exit(0)
        """
    )
    assert suite.run().returncode == 0
    assert suite.outcomes() == {"test_a": "passed"}
    assert suite.session().ending.state is SessionState.RUNNING
    suite.run("-k", "test_a")
    states = [session.ending.state for session in suite.sessions()]
    assert states == [SessionState.FINISHED, SessionState.ABANDONED]


def test_the_session_says_where_it_ran(inner) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", "-C", str(inner.root)]
    inner.write(test_it="def test_it(): pass\n")
    subprocess.run([*git, "init", "-qb", "trunk"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    commit = subprocess.run(
        [*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    inner.run()
    facts = inner.session().facts
    assert (facts.commit, facts.branch) == (commit, "trunk")
    assert facts.is_dirty is False or inner.session().ending.is_dirty is False
    assert facts.python.startswith("3.")
    assert facts.pytest_version == pytest.__version__
    assert facts.is_trusted
    inner.write(test_it="def test_it(): assert True\n")
    inner.run()
    newest = inner.sessions()[0]
    assert newest.ending.is_dirty is True


def test_t5_runs_of_a_forks_pull_request_are_recorded_and_never_count(inner, tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text('{"pull_request": {"head": {"repo": {"full_name": "stranger/project"}}}}')
    github = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REPOSITORY": "owner/project",
        "GITHUB_RUN_ID": "77",
        "GITHUB_RUN_ATTEMPT": "1",
    }
    (inner.root / "causal.toml").write_text('trusted = "yes"\n')  # what a fork could write
    inner.write(test_it="def test_it(): pass\n")
    result = inner.run(**github)
    assert inner.outcomes() == {"test_it": "passed"}
    assert not inner.session().facts.is_trusted
    assert inner.session().facts.key == "github:77:1"
    assert "not trusted" in result.stdout
    assert "verdicts" not in result.stdout


def test_p18_a_megabyte_id_is_stored_cut_and_found_again(inner) -> None:
    inner.write(
        test_it="""
        import pytest
        @pytest.mark.parametrize("x", [1], ids=["y" * 1_000_000])
        def test_long(x): pass
        """
    )
    assert inner.run("-q").returncode == 0
    (run,) = inner.runs()
    assert 500 < len(run.scenario) < 700
    inner.run("-q")
    assert len({run.scenario for run in inner.runs()}) == 1


def test_p20_hostile_ids_are_stored_and_shown_harmlessly(inner) -> None:
    inner.write(
        test_it=r"""
        import pytest
        @pytest.mark.scenario("evil\x1b[31m\r\n::error::\x00\u202e\udc80")
        def test_evil(): assert False
        """
    )
    result = inner.run()
    assert result.returncode == 1
    (run,) = inner.runs()
    assert "evil" in run.scenario
    section = result.stdout[result.stdout.index("= causal =") :]
    assert "evil" in section
    assert "\x1b[31m" not in section
    assert "\u202e" not in section
    assert "\n::error" not in section


def test_p23_an_error_in_a_users_hook_is_shown_as_pytest_shows_it(inner) -> None:
    inner.write(
        test_it="def test_it(): pass\n",
        conftest="""
        import pytest
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport(item, call):
            yield
            raise KeyError("the user's own mistake")
        """,
    )
    bare = inner.run(causal=False)
    recorded = inner.run()
    assert recorded.returncode == bare.returncode == 3
    assert "the user's own mistake" in recorded.stdout + recorded.stderr
    assert inner.session().ending.state is SessionState.INTERRUPTED


def test_p24_a_forked_child_writes_nothing(suite) -> None:
    suite.write(
        test_it="""
        import os, sys, warnings
        import pytest
        def test_fork():
            pid = os.fork()
            if pid == 0:
                pytest.exit("child leaves through pytest", returncode=0)
            os.waitpid(pid, 0)
        def test_after(): pass
        """
    )
    suite.run("-p", "no:terminal", "-W", "ignore::DeprecationWarning")
    assert suite.outcomes() == {"test_fork": "passed", "test_after": "passed"}
    assert suite.session().ending.state is SessionState.FINISHED


def test_p25_metrics_from_many_threads_are_all_stored(inner) -> None:
    inner.write(
        test_it="""
        import threading
        def test_threads(causal_metric):
            def work(n):
                for i in range(20):
                    causal_metric(f"m{n}_{i}", n)
            threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
            for t in threads: t.start()
            for t in threads: t.join()
        """
    )
    inner.run()
    assert len(inner.by_test()["test_threads"].metrics) == 320


def test_p22_too_many_metrics_are_capped_and_counted(inner) -> None:
    inner.write(
        test_it="""
        def test_flood(causal_metric):
            for n in range(100_000):
                causal_metric(f"m{n}", n)
            causal_metric("huge", "x" * 10_000_000)
        """
    )
    assert inner.run().returncode == 0
    metrics = {metric.name: metric.value for metric in inner.by_test()["test_flood"].metrics}
    assert len(metrics) == 1001
    assert metrics["causal_metrics_dropped"] == 99_001


def test_p27_a_test_that_meddles_with_the_process_spoils_nothing(suite) -> None:
    suite.write(
        test_it="""
        import builtins, os, sqlite3, tempfile, time
        def test_meddle():
            os.chdir(tempfile.mkdtemp())
            os.umask(0)
            time.time = time.time_ns = time.monotonic = lambda: 0
            sqlite3.connect = None
        def test_after(): pass
        """
    )
    assert suite.run().returncode == 0
    runs = suite.by_test()
    assert {str(run.outcome) for run in runs.values()} == {"passed"}
    assert all(run.started_us > 1_600_000_000_000_000 for run in runs.values())
    assert all(run.duration_seconds >= 0 for run in runs.values())


def test_p30_without_terminal_capture_or_a_standard_output(suite) -> None:
    suite.write(test_it="def test_it(): pass\n")
    assert suite.run("-p", "no:terminal").returncode == 0
    assert suite.run("--capture=no").returncode == 0
    closed = subprocess.run(
        ["/bin/sh", "-c", '"$@" >&-', "sh", *suite.command("-q")],
        cwd=suite.root,
        env=suite.env(),
        check=False,
    )
    bare = subprocess.run(
        ["/bin/sh", "-c", '"$@" >&-', "sh", *suite.command("-q", causal=False)],
        cwd=suite.root,
        env=suite.env(),
        check=False,
        stderr=subprocess.DEVNULL,
    )
    assert closed.returncode == bare.returncode
    assert len(suite.sessions()) >= 2


@pytest.mark.needs_xdist
def test_p14_a_killed_controller_leaves_no_record_by_its_workers(suite) -> None:
    suite.write(
        test_it="""
        import pathlib, time
        def test_a(): time.sleep(0.3)  # longer than a run waits for others
        def test_b():
            pathlib.Path("begun").touch()
            time.sleep(3)
        """
    )
    process = subprocess.Popen(
        suite.command("-n1"),
        cwd=suite.root,
        env=suite.env(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while not (suite.root / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.2)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(4)
    assert suite.session().ending.state is SessionState.RUNNING
    assert suite.outcomes() == {"test_a": "passed"}


def test_p31_an_inner_pytest_records_into_its_own_store(suite) -> None:
    suite.write(
        conftest='pytest_plugins = ["pytester"]\n',
        test_outer="""
        def test_outer(pytester):
            pytester.makepyfile(test_inner="def test_inner(): pass")
            result = pytester.runpytest_inprocess("-p", "causal", "-p", "no:cacheprovider")
            result.assert_outcomes(passed=1)
            assert (pytester.path / ".causal" / "history.db").exists()
        """,
    )
    result = suite.run()
    assert result.returncode == 0, result.stdout
    assert suite.outcomes() == {"test_outer": "passed"}


def test_a_session_that_is_broken_as_a_whole_is_marked_and_is_no_evidence(inner) -> None:
    inner.write(
        test_it="""
        import pytest
        @pytest.fixture
        def database(): raise ConnectionError("no database")
        def test_fine(): pass
        @pytest.mark.parametrize("n", range(9))
        def test_it(n, database): pass
        """
    )
    result = inner.run()
    assert "no evidence" in result.stdout
    assert "ConnectionError" in inner.session().ending.broken


def test_infrastructure_errors_are_left_out(inner) -> None:
    inner.write(
        test_it="""
        class NoNetwork(ConnectionError): pass
        def test_it(): raise NoNetwork("cable")
        def test_other(): pass
        """
    )
    inner.run("--causal-infrastructure-errors=ConnectionError")
    assert inner.by_test()["test_it"].cause.is_infrastructure
    assert str(inner.by_test()["test_it"].outcome) == "failed"


def test_a_store_path_given_as_a_word_of_its_own_does_not_change_the_ids(
    suite, tmp_path, distribution
) -> None:
    suite.write(**{"deep/test_it": "def test_it(): pass\n"})
    store = tmp_path / "elsewhere" / "history.db"
    outputs = [suite.run("--causal-store", str(store), *distribution) for _ in range(2)]
    assert [output.returncode for output in outputs] == [0, 0], outputs[-1].stdout
    assert "as one word" not in outputs[0].stdout
    assert f"write --causal-store={store} as one word" in outputs[1].stdout
    with sqlite3.connect(store) as proof:
        names = proof.execute("SELECT name FROM scenarios").fetchall()
        runs = proof.execute("SELECT count(*) FROM runs").fetchone()
    proof.close()
    assert (names, runs) == ([("deep/test_it.py::test_it",)], (2,))
