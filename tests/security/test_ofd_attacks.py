"""Forged OFD packages: none is VALID, and none costs more than its bounds."""

import io
import struct
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Mapping
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.esign.domain.digests import SM3
from services.esign.domain.verdict import Outcome, Status
from services.esign.ses.domain import values as ses
from shuniu.kit.crypto import sm as provider
from tests.support import sm
from tests.support.esign import NOW_US
from tests.support.ofd import (
    LIST,
    NAMESPACE,
    PAGE,
    described,
    document,
    gm_cms,
    judged,
    packed,
    page,
    reasons,
    refused,
    signed,
    unsigned,
    v1,
    v4,
)

pytestmark = pytest.mark.skipif(not provider.available(), reason="no SM2 on this machine")
XML = "Doc_0/Signs/Sign_0/Signature.xml"
VALUE = "Doc_0/Signs/Sign_0/SignedValue.dat"
FORGED = page("有犯罪记录")
SEALS = [v4, v1, gm_cms]


def _changed(files: dict[str, bytes]) -> dict[str, bytes]:
    return {**files, PAGE: FORGED}


def _dropped(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if name != "Doc_0/PublicRes.xml"}


def _added_page(files: dict[str, bytes]) -> dict[str, bytes]:
    return {
        **files,
        "Doc_0/Document.xml": document("Pages/Page_1/Content.xml"),
        "Doc_0/Pages/Page_1/Content.xml": FORGED,
    }


def _annotation(files: dict[str, bytes]) -> dict[str, bytes]:
    return {**files, "Doc_0/Annots/Page_0/Annotation.xml": FORGED}


def _attachment(files: dict[str, bytes]) -> dict[str, bytes]:
    return {**files, "Doc_0/Attachs/note.txt": b"x"}


def _other_document(files: dict[str, bytes]) -> dict[str, bytes]:
    return {
        **files,
        "Doc_1/Document.xml": document(),
        "Doc_1/Pages/Page_0/Content.xml": FORGED,
        "OFD.xml": files["OFD.xml"].replace(b"Doc_0/Document", b"Doc_1/Document"),
    }


def _second_body(files: dict[str, bytes]) -> dict[str, bytes]:
    body = files["OFD.xml"].split(b"<ofd:DocBody>")[1].split(b"</ofd:DocBody>")[0]
    other = b"<ofd:DocBody>" + body.replace(b"Doc_0/Document", b"Doc_1/Document") + b"</ofd:DocBody>"
    entry = files["OFD.xml"].replace(b"<ofd:DocBody>", other + b"<ofd:DocBody>", 1)
    return {**files, "OFD.xml": entry, "Doc_1/Document.xml": document(), "Doc_1/Pages/Page_0/Content.xml": FORGED}


def _without_reference(files: dict[str, bytes]) -> dict[str, bytes]:
    xml = files[XML]
    at = xml.index(b'<ofd:Reference FileRef="/' + PAGE.encode())
    end = xml.index(b"</ofd:Reference>", at) + len(b"</ofd:Reference>")
    return {**files, XML: xml[:at] + xml[end:], PAGE: FORGED}


def _digest_replaced(files: dict[str, bytes]) -> dict[str, bytes]:
    import base64

    old, new = (base64.b64encode(SM3.of(data)) for data in (files[PAGE], FORGED))
    return {**files, XML: files[XML].replace(old, new), PAGE: FORGED}


def _list_emptied(files: dict[str, bytes]) -> dict[str, bytes]:
    return {**files, PAGE: FORGED, LIST: f"<ofd:Signatures {NAMESPACE}></ofd:Signatures>".encode()}


def _list_elsewhere(files: dict[str, bytes]) -> dict[str, bytes]:
    entry = files["OFD.xml"].replace(LIST.encode(), b"Doc_0/Other.xml")
    return {**files, "OFD.xml": entry, "Doc_0/Other.xml": files[LIST], PAGE: FORGED}


