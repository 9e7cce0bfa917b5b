"""One encoder for each place where untrusted text is shown. A scenario's name may hold anything at all."""

from __future__ import annotations

import shlex
import unicodedata

_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control, format (bidi, zero width), surrogate, private, unassigned, and separators that break a line."""


def terminal(text: str, limit: int | None = None) -> str:
    r"""Return text that a terminal shows and does not obey: anything unprintable becomes ``\x1b`` and the like.

    With a ``limit`` longer text is cut in its middle, because both ends of a test's name tell it apart.
    """
    if not (text.isascii() and text.isprintable()):
        text = "".join(map(_shown, text))
    if limit is not None and len(text) > limit:
        head = (limit - 1) // 2
        text = f"{text[:head]}…{text[-(limit - 1 - head) :]}"
    return text


def shell_word(text: str) -> str:
    r"""Return text as one word of a POSIX shell (``$'\x1b'`` as in bash where it holds anything unprintable).

    Empty where no command line can carry the text: one with a NUL, or with what has no form in a file name's encoding.
    """
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return ""
    if "\0" in text:
        return ""
    if terminal(text) == text:
        return shlex.quote(text)
    return "$'" + "".join(map(_in_bash, text)) + "'"


def without_password(location: str) -> str:
    """Return a path as it is, and a URL without the secrets that it may hold (user information, parameters)."""
    scheme, separator, rest = location.partition("://")
    if not separator or "/" in scheme:
        return location
    place, question, _ = rest.partition("?")
    secret, at, host = place.rpartition("@")
    user, colon, _ = secret.partition(":")
    hidden = ":***" if colon else ""
    return f"{scheme}://{user}{hidden}{at}{host}" + ("?***" if question else "")


def _in_bash(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if unicodedata.category(character) not in _UNSAFE_CATEGORIES:
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _UNSAFE_CATEGORIES:
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
