"""Validation data, document timestamps and renewal (PAdES B-LT, B-LTA), and how they are judged."""

import io
from functools import cache
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as ocsp_lib
from pyhanko.sign.fields import MDPPerm

from services.esign.certification.domain import pki, sm2_pki
from services.esign.certification.domain.sm2_pki import Sm2Signer
from services.esign.certification.domain.trust import Trust
from services.esign.certification.domain.validation_data import ValidationData
from services.esign.domain.cms.signed_data import P256Key
from services.esign.domain.errors import DocumentUnfitError
from services.esign.domain.verdict import Outcome, Status
from services.esign.keys import sm2 as sm_keys
from services.esign.revocation.domain import answers as revocation
from services.esign.revocation.domain import sm2_answers as sm2_revocation
from services.esign.revocation.domain.answers import CertificateStanding, Standing
from services.esign.signing.domain import long_term as longterm
from services.esign.signing.domain import multisign, pades
from services.esign.timestamps.domain.token import TimestampSigner
from shuniu.kit.crypto import sm
from tests.support import documents as attack
from tests.support import sm_documents
from tests.support.esign import NOW_US, setting, small_pdf
from tests.support.longterm import (
    CERTIFICATE,
    HOUR_US,
    YEAR_US,
    answer_for,
    crl,
    data,
    long_term,
    ocsp,
    renewed,
    stamped,
    token,
)
from tests.support.sm import sm_setting
from tests.support.timestamps import POLICY
from tests.support.verdicts import judged

TRUST = Trust((setting().root.certificate,))


def verdict(pdf: bytes, now_us: int = NOW_US + HOUR_US, trust: Trust = TRUST):
    return judged(pdf, trust=trust, now_us=now_us)


def step_of(name: str, pdf: bytes, now_us: int = NOW_US + HOUR_US, trust: Trust = TRUST):
    return next(step for step in verdict(pdf, now_us, trust).steps if step.step == name)


