"""The comparison that is made on real projects holds on a small suite, and finds a store that is wrong."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

SUITE = """
import pytest

def test_passed(): pass
def test_failed(): assert 1 == 2
@pytest.fixture
def broken(): raise RuntimeError("set-up broke")
def test_error(broken): pass
@pytest.mark.skip(reason="not today")
def test_skipped(): pass
@pytest.mark.xfail(reason="known")
def test_xfailed(): assert False
@pytest.mark.xfail(reason="mended")
def test_xpassed(): pass
@pytest.mark.xfail(strict=True)
def test_strict(): pass
@pytest.mark.parametrize("text", ["a - b", "a b", "[]", "::"])
def test_ids(text): assert text != "a b"
"""


@pytest.fixture(scope="module")
def comparison():
    path = Path(__file__).with_name("compare.py")
    spec = importlib.util.spec_from_file_location("causal_compare_projects", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.needs_xdist)])
def test_the_store_agrees_with_pytest_on_a_small_suite(comparison, tmp_path: Path, workers: int) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_small.py").write_text(SUITE)
    result = comparison.compare(sys.executable, tmp_path, name="small", workers=workers)
    assert result.differences == ()
    assert result.tests == 11
    assert result.exit_code == 1


def test_a_store_that_is_wrong_is_found_out(comparison, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_small.py").write_text(SUITE)
    told = comparison._stored

    def tampered(store: Path):
        return [run._replace(outcome=comparison.Outcome.PASSED, cause=None) for run in told(store)]

    monkeypatch.setattr(comparison, "_stored", tampered)
    result = comparison.compare(sys.executable, tmp_path, name="small")
    assert any("junitxml" in difference for difference in result.differences)
    assert any("-rA" in difference for difference in result.differences)
