"""GB/T 38540 seals and seal signatures: built, read back, judged; GM/T 0031 read; every change noticed."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from services.esign.certification.domain import sm2_pki
from services.esign.certification.domain.sm2_pki import Sm2Signer
from services.esign.domain import der, sm2
from services.esign.domain.verdict import Outcome, Status
from services.esign.keys import sm2 as sm_keys
from services.esign.ses.domain import check as ses_check
from services.esign.ses.domain import steps as seal_steps
from services.esign.ses.domain import values as ses
from services.esign.ses.domain.check import Covered
from services.esign.ses.domain.values import SesError
from shuniu.kit.crypto import sm
from tests.support.esign import NOW_US, ORGANISATION, SEAL_ID
from tests.support.sm import eseal, sm_setting, trust

HASH = sm.sm3(b"document")
SPAN = "/ByteRange[0 10 20 30]"
COVERED = Covered(HASH, SPAN)
YEAR_US = 365 * 86_400 * 1_000_000


def signature() -> bytes:
    return ses.sign(eseal(), sm_setting().seal, HASH, SPAN, NOW_US)


def statuses(found: ses_check.Findings) -> dict[str, str]:
    return {step.step: step.status.value for step in found.steps}


def last(found: ses_check.Findings) -> tuple[str, str, str]:
    step = found.steps[-1]
    return step.step, step.status.value, step.reason


def test_a_seal_reads_back_and_holds() -> None:
    """What was put in comes out, and every step of a seal is valid."""
    found = ses_check.inspect(eseal(), trust(), NOW_US)
    assert statuses(found) == dict.fromkeys(ses_check.STEPS[:5], "valid")
    assert found.outcome is Outcome.VALID
    assert found.seal is not None
    info = found.seal.info
    assert (info.version, info.vendor, info.id, info.kind, info.name) == (4, "Shuniu", SEAL_ID, 1, ORGANISATION)
    assert (info.valid_from_us, info.valid_to_us) == (NOW_US, NOW_US + YEAR_US)
    assert info.certificates == (sm_setting().seal.certificate,)


def test_a_signature_holds_over_its_document() -> None:
    """All steps in the standard's order; without the document it stays indeterminate."""
    found = ses_check.inspect(signature(), trust(), NOW_US, COVERED)
    assert [step.step for step in found.steps] == list(ses_check.STEPS)
    assert set(statuses(found).items()) >= {("data_hash", "valid"), ("protected", "valid"), ("signer_listed", "valid")}
    assert found.outcome is Outcome.VALID
    assert seal_steps.summary(found).reason == "SES_VALID"
    assert ses_check.inspect(signature(), trust(), NOW_US).outcome is Outcome.INDETERMINATE


def test_openssl_agrees(tmp_path: Path) -> None:
    """openssl reads the structure, and its SM2 verifies the maker's signature over the bytes said to be signed."""
    made = ses.read_signature(signature())
    (tmp_path / "ses").write_bytes(signature())
    shown = subprocess.run(
        ["openssl", "asn1parse", "-inform", "DER", "-in", tmp_path / "ses"], capture_output=True, check=True
    ).stdout
    assert shown.count(b"SM2-with-SM3") == 2
    for certificate, signed, value in (
        (made.seal.maker, made.seal.signed, made.seal.signature),
        (made.certificate, made.signed, made.signature),
    ):
        (tmp_path / "pem").write_bytes(sm_keys.certificate_pem(certificate))
        (tmp_path / "signed").write_bytes(signed)
        (tmp_path / "value").write_bytes(value)
        judged = subprocess.run(
            [
                "openssl", "pkeyutl", "-verify", "-certin", "-inkey", tmp_path / "pem", "-rawin", "-digest", "sm3",
                "-in", tmp_path / "signed", "-sigfile", tmp_path / "value", "-pkeyopt", "distid:1234567812345678",
            ],
            capture_output=True,
            check=False,
        )  # fmt: skip
        assert b"Verified Successfully" in judged.stdout, judged.stderr


def test_no_changed_byte_is_valid() -> None:
    """A signature with any byte changed, cut short or lengthened is never VALID."""
    whole = signature()
    for at in range(0, len(whole), 2):
        changed = bytearray(whole)
        changed[at] ^= 0x01
        assert ses_check.inspect(bytes(changed), trust(), NOW_US, COVERED).outcome is not Outcome.VALID, at
    for broken in (whole[:-1], whole + b"\x00", b"", b"\x30\x00", b"\x30\x80\x00\x00", b"%PDF-1.7"):
        assert last(ses_check.inspect(broken, trust(), NOW_US, COVERED)) == ("parse", "invalid", "SES_SYNTAX")


