"""Records what stress and soak suites prove; promotes a change of policy only when the evidence depends on it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

    from pytest_causal.policy.loading import load_policy

__all__ = ["__version__", "load_policy"]
__version__ = "0.1.0"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Make ``-p pytest_causal`` mean ``-p causal``: without this it would load an empty package, silently."""
    if not pluginmanager.has_plugin("causal") and not pluginmanager.is_blocked("causal"):
        pluginmanager.import_plugin("pytest_causal.plugin")


def __getattr__(name: str) -> Any:
    """Load what a program asks for by name when it asks: an idle plugin does not pay for it."""
    if name == "load_policy":
        return importlib.import_module("pytest_causal.policy.loading").load_policy
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
