"""Platforms (平台): what a registered organisation may look like and how its life goes. Pure.

APPLIED → TESTING → ACTIVE ⇄ SUSPENDED → RETIRED. A platform is a row: a thousand of them change nothing.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import urlsplit

from services.identity.domain import identity_documents
from shuniu.rules import RuleError, Violation

# One token of a bus subject, one path segment of a SPIFFE id, one OAuth client id.
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,38}[a-z0-9]")
# `evt` is the outbox's own target; the others are names of the hub's processes.
_RESERVED = frozenset({"evt", "hub", "identity", "catalogue", "exchange", "esign", "vault", "web", "edge"})
_DIVISION = re.compile(r"[0-9]{6}")
_SCOPE = re.compile(r"[a-z]{2,20}\.[a-z]{2,20}")
# OpenID Connect Core 1.0, 3.1.2.1 and 5.4: not of the form area.verb.
OPENID_SCOPES = frozenset({"openid", "profile"})
# Administrator scopes belong to operators, in three disjoint roles.
_ADMIN = "admin."
_ZONE = re.compile(r"[a-z][a-z-]{1,38}[a-z]")
_PHONE = re.compile(r"[0-9+ ()-]{5,30}")
_TOPIC = re.compile(r"(catalogue|exchange|esign)(\.[a-z]{2,30}\.[a-z]{2,30}|(\.[a-z]{2,30})?\.\*)")
_DIVISION_PREFIX = re.compile(r"[0-9]{0,6}")
_MAX_NAME = 200
_MAX_URIS = 20
_MAX_URI = 500
_MAX_SUBSCRIPTIONS = 200
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Kind(StrEnum):
    """Kind of organisation behind a platform."""

    MINISTRY = "MINISTRY"
    NATIONAL = "NATIONAL"
    PROVINCE = "PROVINCE"
    CITY = "CITY"
    BUREAU = "BUREAU"
    HUB = "HUB"


class PlatformState(StrEnum):
    """Life of a platform in the registry."""

    APPLIED = "APPLIED"
    TESTING = "TESTING"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    RETIRED = "RETIRED"


class Move(StrEnum):
    """Action that changes a platform's state."""

    ENROL = "ENROL"
    PROMOTE = "PROMOTE"
    SUSPEND = "SUSPEND"
    RESUME = "RESUME"
    RETIRE = "RETIRE"


# A conformance run will let ENROL end in TESTING; until a platform can be scored, enrolment is the whole examination.
_MOVES = {
    (PlatformState.APPLIED, Move.ENROL): PlatformState.ACTIVE,
    (PlatformState.TESTING, Move.PROMOTE): PlatformState.ACTIVE,
    (PlatformState.TESTING, Move.SUSPEND): PlatformState.SUSPENDED,
    (PlatformState.ACTIVE, Move.SUSPEND): PlatformState.SUSPENDED,
    (PlatformState.SUSPENDED, Move.RESUME): PlatformState.ACTIVE,
    (PlatformState.APPLIED, Move.RETIRE): PlatformState.RETIRED,
    (PlatformState.SUSPENDED, Move.RETIRE): PlatformState.RETIRED,
}

WORKING = frozenset({PlatformState.TESTING, PlatformState.ACTIVE})


class SecrecyLabel(StrEnum):
    """Highest label of data that a platform may receive."""

    PUBLIC = "public"
    INTERNAL = "internal"
    SENSITIVE = "sensitive"


class PlatformStateError(Exception):
    """The platform's state does not allow the move."""

    def __init__(self, code: str, state: PlatformState, move: Move) -> None:
        super().__init__(f"{code}: {move} is not possible in state {state}")
        self.code = code
        self.state = state
        self.move = move


@dataclass(frozen=True, slots=True)
class Subscription:
    """A topic, or a prefix ending in `.*`, and a division prefix (digits; empty means everywhere)."""

    topic: str
    division: str = ""


