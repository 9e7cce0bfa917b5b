"""A session under a candidate's policy, and what is known of an arm from a node id alone."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.hooks.arms import Arm, Shadows
from pytest_causal.model.run import Outcome, Read, ReadHow
from pytest_causal.policy.mapping import PolicyMapping

CONFIG = """
[policy.limits]
rows = 10
seconds = 1
[bounds]
"limits.seconds" = {max = 5}

[[promotion]]
name = "fast"
scenarios = ["*"]
changes = {"limits.rows" = 20}
[[promotion]]
name = "in-force"
scenarios = ["*"]
changes = {"limits.rows" = 10}
"""


@pytest.fixture
def project(inner):
    (inner.root / "causal.toml").write_text(CONFIG)
    return inner


def arm(name: str) -> Arm:
    changed = (Read("rows", "20", ReadHow.ASSIGNED),)
    return Arm(name, ("heavy", "test_*"), PolicyMapping.of({"rows": 20, "token": "t"}, ["token"]), changed)


def test_the_whole_session_runs_under_the_candidate(suite, distribution) -> None:
    (suite.root / "causal.toml").write_text('targets = ["service:LIMITS"]\n' + CONFIG)
    (suite.root / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    suite.write(
        service='LIMITS = {"limits": {"rows": 5}}\n',
        test_it="""
        import pytest, service
        def test_read(causal_policy): assert causal_policy["limits"]["rows"] == 20
        def test_target(): assert service.LIMITS["limits"]["rows"] == 20
        def test_fails(): assert 0
        @pytest.mark.skip
        def test_skips(): pass
        """,
    )
    result = suite.run(*distribution, "--causal-arm=candidate:fast")
    assert result.returncode == 1
    assert "every run is made under candidate:fast (limits.rows = 20)" in result.stdout
    runs = suite.by_test()
    assert {run.arm for run in runs.values()} == {"candidate:fast"}
    assert {name: [(read.value, read.how) for read in run.reads] for name, run in runs.items()} == {
        "test_read": [("20", ReadHow.TRACKED)],
        "test_target": [],
        "test_fails": [("20", ReadHow.ASSIGNED)],
        "test_skips": [("20", ReadHow.ASSIGNED)],
    }


def test_its_fingerprint_is_that_of_the_policy_with_the_change_made(project) -> None:
    project.write(test_it="def test_it(causal_policy): causal_policy['limits']['rows']\n")
    for args in (["--causal-arm=candidate:fast"], ["--causal-set=limits.rows=20"], []):
        project.run(*args)
    candidate, same, control = [session.facts.policy_fingerprint for session in project.sessions()][::-1]
    assert candidate == same != control


def test_its_runs_are_not_shown_as_evidence_on_the_policy_in_force(project) -> None:
    project.write(
        test_it="""
        def test_it(causal_policy): assert causal_policy["limits"]["rows"] == 10
        def test_only(causal_policy): causal_policy["limits"]["rows"]
        """
    )
    project.run("-k", "test_it")
    said = project.run("--causal-arm=candidate:fast").stdout
    section = said.partition("= causal =")[2]
    assert "made under candidate:fast; the verdicts are on the policy in force" in section
    assert "not yet" not in section
    assert "rejected" not in section
    status = {each["scenario"]: each for each in json.loads(project.causal("status", "--json"))["scenarios"]}
    assert (status["test_it.py::test_it"]["runs"], status["test_it.py::test_it"]["failed"]) == (1, 0)
    said = project.run("-k", "test_it").stdout
    assert "2 runs in 2 sessions, none failed" in said


def test_a_collection_error_under_a_candidate_speaks_against_it_alone(project) -> None:
    project.write(test_it="import no_such_module_at_all\n")
    assert project.run("--causal-arm=candidate:fast").returncode == 2
    (run,) = project.runs()
    assert (run.outcome, run.arm) == (Outcome.ERROR, "candidate:fast")
    assert [read.how for read in run.reads] == [ReadHow.ASSIGNED]


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (
            ["--causal-arm=candidate:fsat"],
            r"--causal-arm: there is no promotion 'fsat'; did you mean 'fast'\?",
        ),
        (["--causal-arm=fast"], r"there is no arm 'fast'; .*candidate:fast"),
        (["--causal-arm=candidate:in-force"], "the change of promotion 'in-force' is in force already"),
        (["--causal-arm=candidate:fast", "--causal-shadow"], "a shadow stands beside today's policy"),
        (
            ["--causal-arm=candidate:fast", "--causal-set=limits.rows=20"],
            "the change of promotion 'fast' is in force already",
        ),
    ],
)
def test_an_arm_that_cannot_be_is_a_usage_error(project, args, problem) -> None:
    project.write(test_it="def test_it(): pass\n")
    result = project.run(*args)
    assert result.returncode == 4
    assert re.search(problem, result.stderr)


def test_a_change_out_of_bounds_is_refused(project) -> None:
    config = project.root / "causal.toml"
    slow = '[[promotion]]\nname = "slow"\nscenarios = ["*"]\nchanges = {"limits.seconds" = 6}\n'
    config.write_text(config.read_text() + slow)
    project.write(test_it="def test_it(): pass\n")
    result = project.run("--causal-arm=candidate:slow")
    assert result.returncode == 4
    assert "out of bounds" in result.stderr


def test_an_arm_travels_to_a_worker_whole() -> None:
    shadows = Shadows([arm("a"), arm("b")], 7)
    copied = Shadows.from_json(shadows.to_json())
    assert copied.seed == 7
    assert list(copied.arms) == ["a", "b"]
    for name, each in shadows.arms.items():
        other = copied.arms[name]
        assert (other.name, other.patterns, other.changed) == (each.name, each.patterns, each.changed)
        assert other.mapping.to_json() == each.mapping.to_json()
    assert "sha256" in str(copied.arms["a"].mapping.declared(["token"]))


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,8}", fullmatch=True)
IDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=5)


@given(st.sets(NAMES, min_size=1, max_size=4), st.data())
def test_the_node_id_of_a_shadow_says_whose_it_is(names: set[str], data: st.DataObject) -> None:
    shadows = Shadows(map(arm, sorted(names)), 1)
    name = data.draw(st.sampled_from(sorted(names)))
    ids = data.draw(st.lists(IDS, max_size=2))
    group = data.draw(st.sampled_from(["", "@group"]))
    control = f"a/test_x.py::T::test{'[' + '-'.join(ids) + ']' if ids else ''}"
    shadow = f"a/test_x.py::T::test[{'-'.join([*ids, 'causal:' + name])}]"
    found, its_arm = shadows.split(shadow + group)
    assert (found, its_arm and its_arm.name) == (control + group, name)
    assert shadows.split(control + group) == (control + group, None)


def test_a_parameter_that_is_added_later_stays() -> None:
    shadows = Shadows([arm("a")], 1)
    assert shadows.split("t.py::t[causal:a-1]")[0] == "t.py::t[1]"
    assert shadows.split("t.py::t[x-causal:a-1]")[0] == "t.py::t[x-1]"
    assert shadows.split("t.py::t[causal:unknown]") == ("t.py::t[causal:unknown]", None)
    assert shadows.split("t.py::t[xcausal:a]") == ("t.py::t[xcausal:a]", None)
