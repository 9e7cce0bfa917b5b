"""What every test stands on: pytester, and a process that cannot reach beyond its temporary directory."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest

pytest_plugins = ["pytester"]

# How long an example takes says nothing on a shared machine.
hypothesis.settings.register_profile("suite", parent=hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("suite")

# What steers pytest, this plugin, git, colours, or tells of a CI system: a test sets those that it is about.
FOREIGN_PREFIXES = ("CAUSAL_", "MM_RUNTIME_", "SOAK_", "GIT_", "CI_", "CLICOLOR", *(
    "APPVEYOR", "BITBUCKET_", "BUILDKITE", "CIRCLE", "DRONE", "GITHUB_", "GITLAB_", "JENKINS_", "TEAMCITY_",
    "TRAVIS",
))  # fmt: skip
FOREIGN_NAMES = (
    "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PYTEST_THEME", "PYTEST_THEME_MODE",
    "NO_COLOR", "FORCE_COLOR", "PY_COLORS",
    "CI", "TF_BUILD", "BUILD_BUILDID", "BUILD_SOURCEBRANCH", "BUILD_ID", "BUILD_NUMBER", "BUILD_URL",
)  # fmt: skip
HOMES = ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")
OWN_HOST = ("localhost", "127.0.0.1", "::1")


@pytest.fixture(scope="session", autouse=True)
def isolated_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give this process, and all it starts, an empty home, no foreign settings, no network but its own host.

    Under xdist each worker has a home of its own. A test that needs more sets it with ``monkeypatch``.
    """
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(FOREIGN_PREFIXES) or name in FOREIGN_NAMES:
                patch.delenv(name)
        for name in HOMES:
            patch.setenv(name, str(home))
        # A temporary directory that lies inside some checkout is not a part of that checkout.
        patch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path_factory.getbasetemp()))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.setenv("COLUMNS", "120")
        patch.setattr(socket.socket, "connect", connect_to_own_host)
        yield


def connect_to_own_host(connection: socket.socket, address: Any) -> None:
    """Connect as :meth:`socket.socket.connect` does, but to this host only."""
    if connection.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in OWN_HOST:
        raise RuntimeError(f"a test tried to connect to {address[0]}: tests do not use the network")
    super(socket.socket, connection).connect(address)
