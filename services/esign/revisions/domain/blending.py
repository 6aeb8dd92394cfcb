"""Tells whether something on a page makes the rest of it look different (ISO 32000-1, 11.6.6, 11.7.3 and 11.7.4).

Readers choose how they paint a page by what its resources and those of its annotations hold, used or not: where
something is transparent, or a colour is no process colour, the page's group, its colour space and overprinting begin to
count. So a look that comes later can change colours, and what is seen, anywhere on its page.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import Dict, Name, Ref
from services.esign.revisions.domain import additions

# What a graphics state may say without mixing or overprinting colours.
_PLAIN_STATE = frozenset({"Type", "LW", "LC", "LJ", "ML", "D", "RI", "FL", "SM", "SA", "Font"})
_OPAQUE: Mapping[str, frozenset[tuple[type, Any]]] = {
    **{key: frozenset({(bool, False)}) for key in ("OP", "op", "AIS")},
    **{key: frozenset({(int, 1), (float, 1.0)}) for key in ("CA", "ca")},
    "OPM": frozenset({(int, 0)}),
    "SMask": frozenset({(Name, "None")}),
    "BM": frozenset({(Name, "Normal"), (Name, "Compatible")}),
    "TK": frozenset({(bool, True)}),
}
_PROCESS = frozenset({"DeviceGray", "DeviceRGB", "DeviceCMYK", "CalGray", "CalRGB", "Lab", "ICCBased", "Pattern"})
# Names of inks that devices have, and those that mean all of them or none (8.6.6.4).
_PROCESS_INKS = frozenset({"cyan", "magenta", "yellow", "black", "red", "green", "blue", "gray", "all", "none"})
_PLAIN_GROUPS: tuple[Any, ...] = (None, "DeviceRGB", "DeviceGray")
# Resources that can hold nothing of the kind.
_HARMLESS = frozenset({"ProcSet", "Properties"})


def mixes(document: Document, look: Any) -> bool:
    """Tells whether a look (a form XObject) or what it refers to is transparent, overprints, or has special colours.
    Raises PdfError.
    """
    return any(_mixes(document, value) for value in parts(document, look))


def is_idle(document: Document, look: Any) -> bool:
    """Tells whether a look without operators brings no resources but fonts. Raises PdfError."""
    holder = additions.stream_of(document, look)
    if holder is None:
        return document.resolve(look) is None
    resources = document.resolve(holder.value.get("Resources", Dict()))
    if "Group" in holder.value or not isinstance(resources, Dict):
        return False
    filled = (key for key, value in resources.items() if document.resolve(value) not in ({}, [], None))
    # Glyphs may be content streams with resources of their own.
    return set(filled) <= _HARMLESS | {"Font"} and not any("CharProcs" in part for part in parts(document, resources))


def is_plain_group(document: Document, value: Any) -> bool:
    """Tells whether a group (11.6.6), if there is one, neither knocks out what lies below nor has other colours."""
    group = document.resolve(value)
    if not isinstance(group, Dict):
        return group is None
    return document.resolve(group.get("K")) in (None, False) and document.resolve(group.get("CS")) in _PLAIN_GROUPS


def depends(document: Document, page: Mapping[str, Any], resources: Any) -> bool:
    """Tells whether the page would look different once something on it mixes colours: its group has a colour space of
    its own, something overprints, or has the inks of devices. `resources`: the page's, which it may inherit. Raises
    PdfError.
    """
    group = document.resolve(page.get("Group"))
    if isinstance(group, Dict) and document.resolve(group.get("CS")) not in (None, "DeviceRGB"):
        return True
    return any(
        _overprints(document, part) or _has_process_inks(document, part)
        for part in parts_of_page(document, page, resources)
    )


def parts_of_page(document: Document, page: Mapping[str, Any], resources: Any) -> Iterator[Dict]:
    """The dictionaries by which a page and its annotations are drawn. Raises PdfError."""
    drawn = [resources, page.get("Contents")]
    listed = document.resolve(page.get("Annots"))
    for each in listed if isinstance(listed, list) else []:
        annotation = document.resolve(each)
        drawn.append(annotation.get("AP") if isinstance(annotation, Dict) else None)
    return parts(document, drawn)


def parts(document: Document, root: Any) -> Iterator[Dict]:
    """The dictionaries to which a form or a page's resources lead."""
    waiting = [root]
    seen: set[int] = set()
    while waiting:
        value = waiting.pop()
        document.census.count(1)
        if isinstance(value, Ref):
            if value[0] in seen:
                continue
            seen.add(value[0])
            value = document.resolve(value)
        if isinstance(value, Dict):
            yield value
        members = value.values() if isinstance(value, Dict) else value if isinstance(value, list) else ()
        waiting += (each for each in members if isinstance(each, (Ref, dict, list)))


def _mixes(document: Document, value: Dict) -> bool:
    if not value.keys().isdisjoint({"Group", "SMask", "SMaskInData"}) and not _is_state(value):
        return True
    return _states(document, value, _is_unusual) or any(kind not in _PROCESS for kind, _ in _spaces(document, value))


def _has_process_inks(document: Document, value: Dict) -> bool:
    """Tells whether a colour is of inks that the page's own colours are of, too: once something is transparent some
    readers paint it by these, and no more by the colours that the space gives for it.
    """
    return any(
        kind in {None, "DeviceN"} or (kind == "Separation" and str(ink).lower() in _PROCESS_INKS)
        for kind, ink in _spaces(document, value)
    )


def _spaces(document: Document, value: Dict) -> Iterator[tuple[Any, Any]]:
    """Kind of each colour space that a dictionary has, and what stands behind it; of tables the space that they are
    of. The kind is None where it is none.
    """
    spaces = document.resolve(value.get("ColorSpace"))
    for each in spaces.values() if isinstance(spaces, Dict) else [spaces]:
        space = document.resolve(each)
        for _ in range(3):
            kind, second = (
                ([document.resolve(one) for one in space[:2]] + [None] * 2)[:2]
                if isinstance(space, list)
                else (space, None)
            )
            if kind not in {"Indexed", "Pattern"} or second is None:
                break
            space = second
        if isinstance(space, list) or space is not None:
            # A name of the resources is judged there.
            yield ("DeviceRGB" if isinstance(space, Name) else kind if isinstance(kind, Name) else None), second


def _overprints(document: Document, value: Dict) -> bool:
    return _states(document, value, lambda key, one: key in {"OP", "op"} and one is not False)


def _states(document: Document, value: Dict, is_met: Callable[[str, Any], bool]) -> bool:
    states = document.resolve(value.get("ExtGState"))
    if not isinstance(states, Dict):
        return states is not None
    for each in states.values():
        state = document.resolve(each)
        if not isinstance(state, Dict):
            return True
        if any(is_met(key, document.resolve(one)) for key, one in state.items()):
            return True
    return False


def _is_unusual(key: str, value: Any) -> bool:
    return key not in _PLAIN_STATE and not any(
        type(value) is kind and value == one for kind, one in _OPAQUE.get(key, ())
    )


def _is_state(value: Dict) -> bool:
    """Tells whether it is a graphics state, which is judged where resources name it."""
    return value.keys() <= _PLAIN_STATE | _OPAQUE.keys()
