"""From what a person asked for to what a run is: the plan with everything that it stands on written into it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_causal import __version__
from pytest_causal.cli.config import read_settings
from pytest_causal.errors import ConfigError
from pytest_causal.policy.bounds import Bound
from pytest_causal.policy.in_force import Policy
from pytest_causal.policy.layers import OVERRIDES_PATH
from pytest_causal.policy.secrets import masked
from pytest_causal.settings.sources import Settings
from pytest_causal.settings.suggestion import did_you_mean
from tools.soak.config_manager import with_own_defaults
from tools.soak.kpi import KpiSet, parse_kpi
from tools.soak.parameters import Parameters
from tools.soak.plan import Plan, file_hash
from tools.soak.preset import under_preset
from tools.soak.tuner import rules_path
from tools.soak.tuning import Tuning

OVERRIDES = "runtime_overrides.json"


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What a plan stands on today: settings, layers of parameters, limits."""

    plan: Plan
    settings: Settings
    parameters: Parameters
    kpis: KpiSet

    @property
    def is_frozen(self) -> bool:
        """Whether the kill switch is on."""
        return self.settings.freeze or os.path.exists(self.settings.freeze_file)


def stand(asked: Plan, folder: Path, env: Mapping[str, str] | None = None) -> Ground:
    """Return a plan with all that it stands on today. ``folder`` is that of the run.

    What a person chose is taken from ``asked``; what follows from it (version, limits, hashes, values, bounds) is found
    anew, so that the plan of a resumed run can be compared with the one it began with. Raises ConfigError, UsageError.
    """
    environment = dict(os.environ if env is None else env)
    settings = read_settings(asked.profile or None)
    path = Path(asked.overrides) if asked.overrides else folder / OVERRIDES
    parameters = Parameters(
        settings=with_own_defaults(settings),
        sets=asked.sets,
        env=environment,
        path=path.absolute(),
        project=None if asked.overrides else settings.root / OVERRIDES_PATH,
    )
    policy = parameters.base()
    limits = {metric: dict(table) for metric, table in sorted(kpi_limits(policy, asked.kpi_set).items())}
    under_preset(asked.preset, policy.flat, policy.bounds)  # refused now, not in the first iteration
    plan = dataclasses.replace(
        asked,
        version=__version__,
        profile=policy.profile,
        profile_hashes={profile.path.name: profile.sha256 for profile in policy.chain},
        kpi=limits,
        values=_jsonable(masked(policy.flat, policy.secrets)),
        fingerprint=policy.fingerprint,
        bounds={path: _bound_to_json(bound) for path, bound in policy.bounds.items()},
        rules=_rules_hash(asked, policy) if asked.auto_tune else "",
    )
    return Ground(plan=plan, settings=settings, parameters=parameters, kpis=parse_kpi(limits))


def kpi_limits(policy: Policy, name: str) -> Mapping[str, Mapping[str, float]]:
    """Return metric -> limits of a set. Raises ConfigError where the profile has none of that name."""
    if name in policy.kpi:
        return policy.kpi[name]
    if not policy.profile:
        raise ConfigError(
            "a soak needs limits to be judged by, and there is no profile",
            'give --profile NAME with a "kpi" table',
        )
    raise ConfigError(
        f"profile {policy.profile} has no KPI set {name!r}", did_you_mean(name, policy.kpi) or "declare one"
    )


def _rules_hash(asked: Plan, policy: Policy) -> str:
    """Return the hash of the tuning rules. Raises ConfigError for those that could never change this policy."""
    path = rules_path(asked.rules_file)
    if not Tuning.from_file(path).paths & policy.flat.keys():
        raise ConfigError(
            f"no rule of {path} moves a value of this policy, so that nothing would be tuned",
            "name rules for it with --rules FILE, or leave out --auto-tune",
        )
    return file_hash(path)


def _bound_to_json(bound: Bound) -> dict[str, float]:
    return {
        name: value
        for name, value in (("min", bound.min), ("max", bound.max), ("step", bound.step))
        if value is not None
    }


def _jsonable(values: Mapping[str, Any]) -> dict[str, Any]:
    return {path: list(value) if isinstance(value, tuple) else value for path, value in values.items()}
