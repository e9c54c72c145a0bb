"""Receivers of events, as they should be and as they can be: HTTP servers in threads."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.lineage.specification import Json, check

CLOSES, HANGS, CRAWLS = -1, -2, -3
"""What a receiver can do instead of answering with a status."""


@dataclass
class Log:
    """What a receiver was sent. `status` is its answer, and `released` ends what hangs."""

    status: int = 201
    url: str = ""
    events: list[Json] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def types(self) -> list[str]:
        """The types of the events, in order."""
        return [one["eventType"] for one in self.events]


class _Receiver(BaseHTTPRequestHandler):
    log: Log

    def do_POST(self) -> None:
        log = self.log
        body = self.rfile.read(int(self.headers["Content-Length"]))
        event = json.loads(body)
        check(event)
        log.requests.append((self.path, self.headers["Content-Type"], self.headers["Authorization"]))
        log.bodies.append(body)
        log.events.append(event)
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        log = self.log
        if log.status == HANGS:
            log.released.wait()
        elif log.status == CRAWLS:
            self.wfile.write(b"HTTP/1.1 ")
            while not log.released.wait(0.02):
                self.wfile.write(b"2")
                self.wfile.flush()
        elif log.status != CLOSES:
            self.send_response(log.status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def receiving(status: int = 201) -> Iterator[Log]:
    """Yield what a receiver is sent that answers with `status`."""
    log = Log(status)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Receiver", (_Receiver,), {"log": log}))
    server.daemon_threads = True
    log.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield log
    finally:
        log.released.set()
        server.shutdown()
        server.server_close()


def nobody() -> str:
    """Return a URL at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"
