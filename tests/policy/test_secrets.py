from __future__ import annotations

import pytest

from pytest_causal.policy.mapping import PolicyMapping, PolicyMismatch
from pytest_causal.policy.secrets import MASK, masked, read_value, secret_paths


@pytest.mark.parametrize(
    "name",
    ["password", "db_password", "apiKey", "API_KEY", "access-key", "token", "authToken", "client_secret", "credentials",
     "private_key", "passphrase"],
)  # fmt: skip
def test_text_whose_name_says_so_is_secret(name: str) -> None:
    assert secret_paths({f"a.{name}": "x"}, ()) == {f"a.{name}"}
    assert secret_paths({f"a.{name}": ("x", "y")}, ()) == {f"a.{name}"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_tokens", 4096), ("token_limit", 5), ("password_attempts", 3), ("tokenizer", "bpe"), ("key", "x"),
     ("keyboard", "us"), ("secretary", "x"), ("password", ""), ("monkey", "x"), ("max_key", "x")],
)  # fmt: skip
def test_numbers_and_words_that_only_look_alike_are_not(name: str, value: object) -> None:
    assert secret_paths({f"password.{name}": value}, ()) == frozenset()


def test_declared_leaves_and_tables_are_secret_whatever_they_hold() -> None:
    leaves = {"db.port": 5432, "db.host": "h", "limit": 5, "dbx": 1}
    assert secret_paths(leaves, ["db", "limit"]) == {"db.port", "db.host", "limit"}
    assert masked(leaves, frozenset({"db.port"})) == {**leaves, "db.port": MASK}


def test_a_read_of_a_secret_is_recorded_as_a_hash_that_tells_values_apart() -> None:
    secrets = frozenset({"a.token"})
    one, two = read_value("a.token", "x1", secrets), read_value("a.token", "x2", secrets)
    assert one != two
    assert one == read_value("a.token", "x1", secrets)
    assert "x1" not in one
    assert read_value("a.other", "x1", secrets) == '"x1"'


def test_a_mapping_keeps_secrets_out_of_reads_and_messages_in_every_process() -> None:
    mapping = PolicyMapping.from_json(PolicyMapping.of({"token": "hunter2"}, ["token"]).to_json())
    assert mapping["token"] == "hunter2"
    mapping.observe("token", "hunter2")
    assert "hunter2" not in str(mapping.reads())
    with pytest.raises(PolicyMismatch) as caught:
        mapping.observe("token", "swordfish")
    assert "hunter2" not in str(caught.value)
    assert "swordfish" not in str(caught.value)
