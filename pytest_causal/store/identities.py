"""Identities: the numbers under which names and reads are stored, remembered while a store is open.

All of it happens inside a write transaction, which in SQLite only one process has at a time: what is not found cannot
appear before it is added, so ids may be given out as one more than the highest. Committed ids never change and nothing
is ever deleted, so what was learnt from committed data holds. What was learnt in a transaction that is undone does not,
and :meth:`forget` drops everything.
"""

import hashlib
import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from pytest_causal.model.run import NO_READS, Read, ReadHow
from pytest_causal.store.text import from_stored, to_stored, to_stored_names

# Two arrays, of places in the array of names and of ids: to hand over the names as well takes twice as long.
_FIND = """
    SELECT json_group_array(wanted.key), json_group_array({table}.id)
    FROM json_each(?) AS wanted CROSS JOIN {table} ON {table}.name = wanted.value
"""


class _Statements(NamedTuple):
    """How one table of names is read and extended, by a JSON array of names each.

    To add them by one statement takes half the time of a statement for each. ``add`` takes the array as ``names``, the
    id of the ``first``, and the ``session`` that brings them.
    """

    find: str
    highest: str
    add: str


_NODES = _Statements(
    find=_FIND.format(table="nodes"),
    highest="SELECT coalesce(max(id), 0) FROM nodes",
    add="INSERT INTO nodes (id, name) SELECT :first + key, value FROM json_each(:names)",
)
_METRIC_NAMES = _Statements(
    find=_FIND.format(table="metric_names"),
    highest="SELECT coalesce(max(id), 0) FROM metric_names",
    add="INSERT INTO metric_names (id, name) SELECT :first + key, value FROM json_each(:names)",
)
_CRITERIA = _Statements(
    find=_FIND.format(table="criteria"),
    highest="SELECT coalesce(max(id), 0) FROM criteria",
    add="INSERT INTO criteria (id, name) SELECT :first + key, value FROM json_each(:names)",
)
SCENARIOS = _Statements(
    find=_FIND.format(table="scenarios"),
    highest="SELECT coalesce(max(id), 0) FROM scenarios",
    # A session that counts is the first to count for the scenarios it makes, once it is concluded (see conclusion.py).
    add="""
        INSERT INTO scenarios (id, name, first_session, first_concluded)
        SELECT :first + key, value, :session, (SELECT number FROM sessions WHERE number = :session AND is_trusted = 1)
        FROM json_each(:names)
    """,
)
_FIND_READS = "SELECT id FROM reads WHERE digest = ?"
_HIGHEST_READS = "SELECT coalesce(max(id), 0) FROM reads"
_ADD_READS = "INSERT INTO reads (id, digest) VALUES (?, ?)"
_ADD_LEAF = "INSERT INTO read_leaves (reads_id, path, value, how) VALUES (?, ?, ?, ?)"
_LEAVES = "SELECT path, value, how FROM read_leaves WHERE reads_id = ? ORDER BY path"


class Names:
    """The ids of one table of names."""

    def __init__(self, statements: _Statements) -> None:
        self._statements = statements
        self._ids: dict[str, int] = {}

    def learn(
        self, connection: sqlite3.Connection, names: Collection[str], session: int | None = None
    ) -> None:
        """Make sure that each name has an id. ``session`` is the one that brings them, where the table keeps it."""
        unknown = set(names).difference(self._ids)
        if not unknown:
            return
        stored_as = to_stored_names([name for name in names if name in unknown])
        wanted = list(dict.fromkeys(stored_as.values()))
        asked = _as_json(wanted)
        places, ids = map(json.loads, connection.execute(self._statements.find, (asked,)).fetchone())
        found: dict[str, int] = dict(zip([wanted[place] for place in places], ids, strict=True))
        unseen = [name for name in wanted if name not in found] if found else wanted
        if unseen:
            (highest,) = connection.execute(self._statements.highest).fetchone()
            new = {"names": _as_json(unseen) if found else asked, "first": highest + 1, "session": session}
            connection.execute(self._statements.add, new)
            found.update(zip(unseen, range(highest + 1, highest + 1 + len(unseen)), strict=True))
        self._ids.update((name, found[stored]) for name, stored in stored_as.items())

    @property
    def ids(self) -> Mapping[str, int]:
        """The ids of the names that were learnt."""
        return self._ids

    def __getitem__(self, name: str) -> int:
        """Return the id of a name that was learnt."""
        return self._ids[name]

    def forget(self) -> None:
        """Forget all."""
        self._ids.clear()


