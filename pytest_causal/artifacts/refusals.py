"""How the file system's refusals are told: what could not be done with which file, and that nothing was lost."""

from __future__ import annotations

import errno

from pytest_causal.errors import ArtifactError, ChangedError


def changed(name: str, how: str) -> ChangedError:
    """Return the error for a file that is no longer what its listing says."""
    return ChangedError(f"{name} {how} since it was listed", "it is left as it is")


def refused(verb: str, name: str, error: OSError) -> ArtifactError:
    """Return the error for what the file system refuses to do with a name."""
    return ArtifactError(f"cannot {verb} {name}: {error.strerror}", "nothing was lost; check the file system")


def gone_or_refused(verb: str, name: str, error: OSError) -> ArtifactError:
    """Return the error for a file that was listed: what comes of the name leading elsewhere now is no fault."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
        return changed(name, "is gone or was replaced")
    return refused(verb, name, error)
