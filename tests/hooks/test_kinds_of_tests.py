"""Whatever kind of test it is and however pytest is told to run it, what is reported is what is stored."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from pytest_causal.model.run import Outcome, Phase
from pytest_causal.model.session import SessionState

RERUN = ("-p", "rerunfailures", "--reruns=2")
CACHE = ("-p", "cacheprovider", "-p", "stepwise")


def counts(output: str) -> Counter[str]:
    """The numbers of pytest's closing line."""
    (closing,) = [line for line in output.splitlines() if re.search(r" in \d+\.\d+s", line)]
    return Counter({word: int(number) for number, word in re.findall(r"(\d+) ([a-z]+)", closing)})


def told(suite) -> list[tuple[str, int, str, bool]]:
    return sorted(
        (run.nodeid.rpartition("::")[2], run.attempt, str(run.outcome), run.is_superseded)
        for run in suite.runs()
    )


def test_unittest_cases(inner) -> None:
    inner.write(
        test_it="""
        import unittest
        class TestIt(unittest.TestCase):
            def test_passed(self): pass
            def test_failed(self): self.assertEqual(1, 2)
            @unittest.skip("not today")
            def test_skipped(self): pass
            def test_skipped_inside(self): self.skipTest("changed my mind")
            @unittest.expectedFailure
            def test_expected(self): self.fail("known")
            @unittest.expectedFailure
            def test_unexpected(self): pass
        class TestSetUp(unittest.TestCase):
            def setUp(self): raise OSError("no disk")
            def test_it(self): pass
        class TestCleanup(unittest.TestCase):
            def test_cleaned(self): self.addCleanup(self.fail, "dirty")
        class TestClass(unittest.TestCase):
            @classmethod
            def setUpClass(cls): raise OSError("no class")
            def test_never(self): pass
        """
    )
    result = inner.run()
    assert result.returncode == 1
    outcomes = inner.outcomes()
    assert outcomes == {
        "test_passed": "passed",
        "test_failed": "failed",
        "test_skipped": "skipped",
        "test_skipped_inside": "skipped",
        "test_expected": "xfailed",
        "test_unexpected": "failed",
        "test_it": "failed",
        "test_cleaned": "failed",
        "test_never": "error",
    }
    assert inner.by_test()["test_unexpected"].is_failure
    said = counts(result.stdout)
    assert (said["failed"], said["passed"], said["skipped"], said["xfailed"]) == (4, 1, 2, 1)


def test_subtests_of_a_unittest_case(inner) -> None:
    inner.write(
        test_it="""
        import unittest
        class TestIt(unittest.TestCase):
            def test_mixed(self):
                for n in range(3):
                    with self.subTest(n=n):
                        self.assertNotEqual(n, 1)
            def test_right(self):
                for n in range(3):
                    with self.subTest(n=n): pass
        """
    )
    bare = inner.run(causal=False)
    assert inner.run().returncode == bare.returncode == 1
    assert inner.outcomes() == {"test_mixed": "failed", "test_right": "passed"}


def test_doctests(inner) -> None:
    inner.write(
        module='''
        def right():
            """
            >>> 1 + 1
            2
            """
        def wrong():
            """
            >>> 1 + 1
            3
            """
        def skipped():
            """
            >>> 1 + 1  # doctest: +SKIP
            3
            """
        '''
    )
    (inner.root / "page.txt").write_text(">>> 2 * 2\n4\n")
    assert inner.run("--doctest-modules", "--doctest-glob=*.txt").returncode == 1
    assert inner.outcomes() == {
        "module.right": "passed",
        "module.wrong": "failed",
        "module.skipped": "skipped",
        "page.txt": "passed",
    }


@pytest.mark.parametrize("scope", ["class", "module", "session"])
def test_a_shared_fixture_that_fails_is_an_error_of_every_test_that_needs_it(inner, scope: str) -> None:
    inner.write(
        test_it=f"""
        import pytest
        @pytest.fixture(scope="{scope}")
        def shared(): raise ConnectionError("no service")
        class TestIt:
            def test_a(self, shared): pass
            def test_b(self, shared): pass
            def test_c(self): pass
        """
    )
    inner.run()
    assert inner.outcomes() == {"test_a": "error", "test_b": "error", "test_c": "passed"}
    assert {run.cause.phase for run in inner.runs() if run.cause} == {Phase.SETUP}


def test_a_shared_fixture_that_fails_at_its_end_is_an_error_of_the_last_test(inner) -> None:
    inner.write(
        test_it="""
        import pytest
        @pytest.fixture(scope="module")
        def shared():
            yield
            raise ConnectionError("gone")
        def test_a(shared): pass
        def test_b(shared): pass
        """
    )
    inner.run()
    assert inner.outcomes() == {"test_a": "passed", "test_b": "error"}


