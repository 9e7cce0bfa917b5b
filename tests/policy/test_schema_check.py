from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_causal.errors import ConfigError
from pytest_causal.policy.json_document import parse_json
from pytest_causal.policy.schema_check import ANNOTATIONS, KEYWORDS, check, schema, violations

NAMES = ["overrides", "profile"]


def keywords_of(part: Any) -> set[str]:
    """Return the keywords of a schema, walking only where schemas stand."""
    found = set(part)
    for key in ("properties", "$defs"):
        for inner in part.get(key, {}).values():
            found |= keywords_of(inner)
    for key in ("additionalProperties", "propertyNames", "items"):
        if isinstance(part.get(key), dict):
            found |= keywords_of(part[key])
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_schemas_are_valid_and_use_only_what_the_reader_knows(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))
    assert keywords_of(schema(name)) <= KEYWORDS | ANNOTATIONS


words = st.sampled_from(
    ["schema", "name", "values", "bounds", "kpi", "extends", "description", "min", "max", "step", "soft_min", "by",
     "at", "revision", "fingerprint", "entries", "a", "a.b", "", "causal.profile/1", "causal.overrides/1",
     "0123456789abcdef", "2026-11-02T10:00:00Z"]
)  # fmt: skip
scalars = st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from([0.0, 0.5, 1.0, -1.5]) | words
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)
tables = st.dictionaries(words, anything, max_size=3)
limits = st.dictionaries(st.sampled_from(["min", "max", "step", "soft_min", "mni"]), scalars, max_size=3)
profiles = st.fixed_dictionaries(
    {"schema": st.just("causal.profile/1"), "values": tables},
    optional={
        "name": words,
        "extends": words,
        "description": scalars,
        "bounds": st.dictionaries(words, limits, max_size=2),
        "kpi": st.dictionaries(words, st.dictionaries(words, limits, max_size=2), max_size=2),
    },
)
overrides = st.fixed_dictionaries(
    {
        "schema": st.just("causal.overrides/1"),
        "revision": scalars,
        "fingerprint": words,
        "values": tables,
    },
    optional={
        "entries": st.dictionaries(
            words,
            st.fixed_dictionaries(
                {"by": words, "at": words, "revision": scalars}, optional={"more": scalars}
            ),
            max_size=2,
        )
    },
)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=400)
@given(document=st.one_of(profiles, overrides, anything))
def test_it_agrees_with_jsonschema_on_every_document(name: str, document: Any) -> None:
    validator = jsonschema.Draft202012Validator(schema(name))
    found = list(violations(document, schema(name)))
    assert bool(found) == (not validator.is_valid(document))


def test_both_kinds_of_document_are_among_those_tried() -> None:
    assert not list(violations({"schema": "causal.profile/1", "values": {"a": {"b": 1}}}, schema("profile")))
    good = {"schema": "causal.overrides/1", "revision": 1, "fingerprint": "0123456789abcdef", "values": {}}
    assert not list(violations(good, schema("overrides")))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"schema": "causal.profile/2"},
            r"f:2: schema: found 'causal\.profile/2'; expected 'causal\.profile/1'",
        ),
        ({"values": [1]}, r"f:3: values: found \[1\]; expected object"),
        ({"values": {"a": {"b": None}}}, r"f:5: values\.a\.b: found None; expected object or number"),
        ({"valeus": {}}, r"f:4: valeus: found unknown key 'valeus'; did you mean 'values'"),
        ({"bounds": {"a": {"step": 0}}}, r"f:6: bounds\.a\.step: found 0; expected more than 0"),
        ({"kpi": {"smoke": {"risk": {}}}}, r"kpi\.smoke\.risk: found \{\}; expected at least 1 of min, max"),
    ],
)
def test_f5_an_error_names_file_line_path_found_and_expected(change: dict[str, Any], message: str) -> None:
    document = {"schema": "causal.profile/1", "values": {}} | change
    with pytest.raises(ConfigError, match=message):
        check(parse_json(json.dumps(document, indent=1), "f"), "profile")


def test_a_missing_key_is_named() -> None:
    with pytest.raises(ConfigError, match="f:1: the document: found no 'values'; add it"):
        check(parse_json('{"schema": "causal.profile/1"}', "f"), "profile")
