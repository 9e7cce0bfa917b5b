"""The edge between our code and a person's test run: the only place that catches everything.

A fault of ours (a store that fails, a bug) must not change the outcome or the exit code of a run. What happens
here instead is that recording stops and one line says so.
"""

from __future__ import annotations

import functools
import os
import traceback
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

import pytest

from pytest_causal.errors import CausalError


class Edge:
    """Remembers the first fault; a plugin part that derives from it is switched off by it."""

    works_in_children = False
    """Whether the part goes on in a forked child: not if it touches the record, which is the parent's."""

    def __init__(self) -> None:
        self.fault: str = ""
        self._pid = os.getpid()

    @property
    def is_child(self) -> bool:
        """Whether this is a forked child, which must leave the record to its parent."""
        return os.getpid() != self._pid

    @property
    def is_off(self) -> bool:
        """Whether a fault happened, or this is a forked child and the part does not work there."""
        return bool(self.fault) or (self.is_child and not self.works_in_children)


_getpid = os.getpid
E = TypeVar("E", bound=Edge)
P = ParamSpec("P")


def guarded(hook: Callable[Concatenate[E, P], None]) -> Callable[Concatenate[E, P], None]:
    """Wrap a hook method of an :class:`Edge` so that nothing escapes from it but what stops the process."""

    @functools.wraps(hook)
    def at_the_edge(self: E, *args: P.args, **kwargs: P.kwargs) -> None:
        if self.fault or (_getpid() != self._pid and not self.works_in_children):  # what is_off says
            return
        try:
            hook(self, *args, **kwargs)
        except pytest.exit.Exception:
            raise  # an Exception by its type, and an order to stop: a signal handler of the person's may give it here
        except Exception as error:  # noqa: BLE001 - this is the edge
            self.fault = describe(error)

    return at_the_edge  # type: ignore[return-value] # functools.wraps names the first argument, and that is all


def contained(action: Callable[[], None]) -> str:
    """Run a step of ours outside any hook of an :class:`Edge`; return its fault in words, or "".

    A usage error is meant for the person, and passes.
    """
    try:
        action()
    except (pytest.UsageError, pytest.exit.Exception):
        raise
    except Exception as error:  # noqa: BLE001 - this is the edge
        return describe(error)
    return ""


def describe(error: Exception) -> str:
    """Put a fault into one line; a bug names the place it came from, so that it can be reported."""
    if isinstance(error, CausalError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].name} ({os.path.basename(frames[-1].filename)})" if frames else ""
    return f"internal error: {type(error).__name__}: {error}{place}; please report it"
