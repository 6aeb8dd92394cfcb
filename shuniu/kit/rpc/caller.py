"""The caller, proved by certificate and token; nothing in a request is believed.

On the edge socket identity comes from two headers that Envoy alone sets (it strips them from outside):
`x-forwarded-client-cert` (the verified client certificate) and `x-shuniu-claims` (the verified token's payload).
Another process of this hub is who its certificate says, or whom the socket is for that it called (`sockets.py`).
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum

from shuniu.api.common.v1 import policy_pb2
from shuniu.kit import errors

CERTIFICATE_HEADER = "x-forwarded-client-cert"
CLAIMS_HEADER = "x-shuniu-claims"
EDGE = "edge"
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")


class CallerKind(Enum):
    """Kinds of caller, numbered as in the contract."""

    ANONYMOUS = policy_pb2.CALLER_KIND_ANONYMOUS
    PLATFORM = policy_pb2.CALLER_KIND_PLATFORM
    PERSON = policy_pb2.CALLER_KIND_PERSON
    OPERATOR = policy_pb2.CALLER_KIND_OPERATOR
    SERVICE = policy_pb2.CALLER_KIND_SERVICE


@dataclass(frozen=True, slots=True)
class Caller:
    """A proved caller. `platform`: code in the certificate's URI SAN; `person`: pairwise subject of the token."""

    kind: CallerKind
    platform: str = ""
    person: str = ""
    scopes: frozenset[str] = frozenset()
    ial: int = 0
    aal: int = 0
    session: str = ""
    token_id: str = ""

    @property
    def key(self) -> str:
        """Key that request ids, page tokens and limits are bound to."""
        return f"{self.kind.name.lower()}:{self.platform}:{self.person}"


ANONYMOUS = Caller(CallerKind.ANONYMOUS)


@dataclass(frozen=True, slots=True)
class CurrentCall:
    """The call being handled: method path, id of the request at the edge, W3C traceparent, whether it is audited."""

    method: str
    request_id: str
    traceparent: str
    audit: bool
    caller: Caller = ANONYMOUS


_NO_CALL = CurrentCall("", "", "", audit=False)
_current: ContextVar[CurrentCall] = ContextVar("shuniu_call", default=_NO_CALL)


def current_call() -> CurrentCall:
    return _current.get()


def current_caller() -> Caller:
    return _current.get().caller


def set_current(call: CurrentCall) -> None:
    _current.set(call)


_TOKEN_KINDS = {"platform": CallerKind.PLATFORM, "person": CallerKind.PERSON, "operator": CallerKind.OPERATOR}


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """Client certificate as the edge saw it: URI SAN and SHA-256 of the DER, hex."""

    uri: str
    sha256: str


def parse_certificate_header(header: str) -> ClientCertificate | None:
    """Reads Envoy's XFCC header with the parts Hash and URI. Several elements mean that somebody else wrote into it."""
    if not header:
        return None
    if "," in header:
        raise _forged()
    parts: dict[str, str] = {}
    for part in header.split(";"):
        name, _, value = part.partition("=")
        parts[name.strip().lower()] = value.strip().strip('"')
    if not _SHA256.fullmatch(parts.get("hash", "")) or not parts.get("uri"):
        raise _forged()
    return ClientCertificate(parts["uri"], parts["hash"].lower())


def _forged() -> errors.HubError:
    return errors.unauthenticated(
        "CALLER_UNPROVED",
        "The caller's identity could not be read; connect through the edge.",
        "无法确认调用方身份，请通过边缘网关访问。",
    )


def _claims(header: str) -> Mapping[str, object]:
    try:
        claims = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (ValueError, binascii.Error):
        raise _forged() from None
    if not isinstance(claims, dict):
        raise _forged()
    return claims


def binding_of(sha256_hex: str) -> str:
    """`x5t#S256` of a certificate (RFC 8705 3.1) from the hex SHA-256 of its DER."""
    return base64.urlsafe_b64encode(bytes.fromhex(sha256_hex)).rstrip(b"=").decode()


def edge_caller(metadata: Mapping[str, str], trust_domain: str) -> Caller:
    """The caller behind the edge. Raises UNAUTHENTICATED when token and certificate do not belong together."""
    certificate = parse_certificate_header(metadata.get(CERTIFICATE_HEADER, ""))
    header = metadata.get(CLAIMS_HEADER, "")
    if not header:
        return ANONYMOUS
    claims = _claims(header)
    kind = _TOKEN_KINDS.get(str(claims.get("kind", "")))
    confirmation = claims.get("cnf")
    bound_to = str(confirmation.get("x5t#S256", "")) if isinstance(confirmation, dict) else ""
    if kind is None or not bound_to:
        raise _token_refused()
    if certificate is None or binding_of(certificate.sha256) != bound_to:
        raise errors.unauthenticated(
            "TOKEN_BINDING",
            "The access token is bound to another client certificate; ask for a new one.",
            "访问令牌与客户端证书不匹配，请重新获取令牌。",
        )
    path = "operator" if kind is CallerKind.OPERATOR else "platform"
    prefix = f"spiffe://{trust_domain}/{path}/"
    code = certificate.uri.removeprefix(prefix)
    if code == certificate.uri or code != claims.get("client_id"):
        raise _token_refused()
    return Caller(
        kind,
        platform=code,
        person=str(claims.get("sub", "")) if kind is CallerKind.PERSON else "",
        scopes=frozenset(str(claims.get("scope", "")).split()),
        ial=_number(claims.get("ial")),
        aal=_number(claims.get("aal")),
        session=str(claims.get("sid", "")),
        token_id=str(claims.get("jti", "")),
    )


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _token_refused() -> errors.HubError:
    return errors.unauthenticated(
        "TOKEN_INVALID", "The access token is not valid here; ask for a new one.", "访问令牌无效，请重新获取令牌。"
    )


def process_of(certificate_uri: str, trust_domain: str) -> str:
    """The process of this hub that a certificate's URI SAN names; empty when it names none."""
    name = certificate_uri.removeprefix(f"spiffe://{trust_domain}/service/")
    return "" if name == certificate_uri else name


def is_edge(certificate_uri: str, trust_domain: str) -> bool:
    """True for the edge, whose headers are believed. Any other holder of a certificate could write them."""
    return process_of(certificate_uri, trust_domain) == EDGE


def peer_caller(name: str) -> Caller:
    """Another process of this hub. Raises UNAUTHENTICATED when nothing proves which."""
    if not name:
        raise _forged()
    return Caller(CallerKind.SERVICE, platform=name)