def test_refusals_say_where() -> None:
    """Other document, other part, other signer, expired, future, unknown root: each ends at its own step."""
    made = sm_setting()
    other = Covered(sm.sm3(b"other"), SPAN)
    assert last(ses_check.inspect(signature(), trust(), NOW_US, other)) == ("data_hash", "invalid", "DIGEST")
    elsewhere = ses_check.inspect(signature(), trust(), NOW_US, replace(COVERED, protected="/ByteRange[0 1 2 3]"))
    assert statuses(elsewhere)["protected"] == "invalid"
    key = sm.PrivateKey.generate()
    stranger = Sm2Signer(
        sm2_pki.issue_seal_certificate(made.ca, key.public.spki, ORGANISATION, SEAL_ID, NOW_US),
        key.public.spki,
        key.sign,
    )
    taken = ses.sign(eseal(), stranger, HASH, SPAN, NOW_US)
    assert last(ses_check.inspect(taken, trust(), NOW_US, COVERED)) == ("signer_listed", "invalid", "SIGNER_NOT_LISTED")
    late = ses.sign(eseal(), made.seal, HASH, SPAN, NOW_US + 2 * YEAR_US)
    after = ses_check.inspect(late, trust(), NOW_US + 3 * YEAR_US, COVERED)
    assert last(after) == ("seal_validity", "invalid", "SEAL_EXPIRED")
    ahead = ses.sign(eseal(), made.seal, HASH, SPAN, NOW_US + YEAR_US // 2)
    early = ses_check.inspect(ahead, trust(), NOW_US, COVERED)
    assert ("signer_chain", "unknown", "TIME_IN_FUTURE") in [(s.step, s.status.value, s.reason) for s in early.steps]
    assert early.outcome is Outcome.INDETERMINATE
    homeless = ses_check.inspect(signature(), trust(roots=()), NOW_US, COVERED)
    assert homeless.outcome is Outcome.INDETERMINATE
    assert statuses(homeless)["maker_chain"] == "unknown"
    assert seal_steps.summary(homeless).status is Status.UNKNOWN


def test_a_seal_made_by_no_maker() -> None:
    """Neither a forged maker's signature nor a seal holder who makes seals with a certificate of the same authority."""
    made = sm_setting()
    content = ses.info(
        seal_id="X",
        kind=ses.ORGANISATION,
        name="伪造机关",
        certificates=[made.seal.certificate],
        valid_us=(NOW_US, NOW_US + YEAR_US),
        created_us=NOW_US,
        picture=ses.Picture("png", b"x", 42, 42),
    )
    forged = ses.make_seal(content, replace(made.maker, sign=made.seal.sign))
    assert last(ses_check.inspect(forged, trust(), NOW_US)) == ("maker_signature", "invalid", "SIGNATURE")
    usurped = ses_check.inspect(ses.make_seal(content, made.seal), trust(), NOW_US)
    assert usurped.outcome is Outcome.INDETERMINATE
    assert seal_steps.summary(usurped).reason == "SES_MAKER_UNKNOWN"


def test_without_sm2_nothing_is_valid() -> None:
    """A machine that cannot check SM2 says unknown, never valid."""
    found = ses_check.inspect(signature(), trust(verify=None), NOW_US, COVERED)
    assert last(found) == ("maker_signature", "unknown", "SM_UNAVAILABLE")
    assert found.outcome is Outcome.INDETERMINATE


def v1_seal(*, algorithm: bytes = sm2.OID_SM2_WITH_SM3) -> bytes:
    """GM/T 0031: UTCTime, certificates without a kind, signed over information, certificate and algorithm."""
    made = sm_setting()
    header, seal_id, about, picture = der.parse(ses.read(eseal()).signed).children()  # type: ignore[union-attr]
    kind, name, _, listed, *_times = about.children()
    times = [der.tlv(0x17, text) for text in (b"260601040000Z", b"260601040000Z", b"270601040000Z")]
    old = header.raw.replace(der.integer(4), der.integer(1))
    about_v1 = der.tlv(der.SEQUENCE, kind.raw, name.raw, listed.raw, *times)
    content = der.tlv(der.SEQUENCE, old, seal_id.raw, about_v1, picture.raw)
    certificate = der.tlv(der.OCTET_STRING, made.maker.certificate)
    value = made.maker.sign(der.tlv(der.SEQUENCE, content, certificate, algorithm))
    return der.tlv(der.SEQUENCE, content, der.tlv(der.SEQUENCE, certificate, algorithm, sm2_pki.bit_string(value)))


def v1_signature() -> bytes:
    made = sm_setting()
    time = der.tlv(0x17, b"260601040000Z")
    content = der.tlv(
        der.SEQUENCE,
        der.integer(1),
        v1_seal(),
        sm2_pki.bit_string(time),
        sm2_pki.bit_string(HASH),
        der.tlv(0x16, SPAN.encode()),
        der.tlv(der.OCTET_STRING, made.seal.certificate),
        sm2.OID_SM2_WITH_SM3,
    )
    return der.tlv(der.SEQUENCE, content, sm2_pki.bit_string(made.seal.sign(content)))


def test_old_seals_and_signatures_are_read() -> None:
    """GM/T 0031 (V1): other order, other times, other signed bytes, the same steps."""
    sealed = ses_check.inspect(v1_seal(), trust(), NOW_US)
    assert sealed.outcome is Outcome.VALID
    assert sealed.seal is not None
    assert (sealed.seal.version, sealed.seal.info.valid_from_us) == (1, NOW_US)
    signed = ses_check.inspect(v1_signature(), trust(), NOW_US, COVERED)
    assert signed.outcome is Outcome.VALID, signed.steps
    other = ses_check.inspect(v1_seal(algorithm=der.oid("1.2.840.10045.4.3.2")), trust(), NOW_US)
    assert last(other) == ("seal", "unknown", "ALGORITHM")


def test_a_list_of_digests_is_understood() -> None:
    """certListType 2: the signer's SM3 is looked for; digests of another kind are unknown, not absent."""
    certificate = sm_setting().seal.certificate
    info = ses.read_signature(signature()).seal.info
    listed = replace(info, certificates=(), digests=(("SM3", sm.sm3(certificate)),))
    assert listed.lists(certificate, sm.sm3(certificate)) is True
    assert replace(listed, digests=(("SM3", HASH),)).lists(certificate, sm.sm3(certificate)) is False
    assert replace(listed, digests=(("MD5", HASH),)).lists(certificate, sm.sm3(certificate)) is None


def test_a_seal_is_no_signature() -> None:
    """Where a signature is wanted a seal is refused."""
    with pytest.raises(SesError, match="not a seal signature"):
        ses.read_signature(eseal())