def test_parameters_with_every_sort_of_character_come_back(inner) -> None:
    (inner.root / "pytest.ini").write_text(
        "[pytest]\ndisable_test_id_escaping_and_forfeit_all_rights_to_community_support = true\n"
    )
    ids = ["é", "日本語", "🐍", "a::b", "[x]", "a/b", "", "  ", "\u202e", "@g"]
    inner.write(
        test_it=f"""
        import pytest
        @pytest.mark.parametrize("x", range({len(ids)}), ids={ids!r})
        def test_it(x): pass
        """
    )
    assert inner.run().returncode == 0
    stored = {run.nodeid for run in inner.runs()}
    assert len(stored) == len(ids)
    assert {f"test_it.py::test_it[{each}]" for each in ids} == stored


def test_p19_ids_that_are_empty_or_look_like_something_else_are_ids(inner) -> None:
    inner.write(
        test_it="""
        import pytest
        @pytest.mark.parametrize("x", range(6), ids=["", " ", "]", "[", "::", "a]::b["])
        def test_it(x): assert x < 5
        """
    )
    for _ in range(2):
        assert inner.run().returncode == 1
    runs = inner.runs()
    assert len({run.nodeid for run in runs}) == 6
    assert len(runs) == 12
    assert [run.nodeid for run in runs if run.is_failure] == ["test_it.py::test_it[a]::b[]"] * 2


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("-x",), {"failed": 1, "passed": 1, "missing": 4}),
        (("--maxfail=2",), {"failed": 2, "passed": 2, "missing": 2}),
        (("--maxfail=9",), {"failed": 3, "passed": 3}),
        (("--exitfirst", "--deselect=test_it.py::test_1"), {"failed": 1, "passed": 2, "missing": 2}),
    ],
)
def test_p29_what_a_limit_on_failures_leaves_out_is_missing(inner, args, expected) -> None:
    inner.write(test_it="\n".join(f"def test_{n}(): assert {n} % 2 == 0" for n in range(6)))
    bare = inner.run(*args, causal=False)
    recorded = inner.run(*args)
    assert recorded.returncode == bare.returncode
    assert counts(recorded.stdout) == counts(bare.stdout)
    assert Counter(inner.outcomes().values()) == expected


@pytest.mark.parametrize(
    ("args", "second", "order"),
    [
        (("--lf",), {"test_b": "failed"}, ["test_b"]),
        (
            ("--ff",),
            {"test_a": "passed", "test_b": "failed", "test_c": "passed"},
            ["test_b", "test_a", "test_c"],
        ),
        (
            ("--nf",),
            {"test_a": "passed", "test_b": "failed", "test_c": "passed"},
            ["test_a", "test_b", "test_c"],
        ),
        (("--sw",), {"test_b": "failed", "test_c": "missing"}, ["test_b", "test_c"]),
    ],
)
def test_p29_a_selection_by_the_last_results_records_what_was_selected(inner, args, second, order) -> None:
    inner.write(test_it="def test_a(): pass\ndef test_b(): assert False\ndef test_c(): pass\n")
    inner.run(*CACHE, *(args if args == ("--sw",) else ()))
    inner.store.unlink()
    inner.run(*CACHE, *args)
    assert inner.outcomes() == second
    assert [run.nodeid.rpartition("::")[2] for run in inner.runs()] == order


@pytest.mark.parametrize(("args", "code"), [(("-k", "none"), 5), (("--deselect=test_it.py",), 5)])
def test_p29_a_session_without_tests_has_no_runs_and_feeds_no_evidence(inner, args, code) -> None:
    inner.write(test_it="def test_a(): pass\n")
    assert inner.run(*args).returncode == code
    assert inner.runs() == []
    inner.run()
    assert [session.runs for session in inner.sessions()] == [1, 0]


@pytest.mark.parametrize("scope", ["function", "module", "session"])
@pytest.mark.parametrize("when", ["set-up", "tear-down"])
def test_an_exit_from_a_fixture_interrupts_and_keeps_what_ran(inner, scope: str, when: str) -> None:
    body = "pytest.exit('enough', returncode=7)"
    inner.write(
        test_it=f"""
        import pytest
        @pytest.fixture(scope="{scope}")
        def leaving():
            {body if when == "set-up" else "pass"}
            yield
            {body if when == "tear-down" else "pass"}
        def test_a(): pass
        def test_b(leaving): pass
        def test_c(): pass
        """
    )
    bare = inner.run(causal=False)
    assert inner.run().returncode == bare.returncode == 7
    assert inner.session().ending.state is SessionState.INTERRUPTED
    assert inner.session().ending.exit_status == 7
    outcomes = inner.outcomes()
    assert outcomes["test_a"] == "passed"
    # A fixture of wider scope is left after the last test, and that one has passed its call.
    reaches_c = when == "tear-down" and scope != "function"
    assert outcomes["test_b"] == ("passed" if reaches_c else "missing")
    assert outcomes["test_c"] == "missing"


