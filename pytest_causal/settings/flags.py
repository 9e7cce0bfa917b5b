"""The settings as options of pytest's command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from pytest_causal.settings.table import SET_FLAG, SETTINGS, Kind, Setting

SET_DEST = "causal_set"


def add_options(addoption: Callable[..., object]) -> None:
    """Add an option for every row of the table, and ``--causal-set``, through ``group.addoption``.

    Options default to ``None`` (not given) and stay text: ``resolve_settings`` converts them, so that a flag,
    a variable and a file key are judged by one rule.
    """
    for setting in SETTINGS:
        addoption(setting.flag, **_attributes(setting))
    addoption(
        SET_FLAG,
        dest=SET_DEST,
        action="append",
        metavar="PATH=VALUE",
        help="Set one value of the policy for this session, such as limits.max_rows=5000; may be repeated.",
    )


def given_flags(options: Mapping[str, Any]) -> dict[str, object]:
    """Return name -> what was given, from ``vars(config.option)``; names not given are left out."""
    return {
        setting.name: options[setting.dest] for setting in SETTINGS if options.get(setting.dest) is not None
    }


def _attributes(setting: Setting) -> dict[str, Any]:
    attributes: dict[str, Any] = {"dest": setting.dest, "default": None, "help": _help(setting)}
    if setting.kind is Kind.SWITCH:
        return attributes | {"action": argparse.BooleanOptionalAction}
    return attributes | {"metavar": _metavar(setting)}


def _metavar(setting: Setting) -> str:
    if setting.choices:
        return "|".join(setting.choices)
    return {Kind.NAMES: "NAME,..."}.get(setting.kind, (setting.unit or setting.kind).upper())


def _help(setting: Setting) -> str:
    default = setting.default
    if setting.kind is Kind.SWITCH:
        default = "yes" if default else "no"
    shown = f" (default: {default})" if default not in ("", ()) else ""
    return f"{setting.help}{shown}".replace("%", "%%")
