"""Reads a CMS SignedData (RFC 5652; GB/T 35275 and GM/T 0010 with content types of their own): one signer, over a
document that lies outside.

DER is read first, as PAdES has it; where that fails, BER is brought into DER and read by the same rules. Lawful forms
are read; what is lawful and beyond this reader is said to be so (`unsupported`); nothing is guessed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha1

from cryptography import x509

from services.esign.domain import asn1_times, der
from services.esign.domain.cms import ber
from services.esign.domain.cms import signed_data as cms
from services.esign.domain.cms.signature_value import DIGEST_OF, HASHES, NULL, SHA1
from services.esign.domain.cms.signed_cms import CmsError, SignedCms
from services.esign.domain.der import Node
from services.esign.domain.kept import kept_if_found
from services.esign.domain.malformed import parser
from services.esign.domain.unwarned import unwarned

# GB/T 35275 (GM/T 0010): data and signedData of its own arc.
OID_GM_SIGNED_DATA = der.oid("1.2.156.10197.6.1.4.2.2")
SIGNED_DATA = frozenset({cms.OID_SIGNED_DATA, OID_GM_SIGNED_DATA})
DATA = frozenset({cms.OID_DATA, cms.OID_GM_DATA})
# ESSCertID of RFC 2634: SHA-1 there only tells certificates apart.
OID_SIGNING_CERTIFICATE = der.oid("1.2.840.113549.1.9.16.2.12")
_OID_SIGNING_TIME = der.oid("1.2.840.113549.1.9.5")
_OID_ALGORITHM_PROTECTION = der.oid("1.2.840.113549.1.9.52")
# adbe-revocationInfoArchival (ISO 32000-2, 12.8.3.3.2).
_OID_ARCHIVAL = der.oid("1.2.840.113583.1.1.8")
_ONCE = frozenset(
    {
        cms.OID_CONTENT_TYPE,
        cms.OID_MESSAGE_DIGEST,
        cms.OID_SIGNING_CERTIFICATE_V2,
        OID_SIGNING_CERTIFICATE,
        _OID_SIGNING_TIME,
        _OID_ALGORITHM_PROTECTION,
    }
)
# Unsigned attributes that say nothing of when the signature was made or add to what is proven elsewhere:
# countersignature; references, values and archive timestamps of RFC 5126 and ETSI EN 319 122-1; revocation data.
_PASSED_OVER = frozenset(
    {
        der.oid("1.2.840.113549.1.9.6"),
        *(der.oid(f"1.2.840.113549.1.9.16.2.{n}") for n in (21, 22, 23, 24, 25, 26, 27, 44, 45, 48)),
        *(der.oid(f"0.4.0.1733.2.{n}") for n in (2, 3, 4, 5)),
        # Evidence records (RFC 5276), the MAC of an encrypted document (ISO/TS 32004).
        *(der.oid(f"1.2.840.113549.1.9.16.2.{n}") for n in (49, 50)),
        der.oid("1.0.32004.1.2"),
        _OID_ARCHIVAL,
    }
)
# AlgorithmIdentifiers of digests with and without NULL for parameters (RFC 5754, 2): both are met.
_USUAL = {der.tlv(der.SEQUENCE, oid, null): oid for oid in HASHES for null in (b"", NULL)}
# Versions of SignedData that members other than X.509 certificates and lists ask for (RFC 5652, 5.1): attribute
# certificates [1] and [2], other certificates [3].
_VERSIONS = {0xA1: 3, 0xA2: 4, 0xA3: 5}
_MOST_CERTIFICATES = 64
_MOST_TIMESTAMPS = 4
_KEEP_MOST = 8192
# UTF8String, PrintableString, T61String, IA5String: the same bytes for the same letters.
_TEXTS = frozenset({0x0C, 0x13, 0x14, 0x16})
_CONTEXT_0, _CONTEXT_1 = 0xA0, 0xA1


def _refusal(cause: Exception) -> CmsError:
    if isinstance(cause, der.DerLimitError):
        return CmsError("CMS_LIMIT", str(cause), unsupported=True)
    return CmsError("CMS_SYNTAX", f"not a CMS SignedData: {cause}")


_parser = parser(_refusal, CmsError)


@_parser
def unpadded(contents: bytes) -> bytes:
    """The CMS without the zero bytes that fill /Contents. Raises CmsError for anything else behind it."""
    if not any(contents):
        raise CmsError("CMS_EMPTY", "nothing was ever signed here: /Contents is blank")
    try:
        end = der.parse_prefix(contents).end
    except der.DerError:
        end = ber.first(contents)[1]
    if any(contents[end:]):
        raise CmsError("CONTENTS_TAIL", "bytes behind the signature inside /Contents", unsupported=True)
    return contents[:end]


@_parser
def read(data: bytes, kinds: frozenset[bytes] = DATA, others: Sequence[bytes] = ()) -> SignedCms:
    """The signature in `data`, which it fills exactly, over content of one of `kinds` (OIDs in DER). `others`:
    certificates (DER) beside it, looked at when it brings none. Raises CmsError.
    """
    try:
        return _read(data, kinds, others)
    except der.DerLimitError:
        raise
    except der.DerError as cause:
        strictly = cause
    try:
        return _read(ber.normalised(data), kinds, others)
    except der.DerLimitError:
        raise
    except der.DerError:
        raise strictly from None


@parser(lambda cause: der.DerError(str(cause)), der.DerError)
def content_type_of(data: bytes) -> tuple[bytes, bytes]:
    """Types (OIDs in DER) of the structure in `data` and of its content; empty where it has none. Raises DerError."""
    outer, *inside = der.parse(data).expect(der.SEQUENCE).children()
    if outer.raw not in SIGNED_DATA or not inside:
        return (outer.raw if outer.tag == der.OBJECT_IDENTIFIER else b""), b""
    fields = inside[0].expect(_CONTEXT_0).children()[0].expect(der.SEQUENCE).children()
    if len(fields) < 3:
        return outer.raw, b""
    content = fields[2].expect(der.SEQUENCE).children()
    return outer.raw, content[0].raw if content else b""


@dataclass(frozen=True, slots=True)
class _Outside:
    """Holds what a SignedData says around its signer."""

    version: int
    digests: frozenset[bytes]
    content_type: bytes
    content: bytes | None
    certificates: tuple[bytes, ...]
    crls: tuple[bytes, ...]
    versions: set[int]


def _read(data: bytes, kinds: frozenset[bytes], others: Sequence[bytes]) -> SignedCms:
    content_type, explicit = _exactly(der.parse(data).expect(der.SEQUENCE), 2)
    if content_type.raw not in SIGNED_DATA:
        raise CmsError("CMS_SYNTAX", "not SignedData")
    (signed_data,) = _exactly(explicit.expect(_CONTEXT_0), 1)
    fields = signed_data.expect(der.SEQUENCE).children()
    if len(fields) < 4 or len(fields) > 6:
        raise CmsError("CMS_SYNTAX", "SignedData with missing or unknown fields")
    version, digests, content, *middle, signers = fields
    if [node.tag for node in middle] not in ([], [_CONTEXT_0], [_CONTEXT_1], [_CONTEXT_0, _CONTEXT_1]):
        raise CmsError("CMS_SYNTAX", "SignedData with fields that are not known")
    kind, *wrapped = content.expect(der.SEQUENCE).children()
    if kind.raw not in kinds or len(wrapped) > 1:
        raise CmsError("CMS_CONTENT", "a signature over content of another kind", unsupported=True)
    octets = _exactly(wrapped[0].expect(_CONTEXT_0), 1)[0].expect(der.OCTET_STRING).body if wrapped else None
    certificates, crls, versions = _members(middle)
    listed = signers.expect(der.SET).children()
    if not listed:
        raise CmsError("CMS_SIGNER", "nobody signed")
    if len(listed) > 1:
        raise CmsError("CMS_SIGNERS", "several signers in one signature", unsupported=True)
    outside = _Outside(
        version.integer(),
        frozenset(_oid_of(node) for node in digests.expect(der.SET).children()),
        kind.raw,
        octets,
        tuple(dict.fromkeys(certificates or others)),
        crls,
        versions,
    )
    return _signer(listed[0].expect(der.SEQUENCE), outside)


def _members(middle: list[Node]) -> tuple[list[bytes], tuple[bytes, ...], set[int]]:
    """X.509 certificates, CRLs, and the versions of SignedData that members of other kinds ask for (RFC 5652, 5.1,
    10.2.2), which are not looked at.
    """
    certificates: list[bytes] = []
    lists: list[bytes] = []
    versions: set[int] = set()
    for node in middle:
        found = certificates if node.tag == _CONTEXT_0 else lists
        for member in node.children():
            if member.tag == der.SEQUENCE:
                found.append(member.raw)
            else:
                versions.add(5 if node.tag == _CONTEXT_1 else _VERSIONS.get(member.tag, 1))
    if len(certificates) > _MOST_CERTIFICATES:
        raise CmsError("TOO_MANY_CERTIFICATES", "more certificates than are read here", unsupported=True)
    return certificates, tuple(lists), versions


def _signer(signer: Node, outside: _Outside) -> SignedCms:
    version, identifier, digest, *rest = signer.children()
    attributes = rest.pop(0) if rest and rest[0].tag == _CONTEXT_0 else None
    if len(rest) not in {2, 3} or (len(rest) == 3 and rest[2].tag != _CONTEXT_1):
        raise CmsError("CMS_SYNTAX", "a signer with missing or unknown fields")
    algorithm, signature = rest[:2]
    by_key = identifier.tag in {0x80, _CONTEXT_0}
    # RFC 5652, 5.1 and 5.3. The outer version follows from what stands inside; over data some makers write 3 for 1, and
    # 1 for 3.
    outer = outside.versions | {1, 3} if outside.content_type in DATA else outside.versions | {3}
    if outside.version not in outer or version.integer() != (3 if by_key else 1):
        raise CmsError("CMS_VERSION", "versions are not those that the structure asks for", unsupported=True)
    digest_oid = _digest_oid(digest)
    if outside.digests and digest_oid not in outside.digests:
        raise CmsError("CMS_DIGESTS", "the signer's digest algorithm is not announced", unsupported=True)
    values = _attributes(attributes) if attributes is not None else {}
    if attributes is not None:
        _check_content_type(values, outside.content_type)
        _check_protection(values, digest, algorithm)
    elif outside.content_type not in DATA:
        raise CmsError("CMS_ATTRIBUTES", "content of its own kind without signed attributes")
    own = _signer_certificate(identifier, outside.certificates)
    unsigned = _unsigned(rest[2]) if len(rest) == 3 else {}
    tokens = unsigned.get(cms.OID_SIGNATURE_TIMESTAMP, ())[:_MOST_TIMESTAMPS]
    archived = values.get(_OID_ARCHIVAL) or unsigned.get(_OID_ARCHIVAL)
    crls, ocsps = _archival(archived[0]) if archived else ((), ())
    return SignedCms(
        certificates=outside.certificates,
        signer=own,
        digest_algorithm=digest_oid,
        signature_algorithm=algorithm.expect(der.SEQUENCE).raw,
        message_digest=_one(values, cms.OID_MESSAGE_DIGEST).expect(der.OCTET_STRING).body if attributes else b"",
        signed_attributes=b"\x31" + attributes.raw[1:] if attributes is not None else b"",
        signature=signature.expect(der.OCTET_STRING).body,
        certificate_reference=_reference(values),
        content_type=outside.content_type,
        signed_content_type=_stated_kind(values),
        content=outside.content,
        signing_time_us=_signing_time(values),
        timestamp_tokens=tokens,
        has_unknown_attribute=bool(unsigned.keys() - _PASSED_OVER - {cms.OID_SIGNATURE_TIMESTAMP}),
        crls=(*outside.crls, *crls),
        ocsps=ocsps,
    )


def _oid_of(identifier: Node) -> bytes:
    if (known := _USUAL.get(identifier.raw)) is not None:
        return known
    parts = identifier.expect(der.SEQUENCE).children()
    return DIGEST_OF.get(parts[0].raw, parts[0].raw) if parts else b""


def _digest_oid(identifier: Node) -> bytes:
    if (known := _USUAL.get(identifier.raw)) is not None:
        return known
    parts = identifier.expect(der.SEQUENCE).children()
    # Some makers write the signature algorithm there, which names its digest.
    oid = DIGEST_OF.get(parts[0].raw, parts[0].raw) if parts else b""
    if oid not in HASHES or [p.raw for p in parts[1:]] not in ([], [NULL]):
        raise CmsError("ALGORITHM", "digest algorithm is not known here", unsupported=True)
    return oid


def _attributes(node: Node) -> dict[bytes, tuple[bytes, ...]]:
    """The values of each kind. What is signed and counts here has one place and one value."""
    values: dict[bytes, tuple[bytes, ...]] = {}
    for attribute in node.children():
        kind, holder = _exactly(attribute.expect(der.SEQUENCE), 2)
        found = tuple(value.raw for value in holder.expect(der.SET).children())
        if kind.expect(der.OBJECT_IDENTIFIER).raw in _ONCE and (len(found) != 1 or kind.raw in values):
            raise CmsError("CMS_ATTRIBUTES", "an attribute is repeated, or has no value or several")
        values[kind.raw] = (*values.get(kind.raw, ()), *found)
    return values


def _unsigned(node: Node) -> dict[bytes, tuple[bytes, ...]]:
    """The values of each kind, wherever they stand; what cannot be read is unknown."""
    values: dict[bytes, tuple[bytes, ...]] = {}
    try:
        for attribute in node.children():
            kind, holder = _exactly(attribute.expect(der.SEQUENCE), 2)
            found = tuple(value.raw for value in holder.expect(der.SET).children())
            values[kind.raw] = (*values.get(kind.raw, ()), *found)
    except (CmsError, der.DerError):
        values[b""] = ()
    return values


def _one(values: dict[bytes, tuple[bytes, ...]], kind: bytes) -> Node:
    found = values.get(kind)
    if found is None:
        raise CmsError("CMS_ATTRIBUTES", "message-digest is missing")
    return der.parse(found[0])


def _stated_kind(values: dict[bytes, tuple[bytes, ...]]) -> bytes:
    return values.get(cms.OID_CONTENT_TYPE, (b"",))[0]


def _check_content_type(values: dict[bytes, tuple[bytes, ...]], content_type: bytes) -> None:
    """Makers of GB/T 35275 structures mix both names of plain data."""
    found = _stated_kind(values)
    if not found:
        raise CmsError("CMS_ATTRIBUTES", "content-type is missing", unsupported=True)
    if found != content_type and not {found, content_type} <= DATA:
        raise CmsError("CMS_ATTRIBUTES", "content-type is of another kind")


def _check_protection(values: dict[bytes, tuple[bytes, ...]], digest: Node, algorithm: Node) -> None:
    """The algorithms are those that the signer names in the signed attributes (RFC 6211), if he does."""
    found = values.get(_OID_ALGORITHM_PROTECTION)
    if found is None:
        return
    named, *others = der.parse(found[0]).expect(der.SEQUENCE).children()
    signing = next((each for each in others if each.tag == _CONTEXT_1), None)
    # [1] IMPLICIT AlgorithmIdentifier; NULL and nothing mean the same.
    said = {_plain(named.body), *(_plain(each.body) for each in (signing,) if each is not None)}
    if said != {_plain(digest.body), _plain(algorithm.body)}:
        raise CmsError("ALGORITHM_SWAPPED", "the algorithms are not those that were signed")


def _plain(algorithm: bytes) -> bytes:
    return algorithm.removesuffix(NULL)


def _reference(values: dict[bytes, tuple[bytes, ...]]) -> tuple[bytes, bytes] | None:
    """Digest algorithm and digest of the first ESSCertIDv2 (RFC 5035) or ESSCertID (RFC 2634): the signer's own."""
    newer, older = values.get(cms.OID_SIGNING_CERTIFICATE_V2), values.get(OID_SIGNING_CERTIFICATE)
    value, algorithm = (newer, cms.OID_SHA256) if newer is not None else (older, SHA1)
    if value is None:
        return None
    return _kept_referred(value[0], algorithm) if len(value[0]) <= _KEEP_MOST else _referred(value[0], algorithm)


