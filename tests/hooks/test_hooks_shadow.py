"""A test that gates a candidate runs once more under it; that is recorded, shown, and changes nothing of the run."""

from __future__ import annotations

import json
import re
import subprocess
import xml.etree.ElementTree as ET
from collections import Counter

import pytest

from pytest_causal.model.run import Outcome, ReadHow

CONFIG = """
[policy.limits]
rows = 10
seconds = 1

[[promotion]]
name = "fast"
scenarios = ["heavy", "test_it.py::*"]
changes = {"limits.rows" = 20}
"""

HARMED = """
    import pytest

    @pytest.mark.scenario("heavy")
    def test_call(causal_policy): assert causal_policy["limits"]["rows"] == 10
    @pytest.fixture
    def needs_ten(causal_policy):
        if causal_policy["limits"]["rows"] != 10: raise OSError("no room")
        yield
    def test_setup(needs_ten): pass
    @pytest.fixture
    def ends_with_ten(causal_policy):
        yield
        assert causal_policy["limits"]["rows"] == 10, "left too much"
    def test_teardown(ends_with_ten): pass
    @pytest.mark.parametrize("x", [1, 2])
    def test_many(x, causal_policy): assert causal_policy["limits"]["rows"] * x != 40
    def test_helped(causal_policy): assert causal_policy["limits"]["rows"] >= 10
    def test_skipped(causal_policy):
        if causal_policy["limits"]["rows"] == 20: pytest.skip("too much")
    @pytest.mark.xfail(strict=True)
    def test_strict(causal_policy): assert causal_policy["limits"]["rows"] == 20
    @pytest.mark.scenario("not-gating")
    def test_not_gating(causal_policy): assert causal_policy["limits"]["rows"] == 10
    def test_without_policy(): pass
"""

SHADOWS = {
    "test_call[causal:fast]": "failed",
    "test_setup[causal:fast]": "error",
    "test_teardown[causal:fast]": "error",
    "test_many[1-causal:fast]": "passed",
    "test_many[2-causal:fast]": "failed",
    "test_helped[causal:fast]": "passed",
    "test_skipped[causal:fast]": "skipped",
    "test_strict[causal:fast]": "xpassed",
}
CONTROLS = {
    **dict.fromkeys(
        ("test_call", "test_setup", "test_teardown", "test_many[1]", "test_many[2]", "test_helped"), "passed"
    ),
    **dict.fromkeys(("test_skipped", "test_not_gating", "test_without_policy"), "passed"),
    "test_strict": "xfailed",
}


@pytest.fixture
def harmed(suite):
    (suite.root / "causal.toml").write_text(CONFIG)
    return suite.write(test_it=HARMED)


def counts(output: str) -> Counter[str]:
    """What pytest's closing line counts, by word, without the shadows and the time."""
    (line,) = [line for line in output.splitlines() if re.search(r" in \d+\.\d+s", line)][-1:]
    found = re.findall(r"(\d+) ((?:shadow )?\w+)", line.split(" in ")[0])
    return Counter({word: int(number) for number, word in found if not word.startswith("shadow")})


def test_the_exit_code_and_the_counts_are_those_of_a_run_without_shadows(harmed, distribution) -> None:
    without = harmed.run(*distribution)
    shadowed = harmed.run(*distribution, "--causal-shadow")
    assert shadowed.returncode == without.returncode == 0, shadowed.stdout
    assert counts(shadowed.stdout) == counts(without.stdout) == {"passed": 9, "xfailed": 1}
    assert "3 shadow failed" in shadowed.stdout
    assert "2 shadow error" in shadowed.stdout


def test_a_failure_of_the_run_itself_is_still_one(harmed, distribution) -> None:
    harmed.write(test_bad="def test_bad(causal_policy): assert causal_policy['limits']['rows'] == 20")
    assert harmed.run(*distribution).returncode == 1
    shadowed = harmed.run(*distribution, "--causal-shadow")
    assert shadowed.returncode == 1
    assert counts(shadowed.stdout)["failed"] == 1


def test_shadows_are_recorded_as_they_were_and_control_items_keep_their_ids(harmed, distribution) -> None:
    harmed.run(*distribution, "--causal-shadow")
    runs = harmed.by_test()
    assert {name: str(run.outcome) for name, run in runs.items()} == SHADOWS | CONTROLS
    for name, run in runs.items():
        is_shadow = name in SHADOWS
        assert run.arm == ("candidate:fast" if is_shadow else "control")
        control = re.sub(r"-?causal:fast|\[causal:fast\]", "", run.nodeid)
        assert run.scenario == ("heavy" if "test_call" in name else
                                "not-gating" if "not_gating" in name else control)  # fmt: skip
        values = {read.path: read.value for read in run.reads}
        if "limits.rows" in values:
            assert values == {"limits.rows": "20" if is_shadow else "10"}
    assert runs["test_strict[causal:fast]"].is_failure
    cause = runs["test_call[causal:fast]"].cause
    assert cause is not None
    assert (cause.phase, cause.type) == ("call", "AssertionError")
    assert "20 == 10" in cause.message


