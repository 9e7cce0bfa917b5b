"""An act: the new state of a promotion, its audit row and the values to be in force, in one transaction.

The override file is written afterwards, under the lock that is held all along, so that acts are projected in the order
in which they were committed. Whoever holds the lock next finds a file that is one revision behind if the writer was
killed in between, and finishes what it had begun. A file that holds anything else was changed by somebody else:
nothing acts until a person has said what is to be true.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pytest_causal import clock
from pytest_causal.errors import CausalError, ExitCode
from pytest_causal.model.audit import Live
from pytest_causal.model.promotion import Action, Lesson, Promotion, State
from pytest_causal.policy.atomic_file import only_writer
from pytest_causal.policy.canonical import fingerprint
from pytest_causal.policy.overrides import Entry, Overrides, put_overrides, read_overrides
from pytest_causal.store.interface import HistoryStore, PromotionLedger
from pytest_causal.store.promotion_rows import change_document

AUDIT_SCHEMA = "causal.audit/1"


class DriftError(CausalError):
    """The override file does not hold what was last audited: a person, or another program, has changed it."""

    exit_code = ExitCode.LOCKED


class ConflictError(CausalError):
    """Another act came first, and this one was decided on what is no longer so."""

    exit_code = ExitCode.BUSY


class Act(NamedTuple):
    """What is to be done.

    ``promotion`` is as it will be; ``state_before`` as it was when this was decided, ``None`` for a new one.
    ``leaves`` is dotted path -> value of the whole override layer afterwards, ``None`` where it stays as it is.
    ``decision`` is the JSON document of everything that the decision was made from, ``trial`` of what a trial came to.
    """

    action: Action
    promotion: Promotion
    state_before: State | None
    actor: str
    at_us: int
    reason: str = ""
    leaves: Mapping[str, Any] | None = None
    decision: Mapping[str, Any] | None = None
    lessons: tuple[Lesson, ...] = ()
    trial: Mapping[str, Any] | None = None


def perform(store: HistoryStore, path: Path, act: Act, decided_on: Live) -> Promotion:
    """Do it, and return the promotion as stored.

    ``path`` is the override file, ``decided_on`` the live values that the decision was made under. Raises
    :class:`DriftError`, :class:`ConflictError` and StoreError; nothing is done then, but where writing the file failed
    the act stands and is finished by the next one.
    """
    with holding_live(store, path, act.at_us) as live:
        if live.revision != decided_on.revision:
            raise ConflictError(
                f"the policy is at revision {live.revision}, and this was decided at {decided_on.revision}",
                "decide anew",
            )
        with store.acting() as ledger:
            promotion = _record(ledger, live, act)
        if act.leaves is not None:
            project(store, path)
    return promotion


@contextmanager
def holding_live(store: HistoryStore, path: Path, now_us: int) -> Iterator[Live]:
    """Hold the right to act, and give the values as last audited, which the file holds too.

    An act that was cut short is finished first. Raises :class:`DriftError`.
    """
    with only_writer(path):
        finish(store, path, now_us)
        yield store.live()


def finish(store: HistoryStore, path: Path, now_us: int) -> bool:
    """Write the override file if an act was cut short before it did; return whether that was so.

    For the one who holds the lock. Raises :class:`DriftError` where the file holds neither what was audited last nor
    what stood before.
    """
    live, file = store.live(), read_overrides(path)
    if not is_sound(live):
        raise DriftError("the audited values were changed in the store", "see causal audit --verify")
    if is_projected(live, file):
        return False
    if not is_behind(live, file):
        raise DriftError(drift_words(live, file), "see what differs and settle it with causal reconcile")
    with store.acting() as ledger:
        ledger.append(
            {
                "schema": AUDIT_SCHEMA,
                "action": Action.RECONCILE.value,
                "actor": "recovery",
                "at": utc_text(now_us),
                "at_us": now_us,
                "reason": f"revision {live.revision} had been decided and not yet written; now it is",
                "revision": live.revision,
                "fingerprint_before": live.fingerprint,
                "fingerprint_after": live.fingerprint,
            }
        )
    project(store, path)
    return True


def is_sound(live: Live) -> bool:
    """Whether the values as last audited are those that their fingerprint was taken of."""
    return live.fingerprint == (fingerprint(live.leaves) if live.revision else "")


def is_projected(live: Live, file: Overrides) -> bool:
    """Whether the file holds what was last audited."""
    return not file.is_edited and (file.revision, file.fingerprint) == (live.revision, live.fingerprint)


def is_behind(live: Live, file: Overrides) -> bool:
    """Whether the file holds what stood before the last act, whole and untouched."""
    before = (live.before_revision, live.before_fingerprint)
    return not file.is_edited and live.revision > 0 and (file.revision, file.fingerprint) == before


def drift_words(live: Live, file: Overrides) -> str:
    """Return what differs between the file and the audit."""
    if file.is_edited:
        return f"{file.path} was edited by hand since revision {file.revision}"
    if file.revision == 0:
        return f"{file.path} is gone, and revision {live.revision} was in force"
    return f"{file.path} is at revision {file.revision} ({file.fingerprint}), the audit at {live.revision}"


def project(store: HistoryStore, path: Path) -> None:
    """Write the values as last audited to the override file; for the one who holds its lock."""
    live = store.live()
    entries = {key: Entry(*entry) for key, entry in live.entries.items()}
    put_overrides(path, live.revision, live.leaves, entries)


def next_live(live: Live, leaves: Mapping[str, Any], by: str, at: str) -> Live:
    """Return the live values after an act that leaves ``leaves`` above the profile; those it sets are marked as its."""
    revision = live.revision + 1
    entries = {
        path: live.entries[path]
        if path in live.entries and live.leaves.get(path) == value
        else (by, at, revision)
        for path, value in leaves.items()
    }
    return live._replace(
        revision=revision,
        fingerprint=fingerprint(leaves),
        leaves=dict(leaves),
        entries=entries,
        before_revision=live.revision,
        before_fingerprint=live.fingerprint,
    )


def _record(ledger: PromotionLedger, live: Live, act: Act) -> Promotion:
    """Write all of an act inside its transaction."""
    _check_state(ledger, act)
    promotion = ledger.put(act.promotion)
    lessons = [ledger.put_lesson(lesson).label for lesson in act.lessons]
    at = utc_text(act.at_us)
    after = live
    if act.leaves is not None:
        after = next_live(live, act.leaves, f"promotion {promotion.label}", at)
        ledger.set_live(after)
    ledger.append(
        {
            "schema": AUDIT_SCHEMA,
            "action": act.action.value,
            "actor": act.actor,
            "at": at,
            "at_us": act.at_us,
            "reason": act.reason,
            "promotion": promotion.label,
            "name": promotion.name,
            "state_before": act.state_before.value if act.state_before else "",
            "state_after": promotion.state.value,
            "change": change_document(promotion.change),
            "decision": dict(act.decision) if act.decision is not None else None,
            "lessons": lessons,
            "revision": after.revision,
            "fingerprint_before": live.fingerprint,
            "fingerprint_after": after.fingerprint,
            **({"trial": dict(act.trial)} if act.trial is not None else {}),
        }
    )
    return promotion


def _check_state(ledger: PromotionLedger, act: Act) -> None:
    if act.state_before is None:
        _check_alone(ledger, act.promotion)
        return
    stored = next((each for each in ledger.promotions() if each.id == act.promotion.id), None)
    if stored is None or stored.state is not act.state_before:
        now = stored.state.value if stored else "gone"
        raise ConflictError(
            f"{act.promotion.label} is {now}, and this was decided while it was {act.state_before}",
            "decide anew",
        )


def _check_alone(ledger: PromotionLedger, new: Promotion) -> None:
    """Refuse a second promotion of one rule: another session that saw the same has begun one meanwhile."""
    for each in ledger.promotions():
        if each.name == new.name and not (each.state.is_final or each.state.is_live):
            raise ConflictError(f"{each.label} of {new.name} is on its way already", "decide anew")


def utc_text(microseconds: int) -> str:
    """Return ``2026-11-21T09:04:00Z`` for microseconds since the epoch."""
    return clock.at(microseconds).strftime("%Y-%m-%dT%H:%M:%SZ")
