"""Electronic seals and seal signatures: GB/T 38540-2020 (V4) built and read, GM/T 0031-2014 (V1) read.

Reading is strict DER: one structure, one meaning, nothing left over. What the structures say is judged in
`check`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from services.esign.certification.domain.sm2_pki import UTF8_STRING, Sm2Signer, bit_string, generalized_time
from services.esign.domain import asn1_times, der, moments
from services.esign.domain.asn1_times import GENERALIZED_TIME, UTC_TIME
from services.esign.domain.der import Node
from services.esign.domain.malformed import parser
from services.esign.domain.moments import whole_second
from services.esign.domain.sm2 import OID_SM2_WITH_SM3
from shuniu.china_time import CHINA

IA5_STRING = 0x16
_PRINTABLE, _BOOLEAN = 0x13, 0x01
_TIMES = frozenset({UTC_TIME, GENERALIZED_TIME})
# UTF8String, PrintableString, TeletexString, IA5String, VisibleString, BMPString.
_STRINGS = frozenset({UTF8_STRING, _PRINTABLE, 0x14, IA5_STRING, 0x1A, 0x1E})
_CONTEXT_0 = 0xA0
V4 = 4
V1 = 1
# GB/T 38540 6.1.2.4: seal of an organisation; seal of a person.
ORGANISATION, PERSON = 1, 2
_CERTIFICATES, _DIGESTS = 1, 2
VENDOR = "Shuniu"
# Some makers of V1 write the time as text, as a clock in China shows it.
_WRITTEN_OUT = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
# Far above any seal with its picture and any list of certificates.
MOST_BYTES = 4 * 1024 * 1024


class SesError(ValueError):
    """The bytes are no seal or seal signature of a known version. `unsupported`: well-formed, of a kind not known
    here.
    """

    def __init__(self, text: str, *, unsupported: bool = False) -> None:
        super().__init__(text)
        self.unsupported = unsupported


@dataclass(frozen=True, slots=True)
class Picture:
    """A seal's picture: type such as "png", the file's bytes, size on paper in mm."""

    kind: str
    data: bytes
    width_mm: int
    height_mm: int


@dataclass(frozen=True, slots=True)
class SealInfo:
    """The content that the maker signs (eSealInfo). Times in µs since 1970.

    `certificates` holds the certificates (DER) that may use the seal, or `digests` pairs of algorithm and digest of
    them.
    """

    version: int
    vendor: str
    id: str
    kind: int
    name: str
    certificates: tuple[bytes, ...]
    digests: tuple[tuple[str, bytes], ...]
    created_us: int
    valid_from_us: int
    valid_to_us: int
    picture: Picture
    critical_extensions: tuple[bytes, ...] = ()

    def lists(self, certificate: bytes, sm3: bytes) -> bool | None:
        """Tells whether the seal's list holds this certificate; `sm3` is its SM3. None: digests of a kind not known
        here.
        """
        if self.certificates:
            return certificate in self.certificates
        known = {_SM3: sm3, "SM3": sm3, _SHA256: sha256(certificate).digest(), "SHA256": sha256(certificate).digest()}
        if any(known.get(kind) == digest for kind, digest in self.digests):
            return True
        return False if all(kind in known for kind, _ in self.digests) else None


_SM3, _SHA256 = "1.2.156.10197.1.401", "2.16.840.1.101.3.4.2.1"


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal (SESeal). `signed` are the bytes that `signature` covers; `algorithm` is an OID in DER."""

    raw: bytes
    info: SealInfo
    maker: bytes
    algorithm: bytes
    signature: bytes
    signed: bytes
    version: int


@dataclass(frozen=True, slots=True)
class SealSignature:
    """A seal signature (SES_Signature) over `data_hash`. `protected` says what of the document was hashed."""

    seal: Seal
    time_us: int | None
    data_hash: bytes
    protected: str
    certificate: bytes
    algorithm: bytes
    signature: bytes
    signed: bytes
    timestamp: bytes | None
    critical_extensions: tuple[bytes, ...] = ()


def info(
    *,
    seal_id: str,
    kind: int,
    name: str,
    certificates: Sequence[bytes],
    valid_us: tuple[int, int],
    created_us: int,
    picture: Picture,
) -> bytes:
    """The content that a maker's device signs: eSealInfo of GB/T 38540, DER."""
    return der.tlv(
        der.SEQUENCE,
        der.tlv(der.SEQUENCE, _ia5("ES"), der.integer(V4), _ia5(VENDOR)),
        _ia5(seal_id),
        der.tlv(
            der.SEQUENCE,
            der.integer(kind),
            der.tlv(UTF8_STRING, name.encode()),
            der.integer(_CERTIFICATES),
            der.tlv(der.SEQUENCE, *(der.tlv(der.OCTET_STRING, c) for c in certificates)),
            *(_moment(us) for us in (created_us, *valid_us)),
        ),
        der.tlv(
            der.SEQUENCE,
            _ia5(picture.kind),
            der.tlv(der.OCTET_STRING, picture.data),
            der.integer(picture.width_mm),
            der.integer(picture.height_mm),
        ),
    )


