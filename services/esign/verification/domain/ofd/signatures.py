"""The signatures of an OFD package as they stand in it: Signatures.xml and each Signature.xml (GB/T 33190 clause 18,
GM/T 0099).
"""

import base64
import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo

from services.esign.domain import moments
from services.esign.domain.digests import SHA256, SIZE, SM3, Digest
from services.esign.domain.ofd import markup, package
from services.esign.domain.ofd.archive import Archive
from services.esign.domain.ofd.errors import OfdError, beyond_limit
from services.esign.domain.ofd.markup import Element
from services.esign.domain.ofd.package import Box, Package
from services.esign.signing.domain.signature_kinds import Kind, kind_of
from services.esign.verification.domain.ofd import signature_shape
from shuniu.china_time import CHINA

MOST_SIGNATURES = 64
# Of all signatures together.
_MOST_REFERENCES = 100_000
_MOST_VALUE = 4 * 1024 * 1024
# Names of the digest of protected files (CheckMethod): OIDs of GM/T 0006, URIs of RFC 6931, and plain names.
_METHODS = {
    "1.2.156.10197.1.401": SM3,
    "1.2.156.10197.1.401.1": SM3,
    "sm3": SM3,
    "2.16.840.1.101.3.4.2.1": SHA256,
    "sha256": SHA256,
    "sha-256": SHA256,
    "http://www.w3.org/2001/04/xmlenc#sha256": SHA256,
}
# Makers write SignatureDateTime in all of these (GM/T 0099 asks for the first); without a zone it is the machine's own.
_TIMES = ("%Y%m%d%H%M%SZ", "%Y%m%d%H%M%S.%fZ", "%Y-%m-%dT%H:%M:%SZ", "%Y%m%d%H%M%S", "%Y-%m-%d %H:%M:%S")


@dataclass(frozen=True, slots=True)
class Reference:
    """A protected file: its location as written, the file that leads to (None: it is missing), and its digest."""

    location: str
    file: str | None
    value: bytes


@dataclass(frozen=True, slots=True)
class Stamp:
    """The place where a signature shows on a page (StampAnnot). `clip`: the part of it that shows, in mm from the
    corner of `box`; None: all.
    """

    page: str
    box: Box
    clip: Box | None = None


@dataclass(frozen=True, slots=True)
class OfdSignature:
    """A signature. `file` is the location of its Signature.xml, `xml` those bytes, which `value` is over; `own` are
    all files that belong to the signature itself, `protected` those whose digests it holds. `stated`:
    SignatureDateTime, µs; without a zone what it means in China, then in UTC, as the machine that wrote it may be set.
    `foreign`: what stands in its description or in the list and belongs in neither; empty: nothing. `namespace`: of its
    description.
    """

    id: str
    file: str
    xml: bytes = field(repr=False)
    value: bytes = field(repr=False)
    seal: bytes | None = field(repr=False)
    own: frozenset[str]
    digest: Digest
    references: tuple[Reference, ...] = field(repr=False)
    protected: frozenset[str] = field(repr=False)
    stamps: tuple[Stamp, ...]
    stated: tuple[int, ...]
    foreign: str
    namespace: str


def find(found: Package) -> tuple[OfdSignature, ...]:
    """In the order they were made: one that protects another is later. Raises OfdError."""
    if found.signatures is None:
        return ()
    data = found.files.content(found.signatures, markup.MOST_BYTES)
    root = markup.parse(data, found.signatures, "Signatures")
    foreign, listed = signature_shape.foreign_in_list(root, data), root.all("Signature")
    if len(listed) > MOST_SIGNATURES:
        raise beyond_limit(f"超过 {MOST_SIGNATURES} 个签名", f"more than {MOST_SIGNATURES} signatures")
    present: list[OfdSignature] = []
    references, allowance = 0, markup.Allowance()
    for element in listed:
        present.append(_read(found, element, allowance, foreign))
        references += len(present[-1].references)
        if references > _MOST_REFERENCES:
            raise beyond_limit(
                f"签名引用超过 {_MOST_REFERENCES} 个文件", f"signatures with more than {_MOST_REFERENCES} references"
            )
    if len({signature.file for signature in present}) != len(present):
        raise OfdError("SIGNATURE_TWICE", "签名列表中同一签名出现两次", "the list names a signature twice")
    # Each maker has one; in another namespace some readers find no signatures.
    if present and root.namespace not in {signature.namespace for signature in present}:
        present = [replace(signature, foreign=signature.foreign or root.name) for signature in present]
    places = {signature.file: sum(other.file in signature.protected for other in present) for signature in present}
    return tuple(sorted(present, key=lambda signature: places[signature.file]))


def is_description(files: Archive, name: str) -> bool:
    """Tells whether a file is a Signature.xml by its root. Raises OfdError when it is not what its header says."""
    return markup.root_of(files.chunks(name)) == "Signature"


