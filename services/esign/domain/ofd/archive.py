"""Reads the ZIP container of an OFD package (GB/T 33190, clause 5; APPNOTE 6.3) so that it has one reading only.

Readers disagree about containers that name an entry twice, whose two headers differ, or that hold bytes nobody owns;
an attacker then shows one document and has another judged. So the entries must fill the file from its first byte to
the central directory, each header must agree with its twin, and no two names may be the same file on any system.
Sizes are added up before anything is expanded.
"""

import re
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from services.esign.domain.ofd.errors import OfdError, beyond_limit
from services.esign.domain.ofd.names import MOST_NAME, bad_name, plain_name, trimmed

# Far above any document with its fonts and pictures.
MOST_ENTRIES = 20_000
MOST_EXPANDED = 128 * 1024 * 1024
"""Bytes of all entries together."""
# Deflate makes at most 1,032 from one; XML of many equal pages comes to 60. Small entries may be anything.
_MOST_RATIO = 200
_SMALL = 1024 * 1024
_CHUNK = 256 * 1024

_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_DESCRIPTOR = b"PK\x07\x08"
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_CENTRAL_HEADER = struct.Struct("<4s6H3I5H2I")
_END_RECORD = struct.Struct("<4s4H2IH")
# Where ZIP64 ends, and what leads there (APPNOTE 4.3.14 and 4.3.15).
_FAR, _FAR_LOCATOR = b"PK\x06\x06", b"PK\x06\x07"
_FAR_END, _LOCATOR = struct.Struct("<4sQ2H2I4Q"), struct.Struct("<4sIQI")
# As systems spell it for which letters' case does not count.
_ENTRY_NAME = re.compile(rb"ofd\.xml", re.IGNORECASE)
_RECORD = re.compile(rb"PK(?:\x05\x06|\x06\x06|\x01\x02|\x03\x04)")
# Records that end a package, or look like one; a document has one.
_MOST_MARKS = 1000
_NOTHING_DEFLATED = b"\x03\x00"
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _SIZES_BEHIND, _UTF8 = 0x0001, 0x0008, 0x0800
# Strength of the compression (bits 1 and 2) says nothing that matters.
_FLAGS_KNOWN = 0x0006 | _SIZES_BEHIND | _UTF8
_ZIP64, _UNICODE_PATH = 0x0001, 0x7075
# Versions of the format that packers ask for and every reader knows (APPNOTE 4.4.3), and the systems whose attributes
# say the same everywhere (4.4.2): DOS, Unix, NTFS in two numbers, Mac.
_VERSIONS = frozenset({10, 11, 20, 45})
_SYSTEMS = frozenset({0, 3, 10, 11, 19})
# Attributes of DOS: read-only, hidden, system, folder, archive, normal. Of Unix: type and permissions.
_DOS_KNOWN, _DOS_FOLDER = 0x00B7, 0x0010
_UNIX_FILE, _UNIX_FOLDER, _UNIX_PERMISSIONS, _MAY_READ, _MAY_ENTER = 0x8000, 0x4000, 0x01FF, 0x0100, 0x0040
_TEXT = 0x0001
_IN_32_BITS = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the container: where its data lie, how they are packed, and what they are unpacked."""

    name: str
    start: int
    packed: int
    size: int
    crc: int
    deflated: bool


@dataclass(frozen=True, slots=True)
class Archive:
    """A container with one reading. `files` by name, without directories; `folded` gives the name of a file as systems
    know it for which letters' case and composition do not count.
    """

    data: bytes = field(repr=False)
    files: Mapping[str, Entry] = field(repr=False)
    folded: Mapping[str, str] = field(repr=False)

    def chunks(self, name: str) -> Iterator[bytes]:
        """The file's content, expanded piece by piece. Raises OfdError when it is not what its header says."""
        entry = self.files[name]
        view = memoryview(self.data)[entry.start : entry.start + entry.packed]
        crc = size = 0
        for chunk in _inflated(view, entry) if entry.deflated else _stored(view):
            size += len(chunk)
            crc = zlib.crc32(chunk, crc)
            yield chunk
        if size != entry.size or crc != entry.crc:
            raise _broken(f"{name}: size or checksum differ from the header")

    def content(self, name: str, most: int) -> bytes:
        """The whole file, if it has at most that many bytes. Raises OfdError."""
        if self.files[name].size > most:
            raise beyond_limit(f"{name} 超过 {most // 1024} KiB", f"{name} has more than {most} bytes")
        return b"".join(self.chunks(name))


