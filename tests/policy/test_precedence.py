"""F1: flags > environment > profile (overrides above the file) > default, for every leaf, with the source shown."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_causal.errors import ConfigError, UsageError
from pytest_causal.policy.precedence import merge
from pytest_causal.policy.provenance import Given, Layer, Leaf, Source
from pytest_causal.policy.tree import flatten, nest

# One leaf of each type, and for each layer, strongest first, a value of its own.
LEAVES: dict[str, list[Any]] = {
    "limits.max_rows": [1, 2, 3, 4, 5],
    "limits.deep.ratio": [0.1, 0.2, 0.3, 0.4, 0.5],
    "title": ["a", "b", "c", "d", "e"],
    "modes": [["a"], ["b"], [], ["d", "e"], ["f"]],
    "on": [True, False, True, False, True],
}
CLI, ENV, OVERRIDE, PROFILE, DEFAULT = range(5)


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def as_toml(path: str, value: Any) -> str:
    return f"{path} = {json.dumps(value)}"


def line_of_key(file: Path, path: str) -> int:
    key = f'"{path.split(".")[-1]}":'
    return 1 + next(number for number, line in enumerate(file.read_text().split("\n")) if key in line)


@pytest.mark.parametrize("path", LEAVES)
@pytest.mark.parametrize("given_in", list(itertools.product([False, True], repeat=4)), ids=str)
def test_f1_the_strongest_layer_wins_and_is_named(
    path: str, given_in: tuple[bool, ...], project: Any
) -> None:
    values = LEAVES[path]
    lines = [as_toml(leaf, each[DEFAULT]) for leaf, each in LEAVES.items()]
    config = project.config("[policy]\n" + "\n".join(lines) + "\n")
    in_cli, in_env, in_override, in_profile = given_in
    places: dict[int, Source] = {
        DEFAULT: Source(layer=Layer.DEFAULT, file=str(config), line=2 + list(LEAVES).index(path))
    }
    table = {path: values[PROFILE]} if in_profile else {}
    file = project.profile("steady", nest(table))
    if in_profile:
        line = line_of_key(file, path)
        places[PROFILE] = Source(layer=Layer.PROFILE, name="steady", file=str(file), line=line)
    if in_override:
        file = project.override({path: values[OVERRIDE]})
        places[OVERRIDE] = Source(
            layer=Layer.PROFILE,
            name="steady",
            file=str(file),
            line=line_of_key(file, path),
            revision=1,
            note="promotion P-1, 2026-11-02",
        )
    env = {}
    if in_env:
        name = "CAUSAL_POLICY__" + path.replace(".", "__")
        env = {name: as_text(values[ENV])}
        places[ENV] = Source(layer=Layer.ENV, name=name)
    cli = [f"{path}={as_text(values[CLI])}"] if in_cli else []
    if in_cli:
        places[CLI] = Source(layer=Layer.CLI, name="--causal-set")

    policy = project.resolve("steady", cli=cli, env=env)

    strongest, *others = sorted(places)
    leaf = policy.leaves[path]
    frozen = [tuple(value) if isinstance(value, list) else value for value in values]
    assert leaf == Leaf(
        path=path,
        value=frozen[strongest],
        source=places[strongest],
        shadowed=tuple((frozen[layer], places[layer]) for layer in others),
    )
    assert [type(value) for value, _ in leaf.shadowed] == [type(leaf.value)] * len(others)
    untouched = {other: leaf for other, leaf in policy.leaves.items() if other != path}
    assert all(leaf.source.layer is Layer.DEFAULT and not leaf.shadowed for leaf in untouched.values())


names = st.sampled_from(["a", "b", "c", "d"])
tables = st.recursive(
    st.dictionaries(names, st.integers(0, 99), max_size=3),
    lambda inner: st.dictionaries(names, st.integers(0, 99) | inner, max_size=4),
    max_leaves=12,
)


def naive(trees: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return what merging means, written down as plainly as possible; ``None`` where a table meets a value."""
    result: dict[str, Any] = {}
    for tree in trees:
        for key, value in tree.items():
            if isinstance(value, dict) and isinstance(result.get(key, {}), dict):
                inner = naive([result.get(key, {}), value])
                if inner is None:
                    return None
                if inner:
                    result[key] = inner
            elif isinstance(value, dict):
                if flatten(value):
                    return None
            elif isinstance(result.get(key), dict):
                return None
            else:
                result[key] = value
    return result


def documents(trees: list[dict[str, Any]]) -> list[list[Given]]:
    return [
        [
            Given(path=path, value=value, source=Source(layer=Layer.PROFILE, name=str(number)))
            for path, value in flatten(tree).items()
        ]
        for number, tree in enumerate(trees)
    ]


