from __future__ import annotations

import pytest

from pytest_causal.errors import ExitCode
from pytest_causal.model.artifact import (
    FAULTS,
    Action,
    Outcome,
    Plan,
    Problem,
    Result,
    Rotation,
    RotationPolicy,
)

PLAN = Plan((), (), (), {}, (), 100, 100, 0)
POLICY = RotationPolicy(classes=(), max_size_bytes=50)


def rotation(*results: Result, problems: tuple[str, ...] = (), total_bytes: int = 50) -> Rotation:
    return Rotation(PLAN, POLICY, problems, Outcome(results, (), problems, total_bytes, total_bytes))


@pytest.mark.parametrize("problem", list(Problem))
def test_only_faults_make_the_exit_code_1(problem: Problem) -> None:
    result = Result("a", Action.COMPRESS, 1, problem=problem)
    assert rotation(result).exit_code is (ExitCode.FAIL if problem in FAULTS else ExitCode.OK)


def test_what_belongs_to_no_file_is_a_fault_too() -> None:
    assert rotation(problems=("cannot list x",)).exit_code is ExitCode.FAIL


def test_over_the_limit_is_2_and_a_fault_outweighs_it() -> None:
    fault = Result("a", Action.DELETE, 1, problem=Problem.FAILED)
    assert rotation(total_bytes=51).exit_code is ExitCode.ACTED
    assert rotation(fault, total_bytes=51).exit_code is ExitCode.FAIL
    assert rotation(total_bytes=50).exit_code is ExitCode.OK


def test_a_dry_run_is_never_over_the_limit() -> None:
    assert Rotation(PLAN, POLICY, ()).exit_code is ExitCode.OK
    assert Rotation(PLAN, POLICY, ("cannot list x",)).exit_code is ExitCode.FAIL


def test_no_limit_is_never_exceeded() -> None:
    assert Outcome((), (), (), 10**18, 0).is_within(None)
