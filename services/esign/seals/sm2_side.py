"""Signs documents under GB/T 38540: an SES_Signature beside the PDF, over the same bytes (双签章), and the one inside a
document's OFD form.
"""

import asyncio
import functools
import re
from concurrent.futures import Executor
from dataclasses import dataclass, field

from sqlalchemy import Connection

from services.esign.certification.domain import sm2_chain, sm2_pki
from services.esign.certification.domain.holders import SealKind
from services.esign.certification.domain.issued import Issued
from services.esign.certification.domain.pki import SEAL_DAYS
from services.esign.certification.domain.sm2_pki import Sm2Signer
from services.esign.domain.errors import DocumentUnfitError
from services.esign.keys import sm2 as sm_keys
from services.esign.keys.counted import SM2_WITH_SM3
from services.esign.keys.sm2 import SmSecrets
from services.esign.pages import layout
from services.esign.pages.domain.certificates import Template
from services.esign.pages.domain.ofd.writer import PROTECTED, UnsealedPackage
from services.esign.seals import pictures as seal_pictures
from services.esign.seals.domain.life import Seal
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store import sm2_side as ses_store
from services.esign.seals.store.sm2_side import Sm2SealRow
from services.esign.ses.document import protected_parts
from services.esign.ses.domain import values as ses
from services.esign.ses.domain.values import Picture
from shuniu.kit.crypto import sm
from shuniu.kit.crypto.keyring import Keyring
from shuniu.kit.crypto.usage import Purpose, count
from shuniu.kit.foundation import Foundation

_SPAN = re.compile(rb"/ByteRange\s*\[\s*0 +(\d+) +(\d+) +(\d+)\s*\]")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A seal ready to sign: its SESeal, when that was made (µs), and its key."""

    eseal: bytes = field(repr=False)
    created_us: int
    signer: Sm2Signer = field(repr=False)
    picture: Picture = field(repr=False)


@dataclass(slots=True)
class Sidecars:
    """Makes the SM2 side of a seal the first time it signs, and keeps it."""

    base: Foundation
    secrets: SmSecrets
    keyring: Keyring
    executor: Executor
    _ready: dict[str, Prepared] = field(default_factory=dict)

    async def sign(self, pdf: bytes, seal: Seal, signed_us: int) -> bytes:
        """SES_Signature over what the last signature of our own `pdf` covers. `signed_us`: when the seal was granted.

        Raises EsignError when the seal's picture cannot be drawn.
        """
        ready = await self._prepared(seal)
        first, gap_end, rest = _span(pdf)
        covered = memoryview(pdf)
        digest = sm.sm3(bytes(covered[:first]), bytes(covered[gap_end : gap_end + rest]))
        # A seal of an older hub gets its SM2 side at its first document: never dated before it was made.
        at_us = max(signed_us, ready.created_us)
        count(Purpose.SEAL_SIGNATURE, SM2_WITH_SM3)
        return ses.sign(ready.eseal, ready.signer, digest, protected_parts(first, gap_end, rest), at_us)

    async def seal_package(self, package: UnsealedPackage, template: Template, seal: Seal, signed_us: int) -> bytes:
        """The OFD package with its seal where the template has it. Otherwise as `sign`."""
        ready = await self._prepared(seal)
        at_us = max(signed_us, ready.created_us)
        xml = package.signature_xml(layout.seal_box(template, ready.picture), at_us)
        count(Purpose.SEAL_SIGNATURE, SM2_WITH_SM3)
        return package.sealed(xml, ses.sign(ready.eseal, ready.signer, sm.sm3(xml), PROTECTED, at_us))

    async def _prepared(self, seal: Seal) -> Prepared:
        ready = self._ready.get(seal.id)
        if ready is None:
            ready = self._ready[seal.id] = await self._prepare(seal)
        return ready

    async def _prepare(self, seal: Seal) -> Prepared:
        row = await self.base.store.read(ses_store.find_sm2_seal, seal.id)
        if row is None:
            make = functools.partial(make_sm2_seal, self.secrets, self.keyring, seal, self.base.clock.now_us())
            made = await asyncio.get_running_loop().run_in_executor(self.executor, make)
            row = await self.base.write(_keep, made, seal, self.base.clock.now_us())
        key = sm.PrivateKey.from_der(self.keyring.decrypt(row.wrapped_key, key_context(seal.id)))
        read = ses.read(row.eseal)
        assert isinstance(read, ses.Seal)
        signer = sm_keys.signer(row.certificate, key)
        return Prepared(row.eseal, read.info.created_us, signer, read.info.picture)


def _keep(conn: Connection, made: Sm2SealRow, seal: Seal, now_us: int) -> Sm2SealRow:
    """The SM2 side that is kept, its certificate among those that lists and OCSP answer for."""
    kept = ses_store.keep_sm2_seal(conn, made, seal.kind)
    seal_rows.certified(conn, Issued.of(kept.certificate), seal.id, now_us, seal_rows.SM2)
    return kept


@dataclass(frozen=True, slots=True)
class Engraving:
    """The appearance and term of a seal: the name on it, its picture, days; where its revocation can be asked."""

    name: str = field(repr=False)
    picture: Picture = field(repr=False)
    days: int = SEAL_DAYS
    status_url: str = ""


def make_sm2_seal(
    secrets: SmSecrets, keyring: Keyring, seal: Seal, now_us: int, engraving: Engraving | None = None
) -> Sm2SealRow:
    """Key, certificate, picture and SESeal of a seal; without `engraving` the round seal of an organisation. Raises
    EsignError.
    """
    count(Purpose.CERTIFICATE, SM2_WITH_SM3)
    shows = engraving or Engraving(seal.name, seal_pictures.round_seal(seal.name))
    key = sm.PrivateKey.generate()
    certificate = sm2_pki.issue_seal_certificate(
        secrets.seal_ca,
        key.public.spki,
        shows.name,
        seal.id,
        now_us,
        kind=seal.kind,
        days=shows.days,
        status_url=shows.status_url,
    )
    validity = sm2_chain.load(certificate).parsed
    valid_us = (
        int(validity.not_valid_before_utc.timestamp()) * 1_000_000,
        int(validity.not_valid_after_utc.timestamp()) * 1_000_000,
    )
    content = ses.info(
        seal_id=seal.id,
        kind=ses.PERSON if seal.kind is SealKind.PERSON else ses.ORGANISATION,
        name=shows.name,
        certificates=[certificate],
        valid_us=valid_us,
        created_us=now_us,
        picture=shows.picture,
    )
    wrapped = keyring.encrypt(key.der, key_context(seal.id))
    return Sm2SealRow(seal.id, certificate, wrapped, ses.make_seal(content, secrets.maker))


def key_context(seal_id: str) -> bytes:
    """Binds a wrapped SM2 key to its row."""
    return f"sm2_seal/{seal_id}/key".encode()


def _span(pdf: bytes) -> tuple[int, int, int]:
    match = _SPAN.match(pdf, pdf.rfind(b"/ByteRange"))
    if match is None:
        raise DocumentUnfitError("NOT_SEALED_HERE", "the document bears no seal", "文件没有签章")
    first, gap_end, rest = (int(group) for group in match.groups())
    return first, gap_end, rest
