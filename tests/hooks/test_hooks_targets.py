"""In-process targets hold the policy's values while a session runs, in every process that runs tests."""

from __future__ import annotations

import pytest

TARGET = """
RESOURCE_LIMITS = {"standard": {"max_wall_time_ms": 30000, "name": "kept"}}
"""
CONFTEST = """
import service
def pytest_unconfigure():
    with open("after.txt", "a") as file:
        file.write(f"{service.RESOURCE_LIMITS['standard']}\\n")
"""


@pytest.fixture
def service(suite):
    (suite.root / "causal.toml").write_text(
        'targets = ["service:RESOURCE_LIMITS"]\n[policy.standard]\nmax_wall_time_ms = 45000\n'
    )
    (suite.root / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    suite.write(service=TARGET, conftest=CONFTEST)
    return suite


def test_targets_are_set_for_the_tests_and_restored_after_them(service, distribution) -> None:
    service.write(
        test_it="""
        import service
        def test_it(): assert service.RESOURCE_LIMITS["standard"] == {"max_wall_time_ms": 45000, "name": "kept"}
        """
    )
    result = service.run(*distribution)
    assert result.returncode == 0, result.stdout
    told = (service.root / "after.txt").read_text().splitlines()
    assert len(told) == (3 if distribution else 1)
    # A cleanup of the configuration runs after the last unconfigure hook: what a conftest sees there is still set.
    assert set(told) <= {str({"max_wall_time_ms": value, "name": "kept"}) for value in (30000, 45000)}


def test_targets_are_restored_after_ctrl_c(service) -> None:
    service.write(
        test_it="""
        import atexit, service
        atexit.register(lambda: open("end.txt", "w").write(str(service.RESOURCE_LIMITS)))
        def test_it():
            assert service.RESOURCE_LIMITS["standard"]["max_wall_time_ms"] == 45000
            raise KeyboardInterrupt
        """
    )
    assert service.run().returncode == 2
    assert "30000" in (service.root / "end.txt").read_text()


def test_a_target_that_is_not_there_is_a_usage_error(suite) -> None:
    (suite.root / "causal.toml").write_text('targets = ["no_such_module:LIMITS"]\n[policy]\na = 1\n')
    suite.write(test_it="def test_it(): pass\n")
    result = suite.run()
    assert result.returncode == 4
    assert "no_such_module" in result.stderr
