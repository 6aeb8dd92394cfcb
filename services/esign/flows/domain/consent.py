"""Consent to sign: what a person's assertion says and what it is good for. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.esign.domain.errors import EsignError
from shuniu import signing_list

# Clocks of two processes of one hub, on two machines, s.
SKEW_S = 30


class ConsentError(EsignError):
    """The authorisation does not authorise this."""


@dataclass(frozen=True, slots=True)
class Act:
    """A step to sign, and the document (SHA-256, hex) that the party saw."""

    flow: str
    step: str
    document_sha256: str


@dataclass(frozen=True, slots=True)
class Consent:
    """A verified assertion: who, through which platform, how sure, for what list, until when (s since 1970)."""

    token_id: str
    platform: str
    subject: str
    ial: int
    aal: int
    issued_s: int
    expires_s: int
    list_sha256: str


def list_of_steps(acts: Iterable[Act]) -> str:
    return signing_list.of_steps((act.flow, act.step, act.document_sha256) for act in acts)


def read(claims: Mapping[str, Any], issuer: str) -> Consent:
    """Consent of claims whose signature was verified. Raises ConsentError AUTHORISATION_INVALID."""
    texts = [claims.get(name) for name in ("jti", "client_id", "sub", "list_sha256")]
    numbers = [claims.get(name) for name in ("ial", "aal", "iat", "exp")]
    if claims.get("iss") != issuer or claims.get("aud") != signing_list.AUDIENCE:
        raise invalid()
    if not all(isinstance(t, str) and 0 < len(t) <= 128 for t in texts):
        raise invalid()
    if not all(isinstance(n, int) and not isinstance(n, bool) for n in numbers):
        raise invalid()
    token_id, platform, subject, bound = map(str, texts)
    ial, aal, issued, expires = (int(n or 0) for n in numbers)
    return Consent(token_id, platform, subject, ial, aal, issued, expires, bound)


def check(consent: Consent, *, platform: str, subject: str, list_sha256: str, now_s: int) -> None:
    """Raises ConsentError: AUTHORISATION_EXPIRED, AUTHORISATION_OTHER (another person, platform or document)."""
    end = min(consent.expires_s, consent.issued_s + signing_list.LIFE_S)
    if now_s >= end or consent.issued_s > now_s + SKEW_S:
        raise ConsentError("AUTHORISATION_EXPIRED", "the authorisation is over; ask the person again", "签署授权已过期")
    if (consent.platform, consent.subject) != (platform, subject):
        raise ConsentError(
            "AUTHORISATION_OTHER", "the authorisation is another person's", "签署授权不属于当前用户", bound_to="person"
        )
    if consent.list_sha256 != list_sha256:
        raise ConsentError(
            "AUTHORISATION_OTHER",
            "the authorisation is bound to other documents, or to these in another order",
            "签署授权与所签文件不一致",
            bound_to="document",
        )


def check_level(consent: Consent, ial: int, aal: int) -> None:
    """Raises ConsentError ASSURANCE_TOO_LOW."""
    if consent.ial < ial or consent.aal < aal:
        raise ConsentError(
            "ASSURANCE_TOO_LOW",
            f"this step needs identity level {ial} and authentication level {aal}",
            f"该步骤要求 L{ial} 级实名与 {aal} 级认证",
            required_ial=str(ial),
            required_aal=str(aal),
        )


def invalid() -> ConsentError:
    return ConsentError("AUTHORISATION_INVALID", "the authorisation cannot be verified", "签署授权无效")


def used() -> ConsentError:
    return ConsentError("AUTHORISATION_USED", "the authorisation was used before", "签署授权已被使用")
