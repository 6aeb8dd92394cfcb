"""Metadata: what they say counts, not how they are written."""

import pytest

from services.esign.revisions.domain import xmp
from services.esign.revisions.domain.xmp import XmpError

HEAD = (
    '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:pdf="http://ns.adobe.com/pdf/1.3/">'
)
TAIL = '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'


def said(body: str) -> object:
    return xmp.properties((HEAD + body + TAIL).encode())


ELEMENTS = said(
    '<rdf:Description rdf:about=""><dc:title><rdf:Alt><rdf:li xml:lang="x-default">证明</rdf:li></rdf:Alt></dc:title>'
    "<xmp:CreatorTool>one</xmp:CreatorTool><xmp:ModifyDate>2026-06-01</xmp:ModifyDate>"
    "<pdf:Producer>first</pdf:Producer></rdf:Description>"
)


def test_attributes_and_elements_say_the_same():
    """A library that writes properties as attributes, under other prefixes, changes nothing; dates and producer may differ."""
    again = said(
        '<rdf:Description rdf:about="" xmlns:ns0="http://ns.adobe.com/xap/1.0/" ns0:CreatorTool="one" '
        'ns0:ModifyDate="2026-11-29" pdf:Producer="second"/>'
        '<rdf:Description rdf:about=""><dc:title><rdf:Alt><rdf:li xml:lang="x-default">证明</rdf:li></rdf:Alt></dc:title>'
        "</rdf:Description>"
    )
    assert again == ELEMENTS


@pytest.mark.parametrize(
    ("old", "new"),
    [("证明", "证书"), ("one", "two"), ("x-default", "zh"), ("rdf:Alt", "rdf:Bag"), ("CreatorTool", "Label")],
)
def test_what_is_said_counts(old, new):
    """Another title, tool, language, kind of list or property is another text."""
    body = (
        '<rdf:Description rdf:about=""><dc:title><rdf:Alt><rdf:li xml:lang="x-default">证明</rdf:li></rdf:Alt></dc:title>'
        "<xmp:CreatorTool>one</xmp:CreatorTool></rdf:Description>"
    )
    assert said(body) == ELEMENTS
    assert said(body.replace(old, new)) != ELEMENTS


@pytest.mark.parametrize(
    "text",
    [
        b'<!DOCTYPE a [<!ENTITY b "c">]><a/>',
        '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a><a/>'.encode("utf-16"),
        (HEAD + "<!-- paid -->" + TAIL).encode(),
        (HEAD + "<?php echo ?>" + TAIL).encode(),
        b"<a>" * 30 + b"</a>" * 30,
        b"<a",
        b"<a>" + b"x" * (1024 * 1024) + b"</a>",
        (HEAD + '<rdf:Description dc:a="1"/><rdf:Description dc:a="2"/>' + TAIL).encode(),
    ],
)
def test_what_is_more_than_properties_is_not_read(text):
    """Document types, entities, comments, instructions, depth, size, a property twice."""
    with pytest.raises(XmpError):
        xmp.properties(text)
