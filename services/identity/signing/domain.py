"""A person's consent to sign, as a token that says exactly what: never more than what the person was shown. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.identity.openid.domain.claims import Life
from shuniu import signing_list
from shuniu.rules import RuleError, Violation

MOST: Final = 100
"""Acts under one consent."""
_FLOW: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_STEP: Final = re.compile(r"[a-z][a-z0-9_]{2,39}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Item:
    """A step of a flow, and the document (SHA-256, hex) that the person was shown."""

    flow: str
    step: str
    document_sha256: str


@dataclass(frozen=True, slots=True)
class Signer:
    """Person who consents: subject and session at a platform, the levels, and when they signed in (s since 1970)."""

    platform: str
    subject: str
    session_id: str
    ial: int
    aal: int
    authenticated_s: int


def check(items: Sequence[Item], hashes: Sequence[bytes]) -> None:
    """Raises RuleError with every violation."""
    violations = []
    if not 1 <= len(items) + len(hashes) <= MOST or (items and hashes):
        violations.append(
            Violation(
                "items",
                "SIGNING_LIST",
                f"name 1 to {MOST} steps or hashes, not both",
                f"请指定 1 至 {MOST} 个步骤或摘要",
            )
        )
    for at, item in enumerate(items[:MOST]):
        if not _FLOW.fullmatch(item.flow):
            violations.append(Violation(f"items[{at}].flow", "FLOW_FORM", "not a flow's id", "流程编号格式错误"))
        if not _STEP.fullmatch(item.step):
            violations.append(Violation(f"items[{at}].step", "STEP_FORM", "not a step's key", "步骤代码格式错误"))
        if not _SHA256.fullmatch(item.document_sha256):
            violations.append(
                Violation(
                    f"items[{at}].document_sha256", "HASH_FORM", "64 hexadecimal digits", "须为 64 位十六进制摘要"
                )
            )
    violations += [
        Violation(f"hashes[{at}]", "HASH_LENGTH", "a SHA-256 has 32 bytes", "SHA-256 摘要须为 32 字节")
        for at, each in enumerate(hashes[:MOST])
        if len(each) != 32
    ]
    if violations:
        raise RuleError(violations)


def assertion(
    issuer: str, signer: Signer, items: Sequence[Item], hashes: Sequence[bytes], life: Life
) -> dict[str, Any]:
    """Claims of the consent; see SigningService.AuthoriseSigning for the list that it is bound to."""
    steps = [(item.flow, item.step, item.document_sha256) for item in items]
    claims: dict[str, Any] = {
        "iss": issuer,
        "aud": signing_list.AUDIENCE,
        "sub": signer.subject,
        "client_id": signer.platform,
        "sid": signer.session_id,
        "ial": signer.ial,
        "aal": signer.aal,
        "auth_time": signer.authenticated_s,
        "iat": life.issued_s,
        "exp": life.expires_s,
        "jti": life.token_id,
        "count": len(items) + len(hashes),
        "list_sha256": signing_list.of_steps(steps) if items else signing_list.of_hashes(hashes),
    }
    if len(items) == 1:
        (item,) = items
        claims |= {"flow": item.flow, "step": item.step, "document_sha256": item.document_sha256}
    return claims
