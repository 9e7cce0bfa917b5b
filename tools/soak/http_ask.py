"""One question to a web server that may be slow, endless, or want to send us elsewhere. Everything is bounded."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

MAX_BODY_BYTES = 1 << 20
MAX_REDIRECTS = 5
_PORTS = {"http": 80, "https": 443}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Origin(NamedTuple):
    """Where a server is: nothing outside it is ever asked."""

    scheme: str
    host: str
    port: int


class Answer(NamedTuple):
    """What came back: the body of a success, or the ``problem``."""

    body: bytes = b""
    problem: str = ""


class Asking(NamedTuple):
    """A server whose name was looked up once, so that it cannot become another one while it is being asked."""

    origin: Origin
    address: str
    context: ssl.SSLContext | None

    def ask(self, target: str, timeout_seconds: float, opened: Callable[[socket.socket], None]) -> Answer:
        """Get a path of the server, following redirects that stay on it.

        ``opened`` is given each socket, so that whoever watches the clock can shut it down: a server that sends a byte
        now and then keeps to every timeout of a single read.
        """
        for _ in range(MAX_REDIRECTS + 1):
            connection = _Pinned(self, timeout_seconds, opened)
            try:
                connection.request(
                    "GET", target, headers={"Accept-Encoding": "identity", "Connection": "close"}
                )
                response = connection.getresponse()
                if response.status not in _REDIRECTS:
                    return _read(response)
                url = urljoin(url_of(self.origin, target), response.getheader("Location", ""))
            except (OSError, http.client.HTTPException) as error:
                return Answer(problem=f"{type(error).__name__}")
            finally:
                connection.close()
            try:
                elsewhere, target = split_url(url)
            except ValueError:
                return Answer(problem="redirected to another scheme")
            if elsewhere != self.origin:
                return Answer(problem="redirected to another host")
        return Answer(problem="redirected without end")


def split_url(url: str) -> tuple[Origin, str]:
    """Return where a URL leads, and the rest of it.

    Raises ValueError for one that is not http(s), that has a password, or holds what no URL may hold.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"{url!r} is no http or https URL")
    if parts.username or parts.password:
        raise ValueError("a URL with a name or password in it is not taken")
    if not url.isprintable() or " " in url:
        raise ValueError(f"{url!r} holds blanks or control characters")
    origin = Origin(parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme])
    return origin, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def url_of(origin: Origin, target: str) -> str:
    """Return the URL of a path on a server."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return f"{origin.scheme}://{host}:{origin.port}{target}"


def look_up(origin: Origin) -> Asking:
    """Return the server at its address of this moment. Raises OSError where the name is unknown."""
    found = socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    context = ssl.create_default_context() if origin.scheme == "https" else None
    return Asking(origin, str(found[0][4][0]), context)


class _Pinned(http.client.HTTPConnection):
    """A connection to the address that was looked up."""

    def __init__(
        self, asking: Asking, timeout_seconds: float, opened: Callable[[socket.socket], None]
    ) -> None:
        super().__init__(asking.origin.host, asking.origin.port, timeout=timeout_seconds)
        self._asking = asking
        self._opened = opened

    def connect(self) -> None:
        asking = self._asking
        plain = socket.create_connection((asking.address, asking.origin.port), self.timeout)
        self.sock = plain
        self._opened(plain)
        if asking.context is not None:
            self.sock = asking.context.wrap_socket(plain, server_hostname=asking.origin.host)
            self._opened(self.sock)


def _read(response: http.client.HTTPResponse) -> Answer:
    body = response.read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        return Answer(problem=f"more than {MAX_BODY_BYTES} bytes")
    if not 200 <= response.status < 300:
        return Answer(problem=f"status {response.status}")
    return Answer(body=body)
