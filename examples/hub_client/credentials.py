"""A platform's credentials: made by itself, confirmed by the hub at enrolment, kept in one directory."""

import asyncio
import json
import os
import ssl
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc.jwk import ECKey

from shuniu.api.identity.v1 import platform_pb2, platform_pb2_grpc


@dataclass(frozen=True, slots=True)
class Hub:
    """The addresses of a hub. `people` and `platforms` are the edge's two listeners, host:port."""

    people: str
    platforms: str
    bus: str
    trust_pem: bytes

    @property
    def people_url(self) -> str:
        return f"https://{self.people}"

    @property
    def platforms_url(self) -> str:
        return f"https://{self.platforms}"

    @property
    def bus_websocket_url(self) -> str:
        return f"wss://{self.people}/bus"

    def tls(self) -> ssl.SSLContext:
        """Trusts the hub's edge and nothing else."""
        return ssl.create_default_context(cadata=self.trust_pem.decode())


@dataclass(frozen=True, slots=True)
class Credentials:
    """A platform's certificate, keys and bus credentials. `directory` holds them as files, 0600."""

    code: str
    directory: Path
    certificate_pem: bytes
    key_pem: bytes
    trust_pem: bytes

    @classmethod
    def load(cls, code: str, directory: Path) -> "Credentials":
        return cls(
            code,
            directory,
            (directory / "cert.pem").read_bytes(),
            (directory / "key.pem").read_bytes(),
            (directory / "trust.pem").read_bytes(),
        )

    @property
    def creds_file(self) -> Path:
        """Credentials for the bus, as stock NATS clients read them."""
        return self.directory / "bus.creds"

    @property
    def sealing_key(self) -> ECKey:
        """Private key that opens what the hub seals to this platform."""
        return ECKey.import_key(json.loads((self.directory / "sealing.jwk").read_text()))

    def tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.trust_pem.decode())
        context.load_cert_chain(self.directory / "cert.pem", self.directory / "key.pem")
        return context

    def channel(self, address: str) -> grpc.aio.Channel:
        """Mutual TLS to the edge's platform listener."""
        credentials = grpc.ssl_channel_credentials(self.trust_pem, self.key_pem, self.certificate_pem)
        return grpc.aio.secure_channel(
            address,
            credentials,
            options=[("grpc.max_receive_message_length", 32 << 20), ("grpc.max_reconnect_backoff_ms", 1000)],
        )


def _keep(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


async def _enrolled(
    stub: "platform_pb2_grpc.EnrolmentServiceAsyncStub", question: platform_pb2.EnrolRequest
) -> platform_pb2.EnrolResponse:
    """The answer; the same request is repeated while the hub's bus is away, as its error says."""
    until = time.monotonic() + 60
    while True:
        try:
            answer: platform_pb2.EnrolResponse = await stub.Enrol(question, timeout=30)
            return answer
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE or time.monotonic() > until:
                raise
            await asyncio.sleep(0.5)


async def enrol(hub: Hub, code: str, token: str, directory: Path) -> Credentials:
    """Turns a one-time token into credentials. The private keys never leave this directory."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, code)]))
        .sign(key, hashes.SHA256())
    )
    sealing = ECKey.generate_key("P-256", {"use": "enc", "kid": f"{code}-1"}, private=True)
    question = platform_pb2.EnrolRequest(
        request_id=str(uuid.uuid4()),
        code=code,
        token=token,
        csr_pem=request.public_bytes(serialization.Encoding.PEM).decode(),
        jwks=json.dumps({"keys": [sealing.as_dict(private=False)]}),
    )
    async with grpc.aio.secure_channel(hub.people, grpc.ssl_channel_credentials(hub.trust_pem)) as channel:
        answer = await _enrolled(platform_pb2_grpc.EnrolmentServiceStub(channel), question)
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    private_jwk: dict[str, Any] = dict(sealing.as_dict(private=True))
    files = {
        "key.pem": key_pem,
        "cert.pem": answer.certificate_pem.encode(),
        "trust.pem": answer.trust_pem.encode(),
        "bus.creds": answer.nats_creds.encode(),
        "sealing.jwk": json.dumps(private_jwk).encode(),
    }
    for name, content in files.items():
        _keep(directory / name, content)
    return Credentials.load(code, directory)
