"""The policy for people and for programs: what is in force, where from, and what it outweighs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_causal.policy.in_force import Policy
from pytest_causal.policy.provenance import Layer, Leaf, Source
from pytest_causal.policy.secrets import MASK
from pytest_causal.policy.tree import thawed
from pytest_causal.settings.table import POLICY_ENV_PREFIX, SET_FLAG
from pytest_causal.views.escape import terminal
from pytest_causal.views.tables import Column, Table, cell

SCHEMA = "causal.policy/1"


def value_text(policy: Policy, path: str, value: Any) -> str:
    """Return a value as it may be shown, on one line: JSON, or the mask of a secret."""
    return MASK if path in policy.secrets else terminal(json.dumps(thawed(value), ensure_ascii=False))


def policy_document(policy: Policy) -> dict[str, Any]:
    """Return what ``causal config show --json`` prints: schema ``causal.policy/1``."""
    return {
        "schema": SCHEMA,
        "profile": policy.profile,
        "fingerprint": policy.fingerprint,
        "values": policy.shown_values,
        "sources": {path: source_document(source) for path, source in policy.sources.items()},
        "secrets": sorted(policy.secrets),
    }


def source_document(source: Source) -> dict[str, Any]:
    """Return the origin of a value as JSON; what it does not have is null."""
    return {
        "layer": str(source.layer),
        "name": source.name,
        "file": source.file or None,
        "line": source.line or None,
        "revision": source.revision or None,
    }


def leaf_line(policy: Policy, leaf: Leaf) -> str:
    """Return the one-line answer to "what is in force, and why"."""
    text = (
        f"{terminal(leaf.path)} = {value_text(policy, leaf.path, leaf.value)}  {terminal(str(leaf.source))}"
    )
    if leaf.shadowed:
        text += f"  was {value_text(policy, leaf.path, leaf.shadowed[0][0])}"
    return text


def policy_table(policy: Policy) -> Table:
    """Return a row for each value: path, value, origin, what it outweighs, and where it is written."""
    rows = []
    for path, leaf in policy.leaves.items():
        was = value_text(policy, path, leaf.shadowed[0][0]) if leaf.shadowed else ""
        marks = () if leaf.source.layer in (Layer.DEFAULT, Layer.PROFILE) else ("yellow",)
        rows.append(
            (
                cell(terminal(path)),
                cell(value_text(policy, path, leaf.value), "bold"),
                cell(terminal(str(leaf.source)), *marks),
                cell(was),
                cell(terminal(_file_and_line(leaf.source))),
            )
        )
    columns = (
        Column(header="PATH"),
        Column(header="VALUE"),
        Column(header="FROM"),
        Column(header="WAS"),
        Column(header="WRITTEN IN", is_wide=True),
    )
    return Table(columns=columns, rows=rows)


def explanation_table(policy: Policy, leaf: Leaf) -> Table:
    """Return a row for each place that gives, or could give, the value: the one in force first in its layer."""
    given = [(leaf.value, leaf.source), *leaf.shadowed]
    rows = []
    for layer in Layer:
        here = [(value, source) for value, source in given if source.layer is layer]
        for value, source in here:
            mark = "in force" if source is leaf.source else "outweighed"
            text = value_text(policy, leaf.path, value)
            place = _file_and_line(source) or source.name
            rows.append(
                (cell(str(layer)), cell(text), cell(mark), cell(terminal(f"{_words(source)}{place}")))
            )
        if not here:
            rows.append(
                (cell(str(layer)), cell("not set"), cell(""), cell(terminal(_how_to_set(layer, leaf.path))))
            )
    if bound := policy.bounds.get(leaf.path):
        rows.append((cell("bounds"), cell(str(bound)), cell(""), cell(terminal(bound.place))))
    columns = (Column(header=""), Column(header=""), Column(header=""), Column(header="", is_wide=True))
    return Table(columns=columns, rows=rows, has_header=False)


def explanation_document(policy: Policy, leaf: Leaf) -> dict[str, Any]:
    """Return what ``causal config explain --json`` prints: schema ``causal.explanation/1``."""

    def entry(value: Any, source: Source) -> dict[str, Any]:
        shown = MASK if leaf.path in policy.secrets else thawed(value)
        return {"value": shown, "note": source.note, **source_document(source)}

    bound = policy.bounds.get(leaf.path)
    return {
        "schema": "causal.explanation/1",
        "path": leaf.path,
        "in_force": entry(leaf.value, leaf.source),
        "outweighed": [entry(value, source) for value, source in leaf.shadowed],
        "bounds": {"min": bound.min, "max": bound.max, "step": bound.step, "place": bound.place}
        if bound
        else None,
    }


def difference_table(rows: Sequence[tuple[str, str, str]], names: tuple[str, str]) -> Table:
    """Return a row for each path: its value on either side, empty where there is none."""
    columns = (Column(header="PATH"), Column(header=terminal(names[0])), Column(header=terminal(names[1])))
    return Table(columns=columns, rows=[tuple(cell(terminal(text)) for text in row) for row in rows])


def differences(first: Policy, second: Policy) -> list[tuple[str, str, str]]:
    """Return (path, value, value) of what two policies disagree about, sorted; secrets masked, no value empty."""
    found = []
    for path in sorted(first.leaves.keys() | second.leaves.keys()):
        sides = [policy.read_values.get(path) for policy in (first, second)]
        if sides[0] != sides[1]:
            shown = [
                value_text(policy, path, policy.leaves[path].value) if path in policy.leaves else ""
                for policy in (first, second)
            ]
            found.append((path, shown[0], shown[1]))
    return found


def variable_name(path: str) -> str:
    """Return the environment variable that gives a value."""
    return POLICY_ENV_PREFIX + path.replace(".", "__")


def _how_to_set(layer: Layer, path: str) -> str:
    ways: Mapping[Layer, str] = {
        Layer.CLI: f"{SET_FLAG} {path}=VALUE",
        Layer.ENV: variable_name(path),
        Layer.PROFILE: "a profile, or causal promote",
        Layer.DEFAULT: "[tool.causal.policy] in pyproject.toml, [policy] in causal.toml",
    }
    return ways[layer]


def _words(source: Source) -> str:
    """Return what is known of a source beside its layer and its place."""
    if source.layer is not Layer.PROFILE:
        return ""
    return str(source).removeprefix(f"{source.layer}").strip() + "  "


def _file_and_line(source: Source) -> str:
    return source.place if source.file else ""
