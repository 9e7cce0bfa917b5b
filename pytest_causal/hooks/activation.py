"""Turns the plugin on: resolves the settings once, and registers the parts this process needs.

A plain session and an xdist controller record; a worker only takes notes, under the settings that the controller
hands over.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from pytest_causal import __version__, clock
from pytest_causal.errors import CausalError
from pytest_causal.hooks.configuration import run_policy, run_settings
from pytest_causal.hooks.notes import NoteTaker, register_note_taker
from pytest_causal.hooks.rootdir import Root, settle_root
from pytest_causal.settings.flags import add_options as add_table_options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_causal.model.session import SessionFacts
    from pytest_causal.policy.in_force import Policy
    from pytest_causal.policy.mapping import PolicyMapping
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
    except CausalError as error:
        raise pytest.UsageError(f"causal: {error}") from error
    _activate_recorder(config, root, settings, policy)


def _activate_worker(config: pytest.Config) -> None:
    from pytest_causal.hooks.recorder import WorkerEnd
    from pytest_causal.policy.mapping import PolicyMapping

    handed = config.workerinput.get("causal")  # type: ignore[attr-defined]
    if handed is None:
        return  # the controller does not record
    carried = json.loads(handed)
    policy = PolicyMapping.from_json(carried["policy"])
    _register_targets(config, carried["targets"], policy)
    taker = NoteTaker(infrastructure_errors=carried["infrastructure_errors"], default_policy=policy)
    register_note_taker(config, taker)
    config.pluginmanager.register(WorkerEnd(taker), "causal-worker-end")


def _activate_recorder(config: pytest.Config, root: Root, settings: Settings, policy: Policy) -> None:
    from pytest_causal.actions.recording import Recording
    from pytest_causal.hooks.folding import Folding
    from pytest_causal.hooks.recorder import DistributionHooks, Recorder
    from pytest_causal.hooks.reporting import Reporter
    from pytest_causal.store.opening import open_store
    from pytest_causal.views.escape import terminal

    mapping = policy.mapping()
    _register_targets(config, settings.targets, mapping)
    taker = NoteTaker(infrastructure_errors=settings.infrastructure_errors, default_policy=mapping)
    recording = Recording(
        lambda: open_store(settings.store, busy_seconds=settings.busy_seconds),
        _facts(config, settings, policy),
        busy_seconds=settings.busy_seconds,
    )
    if root.warning:
        recording.notices.append(root.warning)
    strips_groups = getattr(config.option, "dist", "no") == "loadgroup"
    folding = Folding(_cleaner(settings), prefix=root.prefix, strips_groups=strips_groups)
    recorder = Recorder(recording, folding, taker, settings, policy)
    register_note_taker(config, taker)
    manager = config.pluginmanager
    manager.register(recorder, "causal-recorder")
    manager.register(
        Reporter(recorder, f"causal: recording to {terminal(settings.store)}"), "causal-reporter"
    )
    if hasattr(manager.hook, "pytest_configure_node"):  # pytest-xdist is there
        handover = json.dumps(
            {
                "infrastructure_errors": settings.infrastructure_errors,
                "policy": mapping.to_json(),
                "targets": settings.targets,
            }
        )
        manager.register(DistributionHooks(recorder, handover), "causal-distribution")


def _register_targets(config: pytest.Config, names: Sequence[str], policy: PolicyMapping) -> None:
    if names:
        from pytest_causal.hooks.targets import TargetHooks

        config.pluginmanager.register(TargetHooks(names, policy), "causal-targets")


def _cleaner(settings: Settings) -> Callable[[str], str]:
    """Return what is done to a message before it is stored: redacted, then cut; or dropped."""
    if not settings.messages:
        return lambda text: ""
    from pytest_causal.rules.redaction import Redactor, secret_values

    redactor = Redactor(secret_values(os.environ))
    limit = settings.message_limit
    return lambda text: redactor.cap(redactor.redact(text[: limit * 20]), limit)


def _facts(config: pytest.Config, settings: Settings, policy: Policy) -> SessionFacts:
    from pytest_causal.actions.surroundings import machine, read_checkout, read_ci_job
    from pytest_causal.model.session import SessionFacts
    from pytest_causal.settings.sources import Layer
    from pytest_causal.settings.table import Trusted
    from pytest_causal.store.liveness import process_identity

    checkout = read_checkout(settings.root)
    job = read_ci_job(os.environ)
    uid = os.urandom(16).hex()
    is_said_by_person = settings.origins["trusted"].layer in (Layer.FLAG, Layer.ENV)
    # A fork can edit the configuration file that travels with it; it cannot edit the flag or the variable.
    is_trusted = settings.trusted is not Trusted.NO and (
        not job.is_fork or (settings.trusted is Trusted.YES and is_said_by_person)
    )
    python, platform, host = machine()
    return SessionFacts(
        uid=uid,
        key=settings.session_key or job.key or uid,
        started_us=clock.now_us(),
        commit=checkout.commit,
        branch=checkout.branch,
        ci_provider=job.provider,
        ci_run=job.run,
        ci_attempt=job.attempt if job.run else "",
        ci_job=job.job,
        is_trusted=is_trusted,
        python=python,
        platform=platform,
        host=host,
        process=process_identity(),
        plugin_version=__version__,
        pytest_version=pytest.__version__,
        workers=int(getattr(config.option, "numprocesses", 0) or 0),
        profile=settings.profile,
        policy_fingerprint=policy.fingerprint,
    )
