"""Every way of naming the plugin either turns it on or fails loudly; being installed turns nothing on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CLEAN_ENV = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("CAUSAL_", "PYTEST_", "COV_", "MM_"))
}


def run_pytest(
    folder: Path, *args: str, autoload: bool = True, plugins: str = ""
) -> subprocess.CompletedProcess[str]:
    env = dict(CLEAN_ENV)
    if not autoload:
        env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    if plugins:
        env["PYTEST_PLUGINS"] = plugins
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n")
    return tmp_path


def is_recorded(folder: Path) -> bool:
    return (folder / ".causal" / "history.db").exists()


@pytest.mark.parametrize("autoload", [True, False])
@pytest.mark.parametrize("name", ["causal", "pytest_causal", "pytest_causal.plugin"])
def test_each_name_given_with_p_turns_recording_on(suite: Path, name: str, autoload: bool) -> None:
    result = run_pytest(suite, "-p", name, autoload=autoload)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "causal: recording to" in result.stdout
    assert is_recorded(suite)


@pytest.mark.parametrize("autoload", [True, False])
def test_installed_alone_it_is_idle_and_makes_no_file(suite: Path, autoload: bool) -> None:
    result = run_pytest(suite, autoload=autoload)
    assert result.returncode == 0
    assert "causal:" not in result.stdout
    assert sorted(path.name for path in suite.iterdir() if path.name != "__pycache__") == ["pytest.ini", "test_it.py"]


def test_idle_imports_nothing_beyond_the_entry_module(suite: Path) -> None:
    (suite / "conftest.py").write_text(
        "import sys\n"
        "def pytest_unconfigure():\n"
        "    print('LOADED', sorted(m for m in sys.modules if m.startswith('pytest_causal') or m == 'sqlite3'))\n"
    )
    result = run_pytest(suite, "-s")
    assert "LOADED ['pytest_causal', 'pytest_causal.plugin']" in result.stdout


def test_p30_no_causal_blocks_even_when_it_is_asked_for(suite: Path) -> None:
    result = run_pytest(suite, "-p", "no:causal", "-p", "causal")
    assert not is_recorded(suite)
    assert "causal:" not in result.stdout


def test_no_pytest_causal_blocks_too(suite: Path) -> None:
    run_pytest(suite, "-p", "causal", "-p", "no:pytest_causal")
    assert not is_recorded(suite)


def test_addopts_turns_it_on(suite: Path) -> None:
    (suite / "pytest.ini").write_text("[pytest]\naddopts = -p causal\n")
    assert run_pytest(suite).returncode == 0
    assert is_recorded(suite)


@pytest.mark.parametrize("autoload", [True, False])
def test_a_conftest_that_names_it_turns_it_on_or_fails(suite: Path, autoload: bool) -> None:
    (suite / "conftest.py").write_text("pytest_plugins = ['pytest_causal.plugin']\n")
    result = run_pytest(suite, autoload=autoload)
    assert is_recorded(suite) or result.returncode not in (0, 5)


def test_a_conftest_that_names_the_entry_point_turns_it_on(suite: Path) -> None:
    (suite / "conftest.py").write_text("pytest_plugins = ['causal']\n")
    result = run_pytest(suite)
    assert is_recorded(suite), result.stdout + result.stderr


@pytest.mark.parametrize("name", ["pytest_causal", "pytest_causal.plugin"])
@pytest.mark.parametrize("autoload", [True, False])
def test_the_plugins_variable_turns_it_on_or_fails(suite: Path, name: str, autoload: bool) -> None:
    result = run_pytest(suite, autoload=autoload, plugins=name)
    assert is_recorded(suite) or result.returncode not in (0, 5)


def test_a_flag_given_to_an_idle_plugin_is_an_error_that_says_what_to_do(suite: Path) -> None:
    result = run_pytest(suite, "--causal-store=x.db")
    assert result.returncode == 4
    assert "--causal-store needs the plugin to be active; add -p causal" in result.stderr


def test_idle_knows_the_marker_and_the_fixtures(suite: Path) -> None:
    (suite / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    (suite / "causal.toml").write_text("[policy.limits]\nrows = 7\n")
    (suite / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.scenario('named')\n"
        "def test_it(causal_policy, causal_metric):\n"
        "    causal_metric('rows', causal_policy['limits']['rows'])\n"
        "    assert causal_policy['limits']['rows'] == 7\n"
    )
    result = run_pytest(suite)
    assert result.returncode == 0, result.stdout + result.stderr
    assert not is_recorded(suite)


def test_collect_only_records_nothing(suite: Path) -> None:
    assert run_pytest(suite, "-p", "causal", "--collect-only").returncode == 0
    assert not is_recorded(suite)


def test_required_plugins_guards_against_a_missing_plugin(suite: Path) -> None:
    (suite / "pytest.ini").write_text("[pytest]\nrequired_plugins = pytest-causal\n")
    assert run_pytest(suite, "-p", "causal").returncode == 0
    assert run_pytest(suite, autoload=False).returncode == 4
