"""Drills: each kind of key is rotated by its command, and what the last one signed stays good."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from sqlalchemy import select

from services.esign import commands, store
from services.esign.certification.domain import chain, paths, pki, sm2_pki
from services.esign.certification.domain.holders import SealKind
from services.esign.certification.domain.issued import Issued
from services.esign.certification.domain.trust import Trust
from services.esign.certification.sm2_checks import verifies
from services.esign.config import EsignSettings, KeyFiles
from services.esign.domain import der
from services.esign.domain.digests import SM3
from services.esign.domain.verdict import Status
from services.esign.keys import of_seals as seal_keys
from services.esign.keys import secrets as keys
from services.esign.keys.sm2 import SmSecrets
from services.esign.pages.domain import qr
from services.esign.revocation.service import RevocationService
from services.esign.seals.domain.life import Seal, SealState
from services.esign.seals.maker import key_context
from services.esign.seals.store import history as seal_store
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store import sm2_side as ses_store
from services.esign.ses.domain.values import Picture
from services.esign.signing.domain import pades
from services.esign.timestamps.domain import reader as timestamp_reader
from services.esign.timestamps.domain import token as timestamp
from services.esign.timestamps.domain.token import TimestampQuery
from services.esign.upkeep.rewrapping import Rewrapping
from shuniu.api.esign.v1 import timestamp_pb2 as pb
from shuniu.cli.main import parser
from shuniu.kit.crypto import sm
from shuniu.kit.errors import HubError
from shuniu.kit.foundation import Foundation
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import ConfigError, HubSettings, load
from shuniu.kit.store import Store
from shuniu.kit.store.migrations import migrate
from shuniu.kit.testing import eventually
from shuniu.kit.testing.foundation import foundation_of
from tests.support.esign import ORGANISATION, certificate_data, page
from tests.support.verdicts import judged

now_us = SystemClock().now_us
_SM2 = ses_store.sm2_seal.c


@dataclass
class KeyHub:
    """A hub's keys, as its commands see them."""

    data: Path

    @property
    def config(self) -> Path:
        return self.data / "hub.toml"

    @property
    def files(self) -> KeyFiles:
        return KeyFiles(self.data)

    def start(self) -> keys.Secrets:
        """What a process started now would sign with."""
        return keys.Secrets.load(load(HubSettings, self.config, "hub"), load(EsignSettings, self.config, "esign"))

    def rotate(self, option: str) -> None:
        """`shuniu keys rotate <option>`."""
        words = ["keys", "rotate", option, "--data", str(self.data), "--json"]
        arguments = parser(words).parse_args(words)
        assert arguments.run(arguments) == 0


@pytest.fixture
def hub() -> Iterator[KeyHub]:
    with tempfile.TemporaryDirectory(prefix="sn", dir="/tmp") as folder:
        found = KeyHub(Path(folder))
        for name in ("keys", "pki", "db", "ledger"):
            (found.data / name).mkdir()
        found.config.write_text(
            '[hub]\ncode = "150000"\nname = "hub"\ntrust_domain = "hub.test"\nissuer = "https://hub.test"\n'
            f'data_dir = "{folder}"\nrun_dir = "{folder}"\n[esign]\nses_sidecar = false\n'
        )
        commands.initialise(found.config)
        yield found


@dataclass
class MadeSeal:
    seal_id: str
    certificate: bytes
    wrapped: bytes

    def sign(self, secrets: keys.Secrets) -> bytes:
        held = secrets.seal_key(self.wrapped, key_context(self.seal_id), self.certificate)
        signing = pades.SigningSeal.prepare(held.key, self.certificate, held.chain, ORGANISATION)
        return pades.sign(page(), signing, now_us())


def made(secrets: keys.Secrets, seal_id: str) -> MadeSeal:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = pki.issue_seal_certificate(
        secrets.seal_ca, key.public_key(), ORGANISATION, seal_id, now_us(), status_url="http://hub.test"
    )
    wrapped = secrets.keyring.encrypt(seal_keys.keep(key), key_context(seal_id))
    return MadeSeal(seal_id, pki.certificate_der(certificate), wrapped)


def signer_steps(pdf: bytes, root: x509.Certificate) -> set[Status]:
    verdict = judged(pdf, trust=Trust((root,)), now_us=now_us())
    return {step.status for step in verdict.steps if step.step in {"integrity", "signer", "chain"}}


