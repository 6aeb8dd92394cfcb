"""Accounts of the bus: operator, system, hub and one account per organisation, as NATS JWT v2 claims.

Pure: keys and instants come in, texts go out. Who may do what on the bus is decided here and nowhere else:

* an organisation lives in an account of its own, so it cannot even name another's subject;
* the hub reaches it through one import, seen there as ``deliver.<org>.>``; its subject carries the importing account's
  key (``account_token_position``) and stream INBOX listens to the hub's key alone, storing as ``inbox.>``; so a third
  account could not deliver even if the operator were tricked into signing such an import. An activation token would say
  the same in 600 bytes an organisation, and the server refuses an account token beyond 1 MiB;
* it reaches the hub through ``submit.>``, which the hub sees as ``submit.<org>.>``; that import needs an activation.
  The hub exports it to all at once and for ever, for an account whose import finds no export yet may stay without it:
  the server looks at such accounts again only once;
* its credential reads stream INBOX through consumers and can neither make, change, purge nor delete a stream.

Claims: NATS decision record ADR-14 and package ``nats-io/jwt/v2``; keys: nkeys (Ed25519, base32 with CRC-16).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import nkeys

# One subject token: no dot, no wildcard, no space, so that a code can never widen a subject.
_CODE = re.compile(r"[A-Za-z0-9_-]{1,64}")

# Areas that publish on the bus; each owns `evt.<area>.>` and the same area of `deliver.<org>.>`.
_AREA = re.compile(r"[a-z]{1,32}")

INBOX = "INBOX"
_UNLIMITED = -1
# nats-server refuses longer tokens ("token too large"); about 4,000 organisations, then the HUB account is split.
TOKEN_BYTES_MAX = 1024 * 1024
# Hub account: streams and consumers are made by the hub's own services only.
_HUB_DISK_BYTES = _UNLIMITED


class BusAccountError(ValueError):
    """A code, key or area that cannot be part of a bus account; ``reason`` is UPPER_SNAKE."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class BusKeys:
    """The secrets behind the bus, 32 bytes each; only identity has them.

    ``organisations`` is a root: every organisation's account key is derived from it with the organisation's code and
    generation, so that no row anywhere holds a secret and a lost registry can be rebuilt.
    """

    operator: bytes
    system: bytes
    hub: bytes
    organisations: bytes

    def __post_init__(self) -> None:
        for secret in (self.operator, self.system, self.hub, self.organisations):
            if len(secret) != 32:
                raise BusAccountError("KEY_LENGTH", "a bus key has 32 bytes")

    def __repr__(self) -> str:
        return "BusKeys(…)"


@dataclass(frozen=True, slots=True)
class Quota:
    """Limits of one organisation on the bus."""

    inbox_bytes: int = 256 * 1024 * 1024
    connections: int = 64
    subscriptions: int = 1024
    consumers: int = 64
    payload_bytes: int = 1024 * 1024


@dataclass(frozen=True, slots=True)
class OrganisationAccount:
    """One organisation's place on the bus.

    ``generation`` rises when the account key is replaced. ``suspended_at`` (seconds since 1970, UTC) cuts every
    credential issued until then; ``revoked`` maps a credential's public key to the second until which it is cut.
    """

    code: str
    generation: int = 1
    quota: Quota = field(default_factory=Quota)
    suspended_at: int | None = None
    revoked: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        check_code(self.code)


@dataclass(frozen=True, slots=True)
class Credential:
    """A user of one account: its public key (kept, for revocation), token and ``.creds`` text (handed over once)."""

    public_key: str
    token: str
    creds: str

    def __repr__(self) -> str:
        return f"Credential({self.public_key})"


def suspended(account: OrganisationAccount, now_s: int) -> OrganisationAccount:
    """Every credential issued until now is cut; what is sent meanwhile waits in INBOX."""
    return replace(account, suspended_at=now_s)


def resumed(account: OrganisationAccount) -> OrganisationAccount:
    """The credentials work again, except those revoked one by one."""
    return replace(account, suspended_at=None)


def without_credential(account: OrganisationAccount, public_key: str, now_s: int) -> OrganisationAccount:
    """One credential is cut for good."""
    return replace(account, revoked=MappingProxyType({**account.revoked, public_key: now_s}))


