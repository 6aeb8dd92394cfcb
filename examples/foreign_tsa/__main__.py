"""An example of somebody else's timestamp authority (RFC 3161 over HTTP), which `openssl ts` answers for.

    python -m examples.foreign_tsa --data var/foreign-tsa [--listen HOST:PORT]

Prints its URL. The hub stamps with it by `[esign] timestamp_url` and `timestamp_roots` (`root.pem` of the data
directory). Needs the `openssl` program; key and certificates are made at the first start.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_MOST = 64 * 1024
_CONFIG = """\
[req]
distinguished_name = name
prompt = no
[name]
C = CN
O = Example timestamp service
CN = {common}
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[authority]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[tsa]
default_tsa = here
[here]
dir = {folder}
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
certs = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.32473.1
digests = sha256, sha384, sha512
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


def make(folder: Path) -> None:
    """Root and authority, by openssl alone."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, common in (("root", "Example timestamp root"), ("tsa", "Example timestamp authority")):
        (folder / f"{name}.cnf").write_text(_CONFIG.format(common=common, folder=folder))
        _openssl(
            "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(folder / f"{name}.key")
        )
        (folder / f"{name}.key").chmod(0o600)
    root, tsa = folder / "root", folder / "tsa"
    _openssl(
        *("req", "-new", "-x509", "-config", f"{root}.cnf", "-extensions", "root"),
        *("-key", f"{root}.key", "-days", "3650", "-out", f"{root}.pem"),
    )
    _openssl("req", "-new", "-config", f"{tsa}.cnf", "-key", f"{tsa}.key", "-out", f"{tsa}.csr")
    _openssl(
        *("x509", "-req", "-in", f"{tsa}.csr", "-CA", f"{root}.pem", "-CAkey", f"{root}.key", "-CAcreateserial"),
        *("-days", "1825", "-extfile", f"{tsa}.cnf", "-extensions", "authority", "-out", f"{tsa}.pem"),
    )
    (folder / "serial").write_text("01\n")


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], folder: Path) -> None:
        super().__init__(address, _Handler)
        self.folder = folder
        # `openssl ts` counts its serial numbers in a file.
        self.turn = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        query = self.rfile.read(min(int(self.headers.get("content-length", "0")), _MOST))
        with tempfile.TemporaryDirectory() as folder, self.server.turn:
            asked, reply = Path(folder) / "query", Path(folder) / "reply"
            asked.write_bytes(query)
            config = self.server.folder / "tsa.cnf"
            _openssl(
                *("ts", "-reply", "-config", str(config), "-section", "here"),
                *("-queryfile", str(asked), "-out", str(reply)),
            )
            body = reply.read_bytes()
        self.send_response(200)
        self.send_header("content-type", "application/timestamp-reply")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet: whoever runs it sees what it prints at start."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.foreign_tsa", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="key and certificates, made when absent")
    parser.add_argument("--listen", default="127.0.0.1:7391", metavar="IP:PORT")
    chosen = parser.parse_args(arguments)
    folder = chosen.data.resolve()
    if not (folder / "serial").exists():
        make(folder)
    host, _, port = chosen.listen.rpartition(":")
    server = _Server((host, int(port)), folder)
    print(f"http://{host}:{server.server_address[1]}/", flush=True)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
