"""Makes seals (制章): key, certificate, picture, and the SM2 side that binds them in a GB/T 38540 SESeal."""

import asyncio
import functools
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import load_der_x509_certificate
from joserfc.jwk import ECKey
from sqlalchemy import Connection

from services.esign.certification.authorities import CertificateAuthority, CertificateWish, Certified, OwnAuthority
from services.esign.certification.domain import pki
from services.esign.certification.domain.holders import SealKind
from services.esign.certification.domain.issued import Issued
from services.esign.domain.digests import SM3
from services.esign.keys.counted import P256_WITH_SHA256
from services.esign.keys.of_seals import is_sm2, keep
from services.esign.keys.secrets import Secrets
from services.esign.seals import pictures as seal_pictures
from services.esign.seals import sm2_side as sidecars
from services.esign.seals.domain.life import Seal
from services.esign.seals.sm2_side import Engraving, make_sm2_seal
from services.esign.seals.store import history as seal_store
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store import sm2_side as ses_store
from services.esign.seals.store.history import KeptPicture
from services.esign.seals.store.seals import SealRow
from services.esign.seals.store.sm2_side import Sm2SealRow
from services.esign.ses.domain.values import Picture
from shuniu.kit.crypto.usage import Purpose, count
from shuniu.kit.foundation import Foundation


@dataclass(frozen=True, slots=True)
class Made:
    """A seal as it was made, not kept yet."""

    row: SealRow
    picture: KeptPicture = field(repr=False)
    beside: Sm2SealRow | None = field(repr=False)
    ours: bool = True
    """Tells whether this hub's own authority issued the certificate, and answers for its revocation."""

    def keep(self, conn: Connection, now_us: int) -> None:
        """Picture, SM2 side, and both certificates by serial number."""
        seal_id, kind = self.row.seal.id, self.row.seal.kind
        seal_store.keep_picture(conn, seal_id, self.picture, kind)
        if self.ours and not is_sm2(self.row.certificate):
            seal_rows.certified(conn, Issued.of(self.row.certificate), seal_id, now_us)
        if self.beside is not None:
            ses_store.keep_sm2_seal(conn, self.beside, kind)
            seal_rows.certified(conn, Issued.of(self.beside.certificate), seal_id, now_us, seal_rows.SM2)


class People(Protocol):
    """The services that know persons: identity and its vault."""

    async def name_for_seal(self, person_id: str, receiving: ECKey) -> str: ...
    async def person_id(self, platform: str, subject: str) -> str: ...


@dataclass(slots=True)
class SealMaker:
    """Makes what a reviewed application asks for. Nothing it makes signs before a unit of work has kept it."""

    base: Foundation
    secrets: Secrets
    executor: Executor | None = None
    # Needed for seals of persons.
    people: People | None = None
    days: int = pki.SEAL_DAYS
    # Where seal certificates say that their revocation can be asked; empty: nowhere.
    status_url: str = ""
    # Who certifies the key; None: the hub's own seal CA.
    authority: CertificateAuthority | None = None

    async def make(self, applied: Seal, now_us: int) -> Made:
        """Raises EsignError when the picture cannot be drawn, HubError when the person's name cannot be had."""
        name = applied.name
        if applied.kind is SealKind.PERSON:
            assert self.people is not None
            name = await self.people.name_for_seal(applied.person, self.secrets.receiving)
        sent = await self.base.store.read(seal_store.find_picture, applied.id)
        if self.secrets.digest is SM3:
            work = functools.partial(self._make_sm2, applied, name, now_us, sent)
            return await asyncio.get_running_loop().run_in_executor(self.executor, work)
        count(Purpose.CERTIFICATE, P256_WITH_SHA256)
        key = ec.generate_private_key(ec.SECP256R1())
        wish = CertificateWish(key, name, applied.id, now_us, applied.kind, self.days, applied.owner)
        certified = await (self.authority or OwnAuthority(self.secrets.seal_ca, self.status_url)).certify(wish)
        work = functools.partial(self._make, applied, wish, certified, sent)
        return await asyncio.get_running_loop().run_in_executor(self.executor, work)

    def _make(self, applied: Seal, wish: CertificateWish, certified: Certified, sent: KeptPicture | None) -> Made:
        name, now_us, certificate = wish.name, wish.now_us, certified.certificate
        picture = sent or KeptPicture(seal_store.DRAWN, drawn(applied.kind, name))
        issued = replace(
            applied,
            not_before_us=int(certificate.not_valid_before_utc.timestamp()) * 1_000_000,
            not_after_us=int(certificate.not_valid_after_utc.timestamp()) * 1_000_000,
        )
        row = SealRow(
            issued,
            pki.certificate_der(certificate),
            self.secrets.keyring.encrypt(
                keep(certified.elsewhere or wish.key, certified.above), key_context(applied.id)
            ),
        )
        if self.secrets.sm is None:
            return Made(row, picture, None, ours=certified.ours)
        engraving = Engraving(name, picture.picture, self.days, self.status_url)
        return Made(
            row,
            picture,
            make_sm2_seal(self.secrets.sm, self.secrets.keyring, applied, now_us, engraving),
            ours=certified.ours,
        )

    def _make_sm2(self, applied: Seal, name: str, now_us: int, sent: KeptPicture | None) -> Made:
        """In the profile sm one SM2 key signs both the PDF and the seal signature beside it."""
        assert self.secrets.sm is not None
        picture = sent or KeptPicture(seal_store.DRAWN, drawn(applied.kind, name))
        engraving = Engraving(name, picture.picture, self.days, self.status_url)
        beside = make_sm2_seal(self.secrets.sm, self.secrets.keyring, applied, now_us, engraving)
        validity = load_der_x509_certificate(beside.certificate)
        issued = replace(
            applied,
            not_before_us=int(validity.not_valid_before_utc.timestamp()) * 1_000_000,
            not_after_us=int(validity.not_valid_after_utc.timestamp()) * 1_000_000,
        )
        # The same key twice, each bound to its own row.
        key = self.secrets.keyring.decrypt(beside.wrapped_key, sidecars.key_context(applied.id))
        wrapped = self.secrets.keyring.encrypt(key, key_context(applied.id))
        return Made(SealRow(issued, beside.certificate, wrapped), picture, beside)


def drawn(kind: SealKind, name: str) -> Picture:
    """The picture of a seal whose owner sent none. Raises DocumentUnfitError, CharacterNotCoveredError."""
    return seal_pictures.square_seal(name) if kind is SealKind.PERSON else seal_pictures.round_seal(name)


def key_context(seal_id: str) -> bytes:
    """Binds a wrapped key to its row."""
    return f"seal/{seal_id}/key".encode()