def test_drill_the_seal_ca_is_rotated(hub: KeyHub):
    """Twice: seals of every CA sign on with their own chain, and documents of all verify under the one root."""
    documents, made_seals = [], []
    for number in range(3):
        secrets = hub.start()
        assert secrets.seal_ca.number == number
        assert len(secrets.seal_cas) == len(set(secrets.seal_cas)) == number + 1
        made_seals.append(made(secrets, f"seal-{number}"))
        documents += [seal.sign(secrets) for seal in made_seals]
        if number < 2:
            hub.rotate("--seal-ca")
    for document in documents:
        assert signer_steps(document, secrets.seal_ca.root) == {Status.VALID}
    places = [x509.load_der_x509_certificate(seal.certificate) for seal in made_seals]
    lists = [
        one.extensions.get_extension_for_class(x509.CRLDistributionPoints).value[0].full_name[0].value  # type: ignore[index]
        for one in places
    ]
    assert lists == ["http://hub.test/crl", "http://hub.test/crl?ca=1", "http://hub.test/crl?ca=2"]


def test_drill_a_rotation_that_was_interrupted_is_completed(hub: KeyHub, monkeypatch: pytest.MonkeyPatch):
    """Power gone before any of the renames: the hub starts with the old key or the command completes it."""
    for option, fails_at in (
        ("--seal-ca", 1),
        ("--seal-ca", 2),
        ("--seal-ca", 3),
        ("--tsa", 1),
        ("--tsa", 2),
        ("--qr", 2),
    ):
        count = 0
        real = Path.replace

        def stops(self: Path, target: Path, at: int = fails_at, real=real) -> Path:
            nonlocal count
            count += 1
            if count == at:
                raise OSError("power gone")
            return real(self, target)

        before = hub.start().seal_cas
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", stops)
            with contextlib.suppress(OSError):
                hub.rotate(option)
        hub.rotate(option)
        after = hub.start().seal_cas
        assert set(before) <= set(after), (option, fails_at)
        assert len(after) == len(set(after))


def test_drill_the_timestamp_key_is_rotated(hub: KeyHub):
    """Tokens of the key before verify on; the new one stamps; without its CA's key nothing is made."""
    asked = TimestampQuery(timestamp.imprint(sha256(b"signature").digest()), wants_certificates=True)
    old = hub.start()
    assert old.tsa is not None
    first = old.tsa.token(asked, 1, now_us())
    hub.rotate("--tsa")
    new = hub.start()
    assert new.tsa is not None
    second = new.tsa.token(asked, 2, now_us())
    for token in (first, second):
        timestamp_reader.check_token(token, (b"signature",), (new.seal_ca.root,), now_us())
    hub.files.tsa("ca")[1].rename(hub.data / "in the safe")
    with pytest.raises(ConfigError, match="put it back"):
        commands.rotate_timestamp_key(hub.config)


@pytest.mark.skipif(not sm.available(), reason="no libcrypto with SM2")
def test_drill_the_seal_maker_is_rotated(hub: KeyHub):
    """GB/T 38540 seals of the maker before are trusted on; an interrupted rotation is completed."""
    settings = replace(load(EsignSettings, hub.config, "esign"), ses_sidecar=None)

    def start() -> SmSecrets:
        found = keys.Secrets.load(load(HubSettings, hub.config, "hub"), settings).sm
        assert found is not None
        return found

    before = start()
    signature = before.maker.sign(b"eSealInfo")
    path = hub.files.sm2("maker")[1]
    old_key = path.read_bytes()
    hub.rotate("--maker")
    middle = start()
    # As if the power had gone before the last rename.
    path.rename(path.with_suffix(".next"))
    path.write_bytes(old_key)
    path.chmod(0o600)
    hub.rotate("--maker")
    assert start().maker.spki == middle.maker.spki != before.maker.spki
    trusted = x509.load_pem_x509_certificates(start().trust_pem)
    assert len(trusted) == 4
    assert before.maker.certificate in {one.public_bytes(serialization.Encoding.DER) for one in trusted}
    assert verifies(before.maker.spki, b"eSealInfo", signature)


@pytest.mark.skipif(not sm.available(), reason="no libcrypto with SM2")
async def test_drill_the_sm2_seal_ca_is_rotated(hub: KeyHub, base: Foundation):
    """SM2 seals of every CA lead to the root by what `shuniu trust` hands out; each CA signs a list of its own."""
    settings = replace(load(EsignSettings, hub.config, "esign"), ses_sidecar=None)
    made_by = []
    for number in range(3):
        found = keys.Secrets.load(load(HubSettings, hub.config, "hub"), settings).sm
        assert found is not None
        assert found.seal_ca.number == number
        spki = sm.PrivateKey.generate().public.spki
        made_by.append(
            sm2_pki.issue_seal_certificate(
                found.seal_ca, spki, ORGANISATION, f"{number}", now_us(), status_url="http://h"
            )
        )
        if number < 2:
            hub.rotate("--sm2-seal-ca")
    assert [b"/crl/sm2?ca=%d" % number in made_by[number] for number in range(3)] == [False, True, True]
    trusted = [chain.load(pem) for pem in (found.root, *(one.certificate for one in found.seal_cas))]
    for certificate in made_by:
        assert paths.build(chain.load(certificate), trusted[1:], trusted[:1], paths.any_purpose)[-1] == trusted[0]
    secrets = hub.start()
    service = RevocationService(base, secrets.seal_ca, found.seal_ca, (), found.seal_cas_retired)
    for one in found.seal_cas:
        answer = await service.GetCrl(pb.GetCrlRequest(family="SM2", ca=one.number), None)
        body, _, signature = der.parse(answer.der).children()
        assert verifies(one.spki, body.raw, signature.body[1:])
    with pytest.raises(HubError, match="CA_UNKNOWN"):
        await service.GetCrl(pb.GetCrlRequest(family="SM2", ca=9), None)