def make_seal(content: bytes, maker: Sm2Signer) -> bytes:
    """SESeal: the maker's signature over eSealInfo alone (GB/T 38540 6.1.1)."""
    return der.tlv(
        der.SEQUENCE,
        content,
        der.tlv(der.OCTET_STRING, maker.certificate),
        OID_SM2_WITH_SM3,
        bit_string(maker.sign(content)),
    )


def sign(seal: bytes, signer: Sm2Signer, data_hash: bytes, protected: str, at_us: int) -> bytes:
    """SES_Signature: `data_hash` is the SM3 of what `protected` names, `at_us` the time in µs."""
    content = der.tlv(der.SEQUENCE, der.integer(V4), seal, _moment(at_us), bit_string(data_hash), _ia5(protected))
    return der.tlv(
        der.SEQUENCE,
        content,
        der.tlv(der.OCTET_STRING, signer.certificate),
        OID_SM2_WITH_SM3,
        bit_string(signer.sign(content)),
    )


@parser(lambda cause: SesError(f"not a seal or seal signature: {cause}"), SesError)
def read(data: bytes) -> Seal | SealSignature:
    """A seal or a seal signature, whichever it is. Raises SesError."""
    if len(data) > MOST_BYTES:
        raise SesError("larger than any seal")
    top = der.parse(data).expect(der.SEQUENCE).children()
    first = top[0].expect(der.SEQUENCE).children()
    # A signature's toSign begins with its version, a seal's information with its header.
    return _signature(top, first) if first[0].tag == der.INTEGER else _seal(data, top)


def is_seal_data(data: bytes) -> bool:
    """Tells whether the bytes are a seal or a seal signature by themselves."""
    if not data.startswith(b"\x30") or len(data) > MOST_BYTES:
        return False
    try:
        read(data)
    except SesError:
        return False
    return True


def read_signature(data: bytes) -> SealSignature:
    """Raises SesError."""
    found = read(data)
    if not isinstance(found, SealSignature):
        raise SesError("a seal, not a seal signature")
    return found


def _seal(raw: bytes, top: Sequence[Node]) -> Seal:
    if len(top) == 4:
        content, maker, algorithm, value = top
        signed, version = content.raw, V4
    elif len(top) == 2:
        content = top[0]
        maker, algorithm, value = top[1].expect(der.SEQUENCE).children()
        # GM/T 0031 6.1.1: information, certificate and algorithm together.
        signed, version = der.tlv(der.SEQUENCE, content.raw, maker.raw, algorithm.raw), V1
    else:
        raise SesError("a seal has two or four parts")
    found = _info(content, version)
    if version == V4 and found.version != V4:
        raise SesError(f"seal of version {found.version}", unsupported=True)
    return Seal(raw, found, maker.expect(der.OCTET_STRING).body, _algorithm(algorithm), _bits(value), signed, version)


def _info(node: Node, version: int) -> SealInfo:
    header, seal_id, about, picture, *rest = node.expect(der.SEQUENCE).children()
    identifier, number, vendor = header.expect(der.SEQUENCE).children()
    if _text(identifier, IA5_STRING) != "ES":
        raise SesError("the header does not say ES")
    if version == V4:
        kind, name, list_kind, listed, *times = about.expect(der.SEQUENCE).children()
        listing = list_kind.integer()
    else:
        kind, name, listed, *times = about.expect(der.SEQUENCE).children()
        listing = _CERTIFICATES
    created, valid_from, valid_to = (_time(time, version) for time in times)
    if listing not in {_CERTIFICATES, _DIGESTS}:
        raise SesError(f"certificate list of kind {listing}", unsupported=True)
    members = listed.expect(der.SEQUENCE).children()
    if not members:
        raise SesError("the seal lists no certificate")
    shape, data, width, height = picture.expect(der.SEQUENCE).children()
    return SealInfo(
        version=number.integer(),
        vendor=_text(vendor, IA5_STRING),
        id=_text(seal_id, IA5_STRING),
        kind=kind.integer(),
        name=_text(name, UTF8_STRING),
        certificates=tuple(m.expect(der.OCTET_STRING).body for m in members) if listing == _CERTIFICATES else (),
        digests=tuple(_digest(m) for m in members) if listing == _DIGESTS else (),
        created_us=created,
        valid_from_us=valid_from,
        valid_to_us=valid_to,
        picture=Picture(_text(shape, IA5_STRING), data.expect(der.OCTET_STRING).body, _size(width), _size(height)),
        critical_extensions=_extensions(rest),
    )


