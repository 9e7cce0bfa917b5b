"""What a test notes arrives as it was noted, and a marker with a mistake is refused with what would be right."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.hooks.notes import (
    METRICS_LIMIT,
    NO_NOTES,
    ItemNotes,
    Mark,
    Notes,
    read_mark,
    read_notes,
    type_name,
)
from pytest_causal.model.run import Metric, MetricKind, Read, ReadHow
from pytest_causal.model.scenario import Declaration


def mark(*args: Any, **kwargs: Any) -> Mark:
    return read_mark(pytest.mark.scenario(*args, **kwargs).mark, "f.py::test_it")


def test_a_bare_marker_names_the_test_itself() -> None:
    assert mark() == Mark(declaration=Declaration(scenario="f.py::test_it"))


@pytest.mark.parametrize("given_id", [mark("load"), mark(id="load")], ids=["positional", "keyword"])
def test_the_id_may_be_given_either_way(given_id: Mark) -> None:
    assert given_id.declaration.scenario == "load"


def test_every_argument_is_kept() -> None:
    declared = mark(
        "load",
        tags=["slow", "io"],
        reads=("limits.rows",),
        unit="run",
        min_runs=3,
        min_sessions=4,
        max_failure_rate=0.01,
        alpha=0.1,
        max_age_days=2,
        max_incomplete_rate=0.5,
        flaky_weight=0,
    )
    assert declared.reads == ("limits.rows",)
    assert declared.declaration.tags == ("slow", "io")
    assert declared.declaration.criteria == (
        ("alpha", 0.1),
        ("flaky_weight", 0.0),
        ("max_age_days", 2.0),
        ("max_failure_rate", 0.01),
        ("max_incomplete_rate", 0.5),
        ("min_runs", 3),
        ("min_sessions", 4),
        ("unit", "run"),
    )
    assert type(dict(declared.declaration.criteria)["unit"]) is str


def test_none_leaves_the_general_criterion_in_force() -> None:
    assert mark(min_runs=None, unit=None).declaration.criteria == ()


def test_a_set_of_tags_has_one_order() -> None:
    assert mark(tags={"c", "a", "b"}).declaration.tags == ("a", "b", "c")


@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        (("a", "b"), {}, "takes one id, got 2"),
        (("",), {}, "id must be a text that is not empty, got ''"),
        (("  ",), {}, "id must be a text that is not empty"),
        ((7,), {}, "id must be a text that is not empty, got 7"),
        ((), {"id": b"x"}, "id must be a text that is not empty, got b'x'"),
        ((), {"tags": "slow"}, "tags must be a list of texts, got 'slow'"),
        ((), {"tags": 3}, "tags must be a list of texts, got 3"),
        ((), {"reads": [1]}, "reads must be a list of texts, got [1]"),
        (
            (),
            {"max_failure_rat": 0.1},
            "unknown argument 'max_failure_rat'; did you mean 'max_failure_rate'?",
        ),
        ((), {"rule": "threshold"}, "unknown argument 'rule'"),
        ((), {"store": "x"}, "unknown argument 'store'"),
        (("a",), {"id": "b"}, "unknown argument 'id'"),
        ((), {"min_runs": 0}, "min_runs: expected a value in [1, 1e+06] runs, found 0"),
        ((), {"min_runs": True}, "min_runs: "),
        ((), {"min_runs": "20"}, "min_runs: "),
        ((), {"min_runs": 2.5}, "min_runs: "),
        ((), {"max_failure_rate": 1}, "max_failure_rate: expected a value in (0, 1)"),
        ((), {"max_failure_rate": float("nan")}, "max_failure_rate: "),
        ((), {"unit": "runs"}, "unit: "),
    ],
)
def test_a_mistake_names_the_test_and_the_argument(args: Any, kwargs: Any, said: str) -> None:
    with pytest.raises(pytest.UsageError) as refused:
        mark(*args, **kwargs)
    assert str(refused.value).startswith("f.py::test_it: @pytest.mark.scenario: ")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


texts = st.text(st.characters(exclude_categories=[]), max_size=20)
metrics = st.lists(
    st.builds(Metric, name=texts, value=st.floats(allow_nan=False, allow_infinity=False))
    | st.builds(
        Metric, name=texts, value=st.none(), kind=st.sampled_from([k for k in MetricKind if k != "number"])
    ),
    max_size=4,
)
reads = st.lists(st.builds(Read, path=texts, value=texts, how=st.sampled_from(ReadHow)), max_size=4)


@given(scenario=texts, found=metrics, read=reads, raised=texts, infrastructure=st.booleans())
def test_what_is_carried_comes_back(scenario, found, read, raised, infrastructure) -> None:
    carried = {
        "scenario": scenario,
        "metrics": [tuple(each) for each in found],
        "reads": [tuple(each) for each in read],
        "raised": raised,
        "infrastructure": infrastructure,
    }
    assert read_notes(json.dumps(carried, allow_nan=False)) == Notes(
        scenario=scenario,
        metrics=tuple(found),
        reads=tuple(read),
        raised=raised,
        is_infrastructure=infrastructure,
    )


def test_empty_notes_are_no_notes() -> None:
    assert read_notes("{}") == NO_NOTES


def test_the_last_value_of_a_metric_counts() -> None:
    noted = ItemNotes()
    noted.add_metric("rows", 1)
    noted.add_metric("rows", 2)
    assert noted.metrics == {"rows": Metric(name="rows", value=2.0)}


def test_p22_beyond_the_limit_metrics_are_counted_and_known_ones_still_change() -> None:
    noted = ItemNotes()
    for number in range(METRICS_LIMIT + 7):
        noted.add_metric(f"m{number}", number)
    noted.add_metric("m0", -1)
    assert (len(noted.metrics), noted.dropped) == (METRICS_LIMIT, 7)
    assert noted.metrics["m0"].value == -1


class Nested(OSError):
    """An exception of this module."""


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (ValueError, "ValueError"),
        (json.JSONDecodeError, "json.decoder.JSONDecodeError"),
        (Nested, f"{Nested.__module__}.Nested"),
    ],
)
def test_a_type_has_its_qualified_name(kind: type[BaseException], name: str) -> None:
    assert type_name(kind) == name


TAKING = """
    import pytest
    from pytest_causal.hooks import notes

    def pytest_configure(config):
        config.pluginmanager.register(Watcher())

    class Watcher:
        def pytest_runtest_logreport(self, report):
            print("NOTED", report.nodeid.partition("::")[2], report.when, getattr(report, notes.ATTRIBUTE, None))
