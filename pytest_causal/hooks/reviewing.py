"""The review at the end of a session: imported only where there is a rule of promotion, or a change to watch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_causal import clock
from pytest_causal.actions.context import Context, Extensions, NoExtensions
from pytest_causal.actions.review import Reviewed, review
from pytest_causal.errors import CausalError

if TYPE_CHECKING:
    from pytest_causal.settings.sources import Settings
    from pytest_causal.store.interface import HistoryStore


def review_session(
    store: HistoryStore, session: int, settings: Settings, extensions: Extensions | None = None
) -> tuple[list[Reviewed], str]:
    """Review after a session that is concluded; return what was done, and in words what stopped it, if anything did.

    A session of somebody from outside decides nothing: neither its runs nor its configuration are to be trusted.
    """
    if not store.session(session).facts.is_trusted:
        return [], ""
    context = Context(store, settings, f"session {session}", clock.now_us(), extensions or NoExtensions())
    try:
        return review(context), ""
    except CausalError as error:
        return [], f"the policy was not reviewed: {error}"
