"""Notes arrive whenever they are attached, and a session of tests that say nothing is spared the attaching."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_causal.model.run import Outcome

WATCHED = """
    import pytest

    def pytest_runtest_logreport(report):
        print("ATTACHED", report.nodeid.partition("::")[2], report.when, getattr(report, "causal_notes", None))

    def pytest_terminal_summary(config):
        print("AT ONCE", config.pluginmanager.has_plugin("causal-attachment"))
"""
FAILING = """
    import pytest

    class Odd(Exception): pass

    @pytest.fixture
    def broken():
        raise Odd("set-up")

    @pytest.fixture
    def leaky():
        yield
        raise Odd("tear-down")

    def test_passes(): pass
    def test_call(): raise Odd("call")
    def test_setup(broken): pass
    def test_teardown(leaky): pass
    def test_passes_too(): pass
    def test_last_fails(): raise Odd("call")
"""
TYPES = {
    "test_passes": "",
    "test_call": "test_it.Odd",
    "test_setup": "test_it.Odd",
    "test_teardown": "test_it.Odd",
    "test_passes_too": "",
    "test_last_fails": "test_it.Odd",
}
Types = dict[str, str]


def types(suite: Any) -> Types:
    """Return by test the type that the history holds of what it raised."""
    return {name: run.cause.type if run.cause is not None else "" for name, run in suite.by_test().items()}


def test_tests_that_say_nothing_are_spared_it_and_what_they_raise_is_known(inner) -> None:
    inner.write(conftest=WATCHED, test_it=FAILING)
    output = inner.run("-s").stdout
    assert "AT ONCE False" in output
    assert output.count("ATTACHED") == output.count(" None\n") == 3 * len(TYPES) - 1
    assert types(inner) == TYPES


@pytest.mark.parametrize("reports", [1, 2, 4, 7])
def test_no_failure_is_folded_before_what_it_raised_is_attached(suite, reports) -> None:
    small = f"""
    from pytest_causal.hooks import recorder
    recorder.BATCH_REPORTS = {reports}
    """
    suite.write(conftest=small, test_it=FAILING)
    suite.run()
    assert types(suite) == TYPES


def test_no_failure_is_committed_before_what_it_raised_is_attached(suite) -> None:
    always_due = """
    from pytest_causal.actions import recording
    recording.BATCH_SECONDS = -1.0
    """
    suite.write(conftest=always_due, test_it=FAILING)
    suite.run()
    assert types(suite) == TYPES


def test_the_first_note_ends_it(inner) -> None:
    noting = """
        def test_before(): pass
        def test_fails_before(): raise ValueError
        def test_noting(request): request.getfixturevalue("causal_metric")("rows", 3)
        def test_failing(causal_metric):
            causal_metric("rows", 4)
            raise KeyError
        def test_after(): raise ValueError
    """
    inner.write(conftest=WATCHED, test_it=noting)
    output = inner.run("-s").stdout
    attached = {
        line.split(" ", 3)[1]: line.split(" ", 3)[3]
        for line in (part[part.index("ATTACHED") :] for part in output.splitlines() if "ATTACHED" in part)
        if not line.endswith(" None")
    }
    assert "AT ONCE True" in output
    assert set(attached) == {"test_noting", "test_failing", "test_after"}
    found = inner.by_test()
    assert [(metric.name, metric.value) for metric in found["test_noting"].metrics] == [("rows", 3.0)]
    assert [(metric.name, metric.value) for metric in found["test_failing"].metrics] == [("rows", 4.0)]
    raised = {name: run.cause.type for name, run in found.items() if run.outcome is Outcome.FAILED}
    assert raised == {
        "test_fails_before": "ValueError",
        "test_failing": "KeyError",
        "test_after": "ValueError",
    }


def test_whoever_runs_tests_in_a_way_of_their_own_gets_it_at_once(inner) -> None:
    """This one tells nobody of what it might debug, as one that runs each test in a process of its own cannot."""
    own_way = (
        WATCHED
        + """
    from _pytest.runner import CallInfo

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(item, nextitem):
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for when, step in (
            ("setup", lambda: item.ihook.pytest_runtest_setup(item=item)),
            ("call", lambda: item.ihook.pytest_runtest_call(item=item)),
            ("teardown", lambda: item.ihook.pytest_runtest_teardown(item=item, nextitem=nextitem)),
        ):
            call = CallInfo.from_call(step, when)
            report = item.ihook.pytest_runtest_makereport(item=item, call=call)
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True
    """
    )
    inner.write(conftest=own_way, test_it="def test_it(): raise ValueError\n")
    assert "AT ONCE True" in inner.run("-s").stdout
    assert types(inner) == {"test_it": "ValueError"}


IN_CHILDREN = """
    import json, os
    from _pytest.reports import TestReport
    from _pytest.runner import runtestprotocol

    def pytest_runtest_protocol(item, nextitem):
        read_end, write_end = os.pipe()
        if os.fork() == 0:
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
            os.write(write_end, json.dumps([report._to_json() for report in reports], default=str).encode())
            os._exit(0)
        os.close(write_end)
        with os.fdopen(read_end) as pipe:
            for made in json.load(pipe):
                item.ihook.pytest_runtest_logreport(report=TestReport._from_json(made))
        os.wait()
        return True