def check_code(code: str) -> str:
    """The code if it can be one subject token, else BusAccountError ORGANISATION_CODE."""
    if not _CODE.fullmatch(code):
        raise BusAccountError("ORGANISATION_CODE", "letters, digits, '_' and '-', at most 64")
    return code


def _pair(secret: bytes, prefix: int) -> nkeys.KeyPair:
    return nkeys.from_seed(nkeys.encode_seed(secret, prefix))


def _public(pair: nkeys.KeyPair) -> str:
    return bytes(pair.public_key).decode()


def _operator(keys: BusKeys) -> nkeys.KeyPair:
    return _pair(keys.operator, nkeys.PREFIX_BYTE_OPERATOR)


def _system(keys: BusKeys) -> nkeys.KeyPair:
    return _pair(keys.system, nkeys.PREFIX_BYTE_ACCOUNT)


def _hub(keys: BusKeys) -> nkeys.KeyPair:
    return _pair(keys.hub, nkeys.PREFIX_BYTE_ACCOUNT)


def _organisation(keys: BusKeys, account: OrganisationAccount) -> nkeys.KeyPair:
    label = f"shuniu bus account v1\0{account.code}\0{account.generation}".encode()
    secret = hmac.digest(keys.organisations, label, "sha256")
    return _pair(secret, nkeys.PREFIX_BYTE_ACCOUNT)


def system_account_id(keys: BusKeys) -> str:
    return _public(_system(keys))


def hub_account_id(keys: BusKeys) -> str:
    return _public(_hub(keys))


def organisation_account_id(keys: BusKeys, account: OrganisationAccount) -> str:
    return _public(_organisation(keys, account))