MUTATIONS = [
    _changed,
    _dropped,
    _added_page,
    _annotation,
    _attachment,
    _other_document,
    _second_body,
    _without_reference,
    _digest_replaced,
    _list_emptied,
    _list_elsewhere,
]


@pytest.mark.parametrize("value", SEALS)
@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_mutated_document_is_refused(value, mutation: Callable[[dict[str, bytes]], dict[str, bytes]]) -> None:
    """Whatever is changed, dropped or added after signing: never VALID, and coverage or changes says so."""
    files = mutation(signed(value=value))
    verdict = judged(files)
    assert refused(verdict)
    standing = [verdict.step(name).status for name in ("parse", "coverage", "changes", "integrity")]
    assert any(status in {Status.INVALID, Status.UNKNOWN} for status in standing)


@pytest.mark.parametrize("mutation", [_changed, _added_page, _other_document, _without_reference])
def test_a_later_signature_does_not_heal_it(mutation: Callable[[dict[str, bytes]], dict[str, bytes]]) -> None:
    """The forger signs what he changed, with a trusted seal: the first signature is broken all the same."""
    assert judged(signed(mutation(signed()))).outcome is Outcome.INVALID


def test_a_seal_transplanted_from_another_signature_is_invalid() -> None:
    """The value of one document under the description of another."""
    other = signed({**unsigned(), PAGE: FORGED})
    verdict = judged({**other, VALUE: signed()[VALUE]})
    assert (verdict.outcome, reasons(verdict)["integrity"]) == (Outcome.INVALID, "DIGEST")


def test_a_seal_made_for_another_place_is_invalid() -> None:
    """propertyInfo names another Signature.xml: the seal was made for that one."""
    verdict = judged(signed(value=lambda xml, _: v4(xml, "/Doc_0/Signs/Sign_9/Signature.xml")))
    assert (verdict.outcome, reasons(verdict)["integrity"]) == (Outcome.INVALID, "PROTECTED_PARTS")


@pytest.mark.parametrize("value", [v4, gm_cms])
def test_a_file_cannot_be_passed_off_as_a_signatures_own(value) -> None:
    """A trusted later signer calls a new page his seal, so that nobody asks who protects it."""
    files = signed(signed(), value=value, seal_file=FORGED)
    assert refused(judged(files))


def test_a_description_swapped_between_signatures_is_invalid() -> None:
    """Two signatures exchange their Signature.xml."""
    files = signed(signed())
    second = XML.replace("Sign_0", "Sign_1")
    assert judged({**files, XML: files[second], second: files[XML]}).outcome is Outcome.INVALID


def test_a_seal_that_its_maker_did_not_make_is_invalid() -> None:
    """The picture in a seal was exchanged: its maker's signature no longer holds."""
    forged = sm.eseal().replace(b"picture", b"PICTURE")
    verdict = judged(signed(value=lambda xml, at: v4(xml, at, seal=forged)))
    assert (verdict.outcome, reasons(verdict)["ses"]) == (Outcome.INVALID, "SES_SIGNATURE")


def test_a_certificate_that_the_seal_does_not_list_is_invalid() -> None:
    """Another certificate of the same authority uses the seal."""
    made = sm.sm_setting()

    def value(xml: bytes, at: str) -> bytes:
        return ses.sign(sm.eseal(), made.maker, SM3.of(xml), at, NOW_US)

    verdict = judged(signed(value=value))
    assert (verdict.outcome, reasons(verdict)["ses"]) == (Outcome.INVALID, "SES_SIGNER_NOT_LISTED")


# The container.


def _entry(name: bytes, data: bytes, *, central: bytes | None = None, at: int = 0) -> tuple[bytes, bytes]:
    fields = (20, 0x800, 0, 0, 0x21, zlib.crc32(data), len(data), len(data), len(name), 0)
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", *fields) + name + data
    shown = central or name
    row = (20, 20, 0x800, 0, 0, 0x21, zlib.crc32(data), len(data), len(data), len(shown), 0, 0, 0, 0, 0, at)
    return local, struct.pack("<4s6H3I5H2I", b"PK\x01\x02", *row) + shown


