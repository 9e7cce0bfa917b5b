"""What other people's hooks say and do, behind plain methods: for a pytest session and for the command line alike.

Imports no pytest, so that a command which promotes does not pay for it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from pytest_causal.actions.context import TargetError
from pytest_causal.errors import ConfigError
from pytest_causal.hooks import specs
from pytest_causal.model.evidence import Verdict
from pytest_causal.rules.attention import WORST_FIRST

if TYPE_CHECKING:
    import pytest

    from pytest_causal.model.change import Change
    from pytest_causal.model.promotion import Promotion, State

HOOKS = tuple(name for name in vars(specs) if name.startswith("pytest_causal_"))
"""The names of all hooks."""


class ExtensionError(TargetError):
    """A hook could not apply or revert a change."""


class Extensions:
    """The implementations that a plugin manager knows. ``problems`` says what they raised where nothing hung on it."""

    def __init__(self, manager: pluggy.PluginManager) -> None:
        self._manager = manager
        self.problems: list[str] = []

    @classmethod
    def of_modules(cls, names: Iterable[str], root: Path) -> Extensions:
        """Return those that modules implement, found by name on ``sys.path`` or below ``root``.

        Raises :class:`ConfigError` for a module that cannot be imported.
        """
        manager = _ModuleManager("pytest")
        manager.add_hookspecs(specs)
        if str(root) not in sys.path:
            sys.path.append(str(root))
        load_modules(names, lambda name: manager.register(importlib.import_module(name), name))
        return cls(manager)

    def metrics_of(self, item: pytest.Item, report: pytest.TestReport) -> dict[str, object]:
        """Return the metrics that the implementations near a test add to its run; the last asked wins a name."""
        metrics: dict[str, object] = {}
        failed = 0
        for impl in reversed(item.ihook.pytest_causal_metrics.get_hookimpls()):
            answer, fault = _asked(impl, lambda found: dict(found or {}), item=item, report=report)
            if fault:
                failed += 1
                self._note(impl, "metrics", fault)
            else:
                metrics.update(answer)
        return {**metrics, "causal_hooks_failed": failed} if failed else metrics

    def vetoes(self, decision: Promotion) -> tuple[str, ...]:
        """Return why a decision must not be acted on: none where all let it pass."""
        found = []
        for impl in self._implementations("pytest_causal_decision"):
            answer, fault = _asked(impl, decision=decision)
            objection = f"it failed: {fault}" if fault else _objection(answer, decision)
            if objection:
                found.append(f"{impl.plugin_name}: {objection}")
        return tuple(found)

    def apply(self, change: Change, promotion: Promotion) -> None:
        """Make a change on all targets. Raises :class:`ExtensionError` at the first that fails: then take it back."""
        for impl in self._implementations("pytest_causal_apply"):
            _, fault = _asked(impl, change=change, promotion=promotion)
            if fault:
                what = f"{impl.plugin_name} could not apply {promotion.label}: {fault}"
                raise ExtensionError(what, "correct the hook, then decide anew")

    def revert(self, change: Change, promotion: Promotion) -> None:
        """Take a change back on all targets; ``change`` is the inverse of what was applied.

        Raises :class:`ExtensionError` naming those where that failed, when all were asked.
        """
        asked = (
            (impl, _asked(impl, change=change, promotion=promotion))
            for impl in self._implementations("pytest_causal_revert")
        )
        failed = [f"{impl.plugin_name}: {fault}" for impl, (_, fault) in asked if fault]
        if failed:
            what = f"{promotion.label} was not taken back everywhere: {'; '.join(failed)}"
            raise ExtensionError(what, "take it back there by hand")

    def notify(self, promotion: Promotion, before: State, after: State) -> None:
        """Tell all that a promotion has gone from one state to another."""
        for impl in self._implementations("pytest_causal_transition"):
            _, fault = _asked(impl, promotion=promotion, before=before, after=after)
            if fault:
                self._note(impl, "transition", fault)

    def _implementations(self, name: str) -> Iterator[pluggy.HookImpl]:
        """Yield the implementations in the order in which pluggy would call them."""
        caller = getattr(self._manager.hook, name, None)
        yield from reversed(caller.get_hookimpls() if caller is not None else ())

    def _note(self, impl: pluggy.HookImpl, hook: str, fault: str) -> None:
        problem = f"{impl.plugin_name}: pytest_causal_{hook} failed: {fault}"
        if problem not in self.problems:
            self.problems.append(problem)


class _ModuleManager(pluggy.PluginManager):
    """Finds our hooks in modules by name, as pytest does, and leaves pytest's own alone."""

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> pluggy.HookimplOpts | None:
        if name not in HOOKS:
            return None
        return super().parse_hookimpl_opts(plugin, name) or pluggy.HookimplOpts(
            wrapper=False, hookwrapper=False, optionalhook=False, tryfirst=False, trylast=False, specname=None
        )


def load_modules(names: Iterable[str], import_one: Callable[[str], object]) -> None:
    """Import the modules that the setting ``plugins`` names. Raises :class:`ConfigError` for one that fails."""
    for name in names:
        try:
            import_one(name)
        except Exception as error:  # a module of the user may raise anything
            problem = f"{type(error).__name__}: {error}"
            raise ConfigError(
                f"plugins: importing {name} failed: {problem}", "correct or remove it"
            ) from error


def _asked(
    impl: pluggy.HookImpl, read: Callable[[Any], Any] = lambda answer: answer, **arguments: object
) -> tuple[Any, str]:
    """Return what an implementation answers, and what it raised in words, or nothing."""
    if impl.wrapper or impl.hookwrapper:
        return None, "it is a wrapper; write it as a plain function"
    try:
        return read(impl.function(*(arguments[name] for name in impl.argnames))), ""
    except Exception as error:  # noqa: BLE001 - the code of other people, where one fault must not cost the rest
        return None, f"{type(error).__name__}: {error}"


def _objection(answer: object, decision: Promotion) -> str:
    match answer:
        case None | "":
            return ""
        case Verdict():
            reached = decision.verdict.verdict if decision.verdict is not None else Verdict.INCONCLUSIVE
            is_stricter = WORST_FIRST.index(answer) < WORST_FIRST.index(reached)
            return f"it is {answer}, not {reached}" if is_stricter else ""
        case str():
            return answer
    return f"it answered {answer!r}, which is neither a text nor a verdict"
