"""CID-keyed CFF fonts (Adobe Technical Notes 5176 and 5177): reading glyphs, and writing a font of a few of them.

A glyph's program is written with its subroutines in place, so a small font needs none. That is done once for each
glyph and kept: people's names share most of their characters.
"""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

_ESCAPE, _CALL_LOCAL, _RETURN, _END, _CALL_GLOBAL, _SHORT = 12, 10, 11, 14, 29, 28
_STEMS = frozenset({1, 3, 18, 23})
_MASKS = frozenset({19, 20})
CHARSET, _CHARSTRINGS, _PRIVATE, _SUBRS = 15, 17, 18, 19
_ROS, _FD_ARRAY, _FD_SELECT = 0x0C1E, 0x0C24, 0x0C25
# Flex and its kin end with an empty stack, as every operator outside arithmetic does.
_CLEARING_ESCAPES = frozenset({34, 35, 36, 37})
_ADOBE, _IDENTITY = 391, 392
_FIXED = 255
_DEEPEST = 10
_NUMBER = rb"[\x20-\xf6]|[\xf7-\xfe].|\x1c..|\xff...."
_OPERAND = re.compile(_NUMBER, re.DOTALL)
# Operands, and the operator that takes them.
_STEP = re.compile(rb"((?:" + _NUMBER + rb")*)[\x00-\x1b\x1d-\x1f]", re.DOTALL)
_HEADER = b"\x01\x00\x04\x04"


class CffError(Exception):
    """A font that is not what this reader is for: damaged, not CID-keyed, or with programs of a rare kind."""


@dataclass(frozen=True, slots=True)
class Index:
    """An INDEX: its entries are read where they lie."""

    data: bytes = field(repr=False)
    at: int
    count: int
    width: int

    @classmethod
    def read(cls, data: bytes, at: int) -> "Index":
        count = int.from_bytes(data[at : at + 2], "big")
        return cls(data, at, count, data[at + 2] if count else 0)

    @property
    def end(self) -> int:
        return self._start(self.count) if self.count else self.at + 2

    def _start(self, number: int) -> int:
        row = self.at + 3 + number * self.width
        base = self.at + 2 + (self.count + 1) * self.width
        return base + int.from_bytes(self.data[row : row + self.width], "big")

    def __getitem__(self, number: int) -> bytes:
        if not 0 <= number < self.count:
            raise CffError("beyond the end of an index")
        return self.data[self._start(number) : self._start(number + 1)]


@dataclass(frozen=True, slots=True)
class _Face:
    """One Font DICT: its subroutines, and its Private DICT without the reference to them."""

    subrs: Index
    private: bytes


@dataclass(frozen=True, slots=True)
class Glyph:
    """A glyph's program with its subroutines in place, and the Font DICT it belongs to."""

    program: bytes = field(repr=False)
    face: int


@dataclass(slots=True)
class CffFont:
    """A font, and the glyphs read from it so far. Threads may share it."""

    _programs: Index
    _subrs: Index
    _faces: tuple[_Face, ...]
    _select: bytes = field(repr=False)
    _read: dict[int, Glyph] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, data: bytes) -> "CffFont":
        """Raises CffError."""
        names = Index.read(data, data[2])
        tops = Index.read(data, names.end)
        subrs = Index.read(data, Index.read(data, tops.end).end)
        top = dictionary_of(tops[0])
        if _ROS not in top:
            raise CffError("not CID-keyed")
        programs = Index.read(data, top[_CHARSTRINGS][0])
        dictionaries = Index.read(data, top[_FD_ARRAY][0])
        faces = tuple(_face(data, dictionary_of(dictionaries[n])) for n in range(dictionaries.count))
        return cls(programs, subrs, faces, _selection(data, top[_FD_SELECT][0], programs.count))

    def glyph(self, number: int) -> Glyph:
        """Raises CffError."""
        found = self._read.get(number)
        if found is None:
            face = self._select[number]
            flat = _Flat(self._faces[face].subrs, self._subrs)
            flat.run(self._programs[number], 0)
            found = self._read[number] = Glyph(bytes(flat.out), face)
        return found

    def subset(self, name: bytes, glyphs: Sequence[int]) -> bytes:
        """A CID-keyed font of these glyphs (rising) and .notdef, each under its number as CID. Raises CffError."""
        chosen = [self.glyph(0), *(self.glyph(number) for number in glyphs)]
        used = sorted({glyph.face for glyph in chosen})
        place = {face: at for at, face in enumerate(used)}
        select = b"\0" + bytes([place[glyph.face] for glyph in chosen])
        charset = b"\0" + struct.pack(f">{len(glyphs)}H", *glyphs)
        names, strings = _index([name]), _index([b"Adobe", b"Identity"])
        programs = _index([glyph.program for glyph in chosen])

        def top(at: Sequence[int]) -> bytes:
            return b"".join(
                (
                    _number(_ADOBE),
                    _number(_IDENTITY),
                    _number(0),
                    b"\x0c\x1e",
                    _number(0xFFFF),
                    b"\x0c\x22",
                    *(
                        _number(value) + key
                        for value, key in zip(at, (b"\x0f", b"\x0c\x25", b"\x11", b"\x0c\x24"), strict=True)
                    ),
                )
            )

        begin = len(_HEADER) + len(names) + len(_index([top((0, 0, 0, 0))])) + len(strings) + 2
        at_select = begin + len(charset)
        at_programs = at_select + len(select)
        at_privates = at_programs + len(programs)
        privates = [self._faces[face].private for face in used]
        dictionaries, at = [], at_privates
        for private in privates:
            dictionaries.append(_number(len(private)) + _number(at) + bytes((_PRIVATE,)))
            at += len(private)
        tops = _index([top((begin, at_select, at_programs, at))])
        return b"".join(
            (_HEADER, names, tops, strings, b"\0\0", charset, select, programs, *privates, _index(dictionaries))
        )