def _container(
    entries: list[tuple[bytes, bytes]], *, between: bytes = b"", renamed: Mapping[bytes, bytes] = {}
) -> bytes:
    body, directory = b"", b""
    for name, data in entries:
        local, central = _entry(name, data, central=renamed.get(name), at=len(body))
        body += local + between
        directory += central
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, len(entries), len(entries), len(directory), len(body), 0)
    return body + directory + end


def _entries(files: Mapping[str, bytes]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), data) for name, data in files.items()]


def test_a_plain_container_is_read() -> None:
    """What these tests write by hand is sound before they spoil it."""
    assert judged(_container(_entries(signed()))).outcome is Outcome.VALID


def test_an_entry_that_is_there_twice_is_invalid() -> None:
    """Some readers take the first, others the last: there is no single reading."""
    for entries in ([*_entries(signed()), (PAGE.encode(), FORGED)], [(PAGE.encode(), FORGED), *_entries(signed())]):
        verdict = judged(_container(entries))
        assert (verdict.outcome, reasons(verdict)["parse"]) == (Outcome.INVALID, "NAME_TWICE")


@pytest.mark.parametrize("name", ["doc_0/pages/page_0/content.xml", "DOC_0/Pages/Page_0/Content.xml"])
def test_names_that_are_one_file_on_some_system_are_invalid(name: str) -> None:
    """Where letters' case does not count, one overwrites the other."""
    verdict = judged(_container([*_entries(signed()), (name.encode(), FORGED)]))
    assert (verdict.outcome, reasons(verdict)["parse"]) == (Outcome.INVALID, "NAME_TWICE")


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a//b", "a/./b", "c:\\x", "a\\b", "x\0y", "a\nb"])
def test_names_that_leave_the_package_are_not_judged(name: str) -> None:
    """No path tricks; but a packer that writes them has forged nothing."""
    verdict = judged(_container([*_entries(signed()), (name.encode(), b"x")]))
    assert (verdict.outcome, reasons(verdict)["parse"]) == (Outcome.INDETERMINATE, "NAME_UNSAFE")


@pytest.mark.parametrize("space", [" ", "\u00a0", "\u2003", "\u200b", "\u3000", "\ufeff"])
@pytest.mark.parametrize(
    "name", ["Doc_0/Pages/{}Page_0/Content.xml", "Doc_0/Pages/Page_0{}/Content.xml", "{}a", "b{}/"]
)
def test_no_part_of_a_name_begins_or_ends_with_white_space(name: str, space: str) -> None:
    """Readers that take it away open another file, which a later signer may write as his own description."""
    verdict = judged(_container([*_entries(signed()), (name.format(space).encode(), b"")]))
    assert (verdict.outcome, reasons(verdict)["parse"]) == (Outcome.INDETERMINATE, "NAME_UNSAFE")


@pytest.mark.parametrize(
    "spelt", ["Pages/ Page_0/Content.xml", "Pages/Page_0 /Content.xml", "Pages/ .. /Pages/Page_0/Content.xml"]
)
def test_no_part_of_a_location_begins_or_ends_with_white_space(spelt: str) -> None:
    """Whether the document leads there, or a signature protects it."""
    files = unsigned()
    name = "Doc_0/Document.xml"
    files[name] = files[name].replace(b"Pages/Page_0/Content.xml", spelt.encode())
    verdict = judged(signed(files))
    assert (verdict.outcome, reasons(verdict)["coverage"]) == (Outcome.INDETERMINATE, "TARGET_UNREAD")
    protecting = described(unsigned(), lambda xml: xml.replace(b"Pages/Page_0/Content.xml", spelt.encode()))
    verdict = judged(protecting)
    assert (verdict.outcome, reasons(verdict)["coverage"]) == (Outcome.INDETERMINATE, "NAME_UNSAFE")


