from __future__ import annotations

import copy
import json
import pickle
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.errors import ConfigError
from pytest_causal.model.run import Read, ReadHow
from pytest_causal.policy.canonical import canonical
from pytest_causal.policy.mapping import PolicyMapping, PolicyMismatch
from pytest_causal.policy.tree import flatten

LEAVES = {
    "limits.max_rows": 5000,
    "limits.max_ratio": 0.5,
    "limits.deep.x": 1.0,
    "limits.deep.y": 2,
    "names": ("a", "b"),
    "on": True,
    "text": "t",
}


def policy() -> PolicyMapping:
    return PolicyMapping.of(LEAVES)


def paths(mapping: PolicyMapping) -> list[str]:
    return [read.path for read in mapping.reads()]


def sunder(**values: Any) -> dict[str, Any]:
    return values


LIMITS = ["limits.deep.x", "limits.deep.y", "limits.max_ratio", "limits.max_rows"]
TOP = ["names", "on", "text"]

WAYS: dict[str, tuple[Callable[[PolicyMapping], Any], list[str]]] = {
    "nothing": (lambda p: None, []),
    "taking a table": (lambda p: p["limits"], []),
    "length and truth": (lambda p: (len(p), bool(p)), []),
    "subscript": (lambda p: p["limits"]["max_rows"], ["limits.max_rows"]),
    "deep subscript": (lambda p: p["limits"]["deep"]["x"], ["limits.deep.x"]),
    "get": (lambda p: p.get("text"), ["text"]),
    "get of nothing": (lambda p: p.get("absent", 1), []),
    "get of a table": (lambda p: p.get("limits"), []),
    "in": (lambda p: "on" in p, ["on"]),
    "in, absent": (lambda p: "absent" in p, []),
    "in a table": (lambda p: "limits" in p, []),
    "in values": (lambda p: 0.5 in p["limits"].values(), ["limits.max_ratio"]),
    "iteration": (lambda p: list(p), TOP),
    "iteration cut short": (lambda p: next(iter(p["limits"]["deep"])), ["limits.deep.x"]),
    "keys": (lambda p: list(p["limits"].keys()), ["limits.max_ratio", "limits.max_rows"]),
    "values": (lambda p: list(p["limits"]["deep"].values()), ["limits.deep.x", "limits.deep.y"]),
    "items": (lambda p: list(p["limits"]["deep"].items()), ["limits.deep.x", "limits.deep.y"]),
    "double star": (lambda p: sunder(**p["limits"]["deep"]), ["limits.deep.x", "limits.deep.y"]),
    "unpacking": (lambda p: {**p["limits"]["deep"]}, ["limits.deep.x", "limits.deep.y"]),
    "dict": (lambda p: dict(p), TOP),
    "update": (lambda p: {}.update(p["limits"]["deep"]), ["limits.deep.x", "limits.deep.y"]),
    "copy": (lambda p: copy.copy(p["limits"]["deep"]), ["limits.deep.x", "limits.deep.y"]),
    "deepcopy": (lambda p: copy.deepcopy(p["limits"]), LIMITS),
    "deepcopy of all": (lambda p: copy.deepcopy(p), LIMITS + TOP),
    "pickle": (lambda p: pickle.loads(pickle.dumps(p["limits"])), LIMITS),
    "equality": (lambda p: p["limits"]["deep"] == {"x": 1.0, "y": 2}, ["limits.deep.x", "limits.deep.y"]),
    "equality, reflected": (
        lambda p: [{"x": 1.0}].count(p["limits"]["deep"]),
        ["limits.deep.x", "limits.deep.y"],
    ),
    "repr": (lambda p: repr(p), LIMITS + TOP),
    "format": (lambda p: f"{p['limits']['deep']}", ["limits.deep.x", "limits.deep.y"]),
    "to_dict": (lambda p: p["limits"].to_dict(), LIMITS),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_a_value_is_noted_and_nothing_else(way: str) -> None:
    use, expected = WAYS[way]
    mapping = policy()
    use(mapping)
    assert paths(mapping) == sorted(expected)


def test_matching_a_pattern_is_noted() -> None:
    mapping = policy()
    match mapping:
        case {"limits": {"max_rows": rows}}:
            assert rows == 5000
    assert paths(mapping) == ["limits.max_rows"]


def test_a_table_taken_before_still_notes() -> None:
    mapping = policy()
    limits = mapping["limits"]
    assert mapping.reads() == ()
    assert limits["max_ratio"] == 0.5
    assert mapping.reads() == (Read(path="limits.max_ratio", value="0.5", how=ReadHow.TRACKED),)


def test_nothing_can_be_changed_through_it() -> None:
    mapping = policy()
    with pytest.raises(TypeError):
        mapping["text"] = "x"  # type: ignore[index]
    with pytest.raises(TypeError):
        del mapping["limits"]["max_rows"]
    assert mapping["names"] == ("a", "b")
    copied = mapping.to_dict()
    copied["names"].append("c")
    copied["limits"]["max_rows"] = 1
    assert mapping["names"] == ("a", "b")
    assert mapping["limits"]["max_rows"] == 5000


def test_a_missing_key_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        policy()["limits"]["absent"]


def test_a_fresh_mapping_shares_values_and_no_reads() -> None:
    first = policy()
    assert first["on"] is True
    second = first.fresh()
    assert second.reads() == ()
    assert second["text"] == "t"
    assert (paths(first), paths(second)) == (["on"], ["text"])
    assert second.fingerprint == first.fingerprint


def test_reads_from_many_threads_are_all_noted() -> None:
    mapping = PolicyMapping.of({f"k{number}": number for number in range(400)})
    start = threading.Barrier(8)

    def read(offset: int) -> None:
        start.wait()
        for number in range(offset, 400, 8):
            assert mapping[f"k{number}"] == number

    threads = [threading.Thread(target=read, args=(offset,)) for offset in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(mapping.reads()) == 400


def test_an_observed_value_that_agrees_is_a_read() -> None:
    mapping = policy()
    mapping.observe("limits.deep.x", 1)  # 1 and 1.0 are one number
    mapping.observe("names", ["a", "b"])
    assert mapping.reads() == (
        Read(path="limits.deep.x", value="1", how=ReadHow.OBSERVED),
        Read(path="names", value='["a","b"]', how=ReadHow.OBSERVED),
    )


def test_a_tracked_read_is_better_knowledge_than_an_observed_one() -> None:
    mapping = policy()
    mapping.observe("text", "t")
    assert mapping["text"] == "t"
    assert mapping.reads() == (Read(path="text", value='"t"', how=ReadHow.TRACKED),)


def test_an_observed_mismatch_fails_the_test_and_is_recorded_as_what_was_used() -> None:
    mapping = policy()
    assert mapping["limits"]["max_rows"] == 5000
    with pytest.raises(PolicyMismatch, match=r"limits\.max_rows: the policy says 5000.*uses 4000"):
        mapping.observe("limits.max_rows", 4000)
    assert issubclass(PolicyMismatch, AssertionError)
    assert mapping.reads() == (Read(path="limits.max_rows", value="4000", how=ReadHow.OBSERVED),)


@pytest.mark.parametrize("value", [float("nan"), object(), None, {1, 2}])
def test_an_observed_value_must_be_one_a_policy_can_hold(value: object) -> None:
    mapping = policy()
    with pytest.raises(ConfigError, match="observe"):
        mapping.observe("text", value)
    assert mapping.reads() == ()


def test_an_unknown_path_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'limits\.max_rows'"):
        policy().observe("limits.max_row", 1)
    with pytest.raises(ConfigError, match="no 'limit'"):
        policy().check_paths(["limits", "text", "limit"])


def test_declared_paths_may_name_a_table() -> None:
    mapping = policy()
    assert [read.path for read in mapping.declared(["limits.deep", "text", "absent"])] == [
        "limits.deep.x",
        "limits.deep.y",
        "text",
    ]
    assert {read.how for read in mapping.declared(["limits"])} == {ReadHow.DECLARED}
    assert mapping.reads() == ()


tables = st.dictionaries(
    st.text(alphabet="abé", min_size=1, max_size=3),
    st.recursive(
        st.integers(-(2**60), 2**60)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=3)
        | st.booleans()
        | st.lists(st.integers(0, 9), max_size=3),
        lambda inner: st.dictionaries(
            st.text(alphabet="ab", min_size=1, max_size=3), inner, min_size=1, max_size=3
        ),
        max_leaves=6,
    ),
)


@given(tables)
def test_it_travels_unchanged_and_equals_the_dict_it_stands_for(table: dict[str, Any]) -> None:
    leaves = flatten(table)
    mapping = PolicyMapping.of(leaves)
    travelled = PolicyMapping.from_json(mapping.to_json())
    assert travelled.fingerprint == mapping.fingerprint
    assert travelled.to_dict() == mapping.to_dict() == table
    assert repr(travelled) == repr(mapping)
    assert {read.path: json.loads(read.value) for read in mapping.reads()} == {
        path: json.loads(canonical(value)) for path, value in leaves.items()
    }
    assert isinstance(mapping, Mapping)
    assert sorted(mapping) == sorted(table)
