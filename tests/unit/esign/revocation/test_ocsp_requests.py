"""Questions to the OCSP responder that no certificate is behind."""

from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate, ocsp

from services.esign.domain.moments import DAY_US
from services.esign.revocation.domain import answers as revocation
from services.esign.revocation.service import RevocationService
from shuniu.kit.crypto import sm
from tests.support.esign import NOW_US, setting
from tests.support.sm import sm_setting


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


@pytest.mark.parametrize(
    "sm2", [False, pytest.param(True, marks=pytest.mark.skipif(not sm.available(), reason="no SM2"))]
)
def test_a_responder_of_a_clock_that_was_ahead_answers_no_more(*, sm2: bool) -> None:
    """Its certificate is not valid yet when the clock is right again; another one is made."""
    hub: Any = SimpleNamespace(hub=SimpleNamespace(name="内蒙古枢纽"))
    service = RevocationService(hub, setting().ca, sm_setting().ca if sm2 else None)

    def ask(now_us: int) -> object:
        return service._sm2_current(sm_setting().ca, now_us) if sm2 else service._current(setting().ca, now_us)

    ahead = ask(NOW_US + 300 * DAY_US)
    right = ask(NOW_US)
    assert right is not ahead
    assert ask(NOW_US + 1) is right
