"""Moments in ASN.1: each lawful spelling is read, in timestamps, in seals and beside signatures; no other is."""

from collections.abc import Callable
from hashlib import sha256

import pytest

from services.esign.certification.domain.sm2_pki import bit_string
from services.esign.domain import asn1_times, der
from services.esign.domain.asn1_times import GENERALIZED_TIME, UTC_TIME
from services.esign.domain.verdict import Outcome
from services.esign.timestamps.domain import token as timestamp
from services.esign.timestamps.domain.reader import TimestampInvalidError, check_token
from shuniu.kit.crypto import sm
from tests.support import ofd
from tests.support.esign import NOW_US, setting
from tests.support.sm import sm_setting
from tests.support.timestamps import signer

MESSAGE = b"stamped"
SECOND_US = 1_000_000
# 2026-06-01T04:00:00Z is NOW_US.
LAWFUL = [
    (GENERALIZED_TIME, b"20260601040000Z", 0),
    (GENERALIZED_TIME, b"20260601040000.5Z", 500_000),
    (GENERALIZED_TIME, b"20260601040000,5Z", 500_000),
    (GENERALIZED_TIME, b"20260601040000.100Z", 100_000),
    (GENERALIZED_TIME, b"20260601040000.000Z", 0),
    (GENERALIZED_TIME, b"20260601040000.1234567891Z", 123_456),
    (GENERALIZED_TIME, b"20260601120000+0800", 0),
    (GENERALIZED_TIME, b"20260531234500.25-0415", 250_000),
    (GENERALIZED_TIME, b"202606010400Z", 0),
]
OF_UTC = [
    (UTC_TIME, b"260601040000Z", 0),
    (UTC_TIME, b"2606010400Z", 0),
    (UTC_TIME, b"260601120000+0800", 0),
]
UNLAWFUL = [
    (GENERALIZED_TIME, b"20260601040000"),
    (GENERALIZED_TIME, b"20260601040000.Z"),
    (GENERALIZED_TIME, b"20261301040000Z"),
    (GENERALIZED_TIME, b"20260601040060Z"),
    (GENERALIZED_TIME, b"20260601040000+08"),
    (GENERALIZED_TIME, b" 20260601040000Z"),
    (GENERALIZED_TIME, b"00010101000000+0800"),
    (UTC_TIME, b"260601040000.5Z"),
    (UTC_TIME, b"260601040000"),
    (0x0C, b"20260601040000Z"),
]


@pytest.mark.parametrize(("tag", "body", "more_us"), LAWFUL + OF_UTC)
def test_a_lawful_spelling_names_its_moment(tag: int, body: bytes, more_us: int) -> None:
    """Fractions of any length, zones, and seconds that are left out."""
    assert asn1_times.read(tag, body) == NOW_US + more_us


def test_a_year_of_two_digits_is_within_fifty_years() -> None:
    """UTCTime reaches from 1950 to 2049."""
    assert asn1_times.read(UTC_TIME, b"500101000000Z") < 0 < asn1_times.read(UTC_TIME, b"491231235959Z")


@pytest.mark.parametrize(("tag", "body"), UNLAWFUL)
def test_no_other_spelling_is_a_moment(tag: int, body: bytes) -> None:
    """Without a zone, of no calendar, of another kind."""
    with pytest.raises(ValueError, match=r"."):
        asn1_times.read(tag, body)


def stamped(tag: int, body: bytes) -> bytes:
    """A token of the trusted authority over MESSAGE, its time spelt so."""
    authority = signer()
    query = timestamp.read_query(timestamp.query(sha256(MESSAGE).digest(), 7))
    plain = authority._info(query, 9, NOW_US)
    *before, moment, accuracy, nonce = der.parse(plain).children()
    assert moment.body == b"20260601040000Z"
    info = der.tlv(der.SEQUENCE, *(each.raw for each in before), der.tlv(tag, body), accuracy.raw, nonce.raw)
    attributes = authority._signed_attributes(info)
    return authority._enclose(query, info, attributes, authority.key.sign(der.tlv(der.SET, attributes)))