"""


def test_what_is_noted_in_a_forked_child_returns_on_its_reports(suite) -> None:
    """Were its reads lost, a run would speak for every policy."""
    (suite.root / "causal.toml").write_text("[policy.limits]\nrows = 7\n")
    suite.write(
        conftest=IN_CHILDREN,
        test_it="""
        def test_reads(causal_policy, causal_metric):
            causal_metric("rows", causal_policy["limits"]["rows"])
            raise KeyError
        """,
    )
    suite.run()
    run = suite.by_test()["test_reads"]
    assert [(read.path, read.value) for read in run.reads] == [("limits.rows", "7")]
    assert [(metric.name, metric.value) for metric in run.metrics] == [("rows", 7.0)]
    assert run.cause.type == "KeyError"


def test_who_only_wraps_the_running_of_tests_does_not_end_it(inner) -> None:
    around = (
        WATCHED
        + """
    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(item):
        return (yield)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(item):
        yield
    """
    )
    inner.write(conftest=around, test_it=FAILING)
    assert "AT ONCE False" in inner.run("-s").stdout
    assert types(inner) == TYPES


def test_metrics_of_other_peoples_hooks_are_asked_for_at_once_and_once(inner) -> None:
    measuring = (
        WATCHED
        + """
    asked = []
    def pytest_causal_metrics(item, report):
        asked.append(report.when)
        return {"asked": len(asked)}
    """
    )
    inner.write(conftest=measuring, test_it="def test_it(): raise ValueError\n")
    assert "AT ONCE True" in inner.run("-s").stdout
    assert [(metric.name, metric.value) for metric in inner.by_test()["test_it"].metrics] == [("asked", 1.0)]


OF_UNITTEST = """
    import unittest

    class Odd(Exception): pass

    class TestThings(unittest.TestCase):
        def test_fails(self): self.assertEqual(1, 2)
        def test_raises(self): raise Odd("call")
        def test_passes(self): pass

    class TestSetUp(unittest.TestCase):
        def setUp(self): raise Odd("set-up")
        def test_never_begins(self): pass
"""


def test_what_tests_of_unittest_raise_is_known(suite, distribution) -> None:
    """pytest learns of it only while it makes the report."""
    suite.write(test_it=OF_UNITTEST)
    suite.run(*distribution, "--causal-infrastructure-errors=Odd")
    assert types(suite) == {
        "test_fails": "AssertionError",
        "test_raises": "test_it.Odd",
        "test_passes": "",
        "test_never_begins": "test_it.Odd",
    }
    blamed = {name for name, run in suite.by_test().items() if run.cause and run.cause.is_infrastructure}
    assert blamed == {"test_raises", "test_never_begins"}


@pytest.mark.needs_xdist
def test_workers_attach_at_once(suite) -> None:
    suite.write(test_it=FAILING)
    suite.run("-n2")
    assert types(suite) == TYPES