@dataclass(frozen=True, slots=True)
class Platform:
    """One row of the registry. Instants are µs since 1970 UTC; `version` rises by one at each change."""

    code: str
    name: str
    kind: Kind
    division: str
    created_us: int
    uscc: str = ""
    state: PlatformState = PlatformState.APPLIED
    scopes: tuple[str, ...] = ()
    redirect_uris: tuple[str, ...] = ()
    sector: str = ""
    jwks: str = ""
    zone: str = "government-extranet"
    secrecy: SecrecyLabel = SecrecyLabel.INTERNAL
    contact_phone: str = ""
    subscriptions: tuple[Subscription, ...] = ()
    version: int = 1

    @property
    def working(self) -> bool:
        return self.state in WORKING

    @property
    def encryption_key(self) -> str:
        """The JWK to which data for the platform is sealed; empty when it registered none."""
        keys = json.loads(self.jwks)["keys"] if self.jwks else []
        return json.dumps(keys[0]) if keys else ""


def moved(platform: Platform, move: Move) -> Platform:
    """The platform after `move`. Raises PlatformStateError."""
    target = _MOVES.get((platform.state, move))
    if target is None:
        raise PlatformStateError(platform.code, platform.state, move)
    return replace(platform, state=target)


@dataclass(frozen=True, slots=True)
class Draft:
    """A platform as an operator types it."""

    code: str
    name: str
    kind: str
    division: str
    uscc: str
    scopes: tuple[str, ...]
    redirect_uris: tuple[str, ...]
    sector: str
    zone: str
    secrecy: str
    contact_phone: str


def applied(draft: Draft, now_us: int) -> Platform:
    """A platform in state APPLIED. Raises RuleError with every violation; fields are named as in the contract."""
    found = [*_naming(draft), *_placing(draft), *_granting(draft)]
    if found:
        raise RuleError(found)
    return Platform(
        code=draft.code,
        name=draft.name,
        kind=Kind(draft.kind),
        division=draft.division,
        created_us=now_us,
        uscc=identity_documents.check_uscc(draft.uscc) if draft.uscc else "",
        scopes=tuple(dict.fromkeys(draft.scopes)),
        redirect_uris=tuple(dict.fromkeys(draft.redirect_uris)),
        sector=draft.sector or draft.code,
        zone=draft.zone or "government-extranet",
        secrecy=SecrecyLabel(draft.secrecy or "internal"),
        contact_phone=draft.contact_phone,
    )


def _naming(draft: Draft) -> list[Violation]:
    found = []
    if not _CODE.fullmatch(draft.code):
        found.append(
            Violation(
                "platform.code",
                "CODE_FORM",
                "use 2 to 40 of a-z, 0-9 and hyphen, no hyphen at the ends",
                "请使用 2 至 40 位小写字母、数字或连字符，首尾不能是连字符",
            )
        )
    elif draft.code in _RESERVED:
        found.append(Violation("platform.code", "CODE_RESERVED", "choose another code", "该代码为系统保留，请更换"))
    if not 1 <= len(draft.name) <= _MAX_NAME or not printable(draft.name):
        found.append(
            Violation(
                "platform.name",
                "NAME_FORM",
                f"give the official name, 1 to {_MAX_NAME} printable characters",
                f"请填写正式名称，1 至 {_MAX_NAME} 个可见字符",
            )
        )
    if draft.kind not in Kind.__members__:
        found.append(Violation("platform.kind", "KIND_UNKNOWN", "choose the kind of platform", "请选择平台类别"))
    if draft.contact_phone and not _PHONE.fullmatch(draft.contact_phone):
        found.append(
            Violation("platform.contact_phone", "PHONE_FORM", "give a telephone number", "请填写有效的联系电话")
        )
    return found


def _placing(draft: Draft) -> list[Violation]:
    found = []
    if not _DIVISION.fullmatch(draft.division):
        found.append(
            Violation(
                "platform.division",
                "DIVISION_FORM",
                "give 6 digits of GB/T 2260",
                "请填写 6 位行政区划代码（GB/T 2260）",
            )
        )
    if draft.uscc:
        try:
            identity_documents.check_uscc(draft.uscc)
        except identity_documents.DocumentError as error:
            found += [Violation("platform.uscc", each.reason, each.en, each.zh) for each in error.violations]
    if draft.zone and not _ZONE.fullmatch(draft.zone):
        found.append(Violation("platform.zone", "ZONE_FORM", "name a security zone", "请填写有效的安全区域名称"))
    if draft.secrecy and draft.secrecy not in set(SecrecyLabel):
        found.append(
            Violation(
                "platform.secrecy",
                "SECRECY_UNKNOWN",
                "use public, internal or sensitive",
                "请使用 public、internal 或 sensitive",
            )
        )
    if draft.sector and not _CODE.fullmatch(draft.sector):
        found.append(
            Violation("platform.sector", "SECTOR_FORM", "use the form of a platform code", "请使用与平台代码相同的格式")
        )
    return found


