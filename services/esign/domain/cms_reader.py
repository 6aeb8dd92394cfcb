"""Reads a CMS SignedData strictly (RFC 5652, RFC 5035): exactly one signer, detached, signed attributes present and
single.
"""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256, sha384, sha512
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from services.esign.domain import cms, der, sm2
from services.esign.domain.der import Node
from services.esign.domain.digests import SM3

_SHA384 = der.oid("2.16.840.1.101.3.4.2.2")
_SHA512 = der.oid("2.16.840.1.101.3.4.2.3")
_DIGESTS: dict[bytes, tuple[Any, hashes.HashAlgorithm]] = {
    cms.OID_SHA256: (sha256, hashes.SHA256()),
    _SHA384: (sha384, hashes.SHA384()),
    _SHA512: (sha512, hashes.SHA512()),
    SM3.oid: (SM3.new, hashes.SM3()),
}
_NULL = b"\x05\x00"
_RSA = der.oid("1.2.840.113549.1.1.1")
# Signature algorithm → the digest it names; plain rsaEncryption leaves that to the digest algorithm.
_ECDSA = {
    cms.OID_ECDSA_SHA256: cms.OID_SHA256,
    der.oid("1.2.840.10045.4.3.3"): _SHA384,
    der.oid("1.2.840.10045.4.3.4"): _SHA512,
}
_RSA_WITH = {
    der.oid("1.2.840.113549.1.1.11"): cms.OID_SHA256,
    der.oid("1.2.840.113549.1.1.12"): _SHA384,
    der.oid("1.2.840.113549.1.1.13"): _SHA512,
}
# As much as a key of 8192 bits takes.
_LONGEST_SALT = 1024
_MAX_CERTIFICATES = 16
_KEEP_MOST = 8192


class CmsError(ValueError):
    """The signature is not one that this reader can vouch for. `unsupported`: lawful, but beyond it."""

    def __init__(self, reason: str, detail: str, *, unsupported: bool = False) -> None:
        super().__init__(detail)
        self.reason = reason
        self.unsupported = unsupported


@dataclass(frozen=True, slots=True)
class SignedCms:
    """A signature taken apart. `signed_attributes` is the SET that was signed; `certificates` are all that came with
    it, DER.
    """

    certificates: tuple[bytes, ...]
    signer: bytes
    digest_algorithm: bytes
    signature_algorithm: bytes
    message_digest: bytes
    signed_attributes: bytes
    signature: bytes
    certificate_reference: tuple[bytes, bytes]
    has_unsigned_attributes: bool
    # The signature timestamp, when that is the only unsigned attribute.
    timestamp_token: bytes | None = None

    def digest(self, *parts: bytes | memoryview) -> bytes:
        """Digest of a document's parts with the signature's algorithm."""
        state = _DIGESTS[self.digest_algorithm][0]()
        for part in parts:
            state.update(part)
        found: bytes = state.digest()
        return found

    def names_its_certificate(self) -> bool:
        """Whether signing-certificate-v2 is of exactly the signer's certificate."""
        algorithm, value = self.certificate_reference
        found: bytes = _DIGESTS[algorithm][0](self.signer).digest()
        return found == value

    def signature_holds(self, signer: x509.Certificate) -> bool:
        """Whether the signer's key made the signature over the attributes. Raises CmsError for keys and algorithms
        unknown here.
        """
        sm2_key = sm2.key_of(signer)
        if sm2_key is not None:
            return self._sm2_holds(sm2_key)
        key = signer.public_key()
        algorithm = _DIGESTS[self.digest_algorithm][1]
        try:
            if isinstance(key, ec.EllipticCurvePublicKey) and self._is(_ECDSA, b""):
                key.verify(self.signature, self.signed_attributes, ec.ECDSA(algorithm))
            elif isinstance(key, rsa.RSAPublicKey) and self._is({**_RSA_WITH, _RSA: self.digest_algorithm}, _NULL):
                key.verify(self.signature, self.signed_attributes, padding.PKCS1v15(), algorithm)
            elif isinstance(key, rsa.RSAPublicKey) and (salt := self._salt()) is not None:
                scheme = padding.PSS(padding.MGF1(algorithm), salt)
                key.verify(self.signature, self.signed_attributes, scheme, algorithm)
            else:
                raise CmsError("ALGORITHM", "signature algorithm and key do not fit or are not known", unsupported=True)
        except InvalidSignature:
            return False
        return True

    def _sm2_holds(self, key: bytes) -> bool:
        if (self.signature_algorithm, self.digest_algorithm) != (sm2.ALGORITHM, SM3.oid):
            raise CmsError("ALGORITHM", "an SM2 key signs with SM2 and SM3 only", unsupported=True)
        try:
            return sm2.holds(key, self.signed_attributes, self.signature)
        except sm2.Sm2AbsentError as cause:
            raise CmsError("SM_UNAVAILABLE", str(cause), unsupported=True) from cause

    def _salt(self) -> int | None:
        """Length of the salt in bytes when the algorithm is RSASSA-PSS (RFC 4056) with one digest throughout; None when
        it is anything else.
        """
        try:
            kind, parameters = der.parse(self.signature_algorithm).children()
            digest, mask, salt = parameters.expect(der.SEQUENCE).children()
            (length,) = salt.expect(0xA2).children()
            bytes_of_salt = length.integer()
        except (der.DerError, ValueError):
            return None
        identifiers = [der.tlv(der.SEQUENCE, self.digest_algorithm, null) for null in (b"", _NULL)]
        masks = [der.tlv(0xA1, der.tlv(der.SEQUENCE, cms.OID_MGF1, each)) for each in identifiers]
        fits = digest.raw in {der.tlv(0xA0, each) for each in identifiers} and mask.raw in masks
        return bytes_of_salt if kind.raw == cms.OID_RSA_PSS and fits and 0 <= bytes_of_salt <= _LONGEST_SALT else None

    def _is(self, known: dict[bytes, bytes], parameters: bytes) -> bool:
        return any(
            self.signature_algorithm == der.tlv(der.SEQUENCE, oid, parameters) and digest == self.digest_algorithm
            for oid, digest in known.items()
        )


