"""For tests that receive: a server of HTTP in this process, and waiting for what comes."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable

SOON = 60.0


class QuietHandler(BaseHTTPRequestHandler):
    """Answers requests, and tells nobody of them."""

    def body(self) -> bytes:
        """What came with the request."""
        return self.rfile.read(int(self.headers["content-length"]))

    def answer(self, status: int, headers: dict[str, str] | None = None) -> None:
        """Answers with nothing but a status and headers."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


class Served:
    """A server on a port of its own, until it is closed."""

    def __init__(self, handler: type[QuietHandler]) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()


def eventually(what: str, check: Callable[[], Any], seconds: float = SOON) -> Any:
    """What it gives once it gives something."""
    end = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < end, what
        time.sleep(0.02)