def _granting(draft: Draft) -> list[Violation]:
    found = []
    for index, scope in enumerate(draft.scopes):
        if scope.startswith(_ADMIN):
            found.append(
                Violation(
                    f"platform.scopes[{index}]",
                    "SCOPE_RESERVED",
                    "administrator scopes belong to operators",
                    "管理员权限只授予运维人员",
                )
            )
        elif scope not in OPENID_SCOPES and not _SCOPE.fullmatch(scope):
            found.append(
                Violation(f"platform.scopes[{index}]", "SCOPE_FORM", "use the form area.verb", "权限格式应为 area.verb")
            )
    if len(draft.redirect_uris) > _MAX_URIS:
        found.append(
            Violation(
                "platform.redirect_uris", "TOO_MANY", f"give at most {_MAX_URIS}", f"重定向地址最多 {_MAX_URIS} 个"
            )
        )
    found += [
        Violation(
            f"platform.redirect_uris[{index}]",
            "REDIRECT_URI_FORM",
            "give an absolute https address without fragment (http on the loopback address only)",
            "请填写不含片段的 https 绝对地址（仅回环地址可用 http）",
        )
        for index, uri in enumerate(draft.redirect_uris)
        if not redirectable(uri)
    ]
    return found


def redirectable(uri: str) -> bool:
    """Tells whether a browser may be sent to `uri` (RFC 6749 3.1.2, RFC 8252 7.3)."""
    if len(uri) > _MAX_URI or not uri.isascii() or not uri.isprintable() or " " in uri or "\\" in uri:
        return False
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.fragment or uri.endswith("#"):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)


def printable(text: str) -> bool:
    """Tells whether a text holds no control, format, surrogate, private or separator characters but plain spaces."""
    return all(mark == " " or unicodedata.category(mark)[0] not in "CZ" for mark in text)


def reason(text: str) -> str:
    """Checks the reason of a suspension, as the audit record stores it; may be empty. Raises RuleError."""
    if len(text) > _MAX_NAME or not printable(text):
        raise RuleError(
            [
                Violation(
                    "reason",
                    "REASON_FORM",
                    f"give at most {_MAX_NAME} printable characters",
                    f"请填写不超过 {_MAX_NAME} 个可见字符",
                )
            ]
        )
    return text


def subscriptions(wanted: Iterable[tuple[str, str]]) -> tuple[Subscription, ...]:
    """Checked subscriptions, each once. Raises RuleError with every bad topic or division."""
    pairs = list(dict.fromkeys(wanted))
    found = []
    if len(pairs) > _MAX_SUBSCRIPTIONS:
        found.append(
            Violation(
                "subscriptions",
                "TOO_MANY",
                f"subscribe to at most {_MAX_SUBSCRIPTIONS}; use prefixes ending in .*",
                f"最多 {_MAX_SUBSCRIPTIONS} 项订阅，请使用以 .* 结尾的前缀",
            )
        )
    for index, (topic, division) in enumerate(pairs):
        if not _TOPIC.fullmatch(topic):
            found.append(
                Violation(
                    f"subscriptions[{index}].topic",
                    "TOPIC_UNKNOWN",
                    "name a topic of catalogue, exchange or esign, such as catalogue.item.published or catalogue.*",
                    "请填写 catalogue、exchange 或 esign 的主题，如 catalogue.item.published 或 catalogue.*",
                )
            )
        if not _DIVISION_PREFIX.fullmatch(division):
            found.append(
                Violation(
                    f"subscriptions[{index}].division",
                    "DIVISION_FORM",
                    "give the first digits of a division, or nothing",
                    "请填写行政区划代码的前几位，或留空",
                )
            )
    if found:
        raise RuleError(found)
    return tuple(Subscription(topic, division) for topic, division in pairs)


def with_keys(platform: Platform, jwks: str) -> Platform:
    """The platform with its registered encryption keys (JWKS)."""
    return replace(platform, jwks=jwks)
