"""Reads what a list of revoked certificates (CRL, RFC 5280, 5) says of one certificate."""

from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.esign.certification.domain import chain
from services.esign.certification.domain.revocation_words import UNCLEAR, Says, Signed, Word, serial_in_der, tried
from services.esign.domain import der
from services.esign.domain.cms.signature_value import UnknownAlgorithmError
from services.esign.domain.der import DerError
from services.esign.domain.kept import kept, kept_if_found
from services.esign.domain.moments import us

# Lists that stay read: a document has many certificates of few authorities. Each may have megabytes.
_KEPT_LISTS = 8


@dataclass(frozen=True, slots=True, eq=False)
class _List:
    """A list that was read, and whose keys are known to have made it: neither is done again for each certificate."""

    data: bytes = field(repr=False)
    found: x509.CertificateRevocationList
    # Who made it, and whether the algorithm still holds.
    _makers: dict[x509.Certificate, bool] = field(default_factory=dict)

    def made_by(self, issuer: x509.Certificate) -> bool:
        """Tells whether the issuer's key made it. Raises DerError, UnknownAlgorithmError."""
        if issuer in self._makers:
            return True
        # A copy of the whole list, so it is not kept. Nor is what did not hold: it may come of a machine that was short
        # of memory for a moment.
        signed = Signed.of(der.parse(self.data))
        if not signed.made_by(issuer):
            return False
        self._makers[issuer] = signed.is_strong
        return True

    def holds_by(self, issuer: x509.Certificate) -> bool:
        """As `made_by`, with an algorithm that still holds. Raises DerError, UnknownAlgorithmError."""
        return self.made_by(issuer) and self._makers[issuer]

    def may_be_by(self, issuer: x509.Certificate) -> bool:
        """Tells whether the issuer's key made it, or may have. Raises DerError, UnknownAlgorithmError where nobody can
        read by what.
        """
        return issuer in self._makers or Signed.of(der.parse(self.data)).may_be_by(issuer)


@kept_if_found(_KEPT_LISTS)
def _read(data: bytes) -> _List | None:
    found = tried(lambda: x509.load_der_x509_crl(data), None)
    return None if found is None else _List(data, found)


def find_word(certificate: x509.Certificate, issuer: x509.Certificate, data: bytes) -> Word | None:
    """None: a list (DER) that says nothing of the certificate, or is not its issuer's."""
    one = _read(data)
    if one is None:
        return UNCLEAR if _may_name(certificate, issuer, data) else None
    named = tried(lambda: (one.found.get_revoked_certificate_by_serial_number(certificate.serial_number),), None)
    if named is None:
        return UNCLEAR if _may_name(certificate, issuer, data) else None
    if named[0] is None:
        return tried(lambda: _silent(certificate, issuer, one), None)
    if not tried(lambda: one.may_be_by(issuer), True):
        return None
    return tried(lambda: _naming(certificate, issuer, one), UNCLEAR)


def _may_name(certificate: x509.Certificate, issuer: x509.Certificate, data: bytes) -> bool:
    """Tells whether a list that the library cannot read may say that the certificate is revoked."""
    serial = serial_in_der(certificate)
    if serial not in data or chain.readable((data,)):
        # A certificate among the lists is no list.
        return False
    try:
        signed = Signed.of(der.parse(data))
    except (DerError, UnknownAlgorithmError):
        return True
    return serial in signed.body and signed.may_be_by(issuer)


def _silent(certificate: x509.Certificate, issuer: x509.Certificate, one: _List) -> Word | None:
    """The word of a list that does not have the serial number. A list of a part only, or of changes only, says nothing
    of what it does not name.
    """
    found = one.found
    at_us = us(found.last_update_utc)
    is_word = (
        found.issuer == certificate.issuer
        and covers(certificate, found)
        and chain.profile_of(issuer).lists
        and chain.valid_at((issuer,), at_us)
        and one.holds_by(issuer)
    )
    return Word(Says.GOOD, at_us, _until(found)) if is_word else None


def _naming(certificate: x509.Certificate, issuer: x509.Certificate, one: _List) -> Word | None:
    """The word of a list that has the serial number. What it names is revoked by the issuer's key, whichever
    certificate of it the document brought.
    """
    found = one.found
    if found.issuer != certificate.issuer or not one.made_by(issuer):
        return UNCLEAR
    entry = _own_entry(certificate, found)
    if entry is None:
        return None
    at_us, until_us, reason = us(found.last_update_utc), _until(found), _reason(entry)
    if reason is x509.ReasonFlags.remove_from_crl:
        return Word(Says.RELEASED, at_us, until_us)
    says = Says.HELD if reason is x509.ReasonFlags.certificate_hold else Says.REVOKED
    return Word(says, at_us, until_us, min(us(entry.revocation_date_utc), _invalid_since(entry)))


def _until(found: x509.CertificateRevocationList) -> int | None:
    return None if found.next_update_utc is None else us(found.next_update_utc)


def _own_entry(certificate: x509.Certificate, found: x509.CertificateRevocationList) -> x509.RevokedCertificate | None:
    """The entry of the certificate; None where the serial number is another authority's. An entry is of the issuer that
    it names, on an indirect list of the one that the entries before it name, else of the list's own (RFC 5280, 5.3.3).
    """
    points = (each.value for each in found.extensions)
    is_indirect = any(isinstance(each, x509.IssuingDistributionPoint) and each.indirect_crl for each in points)
    first = found.get_revoked_certificate_by_serial_number(certificate.serial_number)
    is_own = True
    for entry in found if is_indirect or first is None else (first,):
        for each in entry.extensions:
            if isinstance(each.value, x509.CertificateIssuer):
                is_own = certificate.issuer in each.value.get_values_for_type(x509.DirectoryName)
        if is_own and entry.serial_number == certificate.serial_number:
            return entry
    return None


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


def _invalid_since(entry: x509.RevokedCertificate) -> int:
    """Since when the key was in wrong hands, as far as the issuer says (RFC 5280, 5.3.2); else the revocation."""
    try:
        return us(entry.extensions.get_extension_for_class(x509.InvalidityDate).value.invalidity_date_utc)
    except x509.ExtensionNotFound:
        return us(entry.revocation_date_utc)


def tells_of(
    certificate: x509.Certificate, issuer: x509.Certificate, found: x509.CertificateRevocationList, then_us: int
) -> bool:
    """Tells whether the list says, or may say, how the certificate stood at that moment (µs)."""
    word = find_word(certificate, issuer, _der_of(found))
    if word is None:
        return False
    says_against = word.since_us is not None or word.says is Says.UNCLEAR
    return says_against or word.speaks_for(then_us, us(certificate.not_valid_after_utc))


def lists(issuer: x509.Certificate, found: x509.CertificateRevocationList) -> bool:
    """Tells whether the issuer's key made the list, with an algorithm that still holds."""
    one = _read(_der_of(found))
    try:
        return one is not None and one.holds_by(issuer)
    except (DerError, UnknownAlgorithmError):
        return False


@kept(_KEPT_LISTS)
def _der_of(found: x509.CertificateRevocationList) -> bytes:
    return found.public_bytes(Encoding.DER)
