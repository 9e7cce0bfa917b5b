"""``causal freeze``: the kill switch."""

from __future__ import annotations

import click

from pytest_causal import clock
from pytest_causal.cli.acting import actor, reason_option
from pytest_causal.cli.output import Screen, write
from pytest_causal.cli.place import find_place
from pytest_causal.errors import ExitCode, UsageError
from pytest_causal.views.escape import terminal
from pytest_causal.views.summary import Line


@click.command()
@click.option("--lift", "is_lift", is_flag=True, help="Let changes be made again.")
@reason_option
def freeze(is_lift: bool, reason: str) -> int:
    """Stop all that changes the policy: nothing is promoted and nothing taken back, until it is lifted.

    It is a file, .causal/FROZEN unless the setting guards.freeze_file says otherwise, so it can be made and removed
    by hand as well. Sessions go on being recorded and judged.

    \b
    Exit codes:
      0   frozen, or lifted
      4   --lift: the setting guards.freeze, or CAUSAL_FREEZE, still freezes
      74  the file cannot be written or removed
    """
    from pytest_causal.actions import kill_switch

    settings = find_place().settings
    if is_lift:
        if reason:
            raise UsageError("--lift takes no reason", "leave --reason out")
        lifted = kill_switch.lift(settings)
        text = (
            f"lifted: {terminal(str(lifted.path))} ({terminal(lifted.words)})"
            if lifted
            else "it was not frozen"
        )
        write([Screen().unwrapped([Line(text=text)])])
        return ExitCode.OK
    frozen, is_new = kill_switch.freeze(settings, actor(), clock.now_us(), reason)
    told = "frozen" if is_new else "frozen already"
    said = f": {terminal(frozen.words)}" if frozen.words else ""
    lines = [Line(text=f"{told}{said}", marks=("yellow",)), Line(text="lift it with: causal freeze --lift")]
    write([Screen().lines(lines)])
    return ExitCode.OK
