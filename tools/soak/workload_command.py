"""The workload ``command``: any program, told its policy in one file and answering in another."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_causal.actions.processes import Ended, run_program
from pytest_causal.policy.exchange import POLICY_FILE_ENV, RESULT_FILE_ENV, write_policy_file
from tools.soak.answer import measured
from tools.soak.measurement import Measurement
from tools.soak.workloads import Task, empty_folder

_POLICY_NAME = "policy.json"
_RESULT_NAME = "result.json"


@dataclass(frozen=True, kw_only=True)
class CommandWorkload:
    """A program run once an iteration. See :mod:`pytest_causal.policy.exchange` for what it is told and asked."""

    command: tuple[str, ...]

    def measure(self, task: Task) -> Measurement:
        """Run the program. One that fails, hangs or does not answer is a problem, whatever it had answered."""
        with empty_folder(task.folder):
            return self._measure(task)

    def _measure(self, task: Task) -> Measurement:
        policy, result = task.folder / _POLICY_NAME, task.folder / _RESULT_NAME
        write_policy_file(policy, task.values)
        files = {POLICY_FILE_ENV: str(policy), RESULT_FILE_ENV: str(result)}
        try:
            ended = run_for(task, self.command, {**os.environ, **files})
        except OSError as error:
            return Measurement(problem=f"{self.command[0]} cannot be started ({error.strerror})")
        measurement = measured(result, task.values, task.secrets)
        problems = [_with_words(ended), measurement.problem]
        if ended.strays:
            problems.append(f"{ended.strays} of its processes were left behind and killed")
        return measurement._replace(problem="; ".join(filter(None, problems)))


def _with_words(ended: Ended) -> str:
    """Return how a program failed, with what it complained of."""
    return f"{ended.words}: {ended.complaint}" if ended.words and ended.complaint else ended.words


def run_for(task: Task, command: Sequence[str], env: Mapping[str, str]) -> Ended:
    """Run a program for a task, in the current directory; it may know what soak it runs in. Raises OSError."""
    known = {"SOAK_RUN": task.run, "SOAK_ITERATION": str(task.iteration), "SOAK_SEED": str(task.seed)}
    return run_program(
        command,
        directory=Path(),
        env={**env, **known},
        timeout_seconds=task.timeout_seconds,
        is_stopped=lambda: task.interruption.is_asked_for,
    )
