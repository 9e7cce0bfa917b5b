from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_causal.rules.redaction import MASK, PATTERNS, Redactor, secret_values

PLAIN = Redactor()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password=hunter2", "password=***"),
        ("password = hunter2 and more", "password = *** and more"),
        ("Password: hunter2; next", "Password: ***; next"),
        ("{'password': 'a b\\'c', 'x': 1}", "{'password': ***, 'x': 1}"),
        ('{"api_key":"abc","b":2}', '{"api_key":***,"b":2}'),
        (r"{\"token\": \"abc def\", \"b\": 2}", r"{\"token\": ***, \"b\": 2}"),
        ("token: str = 'abc def'", "token: str = ***"),
        ("token: YWJjZGVm= next", "token: *** next"),
        ("assert token == 'abc'", "assert token == ***"),
        ("password=b'xyz' z", "password=*** z"),
        ("token=SecretStr('abc')", "token=***"),
        ("os.environ['DB_SECRET'] = 'x y' z", "os.environ['DB_SECRET'] = *** z"),
        ("GET /x?access_token=abc&page=2", "GET /x?access_token=***&page=2"),
        ("aws_secret_access_key => wJalrXUtnFEMI/K7MDENG", "aws_secret_access_key => ***"),
        ("run --password hunter2 --verbose", "run --password *** --verbose"),
        ("run --db-api-key=hunter2 --verbose", "run --db-api-key=*** --verbose"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: ***"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: ***"),
        ("sent bearer abcdefgh12345", "sent bearer ***"),
        ("auth_token: Bearer abcdefgh123", "auth_token: ***"),
        ("Cookie: session=abc; theme=dark", "Cookie: ***; theme=dark"),
        ("password='no end", "password=***"),
        ("postgresql://user:p@ss@host:5432/db?x=a@b", "postgresql://user:***@host:5432/db?x=a@b"),
        ("https://x" + "a" * 30 + "@github.com/o/r", "https://***@github.com/o/r"),
        ("clone ghp_" + "a1" * 18 + " ok", "clone *** ok"),
        ("github_pat_" + "a1_" * 20, "***"),
        ("gho_" + "b" * 36, "***"),
        ("key AKIAIOSFODNN7EXAMPLE.", "key ***."),
        ("xoxb-123456789012-abcdef", "***"),
        ("https://hooks.slack.com/services/T000/B000/XXXX", "https://hooks.slack.com/services/***"),
        ("glpat-" + "x" * 20, "***"),
        ("AIza" + "x" * 35, "***"),
        ("sk_live_" + "x" * 24, "***"),
        ("jwt eyJhbGciOiJI.eyJzdWIiOiIx.abc-_ tail", "jwt *** tail"),
        ("a\n-----BEGIN RSA PRIVATE KEY-----\nMII-x\n-----END RSA PRIVATE KEY-----\nb", "a\n***\nb"),
        ("a\n-----BEGIN OPENSSH PRIVATE KEY-----\nMII and the text was cut", "a\n***"),
        (r"'-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n'", r"'***\n'"),
    ],
)  # fmt: skip
def test_what_has_the_shape_of_a_secret_is_masked(text: str, expected: str) -> None:
    assert PLAIN.redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AssertionError: assert 3 == 4",
        "tests/test_token.py::TestToken::test_secret_is_kept FAILED",
        "https://host:8080/path?mail=a@b.org",
        "ssh://git@github.com/owner/repo",
        "the bearer of news; a basic matter",
        "disk-usage-monitoring-service-is-down",
        "monkey = 3, keyboard: us, max_tokens_seen 5",
        "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
        "commit 1f3870be274f6c49b3e31a0c6728957f of 2026",
        "-" * 100,
    ],
)
def test_innocent_text_is_left_alone(text: str) -> None:
    assert PLAIN.redact(text) == text


def test_known_values_are_masked_wherever_they_stand() -> None:
    redactor = Redactor(["hunter22", "hunter22-longer"])
    assert redactor.redact("ahunter22b hunter22-longer") == "a***b ***"


@pytest.mark.parametrize("shown", [str, repr, lambda secret: "https%3A%2F%2Fx%3Fa%3Db%26c%20d%27%5C"])
def test_known_values_are_masked_in_the_forms_in_which_they_are_shown(shown: object) -> None:
    secret = "https://x?a=b&c d'\\"
    assert callable(shown)
    masked = Redactor([secret]).redact(f"got {shown(secret)}!")
    assert masked.strip("\"'") in ("got ***!", 'got "***"!')


def test_values_too_short_to_be_told_from_words_are_not_looked_for() -> None:
    assert Redactor(["short", "", "a b c"]).redact("a short a%20b%20c text") == "a short a%20b%20c text"


@given(st.lists(st.text(min_size=6, max_size=20), min_size=1, max_size=5), st.data())
def test_no_known_value_is_left(secrets: list[str], data: st.DataObject) -> None:
    words = st.sampled_from(secrets) | st.text(max_size=10)
    text = "".join(data.draw(st.lists(words, max_size=10)))
    left = Redactor(secrets).redact(text)
    assert not any(secret in left for secret in secrets if not set(secret) & set(MASK))


