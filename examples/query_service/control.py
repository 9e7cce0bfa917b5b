"""A control port: how a running service is told of new budgets. Each request is a line of JSON, and so is its answer.

``{"set": {"standard.max_wall_time_ms": 2000}}`` is answered ``{"revision": 1}``, or ``{"error": "why not"}``. Setting
what is set already is no error. The port listens on this host only.
"""

from __future__ import annotations

import copy
import json
import socket
import socketserver
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from query_service.budget import ServiceError
from query_service.service import QueryService

HOST = "127.0.0.1"
_PATIENCE_SECONDS = 10.0


class ControlError(ServiceError):
    """A service did not take what it was told."""


class ControlPort:
    """Listens for one service in a thread of its own while a ``with`` block runs."""

    def __init__(self, service: QueryService, policy: Mapping[str, Any], port: int = 0) -> None:
        self._service = service
        self._values = copy.deepcopy(dict(policy))
        self._lock = threading.Lock()
        self.revision = 0
        self._server = socketserver.ThreadingTCPServer((HOST, port), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def address(self) -> str:
        """Where it listens, as ``HOST:PORT``."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def answer(self, line: bytes) -> dict[str, Any]:
        """Do what a request says, all of it or nothing, and return the answer."""
        try:
            wanted = json.loads(line)["set"]
            with self._lock:
                values = copy.deepcopy(self._values)
                for path, value in wanted.items():
                    _set(values, path, value)
                self._values = values
                self._service.reload(values)
                self.revision += 1
                return {"revision": self.revision}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return {"error": f"{type(error).__name__}: {error}"}

    def __enter__(self) -> ControlPort:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[socketserver.StreamRequestHandler]:
        port = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                for line in self.rfile:
                    self.wfile.write(json.dumps(port.answer(line)).encode() + b"\n")

        return Handler


def tell(address: str, values: Mapping[str, Any]) -> int:
    """Set dotted path -> value in the service that listens at ``HOST:PORT``; return its revision.

    Raises ControlError where it refuses, and OSError where nobody listens.
    """
    host, _, port = address.rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=_PATIENCE_SECONDS) as connection,
        connection.makefile("rwb") as stream,
    ):
        stream.write(json.dumps({"set": dict(values)}).encode() + b"\n")
        stream.flush()
        answer = json.loads(stream.readline() or b'{"error": "it hung up"}')
    if "error" in answer:
        raise ControlError(f"{address}: {answer['error']}")
    return int(answer["revision"])


def _set(values: dict[str, Any], path: str, value: Any) -> None:
    *tables, key = path.split(".")
    inner = values
    for table in tables:
        inner = inner[table]
    if type(inner[key]) is not type(value):
        raise TypeError(f"{path} is a {type(inner[key]).__name__}")
    inner[key] = value
