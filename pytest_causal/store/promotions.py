"""Promotions, the audit, the live values and the lessons as rows: all that an action writes is one transaction."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from typing import Any

from pytest_causal.model.audit import AuditRow, Live
from pytest_causal.model.promotion import Lesson, Promotion
from pytest_causal.store.database import Database
from pytest_causal.store.promotion_rows import (
    document_text,
    lesson_document,
    lesson_from,
    live_document,
    live_from,
    promotion_document,
    promotion_from,
)

_PROMOTIONS = "SELECT id, document FROM promotions ORDER BY id"
_ADD_PROMOTION = "INSERT INTO promotions (name, state, changed_us, document) VALUES (?, ?, ?, ?) RETURNING id"
_PUT_PROMOTION = "UPDATE promotions SET state = ?, changed_us = ?, document = ? WHERE id = ?"
_LIVE = "SELECT * FROM live"
_PUT_LIVE = """
    UPDATE live SET revision = ?, fingerprint = ?, document = ?, before_revision = ?, before_fingerprint = ?
"""
_AUDITED = "UPDATE live SET audited = ?, audit_hash = ?"
_ADD_AUDIT = "INSERT INTO audit VALUES (?, ?, ?)"
_AUDIT = "SELECT number, document, hash FROM audit WHERE number > ? ORDER BY number LIMIT 500"
_LESSONS = "SELECT id, signature, document FROM lessons ORDER BY id"
_ADD_LESSON = "INSERT INTO lessons (signature, document) VALUES (?, ?) RETURNING id"
_PUT_LESSON = "UPDATE lessons SET document = ? WHERE id = ?"


def chained(hash_before: str, document: str) -> str:
    """Return the hash of an audit row: SHA-256, in hex, of the hash before it, a line break and its document."""
    return hashlib.sha256(f"{hash_before}\n{document}".encode()).hexdigest()


def read_promotions(database: Database) -> list[Promotion]:
    """Return all promotions, by number."""
    return [promotion_from(number, text) for number, text in database.fetch(_PROMOTIONS)]


def read_live(database: Database) -> Live:
    """Return the values as last audited."""
    return live_from(database.fetch(_LIVE)[0])


def read_lessons(database: Database) -> list[Lesson]:
    """Return all lessons, by number."""
    return [lesson_from(*row) for row in database.fetch(_LESSONS)]


def read_audit(database: Database, after: int) -> Iterator[AuditRow]:
    """Yield the rows of the audit that follow a number, a page at a time."""
    while page := database.fetch(_AUDIT, (after,)):
        yield from map(AuditRow._make, page)
        after = page[-1][0]


class SqlitePromotionLedger:
    """The view inside the transaction of one action."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def live(self) -> Live:
        """Return the values as last audited."""
        return live_from(self._connection.execute(_LIVE).fetchone())

    def promotions(self) -> list[Promotion]:
        """Return all promotions, by number."""
        return [promotion_from(number, text) for number, text in self._connection.execute(_PROMOTIONS)]

    def lessons(self) -> list[Lesson]:
        """Return all lessons, by number."""
        return [lesson_from(*row) for row in self._connection.execute(_LESSONS)]

    def put(self, promotion: Promotion) -> Promotion:
        """Store a promotion, new (``id`` 0) or changed, and return it with its number."""
        text = document_text(promotion_document(promotion))
        if promotion.id:
            row = (promotion.state.value, promotion.changed_us, text, promotion.id)
            self._connection.execute(_PUT_PROMOTION, row)
            return promotion
        row_of_new = (promotion.name, promotion.state.value, promotion.changed_us, text)
        (number,) = self._connection.execute(_ADD_PROMOTION, row_of_new).fetchone()
        return promotion._replace(id=number)

    def append(self, document: dict[str, Any]) -> AuditRow:
        """Add a row to the audit; its number is put into the document."""
        live = self.live()
        number = live.audited + 1
        text = document_text({**document, "number": number})
        row = AuditRow(number, text, chained(live.audit_hash, text))
        self._connection.execute(_ADD_AUDIT, row)
        self._connection.execute(_AUDITED, (row.number, row.hash))
        return row

    def set_live(self, live: Live) -> None:
        """Replace the values that are to be in force; what the audit has come to is left alone."""
        text = document_text(live_document(live))
        self._connection.execute(
            _PUT_LIVE, (live.revision, live.fingerprint, text, live.before_revision, live.before_fingerprint)
        )

    def put_lesson(self, lesson: Lesson) -> Lesson:
        """Store a lesson, new (``id`` 0) or changed, and return it with its number."""
        text = document_text(lesson_document(lesson))
        if lesson.id:
            self._connection.execute(_PUT_LESSON, (text, lesson.id))
            return lesson
        (number,) = self._connection.execute(_ADD_LESSON, (lesson.signature, text)).fetchone()
        return lesson._replace(id=number)
