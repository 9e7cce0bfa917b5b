"""A fault of ours is remembered and told in one line; a fault of the person's, and an order to stop, pass."""

from __future__ import annotations

import os

import pytest

from pytest_causal.errors import StoreError
from pytest_causal.hooks.edge import Edge, contained, describe, guarded


class Part(Edge):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[object] = []

    @guarded
    def hook(self, what: object) -> None:
        """Say what is done."""
        self.seen.append(what)
        if isinstance(what, BaseException):
            raise what


def test_a_fault_switches_the_part_off_and_is_the_first_that_is_told() -> None:
    part = Part()
    part.hook(1)
    assert part.fault == ""
    part.hook(ValueError("planted"))
    assert part.is_off
    assert part.fault == "internal error: ValueError: planted at hook (test_edge.py); please report it"
    part.hook(StoreError("another"))
    assert len(part.seen) == 2
    assert "planted" in part.fault


def test_an_expected_fault_is_told_in_its_own_words() -> None:
    part = Part()
    part.hook(StoreError("the disk is full", "make room"))
    assert part.fault == "the disk is full; make room"


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(3), pytest.exit.Exception("enough")])
def test_what_stops_the_process_passes(stop: BaseException) -> None:
    part = Part()
    with pytest.raises(type(stop)):
        part.hook(stop)
    assert not part.is_off


def test_a_guarded_hook_keeps_its_name_and_its_arguments_for_pluggy() -> None:
    assert Part.hook.__name__ == "hook"
    assert Part.hook.__doc__ == "Say what is done."
    assert Part.hook.__wrapped__.__code__.co_varnames[:2] == ("self", "what")  # type: ignore[attr-defined]


def test_p24_a_forked_child_leaves_the_record_to_its_parent() -> None:
    part = Part()
    child = os.fork()
    if child == 0:
        part.hook("child")
        os._exit(0 if part.is_off and not part.seen else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    part.hook("parent")
    assert part.seen == ["parent"]


def test_contained_returns_the_fault_and_lets_a_usage_error_through() -> None:
    def raising(error: BaseException) -> str:
        def action() -> None:
            raise error

        return contained(action)

    assert contained(lambda: None) == ""
    assert raising(StoreError("no room")) == "no room"
    assert raising(ZeroDivisionError("planted")).startswith("internal error: ZeroDivisionError: planted at ")
    with pytest.raises(pytest.UsageError, match="wrong flag"):
        raising(pytest.UsageError("wrong flag"))


def test_an_error_that_was_never_raised_has_no_place() -> None:
    assert describe(ValueError("x")) == "internal error: ValueError: x; please report it"
