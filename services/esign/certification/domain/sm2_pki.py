"""The SM2 side of the hub's own certification: X.509 certificates signed with SM2 and SM3, written in DER.

A development authority as `pki` is, and labelled so. Pure: the key arrives as its public part and a function that
signs, so a device can stand behind it.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha1

from services.esign.certification.domain.holders import SealKind
from services.esign.certification.domain.pki import (
    LABEL,
    OCSP_DAYS,
    ONCE_EARLY,
    ONCE_MINUTES,
    ROOT_DAYS,
    SEAL_CA_DAYS,
    SEAL_DAYS,
    TSA_CA_DAYS,
    TSA_DAYS,
)
from services.esign.domain import der
from services.esign.domain.moments import whole_second
from services.esign.domain.sm2 import ALGORITHM

BOOLEAN, UTF8_STRING, PRINTABLE_STRING, UTC_TIME = 0x01, 0x0C, 0x13, 0x17

# As in `pki`: a verifier's clock may be behind ours.
_BACKDATE = timedelta(minutes=5)
_COUNTRY, _ORGANISATION, _UNIT, _COMMON_NAME, _SERIAL = "2.5.4.6", "2.5.4.10", "2.5.4.11", "2.5.4.3", "2.5.4.5"
# Attribute types whose values are PrintableString (RFC 5280, appendix A.1).
_PRINTABLE = frozenset({_COUNTRY, _SERIAL})
_UPPER_BOUND = 64
_TRUE = b"\x01\x01\xff"
# KeyUsage bits: digitalSignature and nonRepudiation; keyCertSign and cRLSign.
_SIGNS_DOCUMENTS = bytes.fromhex("030206c0")
_SIGNS_CERTIFICATES = bytes.fromhex("03020106")
_TIME_STAMPING, _OCSP_SIGNING = der.oid("1.3.6.1.5.5.7.3.8"), der.oid("1.3.6.1.5.5.7.3.9")
_OCSP_NO_CHECK = "1.3.6.1.5.5.7.48.1.5"
# As in `pki`: id-etsi-ext-valassured-ST-certs (ETSI EN 319 412-1, 5.2).
_SHORT_TERM = "0.4.0.194121.2.1"
_NULL = b"\x05\x00"


@dataclass(frozen=True, slots=True)
class Sm2Signer:
    """A certificate (DER) with its key: `spki` the SubjectPublicKeyInfo, `sign` gives the DER signature over a
    message.
    """

    certificate: bytes
    spki: bytes
    sign: Callable[[bytes], bytes]
    number: int = 0
    """The authority's place among its kind in the life of a hub, as in `pki.Authority`."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A key without a certificate yet."""

    spki: bytes
    sign: Callable[[bytes], bytes]


def make_root(key: KeyPair, hub: str, now_us: int) -> Sm2Signer:
    """A self-signed root, path length 1."""
    name = _ca_name("Shuniu SM2 root CA", hub)
    body = _body(name, name, key.spki, key.spki, now_us, ROOT_DAYS, _authority(1))
    return Sm2Signer(_signed(body, key.sign), key.spki, key.sign)


def make_seal_ca(root: Sm2Signer, key: KeyPair, hub: str, now_us: int, number: int = 0) -> Sm2Signer:
    """The authority that certifies seal makers and seals, path length 0."""
    name = _ca_name(f"Shuniu SM2 seal CA {number + 1}" if number else "Shuniu SM2 seal CA", hub)
    body = _body(name, subject_of(root.certificate), key.spki, root.spki, now_us, SEAL_CA_DAYS, _authority(0))
    return Sm2Signer(_signed(body, root.sign), key.spki, key.sign, number)


def make_maker(ca: Sm2Signer, key: KeyPair, hub: str, now_us: int) -> Sm2Signer:
    """The seal maker (制章者): whose signature binds a picture to certificates."""
    name = _ca_name("Shuniu seal maker", hub)
    body = _body(name, subject_of(ca.certificate), key.spki, ca.spki, now_us, SEAL_CA_DAYS, _end_entity())
    return Sm2Signer(_signed(body, ca.sign), key.spki, key.sign)


