"""Validation data inside a document (DSS, ISO 32000-2, 12.8.4.3): whether a certificate was revoked at some moment, by
OCSP answers (RFC 6960) and CRLs (RFC 5280) that came with it.

Whatever is malformed, of another certificate, or not signed by who may say so is no evidence: it is passed over.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from functools import lru_cache
from hashlib import sha1, sha256, sha384, sha512
from itertools import accumulate, islice, pairwise
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from services.esign.certification.domain import chain
from services.esign.domain import der, sm2
from services.esign.domain.cms.signature_value import public_key_of, sm2_key_of
from services.esign.domain.cms.signed_cms import SignedCms
from services.esign.domain.moments import LAST_US, us
from services.esign.domain.negative import holds
from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import Dict, PdfError, Ref
from services.esign.domain.unwarned import unwarned

# Above what a document with dozens of signers brings. Bytes of all entries of a kind together.
_MOST_ENTRIES = 64
_MOST_BYTES = {"Certs": 256 * 1024, "OCSPs": 256 * 1024, "CRLs": 8 * 1024 * 1024}
# An answer without end of validity may be this much older than the signature: clocks, and a local cache. µs.
_STALE_US = 3600 * 1_000_000
_CLOCK_TOLERANCE_US = 300 * 1_000_000
_DIGESTS = {"sha1": sha1, "sha256": sha256, "sha384": sha384, "sha512": sha512}


@dataclass(frozen=True, slots=True)
class ValidationData:
    """Certificates, OCSP responses and CRLs, each in DER. `is_whole`: no answer was left out."""

    certificates: tuple[bytes, ...] = ()
    ocsps: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    is_whole: bool = True

    @classmethod
    def of(cls, document: Document) -> "ValidationData":
        """Takes in what the document carries. Never raises: where something cannot be read, it is not whole."""
        holder = document.catalog().get("DSS")
        if holder is None:
            return NOTHING
        try:
            store = document.resolve(holder)
        except PdfError:
            return UNREAD
        if not isinstance(store, Dict):
            return UNREAD
        # A certificate that is not read vouches for nobody; an answer may say that one is revoked.
        (certificates, _), (ocsps, all_ocsps), (crls, all_crls) = (
            _read(document, store.get(key), most) for key, most in _MOST_BYTES.items()
        )
        return cls(certificates, ocsps, crls, is_whole=all_ocsps and all_crls)

    def is_part_of(self, other: "ValidationData") -> bool:
        """Tells whether all of it is in the other, each in its list."""
        pairs = ((self.certificates, other.certificates), (self.ocsps, other.ocsps), (self.crls, other.crls))
        return all(set(one) <= set(more) for one, more in pairs)

    def with_lists(self, crls: Sequence[bytes]) -> "ValidationData":
        """And what the verifier himself knows."""
        return replace(self, crls=(*self.crls, *crls)) if crls else self

    def with_carried(self, cms: SignedCms) -> "ValidationData":
        """And what a signature carries itself (RFC 5652, 10.2.1; revocationInfoArchival, ISO 32000-2, 12.8.3.3.2)."""
        if not cms.ocsps and not cms.crls:
            return self
        ocsps, crls = _within(cms.ocsps, _MOST_BYTES["OCSPs"]), _within(cms.crls, _MOST_BYTES["CRLs"])
        is_whole = self.is_whole and len(ocsps) == len(cms.ocsps) and len(crls) == len(cms.crls)
        return replace(self, ocsps=(*self.ocsps, *ocsps), crls=(*self.crls, *crls), is_whole=is_whole)

    def loaded(self) -> tuple[x509.Certificate, ...]:
        """The certificates that can be read."""
        return chain.readable(self.certificates)


NOTHING = ValidationData()
UNREAD = ValidationData(is_whole=False)


def _within(found: Sequence[bytes], most: int) -> tuple[bytes, ...]:
    """The first ones, as long as they are not more than `most` bytes together."""
    return tuple(
        each for each, total in zip(found[:_MOST_ENTRIES], accumulate(map(len, found)), strict=False) if total <= most
    )


def _read(document: Document, listed: Any, most: int) -> tuple[tuple[bytes, ...], bool]:
    """The items of a list that can be read, and whether those are all."""
    try:
        return _streams(document, listed, most)
    except PdfError:
        return (), False


def _streams(document: Document, listed: Any, most: int) -> tuple[tuple[bytes, ...], bool]:
    """Each stream of a list once, as long as they are not more than `most` bytes together; and whether that is all."""
    found = document.resolve(listed)
    refs = dict.fromkeys(each for each in found if isinstance(each, Ref)) if isinstance(found, list) else {}
    total = 0
    read: list[bytes] = []
    for ref in islice(refs, _MOST_ENTRIES):
        holder = document.object(ref[0])
        if holder is None or holder.stream is None:
            continue
        if (total := total + holder.stream[1] - holder.stream[0]) > most:
            return tuple(read), False
        data = document.stream_of(holder)
        if (total := total + len(data)) > 2 * most:
            return tuple(read), False
        read.append(data)
    return tuple(read), len(refs) <= _MOST_ENTRIES


class Then(StrEnum):
    """The standing of a certificate at some moment. UNPROVEN: it is revoked, and nothing proves that the moment was
    before; UNSAID: nothing is known; UNREAD: there are more answers than are read, and one may say that it was revoked.
    """

    GOOD = "GOOD"
    REVOKED = "REVOKED"
    UNPROVEN = "UNPROVEN"
    UNSAID = "UNSAID"
    UNREAD = "UNREAD"


class _Says(Enum):
    """The statement of an answer about a certificate. RELEASED: it was taken off the list again (removeFromCRL, RFC
    5280, 5.3.1), which says that a hold is over and nothing else.
    """

    GOOD = "GOOD"
    HELD = "HELD"
    REVOKED = "REVOKED"
    RELEASED = "RELEASED"


@dataclass(frozen=True, slots=True)
class _Word:
    """One answer about a certificate: as of `at_us`, until `until_us` if it says so; `since_us`: from when on it is
    held or revoked, None where it is neither. µs.
    """

    says: _Says
    at_us: int
    until_us: int | None = None
    since_us: int | None = None

    @property
    def stands_until_us(self) -> int:
        """Until when it is the newest word that a careful reader has."""
        return max(self.at_us, self.at_us + _STALE_US if self.until_us is None else self.until_us)

    def is_from(self, at_us: int) -> bool:
        """Tells whether the certificate was held or revoked from that moment (µs) on, or before."""
        return self.since_us is not None and self.since_us <= at_us


def standing(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    data: ValidationData,
    then_us: int | None,
    proven_us: int | None,
    *,
    now_us: int | None = None,
) -> Then:
    """Tells how the certificate stood when its signature was made: `then_us` as its signer states (None: he does not),
    of which `proven_us` says that it was not later (None: nothing does). µs. `now_us`: what is not in force by this
    clock vouches for nobody.

    A proof bounds the moment from above alone: what was revoked before it may have been signed earlier still. Only who
    states himself that he signed when he was revoked was (EN 319 102-1: REVOKED, else REVOKED_NO_POE).
    """
    if not data.ocsps and not data.crls:
        return Then.UNSAID
    words = [*_of_ocsps(certificate, issuer, data.ocsps), *_of_crls(certificate, issuer, data.crls)]
    words = [w for w in words if w.since_us is not None or now_us is None or is_in_force(w.at_us, now_us)]
    latest_us = next((each for each in (proven_us, then_us, now_us) if each is not None), LAST_US)
    made, ends_us = _Made(then_us, latest_us), us(certificate.not_valid_after_utc)
    against = {_against(word, words, made, ends_us) for word in words if word.since_us is not None}
    if Then.REVOKED in against:
        return Then.REVOKED
    if Then.UNPROVEN in against or (proven_us is None and Then.GOOD in against):
        return Then.UNPROVEN
    return Then.GOOD if any(_speaks_for(word, latest_us, ends_us) for word in words) else Then.UNSAID


@dataclass(frozen=True, slots=True)
class _Made:
    """The moments of a signature, µs: as its signer states, and at the latest."""

    stated_us: int | None
    latest_us: int


def _against(word: _Word, words: Sequence[_Word], made: _Made, ends_us: int) -> Then:
    """Judges a signature by `word`, that its certificate is held or revoked. GOOD: it was not yet; UNSAID:
    the hold was over.

    A hold is a fact of an interval. It begins with the entry's date, and lasts until the first answer after it that
    does not name the certificate: its end lies somewhere between, so what was signed before that answer may have been
    signed on hold. Only an answer of the certificate's life ends a hold (RFC 5280, 3.3: an entry stays on the list
    until the certificate has ended; 5.3.1: removeFromCRL is also said of one that has).
    """
    is_stated = made.stated_us is not None and word.is_from(made.stated_us)
    sure = Then.REVOKED if is_stated and word.is_from(made.latest_us) else Then.UNPROVEN
    if word.says is _Says.REVOKED:
        return sure if word.is_from(made.latest_us) else Then.GOOD
    later = (each.at_us for each in words if each.since_us is None and word.at_us < each.at_us <= ends_us)
    over_us = min(later, default=None)
    if over_us is not None:
        moments = (each for each in (made.stated_us, made.latest_us) if each is not None)
        return Then.UNPROVEN if any(word.is_from(each) and each < over_us for each in moments) else Then.UNSAID
    if not word.is_from(made.latest_us):
        return Then.GOOD
    return sure if made.latest_us <= word.stands_until_us else Then.UNPROVEN


def is_in_force(at_us: int, now_us: int) -> bool:
    """Tells whether an answer of that moment is one of today: clocks of honest machines differ by less (µs)."""
    return at_us <= now_us + _CLOCK_TOLERANCE_US


def path_standing(
    path: Sequence[x509.Certificate],
    data: ValidationData,
    then_us: int | None,
    proven_us: int | None,
    *,
    now_us: int | None = None,
) -> Then:
    """`standing` of the first certificate of a path, root last; where it or one above it was revoked, that. `now_us`:
    where nothing proves when it was signed, an old answer says nothing, as the signature may be younger.
    """
    found = [standing(below, above, data, then_us, proven_us, now_us=now_us) for below, above in pairwise(path)]
    if now_us is not None and proven_us is None and found[:1] == [Then.GOOD]:
        is_fresh = standing(path[0], path[1], data, now_us, None, now_us=now_us) is Then.GOOD
        found[0] = Then.GOOD if is_fresh else Then.UNSAID
    if (bad := next((bad for bad in (Then.REVOKED, Then.UNPROVEN) if bad in found), None)) is not None:
        return bad
    if not data.is_whole:
        return Then.UNREAD
    return found[0] if found else Then.UNSAID


def _speaks_for(word: _Word, then_us: int, ends_us: int) -> bool:
    """Tells whether the answer says that the certificate was good at that moment (µs)."""
    if word.since_us is not None:
        return not word.is_from(then_us)
    # After its end a certificate may leave the lists of what is revoked.
    if word.says is not _Says.GOOD or word.at_us > ends_us:
        return False
    return then_us <= word.stands_until_us


def _of_ocsps(certificate: x509.Certificate, issuer: x509.Certificate, answers: Sequence[bytes]) -> Iterator[_Word]:
    for answer in answers:
        try:
            with unwarned():
                words = list(_ocsp(certificate, issuer, answer))
        except MemoryError:
            raise
        # The library raises some ten types, not all of one family, for what may be wrong in an answer.
        except Exception:  # noqa: BLE001, S112 — an answer that cannot be read says nothing
            continue
        yield from words


def _ocsp(certificate: x509.Certificate, issuer: x509.Certificate, answer: bytes) -> Iterator[_Word]:
    response = ocsp.load_der_ocsp_response(answer)
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        return
    about = [single for single in response.responses if _is_about(single, certificate, issuer)]
    # Looked at last: signatures cost most, and most answers are of other certificates.
    signers = [each for each in _may_answer(response, issuer) if _signed_by(response, each)] if about else []
    for single in about:
        at_us, until, revoked = us(single.this_update_utc), single.next_update_utc, single.revocation_time_utc
        # The issuer's key says that it revoked, whichever certificate of it the document brought.
        if any(chain.valid_at((signer,), at_us) or (revoked is not None and signer == issuer) for signer in signers):
            is_hold = single.revocation_reason is x509.ReasonFlags.certificate_hold
            says = _Says.GOOD if revoked is None else _Says.HELD if is_hold else _Says.REVOKED
            yield _Word(says, at_us, None if until is None else us(until), None if revoked is None else us(revoked))


def _is_about(single: ocsp.OCSPSingleResponse, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if single.serial_number != certificate.serial_number:
        return False
    digest = _DIGESTS[single.hash_algorithm.name]
    return (
        single.issuer_name_hash == digest(issuer.subject.public_bytes()).digest()
        and single.issuer_key_hash == digest(_key_bits(issuer)).digest()
        and single.certificate_status is not ocsp.OCSPCertStatus.UNKNOWN
    )


def _may_answer(response: ocsp.OCSPResponse, issuer: x509.Certificate) -> list[x509.Certificate]:
    """The issuer itself, and those that came with the answer and that it made responders (RFC 6960, 4.2.2.2)."""
    return [issuer, *(each for each in response.certificates if _is_responder(each, issuer))]


def _is_responder(responder: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        uses = responder.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.OCSP_SIGNING in uses and chain.issued(responder, issuer)


def _signed_by(response: ocsp.OCSPResponse, responder: x509.Certificate) -> bool:
    if (sm2_key := sm2_key_of(responder)) is not None:
        is_sm2 = response.signature_algorithm_oid == sm2.SIGNATURE_ALGORITHM
        return is_sm2 and sm2.holds(sm2_key, response.tbs_response_bytes, response.signature)
    key, algorithm = public_key_of(responder), response.signature_hash_algorithm
    if algorithm is None or algorithm.name not in {"sha256", "sha384", "sha512"}:
        return False
    value, signed = response.signature, response.tbs_response_bytes
    if isinstance(key, ec.EllipticCurvePublicKey):
        return holds(lambda: key.verify(value, signed, ec.ECDSA(algorithm)))
    if isinstance(key, rsa.RSAPublicKey):
        return holds(lambda: key.verify(value, signed, padding.PKCS1v15(), algorithm))
    return False


def _of_crls(certificate: x509.Certificate, issuer: x509.Certificate, lists: Sequence[bytes]) -> Iterator[_Word]:
    for each in lists:
        try:
            word = _crl(certificate, issuer, each)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001, S112 — as above
            continue
        if word is not None:
            yield word


@unwarned()
def _crl(certificate: x509.Certificate, issuer: x509.Certificate, data: bytes) -> _Word | None:
    found = x509.load_der_x509_crl(data)
    if found.issuer != certificate.issuer or not lists(issuer, found):
        return None
    at_us = us(found.last_update_utc)
    until_us = None if found.next_update_utc is None else us(found.next_update_utc)
    entry = found.get_revoked_certificate_by_serial_number(certificate.serial_number)
    if entry is None:
        # A list of a part only, or of changes only, says nothing of what it does not name. What it names is revoked by
        # the issuer's key, whichever certificate of it the document brought.
        is_word = covers(certificate, found) and chain.profile_of(issuer).lists and chain.valid_at((issuer,), at_us)
        return _Word(_Says.GOOD, at_us, until_us) if is_word else None
    if _is_of_another(found, entry):
        return None
    reason = _reason(entry)
    if reason is x509.ReasonFlags.remove_from_crl:
        return _Word(_Says.RELEASED, at_us, until_us)
    says = _Says.HELD if reason is x509.ReasonFlags.certificate_hold else _Says.REVOKED
    return _Word(says, at_us, until_us, min(us(entry.revocation_date_utc), _invalid_since(entry)))


def covers(certificate: x509.Certificate, found: x509.CertificateRevocationList) -> bool:
    """Tells whether the list would name the certificate if it were revoked, for whatever reason: by what the list says
    of its scope, whether or not it marks that critical (RFC 5280, 5.2.4, 5.2.5 and 6.3.3).
    """
    for each in found.extensions:
        if isinstance(each.value, x509.IssuingDistributionPoint):
            if not _is_in_scope(certificate, each.value):
                return False
        elif each.critical or isinstance(each.value, x509.DeltaCRLIndicator):
            return False
    return True


def _is_in_scope(certificate: x509.Certificate, point: x509.IssuingDistributionPoint) -> bool:
    is_authority = bool(chain.profile_of(certificate).is_authority)
    if point.indirect_crl or point.only_contains_attribute_certs or point.only_some_reasons is not None:
        return False
    if (point.only_contains_user_certs and is_authority) or (point.only_contains_ca_certs and not is_authority):
        return False
    if point.relative_name is not None:
        return False
    return point.full_name is None or bool(set(point.full_name) & _places(certificate))


def _places(certificate: x509.Certificate) -> set[x509.GeneralName]:
    """The places where lists that name the certificate are published, by its own word."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return set()
    return {name for each in points if each.reasons is None for name in each.full_name or ()}


