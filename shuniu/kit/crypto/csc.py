"""A remote signer as the place of keys: the Cloud Signature Consortium's API v2 (credentials/info and /authorize,
signatures/signHash). P-256 with SHA-256.

A hash is signed once. Who asks for the same again, at the same time or later, gets the same signature; after a time-out
nobody knows whether the signer signed, so it is not asked again by itself: the caller's next attempt sends the same
hash with the same `clientData`, by which the signer knows it. Every answer is verified before it is used.
"""

import base64
import binascii
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from shuniu.kit.crypto.device import Algorithm, Cipher, DeviceKey, KeyAwayError, KeyRefusedError, Reference
from shuniu.kit.crypto.device_keys import algorithm_of, check_digest

# Imported with the first request: most hubs have no such signer.
if TYPE_CHECKING:
    import httpx

_SHA256: Final = "2.16.840.1.101.3.4.2.1"
_ECDSA_SHA256: Final = "1.2.840.10045.4.3.2"
_RAW: Final = 64
# Signatures that are kept so that the same hash is not signed again.
_KEPT: Final = 4096
# How often a request is sent that surely did not arrive, and the pause between, s.
_TRIES: Final = 3
_PAUSE: Final = 0.2
_REFERENCE: Final = "csc:credential="
# The signer is there and has no time.
_LATER: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass(frozen=True, slots=True)
class RemoteCredential:
    """Description of a credential by its signer: its certificate and those above it, as it gave them."""

    reference: Reference
    chain: tuple[x509.Certificate, ...]


class RemoteSigner:
    """One signer. `client`: with its base URL and time-outs; `login`: user and password, with a colon between."""

    scheme = "csc:"

    def __init__(self, client: "httpx.Client", login: str) -> None:
        self._client = client
        self._login = login
        self._token = ""
        self._logging_in = threading.Lock()
        self.remembered: OrderedDict[tuple[str, bytes], bytes] = OrderedDict()
        self.turn = threading.Lock()
        # One at a time for the same hash; chosen by the hash, so that others rarely wait.
        self.lanes = tuple(threading.Lock() for _ in range(64))

    @property
    def about(self) -> str:
        return f"remote signer {self._client.base_url}"

    def algorithms(self) -> frozenset[Algorithm]:
        """It holds keys; it makes none for others."""
        return frozenset()

    def generate(self, label: str, algorithm: Algorithm) -> Reference:
        raise KeyRefusedError(f"{self.about} makes no {algorithm} key for {label}")

    def generate_cipher(self, label: str) -> Reference:
        raise KeyRefusedError(f"{self.about} wraps nothing, not {label} either")

    def cipher(self, reference: Reference) -> Cipher:
        raise KeyRefusedError(f"{self.about} wraps nothing, not {reference.text} either")

    def key(self, reference: Reference) -> DeviceKey:
        name = unquote(reference.text.removeprefix(_REFERENCE))
        if algorithm_of(reference.spki) is not Algorithm.P256:
            raise KeyRefusedError("a remote signer's P-256 keys are used only")
        return _RemoteKey(self, name, reference.spki)

    def credential(self, name: str) -> RemoteCredential:
        """credentials/info. Raises KeyAwayError; KeyRefusedError for a key that is not enabled or not P-256."""
        told = self.ask("credentials/info", {"credentialID": name, "certificates": "chain", "certInfo": True})
        try:
            encoded = told["cert"]["certificates"]
            chain = tuple(x509.load_der_x509_certificate(base64.b64decode(one)) for one in encoded)
            usable = told["key"]["status"] == "enabled" and _ECDSA_SHA256 in told["key"]["algo"]
            spki = (
                chain[0]
                .public_key()
                .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
            )
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise KeyRefusedError(f"credential {name}: unreadable: {type(error).__name__}") from None
        if not usable or algorithm_of(spki) is not Algorithm.P256:
            raise KeyRefusedError(f"credential {name}: not an enabled P-256 key")
        return RemoteCredential(Reference(_REFERENCE + quote(name, safe=""), spki), chain)

    def check(self) -> None:
        self._log_in(self._token)

    def close(self) -> None:
        self._client.close()

    def ask(self, operation: str, content: dict[str, Any]) -> dict[str, Any]:
        """One operation; logs in when the signer wants it. Raises KeyAwayError, KeyRefusedError."""
        for _ in range(2):
            token = self._token or self._log_in("")
            answer = self._post(operation, content, {"authorization": f"Bearer {token}"})
            if answer.status_code != HTTPStatus.UNAUTHORIZED:
                return _content(operation, answer)
            self._log_in(token)
        raise KeyAwayError(f"{operation}: the signer does not let us in")

    def _log_in(self, seen: str) -> str:
        with self._logging_in:
            if self._token == seen:
                basic = base64.b64encode(self._login.encode()).decode("ascii")
                answer = self._post("auth/login", {"rememberMe": False}, {"authorization": f"Basic {basic}"})
                if answer.status_code == HTTPStatus.UNAUTHORIZED:
                    raise KeyAwayError("auth/login: the signer does not let us in")
                self._token = str(_content("auth/login", answer).get("access_token", ""))
            return self._token

    def _post(self, operation: str, content: dict[str, Any], headers: dict[str, str]) -> "httpx.Response":
        import httpx

        for attempt in range(_TRIES):
            try:
                return self._client.post(operation, json=content, headers=headers)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                # Surely not arrived: the only case in which asking again cannot sign twice.
                if attempt == _TRIES - 1:
                    raise KeyAwayError(f"{operation}: {type(error).__name__}") from None
                time.sleep(_PAUSE)
            except httpx.HTTPError as error:
                raise KeyAwayError(f"{operation}: {type(error).__name__}") from None
        raise AssertionError