def _referred(value: bytes, algorithm: bytes) -> tuple[bytes, bytes]:
    listed = der.parse(value).expect(der.SEQUENCE).children()
    identifiers = listed[0].expect(der.SEQUENCE).children() if listed else []
    parts = identifiers[0].expect(der.SEQUENCE).children() if identifiers else []
    if parts and parts[0].tag == der.SEQUENCE:
        algorithm, parts = _digest_oid(parts[0]), parts[1:]
    if not parts:
        raise CmsError("CMS_ATTRIBUTES", "the attribute that names the certificate is empty")
    return algorithm, parts[0].expect(der.OCTET_STRING).body


# The same in every document of one seal. Errors are not kept.
_kept_referred = lru_cache(maxsize=256)(_referred)


def _signing_time(values: dict[bytes, tuple[bytes, ...]]) -> int | None:
    """µs since 1970 (RFC 5652, 11.3); None where it is not stated or no time."""
    found = values.get(_OID_SIGNING_TIME)
    if found is None:
        return None
    node = der.parse(found[0])
    try:
        return asn1_times.read(node.tag, node.body)
    except ValueError:
        return None


def _archival(value: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """CRLs and OCSP answers (DER) of a revocationInfoArchival; what cannot be read is not there."""
    found: dict[int, tuple[bytes, ...]] = {}
    try:
        for part in der.parse(value).expect(der.SEQUENCE).children():
            (members,) = _exactly(part, 1)
            found[part.tag] = tuple(member.raw for member in members.children())
    except (der.DerError, CmsError):
        return (), ()
    return found.get(_CONTEXT_0, ()), found.get(_CONTEXT_1, ())


def _signer_certificate(identifier: Node, embedded: tuple[bytes, ...]) -> bytes:
    if not embedded:
        raise CmsError("CMS_NO_CERTIFICATE", "the signature brings no certificate", unsupported=True)
    found: bytes | None = None
    if identifier.tag == der.SEQUENCE:
        wanted = identifier.raw
        found = next((each for each in embedded if _is_named(each, wanted)), None) or _by_reading(identifier, embedded)
    elif identifier.tag in {0x80, _CONTEXT_0}:
        # In BER the implicit octet string may stand in pieces.
        pieces = [identifier] if identifier.tag == 0x80 else identifier.children()
        key_id = b"".join(piece.body for piece in pieces)
        found = next((each for each in embedded if key_id in _key_ids(each)), None)
    if found is None:
        raise CmsError("CMS_SIGNER", "the signer's certificate is not in the signature", unsupported=True)
    return found


def _is_named(certificate: bytes, wanted: bytes) -> bool:
    """Tells whether `wanted` is the certificate's IssuerAndSerialNumber, DER."""
    try:
        return _identifier(certificate) == wanted
    except (der.DerError, IndexError):
        return False


def _by_reading(identifier: Node, embedded: tuple[bytes, ...]) -> bytes | None:
    """The certificate of the same serial number whose issuer reads the same, written with other string types."""
    parts = identifier.children()
    if len(parts) != 2:
        return None
    issuer = _texts(parts[0])
    for certificate in embedded:
        try:
            name, serial = _name(certificate)
            if serial == parts[1].raw and _texts(der.parse(name)) == issuer:
                return certificate
        except (der.DerError, IndexError, CmsError):
            continue
    return None


def _texts(name: Node) -> list[tuple[bytes, bytes]]:
    """Types and values of a Name without the values' string types."""
    return [
        (kind.raw, value.body if value.tag in _TEXTS else value.raw)
        for relative in name.expect(der.SEQUENCE).children()
        for attribute in relative.expect(der.SET).children()
        for kind, value in [_exactly(attribute.expect(der.SEQUENCE), 2)]
    ]


@kept_if_found(256)
@unwarned()
def _key_ids(certificate: bytes) -> tuple[bytes, ...]:
    """Identifiers of a certificate's key: the one it states, and SHA-1 of the key (RFC 5280, 4.2.1.2)."""
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        spki = der.parse(parsed.tbs_certificate_bytes).children()[6]
        computed = sha1(spki.children()[1].body[1:], usedforsecurity=False).digest()
        stated = parsed.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return (computed,)
    except MemoryError:
        raise
    # The library raises some ten types, not all of one family, for what may be wrong in a certificate.
    except Exception:  # noqa: BLE001 — a certificate that cannot be read has no key
        return ()
    return (stated,)


def _name(certificate: bytes) -> tuple[bytes, bytes]:
    """Issuer and serial number. Raises DerError, IndexError."""
    fields = der.parse(certificate).children()[0].children()
    # The version, which version 1 leaves out.
    offset = 1 if fields[0].tag == _CONTEXT_0 else 0
    return fields[offset + 2].raw, fields[offset].raw


def _read_identifier(certificate: bytes) -> bytes:
    return der.tlv(der.SEQUENCE, *_name(certificate))


_kept_identifier = lru_cache(maxsize=1024)(_read_identifier)


def _identifier(certificate: bytes) -> bytes:
    """IssuerAndSerialNumber; of certificates of usual size kept, since a seal signs many documents. Raises DerError,
    IndexError.
    """
    return _kept_identifier(certificate) if len(certificate) <= _KEEP_MOST else _read_identifier(certificate)


def _exactly(node: Node, count: int) -> list[Node]:
    children = node.children()
    if len(children) != count:
        raise CmsError("CMS_SYNTAX", f"{count} elements expected")
    return children
