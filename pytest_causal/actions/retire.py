"""Lessons as a person deals with them: which tests they are about, and retiring one that holds no longer."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_causal.actions.act import AUDIT_SCHEMA, utc_text
from pytest_causal.actions.context import Context
from pytest_causal.actions.revert import RefusedError
from pytest_causal.errors import MissingInputError
from pytest_causal.model.change import CONTROL
from pytest_causal.model.promotion import Action, Lesson
from pytest_causal.policy.lesson_file import KeptLesson
from pytest_causal.store.interface import HistoryQuery, HistoryStore

_LOOKED_THROUGH = 2000
"""Newest runs of a scenario among which those of its last session are looked for."""


def kept_lessons(store: HistoryStore, lessons: Iterable[Lesson]) -> list[KeptLesson]:
    """Return lessons with the node ids of the tests that their scenarios ran as when last they ran."""
    return [KeptLesson(lesson, _tests(store, lesson.scenario)) for lesson in lessons]


def retire(context: Context, label: str, reason: str) -> Lesson:
    """Let a lesson gate nothing any more, with a row of the audit that says so and why; return it.

    Raises MissingInputError for one that is not there, RefusedError for one that is retired already.
    """
    with context.store.acting() as ledger:
        number = label.upper().removeprefix("L-")
        found = next((each for each in ledger.lessons() if str(each.id) == number), None)
        if found is None:
            raise MissingInputError(f"there is no lesson {label!r}", "list them with causal lessons")
        if found.retired_us:
            raise RefusedError(
                f"{found.label} was retired on {utc_text(found.retired_us)}", "nothing is left to do"
            )
        retired = ledger.put_lesson(found._replace(retired_us=context.now_us))
        live = ledger.live()
        ledger.append(
            {
                "schema": AUDIT_SCHEMA,
                "action": Action.OBSERVE.value,
                "actor": context.actor,
                "at": utc_text(context.now_us),
                "at_us": context.now_us,
                "reason": reason,
                "retired": retired.label,
                "revision": live.revision,
                "fingerprint_before": live.fingerprint,
                "fingerprint_after": live.fingerprint,
            }
        )
    return retired


def _tests(store: HistoryStore, scenario: str) -> tuple[str, ...]:
    newest = 0
    found = set()
    for record in store.history(HistoryQuery(scenario=scenario, limit=_LOOKED_THROUGH)):
        if record.run.arm != CONTROL:
            continue  # a shadow has the node id of its control item, and a part of its own in it
        newest = newest or record.session
        if record.session != newest:
            break
        if "::" in record.run.nodeid:
            found.add(record.run.nodeid)
    return tuple(sorted(found))
