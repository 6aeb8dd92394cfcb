"""What a long list costs a document of many certificates."""

from hashlib import sha256

import pytest
from cryptography import x509

from services.esign.certification.domain import pki
from services.esign.certification.domain.holders import SealKind
from services.esign.certification.domain.revocation_words import Signed
from services.esign.certification.domain.validation_data import Then, ValidationData, standing
from services.esign.revocation.domain.answers import CertificateStanding, Standing, crl
from tests.support.esign import NOW_US, setting

HOUR_US = 3600 * 1_000_000


def certificates(many: int) -> list[x509.Certificate]:
    ca, key = setting().ca, setting().ca.key.public_key()
    names = [sha256(bytes([each])).hexdigest()[:20] for each in range(many)]
    return [pki.issue_seal_certificate(ca, key, "机构", name, NOW_US, kind=SealKind.ORGANISATION) for name in names]


@pytest.mark.parametrize("is_named", [False, True])
def test_a_list_is_read_and_verified_once_for_all_certificates(
    monkeypatch: pytest.MonkeyPatch, *, is_named: bool
) -> None:
    """Of one authority, whether or not the list names them; each is judged by itself."""
    asked, others = certificates(5), CertificateStanding(5, Standing.HELD, NOW_US)
    named = [CertificateStanding(one.serial_number, Standing.REVOKED, NOW_US + HOUR_US) for one in asked[1:]]
    data = crl(setting().ca, [others, *(named if is_named else ())], NOW_US + 2 * HOUR_US)
    read: list[bytes] = []
    verified: list[Signed] = []
    load, made_by = x509.load_der_x509_crl, Signed.made_by

    def loading(given: bytes) -> x509.CertificateRevocationList:
        read.append(given)
        return load(given)

    def verifying(signed: Signed, signer: x509.Certificate) -> bool:
        verified.append(signed)
        return made_by(signed, signer)

    monkeypatch.setattr(x509, "load_der_x509_crl", loading)
    monkeypatch.setattr(Signed, "made_by", verifying)
    then_us = NOW_US + 2 * HOUR_US
    # As a document brings it each time: equal bytes, not the same ones.
    found = [
        standing(one, setting().ca.certificate, ValidationData(crls=(bytes(bytearray(data)),)), then_us, then_us)
        for one in asked
    ]
    assert found == [Then.GOOD, *[Then.REVOKED if is_named else Then.GOOD] * 4]
    assert (len(read), len(verified)) == (1, 1)
