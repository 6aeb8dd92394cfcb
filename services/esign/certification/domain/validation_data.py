"""Validation data inside a document (DSS, ISO 32000-2, 12.8.4.3): whether a certificate was revoked at some moment, by
OCSP answers (RFC 6960) and CRLs (RFC 5280) that came with it.

Whatever is of another certificate, or not signed by who may say so is no evidence: it is passed over. What cannot be
read vouches for nobody, and where it may say that the certificate is revoked the standing is UNCLEAR.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate, islice, pairwise
from typing import Any

from cryptography import x509

from services.esign.certification.domain import chain, ocsp_answers, revocation_lists
from services.esign.certification.domain.revocation_words import Says, Word
from services.esign.domain.cms.signed_cms import SignedCms
from services.esign.domain.moments import LAST_US, us
from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import Dict, PdfError, Ref

# Above what a document with dozens of signers brings. Bytes of all entries of a kind together.
_MOST_ENTRIES = 64
_MOST_BYTES = {"Certs": 256 * 1024, "OCSPs": 256 * 1024, "CRLs": 8 * 1024 * 1024}
# Stores of single signatures that are looked into.
_MOST_STORES = 256
_CLOCK_TOLERANCE_US = 300 * 1_000_000


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
            beside = _of_signatures(document, store)
        except PdfError:
            return UNREAD
        if not isinstance(store, Dict) or beside is None:
            return UNREAD
        # A certificate that is not read vouches for nobody; an answer may say that one is revoked.
        (certificates, _), (ocsps, all_ocsps), (crls, all_crls) = (
            _read(document, [store.get(key), *(each.get(key.removesuffix("s")) for each in beside)], most)
            for key, most in _MOST_BYTES.items()
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
        ocsps, crls = _within(cms.ocsps, _MOST_BYTES["OCSPs"]), _within(cms.crls, _MOST_BYTES["CRLs"])
        is_whole = self.is_whole and len(ocsps) == len(cms.ocsps) and len(crls) == len(cms.crls)
        data = replace(self, ocsps=(*self.ocsps, *ocsps), crls=(*self.crls, *crls), is_whole=is_whole)
        return data.with_certificates(cms.certificates)

    def with_certificates(self, certificates: Sequence[bytes]) -> "ValidationData":
        """And certificates (DER) from beside, where there is a list or an answer whose maker may be among them."""
        if not self.ocsps and not self.crls:
            return self
        return replace(self, certificates=(*self.certificates, *certificates))

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


def _of_signatures(document: Document, store: Any) -> list[Dict] | None:
    """The stores of single signatures (VRI, ISO 32000-2, 12.8.4.4); None where one is none. Raises PdfError."""
    holder = document.resolve(store.get("VRI")) if isinstance(store, Dict) else None
    if holder is None:
        return []
    if not isinstance(holder, Dict) or len(holder) > _MOST_STORES:
        return None
    found = [document.resolve(value) for key, value in holder.items() if key != "Type"]
    return found if all(isinstance(each, Dict) for each in found) else None


def _read(document: Document, lists: Sequence[Any], most: int) -> tuple[tuple[bytes, ...], bool]:
    """The items of the lists that can be read, and whether those are all."""
    try:
        return _streams(document, [document.resolve(each) for each in lists], most)
    except PdfError:
        return (), False


def _streams(document: Document, lists: Sequence[Any], most: int) -> tuple[tuple[bytes, ...], bool]:
    """Each stream of the lists once, as long as they are not more than `most` bytes together; and whether that is
    all.
    """
    listed = [each for found in lists if isinstance(found, list) for each in found]
    refs = dict.fromkeys(each for each in listed if isinstance(each, Ref))
    is_whole = all(found is None or isinstance(found, list) for found in lists)
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
    return tuple(read), is_whole and len(refs) <= _MOST_ENTRIES


class Then(StrEnum):
    """The standing of a certificate at some moment. UNPROVEN: it is revoked, and nothing proves that the moment was
    before; UNSAID: nothing is known; UNREAD: there are more answers than are read, and one may say that it was revoked;
    UNCLEAR: one that names it cannot be read, and may say that.
    """

    GOOD = "GOOD"
    REVOKED = "REVOKED"
    UNPROVEN = "UNPROVEN"
    UNSAID = "UNSAID"
    UNREAD = "UNREAD"
    UNCLEAR = "UNCLEAR"


MAY_BE_REVOKED = (Then.REVOKED, Then.UNPROVEN, Then.UNCLEAR)
"""Standings that an answer speaks against, the worst first."""


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
    words = list(_words(certificate, issuer, data))
    words = [w for w in words if w.since_us is not None or now_us is None or is_in_force(w.at_us, now_us)]
    latest_us = next((each for each in (proven_us, then_us, now_us) if each is not None), LAST_US)
    made, ends_us = _Made(then_us, latest_us), us(certificate.not_valid_after_utc)
    against = {_against(word, words, made, ends_us) for word in words if word.since_us is not None}
    if Then.REVOKED in against:
        return Then.REVOKED
    if Then.UNPROVEN in against or (proven_us is None and Then.GOOD in against):
        return Then.UNPROVEN
    if any(word.says is Says.UNCLEAR for word in words):
        return Then.UNCLEAR
    return Then.GOOD if any(word.speaks_for(latest_us, ends_us) for word in words) else Then.UNSAID


def _words(certificate: x509.Certificate, issuer: x509.Certificate, data: ValidationData) -> Iterator[Word]:
    for answer in (*data.ocsps, *data.crls):
        # By what it is: some makers put a list among the answers, or an answer among the lists.
        if ocsp_answers.is_answer(answer):
            yield from ocsp_answers.words(certificate, issuer, answer)
        elif (word := revocation_lists.find_word(certificate, issuer, answer)) is not None:
            yield word


@dataclass(frozen=True, slots=True)
class _Made:
    """The moments of a signature, µs: as its signer states, and at the latest."""

    stated_us: int | None
    latest_us: int


def _against(word: Word, words: Sequence[Word], made: _Made, ends_us: int) -> Then:
    """Judges a signature by `word`, that its certificate is held or revoked. GOOD: it was not yet; UNSAID:
    the hold was over.

    A hold is a fact of an interval. It begins with the entry's date, and lasts until the first answer after it that
    does not name the certificate: its end lies somewhere between, so what was signed before that answer may have been
    signed on hold. Only an answer of the certificate's life ends a hold (RFC 5280, 3.3: an entry stays on the list
    until the certificate has ended; 5.3.1: removeFromCRL is also said of one that has).
    """
    is_stated = made.stated_us is not None and word.is_from(made.stated_us)
    sure = Then.REVOKED if is_stated and word.is_from(made.latest_us) else Then.UNPROVEN
    if word.says is Says.REVOKED:
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
    where nothing proves when it was signed, an old answer says nothing, as the signature may be younger. The issuer of
    a certificate that is trusted itself is looked for among those of `data`.
    """
    path = with_issuer(path, data)
    found = [standing(below, above, data, then_us, proven_us, now_us=now_us) for below, above in pairwise(path)]
    if now_us is not None and proven_us is None and found[:1] == [Then.GOOD]:
        is_fresh = standing(path[0], path[1], data, now_us, None, now_us=now_us) is Then.GOOD
        found[0] = Then.GOOD if is_fresh else Then.UNSAID
    if (bad := next((bad for bad in MAY_BE_REVOKED if bad in found), None)) is not None:
        return bad
    if not data.is_whole:
        return Then.UNREAD
    return found[0] if found else Then.UNSAID


def with_issuer(path: Sequence[x509.Certificate], data: ValidationData) -> Sequence[x509.Certificate]:
    """A path of one certificate that is trusted itself, with its issuer where that came along: nobody needs it to trust
    the certificate, but lists and answers are the issuer's.
    """
    if len(path) != 1 or (not data.ocsps and not data.crls):
        return path
    above = (each for each in data.loaded() if each != path[0] and chain.issued_somehow(path[0], each))
    return (*path, *islice(above, 1))
