"""An edge for tests and benches: certificates, tokens and a web process of its own, and the real Envoy."""

import asyncio
import base64
import contextlib
import datetime as dt
import hashlib
import ipaddress
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from joserfc import jwt
from joserfc.jwk import ECKey

from gateway.envoy.settings import Edge, EdgeSettings
from shuniu.kit.process.config import HubSettings
from shuniu.kit.testing.clock import eventually

TRUST_DOMAIN = "hub.test.example"
ISSUER = "https://hub.test.example"


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its key, PEM, and the SHA-256 of its DER, hex."""

    certificate: bytes
    key: bytes
    sha256: str

    @property
    def binding(self) -> str:
        """`x5t#S256` (RFC 8705 3.1)."""
        return base64.urlsafe_b64encode(bytes.fromhex(self.sha256)).rstrip(b"=").decode()


class Authority:
    """A certificate authority for one test."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _dated(self._name, self._name, self._key.public_key(), 0.0, 1.0)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.certificate = builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def issue(self, *names: x509.GeneralName, from_days: float = 0.0, to_days: float = 1.0) -> Identity:
        """A certificate for both ends of TLS, valid between two times counted in days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
        certificate = (
            _dated(self._name, subject, key.public_key(), from_days, to_days)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        return Identity(
            certificate.public_bytes(serialization.Encoding.PEM),
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
            certificate.fingerprint(hashes.SHA256()).hex(),
        )

    def platform(self, code: str, **validity: float) -> Identity:
        uri = x509.UniformResourceIdentifier(f"spiffe://{TRUST_DOMAIN}/platform/{code}")
        return self.issue(uri, **validity)


def _dated(
    issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePublicKey, from_days: float, to_days: float
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    # Five minutes back: clocks of one machine agree, but TLS stacks round.
    begin = now + dt.timedelta(days=from_days, minutes=-5)
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(now + dt.timedelta(days=to_days))
    )


class TokenSigner:
    """Signs access tokens as identity does."""

    def __init__(self, kid: str = "test") -> None:
        self._key = ECKey.generate_key("P-256", {"kid": kid, "alg": "ES256", "use": "sig"})
        self._kid = kid

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [self._key.as_dict(private=False)]}

    def token(self, client: str, identity: Identity, **changed: object) -> str:
        """A platform's token bound to its certificate; `changed` claims replace the usual ones."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "sub": client,
            "aud": "shuniu",
            "iat": now,
            "exp": now + 600,
            "jti": hashlib.sha256(f"{client}{now}".encode()).hexdigest()[:16],
            "client_id": client,
            "scope": "case.read item.write inbox.read resource.provide",
            "cnf": {"x5t#S256": identity.binding},
            "kind": "platform",
            **changed,
        }
        return jwt.encode({"alg": "ES256", "kid": self._kid}, claims, self._key)


@dataclass(slots=True)
class EdgeWorld:
    """Directories, authorities and settings of one edge."""

    root: Path
    server_authority: Authority = field(default_factory=lambda: Authority("edge CA"))
    platforms: Authority = field(default_factory=lambda: Authority("platform CA"))
    signer: TokenSigner = field(default_factory=TokenSigner)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    """The event that a request to a path ending in `/slow` waits for."""

    def __post_init__(self) -> None:
        for name in ("run", "data/pki", "data/keys"):
            (self.root / name).mkdir(mode=0o700, parents=True)
        server = self.server_authority.issue(
            x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        )
        (self.data / "pki" / "edge.pem").write_bytes(server.certificate)
        (self.data / "keys" / "edge.key").write_bytes(server.key)
        (self.data / "pki" / "platform-ca.pem").write_bytes(self.platforms.certificate)

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def data(self) -> Path:
        return self.root / "data"

    def settings(self, **changed: Any) -> Edge:
        """An edge on free ports that logs into its own directory."""
        hub = HubSettings("150000", "test", TRUST_DOMAIN, ISSUER, self.data, self.run)
        usual = {
            "people": "127.0.0.1:0",
            "platforms": "127.0.0.1:0",
            "access_log": str(self.root / "access.log"),
            "drain_seconds": 2,
        }
        return Edge(hub, EdgeSettings(**{**usual, **changed}))

    @contextlib.asynccontextmanager
    async def web(self) -> AsyncIterator[None]:
        """A web process that serves the token keys and tells back what reached it."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            body = b""
            more = True
            while more:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
            seen = {
                "method": scope["method"],
                "path": scope["path"],
                "headers": {name.decode(): value.decode() for name, value in scope["headers"]},
                "bytes": len(body),
            }
            if scope["path"] == "/oauth2/jwks":
                answer: dict[str, Any] = self.signer.jwks
            else:
                answer = seen
            if scope["path"].endswith("/slow"):
                await self.release.wait()
            await send(
                {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}
            )
            await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

        server = _QuietServer(
            uvicorn.Config(app, uds=str(self.run / "web.sock"), lifespan="off", log_config=None, ws="none")
        )
        serving = asyncio.create_task(server.serve())
        await eventually(lambda: server.started, message="web serves")
        try:
            yield
        finally:
            server.should_exit = True
            await serving


class _QuietServer(uvicorn.Server):
    """Leaves the signals to whoever runs the test."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
