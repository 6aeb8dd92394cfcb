"""Names of unusual length in a stranger's certificate or list: judged like any, and the library prints nothing of them."""

import warnings

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from services.esign.certification.domain.trust import Trust
from services.esign.domain import der
from services.esign.domain.verdict import Status
from shuniu.kit.crypto import sm as provider
from tests.support import foreign_cms, gapped, ofd
from tests.support.esign import NOW_US, setting
from tests.support.sm import sm_setting
from tests.support.verdicts import judged

KEY = foreign_cms.key("p256")
DOCUMENT, PLACE = gapped.in_one_piece()
CONTENT = bytes(DOCUMENT.data)


def attribute(oid: str, tag: int, text: bytes) -> bytes:
    return der.tlv(der.SET, der.tlv(der.SEQUENCE, der.oid(oid), der.tlv(tag, text)))


# A country of three letters, and an organisation of 70 characters: beyond the bounds of X.520.
NAME = der.tlv(der.SEQUENCE, attribute("2.5.4.6", 0x13, b"CHN"), attribute("2.5.4.3", 0x0C, "单".encode() * 70))


def renamed(certificate: bytes) -> bytes:
    """The certificate under that name, with a serial number below zero, signed by the test key."""
    body, algorithm, _ = der.parse(certificate).children()
    fields = [field.raw for field in body.children()]
    fields[1], fields[5] = b"\x02\x01\xff", NAME
    signed = der.tlv(der.SEQUENCE, *fields)
    value = KEY.sign(signed, ec.ECDSA(hashes.SHA256()))
    return der.tlv(der.SEQUENCE, signed, algorithm.raw, der.tlv(der.BIT_STRING, b"\x00" + value))


def test_a_pdf_signed_under_an_unusual_name_is_judged_in_silence() -> None:
    """The signature holds; nothing is warned of, which would be the verifier's terminal."""
    certificate = renamed(foreign_cms.certificate("p256"))
    cms = foreign_cms.by_hand(
        foreign_cms.usual_attributes(CONTENT, certificate), signer=certificate, certificates=[certificate]
    )
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        verdict = judged(
            gapped.with_value(CONTENT, PLACE, cms), trust=Trust((setting().root.certificate,)), now_us=NOW_US
        )
    assert (verdict.step("integrity").status, [str(each.message) for each in told]) == (Status.VALID, [])


@pytest.mark.skipif(not provider.available(), reason="no SM2 on this machine")
def test_an_ofd_signed_under_an_unusual_name_is_judged_in_silence() -> None:
    """A seal signature and a signature alone, whose certificate nobody signed."""
    certificate = renamed(sm_setting().seal.certificate)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for make in (ofd.v4, ofd.gm_cms):
            files = ofd.signed(
                value=lambda xml, at, make=make: _swapped(make(xml, at), sm_setting().seal.certificate, certificate)
            )
            assert ofd.judged(files).step("integrity").reason
    assert [str(each.message) for each in told] == []


def _swapped(value: bytes, old: bytes, new: bytes) -> bytes:
    """The DER with one element in the place of another, lengths made right."""

    def written(node: der.Node) -> bytes:
        if node.raw == old:
            return new
        if node.tag & 0x20:
            return der.tlv(node.tag, *([written(child) for child in node.children()] or [b""]))
        return der.tlv(node.tag, new) if node.body == old else node.raw

    return written(der.parse(value))
