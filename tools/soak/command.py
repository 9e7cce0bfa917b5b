"""``causal soak``: begin, resume, revert, report, verify and list runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_causal import clock
from pytest_causal.cli.output import Screen, note, write, write_json
from pytest_causal.errors import ExitCode, UsageError
from pytest_causal.views.escape import shell_word, terminal
from tools.soak.alone import Alone
from tools.soak.interruption import Interruption, signals_interrupt
from tools.soak.journal import NAME as JOURNAL
from tools.soak.plan import DEFAULT_TIMEOUT_SECONDS, Plan, check_run_name
from tools.soak.preset import read_preset
from tools.soak.seconds import Seconds
from tools.soak.workloads import KINDS

if TYPE_CHECKING:
    from tools.soak.identity import Ground
    from tools.soak.progress import Progress
    from tools.soak.run import Ending
    from tools.soak.verify import Verification

DEFAULT_OUT = Path("artifacts") / "soak"


out_option = click.option(
    "--out", type=click.Path(path_type=Path), default=DEFAULT_OUT, help="Where the folders of runs are."
)


@click.group()
def soak() -> None:
    """Run a workload again and again, judge each iteration, tune within bounds, and be able to go on after a kill.

    \b
    Exit codes: 0 ok, 1 limits failed, 3 inconclusive (no data), 4 safety stop; 75 interrupted or busy, resumable.
    """


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a run to a command."""
    for option in reversed(_RUN_OPTIONS):
        command = option(command)
    return command


_RUN_OPTIONS = (
    click.option("--iterations", type=click.IntRange(min=1), help="How many iterations."),
    click.option("--duration", type=Seconds(), help="Begin iterations for so long."),
    click.option(
        "--warmup", type=click.IntRange(min=0), default=0, help="Iterations first that cannot fail the run."
    ),
    click.option(
        "--rampdown", type=click.IntRange(min=0), default=0, help="Iterations on the way back from a preset."
    ),
    click.option(
        "--sleep",
        type=Seconds(),
        envvar="SOAK_SLEEP_SECONDS",
        default="0",
        help="Time from one scheduled start to the next.",
    ),
    click.option("--profile", metavar="NAME", help="Profile of policy values, bounds and limits."),
    click.option(
        "--set", "sets", multiple=True, metavar="PATH=VALUE", help="Set one value; may be repeated."
    ),
    click.option(
        "--workload", type=click.Choice(KINDS), help="What is run (default: command where one is given)."
    ),
    click.option("--mock", is_flag=True, help="As --workload mock."),
    click.option(
        "--mock-mode",
        type=click.Choice(("calm", "volatile", "spike")),
        default="calm",
        help="The mock's weather.",
    ),
    click.option("--seed", type=int, default=42, help="Where chance begins."),
    click.option(
        "--auto-tune", is_flag=True, help="Change values between iterations, within bounds and guards."
    ),
    click.option(
        "--rules", metavar="FILE", default="", help="JSON file of tuning rules (default: the toolkit's)."
    ),
    click.option(
        "--preset", type=click.Path(path_type=Path), help="JSON file of changes while the warm-up lasts."
    ),
    click.option("--timeout", type=Seconds(), default=DEFAULT_TIMEOUT_SECONDS, help="Longest iteration."),
    click.option(
        "--budget", type=Seconds(), help="Longest run; an iteration that it cuts off does not count."
    ),
    click.option(
        "--abort-after", type=Seconds(), help="End a run that has failed every limit check for so long."
    ),
    click.option(
        "--kpi-set", default="smoke", metavar="NAME", help="Limits of the profile: smoke, production."
    ),
    click.option(
        "--keep-summaries", type=click.IntRange(min=0), default=0, help="Newest summaries to keep; 0: all."
    ),
    click.option(
        "--overrides", metavar="FILE", default="", help="Override file to tune (default: the run's own)."
    ),
    click.option("--url", help="For http: what to ask."),
    click.option(
        "--rate",
        type=click.FloatRange(0, 10_000, min_open=True),
        default=10.0,
        help="For http: asks a second.",
    ),
    click.option("--window", type=Seconds(), default="10s", help="For http: how long an iteration asks."),
    click.option("--policy-url", default="", help="For http: where the service tells which values it uses."),
    click.option("--no-history", is_flag=True, help="Do not record the run in the history store."),
    click.option(
        "--explain", is_flag=True, help="Say what would be run, and when each guard can act; run nothing."
    ),
    click.option("--run-id", metavar="NAME", help="Name of the run (default: the time)."),
    out_option,
    click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND ...]"),
)


