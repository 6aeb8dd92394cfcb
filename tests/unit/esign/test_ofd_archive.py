"""Containers as packers write them are read; each file is what its headers say."""

import io
import re
import struct
import time
import zipfile
import zlib
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.esign.domain.ofd import archive
from services.esign.domain.ofd.errors import OfdError
from services.esign.domain.ofd.two_faced import is_two_faced

FILES = {"OFD.xml": b"<a/>" * 100, "Doc_0/Document.xml": b"<b/>", "Doc_0/空.xml": b""}


class Pipe(io.RawIOBase):
    """What cannot be gone back in: packers put sizes behind the data then."""

    def __init__(self) -> None:
        self.kept = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        self.kept += data
        return len(data)


def content(data: bytes) -> dict[str, bytes]:
    found = archive.read(data)
    return {name: found.content(name, 1 << 20) for name in found.files}


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", method) as written:
        for name, data in files.items():
            written.writestr(name, data)
    return bytes(pipe.kept)


def test_sizes_behind_the_data() -> None:
    """As Java's streams write them. What is not packed ends nowhere for who reads on: not judged."""
    assert content(zipped(FILES, zipfile.ZIP_DEFLATED)) == FILES
    with pytest.raises(OfdError) as refused:
        archive.read(zipped(FILES, zipfile.ZIP_STORED))
    assert refused.value.unsupported


def test_folders_are_entries_of_their_own() -> None:
    """They are no files."""
    assert content(zipped({"Doc_0/": b"", "Doc_0/Res/": b"", **FILES})) == FILES


def test_a_folder_with_content_is_refused() -> None:
    """Nobody would see it."""
    with pytest.raises(OfdError) as refused:
        archive.read(zipped({"Doc_0/": b"hidden", **FILES}))
    assert refused.value.reason == "PACKAGE_BROKEN"


def test_sizes_of_64_bits_in_the_entrys_own_header() -> None:
    """As some packers write them there alone; they must be the directory's."""
    data = b"<a/>" * 9
    packed = zlib.compress(data)[2:-4]

    def container(size: int) -> bytes:
        extra = struct.pack("<2H2Q", 1, 16, size, len(packed))
        local = struct.pack(
            "<4s5H3I2H", b"PK\x03\x04", 45, 0, 8, 0, 0x21, zlib.crc32(data), 2**32 - 1, 2**32 - 1, 7, len(extra)
        )
        body = local + b"OFD.xml" + extra + packed
        row = (20, 45, 0, 8, 0, 0x21, zlib.crc32(data), len(packed), len(data), 7, 0, 0, 0, 0, 0, 0)
        directory = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", *row) + b"OFD.xml"
        return body + directory + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), len(body), 0)

    assert content(container(len(data))) == {"OFD.xml": data}
    with pytest.raises(OfdError) as refused:
        archive.read(container(len(data) + 1))
    assert refused.value.reason == "HEADERS_DIFFER"


def test_a_comment_is_told_apart_from_a_tail() -> None:
    """A lawful comment leaves it open; bytes that no field announces are wrong."""
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as written:
        written.writestr("OFD.xml", b"<a/>")
        written.comment = b"KRC"
    with pytest.raises(OfdError) as told:
        archive.read(kept.getvalue())
    assert (told.value.reason, told.value.unsupported) == ("PACKAGE_COMMENT", True)
    with pytest.raises(OfdError) as wrong:
        archive.read(zipped(FILES) + b"KRC")
    assert not wrong.value.unsupported


def test_no_more_is_expanded_than_the_header_says() -> None:
    """A header that promises less than its data hold."""
    data = bytearray(zipped({"OFD.xml": bytes(100_000)}))
    for lead, place in ((b"PK\x07\x08", 12), (b"PK\x01\x02", 24)):
        at = data.index(lead)
        struct.pack_into("<I", data, at + place, 10)
    found = archive.read(bytes(data))
    with pytest.raises(OfdError):
        found.content("OFD.xml", 1 << 20)


# What an object of a PDF has before it, as a pattern that takes the square of its length.
_OBJECT = re.compile(
    rb"\d(?:[\0\t\n\v\f\r \x85\xa0]|%[^\r\n]*[\r\n])+\d{1,10}(?:[\0\t\n\v\f\r \x85\xa0]|%[^\r\n]*[\r\n])+obj(?![a-zA-Z0-9])"
)


@settings(max_examples=2000, deadline=None)
@given(st.lists(st.sampled_from([b"1", b"22", b"0" * 9, b"%", b"\n", b"\r", b" ", b"x", b"\0", b"obj"]), max_size=14))
def test_what_other_readers_take_for_a_pdf(pieces: list[bytes]) -> None:
    """An object by its two numbers, with spaces and comments behind each, and nothing else."""
    for data in (b"".join(pieces), b"".join(pieces) + b" obj "):
        assert is_two_faced(data) == (_OBJECT.search(data) is not None)


@pytest.mark.parametrize("piece", [b"1%" * 100 + b" obj.", b"1%" * 2000 + b"\nx 5 obj.", b"%\n" * 2000 + b" obj."])
def test_looking_for_a_pdf_is_bounded(piece: bytes) -> None:
    """Numbers and comments without end before each of many objects cost no more than a second or two."""
    started = time.process_time()
    is_two_faced(piece * 1000)
    assert time.process_time() - started < 5


def test_a_file_larger_than_asked_for_is_not_read() -> None:
    """What is parsed is bounded before it is expanded."""
    found = archive.read(zipped({"OFD.xml": bytes(10_000)}))
    with pytest.raises(OfdError) as refused:
        found.content("OFD.xml", 9_999)
    assert refused.value.unsupported