class ReadSets:
    """The ids of sets of policy leaves, and the leaves behind an id."""

    def __init__(self) -> None:
        self._ids: dict[tuple[Read, ...], int] = {(): NO_READS}
        self._unstored: list[tuple[Read, ...]] = []

    def learn(self, connection: sqlite3.Connection, reads: tuple[Read, ...]) -> int:
        """Return the id of a set of reads, which is added if it is new. ``reads`` is sorted by path."""
        known = self._ids.get(reads)
        if known is not None:
            return known
        leaves = _leaves(reads)
        digest = _digest(leaves)
        found = connection.execute(_FIND_READS, (digest,)).fetchone()
        if found is None:
            (highest,) = connection.execute(_HIGHEST_READS).fetchone()
            found = (highest + 1,)
            connection.execute(_ADD_READS, (found[0], digest))
            connection.executemany(_ADD_LEAF, [(found[0], *leaf) for leaf in leaves])
        self._ids[reads] = int(found[0])
        return self._ids[reads]

    def recall(self, connection: sqlite3.Connection, reads: tuple[Read, ...]) -> int:
        """Return the id of a set of reads without adding it; one that is not stored gets one below 0."""
        found = connection.execute(_FIND_READS, (_digest(_leaves(reads)),)).fetchone()
        if found is not None:
            return int(found[0])
        if reads not in self._unstored:
            self._unstored.append(reads)
        return -1 - self._unstored.index(reads)

    def load(self, connection: sqlite3.Connection, reads_id: int) -> tuple[Read, ...]:
        """Return the leaves behind an id, sorted by path; none for ``NO_READS`` and for an unknown id."""
        if reads_id < 0:
            return self._unstored[-1 - reads_id]
        return load_reads(connection, reads_id)

    def forget(self) -> None:
        """Forget all but the empty set."""
        self._ids = {(): NO_READS}


class Identities:
    """All ids that recording needs."""

    def __init__(self) -> None:
        self.scenarios = Names(SCENARIOS)
        self.nodes = Names(_NODES)
        self.metric_names = Names(_METRIC_NAMES)
        self.criteria = Names(_CRITERIA)
        self.reads = ReadSets()

    def forget(self) -> None:
        """Forget what may have been learnt in a transaction that was undone."""
        for each in (self.scenarios, self.nodes, self.metric_names, self.criteria, self.reads):
            each.forget()


def load_reads(connection: sqlite3.Connection, reads_id: int) -> tuple[Read, ...]:
    """Return the leaves behind a reads id, sorted by path; none for ``NO_READS`` and for an unknown id."""
    return tuple(
        sorted(
            Read(path=from_stored(path), value=from_stored(value), how=ReadHow(how))
            for path, value, how in connection.execute(_LEAVES, (reads_id,))
        )
    )


def unite(sets: Iterable[tuple[Read, ...]]) -> tuple[Read, ...] | None:
    """Return the union of sets of reads, each path known in the best way, or ``None`` if they contradict each other."""
    union: dict[str, Read] = {}
    for read in (read for reads in sets for read in reads):
        kept = union.setdefault(read.path, read)
        if kept.value != read.value:
            return None
        if _RANK[read.how] < _RANK[kept.how]:
            union[read.path] = read
    return tuple(sorted(union.values()))


def _as_json(names: Iterable[str]) -> str:
    return json.dumps(list(names), ensure_ascii=False)


def _leaves(reads: tuple[Read, ...]) -> list[tuple[str, str, str]]:
    return [(to_stored(read.path), to_stored(read.value), read.how.value) for read in reads]


def _digest(leaves: list[tuple[str, str, str]]) -> str:
    return hashlib.sha256(json.dumps(leaves).encode()).hexdigest()


_RANK = {how: rank for rank, how in enumerate(ReadHow)}