@soak.command()
@run_options
def run(**given: Any) -> int:
    """Begin a run: iterations of a workload, judged by the limits of a profile."""
    return _run(given)


class _Run(Alone):
    """A command without commands below it, which takes the words behind its options for itself."""

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        """Parse options and arguments as a command does."""
        return click.Command.parse_args(self, context, arguments)

    def invoke(self, context: click.Context) -> Any:
        """Call the command itself."""
        return click.Command.invoke(self, context)


@click.group("run", cls=_Run, invoke_without_command=True, subcommand_metavar="")
@run_options
def soak_run(**given: Any) -> int:
    """Begin a run: iterations of a workload, judged by the limits of a profile."""
    return _run(given)


def _run(given: dict[str, Any]) -> int:
    from tools.soak.run import World, begin
    from tools.soak.view import watching

    asked = asked_plan(given)
    if given["explain"]:
        from tools.soak.explain import explain

        write(explain(asked, given["out"]))
        return ExitCode.OK
    interruption = Interruption()
    with signals_interrupt(interruption), watching() as watcher:
        world = World(watcher=watcher, interruption=interruption, record=_record)
        return _told(begin(asked, given["out"], world))


def asked_plan(given: dict[str, Any]) -> Plan:
    """Return the plan that the options ask for. Raises UsageError for options that do not fit together."""
    if given["iterations"] is None and given["duration"] is None:
        raise UsageError("the run has no length", "give --iterations N or --duration TIME")
    kind = "mock" if given["mock"] else given["workload"] or ("command" if given["arguments"] else "mock")
    if given["preset"] and not given["warmup"]:
        raise UsageError("--preset lasts as long as the warm-up, and there is none", "give --warmup N")
    if given["rules"] and not given["auto_tune"]:
        raise UsageError("--rules are for tuning, and nothing is tuned", "give --auto-tune")
    return Plan(
        run=check_run_name(given["run_id"] or _name_of_now()),
        version="",
        workload=kind,
        options=_options(kind, given),
        iterations=given["iterations"],
        duration_seconds=given["duration"],
        warmup=given["warmup"],
        rampdown=given["rampdown"],
        sleep_seconds=given["sleep"],
        timeout_seconds=given["timeout"],
        budget_seconds=given["budget"],
        abort_after_seconds=given["abort_after"],
        seed=given["seed"],
        auto_tune=given["auto_tune"],
        kpi_set=given["kpi_set"],
        profile=given["profile"] or _default_profile(kind),
        sets=given["sets"],
        preset=read_preset(given["preset"]) if given["preset"] else {},
        rules_file=given["rules"],
        overrides=given["overrides"],
        keep_summaries=given["keep_summaries"],
        has_history=not given["no_history"],
    )