def test_names_that_are_not_called_utf8_are_open() -> None:
    """Nobody's signature covers the flag of a name's encoding. Without it readers decode the name by a code page, and find
    another protected page where the document asks for one: INDETERMINATE, flagged or not, whichever page they find.
    """
    asked, other = "Doc_0/Pages/├⌐/Content.xml", "Doc_0/Pages/é/Content.xml"
    assert other.encode().decode("cp437") == asked
    files = {**unsigned(), asked: page("欠款 100"), other: page("欠款 900000")}
    files["Doc_0/Document.xml"] = document("Pages/├⌐/Content.xml")
    sound = packed(signed(files))
    assert judged(sound).outcome is Outcome.VALID
    verdict = judged(_without_utf8(sound))
    assert (verdict.outcome, reasons(verdict)["parse"]) == (Outcome.INDETERMINATE, "NAME_ENCODING")
    assert judged(_without_utf8(packed(signed()))).outcome is Outcome.VALID


def _without_utf8(package: bytes) -> bytes:
    """With the flag of UTF-8 cleared in both headers of every entry."""
    data = bytearray(package)
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        at = archive.start_dir
        for entry in archive.infolist():
            for place in (entry.header_offset + 6, at + 8):
                (flags,) = struct.unpack_from("<H", data, place)
                struct.pack_into("<H", data, place, flags & ~0x800)
            at += 46 + sum(struct.unpack_from("<3H", data, at + 28))
    return bytes(data)


def test_headers_that_disagree_are_invalid() -> None:
    """One name in the entry's own header, another in the directory."""
    forged = [*_entries(signed()), (b"Doc_0/Pages/Page_0/Hidden1.xml", FORGED)]
    verdict = judged(_container(forged, renamed={b"Doc_0/Pages/Page_0/Hidden1.xml": b"Doc_0/Pages/Page_0/Hidden2.xml"}))
    assert (verdict.outcome, reasons(verdict)["parse"]) == (Outcome.INVALID, "HEADERS_DIFFER")


def test_bytes_between_around_and_under_entries_are_invalid() -> None:
    """Data that no entry owns, before, between and behind; two entries over the same bytes."""
    sound = _container(_entries(signed()))
    shifted = zipfile.ZipFile(io.BytesIO(b"#!/bin/sh\n" + sound))
    assert shifted.namelist()
    for forged in (_container(_entries(signed()), between=b"hidden"), b"%PDF-1.7\n" + sound, sound + b"tail"):
        assert judged(forged).outcome is Outcome.INVALID
    local, central = _entry(b"a", b"x")
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 2, 2, 2 * len(central), len(local), 0)
    overlapping = local + central + central.replace(b"\x01a", b"\x01b") + end
    assert judged(overlapping).outcome is Outcome.INVALID


def test_a_wrong_checksum_or_size_is_invalid() -> None:
    """Content that its headers do not describe."""
    sound = bytearray(_container(_entries(signed())))
    at = sound.index(b"hidden" if b"hidden" in sound else "未发现".encode())
    sound[at] ^= 1
    assert judged(bytes(sound)).outcome is Outcome.INVALID


def test_encrypted_and_unknown_packing_is_open() -> None:
    """Nothing speaks against such a document; it is told what to do."""
    for flags, method in ((0x801, 0), (0x800, 12)):
        data = bytearray(_container(_entries(signed())))
        for lead, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            at = data.index(lead)
            struct.pack_into("<2H", data, at + place, flags, method)
        verdict = judged(bytes(data))
        assert verdict.outcome is Outcome.INDETERMINATE
        assert "请" in verdict.step("parse").zh


# What eats the machine.


def _bounded(data: bytes) -> str:
    """The reason, after it was judged in bounded time and memory."""
    tracemalloc.start()
    try:
        started = time.process_time()
        verdict = judged(data)
        spent, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert verdict.outcome is Outcome.INDETERMINATE
    assert spent < 30
    assert peak < 64 * 1024 * 1024
    return reasons(verdict)["parse"]


def test_a_bomb_is_not_expanded() -> None:
    """A gigabyte in a megabyte: refused by its headers, open, with what to do."""
    zeros = bytes(64 * 1024 * 1024)
    assert _bounded(packed({**signed(), "Doc_0/Res/bomb.bin": zeros})) == "LIMIT_REACHED"