@pytest.mark.parametrize(
    "hook", ["pytest_runtest_protocol", "pytest_runtest_logfinish", "pytest_collection_modifyitems"]
)
def test_p29_an_internal_error_is_an_interrupted_session_with_what_ran(inner, hook: str) -> None:
    inner.write(
        test_it="def test_a(): pass\ndef test_b(): pass\n",
        conftest=f"""
        seen = []
        def {hook}(**_):
            pass
        def {hook}({"items" if "collection" in hook else "nodeid" if "log" in hook else "item"}):
            seen.append(1)
            if len(seen) == {1 if "collection" in hook else 2}:
                raise ZeroDivisionError("planted")
        """,
    )
    bare = inner.run(causal=False)
    assert inner.run().returncode == bare.returncode == 3
    assert inner.session().ending.state is SessionState.INTERRUPTED
    expected = {
        "pytest_runtest_protocol": {"test_a": "passed", "test_b": "missing"},
        "pytest_runtest_logfinish": {"test_a": "passed", "test_b": "passed"},
        "pytest_collection_modifyitems": {"test_a": "missing", "test_b": "missing"},
    }
    assert inner.outcomes() == expected[hook]


FLAKY = """
    import pathlib
    def test_flaky():
        mark = pathlib.Path(__file__).with_name("mark")
        tries = len(mark.read_text()) if mark.exists() else 0
        mark.write_text("x" * (tries + 1))
        assert tries == 2
    def test_steady(): pass
    def test_never(): assert False
"""


def test_p16_reruns_are_attempts_and_one_execution_of_evidence(suite, distribution) -> None:
    suite.write(test_it=FLAKY)
    bare = suite.run(*distribution, *RERUN, causal=False)
    (suite.root / "mark").unlink()
    recorded = suite.run(*distribution, *RERUN)
    assert counts(recorded.stdout) == counts(bare.stdout)
    assert counts(recorded.stdout)["rerun"] == 4
    assert told(suite) == [
        ("test_flaky", 1, "failed", True),
        ("test_flaky", 2, "failed", True),
        ("test_flaky", 3, "passed", False),
        ("test_never", 1, "failed", True),
        ("test_never", 2, "failed", True),
        ("test_never", 3, "failed", False),
        ("test_steady", 1, "passed", False),
    ]
    evidence = suite.evidence()
    flaky = evidence["test_it.py::test_flaky"]
    assert (flaky.runs, flaky.passed, flaky.failed, flaky.flaky) == (1, 0, 1, 1)
    assert flaky.badness == 1.0
    assert (evidence["test_it.py::test_never"].runs, evidence["test_it.py::test_never"].failed) == (1, 1)
    assert (evidence["test_it.py::test_steady"].runs, evidence["test_it.py::test_steady"].passed) == (1, 1)


@pytest.mark.needs_xdist
@pytest.mark.fault
def test_p12_a_worker_that_dies_in_an_attempt_is_one_attempt(suite) -> None:
    others = "\n".join(f"def test_{number:02}(): pass" for number in range(12))
    suite.write(
        test_others=others,
        test_it="""
        import os, pathlib, signal
        def test_deadly():
            mark = pathlib.Path(__file__).with_name("mark")
            tries = len(mark.read_text()) if mark.exists() else 0
            mark.write_text("x" * (tries + 1))
            if tries == 0: assert False
            if tries == 1: os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    result = suite.run("-n2", *RERUN)
    assert "crashed" in result.stdout
    assert result.stdout.count("internal error") == 0
    runs = [run for run in suite.runs() if "deadly" in run.nodeid]
    assert [(str(run.outcome), run.attempt, run.is_superseded) for run in runs] == [
        ("failed", 1, True),
        ("crashed", 2, True),
        ("passed", 3, False),
    ]
    assert len({run.worker for run in runs}) == 2
    assert Counter(run.outcome for run in suite.runs())[Outcome.PASSED] == 13
    assert suite.evidence()["test_it.py::test_deadly"].failed == 1


@pytest.mark.needs_xdist
@pytest.mark.parametrize("dist", ["load", "loadfile", "loadscope", "worksteal"])
def test_every_way_to_distribute_stores_the_same(suite, dist: str) -> None:
    body = """
        import pytest
        class TestIt:
            def test_a(self): pass
            def test_b(self): assert False
        @pytest.mark.parametrize("n", range(4))
        def test_many(n): pass
    """
    suite.write(test_one=body, test_two=body)
    result = suite.run("-n2", f"--dist={dist}")
    assert result.returncode == 1
    assert Counter(str(run.outcome) for run in suite.runs()) == {"passed": 10, "failed": 2}
    assert len({run.nodeid for run in suite.runs()}) == 12
    assert {run.worker for run in suite.runs()} == {"gw0", "gw1"}
    if dist == "loadfile":
        assert all(
            len({run.worker for run in suite.runs() if run.nodeid.startswith(file)}) == 1
            for file in ("test_one", "test_two")
        )
