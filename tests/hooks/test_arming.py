"""Which parts stand in a process follows from what was asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

CONFIG = '[policy]\na = 1\n[[promotion]]\nname = "fast"\nscenarios = ["*"]\nchanges = {a = 2}\n'
PRINTS = """
def pytest_sessionstart(session):
    names = {name for name, _ in session.config.pluginmanager.list_name_plugin() if name}
    print("PARTS", *sorted(names & {"causal-arm-header", "causal-shadow-reports", "causal-shadow-items"}))
"""


@pytest.mark.parametrize(
    ("args", "parts"),
    [
        ((), ""),
        (("--causal-shadow",), "causal-arm-header causal-shadow-items causal-shadow-reports"),
        (("--causal-arm=candidate:fast",), "causal-arm-header"),
        (("--causal-shadow", "--causal-set=a=2"), "causal-arm-header"),
    ],
)
def test_a_part_is_there_where_it_has_work_to_do(inner, args, parts) -> None:
    (inner.root / "causal.toml").write_text(CONFIG)
    inner.write(conftest=PRINTS, test_it="def test_it(causal_policy): pass\n")
    said = inner.run("-s", *args).stdout
    assert f"PARTS {parts}".strip() in [line.strip() for line in said.splitlines()]


def test_a_session_that_asks_for_neither_imports_nothing_of_it(suite) -> None:
    (suite.root / "causal.toml").write_text(CONFIG)
    suite.write(
        test_it="""
        import sys
        def test_it(causal_policy):
            ours = {"arms", "arming", "shadow", "masking", "lessons", "specs", "extensions", "measuring"}
            assert not {f"pytest_causal.hooks.{name}" for name in ours} & set(sys.modules)
            assert "pytest_causal.policy.candidates" not in sys.modules
        """
    )
    assert suite.run().returncode == 0


def test_extensions_do_without_pytest() -> None:
    code = "import sys, pytest_causal.hooks.extensions; sys.exit('pytest' in sys.modules or '_pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
