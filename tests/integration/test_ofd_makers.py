"""OFD whose signature values another implementation made: BouncyCastle, with certificates of our authority."""

from pathlib import Path

import pytest

from services.esign.certification.domain import sm2_pki
from services.esign.domain.verdict import Outcome, SignatureKind
from services.esign.ses.domain import values as ses
from shuniu.kit.crypto import sm as provider
from tests.support import ofd_java, sm
from tests.support.esign import NOW_US, ORGANISATION, SEAL_ID
from tests.support.ofd import PAGE, YEAR_US, judged, page, reasons, signed

pytestmark = [pytest.mark.jdk, pytest.mark.skipif(not provider.available(), reason="no SM2 on this machine")]
XML, VALUE = "Doc_0/Signs/Sign_0/Signature.xml", "Doc_0/Signs/Sign_0/SignedValue.dat"


def test_signatures_of_another_maker(tmp_path: Path) -> None:
    """Its CMS and its seal signature hold over the same Signature.xml, and over no changed one."""
    made, key = sm.sm_setting(), provider.PrivateKey.generate()
    certificate = sm2_pki.issue_seal_certificate(made.ca, key.public.spki, ORGANISATION, SEAL_ID, NOW_US)
    content = ses.info(
        seal_id=SEAL_ID,
        kind=ses.ORGANISATION,
        name=ORGANISATION,
        certificates=[certificate],
        valid_us=(NOW_US, NOW_US + YEAR_US),
        created_us=NOW_US,
        picture=ses.Picture("png", b"picture", 42, 42),
    )
    files = signed()
    values = ofd_java.signed_values(
        tmp_path, key.der, certificate, ses.make_seal(content, made.maker), files[XML], f"/{XML}"
    )
    kinds = {"cms": SignatureKind.CMS, "ses": SignatureKind.SES}
    for name, value in values.items():
        verdict = judged({**files, VALUE: value})
        assert (verdict.outcome, reasons(verdict)) == (Outcome.VALID, {})
        assert verdict.signatures[0].kind is kinds[name]
        changed = judged({**files, VALUE: value, PAGE: page("有犯罪记录")})
        assert changed.outcome is Outcome.INVALID
        other = judged({**files, VALUE: value, XML: files[XML].replace(b"<ofd:Provider", b"<ofd:Provider  ")})
        assert (other.outcome, reasons(other)["integrity"]) == (Outcome.INVALID, "DIGEST")
