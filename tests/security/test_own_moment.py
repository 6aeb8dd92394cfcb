"""Each signature is judged by its own moment, and each path by what it is used for."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.esign.certification.domain import paths
from services.esign.certification.domain.chain import ChainError

HASH = hashes.SHA256()
CLIENT, DOCUMENTS = ExtendedKeyUsageOID.CLIENT_AUTH, x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")


def authority(name, issuer=None, uses=()):
    """A certificate for an authority, and its key."""
    made, key, above = begun(name, issuer, uses)
    return made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(above, HASH), key


def signer(issuer, uses=(), *, commits=False):
    """A certificate for who signs, by commitment or not."""
    made, _, above = begun("signer", issuer, uses)
    usage = dict.fromkeys(
        [
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ],
        False,
    )
    usage |= {"digital_signature": True, "content_commitment": commits}
    return made.add_extension(x509.KeyUsage(**usage), critical=True).sign(above, HASH)


def begun(name, issuer, uses):
    """A certificate that is not signed yet, its key and its issuer's."""
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
    )
    if uses:
        made = made.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    return made, key, above[1]


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
    for check, accepted in ((paths.check_timestamp_path, stamps), (paths.check_document_path, signs)):
        if accepted:
            check(path)
        else:
            with pytest.raises(ChainError) as refused:
                check(path)
            assert (refused.value.reason, refused.value.unknown) == ("ISSUER_USAGE", True)


@pytest.mark.parametrize("above", [(CLIENT,), (CLIENT, ExtendedKeyUsageOID.SERVER_AUTH)])
@pytest.mark.parametrize("uses", [(), (DOCUMENTS,), (ExtendedKeyUsageOID.EMAIL_PROTECTION,), (CLIENT,)])
def test_an_authority_for_signing_in_vouches_for_no_document(above, uses):
    """What a certificate is for is within what its authorities are for: below one for clients of TLS nobody signs
    documents but who signs in, and is expressly for commitments.
    """
    root = authority("root")
    between = authority("between", root, above)
    for commits in (False, True):
        path = (signer(between, uses, commits=commits), between[0], root[0])
        if commits and uses == (CLIENT,):
            paths.check_document_path(path)
            continue
        with pytest.raises(ChainError) as refused:
            paths.check_document_path(path)
        assert (refused.value.reason, refused.value.unknown) == ("ISSUER_USAGE", True)