def _options(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    arguments = list(given["arguments"])
    match kind:
        case "mock" | "http" if arguments:
            raise UsageError(f"a command was given, and --workload is {kind}", "leave one of the two out")
        case "mock":
            return {"mode": given["mock_mode"], "seed": given["seed"]}
        case "command" if not arguments:
            raise UsageError(
                "no command was given", "write it behind --, as in: causal soak run ... -- ./load.sh"
            )
        case "command":
            return {"command": arguments}
        case "pytest":
            return {"arguments": arguments}
        case _ if not given["url"]:
            raise UsageError("no URL was given", "give --url http://HOST/PATH")
    names = ("url", "rate", "window", "policy_url")
    return {name: given[name] for name in names}


def _default_profile(kind: str) -> str:
    """Return the profile of a workload that brings its own; for the rest the settings say which."""
    return "" if kind != "mock" or os.environ.get("CAUSAL_PROFILE") else "steady_safe"


def _name_of_now() -> str:
    return f"{clock.at(clock.now_us()):%Y%m%dT%H%M%SZ}-{os.urandom(2).hex()}"


def _record(ground: Ground, folder: Path, progress: Progress) -> None:
    from tools.soak.history import record

    record(ground, folder, progress, note)


def _told(ending: Ending) -> int:
    """Say how the run ended, and where to look closer; return its exit code."""
    from tools.soak.view import ENDINGS

    name = ending.folder.name
    words = f"{ending.verdict}: {ending.reason}" if ending.verdict else ending.reason
    note(f"soak {name} {ENDINGS[ending.ended]}. {words}")
    if ending.verdict:
        note(
            f"its files are in {_near(ending.folder)}; a page of them: causal soak report {name}{_out_of(ending)}"
        )
    return int(ending.exit_code)


def _out_of(ending: Ending) -> str:
    """Return the option that other commands need to find the run, or nothing."""
    out = _near(ending.folder.parent)
    return "" if out == DEFAULT_OUT else f" --out {shell_word(str(out))}"


def _near(folder: Path) -> Path:
    """Return a folder as seen from here, where it is below."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


@soak.command()
@click.argument("name", metavar="RUN")
@click.option(
    "--force", is_flag=True, help="Go on although profile, version or values are not those it began with."
)
@out_option
def resume(name: str, force: bool, out: Path) -> int:
    """Go on with a run that was interrupted or killed."""
    from tools.soak.run import World
    from tools.soak.run import resume as go_on
    from tools.soak.view import watching

    interruption = Interruption()
    with signals_interrupt(interruption), watching() as watcher:
        world = World(watcher=watcher, interruption=interruption, record=_record)
        return _told(go_on(name, out, world, is_forced=force))


@soak.command()
@click.argument("name", metavar="RUN")
@click.option("--to-base", is_flag=True, help="Put back what the run began with, not its last good values.")
@out_option
def revert(name: str, to_base: bool, out: Path) -> int:
    """Put back the last good values of a run whose process is gone; the run cannot go on afterwards."""
    from tools.soak.revert import revert as put_back
    from tools.soak.surroundings import RealClock

    done = put_back(name, out, RealClock(), to_base=to_base)
    if not done["is_changed"]:
        note(f"soak {name}: nothing had to be put back")
        return ExitCode.OK
    values = ", ".join(f"{path} = {value}" for path, value in sorted(done["overrides"].items()))
    note(f"soak {name}: put back {values or 'the values without overrides'}")
    return ExitCode.OK


@soak.command()
@click.argument("name", metavar="RUN")
@click.option(
    "--markdown", is_flag=True, help="Write Markdown to standard output, as for $GITHUB_STEP_SUMMARY."
)
@click.option(
    "--prometheus", is_flag=True, help="Write text for Prometheus's textfile collector to standard output."
)
@out_option
def report(name: str, markdown: bool, prometheus: bool, out: Path) -> int:
    """Write RUN/report.html: one page, offline, with plots of metrics, parameters, guards and drift."""
    from tools.soak.prometheus import prometheus_text
    from tools.soak.report import NAME, html_report, markdown_report
    from tools.soak.run import existing_folder
    from tools.soak.surroundings import RealFiles

    folder = existing_folder(name, out)
    if markdown or prometheus:
        write([(markdown_report if markdown else prometheus_text)(folder)])
        return ExitCode.OK
    RealFiles().replace(folder / NAME, [html_report(folder).encode()])
    write([f"{folder / NAME}\n"])
    return ExitCode.OK


@soak.command()
@click.argument("name", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@out_option
def verify(name: str, as_json: bool, out: Path) -> int:
    """Read everything a run wrote again, and say whether what it reported is what happened.

    \b
    Exit codes: 0 all is as reported, 1 something is not, 3 there is nothing to check.
    """
    verification = _verified(name, out)
    if as_json:
        found = [each._asdict() for each in verification.found]
        write_json(
            {
                "schema": "causal.soak_verification/1",
                "run": name,
                "iterations": verification.iterations,
                "discrepancies": found,
                "unchecked": list(verification.unchecked),
            }
        )
    else:
        write(terminal(f"{each.where}: {each.what}") + "\n" for each in verification.found)
        write(terminal(f"not checked: {each}") + "\n" for each in verification.unchecked)
        count = len(verification.found)
        what = f"{count} discrepanc{'y' if count == 1 else 'ies'}" if count else "all as reported"
        write([f"{verification.iterations} iterations: {what}\n"])
    if verification.found:
        return ExitCode.FAIL
    return ExitCode.OK if verification.iterations else ExitCode.INCONCLUSIVE


def _verified(name: str, out: Path) -> Verification:
    from tools.soak.legacy import summary_files
    from tools.soak.run import existing_folder
    from tools.soak.verify import verify as check
    from tools.soak.verify_legacy import verify_legacy

    folder = out / check_run_name(name)
    is_legacy = folder.is_dir() and not (folder / JOURNAL).exists() and bool(summary_files(folder))
    return verify_legacy(folder) if is_legacy else check(existing_folder(name, out))


@soak.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@out_option
def list_(as_json: bool, out: Path) -> int:
    """List the runs: what they are, how far they have come, and whether they go on."""
    from tools.soak.listing import listed, listing_table

    rows = listed(out)
    if as_json:
        write_json({"schema": "causal.soak_list/1", "runs": [row._asdict() for row in rows]})
    elif rows:
        write([Screen().table(listing_table(rows))])
    else:
        note(f"there are no runs in {out}")
    return ExitCode.OK
