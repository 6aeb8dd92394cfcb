"""Keys for one signature (一次一证): made, certified for ten minutes, used once, gone.

How to sign with one, inside a running service::

    once = OnceKeys(base, secrets.seal_ca, ledger, slots)
    signer = OnceSigner(SealKind.PERSON, name, holder=f"person/{person_id}")   # or ORGANISATION, f"platform/{code}"
    async with once.key(signer) as key:
        seal = pades.SigningSeal.prepare(key.key, key.certificate, key.chain, key.name, field)
        pdf = pades.sign(page, seal, key.at_us)

`key.key` is a `cms.SigningKey` for exactly one signature; the second raises OnceSpentError. `key.certificate` (DER) and
`key.chain` (DER, nearest first, without the root) go into the CMS; `key.at_us` is the slot's time and the only one to
state as time of signing; `key.id` names the certificate in logs. Leaving the block erases the key, whatever happened.

On entering, the certificate is on record and in the ledger (`certificate.once`), so a signature whose certificate the
log does not hold was never made here. The private key lives in this process only and is never written. Its memory is
cleared when it is freed (OpenSSL clears the number of an EC key it frees); Python keeps no copy.
Raises ClockDoubtError while the clock is wrong, EsignError when the ledger is away.
"""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Connection

from services.esign.certification.domain import pki, sm2_pki
from services.esign.certification.domain.holders import SealKind
from services.esign.certification.domain.pki import Authority
from services.esign.certification.domain.sm2_pki import Sm2Signer
from services.esign.domain.cms.signed_data import P256Key, SigningKey
from services.esign.domain.cms.sm2 import Sm2Key
from services.esign.domain.digests import SHA256, SM3, Digest
from services.esign.domain.errors import EsignError
from services.esign.keys.counted import P256_WITH_SHA256, SM2_WITH_SM3, CountedKey
from services.esign.ledger.domain.ledger import Entry, EntryType, Marks
from services.esign.ledger.sequencer import Sequencer
from services.esign.ledger.store import heads as head_store
from services.esign.seals.slots import Slots
from services.esign.seals.store import slots as slot_rows
from shuniu.kit.crypto import sm
from shuniu.kit.crypto.usage import Purpose, count
from shuniu.kit.foundation import Foundation
from shuniu.kit.process.ids import new_ulid


class OnceSpentError(EsignError):
    """The key has signed, or its block was left."""


@dataclass(frozen=True, slots=True)
class OnceSigner:
    """The signer: kind, the name that the certificate states, and the holder (`person/<hub id>`, `platform/<code>`)."""

    kind: SealKind
    name: str = field(repr=False)
    holder: str


@dataclass(slots=True)
class OneSignature:
    """A key that signs once. `algorithm` and `max_size` as `cms.SigningKey` has them."""

    _key: SigningKey | None = field(repr=False)
    algorithm: bytes = field(init=False)
    max_size: int = field(init=False)

    def __post_init__(self) -> None:
        assert self._key is not None
        self.algorithm, self.max_size = self._key.algorithm, self._key.max_size

    def sign(self, message: bytes) -> bytes:
        """Raises OnceSpentError the second time."""
        key, self._key = self._key, None
        if key is None:
            raise OnceSpentError("ONCE_SPENT", "this key has signed already and is gone", "一次性密钥已使用并销毁")
        return key.sign(message)

    def erase(self) -> None:
        """Takes the key away, used or not."""
        self._key = None

    @property
    def spent(self) -> bool:
        return self._key is None


@dataclass(frozen=True, slots=True)
class OnceKey:
    """A key ready for one signature, with all that a CMS needs. Times in µs since 1970."""

    id: str
    name: str = field(repr=False)
    key: SigningKey
    certificate: bytes
    chain: tuple[bytes, ...]
    at_us: int
    not_after_us: int
    digest: Digest = SHA256


@dataclass(slots=True)
class OnceKeys:
    """Makes keys that sign once."""

    base: Foundation
    ca: Authority
    ledger: Sequencer
    slots: Slots
    marks: Marks = field(default_factory=Marks)
    # Certifies SM2 keys instead, in the profile sm.
    sm2_ca: Sm2Signer | None = field(default=None, repr=False)

    @contextlib.asynccontextmanager
    async def key(self, signer: OnceSigner) -> AsyncIterator[OnceKey]:
        """A fresh key with its certificate, logged. Raises ClockDoubtError, EsignError."""
        made_key, certify, ca = self._fresh()
        one = OneSignature(made_key)
        del made_key
        digest = SHA256 if self.sm2_ca is None else SM3
        try:
            id_ = new_ulid(self.base.clock)

            def unit(conn: Connection) -> tuple[int, int, bytes, int]:
                at_us = self.slots.moment(conn).at_us
                certificate = certify(signer, id_, at_us)
                made = x509.load_der_x509_certificate(certificate)
                slot_rows.keep_once(
                    conn, made.serial_number, id_, signer.holder, sha256(certificate).hexdigest(), at_us
                )
                return at_us, made.serial_number, certificate, int(made.not_valid_after_utc.timestamp()) * 1_000_000

            at_us, serial, certificate, not_after_us = await self.base.write(unit)
            await self._log(id_, certificate, serial, at_us)
            yield OnceKey(id_, signer.name, one, certificate, (ca,), at_us, not_after_us, digest)
        finally:
            one.erase()

    def _fresh(self) -> tuple[SigningKey, Callable[[OnceSigner, str, int], bytes], bytes]:
        """A key, what certifies it (signer, id, µs → DER), and the certificate (DER) of who does."""
        if self.sm2_ca is None:
            return self._fresh_p256()
        private, ca = sm.PrivateKey.generate(), self.sm2_ca
        spki = private.public.spki

        def certify(signer: OnceSigner, id_: str, at_us: int) -> bytes:
            count(Purpose.CERTIFICATE, SM2_WITH_SM3)
            return sm2_pki.issue_once_certificate(ca, spki, signer.kind, signer.name, id_, at_us)

        return CountedKey(Sm2Key(private.sign), Purpose.SEAL, SM2_WITH_SM3), certify, ca.certificate

    def _fresh_p256(self) -> tuple[SigningKey, Callable[[OnceSigner, str, int], bytes], bytes]:
        private = ec.generate_private_key(ec.SECP256R1())
        public = private.public_key()

        def certify(signer: OnceSigner, id_: str, at_us: int) -> bytes:
            count(Purpose.CERTIFICATE, P256_WITH_SHA256)
            return pki.certificate_der(
                pki.issue_once_certificate(self.ca, public, signer.kind, signer.name, id_, at_us)
            )

        return CountedKey(P256Key(private), Purpose.SEAL, P256_WITH_SHA256), certify, self.ca.der

    async def _log(self, id_: str, certificate: bytes, serial: int, at_us: int) -> None:
        entry = Entry(
            EntryType.CERTIFICATE_ONCE,
            at_us,
            seal=id_,
            epoch=self.base.store.epoch,
            **self.marks.certificate(certificate),
        )
        receipt = await self.ledger.append(entry)

        def unit(conn: Connection) -> None:
            head_store.remember_head(conn, receipt.index + 1, receipt.checkpoint)
            slot_rows.once_logged(conn, serial, receipt.index)

        await self.base.write(unit)
