"""A process shows its own numbers whatever happens to those of Temporal's SDK."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from prometheus_client import CollectorRegistry, Counter, generate_latest

from app.observing.serving import SdkMetrics, unused_port


class Strange(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'good 1\nbad{"\xff\n')

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def shown(port: int) -> str:
    registry = CollectorRegistry()
    Counter("own_total", "Ours.", registry=registry)
    registry.register(SdkMetrics(port))
    return generate_latest(registry).decode()


def test_our_own_are_shown_where_nobody_answers_for_the_sdk() -> None:
    assert "own_total 0.0" in shown(unused_port())


def test_our_own_are_shown_where_what_answers_is_not_understood() -> None:
    with HTTPServer(("127.0.0.1", 0), Strange) as server:
        answering = threading.Thread(target=server.handle_request)
        answering.start()
        found = shown(server.server_port)
        answering.join()
    assert "own_total 0.0" in found
    assert "good" not in found