def make_tsa_ca(root: Sm2Signer, key: KeyPair, hub: str, now_us: int) -> Sm2Signer:
    """The authority that certifies timestamp authorities, and nothing else."""
    name = _ca_name("Shuniu SM2 timestamp CA", hub)
    body = _body(name, subject_of(root.certificate), key.spki, root.spki, now_us, TSA_CA_DAYS, _authority(0))
    return Sm2Signer(_signed(body, root.sign), key.spki, key.sign)


def make_tsa(ca: Sm2Signer, key: KeyPair, hub: str, now_us: int) -> Sm2Signer:
    """A timestamp authority: its only use, critical, is timeStamping (RFC 3161, 2.3)."""
    name = _ca_name("Shuniu SM2 timestamp authority", hub)
    extensions = [*_end_entity(), _uses(_TIME_STAMPING, critical=True)]
    body = _body(name, subject_of(ca.certificate), key.spki, ca.spki, now_us, TSA_DAYS, extensions)
    return Sm2Signer(_signed(body, ca.sign), key.spki, key.sign)


def make_ocsp_responder(ca: Sm2Signer, key: KeyPair, hub: str, now_us: int) -> Sm2Signer:
    """Makes the responder that answers for `ca` (RFC 6960, 4.2.2.2), for days, so that nobody asks after its own
    revocation.
    """
    name = _ca_name("Shuniu SM2 OCSP responder", hub)
    no_check = _extension(_OCSP_NO_CHECK, _NULL)
    extensions = [*_end_entity(), _uses(_OCSP_SIGNING, critical=False), no_check]
    body = _body(name, subject_of(ca.certificate), key.spki, ca.spki, now_us, OCSP_DAYS, extensions)
    return Sm2Signer(_signed(body, ca.sign), key.spki, key.sign)


def issue_seal_certificate(
    ca: Sm2Signer,
    spki: bytes,
    organisation: str,
    seal_id: str,
    now_us: int,
    *,
    kind: SealKind = SealKind.ORGANISATION,
    status_url: str = "",
    days: int = SEAL_DAYS,
) -> bytes:
    """A seal's SM2 certificate, DER: digitalSignature and nonRepudiation. `status_url` and `days` as in `pki`."""
    name = _holder(kind, organisation, seal_id)
    extensions = [*_end_entity(), *(_status(status_url, ca.number) if status_url else ())]
    body = _body(name, subject_of(ca.certificate), spki, ca.spki, now_us, days, extensions)
    return _signed(body, ca.sign)


def issue_once_certificate(ca: Sm2Signer, spki: bytes, kind: SealKind, name: str, serial: str, now_us: int) -> bytes:
    """The certificate (DER) of a key that signs once: ten minutes in all, one of them before `now_us`."""
    begin = whole_second(now_us) - ONCE_EARLY
    window = (begin, begin + timedelta(minutes=ONCE_MINUTES))
    extensions = [*_end_entity(), _extension(_SHORT_TERM, _NULL)]
    issuer = subject_of(ca.certificate)
    return _signed(_body_in(window, _holder(kind, name, serial), issuer, spki, ca.spki, extensions), ca.sign)


def subject_of(certificate: bytes) -> bytes:
    """The subject Name of a certificate this module wrote, DER."""
    return der.parse(certificate).children()[0].children()[5].raw


def generalized_time(moment: datetime) -> bytes:
    """GeneralizedTime in its DER form: UTC, whole seconds (X.690 11.7)."""
    return der.tlv(0x18, moment.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode("ascii"))


def _ca_name(common: str, hub: str) -> bytes:
    return _name((_COUNTRY, "CN"), (_ORGANISATION, hub), (_UNIT, LABEL), (_COMMON_NAME, common))


def _holder(kind: SealKind, name: str, serial: str) -> bytes:
    organisation = ((_ORGANISATION, name),) if kind is SealKind.ORGANISATION else ()
    return _name((_COUNTRY, "CN"), *organisation, (_UNIT, LABEL), (_SERIAL, serial), (_COMMON_NAME, name))


def _name(*attributes: tuple[str, str]) -> bytes:
    return der.tlv(
        der.SEQUENCE,
        *(
            der.set_of(
                der.tlv(
                    der.SEQUENCE,
                    der.oid(kind),
                    der.tlv(PRINTABLE_STRING if kind in _PRINTABLE else UTF8_STRING, value[:_UPPER_BOUND].encode()),
                )
            )
            for kind, value in attributes
        ),
    )


