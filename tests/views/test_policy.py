from __future__ import annotations

from typing import Any

import pytest

from pytest_causal.policy.bounds import Bound
from pytest_causal.policy.in_force import Policy
from pytest_causal.policy.provenance import Layer, Leaf, Source
from pytest_causal.views.policy import (
    differences,
    explanation_document,
    explanation_table,
    leaf_line,
    policy_document,
    policy_table,
)
from pytest_causal.views.tables import Table

PROFILE = Source(layer=Layer.PROFILE, name="steady_safe", file="p.json", line=9)
OVERRIDE = Source(
    layer=Layer.PROFILE,
    name="steady_safe",
    file="o.json",
    line=6,
    revision=3,
    note="promotion P-7, 2026-11-02",
)
ENV = Source(layer=Layer.ENV, name="CAUSAL_POLICY__title")
HOSTILE = Source(layer=Layer.PROFILE, name="p", file="/tmp/\x1b[31m.json", line=1)


def policy(*leaves: Leaf, secrets: frozenset[str] = frozenset(), **others: Any) -> Policy:
    return Policy(leaves={leaf.path: leaf for leaf in leaves}, secrets=secrets, **others)


WALL = Leaf(path="standard.max_wall_time_ms", value=45000, source=OVERRIDE, shadowed=((30000, PROFILE),))
TITLE = Leaf(path="title", value="a\x1b[31m\n\u202e", source=ENV)
NAMES = Leaf(path="names", value=("é", True), source=HOSTILE)


def texts(table: Table) -> list[list[str]]:
    return [["\n".join(line.text for line in cell) for cell in row] for row in table.rows]


def test_one_line_says_what_is_in_force_and_why() -> None:
    assert leaf_line(policy(WALL), WALL) == (
        "standard.max_wall_time_ms = 45000  "
        "profile steady_safe + override r3 (promotion P-7, 2026-11-02)  was 30000"
    )


def test_untrusted_text_cannot_steer_the_terminal() -> None:
    everything = policy(WALL, TITLE, NAMES)
    shown = [text for row in texts(policy_table(everything)) for text in row]
    shown += [
        text for leaf in (TITLE, NAMES) for row in texts(explanation_table(everything, leaf)) for text in row
    ]
    shown += [leaf_line(everything, leaf) for leaf in (TITLE, NAMES)]
    assert all(text.isprintable() for text in shown)
    assert any("é" in text for text in shown)


def test_a_secret_is_masked_in_every_view() -> None:
    leaf = Leaf(path="db.dsn", value="hunter2", source=PROFILE, shadowed=(("hunter1", ENV),))
    hidden = policy(leaf, secrets=frozenset({"db.dsn"}))
    views = (
        policy_document(hidden),
        explanation_document(hidden, leaf),
        texts(policy_table(hidden)),
        texts(explanation_table(hidden, leaf)),
        leaf_line(hidden, leaf),
        differences(hidden, policy()),
    )
    assert all("hunter" not in str(view) for view in views)
    assert all("***" in str(view) for view in views)


def test_an_explanation_has_a_row_for_every_layer_and_for_the_bounds() -> None:
    bounds = {WALL.path: Bound(min=1, max=60000, place="causal.toml:9")}
    rows = texts(explanation_table(policy(WALL, bounds=bounds), WALL))
    assert [row[:3] for row in rows] == [
        ["cli", "not set", ""],
        ["env", "not set", ""],
        ["profile", "45000", "in force"],
        ["profile", "30000", "outweighed"],
        ["default", "not set", ""],
        ["bounds", "1 to 60000", ""],
    ]
    assert rows[0][3] == "--causal-set standard.max_wall_time_ms=VALUE"
    assert rows[1][3] == "CAUSAL_POLICY__standard__max_wall_time_ms"
    assert rows[2][3] == "steady_safe + override r3 (promotion P-7, 2026-11-02)  o.json:6"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (5, 5.0, []),
        (5, 6, [("a", "5", "6")]),
        (True, 1, [("a", "true", "1")]),
        ((1, 2), (1, 2), []),
        ("", None, [("a", '""', "")]),
    ],
)
def test_values_differ_where_they_mean_something_else(first: Any, second: Any, expected: list[Any]) -> None:
    one = policy(Leaf(path="a", value=first, source=PROFILE))
    other = policy() if second is None else policy(Leaf(path="a", value=second, source=PROFILE))
    assert differences(one, other) == expected
