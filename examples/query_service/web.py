"""The query service over HTTP, for load that comes from outside: ``GET /card?customer=7`` and ``GET /policy``.

A question that is refused is answered 503, and one that the service does not know 404. ``/policy`` answers
``{"policy": {path: value}}`` with the values that the service has really taken. It listens on this host only.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pytest_causal import load_policy
from query_service import catalogue, dataset
from query_service.budget import ServiceError
from query_service.measure import TakenValues
from query_service.service import QueryService

HOST = "127.0.0.1"
ORDERS = 300


class Desk(ThreadingHTTPServer):
    """Answers for one service."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, service: QueryService, policy: TakenValues) -> None:
        super().__init__((HOST, port), Handler)
        self._service = service
        self._policy = policy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up; that is how a load ends."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def reply(self, target: str) -> tuple[HTTPStatus, Any]:
        """Return the answer to a request."""
        address = urlsplit(target)
        if address.path == "/policy":
            return HTTPStatus.OK, {"policy": dict(self._policy.taken)}
        if address.path != "/card":
            return HTTPStatus.NOT_FOUND, {"error": "ask for /card or /policy"}
        try:
            customer = int(parse_qs(address.query).get("customer", ["1"])[0])
        except ValueError:
            return HTTPStatus.BAD_REQUEST, {"error": "a customer is a number"}
        try:
            answer = self._service.submit(catalogue.customer_card(customer)).result()
        except ServiceError as refusal:
            return HTTPStatus.SERVICE_UNAVAILABLE, {"error": str(refusal)}
        return HTTPStatus.OK, {"orders": list(answer.rows)}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Desk

    def do_GET(self) -> None:
        """Answer."""
        status, answer = self.server.reply(self.path)
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a soak asks often."""


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="Serve customers' cards on this host.")
    parser.add_argument("--port", type=int, default=8765, help="0 takes a free one")
    options = parser.parse_args()
    policy = TakenValues(load_policy(Path(__file__).parent), {})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "shop.db")
        dataset.build(path, seed=1, orders=ORDERS)
        with QueryService(path, policy) as service, Desk(options.port, service, policy) as desk:
            print(f"http://{HOST}:{desk.server_port}", flush=True)
            try:
                desk.serve_forever()
            except KeyboardInterrupt:
                return


if __name__ == "__main__":
    main()
