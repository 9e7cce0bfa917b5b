"""``causal config``: what is in force, and why."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_causal.cli.output import Screen, note, write, write_json
from pytest_causal.cli.pytest_config import find_pytest_config
from pytest_causal.errors import CausalError, ExitCode, UsageError
from pytest_causal.settings.scalars import shown
from pytest_causal.settings.sources import Settings, resolve_settings
from pytest_causal.settings.suggestion import did_you_mean
from pytest_causal.settings.table import CRITERIA, SETTINGS
from pytest_causal.views.escape import terminal
from pytest_causal.views.policy_export import ExportFormat, export
from pytest_causal.views.summary import Line
from pytest_causal.views.tables import Column, Table, cell

if TYPE_CHECKING:
    from pytest_causal.policy.in_force import Policy
    from pytest_causal.policy.profiles import Profile

Command = Callable[..., Any]


def profile_option(command: Command) -> Command:
    """Add ``--profile`` to a command."""
    return click.option(
        "--profile", metavar="NAME", help="Profile (default: CAUSAL_PROFILE, [tool.causal] profile)."
    )(command)


def set_option(command: Command) -> Command:
    """Add ``--set`` to a command."""
    return click.option(
        "--set", "sets", multiple=True, metavar="PATH=VALUE", help="Set one value; may be repeated."
    )(command)


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


@click.group()
def config() -> None:
    """Show the policy in force and where each value comes from.

    \b
    Precedence, per value: flags, environment, profile (overrides above the file), defaults.
    Exit codes: 0 ok, 64 a bad flag or an unknown path, 78 a bad file or variable.
    """


@config.command()
@profile_option
@set_option
@click.option("--precedence", is_flag=True, help="Each value with all that it outweighs.")
@json_option
def show(profile: str | None, sets: tuple[str, ...], precedence: bool, as_json: bool) -> int:
    """Show every value in force and its origin."""
    return show_policy(policy_in_force(read_settings(profile), sets), has_stack=precedence, as_json=as_json)


@config.command()
@click.argument("path")
@profile_option
@set_option
@json_option
def explain(path: str, profile: str | None, sets: tuple[str, ...], as_json: bool) -> int:
    """Say why PATH has the value it has, and how it could be given another."""
    settings = read_settings(profile)
    policy = policy_in_force(settings, sets)
    from pytest_causal.policy.legacy_keys import known_name

    known = known_name(path, policy.leaves)
    if known is not None:
        return _explain_leaves(policy, [known], is_one=True, as_json=as_json)
    from pytest_causal.policy.tree import is_at_or_under

    if inside := [leaf for leaf in policy.leaves if is_at_or_under(leaf, path)]:
        return _explain_leaves(policy, inside, as_json=as_json)
    if setting := next((each for each in SETTINGS if path in (each.name, each.key)), None):
        return _explain_setting(settings, setting.name, as_json=as_json)
    known_paths = [*policy.leaves, *(setting.key for setting in SETTINGS)]
    raise UsageError(f"there is no {shown(path)}", did_you_mean(path, known_paths))


@config.command("list")
@json_option
def list_(as_json: bool) -> int:
    """List the profiles that can be used, with where they are."""
    return list_all_profiles(read_settings(None), as_json=as_json)


@config.command()
@click.argument("names", nargs=-1)
@json_option
def validate(names: tuple[str, ...], as_json: bool) -> int:
    """Check profiles (all of them, or NAMES) with the settings, the overrides and the environment in force."""
    from pytest_causal.policy.profiles import list_profiles, search_path

    settings = read_settings(None)
    found = list_profiles(search_path(settings.profiles))
    problems = {name: _problem(settings, name) for name in names or tuple(found)}
    in_force = _problem_in_force(settings)
    if as_json:
        rows = [
            {"name": name, "file": _text_of(found.get(name)), "problem": text}
            for name, text in problems.items()
        ]
        write_json({"schema": "causal.validation/1", "profiles": rows, "in_force": {"problem": in_force}})
    else:
        lines = [_validation_line(f"profile {name}", text) for name, text in problems.items()]
        write([Screen().lines([*lines, _validation_line("what is in force", in_force)])])
    return ExitCode.BAD_CONFIG if in_force or any(problems.values()) else ExitCode.OK


@config.command()
@click.argument("first")
@click.argument("second")
@json_option
def diff(first: str, second: str, as_json: bool) -> int:
    """Show what the profiles FIRST and SECOND disagree about, by their files alone."""
    from pytest_causal.views.policy import difference_table, differences

    policies = [_profile_alone(name) for name in (first, second)]
    rows = differences(*policies)
    if as_json:
        changes = [
            {"path": path, "first": left or None, "second": right or None} for path, left, right in rows
        ]
        write_json(
            {"schema": "causal.difference/1", "first": first, "second": second, "differences": changes}
        )
    elif rows:
        write([Screen().table(difference_table(rows, (first, second)))])
    else:
        note(f"{first} and {second} hold the same values")
    return ExitCode.OK


@config.command("export")
@click.option(
    "--format",
    "form",
    type=click.Choice([str(form) for form in ExportFormat]),
    default="json",
    show_default=True,
)
@click.option("--with-secrets", is_flag=True, help="Also write values that are otherwise never shown.")
@profile_option
@set_option
def export_(form: str, with_secrets: bool, profile: str | None, sets: tuple[str, ...]) -> int:
    """Write the values in force for a shell (env), a program (json), or $GITHUB_ENV (github)."""
    policy = policy_in_force(read_settings(profile), sets)
    hidden = frozenset() if with_secrets else policy.secrets
    if hidden:
        note(f"left out as secret: {', '.join(sorted(hidden))}; --with-secrets writes them")
    leaves = {path: value for path, value in policy.flat.items() if path not in hidden}
    write([export(leaves, ExportFormat(form))])
    return ExitCode.OK


def read_settings(profile: str | None) -> Settings:
    """Return the settings of the current directory's project; ``profile`` is what ``--profile`` gave."""
    root = find_pytest_config(Path.cwd()).root
    flags = {} if profile is None else {"profile": profile}
    return resolve_settings(flags=flags, env=os.environ, root=root)


