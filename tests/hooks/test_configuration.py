"""A pytest run is configured by its flags, then the environment, then the file at its root; so is its policy."""

from __future__ import annotations

import pytest

READING = """
    def test_it(causal_policy, causal_metric):
        causal_metric("rows", causal_policy["limits"]["rows"])
"""


@pytest.mark.parametrize(
    ("args", "env", "name"),
    [
        (("--causal-store=flag.db",), {"CAUSAL_STORE": "env.db"}, "flag.db"),
        ((), {"CAUSAL_STORE": "env.db"}, "env.db"),
        ((), {}, "file.db"),
    ],
)
def test_a_flag_goes_before_a_variable_and_that_before_the_file(inner, args, env, name) -> None:
    (inner.root / "causal.toml").write_text('store = "file.db"\n')
    inner.write(test_it="def test_it(): pass\n")
    assert inner.run("-q", *args, **env).returncode == 0
    assert [path.name for path in inner.root.glob("*.db")] == [name]


@pytest.mark.parametrize(
    ("args", "env", "rows"),
    [
        (
            ("--causal-set=limits.rows=1", "--causal-set=limits.rows=2"),
            {"CAUSAL_POLICY__limits__rows": "3"},
            2,
        ),
        ((), {"CAUSAL_POLICY__limits__rows": "3"}, 3),
        ((), {"CAUSAL_POLICY": '{"limits": {"rows": 4}}'}, 4),
        ((), {}, 7),
    ],
)
def test_a_policy_value_has_the_same_order(inner, args, env, rows) -> None:
    (inner.root / "causal.toml").write_text("[policy.limits]\nrows = 7\n")
    inner.write(test_it=READING)
    assert inner.run("-q", *args, **env).returncode == 0
    (run,) = inner.runs()
    assert [metric.value for metric in run.metrics] == [rows]
    assert [(read.path, read.value) for read in run.reads] == [("limits.rows", str(rows))]


def test_the_file_is_that_of_the_root_and_not_of_the_folder_one_stands_in(suite) -> None:
    (suite.root / "causal.toml").write_text("[policy.limits]\nrows = 7\n")
    suite.write(**{"deep/test_it": READING})
    (suite.root / "deep" / "causal.toml").write_text("[policy.limits]\nrows = 8\n")
    assert suite.run("-q", "--rootdir", str(suite.root), "deep").returncode == 0
    (run,) = suite.runs()
    assert [metric.value for metric in run.metrics] == [7]


def test_a_file_that_cannot_be_read_stops_a_recording_run(inner) -> None:
    (inner.root / "causal.toml").write_text("[policy]\nlimits = [\n")
    inner.write(test_it="def test_it(): pass\n")
    result = inner.run()
    assert result.returncode == 4
    assert "causal.toml" in result.stderr


def test_a_file_that_cannot_be_read_stops_an_idle_run_only_where_a_test_asks_for_the_policy(suite) -> None:
    (suite.root / "causal.toml").write_text("[policy]\nlimits = [\n")
    suite.write(test_it="def test_other(): pass\n" + READING.replace("\n    ", "\n"))
    result = suite.run("-q", "-k", "other", causal=False, PYTEST_DISABLE_PLUGIN_AUTOLOAD="")
    assert result.returncode == 0, result.stdout
    result = suite.run("-q", causal=False, PYTEST_DISABLE_PLUGIN_AUTOLOAD="")
    assert result.returncode != 0
    assert "causal.toml" in result.stdout + result.stderr