def _reason(entry: x509.RevokedCertificate) -> x509.ReasonFlags | None:
    """CRLReason (RFC 5280, 5.3.1)."""
    said = (each.value for each in entry.extensions)
    return next((each.reason for each in said if isinstance(each, x509.CRLReason)), None)


def _is_of_another(found: x509.CertificateRevocationList, entry: x509.RevokedCertificate) -> bool:
    """Tells whether the serial number may be another authority's (RFC 5280, 5.2.5 and 5.3.3): such an entry names
    nobody here. Whatever else a list is confined to, what it names is revoked.
    """
    points = (each.value for each in found.extensions)
    if any(isinstance(each, x509.IssuingDistributionPoint) and each.indirect_crl for each in points):
        return True
    return any(isinstance(each.value, x509.CertificateIssuer) for each in entry.extensions)


def tells_of(
    certificate: x509.Certificate, issuer: x509.Certificate, found: x509.CertificateRevocationList, then_us: int
) -> bool:
    """Tells whether the list says how the certificate stood at that moment (µs)."""
    word = _crl(certificate, issuer, found.public_bytes(Encoding.DER))
    if word is None:
        return False
    return word.since_us is not None or _speaks_for(word, then_us, us(certificate.not_valid_after_utc))


def lists(issuer: x509.Certificate, found: x509.CertificateRevocationList) -> bool:
    """Tells whether the issuer's key made the list, with an algorithm that still holds."""
    if (sm2_key := sm2_key_of(issuer)) is not None:
        is_sm2 = found.signature_algorithm_oid == sm2.SIGNATURE_ALGORITHM
        return is_sm2 and sm2.holds(sm2_key, found.tbs_certlist_bytes, found.signature)
    algorithm = found.signature_hash_algorithm
    if algorithm is None or algorithm.name not in {"sha256", "sha384", "sha512"}:
        return False
    key = public_key_of(issuer)
    return key is not None and holds(lambda: found.is_signature_valid(key))  # type: ignore[arg-type]


def _invalid_since(entry: x509.RevokedCertificate) -> int:
    """Since when the key was in wrong hands, as far as the issuer says (RFC 5280, 5.3.2); else the revocation."""
    try:
        return us(entry.extensions.get_extension_for_class(x509.InvalidityDate).value.invalidity_date_utc)
    except x509.ExtensionNotFound:
        return us(entry.revocation_date_utc)


@lru_cache(maxsize=256)
def _key_bits(certificate: x509.Certificate) -> bytes:
    """The subject public key without tag, length and unused bits (RFC 6960, 4.1.1)."""
    fields = der.parse(certificate.public_bytes(Encoding.DER)).children()[0].children()
    return fields[6].children()[1].body[1:]