"""


def noted_lines(output: str) -> list[tuple[str, str, dict[str, Any] | None]]:
    lines = [line.partition("NOTED ")[2].split(" ", 2) for line in output.splitlines() if "NOTED " in line]
    return [(name, when, None if text == "None" else json.loads(text)) for name, when, text in lines]


def test_a_test_that_notes_nothing_adds_nothing_to_its_reports(inner) -> None:
    inner.write(conftest=TAKING, test_it="def test_it(tmp_path): pass\n")
    assert noted_lines(inner.run("-s").stdout) == [
        ("test_it", "setup", None),
        ("test_it", "call", None),
        ("test_it", "teardown", None),
    ]


def test_the_name_comes_first_and_what_was_measured_last_or_with_a_failure(inner) -> None:
    (inner.root / "causal.toml").write_text("[policy.limits]\nrows = 7\nseconds = 2\n")
    inner.write(
        conftest=TAKING,
        test_it="""
        import pytest
        @pytest.mark.scenario("load", reads=["limits"])
        def test_it(causal_metric, causal_policy):
            causal_metric("rows", 3)
            assert causal_policy["limits"]["rows"] == 8
        """,
    )
    setup, call, teardown = noted_lines(inner.run("-s").stdout)
    measured = {
        "metrics": [["rows", 3.0, "number"]],
        "reads": [["limits.rows", "7", "tracked"], ["limits.seconds", "2", "declared"]],
    }
    assert setup == ("test_it", "setup", {"scenario": "load"})
    assert call == ("test_it", "call", {"scenario": "load", **measured, "raised": "AssertionError"})
    assert teardown == ("test_it", "teardown", {"scenario": "load", **measured})


def test_infrastructure_is_known_by_any_name_of_the_type_or_of_its_bases(inner) -> None:
    inner.write(
        test_it="""
        class NoNetwork(ConnectionError): pass
        def test_short(): raise NoNetwork
        def test_base(): raise ConnectionResetError
        def test_other(): raise ValueError
        """
    )
    for given_name in ("ConnectionError", "builtins.ConnectionError", "OSError"):
        inner.run(f"--causal-infrastructure-errors={given_name}")
        blamed = {name: run.cause.is_infrastructure for name, run in inner.by_test().items()}
        assert blamed == {"test_short": True, "test_base": True, "test_other": False}
        inner.store.unlink()


def test_the_marker_nearest_to_the_test_wins(inner) -> None:
    inner.write(
        test_it="""
        import pytest
        pytestmark = pytest.mark.scenario("module")
        @pytest.mark.scenario("class")
        class TestIt:
            @pytest.mark.scenario("function")
            def test_own(self): pass
            def test_of_the_class(self): pass
        def test_of_the_module(): pass
        """
    )
    inner.run()
    assert {run.nodeid.rpartition("::")[2]: run.scenario for run in inner.runs()} == {
        "test_own": "function",
        "test_of_the_class": "class",
        "test_of_the_module": "module",
    }
