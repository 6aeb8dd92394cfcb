"""EnrolmentService: exchanges a one-time token and a certificate request for credentials."""

import datetime as dt
import json
import secrets
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from sqlalchemy import Connection

from services.identity import metrics
from services.identity.bus.domain import BusKeys, OrganisationAccount, organisation_credential
from services.identity.bus.places import BusPlaces
from services.identity.config import IdentitySettings
from services.identity.domain.secret_hashes import token_hash
from services.identity.keys.secrets import Secrets
from services.identity.platforms import store as platform_store
from services.identity.platforms import views
from services.identity.platforms.announcing import platform_changed
from services.identity.platforms.domain import enrolment, platforms
from services.identity.platforms.domain.enrolment import EnrolmentToken
from services.identity.platforms.domain.platforms import Move
from services.identity.platforms.refusals import answered
from services.identity.platforms.store import Certificate
from services.identity.requests.private import PrivateRequests
from shuniu.api.identity.v1 import platform_pb2 as pb
from shuniu.api.identity.v1 import platform_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.crypto import sealing
from shuniu.kit.crypto import x509 as certificates
from shuniu.kit.foundation import Foundation
from shuniu.rules import Violation

_MAX_KEYS = 10
_MAX_JWKS = 20_000
_MAX_CSR = 20_000


class EnrolmentService(platform_pb2_grpc.EnrolmentServiceServicer):
    """Redeems enrolment tokens."""

    def __init__(
        self,
        base: Foundation,
        settings: IdentitySettings,
        keys: Secrets,
        bus_keys: BusKeys,
        private: PrivateRequests,
        places: BusPlaces,
        trust_pem: str,
    ) -> None:
        self._base = base
        self._days = settings.certificate_days
        self._keys = keys
        self._bus_keys = bus_keys
        self._private = private
        self._places = places
        self._trust_pem = trust_pem

    async def Enrol(self, request: pb.EnrolRequest, context: Any) -> pb.EnrolResponse:
        response = await self._private.answered(request, pb.EnrolResponse)
        if response is None:
            response = await self._redeem(request)
        # After the commit: while the bus is unavailable, the same request gets its stored answer again.
        await self._places.open(response.client_id)
        return response

    async def _redeem(self, request: pb.EnrolRequest) -> pb.EnrolResponse:
        now = self._base.clock.now_us()
        public_key, jwks = _checked(request)
        hashed = token_hash(request.token)
        # Looked at before anything is signed: a stranger must not make the CA work.
        with answered():
            enrolment.check(await self._base.store.read(platform_store.find_token, hashed), request.code, now)
        certificate = certificates.issue_client(
            self._keys.authority,
            public_key,
            f"spiffe://{self._base.hub.trust_domain}/platform/{request.code}",
            dt.datetime.fromtimestamp(now / 1e6, dt.UTC),
            self._days,
        )
        fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
        kept = Certificate(fingerprint, round(certificate.not_valid_after_utc.timestamp() * 1e6))
        bus_secret = secrets.token_bytes(32)

        def work(conn: Connection) -> pb.EnrolResponse:
            token = enrolment.check(platform_store.find_token(conn, hashed), request.code, now)
            platform = self._enrolled(conn, token, jwks, kept, now)
            account = OrganisationAccount(request.code)
            credential = organisation_credential(self._bus_keys, account, bus_secret, now_s=now // 1_000_000)
            return pb.EnrolResponse(
                certificate_pem=_pem(certificate) + self._keys.authority.pem().decode(),
                trust_pem=self._trust_pem,
                nats_creds=credential.creds,
                client_id=request.code,
                platform=platform,
            )

        with answered():
            response = await self._private.mutate(request, pb.EnrolResponse, work, target=f"platform/{request.code}")
        metrics.ENROLMENTS.inc()
        return response

    def _enrolled(self, conn: Connection, token: EnrolmentToken, jwks: str, kept: Certificate, now: int) -> pb.Platform:
        before = platform_store.find_platform(conn, token.platform)
        if before is None:
            raise enrolment.TokenInvalidError
        platform_store.use_token(conn, token, now)
        platform_store.add_certificate(conn, token.platform, kept, now)
        moved = platforms.with_keys(platforms.moved(before, Move.ENROL), jwks)
        after = platform_store.replace_row(conn, before, moved, bus_generation=1)
        platform_changed(self._base, conn, after, [kept])
        return views.platform(after, [kept])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _checked(request: pb.EnrolRequest) -> tuple[certificates.PublicKey, str]:
    """The certificate request's key and the normalised key set. Raises INVALID_ARGUMENT with every violation."""
    found: list[Violation] = []
    public_key = None
    try:
        if len(request.csr_pem) > _MAX_CSR:
            raise certificates.CertificateRequestError("the request is too long")
        public_key = certificates.read_request(request.csr_pem)
    except certificates.CertificateRequestError as error:
        found.append(
            Violation(
                "csr_pem",
                "CSR_INVALID",
                f"Give a PKCS #10 request in PEM signed with its own key: {error}.",
                "请提供由自身私钥签名的 PEM 格式 PKCS #10 证书请求（P-256、P-384 或不少于 2048 位的 RSA）。",
            )
        )
    jwks = encryption_keys(request.jwks)
    if not jwks:
        found.append(
            Violation(
                "jwks",
                "JWKS_INVALID",
                "Give a JWKS with at least one public P-256 key with `kid` and use `enc`, and no private part.",
                "请提供至少含一个带 kid、用途为 enc 的 P-256 公钥的 JWKS，且不得包含私钥。",
            )
        )
    if found or public_key is None:
        raise errors.invalid(found)
    return public_key, jwks


def encryption_keys(text: str) -> str:
    """The public encryption keys of a JWKS as a JWKS of our own making; empty when there is none or it is unsound."""
    try:
        keys = json.loads(text)["keys"] if len(text) <= _MAX_JWKS else []
        wanted = [key for key in keys if key.get("use", "enc") == "enc"]
        if not 1 <= len(keys) <= _MAX_KEYS or any("d" in key or "k" in key for key in keys):
            return ""
        for key in wanted:
            sealing.receiver_key(key)
            if not isinstance(key["kid"], str) or len(key["kid"]) > 100 or not platforms.printable(key["kid"]):
                return ""
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, sealing.SealingError):
        return ""
    kept = [{name: key[name] for name in ("kty", "crv", "x", "y", "kid")} | {"use": "enc"} for key in wanted]
    return json.dumps({"keys": kept}) if kept else ""