@dataclass(slots=True)
class _RemoteKey:
    _signer: RemoteSigner
    _name: str
    spki: bytes
    algorithm: Algorithm = field(default=Algorithm.P256, init=False)

    def sign(self, message: bytes) -> bytes:
        return self.sign_digest(sha256(message).digest())

    def sign_digest(self, digest: bytes) -> bytes:
        signer = self._signer
        known = (self._name, digest)
        with signer.lanes[digest[0] % len(signer.lanes)]:
            return signer.remembered.get(known) or self._ask(digest)

    def _ask(self, digest: bytes) -> bytes:
        wanted = base64.b64encode(digest).decode("ascii")
        common = {"credentialID": self._name, "hashes": [wanted], "hashAlgorithmOID": _SHA256}
        # Whoever sees the same again knows that it is the same.
        common["clientData"] = sha256(self._name.encode() + b"\n" + digest).hexdigest()
        allowed = self._signer.ask("credentials/authorize", {**common, "numSignatures": 1})
        told = self._signer.ask("signatures/signHash", {**common, "SAD": allowed.get("SAD"), "signAlgo": _ECDSA_SHA256})
        try:
            (encoded,) = told["signatures"]
            signature = _der(base64.b64decode(encoded, validate=True))
            check_digest(self.spki, signature, digest)
        except (KeyError, TypeError, ValueError, binascii.Error, InvalidSignature) as error:
            raise KeyAwayError(
                f"signatures/signHash: not a signature of {self._name}: {type(error).__name__}"
            ) from None
        with self._signer.turn:
            self._signer.remembered[self._name, digest] = signature
            if len(self._signer.remembered) > _KEPT:
                self._signer.remembered.popitem(last=False)
        return signature


def _content(operation: str, answer: "httpx.Response") -> dict[str, Any]:
    if answer.status_code != HTTPStatus.OK:
        kind = KeyAwayError if answer.is_server_error or answer.status_code in _LATER else KeyRefusedError
        raise kind(f"{operation}: the signer answered {answer.status_code}")
    try:
        told = answer.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise KeyAwayError(f"{operation}: the signer answered no JSON object")
    return told


def _der(signature: bytes) -> bytes:
    """ECDSA as CMS has it; some signers give r and s bare."""
    if len(signature) == _RAW:
        half = _RAW // 2
        return encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
    return signature
