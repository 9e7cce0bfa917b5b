"""Being told to stop: once is enough, and the first reason stands."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from tools.soak.interruption import SIGNALS, Interruption, signals_interrupt


def test_whoever_listens_is_told_once_and_the_first_reason_stands() -> None:
    interruption, told = Interruption(), []
    with interruption.telling(lambda: told.append(1)):
        assert not interruption.is_asked_for
        interruption.ask("SIGTERM")
        interruption.ask("SIGINT")
    assert (told, interruption.reason, interruption.is_asked_for) == ([1], "SIGTERM", True)


def test_who_no_longer_listens_is_not_told() -> None:
    interruption, told = Interruption(), []
    with interruption.telling(lambda: told.append(1)):
        pass
    interruption.ask("SIGTERM")
    assert told == []


def test_waiting_ends_when_somebody_asks() -> None:
    interruption = Interruption()
    assert interruption.wait(0) is False
    threading.Timer(0.05, interruption.ask, ("SIGTERM",)).start()
    assert interruption.wait(60) is True


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", SIGNALS)
def test_k18_a_signal_asks_and_what_handled_it_before_does_so_again(number: signal.Signals) -> None:
    interruption, before = Interruption(), signal.getsignal(number)
    with signals_interrupt(interruption):
        os.kill(os.getpid(), number)
        assert interruption.wait(10)
    assert interruption.reason
    assert signal.getsignal(number) is before
