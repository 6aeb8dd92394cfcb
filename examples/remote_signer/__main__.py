"""An example of an existing seal system that signs for others over the CSC API (v2); it knows nothing of the hub.

    python -m examples.remote_signer --data var/signer --login USER:PASSWORD --seal NAME=ORGANISATION…
        [--listen IP:PORT]

Prints its URL. The hub signs with its seals by `[esign] signer_url`, `signer_roots` (`ca/root.pem` of the data
directory), `signer_login_file` and `signer_credentials`.
"""

import argparse
import json
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from examples.foreign_ca.authority import ForeignAuthority
from examples.foreign_ca.est import tls
from examples.remote_signer.signer import RefusedError, Signer, make_credential

_PATH = "/csc/v2/"
_MOST = 64 * 1024


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], signer: Signer) -> None:
        self.signer = signer
        super().__init__(address, _Handler)
        self.socket = tls(signer.authority, address[0]).wrap_socket(self.socket, server_side=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("content-length", "0")), _MOST))
        try:
            answer = self._answer(body)
        except RefusedError as error:
            self._send(error.status, {"error": error.code, "error_description": str(error)})
        except ValueError:
            self._send(400, {"error": "invalid_request", "error_description": "not the JSON that is expected"})
        else:
            self._send(200, answer)

    def _answer(self, body: bytes) -> dict[str, Any]:
        signer, operation = self.server.signer, self.path.removeprefix(_PATH)
        scheme, _, told = self.headers.get("authorization", "").partition(" ")
        if operation == "auth/login":
            return signer.log_in(told)
        if scheme != "Bearer" or not signer.knows(told):
            raise RefusedError(401, "invalid_token", "log in first")
        work = {
            "credentials/info": signer.info,
            "credentials/authorize": signer.authorise,
            "signatures/signHash": signer.sign_hash,
        }.get(operation)
        if work is None:
            raise RefusedError(404, "invalid_request", "not an operation of this service")
        asked = json.loads(body)
        if not isinstance(asked, dict):
            raise RefusedError(400, "invalid_request", "a JSON object is expected")
        return work(asked)

    def _send(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet: whoever runs it sees what it prints at start."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.remote_signer", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="keys and certificates, made when absent")
    parser.add_argument("--login", required=True, metavar="USER:PASSWORD")
    parser.add_argument("--seal", action="append", default=[], metavar="NAME=ORGANISATION")
    parser.add_argument("--listen", default="127.0.0.1:7392", metavar="IP:PORT")
    chosen = parser.parse_args(arguments)
    authority = ForeignAuthority.at(chosen.data / "ca")
    for seal in chosen.seal:
        name, _, organisation = seal.partition("=")
        make_credential(chosen.data, authority, name, organisation)
    host, _, port = chosen.listen.rpartition(":")
    server = _Server((host, int(port)), Signer(chosen.data, authority, chosen.login))
    print(f"https://{host}:{server.server_address[1]}/csc/v2", flush=True)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
