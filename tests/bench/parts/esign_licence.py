"""`esign.licence`: licences made and presentations judged a second of processor time, beside the reference
implementation of SD-JWT on the same claims and keys; status lists signed.
"""

import asyncio
from typing import Any

from cryptography.hazmat.primitives import serialization
from jwcrypto.jwk import JWK
from sd_jwt.common import SDObj
from sd_jwt.issuer import SDJWTIssuer
from sd_jwt.verifier import SDJWTVerifier

from services.esign.certification.domain import pki
from services.esign.domain.verdict import Outcome
from services.esign.licences.domain import status_list
from services.esign.licences.domain.check import NotRegistered, judge
from services.esign.licences.domain.key_binding import Expected
from tests.bench import esign
from tests.support.esign import NOW_US, setting
from tests.support.licences import AUDIENCE, FACTS, NONCE, PERSON, Wallet, issued


def jwk(key: Any) -> JWK:
    kind, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return JWK.from_pem(key.private_bytes(kind, form, serialization.NoEncryption()))


async def run() -> list[dict[str, Any]]:
    wallet, ours = Wallet(), issued()
    presentation, roots = ours.present("18"), [setting().root.certificate]
    expected = Expected(AUDIENCE, NONCE, 300, NOW_US)
    issuer, holder = jwk(setting().key), jwk(wallet.key)
    signer = pki.make_status_issuer(setting().ca, "hub", NOW_US)
    listed = status_list.Issuer(signer.key, [signer.der, setting().ca.der])
    revoked = dict.fromkeys(range(0, status_list.PLACES, 97), status_list.Status.INVALID)

    def judged() -> None:
        found = judge(presentation, roots, expected, NOW_US, NotRegistered.OFFLINE)
        assert found.verdict.outcome is Outcome.VALID

    def theirs() -> None:
        claims = {
            "iat": NOW_US // 1_000_000,
            **{SDObj(name): value for name, value in {**PERSON, **FACTS, "licence_number": "1"}.items()},
            "age_equal_or_over": {SDObj(age): True for age in ("14", "16", "18", "60")},
        }
        SDJWTIssuer(claims, issuer, holder, add_decoy_claims=True)

    def verified() -> None:
        SDJWTVerifier(presentation, lambda *_: issuer, AUDIENCE, NONCE)

    def signed() -> None:
        status_list.sign(
            listed, "https://hub", status_list.pack(status_list.PLACES, revoked), NOW_US, ttl_s=60, lives_s=600
        )

    found = await asyncio.to_thread(
        esign.rounds,
        ((lambda: issued(wallet), 200), (theirs, 40), (judged, 200), (verified, 60), (signed, 10)),
    )
    return [
        esign.row("esign.licence_issue", found[0], "licences/s/core", found[1]),
        esign.row("esign.licence_verify", found[2], "presentations/s/core", found[3]),
        esign.row("esign.status_list", found[4], "lists/s/core"),
    ]
