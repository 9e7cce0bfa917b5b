"""Records what stress and soak suites prove; promotes a change of policy only when the evidence depends on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

__version__ = "0.1.0"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Make ``-p pytest_causal`` mean ``-p causal``: without this it would load an empty package, silently."""
    if not pluginmanager.has_plugin("causal") and not pluginmanager.is_blocked("causal"):
        pluginmanager.import_plugin("pytest_causal.plugin")
