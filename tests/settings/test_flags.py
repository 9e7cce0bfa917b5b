from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from pytest_causal.settings.flags import SET_DEST, add_options, given_flags
from pytest_causal.settings.sources import resolve_settings
from pytest_causal.settings.table import SETTINGS


def test_options_keep_what_was_given_and_nothing_else(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    add_options(parser.add_argument)
    given = parser.parse_args(
        ["--causal-min-runs", "3", "--no-causal-messages", "--causal-set", "a=1", "--causal-set", "b=2"]
    )
    assert given_flags(vars(given)) == {"min_runs": "3", "messages": False}
    assert getattr(given, SET_DEST) == ["a=1", "b=2"]
    settings = resolve_settings(flags=given_flags(vars(given)), env={}, root=tmp_path)
    assert settings.criteria.min_runs == 3
    assert not settings.messages


def test_the_help_of_every_option_can_be_printed() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser.add_argument)
    shown = parser.format_help()
    assert all(setting.flag in shown for setting in SETTINGS)


def test_pytest_takes_every_option_and_shows_its_help(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        from pytest_causal.settings.flags import add_options, given_flags

        def pytest_addoption(parser):
            add_options(parser.getgroup("causal-under-test").addoption)

        def pytest_report_header(config):
            return f"given: {sorted(given_flags(vars(config.option)).items())}"
        """
    )
    result = pytester.runpytest_subprocess(
        "-p", "no:causal", "--causal-strict", "--causal-alpha=0.01", "--causal-min-runs", "3"
    )
    result.stdout.fnmatch_lines(["given: [[]('alpha', '0.01'), ('min_runs', '3'), ('strict', True)[]]"])
    shown = pytester.runpytest_subprocess("-p", "no:causal", "--help").stdout.str()
    assert all(setting.flag in shown for setting in SETTINGS)
