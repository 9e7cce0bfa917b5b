from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_causal.errors import ConfigError, UsageError
from pytest_causal.policy.given import from_env, from_flag
from pytest_causal.policy.provenance import Layer, Source


def given_by(env: dict[str, str]) -> list[tuple[str, Any, str]]:
    return [(each.path, each.value, each.source.name) for document in from_env(env) for each in document]


def test_the_variable_of_one_value_comes_last_and_the_legacy_one_first() -> None:
    env = {
        "CAUSAL_POLICY__limits__max_rows": "3",
        "CAUSAL_POLICY": '{"limits": {"max_rows": 2}}',
        "MM_RUNTIME_OVERRIDES_JSON": '{"min_interval_ms": 90}',
        "OTHER": "x",
    }
    assert given_by(env) == [
        ("min_interval_ms", 90, "MM_RUNTIME_OVERRIDES_JSON"),
        ("limits.max_rows", 2, "CAUSAL_POLICY"),
        ("limits.max_rows", "3", "CAUSAL_POLICY__limits__max_rows"),
    ]


@pytest.mark.parametrize("name", ["CAUSAL_POLICY", "MM_RUNTIME_OVERRIDES_JSON"])
@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", "1", '"x"', "{", "{'a': 1}", '{"a": NaN}', '{"a": null}']
)
def test_f6_a_variable_that_gives_no_values_is_an_error(name: str, text: str) -> None:
    with pytest.raises(ConfigError, match=name):
        given_by({name: text})


def test_a_message_about_a_variable_does_not_repeat_a_text_that_may_be_secret() -> None:
    with pytest.raises(ConfigError) as caught:
        given_by({"CAUSAL_POLICY": json.dumps("hunter2")})
    assert "hunter2" not in str(caught.value)


def test_a_flag_gives_a_path_and_the_text_after_the_first_equals_sign() -> None:
    given = from_flag("db.dsn=a=b")
    assert (given.path, given.value, given.is_text) == ("db.dsn", "a=b", True)
    assert given.source == Source(layer=Layer.CLI, name="--causal-set")


@pytest.mark.parametrize("text", ["", "=", "=5", "limits.max_rows", "limits.max_rows:5"])
def test_a_flag_without_path_or_value_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="PATH=VALUE"):
        from_flag(text)
