"""Turns the plugin on: resolves the settings once, and registers the parts this process needs.

A plain session and an xdist controller record; a worker only takes notes, under the settings that the controller
hands over.
"""

from __future__ import annotations

import json
import os
from functools import cache
from typing import TYPE_CHECKING

import pytest

from pytest_causal.errors import CausalError
from pytest_causal.hooks.attachment import attach_at_once, attach_later
from pytest_causal.hooks.configuration import run_policy, run_settings
from pytest_causal.hooks.notes import NoteTaker, register_note_taker
from pytest_causal.hooks.rootdir import Root, settle_root, unread_settings
from pytest_causal.model.run import CONTROL
from pytest_causal.settings.flags import add_options as add_table_options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_causal.hooks.arms import Arms
    from pytest_causal.model.session import SessionFacts
    from pytest_causal.policy.in_force import Policy
    from pytest_causal.policy.mapping import PolicyMapping
    from pytest_causal.rules.redaction import Redactor
    from pytest_causal.settings.sources import Settings


def add_options(parser: pytest.Parser) -> None:
    """Add the plugin's options to pytest's command line."""
    group = parser.getgroup("causal", "pytest-causal: history and evidence of scenarios")
    add_table_options(group.addoption)


def activate(config: pytest.Config) -> None:
    """Register what this process needs. Raises pytest.UsageError for settings that cannot be used."""
    if hasattr(config, "workerinput"):
        _activate_worker(config)
        return
    try:
        root = settle_root(config)
        settings = run_settings(config, root.path)
        policy = run_policy(config, settings)
        arms = _arms(settings, policy)
        _load_plugins(config, settings.plugins)
    except CausalError as error:
        raise pytest.UsageError(f"causal: {error}") from error
    _activate_recorder(config, root, settings, policy, arms)


def _activate_worker(config: pytest.Config) -> None:
    from pytest_causal.hooks.recorder import WorkerEnd
    from pytest_causal.policy.mapping import PolicyMapping

    handed = config.workerinput.get("causal")  # type: ignore[attr-defined]
    if handed is None:
        return  # the controller does not record
    carried = json.loads(handed)
    policy = PolicyMapping.from_json(carried["policy"])
    _register_targets(config, carried["targets"], lambda: policy)
    taker = NoteTaker(infrastructure_errors=carried["infrastructure_errors"], policy=lambda: policy)
    _declare_reads(taker, carried["reads_of_rules"])
    register_note_taker(config, taker)
    attach_at_once(config, taker)
    config.pluginmanager.register(WorkerEnd(taker), "causal-worker-end")
    _load_plugins(config, carried["plugins"])
    if carried["shadows"]:
        from pytest_causal.hooks.arming import register_handed_over

        register_handed_over(config.pluginmanager, carried["shadows"], carried["targets"], taker)


def _activate_recorder(
    config: pytest.Config, root: Root, settings: Settings, policy: Policy, arms: Arms | None
) -> None:
    from pytest_causal.actions.recording import Recording
    from pytest_causal.hooks.folding import Folding
    from pytest_causal.hooks.recorder import DistributionHooks, Recorder
    from pytest_causal.hooks.reporting import Reporter
    from pytest_causal.store.opening import open_store

    in_force = policy if arms is None else arms.policy
    _register_targets(config, settings.targets, in_force.mapping)
    taker = NoteTaker(infrastructure_errors=settings.infrastructure_errors, policy=in_force.mapping)
    reads_of_rules = _reads_of_rules(settings)
    _declare_reads(taker, reads_of_rules)
    recording = Recording(
        lambda: open_store(settings.store, busy_seconds=settings.busy_seconds),
        _facts(config, settings, in_force),
        busy_seconds=settings.busy_seconds,
    )
    if root.warning:
        recording.notices.append(root.warning)
    recording.notices += unread_settings(config, root.path)
    strips_groups = getattr(config.option, "dist", "no") == "loadgroup"
    make_folding = Folding if arms is None else arms.folding
    folding = make_folding(_cleaner(settings), prefix=root.prefix, strips_groups=strips_groups)
    recorder = Recorder(recording, folding, taker, settings, policy)
    register_note_taker(config, taker)
    attach_later(config, taker)
    manager = config.pluginmanager
    manager.register(recorder, "causal-recorder")
    reporter = Reporter(recorder, settings.store)
    manager.register(reporter, "causal-reporter")
    if settings.artifacts_table:
        from pytest_causal.hooks.upkeep import register_upkeep

        register_upkeep(config, settings)
    if arms is not None:
        from pytest_causal.hooks.arming import register_arms

        reporter.more_lines = arms.lines
        register_arms(manager, arms, settings.targets, taker)
    if hasattr(manager.hook, "pytest_configure_node"):  # pytest-xdist is there
        handover = json.dumps(
            {
                "infrastructure_errors": settings.infrastructure_errors,
                "plugins": settings.plugins,
                "policy": in_force.mapping().to_json(),
                "reads_of_rules": reads_of_rules,
                "shadows": arms.handover if arms is not None else "",
                "targets": settings.targets,
            }
        )
        manager.register(DistributionHooks(recorder, handover), "causal-distribution")


def _reads_of_rules(settings: Settings) -> Sequence[tuple[Sequence[str], Sequence[str]]]:
    if not any("reads" in table for table, _ in settings.promotion_tables):
        return ()
    from pytest_causal.hooks.declaring import reads_of_rules

    return reads_of_rules(settings)


def _declare_reads(taker: NoteTaker, rules: Sequence[tuple[Sequence[str], Sequence[str]]]) -> None:
    if rules:
        from pytest_causal.hooks.declaring import declare_reads

        taker.declare = lambda items: declare_reads(items, rules)


def _arms(settings: Settings, policy: Policy) -> Arms | None:
    if not settings.shadow and settings.arm == CONTROL:
        return None
    from pytest_causal.hooks.arms import settle_arms

    return settle_arms(settings, policy)


def _load_plugins(config: pytest.Config, names: Sequence[str]) -> None:
    if names:
        from pytest_causal.hooks.extensions import load_modules

        load_modules(names, config.pluginmanager.import_plugin)


def _register_targets(
    config: pytest.Config, names: Sequence[str], policy: Callable[[], PolicyMapping]
) -> None:
    if names:
        from pytest_causal.hooks.targets import TargetHooks

        config.pluginmanager.register(TargetHooks(names, policy()), "causal-targets")


def _cleaner(settings: Settings) -> Callable[[str], str]:
    """Return what is done to a message before it is stored: redacted, then cut; or dropped."""
    if not settings.messages:
        return lambda text: ""
    environ, limit = dict(os.environ), settings.message_limit  # tests may change it

    @cache
    def redactor() -> Redactor:
        from pytest_causal.rules.redaction import Redactor, secret_values  # most sessions fail nowhere

        return Redactor(secret_values(environ))

    return lambda text: redactor().cap(redactor().redact(text[: limit * 20]), limit)


def _facts(config: pytest.Config, settings: Settings, policy: Policy) -> SessionFacts:
    from pytest_causal.actions.session_facts import session_facts

    return session_facts(settings, os.environ, policy_fingerprint=policy.fingerprint)._replace(
        pytest_version=pytest.__version__,
        workers=int(getattr(config.option, "numprocesses", 0) or 0),
    )