def _face(data: bytes, dictionary: dict[int, list[int]]) -> _Face:
    size, at = dictionary[_PRIVATE]
    raw = data[at : at + size]
    private = dictionary_of(raw)
    subrs = Index.read(data, at + private[_SUBRS][0]) if _SUBRS in private else Index(data, 0, 0, 0)
    return _Face(subrs, b"".join(text for key, _, text in _entries(raw) if key != _SUBRS))


def _selection(data: bytes, at: int, count: int) -> bytes:
    """The Font DICT of each glyph."""
    if data[at] == 0:
        return data[at + 1 : at + 1 + count]
    if data[at] != 3:
        raise CffError("unknown FDSelect")
    found = bytearray(count)
    for n in range(int.from_bytes(data[at + 1 : at + 3], "big")):
        first, face, end = struct.unpack_from(">HBH", data, at + 3 + 3 * n)
        found[first:end] = bytes((face,)) * (end - first)
    return bytes(found)


def dictionary_of(raw: bytes) -> dict[int, list[int]]:
    return {key: operands for key, operands, _ in _entries(raw)}


def _entries(raw: bytes) -> list[tuple[int, list[int], bytes]]:
    """Operator, operands and text of each entry; real numbers count as 0: nothing here needs their value."""
    found: list[tuple[int, list[int], bytes]] = []
    operands: list[int] = []
    at = start = 0
    while at < len(raw):
        first = raw[at]
        if first <= 21:
            width = 2 if first == _ESCAPE else 1
            found.append((int.from_bytes(raw[at : at + width], "big"), operands, raw[start : at + width]))
            operands, at = [], at + width
            start = at
        elif first == 30:
            at += 1
            while raw[at] & 0x0F != 0x0F and raw[at] >> 4 != 0x0F:
                at += 1
            operands.append(0)
            at += 1
        elif first == 29:
            operands.append(int.from_bytes(raw[at + 1 : at + 5], "big", signed=True))
            at += 5
        else:
            value, width = _operand(raw, at)
            operands.append(value)
            at += width
    return found


def _operand(code: bytes, at: int) -> tuple[int, int]:
    """An integer operand and how many bytes it takes."""
    first = code[at]
    if first == _SHORT:
        return int.from_bytes(code[at + 1 : at + 3], "big", signed=True), 3
    if first <= 246:
        return first - 139, 1
    if first <= 250:
        return (first - 247) * 256 + code[at + 1] + 108, 2
    return -(first - 251) * 256 - code[at + 1] - 108, 2


class _Flat:
    """A Type 2 program being written with its subroutines in place."""

    def __init__(self, local: Index, common: Index) -> None:
        self.out = bytearray()
        self._local = local
        self._common = common
        # Operands since the stack was last empty: the end of `out`.
        self._stack = b""
        self._stems = 0

    def run(self, code: bytes, depth: int) -> bool:
        """Tells whether the glyph ended. Raises CffError."""
        if depth > _DEEPEST:
            raise CffError("subroutines call each other too deep")
        at = 0
        while (found := _STEP.match(code, at)) is not None:
            at = found.end()
            self._stack += found[1]
            self.out += found[1]
            operator = code[at - 1]
            if operator == _RETURN:
                return False
            if operator in (_CALL_LOCAL, _CALL_GLOBAL):
                if self.run(self._called(self._local if operator == _CALL_LOCAL else self._common), depth + 1):
                    return True
                continue
            at += self._operator(code, at, operator)
            if operator == _END:
                return True
        raise CffError("a program without an end")

    def _operator(self, code: bytes, at: int, operator: int) -> int:
        """Writes an operator that empties the stack; returns how many bytes of data it has."""
        follows = 0
        if operator in _STEMS or operator in _MASKS:
            self._stems += len(_OPERAND.findall(self._stack)) // 2
        if operator in _MASKS:
            follows = (self._stems + 7) // 8
        elif operator == _ESCAPE:
            if code[at] not in _CLEARING_ESCAPES:
                raise CffError("a program that computes")
            follows = 1
        self.out += code[at - 1 : at + follows]
        self._stack = b""
        return follows

    def _called(self, subrs: Index) -> bytes:
        """The subroutine that the last operand names, which goes."""
        operands = _OPERAND.findall(self._stack)
        if not operands or operands[-1][0] == _FIXED:
            raise CffError("a call without a number")
        number, width = _operand(operands[-1], 0)
        del self.out[-width:]
        self._stack = self._stack[:-width]
        bias = 107 if subrs.count < 1240 else 1131 if subrs.count < 33900 else 32768
        return subrs[number + bias]


def _index(entries: Sequence[bytes]) -> bytes:
    offsets, at = [1], 1
    for entry in entries:
        at += len(entry)
        offsets.append(at)
    return b"".join((struct.pack(">HB", len(entries), 4), struct.pack(f">{len(offsets)}I", *offsets), *entries))


def _number(value: int) -> bytes:
    """An integer in five bytes, whatever it is: offsets must not change the size of what holds them."""
    return struct.pack(">Bi", 29, value)
