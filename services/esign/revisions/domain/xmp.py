"""Compares what metadata (XMP, ISO 16684-1) say, whatever way they are written, but for when and by what they were
written.

A library that saves a document writes its metadata anew: attributes become elements, prefixes change. What counts is
the properties and their values. Text with a document type or an entity of its own is not read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from services.esign.domain import namespaces

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XMP = "http://ns.adobe.com/xap/1.0/"
_MM = "http://ns.adobe.com/xap/1.0/mm/"
# Who saved the file, when, and under which id of that save.
_OF_THE_SAVE = frozenset(
    {
        f"{_XMP} ModifyDate",
        f"{_XMP} MetadataDate",
        "http://ns.adobe.com/pdf/1.3/ Producer",
        f"{_MM} InstanceID",
    }
)
_CONTAINERS = frozenset({f"{_RDF} Seq", f"{_RDF} Bag", f"{_RDF} Alt"})
_DESCRIPTION, _ITEM, _ROOT = f"{_RDF} Description", f"{_RDF} li", f"{_RDF} RDF"
_SYNTAX = frozenset({f"{_RDF} about", f"{_RDF} parseType", f"{_RDF} ID"})
_RESOURCE = f"{_RDF} resource"
_LANGUAGE = "http://www.w3.org/XML/1998/namespace lang"
_MOST_BYTES = 1024 * 1024
_DEEPEST = 24


_TITLES = re.compile(rb"""xmlns:([^\s=]+)\s*=\s*["']http://purl\.org/dc/elements/1\.1/["']""")


class XmpError(ValueError):
    """The text is none that is read here."""


@dataclass(slots=True)
class _Element:
    name: str
    attributes: dict[str, str]
    children: list["_Element"] = field(default_factory=list)
    text: str = ""


def properties(text: bytes) -> dict[str, Any]:
    """Properties by name (namespace and local name), values as text, lists or properties of their own. Raises
    XmpError.
    """
    found: dict[str, Any] = {}
    for description in _descriptions(_tree(text)):
        for name, value in _properties(description).items():
            if name in _OF_THE_SAVE:
                if not isinstance(value, str):
                    raise XmpError(f"{name} is more than a text")
                continue
            if name in found:
                raise XmpError(f"{name} is there twice")
            found[name] = value
    return found


def prefixes(text: bytes) -> set[bytes]:
    """Checks how titles and authors are written (Dublin Core): some readers go by that and not by the namespace."""
    return set(_TITLES.findall(text))


def _tree(text: bytes) -> _Element:
    if len(text) > _MOST_BYTES:
        raise XmpError("too long")
    top = _Element("", {})
    open_: list[tuple[_Element, list[str]]] = [(top, [])]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(open_) > _DEEPEST:
            raise XmpError("too deep")
        element = _Element(name, attributes)
        open_[-1][0].children.append(element)
        open_.append((element, []))

    def end(_name: str) -> None:
        element, pieces = open_.pop()
        element.text = "".join(pieces)

    def characters(more: str) -> None:
        open_[-1][1].append(more)

    def refused(*_: Any) -> None:
        raise XmpError("more than properties: a document type, an entity, a comment")

    def instruction(target: str, _data: str) -> None:
        if target != "xpacket":
            refused()

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, characters
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = parser.CommentHandler = refused
    parser.ProcessingInstructionHandler = instruction
    try:
        body = text.strip(b"\x00\t\n\r ")
        namespaces.check(body)
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError) as cause:
        # Of encodings that expat does not know it asks Python, which has more, and not all of them for texts.
        raise XmpError(str(cause)) from cause
    return top


def _descriptions(element: _Element) -> Iterator[_Element]:
    """The descriptions of the resource, wherever the packet's wrapping puts them."""
    for child in element.children:
        if child.text.strip():
            raise XmpError("text outside the properties")
        if child.name != _ROOT:
            yield from _descriptions(child)
            continue
        for each in child.children:
            if each.name != _DESCRIPTION or each.text.strip():
                raise XmpError("more than descriptions")
            yield each


def _properties(element: _Element) -> dict[str, Any]:
    if element.text.strip():
        raise XmpError(f"{element.name} has text beside its properties")
    found: dict[str, Any] = {
        name: value for name, value in element.attributes.items() if name not in _SYNTAX and name != _LANGUAGE
    }
    for child in element.children:
        if child.name in found:
            raise XmpError(f"{child.name} is there twice")
        found[child.name] = _value(child)
    return found


def _items(container: _Element) -> list[Any]:
    if container.text.strip() or container.attributes or any(each.name != _ITEM for each in container.children):
        raise XmpError(f"{container.name} holds more than its items")
    return [_value(each) for each in container.children]


def _value(element: _Element) -> Any:
    """The value of a property or of an item."""
    language = element.attributes.get(_LANGUAGE)
    value: Any
    kids = element.children
    if kids and element.text.strip():
        raise XmpError(f"{element.name} has text beside its parts")
    if element.attributes.get(f"{_RDF} parseType") == "Resource":
        value = _properties(element)
    elif len(kids) == 1 and kids[0].name in _CONTAINERS:
        value = [kids[0].name, *_items(kids[0])]
    elif len(kids) == 1 and kids[0].name == _DESCRIPTION:
        value = _properties(kids[0])
    elif not kids:
        own = {n: v for n, v in element.attributes.items() if n not in _SYNTAX and n != _LANGUAGE}
        # A URI may be written as a text or as a resource.
        value = own[_RESOURCE] if own.keys() == {_RESOURCE} else own or element.text.strip()
    else:
        raise XmpError(f"{element.name} has a value of no known form")
    return (language, value) if language is not None else value
