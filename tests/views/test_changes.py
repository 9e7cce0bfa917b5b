from __future__ import annotations

from typing import Any

import pytest

from pytest_causal.model.change import Change, Step
from pytest_causal.policy.secrets import MASK
from pytest_causal.views.changes import change_steps, change_words, json_value, step_words, value_words

CHANGE = Change((Step("a.mode", "lifo", "fifo"), Step("a.token", "old", "new")))
SECRETS = frozenset({"a.token"})


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (500, "500"),
        (0.5, "0.5"),
        ("lifo", '"lifo"'),
        (True, "true"),
        ((1, ("x", 2)), '[1, ["x", 2]]'),
        (None, "-"),
        ("größer", '"größer"'),
        ("\x1b[31m\n", '"\\u001b[31m\\n"'),
        ("\u202e", '"\\u202e"'),
    ],
)
def test_values_are_json_on_one_line(value: Any, words: str) -> None:
    assert value_words("a", value, frozenset()) == words


def test_a_step_and_a_change() -> None:
    assert step_words(CHANGE.steps[0], SECRETS) == 'a.mode: "lifo" -> "fifo"'
    assert change_words(CHANGE, SECRETS) == 'a.mode: "lifo" -> "fifo", a.token: *** -> ***'


def test_secrets_are_masked_and_their_absence_is_not() -> None:
    assert change_steps(CHANGE, SECRETS)[1] == {"path": "a.token", "from": MASK, "to": MASK}
    assert json_value("a.token", None, SECRETS) is None
    assert "new" not in str(change_steps(CHANGE, SECRETS))


def test_lists_are_lists_again_in_json() -> None:
    assert change_steps(Change((Step("a", (1,), (1, 2)),)), SECRETS) == [
        {"path": "a", "from": [1], "to": [1, 2]}
    ]
    assert change_steps(None, SECRETS) == []


def test_paths_are_escaped() -> None:
    assert step_words(Step("a.\x1b", 1, 2), SECRETS) == "a.\\x1b: 1 -> 2"
