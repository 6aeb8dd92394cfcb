"""Raising documents to PAdES B-LT and B-LTA: asks who can say whether certificates were revoked, and for timestamps."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from services.esign.certification.domain.validation_data import Then, ValidationData, standing
from services.esign.domain.ages import is_fresh
from services.esign.signing.domain import long_term as longterm
from services.esign.signing.domain.long_term import Level, Need
from services.esign.timestamps.sources import TimestampSource
from shuniu.kit.process import log
from shuniu.kit.process.clock import Clock

_log = log.get("long_term")
# How long an answer is used again: a seal signs many documents, and one that is revoked gets no slot to sign. µs.
_KEPT_US = 600 * 1_000_000
_KEPT_MOST = 4096
_MOST_ANSWER = 256 * 1024
# A signature of ours that carries validation data ends with this behind it.
_STORE, _SIGNATURE = b"/DSS", b"/ETSI.CAdES.detached"


class OcspSource(Protocol):
    """A source of OCSP answers."""

    async def answer(self, need: Need) -> bytes:
        """OCSPResponse (DER) about a certificate; empty when nobody answers."""
        ...


@dataclass(frozen=True, slots=True)
class OwnResponder:
    """The hub's own responder, `ask`: request to answer, both DER."""

    ask: Callable[[bytes], Awaitable[bytes]]

    async def answer(self, need: Need) -> bytes:
        return await self.ask(_question(need))


@dataclass(frozen=True, slots=True)
class HttpResponders:
    """Responders over HTTP: the one that a certificate names, else `url` (empty: nobody)."""

    client: httpx.AsyncClient
    url: str = ""

    async def answer(self, need: Need) -> bytes:
        url = _named(need.certificate) or self.url
        if not url:
            return b""
        headers = {"content-type": "application/ocsp-request", "accept": "application/ocsp-response"}
        try:
            answer = await self.client.post(url, content=_question(need), headers=headers)
        except httpx.HTTPError as error:
            _log.warning("ocsp_away", url=url, cause=type(error).__name__)
            return b""
        return answer.content if answer.status_code == httpx.codes.OK and len(answer.content) <= _MOST_ANSWER else b""


@dataclass(slots=True)
class LongTerm:
    """Raises signed documents to `level`, B-LT or B-LTA. `responders` are asked in turn until one knows a certificate;
    what was learned is used again for minutes.
    """

    responders: Sequence[OcspSource]
    stamps: TimestampSource
    roots: tuple[x509.Certificate, ...]
    clock: Clock
    level: Level
    _kept: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)

    def has(self, pdf: bytes) -> bool:
        """Tells whether a document sealed here was raised already."""
        return pdf.rfind(_STORE) > pdf.rfind(_SIGNATURE)

    async def raised(self, pdf: bytes) -> bytes:
        """The document with validation data, and at B-LTA with a document timestamp over them. Raises
        TimestampAwayError, DocumentUnfitError.
        """
        data = await self.validation_data(pdf)
        if self.level is Level.LT:
            # Nothing to add is no failure: nobody knew anything, or it is all there.
            return longterm.with_validation_data(pdf, data) if longterm.adds(pdf, data) else pdf
        step = longterm.begin_renewal(pdf, data, await self.stamps.room())
        return step.finish(await self.stamps.stamp(step.covered))

    async def validation_data(self, pdf: bytes) -> ValidationData:
        """Certificates of everybody who signed or stamped, and what can be learned of their revocation now. Answers
        that say nothing stay out.
        """
        now_us = self.clock.now_us()
        wanted = longterm.needs(pdf, self.roots, now_us)
        answers = [await self._answer(need, now_us) for need in wanted]
        return ValidationData(longterm.certificates_of(wanted), tuple(filter(None, answers)))

    async def _answer(self, need: Need, now_us: int) -> bytes:
        """The answer of somebody who knows the certificate; empty when nobody does, or when what is said is no
        evidence.
        """
        key = _question(need)
        found, made_us = self._kept.get(key, (b"", 0))
        if found and is_fresh(made_us, now_us, _KEPT_US):
            return found
        for responder in self.responders:
            found = await responder.answer(need)
            said = ValidationData(ocsps=(found,) if found else ())
            if standing(need.certificate, need.issuer, said, now_us, now_us) not in {Then.UNSAID, Then.UNCLEAR}:
                if len(self._kept) >= _KEPT_MOST:
                    self._kept.clear()
                self._kept[key] = found, now_us
                return found
        return b""


def _question(need: Need) -> bytes:
    # SHA-1 only names the issuer; readers that look for an answer in a document know no other (RFC 5019, 2.1.1).
    asked = ocsp.OCSPRequestBuilder().add_certificate(need.certificate, need.issuer, hashes.SHA1())  # noqa: S303 — RFC 5019 names it
    return asked.build().public_bytes(Encoding.DER)


def _named(certificate: x509.Certificate) -> str:
    """The OCSP responder that a certificate names (RFC 5280, 4.2.2.1); empty when it names none over HTTP."""
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return ""
    for each in access:
        place = each.access_location
        if each.access_method == AuthorityInformationAccessOID.OCSP and isinstance(
            place, x509.UniformResourceIdentifier
        ):
            return place.value if place.value.startswith(("http://", "https://")) else ""
    return ""
