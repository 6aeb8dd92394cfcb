"""CMS SignedData (RFC 5652) as PAdES wants it, spliced from parts that are computed once per seal.

Signed attributes: content-type, message-digest, signing-certificate-v2 (RFC 5035). No signing-time: in PAdES the time
is the dictionary's /M (ETSI EN 319 142-1, 6.3).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from services.esign.domain import der
from services.esign.domain.digests import SHA256, SIZE, Digest

OID_DATA = der.oid("1.2.840.113549.1.7.1")
# GB/T 35275
OID_GM_DATA = der.oid("1.2.156.10197.6.1.4.2.1")
OID_SIGNED_DATA = der.oid("1.2.840.113549.1.7.2")
OID_CONTENT_TYPE = der.oid("1.2.840.113549.1.9.3")
OID_MESSAGE_DIGEST = der.oid("1.2.840.113549.1.9.4")
OID_SIGNING_CERTIFICATE_V2 = der.oid("1.2.840.113549.1.9.16.2.47")
OID_SIGNATURE_TIMESTAMP = der.oid("1.2.840.113549.1.9.16.2.14")
OID_SHA256 = SHA256.oid
OID_ECDSA_SHA256 = der.oid("1.2.840.10045.4.3.2")

# SHA-256 without parameters (RFC 5754, 2).
SHA256_IDENTIFIER = SHA256.identifier

# Version, signer, digest, signed attributes, algorithm, signature.
_SIGNER_FIELDS = 6


class SigningKey(Protocol):
    """A seal's key, wherever it lives. `algorithm` is its AlgorithmIdentifier in DER, `max_size` its longest
    signature in bytes.
    """

    @property
    def algorithm(self) -> bytes: ...
    @property
    def max_size(self) -> int: ...
    def sign(self, message: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class P256Key:
    """ECDSA with P-256 and SHA-256, key in this process."""

    key: ec.EllipticCurvePrivateKey
    algorithm: bytes = field(default=der.tlv(der.SEQUENCE, OID_ECDSA_SHA256), init=False)
    # SEQUENCE of two INTEGERs of at most 33 bytes.
    max_size: int = field(default=72, init=False)
    _scheme: ec.ECDSA = field(default=ec.ECDSA(hashes.SHA256()), init=False)

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message, self._scheme)


OID_RSA_PSS = der.oid("1.2.840.113549.1.1.10")
OID_MGF1 = der.oid("1.2.840.113549.1.1.8")


@dataclass(frozen=True, slots=True)
class CmsTemplate:
    """Everything of a seal's CMS that does not change from document to document."""

    key: SigningKey
    digest: Digest
    certificate: bytes
    # The certificate SET, DER-sorted: strict readers refuse another order.
    certificates: bytes
    signer_head: bytes
    attributes_before: bytes
    attributes_after: bytes
    attributes_length: bytes
    max_size: int
    # Signature sizes differ by a few bytes only; the lengths around them are kept per size.
    _heads: dict[int, tuple[bytes, bytes]]
    _rooms: dict[int, int]
    _before_signers: bytes

    @classmethod
    def prepare(
        cls, key: SigningKey, certificate: bytes, chain: Sequence[bytes], digest: Digest = SHA256
    ) -> "CmsTemplate":
        """For `certificate` (DER) with its intermediate certificates; the root stays out: the verifier must bring it.
        `digest` is the one that goes with the key.
        """
        issuer, serial = issuer_and_serial(certificate)
        attributes = sorted(
            (
                attribute(OID_CONTENT_TYPE, OID_DATA),
                attribute(OID_MESSAGE_DIGEST, der.tlv(der.OCTET_STRING, bytes(SIZE))),
                attribute(OID_SIGNING_CERTIFICATE_V2, signing_certificate(certificate, digest)),
            )
        )
        joined = b"".join(attributes)
        hole = joined.index(bytes(32), joined.index(OID_MESSAGE_DIGEST))
        certificates = der.tlv(0xA0, *sorted({certificate, *chain}))
        template = cls(
            key=key,
            digest=digest,
            certificate=certificate,
            certificates=certificates,
            signer_head=der.integer(1) + der.tlv(der.SEQUENCE, issuer, serial) + digest.identifier,
            attributes_before=joined[:hole],
            attributes_after=joined[hole + 32 :],
            attributes_length=der.length(len(joined)),
            max_size=0,
            _heads={},
            _rooms={},
            _before_signers=der.integer(1)
            + der.tlv(der.SET, digest.identifier)
            + der.tlv(der.SEQUENCE, OID_DATA)
            + certificates,
        )
        object.__setattr__(template, "max_size", len(template._assemble(bytes(32), bytes(key.max_size))))
        return template

    def sign(self, digest: bytes) -> bytes:
        """CMS over a document whose digest, of the template's algorithm, is `digest`: at most `max_size` bytes."""
        return self.sign_open(digest)[0]

    def sign_open(self, digest: bytes) -> "tuple[bytes, OpenedCms]":
        """`sign`, and the same CMS taken apart for its timestamp."""
        signed = self.attributes_before + digest + self.attributes_after
        signature = self.key.sign(b"\x31" + self.attributes_length + signed)
        whole = self._assemble(digest, signature)
        # The signer is the last thing in the structure: head, attributes under their tag, algorithm, signature.
        at = len(self.signer_head) + 1 + len(self.attributes_length) + len(signed) + len(self.key.algorithm)
        at += 1 + len(der.length(len(signature))) + len(signature)
        return whole, OpenedCms(OID_SIGNED_DATA, self._before_signers, whole[-at:], signature, has_unsigned=False)

    def max_size_with(self, token: int) -> int:
        """Longest CMS when it carries a timestamp token of `token` bytes; `max_size` when that is 0."""
        found = self._rooms.get(token)
        if found is None:
            longest = self._assemble(bytes(32), bytes(self.key.max_size))
            found = self._rooms[token] = len(OpenedCms.of(longest).stamped(bytes(token)) if token else longest)
        return found

    def _assemble(self, digest: bytes, signature: bytes) -> bytes:
        size = len(signature)
        around = self._heads.get(size)
        if around is None:
            around = self._heads[size] = self._around(size)
        head, middle = around
        return b"".join((head, digest, middle, signature))

    def _around(self, size: int) -> tuple[bytes, bytes]:
        attributes = self.attributes_before + bytes(32) + self.attributes_after
        signer = der.tlv(
            der.SEQUENCE,
            self.signer_head,
            der.tlv(0xA0, attributes),
            self.key.algorithm,
            der.tlv(der.OCTET_STRING, bytes(size)),
        )
        signed_data = der.tlv(
            der.SEQUENCE,
            self._before_signers,
            der.tlv(der.SET, signer),
        )
        whole = der.tlv(der.SEQUENCE, OID_SIGNED_DATA, der.tlv(0xA0, signed_data))
        # The signature is the last thing in the structure, the digest lies a fixed distance before it.
        tail = len(self.attributes_after) + len(self.key.algorithm) + len(der.tlv(der.OCTET_STRING, bytes(size)))
        hole = len(whole) - tail - 32
        return whole[:hole], whole[hole + 32 : len(whole) - size]


