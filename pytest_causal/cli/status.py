"""``causal status``: every scenario with its evidence and its verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import click

from pytest_causal import clock
from pytest_causal.cli.acting import bare_context
from pytest_causal.cli.output import Screen, note, write, write_json
from pytest_causal.cli.place import Place, find_place, policy_in_force, store_option
from pytest_causal.errors import ExitCode, MissingInputError
from pytest_causal.model.evidence import Verdict
from pytest_causal.settings.suggestion import did_you_mean
from pytest_causal.views.escape import without_password

if TYPE_CHECKING:
    from pytest_causal.store.interface import HistoryStore, Scenario
    from pytest_causal.views.promotion import StandingView
    from pytest_causal.views.status import StatusView

ROWS_FOR_PEOPLE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which scenarios to show. Empty fields do not restrict; ``limit`` 0 is none."""

    pattern: str = ""
    verdicts: tuple[Verdict, ...] = ()
    tag: str = ""
    limit: int = 0


@click.command()
@click.argument("pattern", default="")
@store_option
@click.option(
    "--verdict",
    "verdicts",
    multiple=True,
    type=click.Choice([each.value for each in Verdict]),
    help="Only these; may be repeated.",
)
@click.option("--tag", default="", help="Only scenarios with this tag.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help=f"Show at most so many, 0 for all (default: {ROWS_FOR_PEOPLE}, with --json all).",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object (schema causal.status/1).")
def status(
    pattern: str, store: str | None, verdicts: tuple[str, ...], tag: str, limit: int | None, as_json: bool
) -> int:
    """Show what the evidence says of each scenario, worst first.

    PATTERN selects scenarios by name, as a shell selects files: 'tests/test_db.py*'.

    What counts are the runs that read the values of the policy in force. Times are UTC.

    \b
    Exit codes:
      0   whatever the verdicts are
      3   nothing was recorded yet, so there is nothing to say
      66  the store named by --store, or a scenario or tag asked for, is not there
    """
    default_limit = 0 if as_json else ROWS_FOR_PEOPLE
    selection = Selection(
        pattern=pattern,
        verdicts=tuple(map(Verdict, verdicts)),
        tag=tag,
        limit=default_limit if limit is None else limit,
    )
    place = find_place(store)
    view = _view(place, selection)
    if as_json:
        from pytest_causal.views.status import status_document

        write_json(status_document(view))
    elif not view.is_empty:
        _show(view)
    if view.is_empty:
        note(place.nothing_recorded)
        return ExitCode.INCONCLUSIVE
    return ExitCode.OK


def _show(view: StatusView) -> None:
    from pytest_causal.views.status import rename_lines, status_footer, status_table

    screen = Screen()
    parts = [screen.table(status_table(view, screen.width)), "\n"] if view.scenarios else []
    parts += [screen.lines(status_footer(view, screen.width)), screen.unwrapped(rename_lines(view))]
    write(parts)


def _view(place: Place, selection: Selection) -> StatusView:
    from pytest_causal.views.status import StatusView

    if not place.has_nothing_recorded():
        with place.reading() as store:
            return _view_of(store, place, selection)
    return StatusView(
        location=place.settings.store, generated_us=clock.now_us(), scenarios=(), verdicts={}, is_empty=True
    )


def _view_of(store: HistoryStore, place: Place, selection: Selection) -> StatusView:
    from pytest_causal.actions.status import likely_renames, scenario_statuses
    from pytest_causal.views.status import StatusView, worst_first

    now_us = clock.now_us()
    newest = next(iter(store.sessions(limit=1)), None)
    scenarios = store.scenarios()
    statuses = scenario_statuses(
        store,
        _selected(scenarios, selection) if scenarios else [],
        general=place.settings.criteria,
        policy=policy_in_force(place),
        now_us=now_us,
    )
    if selection.verdicts:
        statuses = [each for each in statuses if each.decision.verdict in selection.verdicts]
    ordered = worst_first(statuses)
    return StatusView(
        location=without_password(store.location),
        generated_us=now_us,
        is_empty=not scenarios,
        scenarios=ordered[: selection.limit] if selection.limit else ordered,
        verdicts=Counter(each.decision.verdict for each in statuses),
        newest=newest,
        outcomes=store.outcome_counts(newest.number) if newest else None,
        renames=likely_renames(scenarios, newest.number) if newest else (),
        notices=store.notices,
        standing=_standing(store, place),
    )


def _standing(store: HistoryStore, place: Place) -> StandingView:
    from pytest_causal.actions.kill_switch import read_freeze
    from pytest_causal.actions.reconcile import examine
    from pytest_causal.views.promotion import StandingView

    context = bare_context(place, store)
    policy = context.policy()
    drift = examine(context)
    freeze = read_freeze(place.settings)
    return StandingView(
        profile=policy.profile,
        fingerprint=policy.fingerprint,
        revision=drift.live.revision,
        promotions=store.promotions(),
        secrets=policy.secrets,
        frozen_by=context.frozen_by,
        frozen_words=freeze.words if freeze else "",
        drift=drift.words,
    )


def _selected(scenarios: Sequence[Scenario], selection: Selection) -> list[Scenario]:
    """Return the scenarios that pattern and tag select. Raises MissingInputError where either selects none."""
    chosen = list(scenarios)
    if selection.tag:
        chosen = [each for each in chosen if selection.tag in each.declaration.tags]
        if not chosen:
            tags = {tag for each in scenarios for tag in each.declaration.tags}
            raise MissingInputError(
                f"no scenario has the tag {selection.tag!r}", did_you_mean(selection.tag, tags)
            )
    if selection.pattern:
        names = [each.name for each in chosen]
        # A name may hold brackets, which a pattern would take for a choice of characters.
        chosen = [
            each
            for each in chosen
            if each.name == selection.pattern or fnmatchcase(each.name, selection.pattern)
        ]
        if not chosen:
            raise MissingInputError(
                f"no scenario matches {selection.pattern!r}", did_you_mean(selection.pattern, names)
            )
    return chosen
