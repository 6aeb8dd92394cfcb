"""Moments as ASN.1 writes them (X.680, 46 and 47; X.690, 11.7 and 11.8), in each spelling that names one moment."""

import re
from datetime import UTC, datetime, timedelta, timezone

from services.esign.domain import moments

UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
_ZONE = rb"(?:Z|([+-])(\d\d)(\d\d))"
# Seconds may be left out, and have a fraction of any length in a GeneralizedTime.
_SHAPES = {
    UTC_TIME: re.compile(rb"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?()%b" % _ZONE),
    GENERALIZED_TIME: re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(?:(\d\d)(?:[.,](\d+))?)?%b" % _ZONE),
}


def read(tag: int, body: bytes) -> int:
    """µs since 1970, what is less cut off. Raises ValueError for any other tag, and for a time without its zone."""
    shape = _SHAPES.get(tag)
    found = None if shape is None else shape.fullmatch(body)
    if found is None:
        raise ValueError("no moment in ASN.1")
    year, month, day, hour, minute, second = (int(part or b"0") for part in found.groups()[:6])
    if tag == UTC_TIME:
        # Years from 50 on are of the century before (RFC 5280, 4.1.2.5.1).
        year += 1900 if year >= 50 else 2000
    fraction = int((found[7] or b"").ljust(6, b"0")[:6])
    zone = UTC
    if found[8] is not None:
        offset = timedelta(hours=int(found[9]), minutes=int(found[10]))
        zone = timezone(offset if found[8] == b"+" else -offset)
    return moments.us(datetime(year, month, day, hour, minute, second, fraction, tzinfo=zone))
