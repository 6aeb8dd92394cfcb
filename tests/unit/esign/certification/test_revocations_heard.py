"""A revocation that the certificate's authority signed is heard, however it is signed and written."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from services.esign.certification.domain.trust import Trust
from services.esign.certification.domain.validation_data import Then, ValidationData, path_standing, standing
from services.esign.domain import der
from services.esign.domain.cms import reader as cms_reader
from services.esign.domain.pdf import signatures
from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import Ref
from services.esign.domain.verdict import Outcome, Status
from services.esign.verification.domain.verify import without_use
from tests.support.documents import foreign_sign
from tests.support.esign import NOW_US, setting, small_pdf
from tests.support.updates import Draft, stream
from tests.support.verdicts import TRUST, judged

NOW = datetime.fromtimestamp(NOW_US // 1_000_000, UTC)
DAY = timedelta(days=1)
REASON = x509.ReasonFlags.key_compromise
COMPROMISED = x509.CRLReason(REASON)
PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
ECDSA_P256 = ec.SECP256R1()


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


class Authority:
    """A root of its own with a key, and a certificate that it issued."""

    def __init__(self, key: object, algorithm: hashes.HashAlgorithm | None = None, **signing: object) -> None:
        self.key, self.algorithm, self.signing = key, algorithm, signing
        self.certificate = self._certified(named("CA"), key, is_authority=True)
        self.holder = self._certified(named("Holder"), ec.generate_private_key(ECDSA_P256), is_authority=False)

    def _certified(self, subject: x509.Name, key: object, *, is_authority: bool) -> x509.Certificate:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(named("CA"))
        builder = builder.public_key(key.public_key())  # type: ignore[attr-defined]
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(NOW - 30 * DAY).not_valid_after(NOW + 300 * DAY)
        builder = builder.add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        return builder.sign(self.key, self.algorithm, **self.signing)  # type: ignore[arg-type]

    def crl(
        self,
        *entries: tuple[int, tuple[x509.ExtensionType, ...]],
        extensions: tuple[x509.ExtensionType, ...] = (),
    ) -> bytes:
        builder = x509.CertificateRevocationListBuilder().issuer_name(named("CA"))
        builder = builder.last_update(NOW - DAY).next_update(NOW + 7 * DAY)
        for serial, details in entries:
            gone = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW - 20 * DAY)
            for each in details:
                gone = gone.add_extension(each, critical=False)
            builder = builder.add_revoked_certificate(gone.build())
        for each in extensions:
            builder = builder.add_extension(each, critical=False)
        found = builder.sign(self.key, self.algorithm, **self.signing)  # type: ignore[arg-type]
        return found.public_bytes(Encoding.DER)

    def answer(self, status: ocsp.OCSPCertStatus) -> bytes:
        revoked = status is ocsp.OCSPCertStatus.REVOKED
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=self.holder,
            issuer=self.certificate,
            algorithm=hashes.SHA1(),
            cert_status=status,
            this_update=NOW - DAY,
            next_update=NOW + 7 * DAY,
            revocation_time=NOW - 20 * DAY if revoked else None,
            revocation_reason=REASON if revoked else None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.certificate)
        return builder.sign(self.key, self.algorithm).public_bytes(Encoding.DER)  # type: ignore[arg-type]

    def stood(self, *crls: bytes, ocsps: tuple[bytes, ...] = ()) -> Then:
        data = ValidationData(crls=crls, ocsps=ocsps)
        return standing(self.holder, self.certificate, data, NOW_US, NOW_US, now_us=NOW_US)


KINDS: dict[str, Callable[[], Authority]] = {
    "Ed25519": lambda: Authority(ed25519.Ed25519PrivateKey.generate()),
    "Ed448": lambda: Authority(ed448.Ed448PrivateKey.generate()),
    "SHA-224": lambda: Authority(ec.generate_private_key(ECDSA_P256), hashes.SHA224()),
    "SHA3-256": lambda: Authority(ec.generate_private_key(ECDSA_P256), hashes.SHA3_256()),
    "RSA-PSS": lambda: Authority(rsa_key(), hashes.SHA256(), rsa_padding=PSS),
}


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def plain() -> Authority:
    return Authority(ec.generate_private_key(ECDSA_P256), hashes.SHA256())


@cache
def with_rsa() -> Authority:
    return Authority(rsa_key(), hashes.SHA256())


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_signs_certificates_signs_lists_and_answers(kind: str) -> None:
    """An algorithm that a path accepts is one that revokes, and that vouches."""
    one = KINDS[kind]()
    serial = one.holder.serial_number
    assert one.stood(one.crl((serial, (COMPROMISED,)))) is Then.REVOKED
    assert one.stood(one.crl((5, (COMPROMISED,)))) is Then.GOOD
    if kind != "RSA-PSS":
        assert one.stood(ocsps=(one.answer(ocsp.OCSPCertStatus.REVOKED),)) is Then.REVOKED
        assert one.stood(ocsps=(one.answer(ocsp.OCSPCertStatus.GOOD),)) is Then.GOOD


def resigned(body: bytes, algorithm: bytes, scheme: padding.AsymmetricPadding, digest: hashes.HashAlgorithm) -> bytes:
    value = rsa_key().sign(body, scheme, digest)
    return der.tlv(der.SEQUENCE, body, algorithm, der.tlv(der.BIT_STRING, b"\x00" + value))


def rsa_algorithm(oid: str) -> bytes:
    return der.tlv(der.SEQUENCE, der.oid(oid), b"\x05\x00")


RSA_SHA256, RSA_SHA1 = rsa_algorithm("1.2.840.113549.1.1.11"), rsa_algorithm("1.2.840.113549.1.1.5")
RSA_SHA3 = rsa_algorithm("2.16.840.1.101.3.4.3.14")
RSA_UNKNOWN = rsa_algorithm("1.2.840.113549.1.1.99")


def list_signed(crl: bytes, algorithm: bytes, digest: hashes.HashAlgorithm) -> bytes:
    body = der.parse(crl).children()[0].raw
    fields = [RSA_SHA256 if each.raw == RSA_SHA256 else each.raw for each in der.parse(body).children()]
    body = der.tlv(der.SEQUENCE, *(algorithm if each == RSA_SHA256 else each for each in fields))
    return resigned(body, algorithm, padding.PKCS1v15(), digest)


def answer_signed(
    answer: bytes, algorithm: bytes, scheme: padding.AsymmetricPadding, digest: hashes.HashAlgorithm
) -> bytes:
    status, inside = der.parse(answer).children()
    kind, basic = inside.children()[0].children()
    body = der.parse(basic.body).children()[0].raw
    signed = resigned(body, algorithm, scheme, digest)
    inner = der.tlv(der.SEQUENCE, kind.raw, der.tlv(der.OCTET_STRING, signed))
    return der.tlv(der.SEQUENCE, status.raw, der.tlv(0xA0, inner))


def test_a_weak_digest_revokes_and_does_not_vouch() -> None:
    """A list or answer signed with SHA-1 by the authority revokes whom it names; that it says nothing of somebody, or
    calls him good, is no proof any more.
    """
    one = with_rsa()
    serial = one.holder.serial_number
    assert one.stood(list_signed(one.crl((serial, (COMPROMISED,))), RSA_SHA1, hashes.SHA1())) is Then.REVOKED
    assert one.stood(list_signed(one.crl((5, (COMPROMISED,))), RSA_SHA1, hashes.SHA1())) is Then.UNSAID
    for status, then in ((ocsp.OCSPCertStatus.REVOKED, Then.REVOKED), (ocsp.OCSPCertStatus.GOOD, Then.UNSAID)):
        weak = answer_signed(one.answer(status), RSA_SHA1, padding.PKCS1v15(), hashes.SHA1())
        assert one.stood(ocsps=(weak,)) is then


def test_answers_signed_with_pss_and_sha3_are_heard() -> None:
    """The library signs no answers so; authorities do."""
    one = with_rsa()
    pss_crl = Authority(rsa_key(), hashes.SHA256(), rsa_padding=PSS).crl()
    pss = der.parse(pss_crl).children()[1].raw
    for status, then in ((ocsp.OCSPCertStatus.REVOKED, Then.REVOKED), (ocsp.OCSPCertStatus.GOOD, Then.GOOD)):
        answer = one.answer(status)
        assert one.stood(ocsps=(answer_signed(answer, pss, PSS, hashes.SHA256()),)) is then
        assert one.stood(ocsps=(answer_signed(answer, RSA_SHA3, padding.PKCS1v15(), hashes.SHA3_256()),)) is then


def test_an_unknown_algorithm_leaves_it_open() -> None:
    """Nobody here can tell whether the authority signed it: what it calls revoked is not called good, and what calls
    nobody revoked says nothing.
    """
    one = with_rsa()
    named_, other = one.crl((one.holder.serial_number, (COMPROMISED,))), one.crl((5, (COMPROMISED,)))
    assert one.stood(list_signed(named_, RSA_UNKNOWN, hashes.SHA256())) is Then.UNCLEAR
    assert one.stood(list_signed(other, RSA_UNKNOWN, hashes.SHA256())) is Then.UNSAID
    for status, then in ((ocsp.OCSPCertStatus.REVOKED, Then.UNCLEAR), (ocsp.OCSPCertStatus.GOOD, Then.UNSAID)):
        answer = answer_signed(one.answer(status), RSA_UNKNOWN, padding.PKCS1v15(), hashes.SHA256())
        assert one.stood(ocsps=(answer,)) is then


def odd(oid: str, value: bytes) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)


ODD_IN_ENTRY = {
    "reason 7": odd("2.5.29.21", b"\x0a\x01\x07"),
    "reason 11": odd("2.5.29.21", b"\x0a\x01\x0b"),
    "reason as INTEGER": odd("2.5.29.21", b"\x02\x01\x01"),
    "invalidity date with a fraction": odd("2.5.29.24", b"\x18\x1120260501000000.5Z"),
    "invalidity date as UTCTime": odd("2.5.29.24", b"\x17\x0d260501000000Z"),
}
ODD_IN_LIST = {
    "distribution point": odd("2.5.29.28", b"\x30\x03\x81\x01\x01"),
    "key identifier": odd("2.5.29.35", b"\x04\x02ab"),
    "number": odd("2.5.29.20", b"\x04\x01\x01"),
    "freshest list": odd("2.5.29.46", b"\x05\x00"),
    "access": odd("1.3.6.1.5.5.7.1.1", b"\x05\x00"),
    "alternative name": odd("2.5.29.18", b"\x05\x00"),
}


@pytest.mark.parametrize("form", ODD_IN_ENTRY)
def test_an_odd_entry_leaves_it_open(form: str) -> None:
    """An entry of the authority's list with a detail that cannot be read may revoke; a stranger's does not."""
    one, details = plain(), (ODD_IN_ENTRY[form],)
    assert one.stood(one.crl((one.holder.serial_number, details))) is Then.UNCLEAR
    assert one.stood(one.crl((5, details))) is Then.GOOD
    stranger = Authority(ec.generate_private_key(ECDSA_P256), hashes.SHA256())
    assert one.stood(stranger.crl((one.holder.serial_number, details))) is Then.UNSAID


@pytest.mark.parametrize("form", ODD_IN_LIST)
def test_an_odd_list_leaves_it_open(form: str) -> None:
    """A list with a detail that cannot be read may revoke whom it names, and vouches for nobody."""
    one, extensions = plain(), (ODD_IN_LIST[form],)
    assert one.stood(one.crl((one.holder.serial_number, (COMPROMISED,)), extensions=extensions)) is Then.UNCLEAR
    assert one.stood(one.crl((5, (COMPROMISED,)), extensions=extensions)) is Then.UNSAID
    stranger = Authority(ec.generate_private_key(ECDSA_P256), hashes.SHA256())
    assert one.stood(stranger.crl((one.holder.serial_number, ()), extensions=extensions)) is Then.UNSAID


def cut(data: bytes) -> bytes:
    return data[:-1]


def test_what_the_library_cannot_open_leaves_it_open() -> None:
    """A list or answer that names the certificate and is no DER, or has a time that the library does not know, may
    revoke it; a certificate among them is no answer.
    """
    one = with_rsa()
    crl, answer = one.crl((one.holder.serial_number, (COMPROMISED,))), one.answer(ocsp.OCSPCertStatus.REVOKED)
    assert one.stood(cut(crl)) is Then.UNCLEAR
    assert one.stood(ocsps=(cut(answer),)) is Then.UNCLEAR
    assert one.stood(cut(one.crl((5, ())))) is Then.UNSAID
    certificate = one.holder.public_bytes(Encoding.DER)
    assert one.stood(certificate, ocsps=(certificate,)) is Then.UNSAID
    date = (NOW - 20 * DAY).strftime("%y%m%d%H%M%SZ").encode()
    odd_date = crl.replace(b"\x17\x0d" + date, b"\x17\x0d" + date[:-1] + b"X", 1)
    assert odd_date != crl
    assert one.stood(list_signed(odd_date, RSA_SHA256, hashes.SHA256())) is Then.UNCLEAR
    assert one.stood(odd_date) is Then.UNSAID


@pytest.mark.parametrize(("status", "then"), [("REVOKED", Then.UNCLEAR), ("GOOD", Then.UNSAID)])
def test_an_odd_answer_leaves_it_open(status: str, then: Then) -> None:
    """An answer of the authority whose extensions cannot be read may revoke; one that says good says nothing."""
    one = with_rsa()
    answer = one.answer(ocsp.OCSPCertStatus[status])
    made = (NOW - DAY).strftime("%Y%m%d%H%M%SZ").encode()
    assert answer.count(made) == 1
    odd_time = answer.replace(made, made[:-1] + b"X")
    assert one.stood(ocsps=(answer_signed(odd_time, RSA_SHA256, padding.PKCS1v15(), hashes.SHA256()),)) is then
    assert one.stood(ocsps=(odd_time,)) is Then.UNSAID


def test_an_answer_or_list_in_the_others_place_is_read_for_what_it_is() -> None:
    """Some makers put all into one array, or an answer without its envelope: it revokes and vouches as elsewhere."""
    one = plain()
    gone, good = one.answer(ocsp.OCSPCertStatus.REVOKED), one.answer(ocsp.OCSPCertStatus.GOOD)
    revoking, silent = one.crl((one.holder.serial_number, (COMPROMISED,))), one.crl((5, (COMPROMISED,)))
    bare = [der.parse(der.parse(each).children()[1].children()[0].children()[1].body).raw for each in (gone, good)]
    for then, among_lists, among_answers in (
        (Then.REVOKED, [gone, bare[0]], [revoking, bare[0]]),
        (Then.GOOD, [good, bare[1]], [silent, bare[1]]),
    ):
        for each in among_lists:
            assert one.stood(each) is then
        for each in among_answers:
            assert one.stood(ocsps=(each,)) is then


def test_an_indirect_list_names_its_issuers_own() -> None:
    """An entry is of the issuer that it or one before it names, else of the list's own (RFC 5280, 5.3.3)."""
    one = plain()
    serial = one.holder.serial_number
    indirect = (x509.IssuingDistributionPoint(None, None, False, False, None, True, False),)
    other, own = (x509.CertificateIssuer([x509.DirectoryName(named(each))]) for each in ("Other", "CA"))
    for entries, then in (
        (((serial, (COMPROMISED,)),), Then.REVOKED),
        (((5, (other,)), (serial, (COMPROMISED,))), Then.UNSAID),
        (((5, (other,)), (serial, (own, COMPROMISED))), Then.REVOKED),
        (((5, (other,)), (6, (own,)), (serial, (COMPROMISED,))), Then.REVOKED),
        (((serial, (other,)), (6, (own,)), (serial, (COMPROMISED,))), Then.REVOKED),
    ):
        assert one.stood(one.crl(*entries, extensions=indirect)) is then