def _signature(top: Sequence[Node], parts: Sequence[Node]) -> SealSignature:
    version, sealed, time, digest, protected, *rest = parts
    seal = _seal(sealed.raw, der.parse(sealed.raw).expect(der.SEQUENCE).children())
    if version.integer() != seal.version and not (seal.version == V1 and version.integer() <= V4):
        raise SesError(f"signature of version {version.integer()} with a seal of version {seal.version}")
    if seal.version == V4:
        certificate, algorithm, value, *behind = top[1:]
        timestamp = _timestamp(behind)
        moment: int | None = _time(time, V4)
    else:
        certificate, algorithm, *rest = rest
        (value,) = top[1:]
        timestamp = None
        moment = None
        # GM/T 0031 has the time as a bit string: a bare time, or a timestamp token.
        content = _bits(time)
        if content and content[0] in _TIMES:
            moment = _time(der.parse(content), V1)
        elif _WRITTEN_OUT.fullmatch(content):
            moment = moments.read(content.decode("ascii"), "%Y-%m-%d %H:%M:%S", CHINA)
        else:
            timestamp = content
    return SealSignature(
        seal=seal,
        time_us=moment,
        data_hash=_bits(digest),
        protected=_text(protected, IA5_STRING),
        certificate=certificate.expect(der.OCTET_STRING).body,
        algorithm=_algorithm(algorithm),
        signature=_bits(value),
        signed=top[0].raw,
        timestamp=timestamp,
        critical_extensions=_extensions(rest),
    )


def _timestamp(behind: Sequence[Node]) -> bytes | None:
    if not behind:
        return None
    (holder,) = behind
    (token,) = holder.expect(_CONTEXT_0).children()
    return _bits(token)


def _extensions(rest: Iterable[Node]) -> tuple[bytes, ...]:
    """OIDs (DER) of the critical ones; others may be left unread."""
    found: list[bytes] = []
    holders = list(rest)
    if len(holders) > 1:
        raise SesError("more parts than the structure has")
    for holder in holders:
        # Most makers leave out the tag that the standard puts around the list.
        (listed,) = (holder,) if holder.tag == der.SEQUENCE else holder.expect(_CONTEXT_0).children()
        for extension in listed.expect(der.SEQUENCE).children():
            kind, *middle, value = extension.expect(der.SEQUENCE).children()
            value.expect(der.OCTET_STRING)
            if len(middle) > 1 or any(m.tag != _BOOLEAN or m.body not in {b"\x00", b"\xff"} for m in middle):
                raise SesError("an extension is malformed")
            if middle and middle[0].body == b"\xff":
                found.append(kind.expect(der.OBJECT_IDENTIFIER).raw)
    return tuple(found)


def _digest(node: Node) -> tuple[str, bytes]:
    kind, value = node.expect(der.SEQUENCE).children()
    return _text(kind, _PRINTABLE), value.expect(der.OCTET_STRING).body


def _algorithm(node: Node) -> bytes:
    """The OID itself; some makers wrap it in an AlgorithmIdentifier (GM/T 0031)."""
    if node.tag == der.SEQUENCE:
        node = node.children()[0]
    return node.expect(der.OBJECT_IDENTIFIER).raw


def _bits(node: Node) -> bytes:
    body = node.expect(der.BIT_STRING).body
    if body[:1] != b"\x00":
        raise SesError("a bit string is not of whole bytes")
    return body[1:]


def _text(node: Node, tag: int) -> str:
    if node.tag in _STRINGS - {tag}:
        raise SesError(f"a text of another kind than the standard has, {node.tag:#04x}", unsupported=True)
    return node.expect(tag).body.decode("utf-8" if tag == UTF8_STRING else "ascii")


def _size(node: Node) -> int:
    value = node.integer()
    if not 0 < value <= 1000:
        raise SesError("the picture's size on paper is impossible")
    return value


def _ia5(text: str) -> bytes:
    return der.tlv(IA5_STRING, text.encode("ascii"))


def _moment(at_us: int) -> bytes:
    return generalized_time(whole_second(at_us))


def _time(node: Node, version: int) -> int:
    """µs since 1970. V4 has GeneralizedTime only; V1 UTCTime, and GeneralizedTime with many makers."""
    if node.tag not in _TIMES or (node.tag == UTC_TIME and version != V1):
        raise SesError("a time is of a kind that is not read here", unsupported=True)
    try:
        return asn1_times.read(node.tag, node.body)
    except ValueError as cause:
        raise SesError("a time is not written as it is read here", unsupported=True) from cause
