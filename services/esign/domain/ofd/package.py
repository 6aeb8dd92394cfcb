"""The parts of an OFD package (GB/T 33190): its entry OFD.xml, its one document, and where locations lead."""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.esign.domain.digests import SM3, Digest
from services.esign.domain.ofd import archive, markup
from services.esign.domain.ofd.archive import Archive
from services.esign.domain.ofd.errors import OfdError
from services.esign.domain.ofd.markup import Element
from services.esign.domain.ofd.names import bad_name, plain_name, trimmed
from services.esign.domain.ofd.two_faced import is_two_faced

ENTRY = "OFD.xml"
Box = tuple[float, float, float, float]
"""Left, top, width and height in mm (ST_Box)."""
_MOST_MM = 100_000.0
# Numbers without exponents, one space between two, none around them.
_BOX = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?(?: -?[0-9]{1,9}(?:\.[0-9]{1,9})?){3}")


@dataclass(slots=True)
class Package:
    """A package with one document. `document` is the location of its Document.xml, `pages` that of each page's file by
    the page's ID as written, `templates` pairs of a template's ID and location as written, `signatures` the location of
    its list of signatures, None when it has none.
    """

    files: Archive
    document: str
    pages: Mapping[str, str]
    templates: tuple[tuple[str, str], ...]
    signatures: str | None
    _digests: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def digest(self, name: str, digest: Digest) -> bytes:
        """The digest of a file's content; each file is expanded once for each algorithm. Raises OfdError."""
        key = name, digest.name
        if key not in self._digests:
            state = digest.new()
            for chunk in self.files.chunks(name):
                state.update(chunk)
            self._digests[key] = state.digest()
        return self._digests[key]

    def check_all(self) -> None:
        """Every file is what its headers say; its SM3, which nearly all signatures ask for, comes with the reading.
        Raises OfdError.
        """
        for name in self.files.files:
            self.digest(name, SM3)

    def located(self, text: str, holder: str) -> str | None:
        """The file that a location (ST_Loc, 7.3) in the file `holder` leads to; None when there is none."""
        return located(self.files, text, holder)


def read(data: bytes) -> Package:
    """Raises OfdError."""
    files = archive.read(data)
    if is_two_faced(data):
        raise _not_read("TWO_FACED", "文件同时是 PDF 和压缩包", "the file is a PDF and a package at once")
    if ENTRY not in files.files:
        raise OfdError("ENTRY_MISSING", "包内没有 OFD.xml", "the package has no OFD.xml")
    entry = xml(files, ENTRY, "OFD")
    bodies = entry.all("DocBody")
    if len(bodies) != 1:
        if not bodies:
            raise OfdError("ENTRY_MALFORMED", "OFD.xml 中没有文档", "OFD.xml names no document")
        raise _not_read("SEVERAL_DOCUMENTS", "包内有多个文档", "the package has several documents")
    body = bodies[0]
    if body.one("Versions") is not None:
        raise _not_read("VERSIONS", "文档有多个版本", "the document has several versions")
    root = body.one("DocRoot")
    document = None if root is None else located(files, root.text, ENTRY)
    if document is None:
        raise OfdError(
            "DOCUMENT_MISSING", "OFD.xml 所指的文档不在包内", "the document that OFD.xml names is not in the package"
        )
    described = xml(files, document, "Document")
    return Package(files, document, _pages(described), _templates(described), _signatures(files, body))


def xml(files: Archive, name: str, root: str) -> Element:
    """A file of the package as XML. Raises OfdError."""
    return markup.parse(files.content(name, markup.MOST_BYTES), name, root)


def located(files: Archive, text: str, holder: str) -> str | None:
    """As `Package.located`. Makers write locations from the file that holds them or from the package's root, not all
    with a leading slash; where both lead to a file, readers would differ. Raises OfdError.
    """
    text = text.strip()
    if trimmed(text) != text:
        # Some readers look for it without the spaces.
        raise bad_name(text)
    absolute = text.startswith("/")
    ways = [text.lstrip("/")] if absolute else [posixpath.join(posixpath.dirname(holder), text), text]
    names = {posixpath.normpath(way) for way in ways}
    found = names & files.files.keys()
    # In other letters it leads there on some systems only, and the name of an entry is part of what is signed.
    if any(plain in files.folded and files.folded[plain] not in found for plain in map(plain_name, names)):
        raise _not_read(
            "NAME_SPELLING",
            f"{holder} 中的路径 {text[:80]} 与包内文件名的写法不同",
            f"{holder}: the location {text[:80]!r} is spelt otherwise than the file's name",
        )
    if len(found) > 1:
        raise OfdError(
            "LOCATION_AMBIGUOUS",
            f"{holder} 中的路径 {text[:80]} 可指向包内两个文件，无法唯一解读",
            f"{holder}: the location {text[:80]!r} leads to two files, depending on the reader",
            unsupported=True,
        )
    return found.pop() if found else None


def box_of(text: str) -> Box | None:
    """A box (ST_Box, 7.3); None when it is none that every reader takes apart alike, or has no area."""
    box = extent_of(text)
    return box if box is not None and box[2] > 0 and box[3] > 0 else None


def extent_of(text: str) -> Box | None:
    """As `box_of`, of an object that may be as thin as a line."""
    if _BOX.fullmatch(text) is None:
        return None
    numbers = [float(part) for part in text.split(" ")]
    # Comparisons with what is not a number are false.
    if len(numbers) != 4 or not all(abs(number) <= _MOST_MM for number in numbers):
        return None
    left, top, width, height = numbers
    return (left, top, width, height) if width >= 0 and height >= 0 else None


def _pages(document: Element) -> dict[str, str]:
    common, listed = document.one("CommonData"), document.one("Pages")
    if common is None or listed is None:
        raise OfdError("DOCUMENT_MALFORMED", "文档描述不完整", "Document.xml lacks CommonData or Pages")
    pages = {page.attributes.get("ID", ""): page.attributes.get("BaseLoc", "") for page in listed.all("Page")}
    if "" in pages or len(pages) != len(listed.all("Page")) or not pages:
        raise OfdError("DOCUMENT_MALFORMED", "文档的页编号缺失或重复", "pages without an ID, or two with one")
    return pages


def _templates(document: Element) -> tuple[tuple[str, str], ...]:
    common = document.one("CommonData")
    listed = [] if common is None else common.all("TemplatePage")
    return tuple((each.attributes.get("ID", ""), each.attributes.get("BaseLoc", "")) for each in listed)


def _signatures(files: Archive, body: Element) -> str | None:
    named = body.one("Signatures")
    if named is None or not named.text:
        return None
    found = located(files, named.text, ENTRY)
    if found is None:
        raise OfdError(
            "SIGNATURES_MISSING", "OFD.xml 所指的签名列表不在包内", "the list of signatures is not in the package"
        )
    return found


def _not_read(reason: str, zh: str, en: str) -> OfdError:
    return OfdError(
        reason,
        f"{zh}，未作判断；请用出具单位提供的阅读软件核验，或索取单一文档",
        f"{en}: not judged; check it with the issuer's own reader, or ask for a single document",
        unsupported=True,
    )