def is_ofd(data: bytes) -> bool:
    """Tells whether this is meant to be an OFD package: a ZIP file with an entry OFD.xml."""
    return data.startswith(_LOCAL) and b"OFD.xml" in data


def is_zip(data: bytes) -> bool:
    """Tells whether it begins as a ZIP file does, which an OFD package is."""
    return data.startswith(_LOCAL)


def is_package_too(data: bytes) -> bool:
    """Tells whether viewers of OFD may find one in a file: readers of ZIP look for a record that ends a package, some
    in all of the file, and go from there to its directory by ways of their own; others look for the entries themselves.
    """
    # Records come first: most documents have none, and names are looked for in all letters.
    return _RECORD.search(data) is not None and _ENTRY_NAME.search(data) is not None


def _marks(data: bytes) -> Iterator[tuple[bytes, int]]:
    for mark in (_END, _FAR_LOCATOR):
        at = data.find(mark)
        while at >= 0:
            yield mark, at
            at = data.find(mark, at + 1)


def _ends(data: bytes) -> list[int]:
    """Places from which some reader comes to a directory: of end records, and of what leads to those of ZIP64. Records
    that lead nowhere are bytes that look like one. How far from the end readers look differs.
    """
    found: list[int] = []
    for count, (mark, at) in enumerate(_marks(data)):
        if count > _MOST_MARKS:
            # Nobody knows where some reader would go from so many.
            return [*found, at]
        if mark == _END and at + _END_RECORD.size <= len(data):
            size, offset = _END_RECORD.unpack_from(data, at)[5:7]
            begins = {offset, at - size, at - size - _FAR_END.size - _LOCATOR.size}
            if any(data.startswith(_CENTRAL, begin) for begin in begins if begin >= 0) or size == 0:
                found.append(at)
        elif mark == _FAR_LOCATOR and at + _LOCATOR.size <= len(data):
            offset = _LOCATOR.unpack_from(data, at)[2]
            if any(data.startswith(_FAR, begin) for begin in (offset, at - _FAR_END.size) if 0 <= begin < len(data)):
                found.append(at)
    return found


def read(data: bytes) -> Archive:
    """The container. Raises OfdError."""
    count, directory, directory_size = _end(data)
    entries: list[tuple[int, Entry | None, int]] = []
    names: list[str] = []
    total = 0
    at = directory
    for _ in range(count):
        header = _central(data, at, directory + directory_size)
        total += header.size
        if total > MOST_EXPANDED:
            raise beyond_limit(
                f"展开后超过 {MOST_EXPANDED // 1024**2} MiB", f"more than {MOST_EXPANDED} bytes when expanded"
            )
        start, begin, end = _local(data, header, directory)
        entry = None
        if not header.name.endswith("/"):
            entry = Entry(header.name, start, header.packed, header.size, header.crc, header.method == _DEFLATED)
        elif header.size or header.crc or data[start : start + header.packed] not in {b"", _NOTHING_DEFLATED}:
            raise _broken(f"{header.name}: a directory with content")
        entries.append((begin, entry, end))
        names.append(header.name)
        at = header.end
    if at != directory + directory_size:
        raise _broken("bytes behind the last entry of the directory")
    _check_tiling(entries, directory)
    _check_names(names)
    files = {entry.name: entry for _, entry, _ in entries if entry is not None}
    folded = {plain_name(name): name for name in files}
    return Archive(data, MappingProxyType(files), MappingProxyType(folded))


# Extra fields of packers with the sizes that they have (APPNOTE 4.5, and Info-ZIP's and Java's own): ZIP64, NTFS times,
# Unix times, owners, the mark of a JAR.
_EXTRA_SIZES = {
    0x0001: (8, 16, 24, 28),
    0x000A: (32,),
    0x5455: (5, 9, 13),
    0x7875: (11,),
    0xCAFE: (0,),
}


