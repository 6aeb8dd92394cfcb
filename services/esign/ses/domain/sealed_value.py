"""Signatures in a PDF that are no CMS, as the same parts that a CMS has: a seal signature (GB/T 38540, GM/T 0031) in
/Contents, and a bare RSA value (adbe.x509.rsa_sha1, ISO 32000-1, 12.8.3.2). So every signature is judged by one set of
steps.
"""

from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from services.esign.certification.domain import chain
from services.esign.certification.domain.chain import ChainError
from services.esign.domain import der
from services.esign.domain.cms import reader as cms_reader
from services.esign.domain.cms.signature_value import HASHES, NULL, SHA1, public_key_of
from services.esign.domain.cms.signed_cms import CmsError, SignedCms
from services.esign.domain.digests import SM3
from services.esign.ses.domain import values as ses
from services.esign.ses.domain.values import SealSignature, SesError

# rsaEncryption: which digest is inside, the value itself says (PKCS #1, 9.2).
_RSA = der.tlv(der.SEQUENCE, der.oid("1.2.840.113549.1.1.1"), NULL)


def of_seal(contents: bytes) -> tuple[SignedCms, SealSignature]:
    """The seal signature in /Contents, and its parts. Raises CmsError."""
    try:
        found = ses.read_signature(cms_reader.unpadded(contents))
    except SesError as cause:
        raise CmsError("SES_SYNTAX", str(cause), unsupported=cause.unsupported) from cause
    # In V4 the timestamp is of the signature's value; in V1 it stands inside what is signed and cannot be.
    stamps = found.timestamp is not None and found.seal.version == ses.V4
    parts = SignedCms(
        certificates=(found.certificate, found.seal.maker),
        signer=found.certificate,
        digest_algorithm=SM3.oid,
        signature_algorithm=der.tlv(der.SEQUENCE, found.algorithm),
        message_digest=found.data_hash,
        signed_attributes=found.signed,
        signature=found.signature,
        # The certificate stands in the seal's list, which is signed; whether it does is a step of its own (`ses`).
        certificate_reference=(SM3.oid, SM3.of(found.certificate)),
        signing_time_us=found.time_us,
        timestamp_tokens=(found.timestamp,) if stamps and found.timestamp is not None else (),
    )
    return parts, found


def of_raw_rsa(contents: bytes, certificates: Sequence[bytes]) -> SignedCms:
    """The bare RSA value in /Contents, an octet string; `certificates` are those of /Cert, the signer's first. Raises
    CmsError.
    """
    if not certificates:
        raise CmsError("NO_CERTIFICATE", "the signature dictionary holds no certificate", unsupported=True)
    try:
        value = der.parse(cms_reader.unpadded(contents)).expect(der.OCTET_STRING).body
    except der.DerError as cause:
        raise CmsError("CMS_SYNTAX", f"not an RSA signature: {cause}") from cause
    return SignedCms(
        certificates=tuple(dict.fromkeys(certificates)),
        signer=certificates[0],
        digest_algorithm=_digest_inside(value, certificates[0]),
        signature_algorithm=_RSA,
        message_digest=b"",
        signed_attributes=b"",
        signature=value,
        certificate_reference=None,
    )


def _digest_inside(value: bytes, certificate: bytes) -> bytes:
    """The digest algorithm that the value names; SHA-1, the form's own, where it cannot be told: it will not hold."""
    try:
        key = public_key_of(chain.load(certificate))
        if not isinstance(key, rsa.RSAPublicKey):
            return SHA1
        info = key.recover_data_from_signature(value, padding.PKCS1v15(), None)
        (algorithm, _) = der.parse(info).expect(der.SEQUENCE).children()
        oid = algorithm.children()[0].raw
    except (ChainError, InvalidSignature, UnsupportedAlgorithm, der.DerError, ValueError, IndexError):
        return SHA1
    return oid if oid in HASHES else SHA1
