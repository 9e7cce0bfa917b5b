"""Every way of naming the plugin either turns it on or fails loudly; being installed turns nothing on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def run_pytest(
    folder: Path, *args: str, autoload: bool = True, plugins: str = ""
) -> subprocess.CompletedProcess[str]:
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CAUSAL_", "PYTEST_", "MM_"))
    }
    if not autoload:
        env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    if plugins:
        env["PYTEST_PLUGINS"] = plugins
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args]
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n")
    return tmp_path


def is_recorded(folder: Path) -> bool:
    return (folder / ".causal" / "history.db").exists()


@pytest.mark.parametrize("autoload", [True, False])
@pytest.mark.parametrize("name", ["causal", "pytest_causal", "pytest_causal.plugin"])
def test_each_name_given_with_p_turns_recording_on(folder: Path, name: str, autoload: bool) -> None:
    result = run_pytest(folder, "-p", name, autoload=autoload)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "causal: recording to" in result.stdout
    assert is_recorded(folder)


@pytest.mark.parametrize("autoload", [True, False])
def test_installed_alone_it_is_idle_and_makes_no_file(folder: Path, autoload: bool) -> None:
    result = run_pytest(folder, autoload=autoload)
    assert result.returncode == 0
    assert "causal:" not in result.stdout
    assert sorted(path.name for path in folder.iterdir() if path.name != "__pycache__") == [
        "pytest.ini",
        "test_it.py",
    ]


def test_idle_imports_nothing_beyond_the_entry_module(folder: Path) -> None:
    (folder / "conftest.py").write_text(
        "import sys\n"
        "def pytest_unconfigure():\n"
        "    print('LOADED', sorted(m for m in sys.modules if m.startswith('pytest_causal') or m == 'sqlite3'))\n"
    )
    result = run_pytest(folder, "-s")
    assert "LOADED ['pytest_causal', 'pytest_causal.plugin']" in result.stdout


def test_p30_no_causal_blocks_even_when_it_is_asked_for(folder: Path) -> None:
    result = run_pytest(folder, "-p", "causal", "-p", "no:causal")
    assert not is_recorded(folder)
    assert "causal:" not in result.stdout


def test_no_pytest_causal_blocks_too(folder: Path) -> None:
    run_pytest(folder, "-p", "causal", "-p", "no:pytest_causal")
    assert not is_recorded(folder)


def test_addopts_turns_it_on(folder: Path) -> None:
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p causal\n")
    assert run_pytest(folder).returncode == 0
    assert is_recorded(folder)


@pytest.mark.parametrize("autoload", [True, False])
def test_a_conftest_that_names_it_turns_it_on_or_fails(folder: Path, autoload: bool) -> None:
    (folder / "conftest.py").write_text("pytest_plugins = ['pytest_causal.plugin']\n")
    result = run_pytest(folder, autoload=autoload)
    assert is_recorded(folder) or result.returncode not in (0, 5)


def test_a_conftest_that_names_the_entry_point_turns_it_on(folder: Path) -> None:
    (folder / "conftest.py").write_text("pytest_plugins = ['causal']\n")
    result = run_pytest(folder)
    assert is_recorded(folder), result.stdout + result.stderr


@pytest.mark.parametrize("name", ["pytest_causal", "pytest_causal.plugin"])
@pytest.mark.parametrize("autoload", [True, False])
def test_the_plugins_variable_turns_it_on_or_fails(folder: Path, name: str, autoload: bool) -> None:
    result = run_pytest(folder, autoload=autoload, plugins=name)
    assert is_recorded(folder) or result.returncode not in (0, 5)


def test_a_flag_given_to_an_idle_plugin_is_an_error_that_says_what_to_do(folder: Path) -> None:
    result = run_pytest(folder, "--causal-store=x.db")
    assert result.returncode == 4
    assert "--causal-store needs the plugin to be active; add -p causal" in result.stderr


def test_idle_knows_the_marker_and_the_fixtures(folder: Path) -> None:
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    (folder / "causal.toml").write_text("[policy.limits]\nrows = 7\n")
    (folder / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.scenario('named')\n"
        "def test_it(causal_policy, causal_metric):\n"
        "    causal_metric('rows', causal_policy['limits']['rows'])\n"
        "    assert causal_policy['limits']['rows'] == 7\n"
    )
    result = run_pytest(folder)
    assert result.returncode == 0, result.stdout + result.stderr
    assert not is_recorded(folder)


def test_collect_only_records_nothing(folder: Path) -> None:
    assert run_pytest(folder, "-p", "causal", "--collect-only").returncode == 0
    assert not is_recorded(folder)


def test_required_plugins_guards_against_a_missing_plugin(folder: Path) -> None:
    (folder / "pytest.ini").write_text("[pytest]\nrequired_plugins = pytest-causal\n")
    assert run_pytest(folder, "-p", "causal").returncode == 0
    assert run_pytest(folder, autoload=False).returncode == 4
