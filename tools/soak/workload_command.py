"""The workload ``command``: any program, told its policy in one file and answering in another."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from tools.soak.measurement import Measurement
from tools.soak.policy_file import hand_over, read_answer
from tools.soak.processes import Ended, run_program
from tools.soak.workloads import Task, empty_folder

_WORDS = 200
"""Characters of the last line of output that a problem quotes."""


@dataclass(frozen=True, kw_only=True)
class CommandWorkload:
    """A program run once an iteration. See :mod:`tools.soak.policy_file` for what it is told and asked."""

    command: tuple[str, ...]

    def measure(self, task: Task) -> Measurement:
        """Run the program. One that fails, hangs or does not answer is a problem, whatever it had answered."""
        with empty_folder(task.folder):
            return self._measure(task)

    def _measure(self, task: Task) -> Measurement:
        files = hand_over(task.folder, task.values)
        try:
            ended = run_program(
                self.command,
                env={**os.environ, **files, **task_variables(task)},
                timeout_seconds=task.timeout_seconds,
                interruption=task.interruption,
            )
        except OSError as error:
            return Measurement(problem=f"{self.command[0]} cannot be started ({error.strerror})")
        measurement = read_answer(task.folder, task.values, task.secrets)
        problems = [_with_words(ended), measurement.problem]
        if ended.strays:
            problems.append(f"{ended.strays} of its processes were left behind and killed")
        return replace(measurement, problem="; ".join(filter(None, problems)))


def _with_words(ended: Ended) -> str:
    """Return how a program failed, with the last line that it wrote."""
    last = ended.output.decode("utf-8", "replace").strip().rpartition("\n")[2][-_WORDS:]
    return f"{ended.how}: {last}" if ended.how and last else ended.how


def task_variables(task: Task) -> dict[str, str]:
    """Return what a program may know of the soak it runs in."""
    return {
        "SOAK_RUN": task.run,
        "SOAK_ITERATION": str(task.iteration),
        "SOAK_SEED": str(task.seed),
    }
