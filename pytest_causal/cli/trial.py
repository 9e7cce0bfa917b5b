"""``causal trial``: a candidate beside today's policy, in fresh processes, on the same workload."""

from __future__ import annotations

import math
import os
import secrets
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_causal.cli.acting import context_of, tell_problems
from pytest_causal.cli.output import Screen, note, write, write_json
from pytest_causal.cli.place import find_place, store_option
from pytest_causal.errors import CausalError, ExitCode, MissingInputError, UsageError

if TYPE_CHECKING:
    from types import FrameType

    from pytest_causal.actions.trial import Progress
    from pytest_causal.actions.trial_arms import Ground
    from pytest_causal.cli.place import Place
    from pytest_causal.model.promotion import PromotionRule
    from pytest_causal.model.trial import TrialPlan, TrialResult

DEFAULT_ROUNDS = 16
"""Two more than it takes to rule out the default harm where no round fails."""
DEFAULT_MIN_EFFECT = 0.2
DEFAULT_TIMEOUT_SECONDS = 600.0
_SEED_BITS = 32
_STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class _Number(click.FloatRange):
    """A number in a range; click lets NaN into any."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number. Raises click.BadParameter."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value} is not a number", param, ctx)
        return number


_SECONDS = _Number(min=0, min_open=True, max=31_536_000)


@click.command()
@click.argument("name")
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--sessions",
    "rounds",
    type=click.IntRange(1, 10_000),
    default=DEFAULT_ROUNDS,
    show_default=True,
    help="Sessions of each arm: so many rounds of one process each.",
)
@click.option("--budget", type=_SECONDS, metavar="SECONDS", help="Time for all of it (default: none).")
@click.option(
    "--timeout",
    type=_SECONDS,
    metavar="SECONDS",
    default=DEFAULT_TIMEOUT_SECONDS,
    show_default=True,
    help="Time of one process; one that takes longer has failed.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**_SEED_BITS - 1),
    help="Draws the order of the arms (default: a new one, printed).",
)
@click.option(
    "--min-effect",
    type=_Number(0, 1, min_open=True),
    default=DEFAULT_MIN_EFFECT,
    show_default=True,
    help="Smallest difference that matters: of failed shares, and of a metric as a share of its control.",
)
@click.option(
    "--as",
    "kind",
    type=click.Choice(["pytest", "command"]),
    help="What the words after -- are (default: a program if there is one of that name).",
)
@store_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object (schema causal.trial/1).")
def trial(  # noqa: PLR0913 - a parameter an option
    name: str,
    words: tuple[str, ...],
    rounds: int,
    budget: float | None,
    timeout: float,
    seed: int | None,
    min_effect: float,
    kind: str | None,
    store: str | None,
    as_json: bool,
) -> int:
    """Try the candidate of promotion NAME beside today's policy.

    What stands after -- are arguments for pytest, or a program. Both arms run in fresh processes, interleaved, and
    each process is recorded as a session. A program finds its policy in the JSON file that CAUSAL_POLICY_FILE names,
    and answers {"metrics": {name: number}, "policy": {path: value it used}} in the file that CAUSAL_RESULT_FILE names.
    What was found is kept with the promotion, shown by causal decide and causal status; after a fail the change is held
    back until a trial of it did not fail.

    \b
    Examples:
      causal trial bigger-pool -- tests/load -q
      causal trial bigger-pool --budget 600 -- python -m service.measure

    \b
    Exit codes:
      0   pass: nothing was worse, and a harm of --min-effect is ruled out
      1   fail: worse than control, or a hard limit of the promotion is broken
      3   inconclusive: too few rounds, too noisy, no data, or the change was never read (inert)
      75  interrupted
      78  there is no such promotion, or it cannot be used
    """
    from pytest_causal.model.trial import TrialPlan

    place = find_place(store)
    rule, ground = _candidate(place, name)
    trial_kind, words = _told_apart(kind, words)
    plan = TrialPlan(
        rule=rule,
        change=_change(rule, ground),
        kind=trial_kind,
        words=words,
        rounds=rounds,
        timeout_seconds=timeout,
        seed=secrets.randbits(_SEED_BITS) if seed is None else seed,
        min_effect=min_effect,
        alpha=rule.criteria_over(place.settings.criteria).alpha,
        budget_seconds=budget,
    )
    result, is_interrupted = _run(plan, ground)
    _show(result, ground, as_json=as_json)
    _record(result, place)
    return ExitCode.BUSY if is_interrupted else _EXIT_CODES[result.verdict]


_EXIT_CODES = {"pass": ExitCode.OK, "fail": ExitCode.FAIL, "inconclusive": ExitCode.INCONCLUSIVE}


def _candidate(place: Place, name: str) -> tuple[PromotionRule, Ground]:
    from pytest_causal.actions.trial_arms import Ground
    from pytest_causal.policy.layers import resolve_policy
    from pytest_causal.policy.promotion_rules import find_rule

    rule = find_rule(place.settings, name)
    policy = resolve_policy(place.settings, cli=(), env=os.environ, root=place.config.root)
    return rule, Ground(place.settings, policy, Path.cwd(), dict(os.environ))


def _change(rule: PromotionRule, ground: Ground) -> Any:
    from pytest_causal.policy.promotion_rules import proposed_change

    return proposed_change(rule, ground.settings, ground.policy)


def _told_apart(kind: str | None, words: Sequence[str]) -> tuple[Any, tuple[str, ...]]:
    """Return what the words are, pytest's arguments or a command line, and the words.

    Raises MissingInputError for a program that is not there.
    """
    from pytest_causal.model.trial import Kind

    first = words[0] if words else ""
    if kind is None:
        kind = Kind.COMMAND if _is_program(first) else Kind.PYTEST
    if kind == Kind.PYTEST:
        return Kind.PYTEST, tuple(words[1:] if Path(first).name == "pytest" else words)
    if not first:
        raise UsageError("there is no command to try", "write it after --")
    if shutil.which(first) is None:
        raise MissingInputError(f"there is no program {first!r}", "write its name or its path after --")
    return Kind.COMMAND, tuple(words)


def _is_program(word: str) -> bool:
    """Whether a word is the name of a program, and not one that pytest would take for tests."""
    if not word or word.startswith("-") or "::" in word or word.endswith(".py") or Path(word).is_dir():
        return False
    return Path(word).name != "pytest" and shutil.which(word) is not None


def _run(plan: TrialPlan, ground: Ground) -> tuple[TrialResult, bool]:
    from pytest_causal.actions.trial import run_trial
    from pytest_causal.views.trial import plan_lines

    for line in plan_lines(plan, ground.policy.secrets):
        note(line.text)
    with _signals_stop() as is_stopped, _progress() as watch:
        return run_trial(plan, ground, watch=watch, is_stopped=is_stopped), is_stopped()


def _show(result: TrialResult, ground: Ground, *, as_json: bool) -> None:
    from pytest_causal.views.trial import trial_document, trial_lines, trial_table

    if as_json:
        write_json(trial_document(result, ground.policy.secrets))
        return
    screen = Screen()
    table = [screen.table(trial_table(result, screen.width)), "\n"] if result.scenarios else []
    write([*table, screen.lines(trial_lines(result))])


def _record(result: TrialResult, place: Place) -> None:
    """Record what was found with the promotion. Where that cannot be done, what was found still stands."""
    from pytest_causal.actions.trial_record import record_trial

    if not result.rounds:
        return
    try:
        with place.writing() as store:
            context = context_of(place, store)
            made = record_trial(context, result)
            tell_problems(context)
    except CausalError as error:
        note(f"the trial is not recorded with its promotion: {error}")
        return
    if made is not None:
        note(f"recorded with {made.label}: causal decide {result.plan.rule.name}")


@contextmanager
def _signals_stop() -> Iterator[Callable[[], bool]]:
    """Let a signal that would end this process end the trial in order instead; a second one changes nothing."""
    is_asked = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        is_asked.set()

    before = [(each, signal.signal(each, ask)) for each in _STOP_SIGNALS]
    try:
        yield is_asked.is_set
    finally:
        for each, handler in before:
            signal.signal(each, signal.SIG_DFL if handler is None else handler)


@contextmanager
def _progress() -> Iterator[Callable[[Progress], None]]:
    """Show on a terminal how far the trial is; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield lambda progress: None
        return
    from rich.console import Console
    from rich.text import Text

    from pytest_causal.views.trial import progress_words

    with Console(stderr=True).status(Text("starting")) as status:
        yield lambda progress: status.update(Text(progress_words(*progress)))
