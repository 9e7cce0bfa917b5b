"""The working parts are imported as Python alone would, whatever pytest does with modules of plugins."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

from pytest_causal.finder import PartsFinder, step_back, step_forward

PACKAGE = Path(importlib.import_module("pytest_causal").__path__[0])


@pytest.fixture
def finders(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """The finders of this process, put back afterwards."""
    monkeypatch.setattr(sys, "meta_path", [each for each in sys.meta_path if each is not PartsFinder])
    return sys.meta_path  # type: ignore[return-value] # any finder is an object


def test_only_modules_of_this_package_are_found() -> None:
    found = PartsFinder.find_spec("pytest_causal.clock", [str(PACKAGE)])
    assert found is not None
    assert found.origin == str(PACKAGE / "clock.py")
    assert type(found.loader) is SourceFileLoader
    assert PartsFinder.find_spec("pytest_causal.nothing", [str(PACKAGE)]) is None
    for other in ("pytest_causal", "pytest_causally.clock", "json", "test_it"):
        assert PartsFinder.find_spec(other, None) is None


def test_it_is_asked_first_once_and_no_more_after_it_stepped_back(finders: list[object]) -> None:
    before = list(finders)
    step_forward()
    assert finders == [PartsFinder, *before]
    inner = object()
    finders.insert(0, inner)  # a session within this one has its own rewriting
    step_forward()
    assert finders == [PartsFinder, inner, *before]
    step_back()
    step_back()
    assert finders == [inner, *before]


def test_no_part_of_an_active_plugin_is_rewritten(tmp_path: Path) -> None:
    """pytest keeps what it rewrote in files of its own, which say so in their names."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(
        "import sys\n\n\ndef test_it():\n    assert 'PartsFinder' in repr(sys.meta_path[0])\n"
    )
    cache = tmp_path / "cache"
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CAUSAL_", "PYTEST_", "COV_"))
    }
    env |= {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPYCACHEPREFIX": str(cache),
        "PYTHONDONTWRITEBYTECODE": "",
    }
    # Named so, pytest marks the whole package for rewriting, as it does where plugins are loaded by themselves.
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "pytest_causal"]
    result = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    compiled = [path for path in cache.rglob("*.pyc") if "pytest_causal" in path.parts]
    rewritten = {path.name.partition(".")[0] for path in compiled if "-pytest-" in path.name}
    assert "plugin" in rewritten, "nothing was marked for rewriting, so this would show nothing"
    assert rewritten <= {"__init__", "plugin", "finder"}
    assert any(path.parent.name == "hooks" and path.name.startswith("recorder.") for path in compiled)
    assert (tmp_path / ".causal" / "history.db").exists()
