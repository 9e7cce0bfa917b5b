"""What pytest loads. Installed alone it stays idle: it registers a marker and two fixtures, and imports nothing more.

``-p causal`` turns recording on. So does every other way of naming the plugin on purpose (``-p pytest_causal``,
``PYTEST_PLUGINS``, ``pytest_plugins`` in a conftest), because a recorder that was asked for and is silently absent
is worse than an error. The parts that do the work live in :mod:`pytest_causal.hooks` and are imported on activation.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

NAMES = frozenset({"causal", "pytest_causal", "pytest_causal.plugin"})
"""The names by which a person may ask for this plugin."""

HOOKS = frozenset(
    {
        *("pytest_causal_metrics", "pytest_causal_decision", "pytest_causal_apply", "pytest_causal_revert"),
        "pytest_causal_transition",
    }
)
"""The hooks that others may implement; :mod:`pytest_causal.hooks.specs` says what each is for."""

_MARKER = (
    "scenario(id=None, *, tags=(), reads=(), unit=None, min_runs=None, min_sessions=None, max_failure_rate=None): "
    "name the scenario under which this test's evidence gathers, and what it must show"
)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the options of an active plugin; an idle one adds none, and says so to a person who gives one."""
    config: pytest.Config = pluginmanager.get_plugin("pytestconfig")  # type: ignore[assignment] # always there
    if pluginmanager.get_name(sys.modules[__name__]) != "causal":
        pluginmanager.set_blocked("causal")  # named by its module: the entry point must not load it once more
    if _is_requested(config):
        _find_parts(config)
        from pytest_causal import garbage

        with garbage.left_alone():
            from pytest_causal.hooks.activation import add_options

            add_options(parser)
        config.stash[_active_key] = True
    elif stray := [str(arg) for arg in config.invocation_params.args if str(arg).startswith("--causal-")]:
        raise pytest.UsageError(f"{stray[0].partition('=')[0]} needs the plugin to be active; add -p causal")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and the working parts when the plugin was asked for."""
    config.addinivalue_line("markers", _MARKER)
    if config.pluginmanager.is_blocked("pytest_causal"):
        return
    if config.stash.get(_active_key, False) or _asked_by_conftest(config):
        _find_parts(config)
        from pytest_causal import garbage

        with garbage.left_alone():
            from pytest_causal.hooks.activation import activate
            from pytest_causal.hooks.edge import contained

            fault = contained(lambda: activate(config))
        if fault:
            print(f"causal: not recording: {fault}", file=sys.stderr)  # noqa: T201 - too early for a reporter


def pytest_plugin_registered(plugin: object, manager: pytest.PytestPluginManager) -> None:
    """Declare our hooks when somebody implements the first: nobody pays for them before, and an idle plugin knows
    them as an active one does."""
    if _implements_ours(plugin) and not manager.has_plugin("causal-measuring"):
        from pytest_causal.hooks.measuring import declare_hooks

        declare_hooks(manager)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect files of lessons where the plugin is active."""
    if file_path.name.endswith(".lessons.json") and parent.config.pluginmanager.has_plugin("causal-notes"):
        from pytest_causal.hooks.lessons import LessonsFile

        return LessonsFile.from_parent(parent, path=file_path)
    return None


@pytest.fixture
def causal_policy(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """The policy in force: a read-only mapping that notes each leaf a test takes from it."""
    from pytest_causal.hooks.notes import policy_for

    return policy_for(request)


@pytest.fixture
def causal_metric(request: pytest.FixtureRequest) -> Callable[[str, object], None]:
    """A function ``causal_metric(name, value)`` that records a number with this test's run."""
    from pytest_causal.hooks.notes import metric_recorder_for

    return metric_recorder_for(request)


_active_key = pytest.StashKey[bool]()


def _implements_ours(plugin: object) -> bool:
    """Whether a plugin has any of our hooks. Asked of each at every start, active or idle.

    Most are modules, of which it takes a fifth of the time to look at what they have.
    """
    if isinstance(plugin, ModuleType):
        return bool(HOOKS & vars(plugin).keys())
    return any(hasattr(plugin, name) for name in HOOKS)


def _find_parts(config: pytest.Config) -> None:
    """Let the working parts be imported as fast as Python can, from now on to the end of the session."""
    from pytest_causal import finder

    finder.step_forward()
    config.add_cleanup(finder.step_back)


def _is_requested(config: pytest.Config) -> bool:
    """Whether a person named the plugin; being found through its entry point alone is no request."""
    named = getattr(config, "known_args_namespace", None)
    asked = {name.strip() for name in getattr(named, "plugins", ())}
    asked.update(name.strip() for name in os.environ.get("PYTEST_PLUGINS", "").split(","))
    return not NAMES.isdisjoint(asked)


def _asked_by_conftest(config: pytest.Config) -> bool:
    for plugin in config.pluginmanager.get_plugins():
        names = getattr(plugin, "pytest_plugins", ())
        if not NAMES.isdisjoint([names] if isinstance(names, str) else names):
            return True
    return False