def policy_in_force(settings: Settings, sets: Sequence[str] = ()) -> Policy:
    """Return the policy in force. Raises as ``resolve_policy`` does."""
    from pytest_causal.policy.layers import resolve_policy

    return resolve_policy(settings, cli=sets, env=os.environ, root=settings.root)


def show_policy(policy: Policy, *, has_stack: bool, as_json: bool) -> int:
    """Write the values in force; with ``has_stack`` each with all that it outweighs."""
    from pytest_causal.views.policy import policy_document, policy_table

    if has_stack:
        return _explain_leaves(policy, list(policy.leaves), as_json=as_json)
    if as_json:
        write_json(policy_document(policy))
    elif policy.leaves:
        write([Screen().table(policy_table(policy))])
        note(f"fingerprint {policy.fingerprint}" + (f", profile {policy.profile}" if policy.profile else ""))
    else:
        note("there is no policy; declare one in [tool.causal.policy], or name a profile with --profile")
    return ExitCode.OK


def list_all_profiles(settings: Settings, *, as_json: bool) -> int:
    """Write the profiles that can be found; one that cannot be read is listed with what is wrong."""
    from pytest_causal.policy.profiles import list_profiles, load_profile, search_path

    search = search_path(settings.profiles)
    rows: list[dict[str, Any]] = []
    for name, path in list_profiles(search).items():
        row: dict[str, Any] = {"name": name, "file": str(path), "is_in_force": name == settings.profile}
        try:
            rows.append(row | _facts(load_profile(name, search)) | {"problem": None})
        except CausalError as error:
            rows.append(row | {"problem": str(error)})
    if as_json:
        write_json({"schema": "causal.profiles/1", "profiles": rows})
    elif rows:
        write([Screen().table(_profile_table(rows))])
    else:
        note(f"there are no profiles in {' or '.join(map(str, search))}")
    return ExitCode.OK


def _facts(profile: Profile) -> dict[str, Any]:
    return {
        "description": profile.description,
        "extends": profile.extends or None,
        "values": len(profile.leaves),
        "sha256": profile.sha256,
    }


def _profile_table(rows: Sequence[dict[str, Any]]) -> Table:
    cells = []
    for row in rows:
        about = row["problem"] or row["description"]
        cells.append(
            (
                cell(terminal(row["name"]), *(["bold"] if row["is_in_force"] else [])),
                cell("in force" if row["is_in_force"] else ""),
                cell(terminal(about), *(["red"] if row["problem"] else [])),
                cell(terminal(row["file"])),
            )
        )
    columns = ("NAME", "", "ABOUT", "FILE")
    return Table(columns=tuple(Column(header=name, is_wide=name == "FILE") for name in columns), rows=cells)


def _explain_leaves(policy: Policy, paths: Sequence[str], *, is_one: bool = False, as_json: bool) -> int:
    from pytest_causal.views.policy import explanation_document, explanation_table, leaf_line

    leaves = [policy.leaves[path] for path in paths]
    if as_json:
        documents = [explanation_document(policy, leaf) for leaf in leaves]
        all_of_them = {"schema": "causal.explanations/1", "explanations": documents}
        write_json(documents[0] if is_one else all_of_them)
        return ExitCode.OK
    screen = Screen()
    for leaf in leaves:
        write([screen.lines([Line(text=leaf_line(policy, leaf), marks=("bold",))])])
        write([screen.table(explanation_table(policy, leaf))])
    return ExitCode.OK


def _explain_setting(settings: Settings, name: str, *, as_json: bool) -> int:
    setting = next(setting for setting in SETTINGS if setting.name == name)
    value = getattr(settings.criteria if setting.section == CRITERIA else settings, name)
    origin = settings.origins[name]
    if as_json:
        source = {"layer": str(origin.layer), "place": origin.place or None}
        write_json({"schema": "causal.setting/1", "name": setting.key, "value": value, "source": source})
        return ExitCode.OK
    lines = [
        Line(
            text=terminal(f"{setting.key} = {shown(value)}  {origin.layer} {origin.place}".rstrip()),
            marks=("bold",),
        ),
        Line(text=setting.help),
        Line(
            text=f"flag {setting.flag}, variable {setting.env}, key {setting.key}, default {shown(setting.default)}"
        ),
    ]
    write([Screen().lines(lines)])
    return ExitCode.OK


def _problem(settings: Settings, name: str) -> str | None:
    """Return what is wrong with a profile as it would be used here, if anything."""
    from pytest_causal.policy.resolution import resolve

    try:
        resolve(settings._replace(profile=name), cli=(), env={}, overrides_path=None)
    except CausalError as error:
        return str(error)
    return None


def _problem_in_force(settings: Settings) -> str | None:
    try:
        policy_in_force(settings)
    except CausalError as error:
        return str(error)
    return None


def _validation_line(subject: str, problem: str | None) -> Line:
    if problem is None:
        return Line(text=terminal(f"{subject}: ok"))
    return Line(text=terminal(f"{subject}: {problem}"), marks=("red",))


def _profile_alone(name: str) -> Policy:
    """Return the policy that a profile makes by itself, without defaults, overrides and environment."""
    from pytest_causal.policy.resolution import resolve

    settings = read_settings(name)
    return resolve(settings._replace(config=None), cli=(), env={}, overrides_path=None)


def _text_of(path: Path | None) -> str | None:
    return None if path is None else str(path)