def unpadded(contents: bytes) -> bytes:
    """The CMS without the zero bytes that fill /Contents. Raises CmsError for anything else behind it."""
    try:
        end = der.parse_prefix(contents).end
    except der.DerError as cause:
        raise CmsError("CMS_SYNTAX", str(cause)) from cause
    if any(contents[end:]):
        raise CmsError("CONTENTS_TAIL", "bytes behind the signature inside /Contents")
    return contents[:end]


def read(data: bytes) -> SignedCms:
    """The signature in `data`, which it fills exactly. Raises CmsError."""
    try:
        return _read(data)
    except der.DerError as cause:
        raise CmsError("CMS_SYNTAX", f"not a strict CMS SignedData: {cause}") from cause


def _read(data: bytes) -> SignedCms:
    content_type, explicit = _exactly(der.parse(data).expect(der.SEQUENCE), 2)
    if content_type.raw != cms.OID_SIGNED_DATA:
        raise CmsError("CMS_SYNTAX", "not SignedData")
    (signed_data,) = _exactly(explicit.expect(0xA0), 1)
    fields = signed_data.expect(der.SEQUENCE).children()
    if len(fields) == 6 and fields[4].tag == 0xA1:
        raise CmsError("CMS_REVOCATION", "revocation data inside the signature", unsupported=True)
    if len(fields) != 5:
        raise CmsError("CMS_SYNTAX", "SignedData needs certificates and one signer")
    version, digests, content, certificates, signers = fields
    # RFC 5652, 5.1: data, signer named by issuer and serial number, no attribute certificates: version 1 and no other.
    if version.integer() != 1 or content.expect(der.SEQUENCE).body != cms.OID_DATA:
        raise CmsError("CMS_SYNTAX", "not a detached signature over data")
    embedded = tuple(node.expect(der.SEQUENCE).raw for node in certificates.expect(0xA0).children())
    if not 1 <= len(embedded) <= _MAX_CERTIFICATES or len(set(embedded)) != len(embedded):
        raise CmsError("CMS_SYNTAX", "certificates missing, repeated or too many")
    (digest,) = _exactly(digests.expect(der.SET), 1)
    (signer,) = _exactly(signers.expect(der.SET), 1)
    return _signer(signer.expect(der.SEQUENCE), digest.raw, embedded)