def _body(
    subject: bytes, issuer: bytes, spki: bytes, issuer_spki: bytes, now_us: int, days: int, extensions: list[bytes]
) -> bytes:
    now = whole_second(now_us)
    window = (now - _BACKDATE, now + timedelta(days=days))
    return _body_in(window, subject, issuer, spki, issuer_spki, extensions)


def _body_in(
    window: tuple[datetime, datetime],
    subject: bytes,
    issuer: bytes,
    spki: bytes,
    issuer_spki: bytes,
    extensions: list[bytes],
) -> bytes:
    """TBSCertificate (RFC 5280, 4.1.2)."""
    key_id = sha1(key_bits(spki), usedforsecurity=False).digest()
    issuer_id = sha1(key_bits(issuer_spki), usedforsecurity=False).digest()
    extensions = [
        _extension("2.5.29.14", der.tlv(der.OCTET_STRING, key_id)),
        _extension("2.5.29.35", der.tlv(der.SEQUENCE, der.tlv(0x80, issuer_id))),
        *extensions,
    ]
    return der.tlv(
        der.SEQUENCE,
        der.tlv(0xA0, der.integer(2)),
        # Positive, 159 random bits (RFC 5280, 4.1.2.2: at most 20 octets).
        der.integer(secrets.randbits(158) | 1 << 158),
        ALGORITHM,
        issuer,
        der.tlv(der.SEQUENCE, *map(utc_time, window)),
        subject,
        spki,
        der.tlv(0xA3, der.tlv(der.SEQUENCE, *extensions)),
    )


def _signed(body: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    return der.tlv(der.SEQUENCE, body, ALGORITHM, bit_string(sign(body)))


def bit_string(content: bytes) -> bytes:
    """BIT STRING of whole bytes."""
    return der.tlv(der.BIT_STRING, b"\x00", content)


def key_bits(spki: bytes) -> bytes:
    """The key in a SubjectPublicKeyInfo, without tag, length and unused bits."""
    return der.parse(spki).children()[1].body[1:]


def _extension(kind: str, value: bytes, *, critical: bool = False) -> bytes:
    return der.tlv(der.SEQUENCE, der.oid(kind), _TRUE if critical else b"", der.tlv(der.OCTET_STRING, value))


def _authority(path_length: int) -> list[bytes]:
    return [
        _extension("2.5.29.19", der.tlv(der.SEQUENCE, _TRUE, der.integer(path_length)), critical=True),
        _extension("2.5.29.15", _SIGNS_CERTIFICATES, critical=True),
    ]


def _end_entity() -> list[bytes]:
    return [
        _extension("2.5.29.19", der.tlv(der.SEQUENCE), critical=True),
        _extension("2.5.29.15", _SIGNS_DOCUMENTS, critical=True),
    ]


def _uses(kind: bytes, *, critical: bool) -> bytes:
    return _extension("2.5.29.37", der.tlv(der.SEQUENCE, kind), critical=critical)


def _status(url: str, number: int) -> list[bytes]:
    """The extensions that say where a reader asks for revocation (RFC 5280, 4.2.2.1 and 4.2.1.13)."""
    ocsp = der.tlv(der.SEQUENCE, der.oid("1.3.6.1.5.5.7.48.1"), der.tlv(0x86, f"{url}/ocsp".encode("ascii")))
    place = f"{url}/crl/sm2?ca={number}" if number else f"{url}/crl/sm2"
    names = der.tlv(0xA0, der.tlv(0x86, place.encode("ascii")))
    point = der.tlv(der.SEQUENCE, der.tlv(0xA0, names))
    return [
        _extension("1.3.6.1.5.5.7.1.1", der.tlv(der.SEQUENCE, ocsp)),
        _extension("2.5.29.31", der.tlv(der.SEQUENCE, point)),
    ]


def utc_time(moment: datetime) -> bytes:
    """UTCTime until 2049, GeneralizedTime from then on (RFC 5280, 4.1.2.5)."""
    if moment.year < 2050:
        return der.tlv(UTC_TIME, moment.strftime("%y%m%d%H%M%SZ").encode("ascii"))
    return generalized_time(moment)
