"""Authenticates clients of the token endpoint: their certificate is checked against the registry."""

from dataclasses import dataclass

from sqlalchemy import Connection

from services.identity.openid.domain.authorization import OAuthError
from services.identity.openid.domain.claims import Client
from services.identity.operators import store as operator_store
from services.identity.platforms import store as platform_store
from services.identity.platforms.domain.platforms import Platform
from shuniu.kit.rpc.caller import binding_of

_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class KnownClient:
    """A client that may have tokens: its claims, its scopes and, unless it is an operator, its platform."""

    client: Client
    scopes: tuple[str, ...]
    platform: Platform | None


def authenticate(
    conn: Connection, trust_domain: str, uri: str, sha256: str, client_id: str, now_us: int
) -> KnownClient:
    """The client behind a certificate. Raises OAuthError invalid_client; the reason why stays with us."""
    prefix = f"spiffe://{trust_domain}/"
    kind, _, code = uri.removeprefix(prefix).partition("/")
    fingerprint = sha256.lower()
    if not uri.startswith(prefix) or client_id != code or len(fingerprint) != 64 or not _HEX.issuperset(fingerprint):
        raise _refused()
    client = Client(kind, code, binding_of(fingerprint))
    if kind == "platform":
        platform = platform_store.find_platform(conn, code)
        valid = platform_store.certificates(conn, [code], now_us)[code]
        if platform is None or not platform.working or all(each.sha256 != fingerprint for each in valid):
            raise _refused()
        return KnownClient(client, platform.scopes, platform)
    operator = operator_store.find_operator(conn, code) if kind == "operator" else None
    if operator is None or operator.certificate_sha256 != fingerprint or operator.not_after_us <= now_us:
        raise _refused()
    return KnownClient(client, operator.scopes, None)


def _refused() -> OAuthError:
    return OAuthError(
        "invalid_client",
        "CLIENT_REFUSED",
        "The client certificate belongs to no working platform with this client_id.",
        "客户端证书与 client_id 不符，或平台未接入、已被暂停。",
    )
