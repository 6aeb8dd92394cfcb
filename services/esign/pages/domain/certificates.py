"""Certificates (documents) that the hub seals for an agency: what they hold, and the one form in which their data are
hashed.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from types import MappingProxyType
from unicodedata import east_asian_width

from services.esign.domain.errors import CertificateStateError, DocumentUnfitError

NO_CRIMINAL_RECORD = "no_criminal_record"
# Longer than any name in a passport.
MAX_FACT = 80
# Sixty Chinese characters, in half widths: the longest name a seal may carry.
MAX_ISSUER = 120
_NUMBER = re.compile(r"[0-9A-Z-]{4,32}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")


class CertificateState(StrEnum):
    VALID = "VALID"
    REVOKED = "REVOKED"


@dataclass(frozen=True, slots=True)
class Template:
    """A document template: its file, its facts, and where the seal stands (mm from the top left of the page)."""

    name: str
    title: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    seal_x: float
    seal_y: float
    seal_size: float
    # Room for facts above the seal, in half widths: a Chinese character takes two.
    room: int


TEMPLATES: Mapping[str, Template] = MappingProxyType(
    {
        NO_CRIMINAL_RECORD: Template(
            name=NO_CRIMINAL_RECORD,
            title="无犯罪记录证明",
            required=("name", "id_type", "id_number"),
            optional=("sex", "nationality", "from", "to", "purpose"),
            seal_x=118.0,
            seal_y=168.0,
            # 42 mm: the diameter prescribed for the seals of county and city organs (国发〔1999〕25 号).
            seal_size=42.0,
            room=320,
        )
    }
)


@dataclass(frozen=True, slots=True)
class CertificateData:
    """The data of a certificate. `issuer` is the agency's official name; facts are named as the template names them.
    `picture` (PNG) is what the seal shows when its owner uploaded one; it says nothing and is no part of the data.
    """

    number: str
    template: str
    issuer: str
    issued_on: date
    facts: Mapping[str, str]
    picture: bytes = field(default=b"", repr=False, compare=False)


def check(data: CertificateData) -> Template:
    """The data's template. Raises DocumentUnfitError, with the names of the fields at fault, when it cannot be filled
    with them.
    """
    template = TEMPLATES.get(data.template)
    if template is None:
        raise DocumentUnfitError("TEMPLATE_UNKNOWN", "no such template", "没有这个模板", template=data.template[:64])
    if not _NUMBER.fullmatch(data.number):
        raise DocumentUnfitError(
            "NUMBER_MALFORMED", "number: 4 to 32 of 0-9 A-Z -", "编号须为 4 至 32 位数字、大写字母或连字符"
        )
    missing = [name for name in template.required if not data.facts.get(name)]
    unknown = sorted(set(data.facts) - {*template.required, *template.optional})
    if ("from" in data.facts) != ("to" in data.facts):
        missing.append("from" if "to" in data.facts else "to")
    if missing or unknown:
        raise DocumentUnfitError(
            "FACTS",
            "facts are missing or not the template's",
            "缺少必填内容，或有模板未定义的内容",
            missing=",".join(missing),
            unknown=",".join(unknown)[:200],
        )
    if sum(map(_width, data.facts.values())) > template.room or _width(data.issuer) > MAX_ISSUER:
        raise DocumentUnfitError("FACTS_TOO_LONG", "the facts do not fit on the page", "内容过长，一页放不下")
    bad = [name for name, value in (("issuer", data.issuer), *data.facts.items()) if _unprintable(value)]
    if bad:
        raise DocumentUnfitError(
            "FACT_UNPRINTABLE",
            "empty, too long or with control characters",
            "内容为空、过长或含控制字符",
            names=",".join(bad),
        )
    return template


def canonical(data: CertificateData) -> bytes:
    """The data in one form: JSON, keys sorted, no spaces, UTF-8 (RFC 8785 for what occurs here: objects and
    strings).
    """
    return json.dumps(
        {
            "facts": dict(data.facts),
            "issued_on": data.issued_on.isoformat(),
            "issuer": data.issuer,
            "number": data.number,
            "template": data.template,
        },
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
    ).encode()


def digest(data: CertificateData) -> bytes:
    """SHA-256 of the canonical data: what the QR code carries a prefix of."""
    return sha256(canonical(data)).digest()


def commitment(data: CertificateData, salt: bytes) -> bytes:
    """Commitment for the ledger: SHA-256(salt ‖ canonical data). 16 bytes of fresh salt, kept by the issuer, hide
    guessable facts.
    """
    if len(salt) < 16:
        raise ValueError("a commitment needs 16 bytes of salt")
    return sha256(salt + canonical(data)).digest()


def revoke(state: CertificateState) -> CertificateState:
    """VALID → REVOKED. Raises CertificateStateError when it already is."""
    if state is not CertificateState.VALID:
        raise CertificateStateError("CERTIFICATE_STATE", "already revoked", "该证明已撤销")
    return CertificateState.REVOKED


def _width(text: str) -> int:
    return sum(map(_halves, text))


@lru_cache(maxsize=65_536)
def _halves(character: str) -> int:
    return 2 if east_asian_width(character) in {"W", "F", "A"} else 1


def _unprintable(value: str) -> bool:
    return not value or len(value) > MAX_FACT or _CONTROL.search(value) is not None or not value.strip()
