"""Reads the XML of an OFD package: bounded, without document types and entities (expat), one namespace.

What has no fixed meaning is refused rather than guessed: two elements where one belongs, elements of other namespaces,
or of both that OFD has.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from xml.parsers import expat

from services.esign.domain import namespaces
from services.esign.domain.namespaces import NamespaceTooLongError
from services.esign.domain.ofd.errors import OfdError, beyond_limit

MOST_BYTES = 8 * 1024 * 1024
_MOST_DEPTH = 64
_MOST_ELEMENTS = 200_000
_MOST_TAG = 4 * 1024 * 1024
# GB/T 33190 7.1; the second is what early makers wrote.
_NAMESPACES = frozenset({"http://www.ofdspec.org/2016", "http://www.ofdspec.org"})
_SEPARATOR = " "
# Where the schema is, what is white space, and the language: serialisers add these. Nothing else stands in a namespace,
# for many readers take an attribute by its name alone.
OF_XML = frozenset(
    {
        "http://www.w3.org/2001/XMLSchema-instance schemaLocation",
        "http://www.w3.org/2001/XMLSchema-instance noNamespaceSchemaLocation",
        "http://www.w3.org/XML/1998/namespace space",
        "http://www.w3.org/XML/1998/namespace lang",
    }
)
"""Attributes of other namespaces that say nothing of the document, each with its namespace before it."""
# One way to write the file: a declaration, elements and text.
_NOT_PLAIN = re.compile(rb"<[?!]")
_DECLARATION = re.compile(rb"(?:\xef\xbb\xbf)?(?:<\?xml[ \t\r\n][^<>]*\?>)?")


@dataclass(slots=True)
class Element:
    """`name` without namespace; `text` is its own character data, stripped. `namespace`, and `prefix` as the file calls
    it.
    """

    name: str
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list)
    text: str = ""
    namespace: str = ""
    prefix: str = ""

    def all(self, name: str) -> list["Element"]:
        return [child for child in self.children if child.name == name]

    def one(self, name: str) -> "Element | None":
        """Raises OfdError when there are several."""
        found = self.all(name)
        if len(found) > 1:
            raise OfdError(
                "XML_AMBIGUOUS",
                f"XML 中 {name} 重复，无法唯一解读",
                f"{self.name} has several {name}: no single reading",
            )
        return found[0] if found else None


@dataclass(slots=True)
class Allowance:
    """Counts what files that are read one after another may have together: elements and bytes."""

    elements: int = _MOST_ELEMENTS
    bytes: int = MOST_BYTES


class _Reader:
    """Builds the tree, and stops at the first thing that does not belong."""

    def __init__(self, name: str, allowance: Allowance) -> None:
        self._allowance = allowance
        self._file = name
        self.root: Element | None = None
        self._open: list[Element] = []
        # Of each open element, in pieces.
        self._texts: list[list[str]] = []

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        self._allowance.elements -= 1
        if len(self._open) >= _MOST_DEPTH or self._allowance.elements < 0:
            raise beyond_limit(f"{self._file} 的 XML 过深或过大", f"{self._file}: XML too deep or too large")
        namespace, local, prefix = (*name.split(_SEPARATOR), "", "")[:3]
        first = self.root
        if namespace not in _NAMESPACES or (first is not None and namespace != first.namespace):
            raise OfdError(
                "XML_NAMESPACE",
                f"{self._file} 含有 OFD 命名空间以外的元素，未作判断；请用出具单位提供的阅读软件核验",
                f"{self._file}: an element outside the namespace of OFD: not judged; check it with the issuer's reader",
                unsupported=True,
            )
        if first is not None:
            # The same strings: of large files they are half of the memory.
            namespace, prefix = first.namespace, first.prefix if prefix == first.prefix else prefix
        element = Element(local, _unprefixed(attributes), namespace=namespace, prefix=prefix)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._texts.append([])

    def end(self, _name: str) -> None:
        self._open.pop().text = "".join(self._texts.pop()).strip()

    def data(self, text: str) -> None:
        self._texts[-1].append(text)

    def declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if (encoding or "utf-8").lower() != "utf-8":
            raise _other_encoding(self._file)

    def refuse(self, *_declared: object) -> int:
        raise OfdError(
            "XML_DOCTYPE",
            f"{self._file} 含有文档类型声明，OFD 不允许",
            f"{self._file}: a document type or entity, which OFD does not have",
            unsupported=True,
        )


def _unprefixed(attributes: dict[str, str]) -> dict[str, str]:
    """Each by its name, after its namespace where it has one, without the prefix that the file has for that."""
    if not any(_SEPARATOR in name for name in attributes):
        return attributes
    return {_SEPARATOR.join(name.split(_SEPARATOR)[:2]): value for name, value in attributes.items()}


def is_wide(data: bytes) -> bool:
    """Tells whether characters are of more than one byte: readers of XML find that by themselves, without a
    declaration.
    """
    return data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4]


def is_plain(data: bytes) -> bool:
    """Tells whether XML is written by nothing but a declaration, elements and text: no comments, instructions or
    sections.
    """
    begin = _DECLARATION.match(data)
    return _NOT_PLAIN.search(data, 0 if begin is None else begin.end()) is None


def _other_encoding(name: str) -> OfdError:
    return OfdError(
        "XML_ENCODING",
        f"{name} 不是 UTF-8 编码，未作判断；请用出具单位提供的阅读软件核验",
        f"{name}: not in UTF-8: not judged; check it with the issuer's own reader",
        unsupported=True,
    )


def parse(data: bytes, name: str, root: str, allowance: Allowance | None = None) -> Element:
    """The tree of the file `name`, whose root element is `root`. `allowance`: shared with other files; None: its own.
    Raises OfdError.
    """
    allowance = Allowance() if allowance is None else allowance
    allowance.bytes -= len(data)
    if allowance.bytes < 0:
        raise beyond_limit(f"{name} 超过 {MOST_BYTES // 1024**2} MiB", f"{name} has more than {MOST_BYTES} bytes")
    if is_wide(data):
        raise _other_encoding(name)
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    # Each name then ends with its prefix.
    parser.namespace_prefixes = True
    reader = _Reader(name, allowance)
    parser.buffer_text = True
    parser.StartElementHandler = reader.begin
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    parser.XmlDeclHandler = reader.declared
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    parser.ExternalEntityRefHandler = reader.refuse
    try:
        namespaces.check(data)
        parser.Parse(data, True)
    except OfdError:
        raise
    except NamespaceTooLongError as cause:
        raise beyond_limit(f"{name} 的命名空间名称过长", f"{name}: the name of a namespace is too long") from cause
    except expat.ExpatError as cause:
        raise OfdError("XML_MALFORMED", f"{name} 不是合规的 XML", f"{name}: not well-formed XML: {cause}") from cause
    except (LookupError, ValueError) as cause:
        raise _other_encoding(name) from cause
    found = reader.root
    if found is None or found.name != root:
        raise OfdError("XML_ROOT", f"{name} 的根元素不是 {root}", f"{name}: the root element is not {root}")
    return found


def root_of(chunks: Iterable[bytes]) -> str:
    """The name of the root element of OFD's XML, in whatever encoding; empty for other files. Raises OfdError where
    `chunks` does, and where what stands before it is longer than is read.
    """
    begun: list[str] = []
    # Without its namespaces, in which it may be any length (`namespaces`).
    parser = expat.ParserCreate()

    def begin(name: str, attributes: dict[str, str]) -> None:
        prefix, _, local = name.rpartition(":")
        is_of_ofd = attributes.get(f"xmlns:{prefix}" if prefix else "xmlns") in _NAMESPACES
        begun.append(local if is_of_ofd else "")
        parser.StartElementHandler = None

    parser.StartElementHandler = begin
    fed = 0
    for chunk in chunks:
        try:
            parser.Parse(chunk, False)
        except (expat.ExpatError, LookupError, ValueError):
            # What is wrong behind the root matters to nobody who asks for it.
            break
        fed += len(chunk)
        if begun:
            break
        if is_too_long(parser, fed):
            raise beyond_limit("一个标记过长", "a tag is too long")
    return begun[0] if begun else ""


def is_too_long(parser: expat.XMLParserType, fed: int) -> bool:
    """Tells whether the tag, comment or section that is open after `fed` bytes is longer than is read: expat begins it
    anew with each piece.
    """
    return fed - parser.CurrentByteIndex > _MOST_TAG
