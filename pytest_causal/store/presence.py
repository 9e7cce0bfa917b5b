"""Which scenarios a session ran, and which of them can be dealt with by the thousand.

In most sessions most scenarios run once, read nothing of the policy, and simply pass. Such runs say the same of each,
so they are handed over as two arrays: to hand them over as rows, and count those, takes five times as long.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Set

_PLAIN = "outcome = 'passed' AND attempt = 1 AND is_superseded = 0 AND reads_id = 0 AND arm = ''"
_RUNS = "FROM runs WHERE id BETWEEN :first AND :last AND session = :session"
_PASSES = f"SELECT json_group_array(scenario_id), json_group_array(started_us) {_RUNS} AND {_PLAIN}"
_OTHERS = f"SELECT DISTINCT scenario_id {_RUNS} AND NOT ({_PLAIN})"
_ALIASES = "SELECT id, alias_of FROM scenarios WHERE alias_of IS NOT NULL"


class Presence:
    """The scenarios of a session, by id. Each of ``passed_us`` ran once and simply passed; it says when that began."""

    def __init__(self, passed_us: Mapping[int, int], others: Set[int]) -> None:
        self.passed_us = passed_us
        self.others = others

    def ids(self) -> set[int]:
        """Return all of them."""
        return self.others | self.passed_us.keys()


NOBODY = Presence({}, frozenset())


def presence(connection: sqlite3.Connection, session: int, first_run: int, last_run: int) -> Presence:
    """Return which scenarios a session ran, of whose runs these are the first and the last id."""
    place = {"first": first_run, "last": last_run, "session": session}
    passed, started_us = map(json.loads, connection.execute(_PASSES, place).fetchone())
    others = {id_ for (id_,) in connection.execute(_OTHERS, place)}
    passed_us = dict(zip(passed, started_us, strict=True))
    if len(passed_us) < len(passed):
        others.update(id_ for id_, times in Counter(passed).items() if times > 1)
    for alias, stands_for in connection.execute(_ALIASES):
        if alias in others or alias in passed_us:
            others -= {alias}
            others.add(stands_for)
            passed_us.pop(alias, None)
    for id_ in others:
        passed_us.pop(id_, None)
    return Presence(passed_us, others)