def setting_list(*details: x509.ExtensionType) -> bytes:
    ca, holder = setting().ca, x509.load_der_x509_certificate(setting().certificate)
    gone = x509.RevokedCertificateBuilder().serial_number(holder.serial_number).revocation_date(NOW - DAY)
    for each in details:
        gone = gone.add_extension(each, critical=False)
    builder = x509.CertificateRevocationListBuilder().issuer_name(ca.certificate.subject)
    builder = builder.last_update(NOW - DAY / 2).next_update(NOW + DAY).add_revoked_certificate(gone.build())
    return builder.sign(ca.key, hashes.SHA256()).public_bytes(Encoding.DER)


def seal_then(pdf: bytes, trust: Trust) -> tuple[Outcome, Status, str]:
    found = judged(pdf, trust=trust, now_us=NOW_US)
    step = next(each for each in found.steps if each.step == "seal_then")
    return found.outcome, step.status, step.reason


@pytest.mark.timeout(60)
def test_a_verdict_with_an_unread_revocation_is_open() -> None:
    """The verifier's own list that names the signer and cannot be read leaves the verdict open, with its sentence."""
    trust = Trust(TRUST.roots, crls=(setting_list(ODD_IN_ENTRY["reason 7"]),))
    assert seal_then(foreign_sign(small_pdf()), trust) == (
        Outcome.INDETERMINATE,
        Status.UNKNOWN,
        "CERTIFICATE_UNCLEAR",
    )