def _read(found: Package, listed: Element, allowance: markup.Allowance, foreign: str) -> OfdSignature:
    holder = found.signatures or ""
    file = found.located(listed.attributes.get("BaseLoc", ""), holder)
    if file is None:
        raise OfdError(
            "SIGNATURE_MISSING", "签名列表所指的签名文件不在包内", "a signature's file is not in the package"
        )
    data = found.files.content(file, markup.MOST_BYTES)
    element = markup.parse(data, file, "Signature", allowance)
    info, named = element.one("SignedInfo"), element.one("SignedValue")
    references = None if info is None else info.one("References")
    value = None if named is None else found.located(named.text, file)
    if info is None or references is None or value is None:
        raise OfdError(
            "SIGNATURE_MALFORMED",
            "签名文件缺少签名信息、引用列表或签名值",
            f"{file}: SignedInfo, References or SignedValue is missing",
        )
    seal = _seal_file(found, info, file)
    digest = _method(references.attributes.get("CheckMethod", "MD5"))
    listed_files = tuple(_references(found, references, file))
    content = found.files.content(value, _MOST_VALUE)
    # A signature alone has no seal: what it calls one is some file that nobody compares with anything, and that readers
    # may show.
    is_seal = kind_of(content) is Kind.SES
    has_seal = seal is not None and is_seal
    stamps = tuple(_stamps(info, file))
    # Some readers show no seal of what is called a signature alone.
    is_miscalled = is_seal and bool(stamps) and listed.attributes.get("Type", "Seal") != "Seal"
    return OfdSignature(
        id=listed.attributes.get("ID", ""),
        file=file,
        xml=data,
        value=content,
        seal=found.files.content(seal, _MOST_VALUE) if seal is not None and has_seal else None,
        own=frozenset({file, value, seal} if seal is not None and has_seal else {file, value}),
        digest=digest,
        references=listed_files,
        protected=frozenset(each.file for each in listed_files if each.file is not None),
        stamps=stamps,
        stated=_stated(info),
        foreign=foreign
        or signature_shape.foreign_in_description(element)
        or ("Seal" if seal is not None and not has_seal else "")
        or ("Signature@Type" if is_miscalled else ""),
        namespace=element.namespace,
    )


def _method(text: str) -> Digest:
    digest = _METHODS.get(text.strip().lower())
    if digest is None:
        raise OfdError(
            "DIGEST_METHOD",
            f"文件摘要算法 {text[:60]} 不受支持或强度不足，未作判断；请联系出具单位用 SM3 或 SHA-256 重新签名",
            f"digest algorithm {text[:60]!r} is not known here or too weak: not judged; the issuer should sign anew",
            unsupported=True,
        )
    return digest


def _references(found: Package, listed: Element, file: str) -> Iterator[Reference]:
    for element in listed.all("Reference"):
        location, value = element.attributes.get("FileRef", ""), element.one("CheckValue")
        try:
            digest = base64.b64decode("".join((value.text if value is not None else "").split()), validate=True)
        except ValueError:
            digest = b""
        if not location or len(digest) != SIZE:
            raise OfdError("REFERENCE_MALFORMED", "签名的引用不合规", f"{file}: a reference is malformed")
        yield Reference(location, found.located(location, file), digest)


def _stamps(info: Element, file: str) -> Iterator[Stamp]:
    for element in info.all("StampAnnot"):
        page, box = element.attributes.get("PageRef", ""), package.box_of(element.attributes.get("Boundary", ""))
        clipped = element.attributes.get("Clip", "")
        clip = package.box_of(clipped)
        if not page or box is None or (clipped and clip is None):
            text = f"{file}: StampAnnot without page or boundary, or with a box that readers take apart differently"
            raise OfdError("STAMP_MALFORMED", "签章外观不合规", text, unsupported=True)
        yield Stamp(page, box, clip)


def _seal_file(found: Package, info: Element, file: str) -> str | None:
    """Seal.esl, which some makers put beside the signature."""
    named = info.one("Seal")
    location = None if named is None else named.one("BaseLoc")
    if location is None:
        return None
    seal = found.located(location.text, file)
    if seal is None:
        raise OfdError("SEAL_MISSING", "签名所指的印章文件不在包内", f"{file}: the seal's file is not in the package")
    return seal


def _stated(info: Element) -> tuple[int, ...]:
    element = info.one("SignatureDateTime")
    text = element.text if element is not None else ""
    for shape in _TIMES:
        zones = (UTC,) if shape.endswith("Z") else (CHINA, UTC)
        if readings := tuple(_readings(text, shape, zones)):
            return readings
    return ()


def _readings(text: str, shape: str, zones: Iterable[tzinfo]) -> Iterator[int]:
    """Yields the moment that the text names in each zone; skips zones in which it names none."""
    for zone in zones:
        with contextlib.suppress(ValueError):
            yield moments.read(text, shape, zone)
