from __future__ import annotations

import errno
import os

import pytest

from pytest_causal.artifacts.refusals import changed, gone_or_refused, refused
from pytest_causal.errors import ArtifactError, ChangedError


def os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def test_a_refusal_says_what_could_not_be_done_with_what_and_why() -> None:
    error = refused("remove", "a/b.json", os_error(errno.EACCES))
    assert error.what == "cannot remove a/b.json: Permission denied"
    assert "nothing was lost" in error.remedy
    assert not isinstance(error, ChangedError)


def test_a_changed_file_is_left() -> None:
    error = changed("a/b.json", "was written to")
    assert error.what == "a/b.json was written to since it was listed"
    assert error.remedy == "it is left as it is"


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO])
def test_a_name_that_leads_elsewhere_by_now_is_no_fault(number: int) -> None:
    assert isinstance(gone_or_refused("read", "a", os_error(number)), ChangedError)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.EROFS, errno.EPERM, errno.ENOSPC])
def test_every_other_refusal_is_a_fault(number: int) -> None:
    error = gone_or_refused("read", "a", os_error(number))
    assert isinstance(error, ArtifactError)
    assert not isinstance(error, ChangedError)
