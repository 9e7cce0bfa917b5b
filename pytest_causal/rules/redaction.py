"""What is taken out of text before it is kept: secrets known by value, and text that has the shape of a secret.

Messages come from tests, so the text may be hostile. Every pattern works in time linear in its length: what may
repeat without bound stands at the end of a pattern, is possessive and cannot fail any more, or may begin only where
a run of its own characters begins; everything before that is bounded. Patterns are compiled at the first use,
because this module is imported wherever the plugin is active, and most sessions fail nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

MASK = "***"
LEAST_SECRET_CHARS = 6
"""A shorter value would be found in innocent words, and is not worth much as a secret."""

_SECRET_SUFFIXES = ("TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIALS", "_KEY", "APIKEY")

_KEYWORDS = (
    r"(?:password|passwd|pwd|passphrase|secret|token|credentials?|authorization|cookie"
    r"|(?:api|access|secret|private|signing|encryption|account|auth)[_-]?key(?:[_-]id)?)"
)
_VALUE = (
    r"(?:(?:bearer|basic|digest|token)[ ]{1,4})?+"
    r"(?:[bruf]{0,2}\"(?:[^\"\\\n]|\\.)*+\"?"
    r"|[bruf]{0,2}'(?:[^'\\\n]|\\.)*+'?"
    r"|\\{1,8}[\"'][^\"'\\\n]*+(?:\\{1,8}[\"'])?"
    r"|[^\s&,;]++)"
)

PATTERNS: tuple[tuple[str, str], ...] = (
    # Private keys, whole, or to the end of a text that was cut before the key's end.
    (
        r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:[^-]++|-(?!----END ))*+(?:-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?",
        MASK,
    ),
    # Tokens that their issuers made to be recognised: GitHub, GitLab, AWS, Slack, Google, Stripe, npm, PyPI, OpenAI.
    (r"(?:gh[pousr]_|github_pat_)\w{16,}+", MASK),
    (r"(?<!\w)(?:glpat-|pypi-|sk-)[\w-]{16,}+", MASK),
    (r"(?<!\w)(?:AKIA|ASIA)[A-Z0-9]{16}(?!\w)", MASK),
    (r"(?:xox[a-z]|xapp)-[\w-]{8,}+", MASK),
    (r"(hooks\.slack\.com/services/)[\w/]{8,}+", rf"\1{MASK}"),
    (r"(?<!\w)AIza[\w-]{30,}+", MASK),
    (r"(?<!\w)(?:[sr]k_(?:live|test)|npm)_\w{16,}+", MASK),
    # JSON web tokens. They may begin only where a run of their characters begins, so no run is read twice as a head.
    (r"(?<![\w-])eyJ[\w-]{8,}+(?:\.[\w-]++){1,4}", MASK),
    (r"(?i)(\bbearer[ \t]{1,4})[\w.~+/=-]{8,}+", rf"\1{MASK}"),
    # scheme://user:password@host, and a token in the user's place.
    (r"(://[^\s/@:\"'<>]{0,256}:)[^\s/\"'<>]{1,256}@", rf"\1{MASK}@"),
    (r"(://)[\w.~%-]{20,256}@", rf"\1{MASK}@"),
    # --password VALUE on a command line.
    (rf"(?i)((?<![\w-])--(?:[a-z][\w-]{{0,40}})?{_KEYWORDS}[ ]{{1,4}}){_VALUE}", rf"\1{MASK}"),
    # password=VALUE, "token": "VALUE", api_key := VALUE, os.environ['SECRET'] = VALUE, token: str = VALUE.
    (
        rf"(?i)({_KEYWORDS}\\{{0,8}}[\"']?\]?(?:[ \t]{{0,4}}:[ \t]{{0,4}}[a-z_][\w.\[\]]{{0,40}}(?=[ \t]=[ \t]))?"
        rf"[ \t]{{0,4}}(?:=>|:=|={{1,3}}|:(?!:))[ \t]{{0,4}}){_VALUE}",
        rf"\1{MASK}",
    ),
)
"""(pattern, replacement), applied in this order."""


class Redactor:
    """Takes secrets out of text: these values, and whatever has the shape of a secret.

    Values shorter than 6 characters are not looked for.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if len(secret) >= LEAST_SECRET_CHARS for form in _forms(secret)}
        self._secrets = sorted(forms, key=lambda form: (-len(form), form))

    def redact(self, text: str) -> str:
        """Return the text with every secret replaced by ``***``."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        for pattern, replacement in _compiled():
            text = pattern.sub(replacement, text)
        return text

    @staticmethod
    def cap(text: str, limit_chars: int) -> str:
        """Return the text in at most so many characters, saying how long it was where it is cut.

        Cut after redaction: a secret that is cut in half is not recognised.
        """
        if len(text) <= limit_chars:
            return text
        mark = f"... (cut, {len(text):,} characters)"
        return text[: limit_chars - len(mark)] + mark if limit_chars > len(mark) else text[:limit_chars]


def secret_values(environ: Mapping[str, str]) -> frozenset[str]:
    """Return the values in an environment that are secrets.

    These are the values of variables named ``*TOKEN``, ``*SECRET``, ``*PASSWORD``, ``*PASSWD``, ``*CREDENTIALS`` and
    ``*_KEY``, and the password of any URL, such as that in ``DATABASE_URL``.
    """
    found = {value for name, value in environ.items() if name.upper().endswith(_SECRET_SUFFIXES)}
    for value in environ.values():
        _, mark, rest = value.partition("://")
        if mark:
            found.add(rest.partition("/")[0].rpartition("@")[0].partition(":")[2])
    return frozenset(value for value in found if len(value) >= LEAST_SECRET_CHARS)


def _forms(secret: str) -> set[str]:
    """Return a secret as it stands, as ``repr`` shows it, and percent-encoded or decoded as in a URL."""
    from urllib.parse import quote, unquote

    forms = {secret, repr(secret)[1:-1], quote(secret, safe="", errors="replace"), unquote(secret)}
    return {form for form in forms if len(form) >= LEAST_SECRET_CHARS}


@cache
def _compiled() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(pattern), replacement) for pattern, replacement in PATTERNS)