@dataclass(frozen=True, slots=True)
class _Header:
    """An entry of the central directory. `end`: where the next one begins."""

    flags: int
    method: int
    crc: int
    packed: int
    size: int
    raw_name: bytes
    name: str
    offset: int
    end: int


def _end(data: bytes) -> tuple[int, int, int]:
    """Number of entries, offset and size of the directory."""
    at = len(data) - _END_RECORD.size
    if at < 0 or not data.startswith(_END, at):
        at = data.rfind(_END, max(0, at - 0xFFFF))
        if at < 0 or at + _END_RECORD.size > len(data):
            raise _cut_short("no end of the directory")
        missing = at + _END_RECORD.size + int.from_bytes(data[at + 20 : at + 22], "little") - len(data)
        if missing > 0:
            raise _cut_short("its comment has no end")
        if missing < 0:
            padded = not data[missing:].strip(b"\x00\t\n\r \x1a")
            raise _broken("bytes behind the end of the container", unsupported=padded)
        raise OfdError(
            "PACKAGE_COMMENT",
            "压缩包末尾带有注释，不受任何签名保护，未作判断；请向出具单位索取原件",
            "the container has a comment that no signature covers: not judged; ask the issuer for the original",
            unsupported=True,
        )
    _, disk, first_disk, here, total, size, offset, comment = _END_RECORD.unpack_from(data, at)
    if (disk, first_disk, comment) != (0, 0, 0) or here != total:
        raise _broken("several disks, or a comment that is cut short")
    if total == 0xFFFF or _IN_32_BITS in (size, offset):
        raise beyond_limit("ZIP64", "ZIP64")
    if total > MOST_ENTRIES:
        raise beyond_limit(f"超过 {MOST_ENTRIES} 个文件", f"more than {MOST_ENTRIES} entries")
    if offset + size != at:
        raise _broken("the directory does not lie where the end of the container says")
    if _ends(data) != [at]:
        # A package that lies unpacked inside is lawful, and the whole to some readers.
        raise _broken("there is another end of a directory", unsupported=True)
    return total, offset, size


def _central(data: bytes, at: int, limit: int) -> _Header:
    if at + _CENTRAL_HEADER.size > limit or not data.startswith(_CENTRAL, at):
        raise _broken("the directory is cut short")
    found = _CENTRAL_HEADER.unpack_from(data, at)
    made_by, needed, flags, method = found[1:5]
    crc, packed, size, name_size, extra_size, comment_size, disk = found[7:14]
    internal, external, offset = found[14:17]
    begin = at + _CENTRAL_HEADER.size
    end = begin + name_size + extra_size + comment_size
    if end > limit or disk:
        raise _broken("an entry of the directory is cut short")
    raw_name = data[begin : begin + name_size]
    name = _name(raw_name, flags)
    if (
        needed not in _VERSIONS
        or made_by >> 8 not in _SYSTEMS
        or internal & ~_TEXT
        or not _are_plain(external, is_folder=name.endswith("/"))
    ):
        raise _special(name)
    if comment_size:
        raise _broken(f"{name}: a comment, which no signature covers")
    if _IN_32_BITS in (packed, size, offset):
        raise beyond_limit("ZIP64", "ZIP64")
    if flags & _ENCRYPTED:
        raise OfdError(
            "ENCRYPTED",
            "文件已加密，未作判断；请先解密再核验",
            "the package is encrypted and was not judged; decrypt it, then ask again",
            unsupported=True,
        )
    if method not in {_STORED, _DEFLATED} or flags & ~_FLAGS_KNOWN or (method == _STORED and flags & _SIZES_BEHIND):
        raise beyond_limit(f"压缩方式 {method}", f"compression method {method}")
    if size > _SMALL and size > _MOST_RATIO * max(packed, 1):
        raise beyond_limit(f"{name} 的压缩比过高", f"{name} expands more than {_MOST_RATIO} times")
    if _check_extra(data[begin + name_size : begin + name_size + extra_size], raw_name):
        raise beyond_limit("ZIP64", "ZIP64")
    return _Header(flags, method, crc, packed, size, raw_name, name, offset, end)


