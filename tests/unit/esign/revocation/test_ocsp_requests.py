"""Questions to the OCSP responder that no certificate is behind."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate, ocsp

from services.esign.revocation.domain import answers as revocation
from tests.support.esign import NOW_US, setting


def question() -> bytes:
    certificate = load_der_x509_certificate(setting().certificate)
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, setting().ca.certificate, hashes.SHA256())
    return builder.build().public_bytes(Encoding.DER)


def test_a_question_is_read() -> None:
    """As the library writes it."""
    asked = revocation.read_request(question())
    assert asked is not None
    assert revocation.means(asked, setting().ca.certificate)


@pytest.mark.parametrize("fault", ["a serial below zero", "hashes of another length"])
def test_what_no_answer_can_repeat_is_malformed(fault: str) -> None:
    """It is the asker's fault and no failure of the responder."""
    whole = question()
    if fault == "a serial below zero":
        serial = load_der_x509_certificate(setting().certificate).serial_number
        size = serial.bit_length() // 8 + 1
        at = whole.index(serial.to_bytes(size, "big"))
        whole = whole[:at] + b"\x80" + whole[at + 1 :]
    else:
        # The object identifier of SHA-256 becomes that of SHA-512: 2.16.840.1.101.3.4.2.3.
        whole = whole.replace(bytes.fromhex("608648016503040201"), bytes.fromhex("608648016503040203"))
    assert revocation.read_request(whole) is None


def test_no_touched_question_fails_the_responder() -> None:
    """Each byte changed in several ways: an answer, or unreadable."""
    whole = question()
    for at in range(len(whole)):
        for value in {0, 0x7F, 0x80, 0xFF, whole[at] ^ 1}:
            asked = revocation.read_request(whole[:at] + bytes([value]) + whole[at + 1 :])
            if asked is not None:
                assert revocation.answer(asked, None, setting().ca, NOW_US)
