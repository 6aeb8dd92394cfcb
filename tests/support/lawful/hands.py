"""Throwaway signers, and CMS signatures in the forms in which other makers write them."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from asn1crypto import algos, cms, core, keys, parser, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pyhanko.sign import signers
from pyhanko_certvalidator.registry import SimpleCertificateStore

_FROM, _UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
_SIGNED_AT = datetime(2026, 6, 1, 4, tzinfo=UTC)
_CONSTRUCTED = 0x20


@dataclass(frozen=True, slots=True)
class Hand:
    """A key and the certificate over it that nobody else vouches for."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def pkcs12(self, password: bytes) -> bytes:
        """Key and certificate for other programs, which still read no newer encryption than this everywhere."""
        way = (
            serialization.PrivateFormat.PKCS12.encryption_builder()
            .kdf_rounds(2048)
            .key_cert_algorithm(serialization.pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
            .hmac_hash(hashes.SHA1())
            .build(password)
        )
        return serialization.pkcs12.serialize_key_and_certificates(b"hand", self.key, self.certificate, None, way)


@cache
def hand(name: str = "First Hand") -> Hand:
    """A signer of this name."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    usage = dict.fromkeys(
        ("key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign", "encipher_only",
         "decipher_only"), False
    )  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
        .add_extension(x509.KeyUsage(digital_signature=True, content_commitment=True, **usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Hand(key, certificate)


@cache
def for_pyhanko(name: str = "First Hand", *, pss: bool = False) -> signers.SimpleSigner:
    """The same signer as pyHanko uses it."""
    own = hand(name)
    pkcs8 = own.key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return signers.SimpleSigner(
        signing_cert=asn1_x509.Certificate.load(own.der),
        signing_key=keys.PrivateKeyInfo.load(pkcs8),
        cert_registry=SimpleCertificateStore(),
        prefer_pss=pss,
    )


@dataclass(frozen=True, slots=True)
class Manner:
    """How a maker writes its CMS.

    `by_key`: the signer is named by subject key identifier (RFC 5652, 5.3, version 3). `ess`: with the attribute
    signing-certificate-v2 (RFC 5035). `indefinite`: the outer levels have indefinite lengths (X.690, 8.1.3.6), as
    stream writers of BER leave them. `signing_time`: with the attribute of that name.
    """

    by_key: bool = False
    ess: bool = True
    indefinite: bool = False
    signing_time: bool = False


PLAIN = Manner()


def signature(own: Hand, content: bytes, manner: Manner = PLAIN) -> bytes:
    """A detached CMS SignedData over `content`."""
    certificate = asn1_x509.Certificate.load(own.der)
    attributes = [
        cms.CMSAttribute({"type": "content_type", "values": [cms.ContentType("data")]}),
        cms.CMSAttribute({"type": "message_digest", "values": [core.OctetString(hashlib.sha256(content).digest())]}),
    ]
    if manner.signing_time:
        moment = cms.Time({"utc_time": core.UTCTime(_SIGNED_AT)})
        attributes.append(cms.CMSAttribute({"type": "signing_time", "values": [moment]}))
    if manner.ess:
        identifier = tsp.ESSCertIDv2({"cert_hash": hashlib.sha256(own.der).digest()})
        reference = tsp.SigningCertificateV2({"certs": [identifier]})
        attributes.append(cms.CMSAttribute({"type": "signing_certificate_v2", "values": [reference]}))
    signed = cms.CMSAttributes(attributes)
    digest = algos.DigestAlgorithm({"algorithm": "sha256"})
    if manner.by_key:
        sid = cms.SignerIdentifier({"subject_key_identifier": certificate.key_identifier})
    else:
        sid = cms.SignerIdentifier(
            {
                "issuer_and_serial_number": cms.IssuerAndSerialNumber(
                    {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
                )
            }
        )
    signer = cms.SignerInfo(
        {
            "version": "v3" if manner.by_key else "v1",
            "sid": sid,
            "digest_algorithm": digest,
            "signed_attrs": signed,
            "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": "rsassa_pkcs1v15"}),
            "signature": own.key.sign(signed.dump(), padding.PKCS1v15(), hashes.SHA256()),
        }
    )
    data = cms.SignedData(
        {
            "version": "v3" if manner.by_key else "v1",
            "digest_algorithms": [digest],
            "encap_content_info": {"content_type": "data"},
            "certificates": [certificate],
            "signer_infos": [signer],
        }
    )
    whole: bytes = cms.ContentInfo({"content_type": "signed_data", "content": data}).dump()
    return _indefinite(whole, 3) if manner.indefinite else whole


def _indefinite(der: bytes, levels: int) -> bytes:
    """The same value with indefinite lengths at its outer levels."""
    if levels == 0 or not der[0] & _CONSTRUCTED:
        return der
    inner, members = parser.parse(der)[4], b""
    while inner:
        _class, _method, _tag, header, contents, _trailer = parser.parse(inner)
        size = len(header) + len(contents)
        members += _indefinite(inner[:size], levels - 1)
        inner = inner[size:]
    return der[:1] + b"\x80" + members + b"\0\0"
