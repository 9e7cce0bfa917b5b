"""A rule of promotion may declare what the scenarios that gate it read; it is recorded as declared, in every arm."""

from __future__ import annotations

import pytest

from pytest_causal.model.promotion import Lesson
from pytest_causal.model.run import Read, ReadHow
from pytest_causal.policy.lesson_file import KeptLesson, lessons_text

CONFIG = """
[policy.limits]
rows = 7
seconds = 2
[policy.other]
size = 1
[[promotion]]
name = "more"
scenarios = ["load", "test_it.py::test_named"]
changes = {"limits.rows" = 9}
reads = ["limits"]
%s
"""
ROWS, SECONDS = (
    Read(f"limits.{name}", value, ReadHow.DECLARED) for name, value in (("rows", "7"), ("seconds", "2"))
)
SUITE = """
    import pytest
    @pytest.mark.scenario("load")
    def test_marked(): pass
    @pytest.mark.scenario("load", reads=["other.size"])
    def test_marked_with_reads(causal_policy): assert causal_policy["limits"]["rows"]
    def test_named(): pass
    def test_other(causal_policy): pass
"""


def test_what_gates_the_rule_reads_what_it_declares_and_nothing_else_does(suite, distribution) -> None:
    (suite.root / "causal.toml").write_text(CONFIG % "")
    suite.write(test_it=SUITE)
    assert suite.run(*distribution).returncode == 0
    assert {name: run.reads for name, run in suite.by_test().items()} == {
        "test_marked": (ROWS, SECONDS),
        "test_marked_with_reads": (
            ROWS._replace(how=ReadHow.TRACKED),
            SECONDS,
            Read("other.size", "1", ReadHow.DECLARED),
        ),
        "test_named": (ROWS, SECONDS),
        "test_other": (),
    }


def test_a_candidates_run_is_declared_to_read_the_candidates_values(inner) -> None:
    (inner.root / "causal.toml").write_text(CONFIG % "")
    inner.write(
        test_it="""
        import pytest
        @pytest.mark.scenario("load")
        def test_it(causal_policy): pass
        """
    )
    assert inner.run("--causal-shadow").returncode == 0
    inner.run("--causal-arm=candidate:more", "--no-causal-shadow")
    rows = {(run.arm, run.reads) for run in inner.runs()}
    assert rows == {
        ("control", (ROWS, SECONDS)),
        ("candidate:more", (ROWS._replace(value="9"), SECONDS)),
    }


def test_a_test_that_was_learned_reads_what_its_scenario_is_declared_to_read(inner) -> None:
    (inner.root / "causal.toml").write_text(CONFIG % "")
    inner.write(test_it=SUITE)
    lesson = Lesson(
        id=1, scenario="test_it.py::test_named", path="limits.rows", before=7, after=9, reason="slow", promotion=1,
        signature="s", created_us=1,
    )  # fmt: skip
    kept = KeptLesson(lesson, ("test_it.py::test_named",))
    (inner.root / "some.lessons.json").write_text(lessons_text([kept]))
    assert inner.run().returncode == 0
    (learned,) = (run for run in inner.runs() if run.scenario == lesson.regression)
    assert learned.reads == (ROWS, SECONDS)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            '[[promotion]]\nname = "x"\nscenarios = ["load"]\nchanges = {"other.size" = 2}\nreads = ["limts"]',
            "limts",
        ),
        ('[[promotion]]\nname = "x"\nscenarios = 3\nchanges = {"other.size" = 2}', "scenarios"),
    ],
    ids=["unknown path", "unusable rule"],
)
def test_a_rule_that_cannot_be_used_costs_no_record_and_is_told(inner, more, words) -> None:
    (inner.root / "causal.toml").write_text(CONFIG % more)
    inner.write(test_it=SUITE)
    done = inner.run()
    assert done.returncode == 0
    assert {str(run.outcome) for run in inner.runs()} == {"passed"}
    (told,) = (line for line in done.stdout.splitlines() if "the policy was not reviewed" in line)
    assert words in told
    assert "promotion 'x'" in told
