from __future__ import annotations

import sqlite3
import sys
from typing import TYPE_CHECKING

import pytest

import pytest_causal
from pytest_causal.model.run import Outcome
from pytest_causal.model.session import SessionState
from pytest_causal.settings.table import SETTINGS

if TYPE_CHECKING:
    from tests.cli.conftest import Project

PASSED = Outcome.PASSED


def test_a_healthy_store(project: Project) -> None:
    project.record({"x": PASSED, "y": PASSED})
    document = project.json("doctor")
    health = document["health"]
    assert (health["sessions"], health["runs"], health["scenarios"], health["is_deep"]) == (1, 2, 2, False)
    assert health["size_bytes"] >= project.store.stat().st_size
    assert document["problems"] == []
    assert "no problems found" in project.causal("doctor").stdout


def test_deep(project: Project) -> None:
    project.record({"x": PASSED})
    assert project.json("doctor", "--deep")["health"]["is_deep"] is True


def test_versions(project: Project) -> None:
    project.record({"x": PASSED})
    versions = project.json("doctor")["versions"]
    assert versions["pytest-causal"] == pytest_causal.__version__
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert versions["pytest"] == pytest.__version__
    assert versions["sqlite"] == sqlite3.sqlite_version


def test_every_setting_with_its_origin(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.record({"x": PASSED})
    (project.root / "causal.toml").write_text("strict = true\n[criteria]\nmin_runs = 7\n")
    monkeypatch.setenv("CAUSAL_MIN_SESSIONS", "5")
    settings = project.json("doctor", "--store", ".causal/history.db")["settings"]
    assert [row["name"] for row in settings] == [setting.key for setting in SETTINGS]
    found = {row["name"]: (row["value"], row["origin"], row["place"]) for row in settings}
    assert found["store"] == (str(project.store), "flag", "--store")
    assert found["strict"] == (True, "file", f"{project.root / 'causal.toml'}:1")
    assert found["criteria.min_runs"] == (7, "file", f"{project.root / 'causal.toml'}:3")
    assert found["criteria.min_sessions"] == (5, "env", "CAUSAL_MIN_SESSIONS")
    assert found["criteria.alpha"] == (0.05, "default", None)


def test_no_store_exits_66(project: Project) -> None:
    document = project.json("doctor", code=66)
    assert document["health"] is None
    result = project.causal("doctor")
    assert result.exit_code == 66
    assert "nothing is recorded yet" in result.stdout
    assert project.causal("doctor", "--store", "nowhere.db").exit_code == 66
    assert not project.store.parent.exists()


def test_damage_is_a_problem_with_what_to_do(project: Project) -> None:
    project.record({f"s{number}": PASSED for number in range(400)})
    content = bytearray(project.store.read_bytes())
    page = int.from_bytes(content[16:18], "big")
    content[6 * page : 9 * page] = b"\xaa" * (3 * page)
    project.store.write_bytes(content)
    document = project.json("doctor", "--deep", code=1)
    assert document["problems"]
    shown = project.causal("doctor", "--deep")
    assert shown.exit_code == 1
    assert "found" in shown.stdout
    assert project.store.read_bytes() == content  # it only looks


def test_a_file_that_is_no_store_is_a_problem(project: Project) -> None:
    (project.root / "notes.db").write_text("shopping list\n" * 400)
    document = project.json("doctor", "--store", "notes.db", code=1)
    assert document["health"] is None
    assert document["problems"][0]["remedy"]


def test_quarantined_files_are_named(project: Project) -> None:
    project.record({"x": PASSED})
    aside = project.store.with_name("history.db.corrupt-20260101T000000.000000Z")
    aside.write_bytes(b"what was left")
    document = project.json("doctor", code=1)
    assert document["health"]["quarantined"] == [str(aside)]
    assert str(aside) in document["problems"][0]["what"]
    assert "recover" in document["problems"][0]["remedy"]


def test_sessions_left_by_a_killed_process_are_told_from_those_under_way(project: Project) -> None:
    dead = project.record({"x": PASSED}, state=SessionState.RUNNING, process="999999999:1")
    alive = project.record({"x": PASSED}, state=SessionState.RUNNING)
    document = project.json("doctor")
    assert [each["session"] for each in document["left_running"]] == [dead]
    assert [each["session"] for each in document["recording"]] == [alive]
    shown = project.causal("doctor").stdout
    assert f"recording now: session {alive}" in shown
    assert f"concluded by the next recording: session {dead}" in shown


@pytest.mark.parametrize(
    ("config", "env", "is_active"),
    [
        ("[pytest]\n", "", False),
        ("[pytest]\naddopts = -p causal\n", "", True),
        ("[pytest]\naddopts = -p causal\n", "-p no:causal", False),
        ("[pytest]\n", "-pcausal", True),
    ],
)
def test_whether_the_plugin_would_record(
    project: Project, monkeypatch: pytest.MonkeyPatch, config: str, env: str, is_active: bool
) -> None:
    project.record({"x": PASSED})
    (project.root / "pytest.ini").write_text(config)
    monkeypatch.setenv("PYTEST_ADDOPTS", env)
    assert project.json("doctor")["plugin"]["is_active"] is is_active


def test_a_policy_that_cannot_be_resolved_is_a_problem(project: Project) -> None:
    project.record({"x": PASSED})
    (project.root / "causal.toml").write_text('profile = "no_such_profile"\n')
    (problem,) = project.json("doctor", code=1)["problems"]
    assert "no_such_profile" in problem["what"]


def test_settings_below_the_root_are_a_problem_because_nobody_reads_them(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.record({"x": PASSED})
    (project.root / "pytest.ini").write_text("[pytest]\n")
    inner = project.root / "inner"
    inner.mkdir()
    (inner / "causal.toml").write_text("strict = true\n")
    monkeypatch.chdir(inner)
    (problem,) = project.json("doctor", code=1)["problems"]
    assert problem["what"].startswith(f"{inner / 'causal.toml'} is not read: ")


def test_settings_that_cannot_be_used_exit_78(project: Project) -> None:
    (project.root / "causal.toml").write_text("stroe = 'x'\n")
    result = project.causal("doctor")
    assert (result.exit_code, result.stdout) == (78, "")
    assert "causal.toml:1" in result.stderr


def test_t16_a_password_in_a_url_is_not_shown(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSAL_STORE", "postgresql://me:hunter2@host/db?password=hunter2")
    for arguments in (["doctor"], ["doctor", "--json"], ["status"], ["history"]):
        result = project.causal(*arguments)
        assert result.exit_code not in {0, 70}
        assert "hunter2" not in result.stdout + result.stderr