@settings(max_examples=1000)
@given(st.lists(tables, max_size=5))
def test_f1_a_thousand_random_trees_merge_as_the_naive_reference_does(trees: list[dict[str, Any]]) -> None:
    expected = naive(trees)
    if expected is None:
        with pytest.raises(ConfigError):
            merge(documents(trees))
        return
    leaves = merge(documents(trees))
    assert nest({path: leaf.value for path, leaf in leaves.items()}) == expected
    for path, leaf in leaves.items():
        givers = [str(number) for number, tree in enumerate(trees) if path in flatten(tree)]
        assert [leaf.source.name, *(source.name for _, source in leaf.shadowed)] == givers[::-1]
        assert [leaf.value, *(value for value, _ in leaf.shadowed)] == [
            flatten(trees[int(number)])[path] for number in reversed(givers)
        ]


def given_of(path: str, value: Any, layer: Layer = Layer.PROFILE, **source: Any) -> Given:
    is_text = layer in (Layer.CLI, Layer.ENV)
    return Given(path=path, value=value, source=Source(layer=layer, **source), is_text=is_text)


KNOWN = [[given_of("limits.max_rows", 5), given_of("limits.ratio", 0.5), given_of("name", "x")]]


@pytest.mark.parametrize(
    ("given_value", "error", "message"),
    [
        (given_of("limits.max_row", "1", Layer.CLI), UsageError, r"did you mean 'limits\.max_rows'"),
        (given_of("limits.max_row", "1", Layer.ENV), ConfigError, r"did you mean 'limits\.max_rows'"),
        (given_of("limits.max_row", 1, revision=3), ConfigError, r"did you mean 'limits\.max_rows'"),
        (given_of("limits", "1", Layer.CLI), UsageError, r"limits is a table.*limits\.max_rows"),
        (given_of("limits", 1), ConfigError, "limits is a table"),
        (given_of("name.first", "y"), ConfigError, "name is a value, not a table"),
        (given_of("limits.max_rows", True), ConfigError, "expected a whole number"),
        (given_of("limits.max_rows", 0.5), ConfigError, "expected a whole number"),
        (given_of("limits.ratio", "0.5"), ConfigError, "expected a number"),
        (given_of("limits.max_rows", "1_000", Layer.CLI), UsageError, "expected a whole number"),
        (given_of("limits.max_rows", "yes", Layer.ENV), ConfigError, "expected a whole number"),
        (given_of("limits.ratio", "NaN", Layer.CLI), UsageError, "expected a finite number"),
        (given_of("limits.ratio", "1e999", Layer.ENV), ConfigError, "expected a finite number"),
    ],
)
def test_f3_f5_unknown_paths_and_wrong_types_are_errors(
    given_value: Given, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        merge([*KNOWN, [given_value]])


def test_a_whole_number_is_a_number_and_the_lowest_layer_says_which_type() -> None:
    leaves = merge([*KNOWN, [given_of("limits.ratio", 1), given_of("limits.max_rows", 7.0)]])
    assert repr(leaves["limits.ratio"].value) == "1.0"
    assert repr(leaves["limits.max_rows"].value) == "7"


def test_variables_match_without_case_for_windows() -> None:
    name = "CAUSAL_POLICY__LIMITS__MAX_ROWS"
    document = [given_of("LIMITS.MAX_ROWS", "9", Layer.ENV, name=name)]
    assert merge([*KNOWN, document])["limits.max_rows"].value == 9
    twice = [[given_of("limits.max_rows", 1), given_of("limits.MAX_rows", 2)]]
    with pytest.raises(ConfigError, match=r"limits\.max_rows or limits\.MAX_rows|limits\.MAX_rows or"):
        merge([*twice, document])


def test_flags_do_not_ignore_case() -> None:
    with pytest.raises(UsageError, match="did you mean 'limits"):
        merge([*KNOWN, [given_of("LIMITS.max_rows", "9", Layer.CLI, name="--causal-set")]])


def test_a_flat_legacy_key_and_its_nested_path_are_one_value() -> None:
    nested = [given_of("quoting.min_interval_ms", 70), given_of("engine.tail_age_ms", 650)]
    leaves = merge([nested, [given_of("min_interval_ms", "80", Layer.CLI)]])
    assert leaves["quoting.min_interval_ms"].value == 80
    leaves = merge([[given_of("min_interval_ms", 70)], [given_of("quoting.min_interval_ms", 80)]])
    assert list(leaves) == ["min_interval_ms"]
    assert leaves["min_interval_ms"].value == 80


def test_both_names_in_one_document_must_agree() -> None:
    flat, nested = given_of("min_interval_ms", 70, file="f", line=1), given_of("quoting.min_interval_ms", 75)
    with pytest.raises(ConfigError, match=r"f:1: min_interval_ms is 70 but quoting\.min_interval_ms is 75"):
        merge([[flat, nested]])
    same = given_of("quoting.min_interval_ms", 70.0)
    assert list(merge([[flat, same]])) == ["quoting.min_interval_ms"]
