"""Each signature is judged by its own moment, and each path by what it is used for."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.esign.domain import chain
from services.esign.domain.chain import ChainError


def authority(name, issuer=None, uses=()):
    """A certificate for an authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    above = (subject, key) if issuer is None else (issuer[0].subject, issuer[1])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above[0])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=9))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    if uses:
        made = made.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    return made.sign(above[1], hashes.SHA256()), key


@pytest.mark.parametrize(
    ("uses", "stamps", "signs"),
    [
        ((), True, True),
        ((ExtendedKeyUsageOID.TIME_STAMPING,), True, False),
        ((ExtendedKeyUsageOID.EMAIL_PROTECTION,), False, True),
        ((ExtendedKeyUsageOID.SERVER_AUTH,), False, False),
        ((ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,), True, True),
    ],
)
def test_an_authority_vouches_for_what_it_is_for(uses, stamps, signs):
    """One confined to mail or servers makes nobody an authority for times, and the reverse."""
    root = authority("root")
    between = authority("between", root, uses)
    path = (authority("signer", between)[0], between[0], root[0])
    for check, accepted in ((chain.check_timestamp_path, stamps), (chain.check_document_path, signs)):
        if accepted:
            check(path)
        else:
            with pytest.raises(ChainError) as refused:
                check(path)
            assert (refused.value.reason, refused.value.unknown) == ("ISSUER_USAGE", True)
