"""A seal signature is judged alike beside a PDF and inside an OFD."""

from collections.abc import Sequence

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.esign.certification.domain import sm2_pki
from services.esign.certification.domain.sm2_pki import Sm2Signer
from services.esign.domain import der
from services.esign.domain.verdict import Outcome
from services.esign.ses import document as ses_document
from services.esign.ses.domain import values as ses
from services.esign.verification.offline import Trusted, judged
from shuniu.kit.crypto import sm
from tests.support import ofd
from tests.support.esign import NOW_US, ORGANISATION, SEAL_ID, sealed, setting
from tests.support.sm import sm_setting

KEY, CA_KEY = sm.PrivateKey.generate(), sm.PrivateKey.generate()
SERVERS = sm2_pki._uses(der.oid("1.3.6.1.5.5.7.3.1"), critical=True)
_NAME = der.tlv(der.SEQUENCE, der.tlv(0x82, b"a.example"))
NAMES = sm2_pki._extension("2.5.29.30", der.tlv(der.SEQUENCE, der.tlv(0xA0, _NAME)))


def made(key: sm.PrivateKey, name: bytes, by: Sm2Signer, extensions: Sequence[bytes]) -> Sm2Signer:
    subject, spki = sm2_pki.subject_of(by.certificate), key.public.spki
    body = sm2_pki._body(name, subject, spki, by.spki, NOW_US, 300, extensions)
    return Sm2Signer(sm2_pki._signed(body, by.sign), spki, key.sign)


def confined() -> Sm2Signer:
    """An authority that may certify some names only."""
    name = sm2_pki._ca_name("Confined CA", "x")
    return made(CA_KEY, name, sm_setting().root, [*sm2_pki._authority(0), NAMES])


def signer(case: str, confined: Sm2Signer) -> Sm2Signer:
    name = sm2_pki._holder(sm2_pki.SealKind.ORGANISATION, ORGANISATION, SEAL_ID)
    extensions = [*sm2_pki._end_entity(), *([SERVERS] if case == "for servers" else [])]
    return made(KEY, name, confined if case == "of a confined authority" else sm_setting().ca, extensions)


def seal_of(one: Sm2Signer) -> bytes:
    info = ses.info(
        seal_id=SEAL_ID,
        kind=ses.ORGANISATION,
        name=ORGANISATION,
        certificates=[one.certificate],
        valid_us=(NOW_US, NOW_US + 10**12),
        created_us=NOW_US,
        picture=ses.Picture("png", b"x", 42, 42),
    )
    return ses.make_seal(info, sm_setting().maker)


def trusted(*between: Sm2Signer) -> Trusted:
    chosen = (sm_setting().root, sm_setting().ca, sm_setting().maker, *between)
    loaded = [x509.load_der_x509_certificate(each.certificate) for each in chosen]
    loaded.append(setting().root.certificate)
    return Trusted.of_files({f"{n}.pem": each.public_bytes(Encoding.PEM) for n, each in enumerate(loaded)})


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("usual", "SES_VALID"),
        ("for servers", "SES_SIGNER_KEY_USAGE"),
        ("of a confined authority", "SES_NAME_CONSTRAINTS"),
    ],
)
def test_a_seal_is_judged_alike_by_whatever_door_it_comes_in(case: str, expected: str) -> None:
    """Whom the certificate's extended uses, or its authority's limits, exclude signs no document in any form."""
    above = confined()
    one, trust = signer(case, above), trusted(above)
    covered = ses_document.covered(sealed())
    beside = ses.sign(seal_of(one), one, covered.data_hash, covered.protected, NOW_US)
    inside = ofd.packed(
        ofd.signed(value=lambda xml, place: ses.sign(seal_of(one), one, ofd.SM3.of(xml), place, NOW_US))
    )
    verdicts = judged(sealed(), trust, NOW_US, ses=beside), judged(inside, trust, NOW_US)
    outcome = Outcome.VALID if case == "usual" else Outcome.INDETERMINATE
    for found in verdicts:
        assert (found.outcome, next(step.reason for step in found.steps if step.step == "ses")) == (outcome, expected)
