"""Checks what Signatures.xml and Signature.xml may hold (GB/T 33190 clause 18, GM/T 0099 annex B).

A signer's value covers his own Signature.xml, but no earlier signature covers it, and nobody's covers the list. So
neither may hold anything that a reader could take for content. The list, which anybody can write anew, is also written
in one way only: by elements of one prefix, each attribute a word, each location without detours.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.esign.domain.ofd import markup
from services.esign.domain.ofd.markup import OF_XML, Element


@dataclass(frozen=True, slots=True)
class _Shape:
    """An element: its attributes, its children by name, and whether it holds text."""

    attributes: frozenset[str] = frozenset()
    children: Mapping[str, "_Shape"] = field(default_factory=dict)
    has_text: bool = False


_TEXT = _Shape(has_text=True)
# One maker writes the provider's attributes as elements.
_PROVIDER = ("ProviderName", "Version", "Company", "ProtocolVer")

_LIST = _Shape(
    children={
        "MaxSignId": _TEXT,
        "Signature": _Shape(frozenset({"ID", "Type", "BaseLoc", "Relative"})),
    }
)
_DESCRIPTION = _Shape(
    children={
        "SignedInfo": _Shape(
            children={
                "Provider": _Shape(frozenset(_PROVIDER), dict.fromkeys((*_PROVIDER, "ExtendData"), _TEXT)),
                "SignatureMethod": _TEXT,
                "SignatureDateTime": _TEXT,
                "Parameters": _Shape(children={"Parameter": _Shape(frozenset({"Name", "Type"}), has_text=True)}),
                "References": _Shape(
                    frozenset({"CheckMethod"}),
                    {"Reference": _Shape(frozenset({"FileRef"}), {"CheckValue": _TEXT})},
                ),
                "StampAnnot": _Shape(frozenset({"ID", "PageRef", "Boundary", "Clip"})),
                "Seal": _Shape(children={"BaseLoc": _TEXT}),
            }
        ),
        "SignedValue": _TEXT,
    }
)
_KINDS = frozenset({"Seal", "Sign"})
_WORD = re.compile(r"[0-9A-Za-z_.:-]{0,64}")

# From the root, or from the list's folder or one above it.
_LOCATION = re.compile(r"(?!\s)(?:/|(?:\./)?(?:\.\./)*)(?!\.{1,2}(?:/|$))[^/\\]+(?:/(?!\.{1,2}(?:/|$))[^/\\]+)*(?<!\s)")


def foreign_in_list(root: Element, data: bytes) -> str:
    """The first thing in Signatures.xml that does not belong there; empty when there is none. `data`: its bytes."""
    if not markup.is_plain(data):
        return "Signatures"
    return _foreign(root, _LIST) or next((found for child in root.children if (found := _oddity(root, child))), "")


def _oddity(root: Element, child: Element) -> str:
    """Names what is written so in a child of the list that readers may take it in other ways."""
    values = child.attributes
    wrong = {
        "": child.prefix != root.prefix,
        "ID": not _WORD.fullmatch(values.get("ID", "")),
        "Type": values.get("Type", "Seal") not in _KINDS,
        "Relative": not _WORD.fullmatch(values.get("Relative", "")),
        "BaseLoc": child.name == "Signature" and not _LOCATION.fullmatch(values.get("BaseLoc", "")),
        "text": not _WORD.fullmatch(child.text),
    }
    found = next((name for name, is_wrong in wrong.items() if is_wrong), None)
    return "" if found is None else f"{child.name}@{found}".removesuffix("@")


def foreign_in_description(root: Element) -> str:
    """The first thing in Signature.xml that does not belong there; empty when there is none."""
    return _foreign(root, _DESCRIPTION)


def _foreign(element: Element, shape: _Shape) -> str:
    if element.text and not shape.has_text:
        return element.name
    for name in element.attributes:
        if name not in shape.attributes and name not in OF_XML:
            return f"{element.name}@{name}"
    for child in element.children:
        expected = shape.children.get(child.name)
        if expected is None:
            return child.name
        if found := _foreign(child, expected):
            return found
    return ""
