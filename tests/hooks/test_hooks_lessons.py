"""A file of lessons runs the tests that reverts learned from once more, each as a scenario of its own."""

from __future__ import annotations

import json

import pytest

from pytest_causal.model.promotion import Lesson
from pytest_causal.policy.lesson_file import KeptLesson, lessons_text

CONFIG = """
[policy.limits]
rows = 10

[[promotion]]
name = "fast"
scenarios = ["heavy"]
changes = {"limits.rows" = 20}
"""

SUITE = {
    "conftest": "import pytest\n@pytest.fixture\ndef of_root(): return 1\n",
    "deep/conftest": "import pytest\n@pytest.fixture\ndef of_deep(of_root): return of_root + 1\n",
    "deep/test_it": """
        import pytest
        log = []
        @pytest.fixture(autouse=True)
        def noted(request): log.append(request.node.name)
        @pytest.fixture(scope="module")
        def of_module():
            yield "open"
        def setup_module(): log.append("setup")
        class TestBox:
            @pytest.fixture
            def of_class(self, of_module): return of_module
            @pytest.mark.parametrize("x", [1, "a::b"])
            def test_all(self, x, of_class, of_deep, tmp_path):
                assert (of_class, of_deep, x in (1, "a::b")) == ("open", 2, True)
        @pytest.mark.scenario("heavy", tags=["load"], reads=["limits"], min_runs=3)
        def test_heavy(causal_policy): assert causal_policy["limits"]["rows"] in (10, 20)
    """,
    "other/test_other": "def test_other(): pass\n",
}
HEAVY = "deep/test_it.py::test_heavy"
BOX = "deep/test_it.py::TestBox::test_all[1]"
COLONS = "deep/test_it.py::TestBox::test_all[a::b]"


def lesson(number: int, scenario: str = "heavy") -> Lesson:
    return Lesson(
        id=number, scenario=scenario, path="limits.rows", before=10, after=15, reason="it failed", promotion=2,
        signature="s", created_us=1_700_000_000_000_000,
    )  # fmt: skip


@pytest.fixture
def taught(suite):
    (suite.root / "causal.toml").write_text(CONFIG)
    return suite.write(**SUITE)


def learn(suite, *kept: KeptLesson, at: str = "kept.lessons.json") -> None:
    (suite.root / at).write_text(lessons_text(kept))


def learned(suite) -> dict[str, tuple[str, str]]:
    """The stored runs of lessons: (scenario, outcome) by node id."""
    return {
        run.nodeid: (run.scenario, str(run.outcome)) for run in suite.runs() if ".lessons.json" in run.nodeid
    }


def test_the_originals_run_and_the_lessons_run_beside_them(taught, distribution) -> None:
    learn(taught, KeptLesson(lesson(1), (HEAVY,)), KeptLesson(lesson(2, "box"), (BOX, COLONS)))
    result = taught.run(*distribution)
    assert result.returncode == 0, result.stdout
    assert "7 passed" in result.stdout
    assert learned(taught) == {
        "kept.lessons.json::L-1::test_heavy": ("heavy_regression", "passed"),
        "kept.lessons.json::L-2::test_all[1]": ("box_regression", "passed"),
        "kept.lessons.json::L-2::test_all[a::b]": ("box_regression", "passed"),
    }
    assert {run.nodeid for run in taught.runs() if ".lessons.json" not in run.nodeid} == {
        HEAVY, BOX, COLONS, "other/test_other.py::test_other",
    }  # fmt: skip


@pytest.mark.parametrize("place", ["kept.lessons.json", "other/kept.lessons.json", "deep/kept.lessons.json"])
def test_a_file_of_lessons_runs_alone_and_wherever_it_is(taught, place) -> None:
    learn(taught, KeptLesson(lesson(1), (HEAVY,)), KeptLesson(lesson(2, "box"), (BOX,)), at=place)
    result = taught.run(place)
    assert result.returncode == 0, result.stdout
    assert set(learned(taught)) == {f"{place}::L-1::test_heavy", f"{place}::L-2::test_all[1]"}
    assert "1 passed" in taught.run(f"{place}::L-2::test_all[1]").stdout


