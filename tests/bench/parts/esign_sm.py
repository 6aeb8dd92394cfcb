"""`esign.sm2` and `esign.ses`: SM2 through the provider against openssl's own measurement, seals and seal signatures."""

import asyncio
import re
import statistics
import subprocess
from typing import Any

from services.esign.certification import sm2_checks
from services.esign.domain.verdict import Outcome
from services.esign.ses import document as ses_document
from services.esign.ses.domain import check as ses_check
from services.esign.ses.domain import values as ses
from shuniu.kit.crypto import sm
from tests.bench import esign
from tests.support.esign import NOW_US, ORGANISATION, SEAL_ID, sealed
from tests.support.sm import eseal, sm_setting, trust

# As many bytes as `openssl speed sm2` signs.
_MESSAGE = bytes(20)
_SPEED = re.compile(rb"\+F\d+:\d+:256:CurveSM2:([\d.]+):([\d.]+)")


def openssl_speed() -> tuple[float, float]:
    """Signatures and verifications a second of processor time, by `openssl speed`."""
    told = subprocess.run(["openssl", "speed", "-seconds", "1", "-mr", "sm2"], capture_output=True, check=True).stdout
    match = _SPEED.search(told)
    if match is None:
        raise RuntimeError("openssl speed sm2 printed no line for CurveSM2")
    return float(match[1]), float(match[2])


def sm2() -> list[dict[str, Any]]:
    key = sm.PrivateKey.generate()
    signature = key.sign(_MESSAGE)
    found: list[tuple[float, ...]] = []
    for _ in range(esign.ROUNDS):
        signing = esign.rate(lambda: key.sign(_MESSAGE), 1000)
        verifying = esign.rate(lambda: key.public.verify(_MESSAGE, signature), 1000)
        found.append((signing, verifying, *openssl_speed()))
    signs, verifies, their_signs, their_verifies = (statistics.median(column) for column in zip(*found, strict=True))
    return [
        esign.row("esign.sm2", signs, "signatures/s/core", their_signs),
        esign.row("esign.sm2_verify", verifies, "signatures/s/core", their_verifies),
    ]


def seals() -> list[dict[str, Any]]:
    made, pdf, known = sm_setting(), sealed(), trust()
    wanted = ses_document.covered(pdf)
    beside = ses.sign(eseal(), made.seal, wanted.data_hash, wanted.protected, NOW_US)
    picture = ses.Picture("png", bytes(16_000), 42, 42)

    def make() -> bytes:
        content = ses.info(
            seal_id=SEAL_ID,
            kind=ses.ORGANISATION,
            name=ORGANISATION,
            certificates=[made.seal.certificate],
            valid_us=(NOW_US, NOW_US + 1_000_000),
            created_us=NOW_US,
            picture=picture,
        )
        return ses.make_seal(content, made.maker)

    def check() -> None:
        # Nothing remembered: every signature of seal, maker, signer and authorities is computed.
        sm2_checks.remembered.cache_clear()
        assert ses_check.inspect(beside, known, NOW_US, wanted).outcome is Outcome.VALID

    def sign() -> bytes:
        return ses.sign(eseal(), made.seal, sm.sm3(pdf), wanted.protected, NOW_US)

    making, signing, checking = esign.rounds(((make, 200), (sign, 200), (check, 50)))
    return [
        esign.row("esign.ses", signing, "signatures/s/core"),
        esign.row("esign.ses_seal", making, "seals/s/core"),
        esign.row("esign.ses_verify", checking, "signatures/s/core"),
    ]


async def run() -> list[dict[str, Any]]:
    return [*sm2(), *seals()]


if __name__ == "__main__":
    print(asyncio.run(run()))
