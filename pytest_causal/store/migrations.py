"""Migrations: numbered SQL files that make every released schema into the current one.

``migrations/0001_history.sql`` makes an empty file a store of schema 1, ``0002_...`` makes schema 1 into schema 2,
and so on. All that are missing run in one transaction together with the new version number: a store is old or new,
never between. Released files are never edited; a store whose schema is not what they make is not ours.
"""

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

APPLICATION_ID = 0x43617573  # "Caus"
"""Marks a SQLite file as ours, in its header."""

_SCHEMA = """
    SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT GLOB 'sqlite_stat[0-9]' ORDER BY type, name
"""

SHIPPED = Path(__file__).parent / "migrations"

CURRENT_SCHEMA_SHA256 = "f943efb30e3863a25ae4fb2784f6624353831ec31366b79bcfe3d1340eb5f353"
"""What :func:`schema_digest` gives for the newest schema: to make that anew at each start takes 3 ms. Where it is not
found (another SQLite may write a statement another way) the schemas themselves are compared."""

Schema = tuple[tuple[str, str, str, str | None], ...]


class Migration(NamedTuple):
    """One numbered step: ``script`` makes schema ``number - 1`` into schema ``number``."""

    number: int
    name: str
    script: str

    def statements(self) -> Iterator[str]:
        """Yield the statements of the script one by one, since ``executescript`` would end the transaction."""
        statement = ""
        for line in self.script.splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                yield statement
                statement = ""
        yield statement  # the comments after the last one, or a statement that lacks its semicolon


@cache
def load_migrations(folder: Path = SHIPPED) -> tuple[Migration, ...]:
    """Read the migrations of a folder; they are numbered from 1 without gaps."""
    found = [
        Migration(number=int(path.name[:4]), name=path.stem, script=path.read_text("utf-8"))
        for path in sorted(folder.iterdir())  # not glob, which compiles a pattern at each start
        if path.suffix == ".sql"
    ]
    if [each.number for each in found] != list(range(1, len(found) + 1)):
        raise RuntimeError(
            f"the migrations in {folder} are not numbered 1, 2, 3, ...: {[each.name for each in found]}"
        )
    return tuple(found)


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> int:
    """Run the missing migrations inside the caller's write transaction; return how many ran.

    The version is read inside the transaction, so that of many processes exactly one migrates.
    """
    version = read_version(connection)
    missing = migrations[version:]
    for migration in missing:
        for statement in migration.statements():
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={migration.number}")
    return len(missing)


def read_version(connection: sqlite3.Connection) -> int:
    """Return the schema version in the header of a file; 0 for an empty one."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def read_schema(connection: sqlite3.Connection) -> Schema:
    """Return everything that the schema of a file declares, sorted, but for the statistics that ANALYZE keeps."""
    return tuple(connection.execute(_SCHEMA))


def schema_digest(schema: Schema) -> str:
    """Return the SHA-256 of a schema, in hexadecimal."""
    return hashlib.sha256(repr(schema).encode()).hexdigest()


@cache
def expected_schema(migrations: tuple[Migration, ...]) -> Schema:
    """Return the schema that these migrations make of an empty file."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate(connection, migrations)
        return read_schema(connection)
    finally:
        connection.close()