def _b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _compact(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _sign(
    issuer: nkeys.KeyPair, *, subject: str, name: str, now_s: int, nats: Mapping[str, Any], expires_s: int = 0
) -> str:
    """One JWT as NATS wants it: algorithm ``ed25519-nkey``, ``jti`` = base32 of the claims' SHA-512/256."""
    claims: dict[str, Any] = {"iat": now_s, "iss": _public(issuer), "name": name, "sub": subject, "nats": dict(nats)}
    if expires_s:
        claims["exp"] = expires_s
    digest = hashlib.new("sha512_256", _compact(claims)).digest()
    claims["jti"] = base64.b32encode(digest).rstrip(b"=").decode()
    header = {"typ": "JWT", "alg": "ed25519-nkey"}
    body = _b64(_compact(header)) + b"." + _b64(_compact(claims))
    return (body + b"." + _b64(issuer.sign(body))).decode()


def _limits(*, disk: int, streams: int, quota: Quota | None) -> dict[str, Any]:
    unlimited = quota is None
    return {
        "subs": _UNLIMITED if quota is None else quota.subscriptions,
        "data": _UNLIMITED,
        "payload": _UNLIMITED if quota is None else quota.payload_bytes,
        "imports": _UNLIMITED,
        "exports": _UNLIMITED,
        "wildcards": True,
        "conn": _UNLIMITED if quota is None else quota.connections,
        # A leaf node would carry a foreign server's interest into the account.
        "leaf": 0,
        "mem_storage": 0,
        "disk_storage": disk,
        "streams": streams,
        "consumer": _UNLIMITED if quota is None else quota.consumers,
        "disk_max_stream_bytes": 0,
        "max_bytes_required": not unlimited,
        "max_ack_pending": _UNLIMITED,
    }


def _account_claims(
    *,
    imports: Sequence[Mapping[str, Any]],
    exports: Sequence[Mapping[str, Any]],
    limits: Mapping[str, Any],
    permissions: Mapping[str, Any],
    revocations: Mapping[str, int],
) -> dict[str, Any]:
    claims: dict[str, Any] = {
        "imports": list(imports),
        "exports": list(exports),
        "limits": dict(limits),
        "default_permissions": dict(permissions),
        "authorization": {},
        "type": "account",
        "version": 2,
    }
    if revocations:
        claims["revocations"] = dict(revocations)
    return claims


def _permissions(publish: Iterable[str], subscribe: Iterable[str]) -> dict[str, Any]:
    return {"pub": {"allow": list(publish)}, "sub": {"allow": list(subscribe)}}


_NOTHING = {"pub": {"deny": [">"]}, "sub": {"deny": [">"]}}


def _activation(exporter: nkeys.KeyPair, importer: str, subject: str, now_s: int) -> str:
    nats = {"subject": subject, "kind": "service", "type": "activation", "version": 2}
    return _sign(exporter, subject=importer, name=subject, now_s=now_s, nats=nats)


def _service_import(subject: str, account: str, local: str) -> dict[str, Any]:
    return {"subject": subject, "account": account, "local_subject": local, "type": "service"}


def delivery_subject(keys: BusKeys) -> str:
    """Returns the subject of stream INBOX in an organisation's account: deliveries by the hub's account alone."""
    return f"hub.{hub_account_id(keys)}.>"


def organisation_permissions() -> dict[str, Any]:
    """Permissions of an organisation's credential in its own account: read INBOX, acknowledge, submit. Nothing else."""
    api = "$JS.API"
    publish = [
        "submit.>",
        f"{api}.INFO",
        f"{api}.STREAM.NAMES",
        f"{api}.STREAM.INFO.{INBOX}",
        f"{api}.CONSUMER.CREATE.{INBOX}",
        f"{api}.CONSUMER.CREATE.{INBOX}.>",
        f"{api}.CONSUMER.DURABLE.CREATE.{INBOX}.*",
        f"{api}.CONSUMER.INFO.{INBOX}.*",
        f"{api}.CONSUMER.NAMES.{INBOX}",
        f"{api}.CONSUMER.LIST.{INBOX}",
        f"{api}.CONSUMER.DELETE.{INBOX}.*",
        f"{api}.CONSUMER.MSG.NEXT.{INBOX}.*",
        # Both forms of the acknowledgement subject: without and with domain and account hash.
        f"$JS.ACK.{INBOX}.>",
        f"$JS.ACK.*.*.{INBOX}.>",
        f"$JS.FC.{INBOX}.>",
    ]
    # Not `hub.>`: a subscriber there would be a service of its own and could answer a delivery with a false PubAck.
    subscribe = ["_INBOX.>", f"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{INBOX}.>"]
    return _permissions(publish, subscribe)


def service_permissions(area: str) -> dict[str, Any]:
    """Permissions of a service of the hub in the HUB account: publish its own area, read the hub's streams."""
    if not _AREA.fullmatch(area):
        raise BusAccountError("AREA", "small letters")
    api = "$JS.API"
    own = f"EVT_{area.upper()}"
    publish = [
        f"evt.{area}.>",
        f"deliver.*.{area}.>",
        f"{api}.INFO",
        f"{api}.STREAM.NAMES",
        f"{api}.STREAM.INFO.*",
        # The body of a message whose advisory says that it died is fetched by its number.
        f"{api}.STREAM.MSG.GET.*",
        f"{api}.CONSUMER.>",
        "$JS.ACK.>",
        "$JS.FC.>",
    ]
    for stream in (own, "SUBMIT", "ADVISORY"):
        publish += [f"{api}.STREAM.CREATE.{stream}", f"{api}.STREAM.UPDATE.{stream}"]
    return _permissions(publish, ["_INBOX.>"])


def operator_token(keys: BusKeys, *, name: str, now_s: int) -> str:
    """The operator's self-signed JWT, which the server's configuration holds."""
    pair = _operator(keys)
    nats = {"system_account": system_account_id(keys), "type": "operator", "version": 2}
    return _sign(pair, subject=_public(pair), name=name, now_s=now_s, nats=nats)


def system_account_token(keys: BusKeys, *, now_s: int) -> str:
    """The system account's JWT: claims are pushed and the server is watched through it; it stores nothing."""
    # Without JetStream: the server refuses it on the system account.
    claims = _account_claims(
        imports=(), exports=(), limits=_limits(disk=0, streams=0, quota=None), permissions=_NOTHING, revocations={}
    )
    return _sign(_operator(keys), subject=system_account_id(keys), name="SYS", now_s=now_s, nats=claims)


def hub_account_token(
    keys: BusKeys, accounts: Iterable[OrganisationAccount], *, now_s: int, revoked: Mapping[str, int] | None = None
) -> str:
    """The HUB account's JWT with one import per organisation: O(n) bytes, so re-issues are coalesced. The server has
    to have these accounts: it looks two seconds for each that it has not, and meanwhile for nothing else.
    """
    hub_id = hub_account_id(keys)
    source = delivery_subject(keys)
    claims = _account_claims(
        imports=[
            _service_import(source, organisation_account_id(keys, account), f"deliver.{account.code}.>")
            for account in accounts
        ],
        exports=[{"subject": "submit.*.>", "type": "service", "token_req": True}],
        limits=_limits(disk=_HUB_DISK_BYTES, streams=_UNLIMITED, quota=None),
        permissions=_NOTHING,
        revocations=revoked or {},
    )
    token = _sign(_operator(keys), subject=hub_id, name="HUB", now_s=now_s, nats=claims)
    if len(token) > TOKEN_BYTES_MAX:
        raise BusAccountError("HUB_ACCOUNT_FULL", f"{len(token)} bytes: split the hub's account by region")
    return token


def organisation_account_token(keys: BusKeys, account: OrganisationAccount, *, now_s: int, replicas: int = 1) -> str:
    """One organisation's JWT. A suspended one keeps its storage: what is sent meanwhile waits in INBOX."""
    hub = _hub(keys)
    pair = _organisation(keys, account)
    subject = f"submit.{account.code}.>"
    token = _activation(hub, _public(pair), subject, now_s)
    revocations = dict(account.revoked)
    if account.suspended_at is not None:
        revocations["*"] = account.suspended_at
    claims = _account_claims(
        imports=[{**_service_import(subject, _public(hub), "submit.>"), "token": token}],
        exports=[{"subject": "hub.*.>", "type": "service", "account_token_position": 2}],
        limits=_limits(disk=account.quota.inbox_bytes * replicas, streams=1, quota=account.quota),
        permissions=organisation_permissions(),
        revocations=revocations,
    )
    return _sign(_operator(keys), subject=_public(pair), name=account.code, now_s=now_s, nats=claims)


def _credential(
    issuer: nkeys.KeyPair,
    secret: bytes,
    *,
    name: str,
    now_s: int,
    permissions: Mapping[str, Any],
    expires_s: int = 0,
) -> Credential:
    user = _pair(secret, nkeys.PREFIX_BYTE_USER)
    nats = {"subs": -1, "data": -1, "payload": -1, **permissions, "type": "user", "version": 2}
    token = _sign(issuer, subject=_public(user), name=name, now_s=now_s, nats=nats, expires_s=expires_s)
    seed = bytes(user.seed).decode()
    creds = (
        f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
    return Credential(public_key=_public(user), token=token, creds=creds)


def organisation_credential(
    keys: BusKeys, account: OrganisationAccount, secret: bytes, *, now_s: int, expires_s: int = 0
) -> Credential:
    """A credential of the organisation; ``secret`` is 32 fresh random bytes, ``expires_s`` 0 for none."""
    return _credential(
        _organisation(keys, account),
        secret,
        name=account.code,
        now_s=now_s,
        permissions=organisation_permissions(),
        expires_s=expires_s,
    )


def provisioner_credential(
    keys: BusKeys, account: OrganisationAccount, secret: bytes, *, now_s: int, lifetime_s: int = 60
) -> Credential:
    """A minute's credential in the organisation's account: the hub makes, resizes and tidies stream INBOX with it."""
    publish = [f"$JS.API.STREAM.{verb}.{INBOX}" for verb in ("CREATE", "UPDATE", "INFO", "PURGE")]
    return _credential(
        _organisation(keys, account),
        secret,
        name=f"{account.code}/provisioner",
        now_s=now_s,
        permissions=_permissions(publish, ["_INBOX.>"]),
        expires_s=now_s + lifetime_s,
    )


def service_credential(keys: BusKeys, area: str, secret: bytes, *, now_s: int) -> Credential:
    """A credential of one of the hub's services in the HUB account."""
    return _credential(_hub(keys), secret, name=area, now_s=now_s, permissions=service_permissions(area))


def system_credential(keys: BusKeys, secret: bytes, *, now_s: int) -> Credential:
    """Identity's credential in the system account: pushes claims, asks which streams exist."""
    publish = [
        "$SYS.REQ.CLAIMS.UPDATE",
        "$SYS.REQ.CLAIMS.LIST",
        "$SYS.REQ.SERVER.PING.JSZ",
        "$SYS.REQ.SERVER.PING.CONNZ",
    ]
    permissions = _permissions(publish, ["_INBOX.>"])
    return _credential(_system(keys), secret, name="identity", now_s=now_s, permissions=permissions)
