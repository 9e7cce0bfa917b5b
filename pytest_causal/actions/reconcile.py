"""Reconcile: settle a difference between the override file and what was audited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from pytest_causal.actions.act import (
    AUDIT_SCHEMA,
    drift_words,
    finish,
    is_behind,
    is_projected,
    next_live,
    project,
    utc_text,
)
from pytest_causal.actions.context import Context
from pytest_causal.errors import ConfigError, StoreError
from pytest_causal.model.audit import Live
from pytest_causal.model.promotion import Action, Event, Promotion, State
from pytest_causal.policy.atomic_file import only_writer
from pytest_causal.policy.canonical import canonical, fingerprint
from pytest_causal.policy.overrides import Overrides, read_overrides
from pytest_causal.rules.lifecycle import next_state
from pytest_causal.store.interface import PromotionLedger
from pytest_causal.store.promotion_rows import change_document


class Side(StrEnum):
    """What is to be true: the values in the file, or those that were audited."""

    FILE = "file"
    AUDIT = "audit"


class Difference(NamedTuple):
    """A value that the two disagree about; ``None`` where one of them has none."""

    path: str
    in_file: Any
    audited: Any


class Drift(NamedTuple):
    """How the file and the audit stand. ``words`` is empty where they agree or an act is only to be finished.

    ``is_damaged`` says that the file cannot be read: what it held is not known, and ``file`` is empty then.
    """

    live: Live
    file: Overrides
    words: str
    is_unfinished: bool
    differences: tuple[Difference, ...]
    is_damaged: bool = False


def examine(context: Context) -> Drift:
    """Compare the file with the audit; change nothing."""
    live = context.store.live()
    try:
        file = read_overrides(context.overrides_path)
    except ConfigError as error:
        return Drift(live, Overrides(path=context.overrides_path), error.what, False, (), is_damaged=True)
    paths = sorted({*live.leaves, *file.leaves})
    differences = tuple(
        Difference(path, file.leaves.get(path), live.leaves.get(path))
        for path in paths
        if _text(file.leaves, path) != _text(live.leaves, path)
    )
    is_unfinished = is_behind(live, file)
    words = "" if is_unfinished or is_projected(live, file) else drift_words(live, file)
    return Drift(live, file, words, is_unfinished, differences)


def reconcile(context: Context, side: Side | None, reason: str = "") -> Drift:
    """Settle it, and return how the two stood before.

    An act that was cut short is finished. With ``Side.AUDIT`` the file is written anew, and one that cannot be read
    is kept beside it; with ``Side.FILE`` its values are audited as a person's, and promotions whose values they
    replace are superseded, of which plugins learn; their targets are left as the person has them. Without a side, a
    difference is left as it is. Raises StoreError, and ConfigError where
    the values in the file cannot be in force.
    """
    superseded: list[Promotion] = []
    with only_writer(context.overrides_path):
        drift = examine(context)
        before = {each.id: each.state for each in context.store.promotions()}
        if drift.is_unfinished:
            finish(context.store, context.overrides_path, context.now_us)
        elif drift.words and side is not None:
            superseded = _settle(context, drift, side, reason)
    for promotion in superseded:
        context.extensions.notify(promotion, before[promotion.id], promotion.state)
    return drift


def _settle(context: Context, drift: Drift, side: Side, reason: str) -> list[Promotion]:
    """Settle it; return the promotions that are superseded."""
    if side is Side.FILE:
        context.policy()  # refuses what cannot be in force: a damaged file, an unknown path, a value out of bounds
    elif drift.is_damaged:
        _keep_aside(context.overrides_path, context.now_us)
    leaves = drift.file.leaves if side is Side.FILE else drift.live.leaves
    base = drift.live._replace(revision=max(drift.live.revision, drift.file.revision))
    at = utc_text(context.now_us)
    after = next_live(base, leaves, context.actor, at)._replace(
        before_revision=drift.file.revision, before_fingerprint=drift.file.fingerprint
    )
    with context.store.acting() as ledger:
        superseded = _superseded(ledger, leaves, context.now_us) if side is Side.FILE else []
        ledger.set_live(after)
        ledger.append(
            {
                "schema": AUDIT_SCHEMA,
                "action": Action.RECONCILE.value,
                "actor": context.actor,
                "at": at,
                "at_us": context.now_us,
                "reason": reason or f"{drift.words}: the {side} is to be true",
                "side": side.value,
                "differences": [
                    {"path": each.path, "in_file": each.in_file, "audited": each.audited}
                    for each in drift.differences
                ],
                "superseded": [promotion.label for promotion in superseded],
                "changes": [change_document(promotion.change) for promotion in superseded],
                "revision": after.revision,
                "fingerprint_before": drift.live.fingerprint,
                "fingerprint_after": fingerprint(leaves),
            }
        )
    project(context.store, context.overrides_path)
    return superseded


def _keep_aside(path: Path, now_us: int) -> None:
    """Rename a file that cannot be read, so that nothing a person wrote is lost."""
    aside = path.with_name(f"{path.name}.damaged-{utc_text(now_us).replace(':', '')}")
    try:
        path.rename(aside)
    except OSError as error:
        raise StoreError(f"cannot set {path} aside: {error.strerror}", "move it by hand") from error


def superseded_by(context: Context, leaves: Mapping[str, Any]) -> list[Promotion]:
    """Return the promotions that stand and would no more if these were the values above the profile."""
    return _replaced(context.store.promotions(), leaves)


def _superseded(ledger: PromotionLedger, leaves: Mapping[str, Any], now_us: int) -> list[Promotion]:
    """Mark the promotions that stand no more because a person set their values otherwise."""
    note = "a person set its values otherwise"
    return [
        ledger.put(each._replace(state=State.SUPERSEDED, changed_us=now_us, note=note))
        for each in _replaced(ledger.promotions(), leaves)
    ]


def _replaced(promotions: Iterable[Promotion], leaves: Mapping[str, Any]) -> list[Promotion]:
    return [
        each
        for each in promotions
        if each.state.is_live
        and next_state(each.state, Event.SUPERSEDE) is State.SUPERSEDED
        and any(_text(leaves, step.path) != canonical(step.after) for step in each.change.steps)
    ]


def _text(leaves: Mapping[str, Any], path: str) -> str | None:
    return canonical(leaves[path]) if path in leaves else None