def test_the_section_says_why_a_shadow_failed(harmed, distribution) -> None:
    said = harmed.run(*distribution, "--causal-shadow", "--causal-shadow-seed=7").stdout
    assert "candidate:fast: 2 passed, 2 failed, 2 error, 1 skipped, 1 xpassed (seed 7)" in said
    assert re.search(r"failed +test_it.py::test_call\[causal:fast\]\n +.*20 == 10", said)
    assert "OSError: no room" in said
    assert "FAILURES" not in said
    assert "in the shadow of candidate:fast (seed 7)" in said
    (letters,) = re.findall(r"^(?:test_it.py )?([.cCkx]{19}) +\[100%\]$", said, flags=re.MULTILINE)
    assert Counter(letters) == {
        ".": 9,
        "x": 1,
        "c": 3,
        "C": 5,
        "k": 1,
    }  # an error in teardown is told after the pass


def test_the_verdicts_are_on_the_policy_in_force(harmed, distribution) -> None:
    harmed.run(*distribution)
    harmed.run(*distribution, "--causal-shadow", "-v")
    said = harmed.run(*distribution, "--causal-shadow", "-v").stdout
    assert "rejected" not in said
    assert re.search(r"not yet +heavy\n +3 runs in 3 sessions, none failed", said)
    status = json.loads(harmed.causal("status", "--json"))
    (heavy,) = [each for each in status["scenarios"] if each["scenario"] == "heavy"]
    assert (heavy["runs"], heavy["failed"]) == (3, 0)


def test_stopping_at_the_first_failure_does_not_stop_at_a_shadow(harmed, distribution) -> None:
    result = harmed.run(*distribution, "--causal-shadow", "-x")
    assert result.returncode == 0
    assert counts(result.stdout)["passed"] == 9
    assert harmed.run(*distribution, "--causal-shadow", "--maxfail=1").returncode == 0


