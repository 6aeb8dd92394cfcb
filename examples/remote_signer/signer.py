"""Somebody else's seals: keys that stay here and sign hashes, over the Cloud Signature Consortium's API (v2)."""

import base64
import json
import os
import secrets
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import NameOID

from examples.foreign_ca.authority import ForeignAuthority

SHA256 = "2.16.840.1.101.3.4.2.1"
ECDSA_SHA256 = "1.2.840.10045.4.3.2"


class RefusedError(Exception):
    """A request that is answered with an error of the API. `status` is HTTP's, `code` the API's (11.1)."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code


@dataclass
class Credential:
    """A seal's key with its certificates, signer first."""

    key: ec.EllipticCurvePrivateKey
    chain: list[x509.Certificate]


@dataclass
class Signer:
    """Every credential that `folder` names; what was signed stands in `signatures.log`, one line each."""

    folder: Path
    authority: ForeignAuthority
    login: str
    _tokens: set[str] = field(default_factory=set)
    _allowed: dict[str, tuple[str, str]] = field(default_factory=dict)
    _made: dict[tuple[str, str], str] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def log_in(self, basic: str) -> dict[str, Any]:
        """auth/login (11.2)."""
        if not secrets.compare_digest(basic, base64.b64encode(self.login.encode()).decode()):
            raise RefusedError(401, "authentication_error", "who are you?")
        token = secrets.token_urlsafe(24)
        self._tokens.add(token)
        return {"access_token": token, "expires_in": 3600}

    def knows(self, token: str) -> bool:
        return token in self._tokens

    def info(self, asked: dict[str, Any]) -> dict[str, Any]:
        """credentials/info (11.5)."""
        credential = self._credential(asked)
        encoded = [base64.b64encode(one.public_bytes(serialization.Encoding.DER)).decode() for one in credential.chain]
        return {
            "key": {"status": "enabled", "algo": [ECDSA_SHA256], "len": 256, "curve": "1.2.840.10045.3.1.7"},
            "cert": {"status": "valid", "certificates": encoded},
            "auth": {"mode": "implicit"},
            "multisign": 1,
        }

    def authorise(self, asked: dict[str, Any]) -> dict[str, Any]:
        """credentials/authorize (11.6): a SAD for one hash."""
        self._credential(asked)
        wanted = asked.get("hashes")
        if asked.get("numSignatures") != 1 or not isinstance(wanted, list) or len(wanted) != 1:
            raise RefusedError(400, "invalid_request", "one hash at a time")
        sad = secrets.token_urlsafe(24)
        self._allowed[sad] = (str(asked["credentialID"]), str(wanted[0]))
        return {"SAD": sad, "expiresIn": 300}

    def sign_hash(self, asked: dict[str, Any]) -> dict[str, Any]:
        """signatures/signHash (11.10). The same hash gets the same signature: asked again, nothing is signed again."""
        credential = self._credential(asked)
        wanted, name = asked.get("hashes"), str(asked["credentialID"])
        if not isinstance(wanted, list) or len(wanted) != 1 or asked.get("signAlgo") != ECDSA_SHA256:
            raise RefusedError(400, "invalid_request", "one hash, ECDSA with SHA-256")
        with self._turn:
            if self._allowed.pop(str(asked.get("SAD")), None) != (name, wanted[0]):
                raise RefusedError(400, "invalid_request", "the SAD is not for this hash")
            found = self._made.get((name, wanted[0]))
            if found is None:
                digest = base64.b64decode(wanted[0])
                made = credential.key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
                found = self._made[name, wanted[0]] = base64.b64encode(made).decode()
                with (self.folder / "signatures.log").open("a", encoding="ascii") as log:
                    log.write(f"{name} {wanted[0]}\n")
        return {"signatures": [found]}

    def _credential(self, asked: dict[str, Any]) -> Credential:
        name = str(asked.get("credentialID", ""))
        path = self.folder / f"{name}.json"
        if not name.isalnum() or not path.exists():
            raise RefusedError(400, "invalid_request", "no such credential")
        kept = json.loads(path.read_text("ascii"))
        key = serialization.load_pem_private_key(kept["key"].encode(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return Credential(key, x509.load_pem_x509_certificates(kept["chain"].encode()))


def make_credential(folder: Path, authority: ForeignAuthority, name: str, organisation: str) -> None:
    """A key and a certificate for it, if there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    if path.exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, organisation),
        ]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    chain = [authority.certify(request), authority.issuing]
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    kept = {
        "key": pem.decode(),
        "chain": "".join(one.public_bytes(serialization.Encoding.PEM).decode() for one in chain),
    }
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        json.dump(kept, file)