def test_many_small_bombs_are_added_up() -> None:
    """Each within its bounds, together beyond them."""
    noise = bytes(1024 * 1024)
    files = {f"Doc_0/Res/{n}.bin": noise for n in range(300)}
    assert _bounded(packed({**signed(), **files})) == "LIMIT_REACHED"


def test_more_entries_than_a_document_has_are_not_read() -> None:
    """A directory of thirty thousand entries."""
    assert _bounded(packed({**signed(), **{f"x/{n}": b"" for n in range(30_000)}})) == "LIMIT_REACHED"


@pytest.mark.parametrize(
    "xml",
    [
        b'<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><ofd:OFD>&b;</ofd:OFD>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><ofd:OFD/>',
        b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://a.invalid/x"> %p;]><ofd:OFD/>',
    ],
)
def test_document_types_and_entities_are_refused(xml: bytes) -> None:
    """No document type is read, whatever it declares."""
    verdict = judged({**signed(), "OFD.xml": xml.replace(b"<ofd:OFD", f"<ofd:OFD {NAMESPACE}".encode())})
    assert (verdict.outcome, reasons(verdict)["parse"]) == (Outcome.INDETERMINATE, "XML_DOCTYPE")


@pytest.mark.parametrize("encoding", ["UTF-16", "gb2312", "UTG-8", "utf-7"])
def test_other_encodings_are_open(encoding: str) -> None:
    """Readers would differ in what they read: INDETERMINATE, with what to do."""
    files = signed()
    entry = f'<?xml version="1.0" encoding="{encoding}"?>'.encode() + files["OFD.xml"]
    verdict = judged({**files, "OFD.xml": entry})
    assert (verdict.outcome, reasons(verdict)["parse"]) == (Outcome.INDETERMINATE, "XML_ENCODING")


@pytest.mark.parametrize("value", ["", "====", "甲", "AAAA AAAA ==="])
def test_digests_that_are_none_are_invalid(value: str) -> None:
    """A reference whose digest cannot be read says nothing."""
    files = signed()
    at = files[XML].index(b"<ofd:CheckValue>") + len(b"<ofd:CheckValue>")
    end = files[XML].index(b"<", at)
    verdict = judged({**files, XML: files[XML][:at] + value.encode() + files[XML][end:]})
    assert (verdict.outcome, reasons(verdict)["coverage"]) == (Outcome.INVALID, "REFERENCE_MALFORMED")


def test_deep_and_vast_xml_is_not_read() -> None:
    """Nesting, number of elements and size are bounded."""
    deep = f"<ofd:OFD {NAMESPACE}>".encode() + b"<ofd:a>" * 50_000
    many = f"<ofd:OFD {NAMESPACE}>".encode() + b"<ofd:a/>" * 400_000
    vast = f"<ofd:OFD {NAMESPACE}>".encode() + b"x y " * 3_000_000
    for xml in (deep, many, vast):
        assert _bounded(_container(_entries({**signed(), "OFD.xml": xml}))) == "LIMIT_REACHED"


@cache
def _sound() -> tuple[dict[str, bytes], bytes]:
    """Once: signatures differ each time they are made."""
    files = signed(signed(), value=gm_cms)
    return files, _container(_entries(files))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_random_damage_is_never_valid_and_never_an_error(data: st.DataObject) -> None:
    """A flipped, dropped or inserted run of bytes anywhere: a verdict, and VALID only if no file of the document
    changed.
    """
    files, sound = _sound()
    at = data.draw(st.integers(0, len(sound) - 1))
    size = data.draw(st.integers(0, 4))
    forged = sound[:at] + data.draw(st.binary(max_size=4)) + sound[at + size :]
    verdict = judged(forged)
    if forged != sound:
        # Times of entries are the only bytes that nobody reads.
        shown = {name: _content(forged, name) for name in files} if verdict.outcome is Outcome.VALID else files
        assert shown == files


def _content(package: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return archive.read(name)
