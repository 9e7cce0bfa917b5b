"""The one merge rule: per leaf, the strongest layer that gives it wins; tables merge, everything else replaces.

The same pass produces the values and their origins, so that what is shown is what is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_causal.errors import CausalError, ConfigError, UsageError
from pytest_causal.policy.canonical import canonical
from pytest_causal.policy.legacy_keys import flat_twins, known_name
from pytest_causal.policy.provenance import Given, Layer, Leaf
from pytest_causal.policy.tree import is_at_or_under
from pytest_causal.policy.values import conform, parse
from pytest_causal.settings.scalars import shown
from pytest_causal.settings.suggestion import did_you_mean
from pytest_causal.settings.table import POLICY_ENV_PREFIX

_DECLARING = frozenset({Layer.DEFAULT, Layer.PROFILE})


def merge(documents: Iterable[Sequence[Given]]) -> dict[str, Leaf]:
    """Return dotted path -> the leaf in force, sorted by path.

    ``documents`` are what each file, variable or flag gives, weakest first. Defaults and profiles say which paths
    there are and of which type; overrides, variables and flags may only give values to those. Raises
    :class:`UsageError` for a flag and :class:`ConfigError` for the rest: an unknown path (naming the nearest), a
    value of another type, and one document that gives one value under its flat and its nested name, differently.
    """
    leaves: dict[str, Leaf] = {}
    tables: set[str] = set()
    for document in documents:
        for given in _without_twins(document):
            path = _resolved_path(given, leaves, tables)
            below = leaves.get(path)
            if below is None:
                tables.update(_tables_of(path))
                leaves[path] = Leaf(path=path, value=given.value, source=given.source)
            else:
                leaves[path] = _above(given, below)
    return dict(sorted(leaves.items()))


def _above(given: Given, below: Leaf) -> Leaf:
    try:
        value = (parse if given.is_text else conform)(given.value, below.value)
    except ValueError as problem:
        first = below.shadowed[-1][1] if below.shadowed else below.source
        where = f" (its type is that of {first.place or first})"
        raise _error(
            given, f"{given.source.place}: {below.path}: {problem}", f"correct the value{where}"
        ) from problem
    shadowed = ((below.value, below.source), *below.shadowed)
    return Leaf(path=below.path, value=value, source=given.source, shadowed=shadowed)


def _resolved_path(given: Given, leaves: Mapping[str, Leaf], tables: set[str]) -> str:
    """Return the path under which the value is known, or, from a layer that may declare it, its new path."""
    known = known_name(given.path, leaves)
    if known is None and given.source.name.startswith(POLICY_ENV_PREFIX):
        known = _by_variable(given, leaves)
    if known is not None:
        return known
    place = given.source.place
    if given.path in tables:
        inner = next(path for path in leaves if is_at_or_under(path, given.path))
        raise _error(
            given, f"{place}: {given.path} is a table of values", f"name one of them, such as {inner}"
        )
    if given.source.layer not in _DECLARING or given.source.revision:
        raise _error(
            given, f"{place}: the policy has no {shown(given.path)}", did_you_mean(given.path, leaves)
        )
    if holder := next((table for table in _tables_of(given.path) if table in leaves), None):
        raise _error(
            given, f"{place}: {given.path}: {holder} is a value, not a table", "rename one of the two"
        )
    return given.path


def _by_variable(given: Given, leaves: Mapping[str, Leaf]) -> str | None:
    """Return the leaf that a variable names, in any case: Windows knows variables in upper case only."""
    folded = given.source.name.removeprefix(POLICY_ENV_PREFIX).casefold()
    matches = [path for path in leaves if path.replace(".", "__").casefold() == folded]
    if len(matches) > 1:
        what = f"{given.source.place} may mean {' or '.join(matches)}"
        raise _error(given, what, "write it in the case of the one that is meant")
    return matches[0] if matches else None


def _without_twins(document: Sequence[Given]) -> Sequence[Given]:
    """Return what a document gives, each value once. Raises where its two names of one value disagree."""
    by_path = {given.path: given for given in document}
    twins = flat_twins(by_path)
    for flat, nested in twins.items():
        first, second = by_path[flat], by_path[nested]
        if canonical(first.value) != canonical(second.value):
            what = (
                f"{first.source.place}: {flat} is {shown(first.value)} but {nested} is {shown(second.value)}"
                f" ({second.source.place}), and the two are one value"
            )
            raise _error(first, what, "keep one of the two")
    return [given for given in document if given.path not in twins] if twins else document


def _tables_of(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]


def _error(given: Given, what: str, remedy: str) -> CausalError:
    kind: Any = UsageError if given.source.layer is Layer.CLI else ConfigError
    error: CausalError = kind(what, remedy)
    return error
