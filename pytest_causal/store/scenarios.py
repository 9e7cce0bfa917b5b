"""Scenarios as rows: what is declared of them, and which names are one scenario.

Runs stay with the name they ran under. An alias is a mark on that name, and every reader follows it: one row of
``scenarios`` says who it stands for, never itself an alias, so following is one step.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pytest_causal.errors import MissingInputError, UsageError
from pytest_causal.model.scenario import Declaration
from pytest_causal.store.database import Database, Row
from pytest_causal.store.identities import SCENARIOS, Names
from pytest_causal.store.rows import declaration_from, declaration_text
from pytest_causal.store.text import from_stored, to_stored_name

if TYPE_CHECKING:
    from pytest_causal.store.interface import Alias, Scenario

_CANONICAL_IDS = """
    SELECT name, coalesce(alias_of, id) FROM scenarios WHERE name IN (SELECT value FROM json_each(?))
"""
_DECLARED = "SELECT id, name, declaration FROM scenarios WHERE declaration IS NOT NULL AND alias_of IS NULL"
_DECLARED_OF_NAMES = """
    SELECT ran_as.name, canonical.declaration
    FROM scenarios AS ran_as JOIN scenarios AS canonical ON canonical.id = coalesce(ran_as.alias_of, ran_as.id)
    WHERE ran_as.name IN (SELECT value FROM json_each(?))
"""
_DECLARE = """
    UPDATE scenarios SET declaration = ?
    WHERE id = (SELECT coalesce(alias_of, id) FROM scenarios WHERE name = ?)
"""
_ALL = """
    SELECT id, name, coalesce(first_session, first_concluded, 0),
           coalesce(newest.session, first_session, first_concluded, 0), declaration
    FROM scenarios LEFT JOIN (
        SELECT scenario_id, max(last_session) AS session
        FROM running_states JOIN histories ON histories.id = history_id GROUP BY scenario_id
    ) AS newest ON newest.scenario_id = scenarios.id
    WHERE alias_of IS NULL
"""
_NAMES = "SELECT id, name FROM scenarios WHERE id IN (SELECT value FROM json_each(?))"
_ALIASES = """
    SELECT old.name, new.name, old.aliased_us FROM scenarios AS old JOIN scenarios AS new ON new.id = old.alias_of
"""
_ROW = "SELECT id, alias_of FROM scenarios WHERE name = ?"
_NAME = "SELECT name FROM scenarios WHERE id = ?"
_POINT_ALIASES = "UPDATE scenarios SET alias_of = :new WHERE alias_of = :old"
_POINT_SELF = "UPDATE scenarios SET alias_of = :new, aliased_us = :created_us WHERE id = :old"
_INHERIT = """
    UPDATE scenarios AS new SET
        first_session = min(coalesce(new.first_session, old.first_session),
                            coalesce(old.first_session, new.first_session)),
        first_concluded = (
            SELECT number FROM sessions WHERE number IN (new.first_concluded, old.first_concluded)
            ORDER BY ord IS NULL, ord LIMIT 1
        ),
        declaration = coalesce(new.declaration, old.declaration)
    FROM scenarios AS old WHERE new.id = :new AND old.id = :old
"""
_DROP_EVIDENCE = "DELETE FROM running_states WHERE scenario_id IN (:old, :new)"


def undeclared(database: Database, declarations: Sequence[Declaration]) -> list[tuple[str, str | None]]:
    """Return, as (stored name, text), those declarations that are not stored as they are."""
    texts = {to_stored_name(each.scenario): declaration_text(each) for each in declarations}
    stored: dict[str, str | None] = dict(database.fetch(_DECLARED_OF_NAMES, (json.dumps(list(texts)),)))
    return [(name, text) for name, text in texts.items() if name not in stored or stored[name] != text]


def declare(connection: sqlite3.Connection, declarations: Iterable[tuple[str, str | None]]) -> None:
    """Store declarations by stored name; unseen names are added."""
    texts = dict(declarations)
    Names(SCENARIOS).learn(connection, [from_stored(name) for name in texts])
    connection.executemany(_DECLARE, [(text, name) for name, text in texts.items()])


def read_declarations(database: Database) -> dict[int, Declaration]:
    """Return, by scenario id, the declarations that change criteria."""
    found = {id_: declaration_from(from_stored(name), text) for id_, name, text in database.fetch(_DECLARED)}
    return {id_: declaration for id_, declaration in found.items() if declaration.criteria}


def read_scenarios(database: Database) -> list[Scenario]:
    """Return all scenarios that are not aliases of another, by name."""
    return sorted((_scenario(row) for row in database.fetch(_ALL)), key=lambda scenario: scenario.name)


def read_names(database: Database, ids: Iterable[int]) -> dict[int, str]:
    """Return the names of these scenarios, by id."""
    return {id_: from_stored(name) for id_, name in database.fetch(_NAMES, (json.dumps(list(ids)),))}


def find_id(database: Database, name: str) -> int | None:
    """Return the id of the scenario that a name stands for."""
    found = database.fetch(_CANONICAL_IDS, (json.dumps([to_stored_name(name)]),))
    return int(found[0][1]) if found else None


def read_aliases(database: Database) -> list[Alias]:
    """Return all aliases, by old name; each with the scenario that it stands for today."""
    from pytest_causal.store.interface import Alias

    found = [
        Alias(old=from_stored(old), new=from_stored(new), created_us=created_us)
        for old, new, created_us in database.fetch(_ALIASES)
    ]
    return sorted(found, key=lambda alias: alias.old)


def add_alias(connection: sqlite3.Connection, old: str, new: str, created_us: int) -> None:
    """Make ``old``, and all that stood for it, another name of ``new``; evidence of both must be computed anew."""
    from pytest_causal.store.signals import join_scenarios

    row = connection.execute(_ROW, (to_stored_name(old),)).fetchone()
    if row is None:
        raise MissingInputError(f"no scenario {old!r} was ever recorded", "list them with `causal status`")
    old_id, stands_for = row
    names = Names(SCENARIOS)
    names.learn(connection, [new])
    (target,) = connection.execute(
        "SELECT coalesce(alias_of, id) FROM scenarios WHERE id = ?", (names[new],)
    ).fetchone()
    if old_id in {target, names[new]}:
        raise UsageError(
            f"{new!r} is {old!r} already, so the one cannot be another name of the other",
            "name two different scenarios",
        )
    if stands_for == target:
        return
    if stands_for is not None:
        (known_as,) = connection.execute(_NAME, (stands_for,)).fetchone()
        raise UsageError(
            f"{old!r} is another name of {from_stored(known_as)!r} already",
            f"alias {from_stored(known_as)!r} instead",
        )
    parameters = {"old": old_id, "new": target, "created_us": created_us}
    for statement in (_INHERIT, _POINT_ALIASES, _POINT_SELF, _DROP_EVIDENCE):
        connection.execute(statement, parameters)
    join_scenarios(connection, old_id, target)


def _scenario(row: Row) -> Scenario:
    from pytest_causal.store.interface import Scenario  # recording does not need it

    id_, stored_name, first_session, last_session, text = row
    name = from_stored(stored_name)
    return Scenario(
        id=id_,
        name=name,
        first_session=first_session,
        last_session=last_session,
        declaration=declaration_from(name, text),
    )