@pytest.mark.skipif(not sm.available(), reason="no libcrypto with SM2")
def test_drill_the_sm2_timestamp_key_is_rotated(hub: KeyHub):
    """In the profile sm `--tsa` rotates the authority that stamps there."""
    hub.config.write_text(hub.config.read_text().replace("[esign]", 'profile = "sm"\n[esign]'))
    tokens = []
    asked = TimestampQuery(timestamp.imprint(sm.sm3(b"signature"), SM3), wants_certificates=True)
    for serial in (1, 2):
        secrets = hub.start()
        assert secrets.tsa is not None
        tokens.append(secrets.tsa.token(asked, serial, now_us()))
        hub.rotate("--tsa")
    assert secrets.sm is not None
    roots = (chain.load(secrets.sm.root),)
    signers = {
        timestamp_reader.check_token(token, (b"signature",), roots, now_us()).path[0].serial_number for token in tokens
    }
    assert len(signers) == 2


def test_drill_the_qr_key_is_rotated(hub: KeyHub):
    """Codes printed before verify on with the keys that the hub hands out; the new key signs."""
    codes = []
    for _ in range(3):
        codes.append(hub.start().qr.url(certificate_data()))
        hub.rotate("--qr")
    known = {qr.key_id(key): key for key in hub.start().qr_keys}
    assert len(known) == 4
    assert {qr.read(code, known).number for code in codes} == {certificate_data().number}


@pytest_asyncio.fixture
async def base(hub: KeyHub) -> AsyncIterator[Foundation]:
    clock, url = SystemClock(), f"sqlite:///{hub.data}/db/esign.db"
    await migrate(url, "services.esign", clock)
    kept = await Store.open(url, store.METADATA, clock=clock)
    settings = load(EsignSettings, hub.config, "esign")
    yield foundation_of("esign", load(HubSettings, hub.config, "hub"), settings, clock, kept)
    await kept.close()


async def test_drill_the_wrapping_key_is_rotated(hub: KeyHub, base: Foundation):
    """From the next start every seal key is wrapped again, in batches; the key before opens nothing that is stored."""
    first = hub.start()
    kept = [made(first, f"seal-{number:03d}") for number in range(130)]

    def put(conn):
        for one in kept:
            seal = Seal(one.seal_id, f"platform-{one.seal_id}", ORGANISATION, SealState.ACTIVE, 0, 0)
            seal_rows.put_seal(conn, seal, now_us())
            seal_rows.made(conn, seal_rows.SealRow(seal, one.certificate, one.wrapped))

    await base.store.write(put)
    hub.rotate("--kek")
    second = hub.start()
    assert (first.keyring.newest, second.keyring.newest) == (1, 2)
    rewrapping = Rewrapping(base, second.keyring)
    assert await rewrapping.older() == 130
    task = asyncio.create_task(rewrapping.run())

    async def done() -> bool:
        return await rewrapping.older() == 0

    await eventually(done, within=20)
    task.cancel()
    (hub.files.keyring / "000001.key").unlink()
    alone = hub.start()
    for one in (kept[0], kept[-1]):
        row = await base.store.read(seal_rows.find_seal_by_id, one.seal_id)
        assert row is not None
        held = alone.seal_key(row.wrapped_key, key_context(one.seal_id), row.certificate)
        assert held.private.public_key() == x509.load_der_x509_certificate(one.certificate).public_key()