@given(
    st.text()
    | st.lists(
        st.sampled_from(
            ["password", "token", "=", ":", " ", "'", '"', "\\", "x1", "://", "@", "-", "\n", "eyJ"]
        ),
        max_size=30,
    ).map("".join)
)
def test_any_text_can_be_redacted(text: str) -> None:
    assert isinstance(PLAIN.redact(text), str)


HOSTILE = [
    "a", "-", "\\", "://", "://a:", "password=", 'password="', "password='\\", "token:a", "token\\", "token: a==",
    "eyJ", "eyJaaaaaaaa-", "eyJaaaaaaaa.", "-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "ghp_", "sk-", "xoxb-", "AKIA",
    "bearer ", "token=basic ", "--password ", "--token", "--a", "basic ", "x@", ":", "'", '"', "\\\"", " ", "\t:",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_long_hostile_text_is_redacted(piece: str) -> None:
    """Ends in a moment only where no pattern is quadratic: with one, text of this length takes many minutes."""
    assert len(PLAIN.redact(piece * (200_000 // len(piece)))) <= 400_000


def unbounded_repeats(pattern: str) -> list[str]:
    """Return the repeats without an upper bound, outside of character sets, that may give back what they took."""
    found, in_set, escaped = [], False, False
    for place, character in enumerate(pattern):
        if not escaped and character in "*+" and not in_set:
            follows = pattern[place + 1 : place + 2]
            before = pattern[place - 1]
            if before not in "*+?" + "}" and follows != "+":
                found.append(pattern[max(0, place - 20) : place + 2])
        if not escaped and character == "[" and not in_set:
            in_set = True
        elif not escaped and character == "]" and in_set:
            in_set = False
        escaped = character == "\\" and not escaped
    return found


@pytest.mark.parametrize("pattern", [pattern for pattern, _ in PATTERNS])
def test_every_unbounded_repeat_is_possessive(pattern: str) -> None:
    assert unbounded_repeats(pattern) == []
    assert ",}" not in pattern.replace(",}+", "")


def test_that_check_tells_a_greedy_repeat() -> None:
    assert unbounded_repeats(r"a[+*]b\+c++d*+") == []
    assert unbounded_repeats(r"(a+)") == ["(a+)"]
    assert unbounded_repeats(r"x[ab]*y") == ["x[ab]*y"]


class TestCap:
    def test_text_within_the_limit_is_left_alone(self) -> None:
        assert Redactor.cap("x" * 50, 50) == "x" * 50

    def test_text_beyond_it_says_how_long_it_was(self) -> None:
        capped = PLAIN.cap("x" * 12_345, 100)
        assert len(capped) == 100
        assert capped.endswith("x... (cut, 12,345 characters)")

    @given(st.text(max_size=200), st.integers(0, 100))
    def test_it_is_never_longer_than_the_limit(self, text: str, limit: int) -> None:
        assert len(Redactor.cap(text, limit)) <= max(limit, 0)
        assert Redactor.cap(text, limit)[:1] == text[: min(1, limit)] or limit > 0


class TestSecretValues:
    def test_variables_named_like_secrets_hold_some(self) -> None:
        environ = {
            "GITHUB_TOKEN": "token-value", "AWS_SECRET_ACCESS_KEY": "key-value", "client_secret": "secret-value",
            "PGPASSWORD": "pg-value", "DB_PASSWD": "passwd-value", "APP_CREDENTIALS": "cred-value",
            "APIKEY": "api-value",
            "PATH": "/usr/bin:/bin", "KEYBOARD": "us-international", "MONKEY": "bananas", "HOME": "/home/someone",
        }  # fmt: skip
        assert secret_values(environ) == {
            "token-value", "key-value", "secret-value", "pg-value", "passwd-value", "cred-value", "api-value",
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("url", "secrets"),
        [
            ("postgresql://user:pass-word@host/db", {"pass-word"}),
            ("postgresql://user:pass@word@host:5432/db", {"pass@word"}),
            ("redis://:only-pass@host", {"only-pass"}),
            ("https://host/path", set()),
            ("https://host:8080/a@b", set()),
            ("://", set()),
            ("amqp://user:short@host", set()),
        ],
    )
    def test_so_does_any_url_with_a_password(self, url: str, secrets: set[str]) -> None:
        assert secret_values({"DATABASE_URL": url}) == secrets

    def test_short_values_are_left_out(self) -> None:
        assert secret_values({"A_TOKEN": "", "B_TOKEN": "12345", "C_TOKEN": "123456"}) == {"123456"}


def test_importing_compiles_nothing() -> None:
    code = (
        "import re; compile_ = re.compile; made = []\n"
        "re.compile = lambda *args: made.append(args) or compile_(*args)\n"
        "from pytest_causal.rules.redaction import Redactor, PATTERNS\n"
        "count = lambda: sum(args in [(pattern,) for pattern, _ in PATTERNS] for args in made)\n"
        "redactor = Redactor(['a-secret']); before = count(); redactor.redact('x')\n"
        "print(before, count() == len(PATTERNS))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "True"]
