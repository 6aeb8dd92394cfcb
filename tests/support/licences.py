"""A holder with a key, an issuer with a certificate, and licences between them."""

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from services.esign.licences.domain import jose, sd_jwt
from services.esign.licences.domain import types as licences
from services.esign.licences.domain.key_binding import PROOF_TYP
from services.esign.licences.domain.sd_jwt import Disclosure, Padded
from services.esign.licences.domain.types import LicenceType
from tests.support.esign import NOW_US, setting

TYPES = Path(licences.__file__).parents[1] / "types"
PERSON = {"full_name": "测试𬭎㛃", "document_number": "150102199001010000", "birth_date": "1990-01-01"}
FACTS = {"region": "内蒙古自治区呼和浩特市", "street_address": "新城区测试路 1 号"}
AUDIENCE = "https://shop.example"
NONCE = "n-0S6_WzA2Mj"


@cache
def licence_type(name: str = "residence_permit") -> LicenceType:
    return licences.read_type(name, (TYPES / f"{name}.toml").read_text())


@dataclass
class Wallet:
    """The holder's side: his key, what he was given, and what he shows of it."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    token: str = ""
    disclosures: tuple[Disclosure, ...] = ()

    @property
    def jwk(self) -> dict[str, str]:
        return jose.public_jwk(self.key.public_key())

    def proof(self, audience: str, nonce: str, now_us: int | None = None) -> str:
        """That the key is his (typ openid4vci-proof+jwt)."""
        return jose.sign(
            {"typ": PROOF_TYP, "jwk": self.jwk}, {"aud": audience, "nonce": nonce, "iat": _seconds(now_us)}, self.key
        )

    def keep(self, sd_jwt_text: str) -> None:
        """What the issuer sent."""
        found = sd_jwt.parse(sd_jwt_text, licences.TYP)
        self.token, self.disclosures = found.token.text, found.disclosures

    def shown(self, names: Iterable[str]) -> tuple[Disclosure, ...]:
        """Disclosures by name, with the object that holds a member."""
        wanted = set(names)
        return tuple(d for d in self.disclosures if d.name in wanted or (d.name is None and str(d.value) in wanted))

    def present(
        self, *names: str, audience: str = AUDIENCE, nonce: str = NONCE, now_us: int | None = NOW_US, **more: Any
    ) -> str:
        """A presentation with key binding; `more` overrides claims of the binding."""
        bare = sd_jwt.compose(self.token, self.shown(names))
        claims = {
            "aud": audience,
            "nonce": nonce,
            "iat": _seconds(now_us),
            "sd_hash": sd_jwt.digest_of(bare),
            **more,
        }
        return bare + jose.sign({"typ": "kb+jwt"}, claims, self.key)


def other_spelling(token: str) -> str:
    """The same token with (r, n - s) for the ECDSA value (r, s)."""
    signed, _, value = token.rpartition(".")
    raw, order = jose.decode(value), 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    return f"{signed}.{jose.encode(raw[:32] + (order - int.from_bytes(raw[32:], 'big')).to_bytes(32, 'big'))}"


def _seconds(now_us: int | None) -> int:
    return (time.time_ns() // 1000 if now_us is None else now_us) // 1_000_000


def issued(
    wallet: Wallet | None = None,
    *,
    claims: Mapping[str, Any] | None = None,
    header: Mapping[str, Any] | None = None,
    issued_us: int = NOW_US,
    days: int = 365,
) -> Wallet:
    """A residence permit in a wallet, by the seal of `tests.support.esign`, without a hub."""
    wallet = wallet or Wallet()
    here = setting()
    now = issued_us // 1_000_000
    members = {
        "vct": licence_type().vct,
        "iat": now,
        "exp": now + days * 86_400,
        "cnf": {"jwk": wallet.jwk},
        "status": {"status_list": {"idx": 7, "uri": "https://hub.example/v1/licences/status-lists/1"}},
        **licences.fill(licence_type(), "150000202600001", PERSON, FACTS, date(2026, 6, 1)),
        **(claims or {}),
    }
    wallet.token, wallet.disclosures = sd_jwt.issue(
        Padded(members, 8),
        {"typ": licences.TYP, "x5c": jose.x5c([here.certificate, here.ca.der]), **(header or {})},
        here.key,
        os.urandom,
    )
    return wallet