def test_failures_of_shadows_are_not_remembered_as_last_failed(harmed, distribution) -> None:
    def run(*args: str) -> str:
        command = [word for word in harmed.command(*distribution, *args) if word != "no:cacheprovider"]
        command.remove("-p")
        done = subprocess.run(
            command,
            cwd=harmed.root,
            env=harmed.env(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    run("--causal-shadow")
    assert not (harmed.root / ".pytest_cache/v/cache/lastfailed").exists()
    assert counts(run("--lf"))["passed"] == 9


def test_junitxml_counts_no_failure_of_a_shadow(harmed, distribution) -> None:
    harmed.run(*distribution, "--causal-shadow", "--junitxml=out.xml")
    (summary,) = ET.parse(harmed.root / "out.xml").iter("testsuite")
    assert (summary.get("failures"), summary.get("errors")) == ("0", "0")
    told = {
        case.get("name"): case[0].get("message") for case in ET.parse(harmed.root / "out.xml").iter("testcase")
        if len(case)
    }  # fmt: skip
    assert "shadow failed under candidate:fast" in str(told["test_call[causal:fast]"])


def test_a_shadow_is_not_rerun(harmed, distribution) -> None:
    result = harmed.run(
        *distribution, "-p", "rerunfailures", "--reruns=2", "--fail-on-flaky", "--causal-shadow"
    )
    assert result.returncode == 0, result.stdout
    assert "rerun" not in counts(result.stdout)
    assert harmed.outcomes() == SHADOWS | CONTROLS


@pytest.mark.needs_xdist
def test_a_candidate_that_crashes_the_worker_speaks_against_itself(suite) -> None:
    (suite.root / "causal.toml").write_text(CONFIG)
    suite.write(
        test_it="""
        import os
        def test_crash(causal_policy):
            if causal_policy["limits"]["rows"] == 20: os._exit(1)
        def test_other(): pass
        """,
    )
    result = suite.run("-n2", "--causal-shadow")
    assert result.returncode == 0, result.stdout
    assert "crashed while running" in result.stdout
    crashed = suite.by_test()["test_crash[causal:fast]"]
    assert (crashed.outcome, crashed.arm, crashed.scenario) == (
        Outcome.CRASHED, "candidate:fast", "test_it.py::test_crash",
    )  # fmt: skip
    assert [(read.path, read.value, read.how) for read in crashed.reads] == [
        ("limits.rows", "20", ReadHow.ASSIGNED)
    ]
    assert counts(result.stdout) == {"passed": 2}


def test_a_failure_before_the_first_read_is_assigned_and_a_pass_is_not(suite, distribution) -> None:
    (suite.root / "causal.toml").write_text(CONFIG)
    suite.write(
        test_it="""
        import pytest
        @pytest.fixture
        def early(request):
            if "causal:" in request.node.name: raise OSError("first")
        def test_early(early, causal_policy): pass
        def test_unread(causal_policy): pass
        def test_skip(request, causal_policy):
            if "causal:" in request.node.name: pytest.skip("away")
        def test_xfail(request, causal_policy):
            if "causal:" in request.node.name: pytest.xfail("known")
        """
    )
    assert suite.run(*distribution, "--causal-shadow").returncode == 0
    reads = {name: run.reads for name, run in suite.by_test().items() if run.arm != "control"}
    assert {name: [read.how for read in taken] for name, taken in reads.items()} == {
        "test_early[causal:fast]": [ReadHow.ASSIGNED],
        "test_skip[causal:fast]": [ReadHow.ASSIGNED],
        "test_unread[causal:fast]": [],
        "test_xfail[causal:fast]": [],
    }


def test_a_shadow_that_never_ran_is_missing_and_says_nothing_of_todays_policy(suite) -> None:
    (suite.root / "causal.toml").write_text(CONFIG)
    suite.write(
        test_it="""
        import pytest
        def test_a(): pytest.exit("enough")
        def test_b(causal_policy): pass
        """
    )
    suite.run("--causal-shadow")
    missing = suite.by_test()["test_b[causal:fast]"]
    assert (missing.outcome, missing.scenario) == (Outcome.MISSING, "test_it.py::test_b")
    assert [read.how for read in missing.reads] == [ReadHow.ASSIGNED]
    assert suite.by_test()["test_b"].reads == ()


def test_a_marker_without_an_id_names_the_control_item(suite, distribution) -> None:
    (suite.root / "causal.toml").write_text(CONFIG)
    suite.write(
        test_it="""
        import pytest
        @pytest.mark.scenario(min_runs=7, reads=["limits.rows"])
        def test_a(causal_policy): pass
        """
    )
    suite.run(*distribution, "--causal-shadow")
    runs = suite.by_test()
    assert {run.scenario for run in runs.values()} == {"test_it.py::test_a"}
    assert {name: [(read.value, read.how) for read in run.reads] for name, run in runs.items()} == {
        "test_a": [("10", ReadHow.DECLARED)],
        "test_a[causal:fast]": [("20", ReadHow.DECLARED)],
    }


def order_of(suite, *args: str) -> list[str]:
    said = suite.run("--causal-shadow", "--collect-only", "-q", *args).stdout
    return [line for line in said.splitlines() if "::" in line]


def test_the_order_is_random_by_the_seed_and_keeps_modules_together(inner) -> None:
    (inner.root / "causal.toml").write_text(CONFIG.replace("test_it.py::*", "*"))
    for name in "ab":
        inner.write(**{f"test_{name}": "".join(f"def test_{n}(causal_policy): pass\n" for n in range(8))})
    orders = [order_of(inner, f"--causal-shadow-seed={seed}") for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])
    for order in orders:
        assert [nodeid.partition("::")[0] for nodeid in order] == ["test_a.py"] * 16 + ["test_b.py"] * 16
        pairs = [
            {nodeid.partition("[")[0] for nodeid in order[place : place + 2]} for place in range(0, 32, 2)
        ]
        assert all(len(pair) == 1 for pair in pairs)
    first = Counter("causal" in nodeid for nodeid in orders[0][::2])
    assert 0 < first[True] < 16


def test_a_fresh_seed_is_drawn_and_printed(inner) -> None:
    (inner.root / "causal.toml").write_text(CONFIG)
    inner.write(test_it="def test_a(causal_policy): pass\n")
    seeds = {re.search(r"\(seed (\d+)\)", inner.run("--causal-shadow").stdout)[1] for _ in range(2)}  # type: ignore[index]
    assert len(seeds) == 2
    assert "0" not in seeds


def test_several_candidates_have_a_shadow_each_and_assumed_ones_none(inner) -> None:
    more = """
    [[promotion]]
    name = "fast-er"
    scenarios = ["heavy"]
    changes = {"limits.rows" = 30}
    [[promotion]]
    name = "assumed"
    scenarios = ["heavy"]
    changes = {"limits.rows" = 40}
    evidence = "control"
    [[promotion]]
    name = "in-force"
    scenarios = ["heavy"]
    changes = {"limits.rows" = 10}
    """
    (inner.root / "causal.toml").write_text(CONFIG + more)
    inner.write(
        test_it="""
        import pytest
        @pytest.mark.scenario("heavy")
        def test_a(causal_policy): assert causal_policy["limits"]["rows"] in (10, 20, 30)
        """
    )
    assert inner.run("--causal-shadow").returncode == 0
    runs = inner.by_test()
    assert {name: run.arm for name, run in runs.items()} == {
        "test_a": "control",
        "test_a[causal:fast]": "candidate:fast",
        "test_a[causal:fast-er]": "candidate:fast-er",
    }


def test_without_an_open_candidate_nothing_runs_twice(inner) -> None:
    (inner.root / "causal.toml").write_text("[policy]\na = 1\n")
    inner.write(test_it="def test_a(causal_policy): pass\n")
    said = inner.run("--causal-shadow").stdout
    assert "no candidate is open" in said
    assert list(inner.by_test()) == ["test_a"]


def test_a_test_with_values_of_its_own_for_the_fixture_is_left_alone(inner) -> None:
    (inner.root / "causal.toml").write_text(CONFIG)
    inner.write(
        test_it="""
        import pytest
        @pytest.mark.parametrize("causal_policy", [{"rows": 1}])
        def test_a(causal_policy): assert causal_policy == {"rows": 1}
        """
    )
    assert inner.run("--causal-shadow").returncode == 0
    assert len(inner.runs()) == 1


def test_in_process_targets_follow_the_arm_and_nothing_outlives_it(suite, distribution) -> None:
    (suite.root / "causal.toml").write_text('targets = ["service:LIMITS"]\n' + CONFIG)
    (suite.root / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    suite.write(
        service='LIMITS = {"limits": {"rows": 5, "name": "kept"}}\n',
        conftest="""
        import pytest, service
        @pytest.fixture(scope="session")
        def server(): return dict(service.LIMITS["limits"])
        """,
        test_it="""
        import pytest, service
        @pytest.fixture(scope="module")
        def module_server(server):
            yield dict(server)
            assert service.LIMITS["limits"]["rows"] == server["rows"]
        @pytest.mark.parametrize("x", range(4))
        def test_a(x, causal_policy, server, module_server):
            wanted = {"rows": causal_policy["limits"]["rows"], "name": "kept"}
            assert service.LIMITS["limits"] == server == module_server == wanted
        def test_control(server): assert server["rows"] == service.LIMITS["limits"]["rows"] == 10
        """,
    )
    for seed in ("1", "2", "3"):
        result = suite.run(*distribution, "--causal-shadow", f"--causal-shadow-seed={seed}")
        assert result.returncode == 0, result.stdout
        assert "4 shadow passed" in result.stdout
        assert "shadow error" not in result.stdout


def test_subtests_of_a_shadow_are_masked_as_well(suite) -> None:
    pytest.importorskip("_pytest.subtests", reason="subtests came with pytest 9")
    (suite.root / "causal.toml").write_text(CONFIG)
    suite.write(
        test_it="""
        def test_a(subtests, causal_policy):
            with subtests.test("one"): assert causal_policy["limits"]["rows"] == 10
        """
    )
    result = suite.run("--causal-shadow")
    assert result.returncode == 0, result.stdout
    assert {name: str(run.outcome) for name, run in suite.by_test().items()} == {
        "test_a": "passed",
        "test_a[causal:fast]": "failed",
    }


def test_a_shadow_can_be_selected_alone(inner) -> None:
    (inner.root / "causal.toml").write_text(CONFIG)
    inner.write(test_it="def test_a(causal_policy): assert 0\n")
    result = inner.run("--causal-shadow", "test_it.py::test_a[causal:fast]")
    assert result.returncode == 0
    assert list(inner.by_test()) == ["test_a[causal:fast]"]


def test_deselected_items_that_gate_nothing_are_not_counted(inner) -> None:
    (inner.root / "causal.toml").write_text(CONFIG.replace("test_it.py::*", "test_it.py::test_a*"))
    inner.write(test_it="def test_a(causal_policy): pass\ndef test_b(causal_policy): pass\n")
    said = inner.run("--causal-shadow", "-k", "test_a").stdout
    assert "1 deselected" in said


def test_a_fault_of_ours_leaves_no_shadow_that_could_be_taken_for_a_test(harmed, distribution) -> None:
    harmed.write(
        conftest="""
        from pytest_causal.hooks import shadow
        def broken(*args): raise RuntimeError("a bug")
        shadow._is_gated = broken
        """
    )
    result = harmed.run(*distribution, "--causal-shadow")
    assert result.returncode == 0, result.stdout
    assert counts(result.stdout) == {"passed": 9, "xfailed": 1}
    assert "shadow failed" not in result.stdout
    assert "internal error: RuntimeError: a bug" in result.stdout
    assert {run.arm for run in harmed.runs()} == {"control"}