def _signer(signer: Node, digest_identifier: bytes, embedded: tuple[bytes, ...]) -> SignedCms:
    fields = signer.children()
    if len(fields) not in {6, 7} or (len(fields) == 7 and fields[6].tag != 0xA1):
        raise CmsError("CMS_SYNTAX", "signer without signed attributes")
    version, identifier, digest, attributes, algorithm, signature = fields[:6]
    if version.integer() != 1 or digest.raw != digest_identifier:
        raise CmsError("CMS_SYNTAX", "version or digest algorithms do not agree")
    digest_oid = _digest_oid(digest)
    values = _attributes(attributes.expect(0xA0))
    if values.get(cms.OID_CONTENT_TYPE) != cms.OID_DATA:
        raise CmsError("CMS_ATTRIBUTES", "content-type is not data")
    message_digest = values.get(cms.OID_MESSAGE_DIGEST)
    reference = values.get(cms.OID_SIGNING_CERTIFICATE_V2)
    if message_digest is None or reference is None:
        raise CmsError(
            "CMS_ATTRIBUTES", "message-digest or signing-certificate-v2 is missing", unsupported=reference is None
        )
    return SignedCms(
        certificates=embedded,
        signer=_signer_certificate(identifier, embedded),
        digest_algorithm=digest_oid,
        signature_algorithm=algorithm.expect(der.SEQUENCE).raw,
        message_digest=der.parse(message_digest).expect(der.OCTET_STRING).body,
        signed_attributes=b"\x31" + attributes.raw[1:],
        signature=signature.expect(der.OCTET_STRING).body,
        certificate_reference=_reference(reference),
        has_unsigned_attributes=len(fields) == 7,
        timestamp_token=_timestamp(fields[6]) if len(fields) == 7 else None,
    )


def _digest_oid(identifier: Node) -> bytes:
    parts = identifier.expect(der.SEQUENCE).children()
    if not parts or parts[0].raw not in _DIGESTS or [p.raw for p in parts[1:]] not in ([], [_NULL]):
        raise CmsError("ALGORITHM", "digest algorithm is not known here", unsupported=True)
    return parts[0].raw


def _attributes(node: Node) -> dict[bytes, bytes]:
    values: dict[bytes, bytes] = {}
    for attribute in node.children():
        kind, holder = _exactly(attribute.expect(der.SEQUENCE), 2)
        (value,) = _exactly(holder.expect(der.SET), 1)
        if kind.expect(der.OBJECT_IDENTIFIER).raw in values:
            raise CmsError("CMS_ATTRIBUTES", "an attribute is repeated")
        values[kind.raw] = value.raw
    return values


def _timestamp(unsigned: Node) -> bytes | None:
    try:
        values = _attributes(unsigned)
    except (CmsError, der.DerError):
        return None
    return values.get(cms.OID_SIGNATURE_TIMESTAMP) if len(values) == 1 else None


def _reference(value: bytes) -> tuple[bytes, bytes]:
    """Digest algorithm and digest of the first ESSCertIDv2: the signer's own."""
    listed = der.parse(value).expect(der.SEQUENCE).children()
    identifiers = listed[0].expect(der.SEQUENCE).children() if listed else []
    parts = identifiers[0].expect(der.SEQUENCE).children() if identifiers else []
    algorithm = cms.OID_SHA256
    if parts and parts[0].tag == der.SEQUENCE:
        algorithm, parts = _digest_oid(parts[0]), parts[1:]
    if not parts:
        raise CmsError("CMS_ATTRIBUTES", "signing-certificate-v2 is empty")
    return algorithm, parts[0].expect(der.OCTET_STRING).body


def _signer_certificate(identifier: Node, embedded: tuple[bytes, ...]) -> bytes:
    if identifier.tag != der.SEQUENCE:
        raise CmsError("CMS_SIGNER", "signer named by key identifier", unsupported=True)
    wanted = tuple(part.raw for part in identifier.children())
    for certificate in embedded:
        if _name(certificate) == wanted:
            return certificate
    raise CmsError("CMS_SIGNER", "the signer's certificate is not in the signature")


@lru_cache(maxsize=1024)
def _kept_name(certificate: bytes) -> tuple[bytes, bytes]:
    return cms.issuer_and_serial(certificate)


def _name(certificate: bytes) -> tuple[bytes, bytes]:
    """Issuer and serial number; of certificates of usual size kept, since a seal signs many documents."""
    return _kept_name(certificate) if len(certificate) <= _KEEP_MOST else cms.issuer_and_serial(certificate)


def _exactly(node: Node, count: int) -> list[Node]:
    children = node.children()
    if len(children) != count:
        raise CmsError("CMS_SYNTAX", f"{count} elements expected")
    return children