@pytest.mark.parametrize(("tag", "body", "more_us"), LAWFUL)
def test_a_timestamp_in_any_spelling_is_read(tag: int, body: bytes, more_us: int) -> None:
    """OpenSSL says that they are good; so are they here."""
    found = check_token(stamped(tag, body), (MESSAGE,), (setting().root.certificate,), NOW_US + SECOND_US)
    assert found.time_us == NOW_US + more_us


@pytest.mark.parametrize(("tag", "body"), [each for each in UNLAWFUL if each[0] == GENERALIZED_TIME])
def test_a_timestamp_whose_time_cannot_be_read_is_open(tag: int, body: bytes) -> None:
    """A trusted authority signed it: nothing says that it is forged."""
    with pytest.raises(TimestampInvalidError) as raised:
        check_token(stamped(tag, body), (MESSAGE,), (setting().root.certificate,), NOW_US)
    assert (raised.value.reason, raised.value.unknown) == ("TIMESTAMP_SYNTAX", True)


def sealed(moment: bytes, text: int = 0x16) -> Callable[[bytes, str], bytes]:
    """A seal signature of GB/T 38540 whose time is that element, and propertyInfo of the type `text`."""

    def value(xml: bytes, location: str) -> bytes:
        made = der.parse(ofd.v4(xml, location)).children()
        fields = [each.raw for each in made[0].children()]
        fields[2], fields[4] = moment, der.tlv(text, location.encode())
        content = der.tlv(der.SEQUENCE, *fields)
        signature = bit_string(sm_setting().seal.sign(content))
        return der.tlv(der.SEQUENCE, content, made[1].raw, made[2].raw, signature)

    return value


def sealed_v1(moment: bytes) -> Callable[[bytes, str], bytes]:
    """The same of GM/T 0031."""

    def value(xml: bytes, location: str) -> bytes:
        fields = [each.raw for each in der.parse(ofd.v1(xml, location)).children()[0].children()]
        content = der.tlv(der.SEQUENCE, *fields[:2], bit_string(moment), *fields[3:])
        return der.tlv(der.SEQUENCE, content, bit_string(sm_setting().seal.sign(content)))

    return value


@pytest.mark.skipif(not sm.available(), reason="no SM2 on this machine")
@pytest.mark.parametrize(("tag", "body", "more_us"), LAWFUL + OF_UTC)
def test_a_seal_in_any_spelling_is_read(tag: int, body: bytes, more_us: int) -> None:
    """GM/T 0031 has UTCTime or GeneralizedTime, GB/T 38540 GeneralizedTime alone: with another it is open."""
    moment = der.tlv(tag, body)
    now_us = NOW_US + SECOND_US
    assert ofd.judged(ofd.signed(value=sealed_v1(moment)), now_us=now_us).outcome is Outcome.VALID
    expected = Outcome.VALID if tag == GENERALIZED_TIME else Outcome.INDETERMINATE
    assert ofd.judged(ofd.signed(value=sealed(moment)), now_us=now_us).outcome is expected
    assert more_us < SECOND_US


@pytest.mark.skipif(not sm.available(), reason="no SM2 on this machine")
@pytest.mark.parametrize(("tag", "body"), UNLAWFUL)
def test_a_seal_whose_time_cannot_be_read_is_open(tag: int, body: bytes) -> None:
    """The maker's signature is right: nothing says that it is forged."""
    found = ofd.judged(ofd.signed(value=sealed(der.tlv(tag, body))))
    assert found.outcome is Outcome.INDETERMINATE


@pytest.mark.skipif(not sm.available(), reason="no SM2 on this machine")
@pytest.mark.parametrize("text", [0x0C, 0x13, 0x1A])
def test_a_seal_with_a_text_of_another_type_is_open(text: int) -> None:
    """IA5String is what the standard has."""
    moment = der.tlv(GENERALIZED_TIME, b"20260601040000Z")
    assert ofd.judged(ofd.signed(value=sealed(moment, text))).outcome is Outcome.INDETERMINATE
    assert ofd.judged(ofd.signed(value=sealed(moment))).outcome is Outcome.VALID
