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


# What an object of a PDF has behind its word, as a pattern that takes the square of its length.
_OBJECT = re.compile(rb"obj(?:[^0-9A-Za-z<%]|%[^\r\n]*[\r\n])*<<")


@settings(max_examples=2000, deadline=None)
@given(
    st.lists(st.sampled_from([b"1 0 ", b"<<", b"<", b"%", b"\n", b"\r", b" ", b"x", b"\0", b")", b"obj"]), max_size=14)
)
def test_what_other_readers_take_for_a_pdf(pieces: list[bytes]) -> None:
    """An object that is a dictionary, whatever stands before it and whatever some reader passes over in between."""
    for data in (b"".join(pieces), b"1 0 obj " + b"".join(pieces)):
        assert is_two_faced(data) == (_OBJECT.search(data) is not None)


@pytest.mark.parametrize(
    "numbers", [b"1 00000000000", b"1 +0", b"1 -0", b"1 0-0", b"1-\v0", b"%020d 0" % 1, b"1" + b" " * 9000 + b"0"]
)
@pytest.mark.parametrize("gap", [b"", b"\n", b" " * 9000, b"%" + b"x" * 9000 + b"\n", b"\x80", b"%\r" * 9000])
def test_an_object_of_a_pdf_in_whatever_spelling(numbers: bytes, gap: bytes) -> None:
    """Readers take digits, signs, spaces and comments without end, each in its own way."""
    assert is_two_faced(b"<!--" + numbers + gap[:1] + b" obj" + gap + b"<</Type/Catalog/Pages 2 0 R>>-->")


@pytest.mark.parametrize(
    "piece", [b"obj%" * 2000, b"obj%\n" * 2000, b"obj%" * 100 + b"\n", b"%\n" * 2000 + b" obj", b"obj" + b" " * 4000]
)
def test_looking_for_a_pdf_is_bounded(piece: bytes) -> None:
    """Comments and spaces without end behind each of many objects: each byte is looked at a few times at most."""
    started = time.process_time()
    assert not is_two_faced(piece * 1000)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "text", [b'<a obj="1"/>', b"1 0 object", b"obj % 3", b"1 0 obj, 2 0 obj", b"x.obj < 3 && y << 2"]
)
def test_what_is_no_pdf(text: bytes) -> None:
    """The word alone, as texts and scripts in a package have it."""
    assert not is_two_faced(text)


def test_a_file_larger_than_asked_for_is_not_read() -> None:
    """What is parsed is bounded before it is expanded."""
    found = archive.read(zipped({"OFD.xml": bytes(10_000)}))
    with pytest.raises(OfdError) as refused:
        found.content("OFD.xml", 9_999)
    assert refused.value.unsupported