def _are_plain(attributes: int, *, is_folder: bool) -> bool:
    """Tells whether they are of an ordinary file, or folder, for every reader that asks them: no link, device or
    volume.
    """
    dos, unix = attributes & 0xFFFF, attributes >> 16
    if dos & ~_DOS_KNOWN or (dos & _DOS_FOLDER and not is_folder):
        return False
    if unix & ~_UNIX_PERMISSIONS not in {0, _UNIX_FOLDER if is_folder else _UNIX_FILE}:
        return False
    needed = _MAY_READ | _MAY_ENTER if is_folder else _MAY_READ
    return unix == 0 or unix & needed == needed


def _local(data: bytes, header: _Header, directory: int) -> tuple[int, int, int]:
    """Returns where the entry's data begin, where its header begins, and where the next entry may begin."""
    at = header.offset
    if at + _LOCAL_HEADER.size > directory or not data.startswith(_LOCAL, at):
        raise _broken(f"{header.name}: no header where the directory says")
    _, needed, flags, method, _, _, crc, packed, size, name_size, extra_size = _LOCAL_HEADER.unpack_from(data, at)
    begin = at + _LOCAL_HEADER.size
    start = begin + name_size + extra_size
    end = start + header.packed
    if end > directory or data[begin : begin + name_size] != header.raw_name:
        raise _differ(header.name)
    if needed not in _VERSIONS:
        raise _special(header.name)
    # For a name in ASCII it says the same whether or not it is called UTF-8.
    lawful = _UTF8 if header.raw_name.isascii() else 0
    if (flags ^ header.flags) & ~lawful or method != header.method:
        raise _differ(header.name)
    wide = _check_extra(data[begin + name_size : start], header.raw_name)
    if wide and (packed, size) == (_IN_32_BITS, _IN_32_BITS):
        # Some packers write sizes of 64 bits here alone (APPNOTE 4.5.3: size, then packed size).
        if len(wide) != 16:
            raise _differ(header.name)
        size, packed = struct.unpack("<2Q", wide)
    stated = (crc, packed, size)
    true = (header.crc, header.packed, header.size)
    if not flags & _SIZES_BEHIND:
        if stated != true:
            raise _differ(header.name)
        return start, at, end
    if any(here not in {0, there} for here, there in zip(stated, true, strict=True)):
        raise _differ(header.name)
    return start, at, _behind_descriptor(data, end, header)


def _behind_descriptor(data: bytes, at: int, header: _Header) -> int:
    """Sizes and checksum behind the data, with or without their own signature (APPNOTE 4.3.9)."""
    true = struct.pack("<3I", header.crc, header.packed, header.size)
    for lead in (_DESCRIPTOR, b""):
        if data.startswith(lead + true, at):
            return at + len(lead) + len(true)
        if data.startswith(lead + struct.pack("<I2Q", header.crc, header.packed, header.size), at):
            raise beyond_limit("ZIP64", "ZIP64")
    raise _differ(header.name)


def _check_extra(extra: bytes, raw_name: bytes) -> bytes:
    """Well-formed fields, none of which renames the entry; returns that of ZIP64."""
    at, wide, seen = 0, b"", set[int]()
    while at < len(extra):
        if at + 4 > len(extra):
            # Some packers pad with a few zero bytes.
            if any(extra[at:]):
                raise _broken("an extra field is cut short")
            break
        kind, size = struct.unpack_from("<2H", extra, at)
        value = extra[at + 4 : at + 4 + size]
        if len(value) != size:
            raise _broken("an extra field is cut short")
        if kind == _ZIP64:
            wide = value
        if kind == _UNICODE_PATH and value[5:] != raw_name:
            raise _broken("an entry has two names")
        if kind in seen or (kind != _UNICODE_PATH and size not in _EXTRA_SIZES.get(kind, ())):
            # No signature covers it, and some reader may find another document there.
            raise OfdError(
                "EXTRA_FIELD",
                "压缩包带有附加字段，其中的内容不受签名保护，未作判断",
                "the container has extra fields, and no signature covers what they hold: not judged",
                unsupported=True,
            )
        seen.add(kind)
        at += 4 + size
    return wide


