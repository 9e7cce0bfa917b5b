"""``causal alias``: a scenario that was renamed keeps its record."""

from __future__ import annotations

import json

import click

from pytest_causal import clock
from pytest_causal.cli.output import Screen, note, write
from pytest_causal.cli.place import Place, find_place, store_option
from pytest_causal.cli.scenario_names import check_known
from pytest_causal.errors import ExitCode, MissingInputError, UsageError
from pytest_causal.views.escape import terminal
from pytest_causal.views.summary import Line
from pytest_causal.views.times import utc_stamp


@click.command()
@click.argument("old", required=False)
@click.argument("new", required=False)
@store_option
@click.option("--list", "wants_list", is_flag=True, help="Show the aliases there are.")
@click.option("--json", "as_json", is_flag=True, help="With --list: JSON Lines, one object an alias.")
def alias(old: str | None, new: str | None, store: str | None, wants_list: bool, as_json: bool) -> int:
    """Say that scenario OLD is called NEW now: one record.

    What either has shown counts for the one they are, from now on and for all that is stored. No run is changed. NEW
    may be a name that was not recorded yet.

    \b
    Exit codes:
      0   done, or OLD was NEW already
      64  the two cannot be one: NEW is an alias of OLD, or OLD of another
      66  OLD was never recorded, or there is no store
    """
    place = find_place(store)
    if wants_list:
        if old is not None:
            raise UsageError("--list takes no names", "leave either out")
        return _list(place, as_json=as_json)
    if old is None or new is None:
        raise UsageError("two names are needed", "causal alias OLD NEW, or causal alias --list")
    return _join(place, old, new)


def _list(place: Place, *, as_json: bool) -> int:
    if place.has_nothing_recorded():
        note(place.nothing_recorded)
        return ExitCode.INCONCLUSIVE
    with place.reading() as store:
        aliases = store.aliases()
    if as_json:
        documents = (
            {"old": each.old, "new": each.new, "created_at": utc_stamp(each.created_us)} for each in aliases
        )
        write(json.dumps(document, sort_keys=True) + "\n" for document in documents)
    elif aliases:
        write(
            [Screen().lines([Line(text=f"{terminal(each.old)} -> {terminal(each.new)}") for each in aliases])]
        )
    else:
        note("there are no aliases")
    return ExitCode.OK


def _join(place: Place, old: str, new: str) -> int:
    from pytest_causal.actions.alias import join_names
    from pytest_causal.actions.status import scenario_statuses
    from pytest_causal.cli.place import policy_in_force
    from pytest_causal.store.interface import Alias
    from pytest_causal.store.text import cut_name
    from pytest_causal.views.words import evidence_words

    if place.has_nothing_recorded():
        raise MissingInputError(place.nothing_recorded)
    policy = policy_in_force(place)
    criteria, now_us = place.settings.criteria, clock.now_us()
    with place.writing() as store:
        check_known(store, old)
        is_unseen = all(each.name != cut_name(new) for each in store.scenarios())
        names = Alias(old=old, new=new, created_us=now_us)
        scenario = join_names(store, names, general=criteria, policy=policy)
        (status,) = scenario_statuses(store, [scenario], general=criteria, policy=policy, now_us=now_us)
    words = evidence_words(status.evidence, status.criteria, status.decision)
    lines = [Line(text=f"{terminal(old)} is {terminal(scenario.name)} from now on: {words}")]
    if is_unseen:
        lines.append(Line(text=f"{terminal(scenario.name)} itself was not recorded yet", marks=("yellow",)))
    write([Screen().lines(lines)])
    return ExitCode.OK