def test_tests_collected_after_the_file_keep_their_fixtures(taught) -> None:
    learn(taught, KeptLesson(lesson(2, "box"), (BOX,)), at="a.lessons.json")
    result = taught.run("a.lessons.json", "deep", "other")
    assert result.returncode == 0, result.stdout
    assert "5 passed" in result.stdout


def test_the_learned_scenario_is_declared_stricter_and_keeps_what_the_test_says_of_its_reads(taught) -> None:
    learn(taught, KeptLesson(lesson(1), (HEAVY,)))
    taught.run()
    status = {each["scenario"]: each for each in json.loads(taught.causal("status", "--json"))["scenarios"]}
    regression = status["heavy_regression"]
    assert regression["tags"] == ["learned_constraint"]
    assert regression["criteria"]["min_runs"] == 50
    assert regression["criteria"]["max_failure_rate"] == 0.05
    assert status["heavy"]["criteria"]["min_runs"] == 3
    (run,) = [run for run in taught.runs() if run.scenario == "heavy_regression"]
    assert [read.path for read in run.reads] == ["limits.rows"]


def test_a_lesson_runs_in_the_shadow_of_a_candidate_that_changes_its_value(taught, distribution) -> None:
    learn(taught, KeptLesson(lesson(1, "unrelated-name"), (HEAVY,)))
    result = taught.run(*distribution, "--causal-shadow")
    assert result.returncode == 0, result.stdout
    runs = {run.nodeid: (run.scenario, run.arm) for run in taught.runs() if "test_heavy" in run.nodeid}
    assert runs == {
        HEAVY: ("heavy", "control"),
        f"{HEAVY}[causal:fast]": ("heavy", "candidate:fast"),
        "kept.lessons.json::L-1::test_heavy": ("unrelated-name_regression", "control"),
        "kept.lessons.json::L-1::test_heavy[causal:fast]": ("unrelated-name_regression", "candidate:fast"),
    }


@pytest.mark.parametrize(
    "gone", ["deep/test_it.py::test_gone", "deep/test_gone.py::test_it", "gone/test_gone.py::test_it"]
)
def test_a_lesson_whose_test_is_gone_is_a_collection_error(taught, distribution, gone) -> None:
    learn(taught, KeptLesson(lesson(1), (HEAVY,)), KeptLesson(lesson(3), (gone,)))
    result = taught.run(*distribution)
    assert result.returncode == (2 if not distribution else 1)
    assert f"the test {gone} is gone, from which this lesson was learned" in result.stdout
    assert "1 error" in result.stdout


def test_a_lesson_without_tests_and_a_damaged_file_are_collection_errors(taught) -> None:
    learn(taught, KeptLesson(lesson(1), ()))
    (taught.root / "bad.lessons.json").write_text('{"schema": "causal.lessons/1",\n "lessons": [{"id": 3}]}')
    result = taught.run()
    assert result.returncode == 2
    assert "the lesson names no test" in result.stdout
    assert "bad.lessons.json:2" in result.stdout
    assert "2 errors" in result.stdout


def test_a_module_that_cannot_be_imported_is_told_as_such(taught) -> None:
    taught.write(**{"deep/test_it": "import no_such_module_at_all\n"})
    learn(taught, KeptLesson(lesson(1), (HEAVY,)))
    result = taught.run("kept.lessons.json")
    assert result.returncode == 2
    assert "no_such_module_at_all" in result.stdout
    assert "is gone" not in result.stdout


def test_an_idle_plugin_collects_no_lessons(taught) -> None:
    learn(taught, KeptLesson(lesson(1), ("gone.py::gone",)))
    result = taught.run("-p", "pytest_causal.plugin", causal=False)
    assert "4 passed" in taught.run(causal=False, PYTEST_DISABLE_PLUGIN_AUTOLOAD="").stdout
    assert result.returncode == 2  # asked for by another name it is active
