"""Colours in which objects of a page are drawn (GB/T 33190 8.3): which are print in black or grey, to any reader.

A seal may lie over such print, for it has another colour. Print in a seal's colour it would change, and light print on
a coloured area it would wipe out.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

# Three numbers of 0 to 255, one space between two.
_VALUE = re.compile("([0-9]{1,3}) ([0-9]{1,3}) ([0-9]{1,3})")
# Dark, and nearly without a hue.
_DARKEST, _HUE = 96, 24
_PRINT = frozenset({"TextObject", "PathObject"})
_STATE = "DrawParam"
_COLOURS = frozenset({"FillColor", "StrokeColor"})
_SPACE = "ColorSpace"
_SPACES = frozenset({"RGB", "GRAY"})
# A path that is filled may be an area, and what lies on it print of another colour.
_NO = "false"


@dataclass(slots=True)
class _Open:
    """An object or a state of drawing whose end is not read yet. `around`: states of the layers that it is in."""

    depth: int
    number: str
    is_dark: bool
    states: set[str]


@dataclass(slots=True)
class Inks:
    """Follows the elements of one file. `states`: whether each state of drawing that it defines is dark, by its ID."""

    states: dict[str, bool] = field(default_factory=dict)
    are_usual: bool = True
    """Its colour spaces have usual values."""
    _layers: list[tuple[int, str]] = field(default_factory=list)
    _open: _Open | None = None
    _colour: int = -1

    def begin(self, depth: int, name: str, attributes: Mapping[str, str]) -> None:
        named = attributes.get(_STATE)
        if self._open is not None:
            self._inside(depth, name, attributes)
        elif name in _PRINT or name == _STATE:
            states = {state for _, state in self._layers} | ({named} if named is not None else set())
            self._open = _Open(depth, attributes.get("ID", ""), _is_plain(name, attributes), states)
            if name == _STATE and attributes.get("Relative"):
                states.add(attributes["Relative"])
        elif named is not None:
            self._layers.append((depth, named))
        if name == _SPACE and "ID" in attributes and not _is_usual(attributes):
            self.are_usual = False

    def _inside(self, depth: int, name: str, attributes: Mapping[str, str]) -> None:
        assert self._open is not None
        if self._colour >= 0 or name in _PRINT or name == _STATE:
            # A pattern or a course of colours, or an object inside of another.
            self._open.is_dark = False
        elif name in _COLOURS:
            self._colour = depth
            self._open.is_dark = self._open.is_dark and is_dark(attributes)

    def end(self, depth: int) -> frozenset[str] | None:
        """The states that the print which ends here names, when it is dark itself; None: it is not, or nothing ends."""
        if self._layers and self._layers[-1][0] == depth:
            self._layers.pop()
        if depth == self._colour:
            self._colour = -1
        if self._open is None or self._open.depth != depth:
            return None
        ended, self._open = self._open, None
        if ended.number:
            self.states[ended.number] = ended.is_dark and not ended.states and ended.number not in self.states
        return frozenset(ended.states) if ended.is_dark else None


def dark_states(files: Iterable[Inks]) -> Callable[[frozenset[str]], bool]:
    """Tells of the states that print names whether all are dark. None is where a file has unusual colour spaces."""
    known: dict[str, bool] = {}
    are_usual = True
    for each in files:
        are_usual = are_usual and each.are_usual
        for number, is_dark_state in each.states.items():
            known[number] = is_dark_state and number not in known
    return lambda states: are_usual and all(known.get(state, False) for state in states)


def is_dark(colour: Mapping[str, str]) -> bool:
    """Tells whether a FillColor or StrokeColor is black or dark grey. Without a value it has that of its space."""
    if not colour.keys() <= {"Value", _SPACE, "Alpha"} or colour.get("Alpha", "255") != "255":
        return False
    found = _VALUE.fullmatch(colour.get("Value", ""))
    if found is None:
        return False
    parts = [int(part) for part in found.groups()]
    return max(parts) <= _DARKEST and max(parts) - min(parts) <= _HUE


def _is_plain(name: str, attributes: Mapping[str, str]) -> bool:
    """Tells whether an object hides what is below it only where it has ink."""
    return attributes.get("Alpha", "255") == "255" and (name != "PathObject" or attributes.get("Fill", _NO) == _NO)


def _is_usual(space: Mapping[str, str]) -> bool:
    """Tells whether a colour space is one in which 0 0 0 is black and 255 the most."""
    return space.get("Type") in _SPACES and space.get("BitsPerComponent", "8") == "8" and space.get("Profile") is None
