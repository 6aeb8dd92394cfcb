"""Bundles of certificates in PEM."""

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from services.esign.certification.domain import pem


def root(name: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"])
def test_no_certificate_is_lost_where_a_file_lacks_its_last_line_end(end: bytes) -> None:
    """Every one of each part is in the bundle, whatever their files end in."""
    parts = [root(name).rstrip() + end for name in ("a", "b", "c")]
    assert len(pem.certificates(pem.joined(parts[0], b"", parts[1], parts[2]))) == 3


def test_an_empty_bundle_holds_none() -> None:
    """There may be no other authority: that is no error."""
    assert pem.certificates(pem.joined(b"", b"")) == ()
