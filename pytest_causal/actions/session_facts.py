"""The facts that a session begins with: who records it, where, at which commit, and whether it may count."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_causal import __version__, clock
from pytest_causal.actions.surroundings import CiJob, machine, read_checkout, read_ci_job
from pytest_causal.model.session import SessionFacts
from pytest_causal.settings.sources import Layer
from pytest_causal.settings.table import Trusted
from pytest_causal.store.liveness import process_identity

if TYPE_CHECKING:
    from pytest_causal.settings.sources import Settings


def session_facts(settings: Settings, env: Mapping[str, str], *, policy_fingerprint: str) -> SessionFacts:
    """Return the facts of a session that this process begins now.

    Its key is the one that was set, else that of the CI job, else its own uid.
    """
    checkout = read_checkout(settings.root)
    job = read_ci_job(env)
    uid = os.urandom(16).hex()
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
        is_trusted=is_trusted(settings, job),
        python=python,
        platform=platform,
        host=host,
        process=process_identity(),
        plugin_version=__version__,
        profile=settings.profile,
        policy_fingerprint=policy_fingerprint,
    )


def is_trusted(settings: Settings, job: CiJob) -> bool:
    """Whether the runs of a session may count.

    A fork can edit the configuration file that travels with it; it cannot edit the flag or the variable.
    """
    is_said_by_person = settings.origins["trusted"].layer in (Layer.FLAG, Layer.ENV)
    return settings.trusted is not Trusted.NO and (
        not job.is_fork or (settings.trusted is Trusted.YES and is_said_by_person)
    )
