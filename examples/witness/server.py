"""A witness over HTTP."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from examples.witness.witness import Answer, Witness

# 63 hashes and a note with 64 signatures are far smaller.
MAX_BODY = 64 * 1024
# A peer that stops talking must not hold a thread for ever, s.
PATIENCE_S = 30


class Server(ThreadingHTTPServer):
    """Serves one witness at an address; port 0 picks a free one."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], witness: Witness) -> None:
        super().__init__(address, _Handler)
        self.witness = witness

    @property
    def url(self) -> str:
        """Submission and monitoring prefix."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE_S
    server: Server

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or int(length) > MAX_BODY:
            self.close_connection = True
            self._answer(Answer(413 if length else 411))
            return
        body = self.rfile.read(int(length))
        self._answer(self.server.witness.add_checkpoint(body) if self.path == "/add-checkpoint" else Answer(404))

    def do_GET(self) -> None:
        parts = self.path.split("/")
        known = len(parts) == 3 and parts[2] == "checkpoint"
        self._answer(self.server.witness.checkpoint(parts[1]) if known else Answer(404))

    def _answer(self, answer: Answer) -> None:
        body = answer.body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 — name given by http.server
        """Says nothing: what counts is on disk."""