async def test_what_names_a_person_is_closed_and_wrapped_again(hub: KeyHub, base: Foundation):
    """Certificates and pictures of persons' seals that an earlier version wrote in clear are closed from the next start
    on, under the newest key after each rotation; readers see the same bytes at all times, and organisations' stay.
    """
    secrets = hub.start()
    kept = [made(secrets, f"seal-{kind}") for kind in (SealKind.PERSON, SealKind.ORGANISATION)]
    pictures = {one.seal_id: b"\x89PNG " + one.seal_id.encode() for one in kept}

    def put(conn):
        for one in kept:
            kind = SealKind(one.seal_id.removeprefix("seal-"))
            seal = Seal(one.seal_id, "police", "", SealState.ACTIVE, 0, 0, kind, "p")
            seal_rows.put_seal(conn, seal, now_us())
            seal_rows.made(
                conn, seal_rows.SealRow(replace(seal, kind=SealKind.ORGANISATION), one.certificate, one.wrapped)
            )
            drawn = seal_store.KeptPicture(seal_store.DRAWN, Picture("png", pictures[one.seal_id], 20, 20))
            seal_store.keep_picture(conn, one.seal_id, drawn, SealKind.ORGANISATION)
            beside = ses_store.Sm2SealRow(one.seal_id, one.certificate, b"", b"0eseal")
            ses_store.keep_sm2_seal(conn, beside, SealKind.ORGANISATION)

    def raw(conn):
        wanted = (seal_rows.seal.c.certificate, _SM2.certificate, _SM2.eseal, seal_store.seal_picture.c.data)
        return [
            [
                bytes(value).startswith(key.to_bytes(4, "big")) and one.certificate not in bytes(value)
                for column in wanted
                for value in conn.execute(
                    select(column).where((column.table.c.get("id", column.table.c.get("seal_id"))) == one.seal_id)
                ).scalars()
            ]
            for one in kept
        ]

    async def read():
        for one in kept:
            row = await base.store.read(seal_rows.find_seal_by_id, one.seal_id)
            beside = await base.store.read(ses_store.find_sm2_seal, one.seal_id)
            picture = await base.store.read(seal_store.find_picture, one.seal_id)
            assert (row.certificate, beside.certificate, beside.eseal) == (one.certificate, one.certificate, b"0eseal")
            assert picture.picture.data == pictures[one.seal_id]

    await base.store.write(put)
    key = 1
    assert await base.store.read(raw) == [[False] * 4] * 2
    await read()
    for key in (1, 2):
        if key == 2:
            hub.rotate("--kek")
        keyring = hub.start().keyring
        base.store.use_cipher(keyring)
        rewrapping = Rewrapping(base, keyring)
        assert await rewrapping.older() == (4 if key == 1 else 6)
        task = asyncio.create_task(rewrapping.run())

        async def done(rewrapping=rewrapping) -> bool:
            return await rewrapping.older() == 0

        await eventually(done, within=20)
        task.cancel()
        assert await base.store.read(raw) == [[True] * 4, [False] * 4]
        await read()


async def test_seals_of_a_retired_ca_are_still_answered_for(hub: KeyHub, base: Foundation):
    """Stolen seal key after a rotation: OCSP and CRL of the CA that certified it say so, signed under that CA; the list of
    the next CA has its own certificates only.
    """
    before = made(hub.start(), "seal-1")
    hub.rotate("--seal-ca")
    secrets = hub.start()
    serial = x509.load_der_x509_certificate(before.certificate).serial_number

    def revoke(conn):
        seal = Seal("seal-1", "police", ORGANISATION, SealState.ACTIVE, 0, 0)
        seal_rows.put_seal(conn, seal, now_us())
        seal_rows.made(conn, seal_rows.SealRow(seal, before.certificate, before.wrapped))
        seal_rows.certified(conn, Issued.of(before.certificate), "seal-1", now_us())
        seal_rows.set_seal_state(conn, replace(seal, state=SealState.REVOKED), "stolen")

    await base.store.write(revoke)
    service = RevocationService(base, secrets.seal_ca, None, secrets.seal_ca_retired)
    (old,) = secrets.seal_ca_retired
    request = ocsp.OCSPRequestBuilder().add_certificate(
        x509.load_der_x509_certificate(before.certificate), old.certificate, hashes.SHA256()
    )
    asked = pb.AnswerOcspRequest(der=request.build().public_bytes(serialization.Encoding.DER))
    answer = ocsp.load_der_ocsp_response((await service.AnswerOcsp(asked, None)).der)
    assert answer.certificate_status is ocsp.OCSPCertStatus.REVOKED
    answer.certificates[0].verify_directly_issued_by(old.certificate)
    for number, authority in ((0, old), (1, secrets.seal_ca)):
        listed = x509.load_der_x509_crl((await service.GetCrl(pb.GetCrlRequest(ca=number), None)).der)
        key = authority.certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert listed.is_signature_valid(key)
        assert (listed.get_revoked_certificate_by_serial_number(serial) is not None) is (authority is old)
    with pytest.raises(HubError, match="CA_UNKNOWN"):
        await service.GetCrl(pb.GetCrlRequest(ca=7), None)
