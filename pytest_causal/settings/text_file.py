"""Reading a small text file that a person wrote: a regular file, UTF-8, of sane size, or a clear refusal."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from pytest_causal.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 1024 * 1024
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a regular file of at most ``MAX_BYTES``.

    Opened without blocking, so that a FIFO is refused and not waited for. Raises :class:`ConfigError` for
    anything that is not a readable, regular file of that size, and :class:`FileNotFoundError` where there is
    none.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(f"{path} is not a regular file", "name a file")
        with open(handle, "rb", closefd=False) as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(handle)
    if len(content) > MAX_BYTES:
        size_kib = max(status.st_size, len(content)) // 1024
        raise ConfigError(
            f"{path} has {size_kib} KiB", f"a file of this kind has at most {MAX_BYTES // 1024} KiB"
        )
    return content


def read_text(path: Path) -> str:
    """Return the text of a file, without a byte order mark. Raises as :func:`read_bytes` does."""
    return decode(read_bytes(path), path)


def decode(content: bytes, path: Path) -> str:
    """Return bytes as text with ``\\n`` line ends.

    Raises :class:`ConfigError`, with the line, for anything but UTF-8 without NUL.
    """
    if content.startswith(_WIDE_MARKS):
        raise ConfigError(f"{path}:1 is UTF-16, expected UTF-8", "save it as UTF-8")
    content = content.removeprefix(_UTF8_MARK)
    if (at := content.find(b"\0")) >= 0:
        raise ConfigError(
            f"{path}:{_line(content, at)} holds a NUL byte, expected UTF-8 text", "save it as UTF-8"
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        place = f"{path}:{_line(content, error.start)}"
        raise ConfigError(
            f"{place} holds byte 0x{content[error.start]:02x}, which is not UTF-8", "save it as UTF-8"
        ) from error
    return text.replace("\r\n", "\n")


def _line(content: bytes, at: int) -> int:
    return content.count(b"\n", 0, at) + 1


def _unreadable(path: Path, error: OSError | ValueError) -> ConfigError:
    reason = error.strerror if isinstance(error, OSError) else error
    return ConfigError(f"cannot read {path}: {reason}", "check the path and its permissions")
