"""Enrolment over secure transport (EST, RFC 7030): /cacerts and /simpleenroll, over TLS with a password."""

import base64
import binascii
import hmac
import ssl
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7

from examples.foreign_ca.authority import ForeignAuthority, RefusedError

_PATH = "/.well-known/est/"
_MOST = 64 * 1024


class EstServer(ThreadingHTTPServer):
    """Serves one authority. `login`: user and password, with a colon between."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], authority: ForeignAuthority, login: str) -> None:
        self.authority = authority
        self.login = login
        super().__init__(address, _Handler)
        self.socket = tls(authority, address[0]).wrap_socket(self.socket, server_side=True)

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"https://{host!s}:{port}"


class _Handler(BaseHTTPRequestHandler):
    server: EstServer

    def do_GET(self) -> None:
        if self.path != _PATH + "cacerts":
            self.send_error(404)
            return
        self._certificates([self.server.authority.issuing, self.server.authority.root])

    def do_POST(self) -> None:
        size = int(self.headers.get("content-length", "0"))
        body = self.rfile.read(min(size, _MOST))
        if self.path != _PATH + "simpleenroll":
            self.send_error(404)
        elif not self._allowed():
            self.send_response(401)
            self.send_header("www-authenticate", 'Basic realm="est"')
            self.send_header("content-length", "0")
            self.end_headers()
        else:
            self._enrol(body)

    def _enrol(self, body: bytes) -> None:
        try:
            made = self.server.authority.certify(x509.load_der_x509_csr(base64.b64decode(body)))
        except (binascii.Error, ValueError):
            self.send_error(400, "not a PKCS #10 request in base64")
        except RefusedError as error:
            self.send_error(400, str(error))
        else:
            self._certificates([made])

    def _allowed(self) -> bool:
        scheme, _, told = self.headers.get("authorization", "").partition(" ")
        expected = base64.b64encode(self.server.login.encode()).decode()
        return scheme.lower() == "basic" and hmac.compare_digest(told, expected)

    def _certificates(self, certificates: list[x509.Certificate]) -> None:
        body = base64.encodebytes(pkcs7.serialize_certificates(certificates, serialization.Encoding.DER))
        self.send_response(200)
        self.send_header("content-type", "application/pkcs7-mime; smime-type=certs-only")
        self.send_header("content-transfer-encoding", "base64")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet: whoever runs it sees what it prints at start."""


def tls(authority: ForeignAuthority, address: str) -> ssl.SSLContext:
    """For a web server at an IP address, with a certificate of the authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    chain = [authority.server_certificate(key, address), authority.issuing]
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in chain)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        both = Path(folder) / "server.pem"
        both.write_bytes(pem)
        context.load_cert_chain(both)
    return context
