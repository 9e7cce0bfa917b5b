"""What stands under a name: its status as an artifact, and whether it is still the very file of a listing."""

from __future__ import annotations

import os
import stat

from pytest_causal.artifacts.refusals import changed
from pytest_causal.model.artifact import ARCHIVE_SUFFIX, FRAME_SUFFIX, Artifact, FileKind

_BLOCK_BYTES = 512
"""The unit of ``st_blocks``, whatever the file system's own blocks are."""

_new = tuple.__new__
_ALL_PERMISSIONS = 0o7777
_FORMAT = 0o170000
_IS_REGULAR = stat.S_IFREG
_REGULAR = FileKind.REGULAR
_REGULAR_KINDS = (_REGULAR, FileKind.FRAME, FileKind.ARCHIVE)
_OTHER_KINDS = {
    stat.S_IFLNK: FileKind.SYMLINK,
    stat.S_IFIFO: FileKind.FIFO,
    stat.S_IFDIR: FileKind.DIRECTORY,
}


def artifact_of(name: str, status: os.stat_result) -> Artifact:
    """Return what a name stands for, by its status."""
    # By position and without the checks of the class, because this is called for each of 100,000 files.
    mode, inode, device, links, uid, _, size_bytes = status[:7]
    return _new(
        Artifact,
        (
            name,
            size_bytes,
            status.st_blocks * _BLOCK_BYTES,
            status.st_mtime_ns,
            mode & _ALL_PERMISSIONS,
            inode,
            device,
            links,
            uid,
            _REGULAR if mode & _FORMAT == _IS_REGULAR and name[-4:] != FRAME_SUFFIX else _kind(name, mode),
        ),
    )


def check_open(artifact: Artifact, descriptor: int) -> None:
    """Raise :class:`ChangedError` unless an open file is the one of the listing, not written to since."""
    status = os.fstat(descriptor)
    if is_as_listed(artifact, status):
        return
    if not stat.S_ISREG(status.st_mode):
        raise changed(artifact.name, "was replaced by what is no regular file")
    compare(artifact, artifact_of(artifact.name, status))


def is_as_listed(listed: Artifact, status: os.stat_result) -> bool:
    """Whether this is the very regular file of the listing, not written to since; :func:`compare` says why it is not.

    It is asked four times of each of ten thousand files: to make an artifact first takes five times as long.
    """
    return (
        status.st_mtime_ns == listed.mtime_ns
        and status.st_size == listed.size_bytes
        and status.st_ino == listed.inode
        and status.st_dev == listed.device
        and status.st_nlink == listed.links
        and status.st_uid == listed.uid
        and status.st_mode & _FORMAT == _IS_REGULAR
        and listed.kind in _REGULAR_KINDS
    )


def compare(listed: Artifact, present: Artifact | None) -> None:
    """Raise :class:`ChangedError` that says how what is there now differs from what was listed, if it does."""
    if present is None:
        raise changed(listed.name, "is gone")
    if (present.device, present.inode, present.kind) != (listed.device, listed.inode, listed.kind):
        raise changed(listed.name, "was replaced by another file")
    if (present.size_bytes, present.mtime_ns) != (listed.size_bytes, listed.mtime_ns):
        raise changed(listed.name, "was written to")
    if (present.links, present.uid) != (listed.links, listed.uid):
        raise changed(listed.name, "has another owner or number of links")


def _kind(name: str, mode: int) -> FileKind:
    if (file_format := stat.S_IFMT(mode)) != stat.S_IFREG:
        return _OTHER_KINDS.get(file_format, FileKind.OTHER)
    if not name.endswith(FRAME_SUFFIX):
        return FileKind.REGULAR
    return FileKind.ARCHIVE if name.endswith(ARCHIVE_SUFFIX) else FileKind.FRAME
