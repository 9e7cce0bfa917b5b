"""Whether somebody is writing to a file: asked of the kernel, not guessed from times.

Linux grants a read lease on a file only while nobody has it open for writing (fcntl(2), F_SETLEASE). The lease is given
back at once. Where there are no leases (another system, a network file system, another's file) the answer is no, and
the age of the file is what protects it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import signal
import sys


def is_open_for_writing(descriptor: int) -> bool:
    """Return whether any process has an open file open for writing, as far as the system tells."""
    if sys.platform != "linux":
        return False
    with contextlib.suppress(OSError):
        # Whoever opens the file in the instant of the lease has us told by a signal: one that is ignored by default.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False