@pytest.mark.timeout(60)
@pytest.mark.parametrize("where", ["CRLs", "VRI"])
def test_a_list_for_one_signature_is_read(where: str) -> None:
    """A list in the store of a single signature (VRI) revokes as one for the whole document does."""
    pdf = foreign_sign(small_pdf())
    draft = Draft(pdf)
    number = draft.add(stream(setting_list(COMPROMISED)))
    store = draft.part(draft.root(), "DSS", {})
    if where == "CRLs":
        store["CRLs"] = [Ref((number, 0))]
    else:
        cms = signatures.find(Document(pdf))[0].cms
        store["VRI"] = {hashlib.sha1(cms).hexdigest().upper(): {"CRL": [Ref((number, 0))]}}
    assert seal_then(draft.finished(), TRUST) == (Outcome.INVALID, Status.INVALID, "CERTIFICATE_REVOKED")


@pytest.mark.timeout(60)
def test_a_signer_who_is_trusted_himself_is_revoked_by_his_issuer() -> None:
    """The issuer's certificate, which the signature brings, is enough to hear its list; where it brings none, the list
    is told as one that was not used.
    """
    holder = x509.load_der_x509_certificate(setting().certificate)
    trust = Trust((holder,), crls=(setting_list(COMPROMISED),))
    pdf = foreign_sign(small_pdf())
    assert (
        setting().ca.certificate.public_bytes(Encoding.DER)
        in cms_reader.read(cms_reader.unpadded(signatures.find(Document(pdf))[0].cms)).certificates
    )
    assert seal_then(pdf, trust) == (Outcome.INVALID, Status.INVALID, "CERTIFICATE_REVOKED")
    alone = ValidationData(crls=trust.crls)
    assert path_standing((holder,), alone, NOW_US, NOW_US) is Then.UNSAID
    said = without_use((holder,), alone, trust, NOW_US, NOW_US, is_proven=False)
    assert said is not None
    assert "not at hand" in said.en
    assert (
        without_use((holder,), alone, Trust((holder,), crls=(plain().crl(),)), NOW_US, NOW_US, is_proven=False) is None
    )
