from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from pytest_causal.garbage import left_alone


@pytest.fixture
def collecting() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


@pytest.mark.usefixtures("collecting")
def test_garbage_is_collected_again_afterwards_whatever_happens() -> None:
    def broken() -> None:
        with left_alone():
            assert not gc.isenabled()
            raise KeyError

    with pytest.raises(KeyError):
        broken()
    assert gc.isenabled()


@pytest.mark.usefixtures("collecting")
def test_who_had_switched_it_off_keeps_it_off() -> None:
    gc.disable()
    with left_alone():
        pass
    assert not gc.isenabled()
