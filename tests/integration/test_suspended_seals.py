"""Seals that are suspended when they end: what the hub's lists say of the time of the suspension."""

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509

from services.esign import commands
from services.esign.certification.domain import pki
from services.esign.domain.cms.signed_data import P256Key
from services.esign.domain.verdict import Outcome, Verdict
from services.esign.revocation.domain.answers import CRL_HOURS
from services.esign.seals.maker import key_context
from services.esign.seals.store import seals as seal_rows
from services.esign.signing.domain import pades
from services.esign.signing.domain.pades import LastSignature
from services.esign.timestamps.domain import token as tokens
from shuniu.api.esign.v1 import esign_pb2
from tests.support.esign import small_pdf
from tests.support.longterm import HOUR_US
from tests.support.seal_land import ORGANISATION, SealLand, seal_land

SUSPENDED = esign_pb2.SEAL_STATE_SUSPENDED


@pytest_asyncio.fixture
async def land() -> AsyncIterator[SealLand]:
    async with seal_land() as found:
        yield found


class Thief:
    """Holds a seal's key, and has what it signs stamped by an authority that the verifier trusts."""

    def __init__(self, land: SealLand, row: seal_rows.SealRow) -> None:
        held = land.secrets.seal_key(row.wrapped_key, key_context(row.seal.id), row.certificate)
        self.land = land
        self.seal = pades.SigningSeal.prepare(held.key, row.certificate, held.chain, ORGANISATION)
        now_us = land.clock.now_us()
        self.root = pki.make_root("时间", now_us)
        stamping = pki.make_tsa(pki.make_tsa_ca(self.root, "时间", now_us), "时间", now_us)
        chain = [pki.certificate_der(stamping.above[0])]
        self.stamps = tokens.TimestampSigner.prepare(P256Key(stamping.key), stamping.der, chain, "1.2.3.4")

    def signed(self) -> bytes:
        at_us = self.land.clock.now_us()
        one = LastSignature.of(pades.sign(small_pdf(), self.seal, at_us, token=self.stamps.max_size(1)))
        query = tokens.TimestampQuery(tokens.imprint(sha256(one.value).digest()), wants_certificates=True)
        return one.stamped(self.stamps.token(query, 1, at_us))

    def judged(self, pdf: bytes, crl: bytes, folder: Path) -> Verdict:
        """Offline, with the hub's newest list."""
        root = self.land.secrets.seal_ca.root
        (folder / "trust").mkdir(exist_ok=True)
        for name, content in {"root.pem": root, "tsa-root.pem": self.root.certificate}.items():
            (folder / "trust" / name).write_bytes(pki.certificate_pem(content))
        (folder / "trust" / "seals.crl").write_bytes(crl)
        (folder / "signed.pdf").write_bytes(pdf)
        return commands.verify_file(folder / "signed.pdf", folder / "trust", now_us=self.land.clock.now_us())


async def entry_of(land: SealLand) -> x509.RevokedCertificate:
    (entry,) = x509.load_der_x509_crl(await land.crl())
    return entry


@pytest.mark.parametrize("reason", [1, 3])
async def test_what_was_signed_on_hold_stays_invalid_when_the_seal_is_revoked(
    land: SealLand, reason: int, tmp_path: Path
) -> None:
    """The revocation of a suspended seal is dated from the suspension, whatever its reason (X.509, 8.5.2.2)."""
    seal = await land.active()
    row = await land.rows(lambda conn: seal_rows.find_seal_by_id(conn, seal.id))
    thief = Thief(land, row)
    before = thief.signed()
    land.clock.moved_us += HOUR_US
    await land.changed(seal.id, SUSPENDED)
    held = await entry_of(land)
    land.clock.moved_us += CRL_HOURS * HOUR_US
    stolen = thief.signed()
    land.clock.moved_us += HOUR_US
    assert thief.judged(stolen, await land.crl(), tmp_path).outcome is Outcome.INVALID
    await land.revoked(seal.id, reason=reason)
    revoked = await entry_of(land)
    assert revoked.revocation_date_utc == held.revocation_date_utc
    assert thief.judged(stolen, await land.crl(), tmp_path).outcome is Outcome.INVALID
    assert thief.judged(before, await land.crl(), tmp_path).outcome is Outcome.VALID


async def test_the_list_holds_a_suspended_seal_to_its_end_and_beyond(land: SealLand) -> None:
    """A suspended seal that is replaced is revoked from its suspension on; one that expires stays on hold."""
    old = await land.active()
    successor = await land.applied(replaces=old.id)
    await land.reviewed(successor.id)
    await land.made(successor.id)
    await land.changed(old.id, SUSPENDED)
    held = await entry_of(land)
    land.clock.moved_us += HOUR_US
    await land.activated(successor.id)
    replaced = await entry_of(land)
    assert replaced.revocation_date_utc == held.revocation_date_utc
    assert replaced.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.superseded
    await land.changed(successor.id, SUSPENDED)
    land.clock.moved_us += 731 * 24 * HOUR_US
    await land.base.write(land.seals.life.expire)
    assert await land.state(successor.id) == "EXPIRED"
    entries = x509.load_der_x509_crl(await land.crl())
    reasons = {each.extensions.get_extension_for_class(x509.CRLReason).value.reason for each in entries}
    assert reasons == {x509.ReasonFlags.superseded, x509.ReasonFlags.certificate_hold}