# A seal and its authorities come with every document: their names are read once.
@lru_cache(maxsize=1024)
def issuer_and_serial(certificate: bytes) -> tuple[bytes, bytes]:
    """Issuer name and serial number of a certificate (DER), as the raw elements of its TBSCertificate."""
    fields = der.parse(certificate).children()[0].children()
    offset = 1 if fields[0].tag == 0xA0 else 0
    return fields[offset + 2].raw, fields[offset].raw


@dataclass(frozen=True, slots=True)
class OpenedCms:
    """A CMS SignedData with one signer, taken apart as far as a signature timestamp needs.

    `value` is the signature's bytes, which the timestamp is over.
    """

    _kind: bytes
    _before: bytes
    _signer: bytes
    value: bytes
    has_unsigned: bool

    @classmethod
    def of(cls, data: bytes) -> "OpenedCms":
        """Raises DerError, ValueError when it is none."""
        kind, explicit = der.parse(data).children()
        (signed_data,) = explicit.children()
        *before, signers = signed_data.children()
        (signer,) = signers.children()
        fields = signer.children()
        if len(fields) not in {_SIGNER_FIELDS, _SIGNER_FIELDS + 1}:
            raise der.DerError("a signer with signed attributes is expected")
        value = fields[_SIGNER_FIELDS - 1].expect(der.OCTET_STRING).body
        inner = data[signed_data.content : before[-1].end]
        return cls(kind.raw, inner, signer.body, value, has_unsigned=len(fields) > _SIGNER_FIELDS)

    def stamped(self, token: bytes) -> bytes:
        """The same signature with a timestamp (RFC 3161, appendix A) as its only unsigned attribute.

        Raises DerError when it has unsigned attributes already.
        """
        if self.has_unsigned:
            raise der.DerError("the signer has unsigned attributes already")
        unsigned = der.tlv(0xA1, attribute(OID_SIGNATURE_TIMESTAMP, token))
        signers = der.tlv(der.SET, der.tlv(der.SEQUENCE, self._signer, unsigned))
        return der.tlv(der.SEQUENCE, self._kind, der.tlv(0xA0, der.tlv(der.SEQUENCE, self._before, signers)))


def attribute(oid: bytes, value: bytes) -> bytes:
    """One attribute with one value, both in DER."""
    return der.tlv(der.SEQUENCE, oid, der.tlv(der.SET, value))


def signing_certificate(certificate: bytes, digest: Digest = SHA256) -> bytes:
    """SigningCertificateV2 (RFC 5035) that names a certificate by its digest."""
    # SHA-256 is ESSCertIDv2's DEFAULT, so DER leaves the algorithm out.
    algorithm = b"" if digest is SHA256 else digest.identifier
    cert_id = der.tlv(der.SEQUENCE, algorithm, der.tlv(der.OCTET_STRING, digest.of(certificate)))
    return der.tlv(der.SEQUENCE, der.tlv(der.SEQUENCE, cert_id))
