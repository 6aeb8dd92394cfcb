"""A moment that a stranger states enters a verdict only if every door can write it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from services.esign.domain import der, moments
from services.esign.domain.cms import reader as cms_reader
from services.esign.domain.cms.signed_cms import CmsError
from services.esign.domain.ofd.markup import Element
from services.esign.domain.pdf import signatures as pdf_signatures
from services.esign.ses.domain import values as ses
from services.esign.ses.domain.values import SesError
from services.esign.timestamps.domain import reader as timestamp_reader
from services.esign.verification.domain import validation_report
from services.esign.verification.domain.ofd import signatures as ofd_signatures
from services.esign.verification.domain.sentences import verdict_words
from services.esign.verification.service.views import verdict_view
from shuniu.china_time import CHINA
from tests.support.esign import NOW_US
from tests.support.ofd import gm_cms, judged, signed

DIGITS = st.text("0123456789", max_size=14)
YEARS = st.sampled_from(["0000", "0001", "0002", "1950", "1969", "2026", "9998", "9999"])
RESTS = st.sampled_from(
    ["0101000000", "0101075959", "0101080000", "1231155959", "1231160000", "1231235959", "1332256161"]
)
ZONES = st.sampled_from(["", "Z", "+08'00'", "-08'00'", "+23'59'", "-23'59'", "+99'99'"])
FRACTIONS = st.sampled_from(["", ".0", ".9", ".999999", ".9999999"])
TEXTS = st.one_of(
    st.builds(str.__add__, YEARS, RESTS),
    DIGITS,
    st.datetimes().map(lambda each: f"{each:%Y%m%d%H%M%S}"),
).map(lambda text: text.zfill(14) if text.isdecimal() else text)


def spelt(text: str) -> str:
    """2026-06-01 12:00:00."""
    return f"{text[:4]}-{text[4:6]}-{text[6:8]} {text[8:10]}:{text[10:12]}:{text[12:14]}"


def of_ofd(text: str) -> tuple[int, ...]:
    return ofd_signatures._stated(Element("SignedInfo", {}, [Element("SignatureDateTime", {}, text=text)]))


def readings(text: str, zone: str, fraction: str) -> list[int]:
    """What every reader of the verifier makes of a date."""
    pdf = pdf_signatures._moment(f"D:{text}{zone}".encode())
    cms = [
        cms_reader._signing_time({cms_reader._OID_SIGNING_TIME: (der.tlv(tag, stated.encode()),)})
        for tag, stated in ((0x18, f"{text}Z"), (0x17, f"{text[2:]}Z"))
    ]
    found = [pdf, *cms]
    raising: list[Callable[[], int]] = [
        lambda: ses._time(der.parse(der.tlv(0x18, f"{text}Z".encode())), ses.V4),
        lambda: moments.read(spelt(text), "%Y-%m-%d %H:%M:%S", CHINA),
        lambda: timestamp_reader._moment(der.parse(der.tlv(0x18, f"{text}{fraction}Z".encode()))),
    ]
    for read in raising:
        try:
            found.append(read())
        except (SesError, CmsError, ValueError):
            continue
    for stated in (text, f"{text}Z", f"{text}{fraction}Z", spelt(text)):
        found += of_ofd(stated)
    return [each for each in found if each is not None]


@settings(deadline=None)
@given(TEXTS, ZONES, FRACTIONS)
def test_no_date_text_gives_a_moment_that_a_door_cannot_write(text: str, zone: str, fraction: str) -> None:
    """Whatever a file states as its time, in any form and zone: there is no such moment, or JSON, XML and protobuf all
    write it.
    """
    for at_us in readings(text, zone, fraction):
        assert moments.FIRST_US <= at_us <= moments.LAST_US
        assert moments.written(at_us).endswith("Z")
        Timestamp().FromMicroseconds(at_us)


@given(st.integers(-(2**80), 2**80))
def test_the_range_is_that_of_every_door(at_us: int) -> None:
    """A number is a moment exactly where it can be written in each form."""
    try:
        text = moments.written(at_us)
    except ValueError:
        assert not moments.FIRST_US <= at_us <= moments.LAST_US
    else:
        Timestamp().FromJsonString(text)
        assert datetime.fromisoformat(text).tzinfo is UTC


def test_the_ends_of_the_calendar() -> None:
    """Year 1 and year 9999 in UTC are moments; the hours of a zone that lie outside are none."""
    for first in (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)):
        assert moments.written(moments.us(first)) == first.isoformat().replace("+00:00", "Z")
    china, west = timezone(timedelta(hours=8)), timezone(timedelta(hours=-8))
    for outside in (datetime(1, 1, 1, tzinfo=china), datetime(9999, 12, 31, 23, 59, 59, tzinfo=west)):
        with pytest.raises(ValueError, match="outside the years"):
            moments.us(outside)
    # Without a zone it may be the clock of China or UTC: only the reading that is a moment counts.
    assert of_ofd("00010101000000") == (moments.FIRST_US,)
    assert len(of_ofd("20260601120000")) == 2


@pytest.mark.parametrize("stated", ["00010101000000", "0001-01-01 00:00:00", "00010101075959", "99991231235959"])
def test_a_document_of_year_0_has_a_verdict_at_every_door(stated: str) -> None:
    """A SignatureDateTime that lies before year 1 in China gives a verdict that JSON, gRPC and the report all write."""
    found = judged(signed(value=gm_cms, stated=stated))
    assert verdict_words.as_json(found)["verdict"] == "INDETERMINATE"
    assert verdict_view(found, {}).as_of.ToMicroseconds() == found.as_of_us
    assert validation_report.of(found, b"x" * 32, NOW_US)
