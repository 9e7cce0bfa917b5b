"""The open candidates: changes that rules of promotion propose to the policy in force, and the policies they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_causal.errors import UsageError
from pytest_causal.model.change import CANDIDATE_PREFIX, CONTROL, Candidate
from pytest_causal.model.promotion import Basis, PromotionRule
from pytest_causal.policy.promotion_rules import proposed_change, read_rules
from pytest_causal.settings.scalars import shown
from pytest_causal.settings.suggestion import did_you_mean

if TYPE_CHECKING:
    from pytest_causal.policy.in_force import Policy
    from pytest_causal.settings.sources import Settings


class OpenCandidate(NamedTuple):
    """A candidate, and the policy in force with its change made."""

    candidate: Candidate
    policy: Policy


def open_candidates(settings: Settings, policy: Policy) -> tuple[OpenCandidate, ...]:
    """Return what the rules propose today, in their order.

    Left out are rules whose change is in force, and rules that declare today's runs to stand for the candidate's.
    Raises :class:`~pytest_causal.errors.ConfigError` for a rule or a change that cannot be used.
    """
    opened = (
        _opened(rule, settings, policy) for rule in read_rules(settings) if rule.basis is Basis.CANDIDATE
    )
    return tuple(each for each in opened if each is not None)


def candidate_of_arm(arm: str, settings: Settings, policy: Policy) -> OpenCandidate | None:
    """Return the candidate that an arm names, whatever its evidence is; ``None`` for today's policy.

    Raises UsageError for an arm that is written otherwise, a name that no rule has, and a change that is in force.
    """
    if arm == CONTROL:
        return None
    place = settings.origins["arm"].place
    rules = {rule.name: rule for rule in read_rules(settings)}
    name = arm.removeprefix(CANDIDATE_PREFIX)
    if name == arm:
        arms = {CONTROL, *(CANDIDATE_PREFIX + rule for rule in rules)}
        raise UsageError(f"{place}: there is no arm {shown(arm)}", did_you_mean(arm, arms))
    if name not in rules:
        raise UsageError(f"{place}: there is no promotion {shown(name)}", did_you_mean(name, rules))
    opened = _opened(rules[name], settings, policy)
    if opened is None:
        raise UsageError(
            f"{place}: the change of promotion {name!r} is in force already", f"leave {place} out"
        )
    return opened


def _opened(rule: PromotionRule, settings: Settings, policy: Policy) -> OpenCandidate | None:
    change = proposed_change(rule, settings, policy)
    if change is None:
        return None
    candidate = rule.candidate(change)
    return OpenCandidate(candidate, policy.with_change(change, f"candidate {rule.name}"))