def test_validation_data_and_timestamps_are_no_changes_even_where_none_is_allowed():
    """A certification with P = 1 stays valid through B-LT, B-LTA and renewals; the verdict says what was added."""
    assert b"/P 1/V/1.2" in stamped()
    for pdf in (long_term(), renewed(stamped()), renewed(renewed(long_term()), NOW_US + HOUR_US // 2)):
        assert verdict(pdf).outcome is Outcome.VALID
        assert step_of("changes", pdf).reason == "RENEWED"


def test_validation_data_answer_for_the_seal_offline():
    """By OCSP and by CRL: good at the stamped time, revoked before it, revoked after it."""
    before, after = NOW_US - HOUR_US, NOW_US + HOUR_US
    assert step_of("seal_then", stamped()).status is Status.NOT_CHECKED
    for good in (
        data(ocsp()),
        data(ocsp(at_us=after)),
        data(crls=(crl(),)),
        data(ocsp(Standing.REVOKED, after, after)),
        data(crls=(crl(Standing.REVOKED, after, after),)),
    ):
        pdf = longterm.with_validation_data(stamped(), good)
        assert step_of("seal_then", pdf, after + 1).reason == "CERTIFICATE_GOOD"
        assert verdict(pdf, after + 1).outcome is Outcome.VALID
    for bad in (data(ocsp(Standing.REVOKED, before)), data(ocsp(), crls=(crl(Standing.REVOKED, before),))):
        pdf = longterm.with_validation_data(stamped(), bad)
        assert step_of("seal_then", pdf).reason == "CERTIFICATE_REVOKED"
        assert verdict(pdf).outcome is Outcome.INVALID


def test_a_revoked_seal_without_proof_of_time_is_not_valid():
    """Whoever holds a stolen key can state any time: without a stamp, revoked since is unknown."""
    pdf = longterm.with_validation_data(
        pades.sign(small_pdf(), setting().seal, NOW_US),
        data(ocsp(Standing.REVOKED, NOW_US + HOUR_US, NOW_US + HOUR_US)),
    )
    assert step_of("seal_then", pdf, NOW_US + 2 * HOUR_US).reason == "CERTIFICATE_REVOKED_SINCE"
    assert verdict(pdf, NOW_US + 2 * HOUR_US).outcome is Outcome.INDETERMINATE


def ocsp_status(status: ocsp_lib.OCSPResponseStatus) -> bytes:
    return ocsp_lib.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)


def stranger() -> pki.Authority:
    return pki.make_seal_ca(pki.make_root("别处", NOW_US), "别处", NOW_US)


def test_smuggled_validation_data_prove_nothing():
    """Answers of a stranger, of another certificate, too old, or bytes that are none: passed over, never believed."""
    other = pki.issue_seal_certificate(setting().ca, setting().key.public_key(), "别人", "S2", NOW_US)
    own, responder = setting().ca, pki.make_ocsp_responder(setting().ca, "内蒙古枢纽", NOW_US)
    of_another = answer_for(other, CertificateStanding(other.serial_number, Standing.GOOD, 0), own, responder, NOW_US)
    not_a_responder = pki.Authority(setting().key, CERTIFICATE, (own.certificate,))
    by_the_seal = answer_for(
        CERTIFICATE, CertificateStanding(CERTIFICATE.serial_number, Standing.GOOD, 0), own, not_a_responder, NOW_US
    )
    old = ocsp(at_us=NOW_US - 5 * HOUR_US)
    for smuggled in (
        data(ocsp(ca=stranger())),
        data(of_another),
        data(by_the_seal),
        data(old),
        data(ocsp_status(ocsp_lib.OCSPResponseStatus.TRY_LATER)),
        data(b"\x30\x03\x0a\x01\x00", crls=(b"none", b"")),
        data(crls=(revocation.crl(stranger(), [], NOW_US), crl(at_us=NOW_US - 5 * HOUR_US))),
        ValidationData((b"none", b"\x30\x00")),
    ):
        pdf = longterm.with_validation_data(stamped(), smuggled)
        assert step_of("seal_then", pdf).status is Status.NOT_CHECKED


@cache
def later_tsa() -> TimestampSigner:
    """A second authority, made five years later, when the first one is near its end."""
    at_us = NOW_US + 5 * YEAR_US
    found = pki.make_tsa(pki.make_tsa_ca(setting().root, "内蒙古枢纽", at_us), "内蒙古枢纽", at_us)
    return TimestampSigner.prepare(P256Key(found.key), found.der, [pki.certificate_der(found.above[0])], POLICY)


def test_a_renewal_in_time_carries_the_proof_over_the_end_of_the_authority():
    """Seven years on, seal and first authority have ended: valid with a renewal made in time, unknown without one and
    with one that came too late.
    """
    end, now = NOW_US + 5 * YEAR_US, NOW_US + 7 * YEAR_US
    assert verdict(stamped(), end).outcome is Outcome.VALID
    assert step_of("time", stamped(), now).reason == "TSA_ENDED"
    assert verdict(stamped(), now).outcome is Outcome.INDETERMINATE
    in_time = renewed(stamped(), end, by=later_tsa())
    assert verdict(in_time, now).outcome is Outcome.VALID
    twice = renewed(renewed(stamped()), end, by=later_tsa())
    assert verdict(twice, now).outcome is Outcome.VALID
    late = renewed(stamped(), now - HOUR_US, by=later_tsa())
    assert verdict(late, now).outcome is Outcome.INDETERMINATE


def test_a_document_timestamp_proves_the_time_of_a_signature_that_has_no_other():
    """B-B with a document timestamp: valid after the seal's certificate has ended."""
    plain = pades.sign(small_pdf(), setting().seal, NOW_US)
    covered = renewed(plain)
    later = NOW_US + 3 * YEAR_US
    assert verdict(plain, later).outcome is Outcome.INDETERMINATE
    assert (verdict(covered, later).outcome, step_of("time", covered, later).reason) == (Outcome.VALID, "TIME_STAMPED")
    back_dated = renewed(plain, NOW_US - HOUR_US)
    assert verdict(back_dated, later).outcome is Outcome.INVALID


def test_a_false_document_timestamp_spoils_the_document():
    """Over something else: invalid. By an authority nobody vouches for, or ahead of the clock: unknown."""
    step = longterm.begin_renewal(stamped(), data(), 4000)
    assert verdict(step.finish(token(sha256(b"else").digest(), NOW_US))).outcome is Outcome.INVALID
    assert verdict(step.finish(token(step.digest, NOW_US + 9 * HOUR_US))).outcome is Outcome.INDETERMINATE
    assert verdict(step.finish(b"\x30\x00")).outcome is not Outcome.VALID
    other = pki.make_tsa(pki.make_tsa_ca(stranger(), "别处", NOW_US), "别处", NOW_US)
    foreign = TimestampSigner.prepare(P256Key(other.key), other.der, [pki.certificate_der(other.above[0])], POLICY)
    assert verdict(step.finish(token(step.digest, NOW_US, foreign))).outcome is Outcome.INDETERMINATE


def test_no_flipped_bit_of_a_renewed_document_gives_valid():
    """Every part of the file is covered: by the signature, or by the document timestamp behind it."""
    good = renewed(long_term())
    assert verdict(good).outcome is Outcome.VALID
    for at in range(0, len(good), 61):
        bad = bytearray(good)
        bad[at] ^= 1
        assert verdict(bytes(bad)).outcome is not Outcome.VALID, at


def test_nothing_is_added_twice():
    """The same validation data again: refused, and a renewal brings only its timestamp."""
    with pytest.raises(DocumentUnfitError, match="NOTHING_NEW"):
        longterm.with_validation_data(long_term(), ValidationData.of(attack.read(long_term())))
    again = renewed(long_term(), found=ValidationData.of(attack.read(long_term())))
    assert ValidationData.of(attack.read(again)) == ValidationData.of(attack.read(long_term()))
    assert verdict(again).outcome is Outcome.VALID


def test_who_renews_learns_whose_revocation_to_ask():
    """Signer, its authority, and the timestamp authorities, each with its issuer; roots are nobody's to ask."""
    asked = longterm.needs(renewed(stamped()), TRUST.roots, NOW_US + HOUR_US)
    names = {need.certificate.subject.rfc4514_string().split(",")[0] for need in asked}
    assert len(asked) == 4
    assert any("timestamp authority" in name for name in names)
    assert len(longterm.certificates_of(asked)) == 4


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_several_signers_and_their_close_go_on_to_long_term():
    """A flow's document with validation data and a renewal behind its close."""
    pdf = multisign.prepare(small_pdf(), [multisign.Field("甲方"), multisign.Field("乙方")])
    for name in ("甲方", "乙方"):
        step = multisign.begin(pdf, name, size=setting().seal.cms.max_size, at_us=NOW_US, signer=name)
        pdf = step.finish(setting().seal.cms.sign(step.digest))
    last = multisign.close(pdf, 4000)
    found = renewed(longterm.with_validation_data(last.finish(token(last.digest, NOW_US)), data(ocsp())))
    assert verdict(found).outcome is Outcome.VALID
    assert io.BytesIO(found).read(5) == b"%PDF-"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("certify", [None, MDPPerm.NO_CHANGES, MDPPerm.FILL_FORMS], ids=["approval", "P1", "P2"])
def test_what_a_foreign_product_adds_for_the_long_term_is_valid(certify):
    """pyHanko's validation data, document timestamp and a second store over its own signature, at every level."""
    pdf = attack.foreign_sign(small_pdf(), certify=certify)
    for added in (
        attack.foreign_store(pdf, [setting().ca.der], [ocsp(at_us=attack.now_us())]),
        attack.foreign_archive(pdf),
        attack.foreign_store(attack.foreign_archive(pdf), [setting().ca.der], []),
    ):
        found = verdict(added, attack.now_us())
        assert (found.outcome, step_of("changes", added, attack.now_us()).reason) == (Outcome.VALID, "RENEWED")


def test_sm2_answers_and_lists_are_judged_like_any_other():
    """A document sealed with SM2 carries answers signed with SM2: good, revoked before, and a stranger's."""
    ca = sm_setting().ca
    certificate = x509.load_der_x509_certificate(sm_setting().seal.certificate)
    issuer = x509.load_der_x509_certificate(ca.certificate)
    question = ocsp_lib.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1()).build()
    asked = question.public_bytes(Encoding.DER)

    def answered(by: Sm2Signer, standing: Standing, since_us: int = 0) -> ValidationData:
        responder = sm2_pki.make_ocsp_responder(by, sm_keys.pair(sm.PrivateKey.generate()), "枢纽", NOW_US)
        found = CertificateStanding(certificate.serial_number, standing, since_us)
        return ValidationData((ca.certificate,), (sm2_revocation.answer(asked, found, responder, NOW_US),))

    stranger_ca = sm2_pki.make_root(sm_keys.pair(sm.PrivateKey.generate()), "别处", NOW_US)
    listed = [CertificateStanding(certificate.serial_number, Standing.REVOKED, NOW_US - HOUR_US)]
    for found, expected in (
        (answered(ca, Standing.GOOD), "CERTIFICATE_GOOD"),
        (answered(ca, Standing.REVOKED, NOW_US - HOUR_US), "CERTIFICATE_REVOKED"),
        (answered(stranger_ca, Standing.REVOKED, NOW_US - HOUR_US), "OFFLINE"),
        (ValidationData(crls=(sm2_revocation.crl(ca, [], NOW_US),)), "CERTIFICATE_GOOD"),
        (ValidationData(crls=(sm2_revocation.crl(ca, listed, NOW_US),)), "CERTIFICATE_REVOKED"),
        (ValidationData(crls=(sm2_revocation.crl(stranger_ca, listed, NOW_US),)), "OFFLINE"),
    ):
        pdf = longterm.with_validation_data(sm_documents.stamped(), found)
        assert (
            step_of(
                "seal_then", pdf, trust=Trust((x509.load_der_x509_certificate(sm_setting().root.certificate),))
            ).reason
            == expected
        )
