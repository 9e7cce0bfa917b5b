"""Text as stored: any Python string goes in and comes out again, whatever the database makes of it.

A database refuses lone surrogates (they have no UTF-8) and its tools stop at NUL. Text that holds one of them, or
that begins like escaped text, is stored as ``\\:`` followed by the text with backslashes doubled and those characters
written ``\\uXXXX``. Everything else is stored as it is.

Names (scenarios, node ids, metrics) are keys, so they are also kept short: of more than 512 characters, the first 512
are stored, then ``…`` and 16 hexadecimal digits of the SHA-256 of the whole. A name that was read back cut is found
again under the cut name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection

NAME_CHARACTERS = 512
_HASH_DIGITS = 16
_MARK = "\\:"
# Compiled when first needed, which is hardly ever.
_TO_ESCAPE = "[\\\\\0\ud800-\udfff]"
_ESCAPED = r"\\(?:\\|u([0-9a-f]{4}))"
_CUT = rf"(?s).{{{NAME_CHARACTERS}}}…[0-9a-f]{{{_HASH_DIGITS}}}"


def to_stored(text: str) -> str:
    """Return ``text`` in a form that every database can hold."""
    if not text.startswith(_MARK) and "\0" not in text and (text.isascii() or not _has_surrogates(text)):
        return text
    return _MARK + re.sub(_TO_ESCAPE, _escape, text)


def from_stored(text: str) -> str:
    """Return the text that :func:`to_stored` was given."""
    if not text.startswith(_MARK):
        return text
    return re.sub(_ESCAPED, _unescape, text[len(_MARK) :])


def to_stored_name(name: str) -> str:
    """Return a name as the key it is stored under."""
    return to_stored(cut_name(name))


def to_stored_names(names: Collection[str]) -> dict[str, str]:
    """Return names with the keys that they are stored under, told at a glance where all are short and plain."""
    text = "".join(names)
    if (
        text.isascii()
        and "\0" not in text
        and _MARK not in text
        and max(map(len, names), default=0) <= NAME_CHARACTERS
    ):
        return dict(zip(names, names, strict=True))
    return {name: to_stored_name(name) for name in names}


def cut_name(name: str) -> str:
    """Return a name of at most 512 characters unchanged, a longer one cut and marked with a hash of the whole."""
    if len(name) <= NAME_CHARACTERS or re.fullmatch(_CUT, name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{name[:NAME_CHARACTERS]}…{digest[:_HASH_DIGITS]}"


def _has_surrogates(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    return "\\\\" if character == "\\" else f"\\u{ord(character):04x}"


def _unescape(match: re.Match[str]) -> str:
    digits = match.group(1)
    return chr(int(digits, 16)) if digits else "\\"