def _name(raw: bytes, flags: int) -> str:
    try:
        # Readers take a name that is not called UTF-8 for one of another encoding, each of its own: the file that the
        # document asks for is then another. No signature covers the flag.
        name = raw.decode("utf-8" if flags & _UTF8 else "ascii")
    except UnicodeDecodeError:
        raise OfdError(
            "NAME_ENCODING",
            "包内文件名不是 UTF-8 编码，或没有标明是 UTF-8，未作判断；请用出具单位提供的阅读软件核验",
            "a name in the package is not UTF-8, or not called so: not judged; check it with the issuer's own reader",
            unsupported=True,
        ) from None
    parts = name.removesuffix("/").split("/")
    if not name or any(part in {"", ".", ".."} for part in parts) or any(ord(c) < 0x20 or c in "\\\x7f" for c in name):
        # Some packers write paths as their system has them.
        raise bad_name(name)
    if len(name) > MOST_NAME or any(c in ':*?"<>|' for c in name) or trimmed(name) != name:
        # Lawful, and no name of a file on some systems, or another one to some readers.
        raise bad_name(name)
    return name


def _check_tiling(entries: Sequence[tuple[int, Entry | None, int]], directory: int) -> None:
    at = 0
    for begin, _, end in sorted(entries, key=lambda each: each[0]):
        if begin != at:
            raise _broken("entries overlap, or bytes lie between them")
        at = end
    if at != directory:
        raise _broken("bytes lie before the directory")


def _check_names(names: Sequence[str]) -> None:
    """No two are one file on any system, and none is both a file and a folder."""
    seen: set[str] = set()
    files: set[str] = set()
    for name in names:
        plain = plain_name(name.removesuffix("/"))
        if plain in seen:
            raise OfdError(
                "NAME_TWICE",
                f"包内有重名文件：{name}，不同软件会读出不同内容",
                f"two entries with the name {name}: readers would show different documents",
            )
        seen.add(plain)
        if not name.endswith("/"):
            files.add(plain)
    for plain in seen:
        at = plain.find("/")
        while at >= 0:
            if plain[:at] in files:
                raise _broken(f"{plain[:at]}: a file and a folder")
            at = plain.find("/", at + 1)


def _inflated(view: memoryview, entry: Entry) -> Iterator[bytes]:
    """No more than the header says is ever expanded."""
    machine = zlib.decompressobj(-zlib.MAX_WBITS)
    left = entry.size
    pending: bytes | memoryview = view
    try:
        while not machine.eof:
            chunk = machine.decompress(pending, min(_CHUNK, left + 1))
            left -= len(chunk)
            if left < 0 or (not chunk and not machine.unconsumed_tail and not machine.eof):
                raise _broken(f"{entry.name}: more or less than the header says")
            if chunk:
                yield chunk
            pending = machine.unconsumed_tail
    except zlib.error as cause:
        raise _broken(f"{entry.name}: {cause}") from cause
    if machine.unused_data:
        raise _broken(f"{entry.name}: bytes behind the compressed data")


def _stored(view: memoryview) -> Iterator[bytes]:
    for at in range(0, len(view), _CHUNK):
        yield bytes(view[at : at + _CHUNK])


def _broken(en: str, *, unsupported: bool = False) -> OfdError:
    zh = "OFD 压缩包结构不合规，无法唯一解读"
    return OfdError("PACKAGE_BROKEN", zh, f"the package has no single reading: {en}", unsupported=unsupported)


def _cut_short(en: str) -> OfdError:
    zh = "文件没有正常结尾，可能不完整"
    return OfdError("UNFINISHED", zh, f"the package is cut short: {en}", unsupported=True)


def _differ(name: str) -> OfdError:
    return OfdError(
        "HEADERS_DIFFER",
        f"压缩包内 {name} 的两处文件头不一致，不同软件会读出不同内容",
        f"{name}: its two headers differ; readers would show different documents",
    )


def _special(name: str) -> OfdError:
    return OfdError(
        "ENTRY_ATTRIBUTES",
        f"压缩包内 {name} 的文件属性不是普通文件的属性，也不受签名保护，有的软件会跳过或另作处理，未作判断",
        f"{name}: called no ordinary file by its header, which no signature covers; readers differ: not judged",
        unsupported=True,
    )
