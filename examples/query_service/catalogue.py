"""The questions the shop asks, each in the tier whose budgets it is answered under."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Tier(StrEnum):
    """How much a question may cost; the names of the policy's tables."""

    LIGHT = "light"
    STANDARD = "standard"
    DEEP = "deep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question: a fixed statement and its parameters."""

    name: str
    tier: Tier
    sql: str
    parameters: tuple[str | int, ...] = ()


def customer_card(customer: int, *, limit: int = 20) -> Query:
    """Ask for a customer's newest orders."""
    return Query(
        name="customer_card",
        tier=Tier.LIGHT,
        sql="SELECT id, day FROM orders WHERE customer_id = ? ORDER BY day DESC, id LIMIT ?",
        parameters=(customer, limit),
    )


def revenue(region: str, *, days: int) -> Query:
    """Ask for a region's orders and revenue, by category, over the first ``days`` of the year."""
    return Query(
        name="revenue",
        tier=Tier.STANDARD,
        sql="""
            SELECT p.category, COUNT(DISTINCT o.id), SUM(l.quantity * l.price_cents)
            FROM customers c
            JOIN orders o ON o.customer_id = c.id
            JOIN order_lines l ON l.order_id = o.id
            JOIN products p ON p.id = l.product_id
            WHERE c.region = ? AND o.day < ?
            GROUP BY p.category ORDER BY p.category
        """,
        parameters=(region, days),
    )


def ranking() -> Query:
    """Ask for all customers, best first: one row each."""
    return Query(
        name="ranking",
        tier=Tier.STANDARD,
        sql="""
            SELECT o.customer_id, SUM(l.quantity * l.price_cents) AS spent
            FROM orders o JOIN order_lines l ON l.order_id = o.id
            GROUP BY o.customer_id ORDER BY spent DESC, o.customer_id
        """,
    )


def export(*, days: int, tier: Tier = Tier.STANDARD) -> Query:
    """Ask for every line sold in the first ``days`` of the year, dearest first: some seventy rows a day."""
    return Query(
        name="export",
        tier=tier,
        sql="""
            SELECT o.day, o.id, l.product_id, l.quantity, l.price_cents
            FROM orders o JOIN order_lines l ON l.order_id = o.id
            WHERE o.day < ? ORDER BY l.price_cents DESC, o.id, l.product_id
        """,
        parameters=(days,),
    )


def similar_customers(*, days: int) -> Query:
    """Ask which pairs of customers bought the same products; the cost grows with the square of ``days``."""
    return Query(
        name="similar_customers",
        tier=Tier.DEEP,
        sql="""
            SELECT o.customer_id, p.customer_id, COUNT(DISTINCT mine.product_id) AS shared
            FROM order_lines mine
            JOIN order_lines theirs ON theirs.product_id = mine.product_id
            JOIN orders o ON o.id = mine.order_id
            JOIN orders p ON p.id = theirs.order_id
            WHERE o.day < ? AND p.day < ? AND o.customer_id < p.customer_id
            GROUP BY o.customer_id, p.customer_id ORDER BY shared DESC, 1, 2 LIMIT 20
        """,
        parameters=(days, days),
    )


def forgotten_join() -> Query:
    """Ask what an analyst asks by mistake: every line against every line against every line."""
    return Query(
        name="forgotten_join",
        tier=Tier.DEEP,
        sql="SELECT SUM(a.quantity * b.quantity * c.quantity) FROM order_lines a, order_lines b, order_lines c",
    )


def sold_list(*, days: int) -> Query:
    """Ask for everything sold in the first ``days`` of the year as one text in one row."""
    return Query(
        name="sold_list",
        tier=Tier.STANDARD,
        sql="""
            SELECT GROUP_CONCAT(l.product_id, ' ')
            FROM orders o JOIN order_lines l ON l.order_id = o.id WHERE o.day < ?
        """,
        parameters=(days,),
    )
