"""Signatures as makers other than this hub write them: CMS by OpenSSL, and by hand where no tool writes a form."""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from services.esign.domain import der
from services.esign.domain.cms import signed_data as cms
from services.esign.domain.findings import Findings
from services.esign.domain.verdict import Step
from services.esign.ses.domain.check import SmTrust
from services.esign.signing.domain import signer_steps
from tests.support.esign import NOW_US, setting

CONTENT = b"%PDF-1.7\n" + bytes(range(256)) * 5
NULL = b"\x05\x00"
KEYS: dict[str, Callable[[], Any]] = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "brainpool": lambda: ec.generate_private_key(ec.BrainpoolP256R1()),
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "rsa1024": lambda: rsa.generate_private_key(65537, 1024),
}


@dataclass(frozen=True)
class Held:
    """What the reader of a PDF hands on: /Contents and the bytes around it."""

    cms: bytes
    content: bytes = CONTENT
    claimed_us: int | None = NOW_US
    certificates: tuple[bytes, ...] = ()

    def signed_parts(self, _data: bytes) -> tuple[memoryview, memoryview]:
        view = memoryview(self.content)
        return view[:100], view[100:]


@cache
def key(kind: str) -> Any:
    return KEYS[kind]()


def issued(public: Any, *extensions: tuple[x509.ExtensionType, bool], name: str = "外地单位", ca: Any = None) -> bytes:
    """A certificate (DER) by the seal CA of the test setting, with these extensions and no others."""
    authority = ca or setting().ca
    now = datetime.fromtimestamp(NOW_US / 1e6, UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(authority.certificate.subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.DER)


def usage(**bits: bool) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: bits.get(name, False) for name in names})


@cache
def certificate(kind: str) -> bytes:
    public = key(kind).public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    return issued(public, (usage(digital_signature=True), True), (identifier, False))


def openssl(folder: Path, kind: str, *options: str) -> bytes:
    """A detached CMS over CONTENT by `openssl cms`, DER (or BER with -stream)."""
    pem = x509.load_der_x509_certificate(certificate(kind)).public_bytes(Encoding.PEM)
    (folder / "signer.pem").write_bytes(pem)
    (folder / "ca.pem").write_bytes(setting().ca.certificate.public_bytes(Encoding.PEM))
    secret = key(kind).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(secret)
    (folder / "content").write_bytes(CONTENT)
    command = ["openssl", "cms", "-sign", "-binary", "-in", "content", "-signer", "signer.pem", "-inkey", "key.pem"]
    command += ["-certfile", "ca.pem", "-outform", "DER", "-out", "cms.der", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return (folder / "cms.der").read_bytes()


def attribute(oid: bytes, *values: bytes) -> bytes:
    return der.tlv(der.SEQUENCE, oid, der.tlv(der.SET, *values))


def usual_attributes(content: bytes = CONTENT, signer: bytes | None = None) -> list[bytes]:
    """content-type, message-digest (SHA-256) and signing-certificate-v2."""
    own = signer or certificate("p256")
    return [
        attribute(cms.OID_CONTENT_TYPE, cms.OID_DATA),
        attribute(cms.OID_MESSAGE_DIGEST, der.tlv(der.OCTET_STRING, sha256(content).digest())),
        attribute(cms.OID_SIGNING_CERTIFICATE_V2, cms.signing_certificate(own)),
    ]


def by_hand(
    attributes: Sequence[bytes] | None = None,
    *,
    content_type: bytes = cms.OID_DATA,
    kind: bytes = cms.OID_SIGNED_DATA,
    content: bytes | None = None,
    digests: Sequence[bytes] = (cms.SHA256_IDENTIFIER,),
    digest: bytes = cms.SHA256_IDENTIFIER,
    algorithm: bytes = der.tlv(der.SEQUENCE, cms.OID_ECDSA_SHA256),
    unsigned: Sequence[bytes] = (),
    certificates: Sequence[bytes] | None = None,
    lists: Sequence[bytes] = (),
    signer: bytes | None = None,
    sign: Callable[[bytes], bytes] | None = None,
    message: bytes | None = None,
    sort: Callable[[Sequence[bytes]], Sequence[bytes]] = sorted,
) -> bytes:
    """A SignedData put together from its parts; the signature is over the attributes in DER order, or `message`."""
    own = signer or certificate("p256")
    signing = sign or (lambda text: key("p256").sign(text, ec.ECDSA(hashes.SHA256())))
    names = cms.issuer_and_serial(own)
    told = sorted(attributes) if attributes is not None else None
    signed = der.tlv(der.SET, *told) if told is not None else message
    assert signed is not None
    told_as_sent = b"" if told is None else der.tlv(0xA0, *sort(told))
    info = der.tlv(
        der.SEQUENCE,
        der.integer(1),
        der.tlv(der.SEQUENCE, *names),
        digest,
        told_as_sent,
        algorithm,
        der.tlv(der.OCTET_STRING, signing(signed)),
        der.tlv(0xA1, *unsigned) if unsigned else b"",
    )
    held = [own, setting().ca.der] if certificates is None else certificates
    wrapped = b"" if content is None else der.tlv(0xA0, der.tlv(der.OCTET_STRING, content))
    data = der.tlv(
        der.SEQUENCE,
        der.integer(1),
        der.tlv(der.SET, *digests),
        der.tlv(der.SEQUENCE, content_type, wrapped),
        der.tlv(0xA0, *held) if held else b"",
        der.tlv(0xA1, *lists) if lists else b"",
        der.tlv(der.SET, info),
    )
    return der.tlv(der.SEQUENCE, kind, der.tlv(0xA0, data))


@dataclass(frozen=True)
class Judged:
    """The steps found, by name, and the signature as it was opened."""

    steps: dict[str, Step]
    opened: signer_steps.OpenedSignature | None

    def reason(self, step: str) -> tuple[str, str]:
        return self.steps[step].status.value, self.steps[step].reason


def judged(
    contents: bytes,
    content: bytes = CONTENT,
    *,
    roots: Sequence[x509.Certificate] | None = None,
    sm: SmTrust | None = None,
    certificates: tuple[bytes, ...] = (),
    trust_any_signer: bool = False,
) -> Judged:
    """The steps of one signature in /Contents over `content`; nothing here may raise."""
    found = Findings(NOW_US, NOW_US)
    held: Any = Held(contents, content, certificates=certificates)
    one = signer_steps.opened(found, held, held.certificates)
    if one is not None and signer_steps.is_intact(found, content, one, sm):
        trusted = (setting().root.certificate,) if roots is None else roots
        signer_steps.path_of(found, one.signer, one.others, trusted, trust_any_signer=trust_any_signer)
    return Judged({step.step: step for step in found.steps}, one)
