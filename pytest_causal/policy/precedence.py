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
from pytest_causal.policy.secrets import secret_paths
from pytest_causal.policy.tree import is_at_or_under
from pytest_causal.policy.values import conform, parse, type_name
from pytest_causal.settings.scalars import shown
from pytest_causal.settings.suggestion import did_you_mean
from pytest_causal.settings.table import POLICY_ENV_PREFIX

_DECLARING = frozenset({Layer.DEFAULT, Layer.PROFILE})


def merge(documents: Iterable[Sequence[Given]], secrets: Sequence[str] = ()) -> dict[str, Leaf]:
    """Return dotted path -> the leaf in force, sorted by path.

    ``documents`` are what each file, variable or flag gives, weakest first. Defaults and profiles say which
    paths there are and of which type; overrides, variables and flags may only give values to those (an override
    file without anything below it stands for itself). Values at or under ``secrets`` are kept out of messages.

    Raises :class:`UsageError` for a flag and :class:`ConfigError` for the rest: an unknown path (naming the
    nearest), a value of another type, and one document that gives one value under its flat and its nested name,
    differently.
    """
    leaves: dict[str, Leaf] = {}
    tables: set[str] = set()
    for document in documents:
        stands_alone = not leaves
        for given in _without_twins(document):
            is_declaring = given.source.layer in _DECLARING and (stands_alone or not given.source.revision)
            path = _known_path(given, leaves)
            if path is None:
                if not is_declaring or given.path in tables:
                    raise _unknown(given, leaves, tables)
                path = _new_path(given, leaves)
            below = leaves.get(path)
            if below is None:
                tables.update(_tables_of(path))
                leaves[path] = Leaf(path=path, value=given.value, source=given.source)
            else:
                leaves[path] = _above(given, below, secrets)
    return dict(sorted(leaves.items()))


def _above(given: Given, below: Leaf, secrets: Sequence[str]) -> Leaf:
    try:
        value = (parse if given.is_text else conform)(given.value, below.value)
    except ValueError as error:
        is_secret = bool(secret_paths({below.path: below.value}, secrets))
        problem = f"expected {type_name(below.value)}, found something else" if is_secret else str(error)
        first = below.shadowed[-1][1] if below.shadowed else below.source
        what = f"{given.source.place}: {below.path}: {problem}"
        remedy = f"correct the value (its type is that of {first.place or first})"
        raise _error(given, what, remedy) from error
    shadowed = ((below.value, below.source), *below.shadowed)
    return Leaf(path=below.path, value=value, source=given.source, shadowed=shadowed)


def _known_path(given: Given, leaves: Mapping[str, Leaf]) -> str | None:
    """Return the path under which a value is known already, if it is."""
    known = known_name(given.path, leaves)
    if known is None and given.source.name.startswith(POLICY_ENV_PREFIX):
        known = _by_variable(given, leaves)
    return known


def _new_path(given: Given, leaves: Mapping[str, Leaf]) -> str:
    """Return the path of a value that is declared here. Raises where one of its tables is a value already."""
    if holder := next((table for table in _tables_of(given.path) if table in leaves), None):
        what = f"{given.source.place}: {given.path}: {holder} is a value, not a table"
        raise _error(given, what, "rename one of the two")
    return given.path


def _unknown(given: Given, leaves: Mapping[str, Leaf], tables: set[str]) -> CausalError:
    place = given.source.place
    if given.path in tables:
        inner = next(path for path in leaves if is_at_or_under(path, given.path))
        what = f"{place}: {given.path} is a table of values"
        return _error(given, what, f"name one of them, such as {inner}")
    return _error(given, f"{place}: the policy has no {shown(given.path)}", did_you_mean(given.path, leaves))


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
