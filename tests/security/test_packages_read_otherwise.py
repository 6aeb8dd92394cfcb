"""Packages in which other readers find other files than this one: each is refused, or told as not judged."""

import io
import struct
import zipfile
import zlib

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from services.esign.domain.pdf.document import Document
from services.esign.domain.verdict import Outcome
from services.esign.verification.offline import Trusted
from services.esign.verification.offline import judged as judged_offline
from shuniu.kit.crypto import sm as provider
from tests.support.documents import build, foreign_sign, now_us
from tests.support.esign import NOW_US, setting, small_pdf
from tests.support.ofd import LIST, NAMESPACE, PAGE, document, gm_cms, judged, packed, page, reasons, signed, unsigned
from tests.support.updates import Draft

pytestmark = pytest.mark.skipif(not provider.available(), reason="no SM2 on this machine")
NOTE = "Doc_0/Annots/Page_0/Annot.xml"
CENTRAL, LOCAL, END = b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"


def annotated():
    """A document with a note, signed."""
    files = unsigned()
    files["Doc_0/Annots/Annotations.xml"] = (
        f'<ofd:Annotations {NAMESPACE}><ofd:Page PageID="1"><ofd:FileLoc>Page_0/Annot.xml</ofd:FileLoc></ofd:Page>'
        "</ofd:Annotations>"
    ).encode()
    files[NOTE] = page("本件作废")
    files["Doc_0/Document.xml"] = document().replace(
        b"</ofd:Document>", b"<ofd:Annotations>Annots/Annotations.xml</ofd:Annotations></ofd:Document>"
    )
    return signed(files)


def patched(data, name, mark, offset, value):
    """The header of an entry with other bytes at an offset."""
    out, (length_at, name_at) = bytearray(data), (28, 46) if mark == CENTRAL else (26, 30)
    at = out.find(mark)
    while at >= 0:
        length = struct.unpack_from("<H", out, at + length_at)[0]
        if bytes(out[at + name_at : at + name_at + length]) == name.encode():
            out[at + offset : at + offset + len(value)] = value
            return bytes(out)
        at = out.find(mark, at + 4)
    raise AssertionError(name)


@pytest.mark.parametrize("written", ["Doc_0/ANNOTS/", "Doc_0/Annot\u017f/", "Doc_0/annots/"])
def test_a_protected_file_keeps_its_name_to_the_letter(written):
    """Under another spelling some readers find it and others do not, so that a note vanishes."""
    files = {
        name if name.endswith(("Signature.xml", ".dat")) else name.replace("Doc_0/Annots/", written): data
        for name, data in annotated().items()
    }
    assert judged(annotated()).outcome is Outcome.VALID
    verdict = judged(files)
    assert (verdict.outcome, reasons(verdict)["coverage"]) == (Outcome.INDETERMINATE, "NAME_SPELLING")


@pytest.mark.parametrize("end", [".", ".. ."])
def test_names_that_are_one_on_some_system_do_not_stand_side_by_side(end):
    """Dots at the end of a name are none on some."""
    verdict = judged(signed({**unsigned(), PAGE + end: page("伪造")}))
    assert (verdict.outcome, reasons(verdict)["parse"]) == (Outcome.INVALID, "NAME_TWICE")


@pytest.mark.parametrize(
    ("mark", "offset", "value"),
    [
        (CENTRAL, 38, (0o120777 << 16).to_bytes(4, "little")),
        (CENTRAL, 38, (0o040755 << 16).to_bytes(4, "little")),
        (CENTRAL, 38, (0o100000 << 16).to_bytes(4, "little")),
        (CENTRAL, 38, (0x10).to_bytes(4, "little")),
        (CENTRAL, 38, (0x08).to_bytes(4, "little")),
        (CENTRAL, 36, b"\x04\x00"),
        (CENTRAL, 6, b"\xff\x00"),
        (CENTRAL, 6, b"\x14\x0a"),
        (CENTRAL, 5, b"\x02"),
        (LOCAL, 4, b"\xff\x00"),
    ],
)
def test_what_no_signature_covers_in_a_header_is_what_it_always_is(mark, offset, value):
    """A file that is called a link, a folder, a volume, or one of a later format is left out by some readers."""
    data = packed(annotated())
    verdict = judged(patched(data, NOTE, mark, offset, value))
    assert (verdict.outcome, reasons(verdict)["parse"]) == (Outcome.INDETERMINATE, "ENTRY_ATTRIBUTES")


@pytest.mark.parametrize("system", [0, 3, 10, 11, 19])
@pytest.mark.parametrize("attributes", [0, 0x20, 0o100644 << 16])
def test_what_makers_write_there_is_accepted(system, attributes):
    """DOS, Unix, NTFS and Mac; attributes of an ordinary file, or none."""
    data = patched(packed(annotated()), NOTE, CENTRAL, 5, bytes((system,)))
    data = patched(data, NOTE, CENTRAL, 38, attributes.to_bytes(4, "little"))
    assert judged(data).outcome is Outcome.VALID


def second_package(at, files, *, far):
    """A package of its own that begins at that place, with an end of ZIP64 or of the plain kind."""
    body, directory = bytearray(), bytearray()
    for name, data in files.items():
        raw, crc, offset = name.encode(), zlib.crc32(data), at + len(body)
        sizes = (crc, len(data), len(data), len(raw), 0)
        body += struct.pack("<4s5H3I2H", LOCAL, 20, 0, 0, 0, 0x21, *sizes) + raw + data
        directory += struct.pack("<4s6H3I5H2I", CENTRAL, 20, 20, 0, 0, 0, 0x21, *sizes, 0, 0, 0, 0, offset) + raw
    begin, count, size = at + len(body), len(files), len(directory)
    end = struct.pack("<4s4H2IH", END, 0, 0, count, count, size, begin, 0)
    if far:
        end = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, begin)
        end += struct.pack("<4sIQI", b"PK\x06\x07", 0, begin + size, 1)
    return bytes(body + directory + end)


def stored(files, plain):
    """Packed, but for one entry."""
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as archive:
        for name, content in files.items():
            method = zipfile.ZIP_STORED if name == plain else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name, (2026, 6, 1, 12, 0, 0)), content, method)
    return kept.getvalue()


@pytest.mark.parametrize("far", [True, False])
def test_there_is_one_way_to_the_directory(far):
    """A second end, of ZIP64 or not, in bytes that belong to a stored entry: some readers take that one."""
    forged, holder, at = {**signed(), PAGE: page("欠款 900000")}, "Doc_0/Res/a.bin", 0
    for _ in range(2):
        data = stored(signed({**unsigned(), holder: b"MARK" + second_package(at, forged, far=far)}), holder)
        at = data.index(b"MARK") + 4
    verdict = judged(data)
    assert (verdict.outcome, reasons(verdict)["parse"]) == (Outcome.INDETERMINATE, "PACKAGE_BROKEN")
    harmless = stored(signed({**unsigned(), holder: b"MARK" + b"PK\x05\x06PK\x06\x07" * 9}), holder)
    assert judged(harmless).outcome is Outcome.VALID


def test_a_folder_holds_nothing():
    """Bytes that a folder's entry calls its own are read by nobody here, and by some as a package."""
    name, folder = b"Doc_0/Signsx", b"Doc_0/Signs/"
    data = stored({**signed(), name.decode(): second_package(0, {PAGE: page("伪造")}, far=False)}, "Doc_0/Signsx")
    good = patched(
        packed({**signed(), folder.decode(): b""}),
        folder.decode(),
        CENTRAL,
        38,
        (0o40755 << 16 | 16).to_bytes(4, "little"),
    )
    assert judged(good).outcome is Outcome.VALID
    for mode in (0o40400, 0o40600, 0o100755):
        entered = patched(good, folder.decode(), CENTRAL, 38, (mode << 16).to_bytes(4, "little"))
        assert reasons(judged(entered))["parse"] == "ENTRY_ATTRIBUTES"
    for mark, crc, size in ((LOCAL, 14, 22), (CENTRAL, 16, 24)):
        data = patched(patched(data, name.decode(), mark, size, bytes(4)), name.decode(), mark, crc, bytes(4))
    verdict = judged(data.replace(name, folder))
    assert (verdict.outcome, reasons(verdict)["parse"]) == (Outcome.INDETERMINATE, "PACKAGE_BROKEN")


def trusted():
    return Trusted.of_files({"root.pem": setting().root.certificate.public_bytes(Encoding.PEM)})


def shifted(data, by, comment):
    """A package whose offsets count from `by` bytes before it."""
    out = bytearray(data)
    at = out.find(CENTRAL)
    while at >= 0:
        struct.pack_into("<I", out, at + 42, struct.unpack_from("<I", out, at + 42)[0] + by)
        at = out.find(CENTRAL, at + 4)
    end = out.rfind(END)
    struct.pack_into("<I", out, end + 16, struct.unpack_from("<I", out, end + 16)[0] + by)
    struct.pack_into("<H", out, end + 20, comment)
    return bytes(out)


def with_package(package):
    """A PDF with a package in a stream that no page shows."""
    return build(
        {
            1: b"<</Type/Catalog/Pages 2 0 R/X 5 0 R>>",
            2: b"<</Type/Pages/Count 1/Kids[3 0 R]/MediaBox[0 0 200 200]>>",
            3: b"<</Type/Page/Parent 2 0 R/Resources<<>>>>",
            5: b"<</Length %d>>stream\n%b\nendstream" % (len(package), package),
        }
    )


def test_a_pdf_is_no_package():
    """Readers of packages look for an end and count from there: the same bytes would be an OFD that says otherwise."""
    package = packed(signed({**unsigned(), PAGE: page("欠款 900000")}))
    at = with_package(package).index(LOCAL)
    data = foreign_sign(with_package(shifted(package, at, 0)))
    data = foreign_sign(with_package(shifted(package, at, len(data) - data.rfind(END) - 22)))
    assert reasons(judged_offline(data, trusted(), now_us())) == {"parse": "TWO_FACED"}
    assert judged_offline(foreign_sign(with_package(b"OFD.xml PK")), trusted(), now_us()).outcome is Outcome.VALID


@pytest.mark.parametrize("spelt", [b"ofd.xml", b"OFD.XML", b"Ofd.Xml"])
@pytest.mark.parametrize("lost", [b"", END, CENTRAL])
def test_a_pdf_is_no_package_in_other_letters(spelt, lost):
    """Unpacked to where letters' case does not count, or mended from its entries alone, it is the same package; whether
    it was there when the document was signed or came with validation data later.
    """
    package = packed(signed({**unsigned(), PAGE: page("欠款 900000")})).replace(b"OFD.xml", spelt)
    package = package.replace(lost, b"KP" + lost[2:]) if lost else package
    before = foreign_sign(with_package(package))
    assert reasons(judged_offline(before, trusted(), now_us())) == {"parse": "TWO_FACED"}
    plain = foreign_sign(small_pdf())
    later = Draft(plain, form=Document(plain).kind)
    later.store(package)
    after = judged_offline(later.finished(), trusted(), now_us())
    assert reasons(after)["parse"] == "TWO_FACED"


def test_order_is_what_is_proven():
    """Anybody may write the list of signatures anew: who puts himself first is not therefore the first."""
    whole = '<ofd:StampAnnot ID="1" PageRef="1" Boundary="0 0 210 297"/>'
    files = signed(signed(), stamp=whole, protects=lambda name: "Signs/" not in name)
    entries = files[LIST].split(b"<ofd:Signature ")
    head, first, second = entries[0], entries[1], entries[2]
    tail = b"</ofd:Signatures>"
    turned = head + b"<ofd:Signature " + second.replace(tail, b"") + b"<ofd:Signature " + first + tail
    for listed in (files[LIST], turned):
        verdict = judged({**files, LIST: listed})
        said = {step.reason for one in verdict.signatures for step in one.steps if step.step == "changes"}
        assert (verdict.outcome, "STAMP_OVERSIZED" in said) == (Outcome.INDETERMINATE, True)


def test_a_seal_that_nothing_compares_leaves_the_verdict_open():
    """Beside a plain signature a file that is called its seal is anybody's: readers may show it."""
    seal = b"somebody's seal"
    files = {**unsigned(), "Doc_0/Signs/Sign_0/Seal.esl": seal}
    verdict = judged(signed(files, value=gm_cms, seal_file=seal))
    assert (verdict.outcome, reasons(verdict)["coverage"]) == (Outcome.INDETERMINATE, "SIGNATURE_FOREIGN")
    assert judged(signed(value=gm_cms), now_us=NOW_US + 1_000_000).outcome is Outcome.VALID


@pytest.mark.parametrize("method", ["MD5", "SHA1", "1.3.14.3.2.26", "SHA512"])
def test_another_digest_is_not_judged_and_not_called_forged(method):
    """Whatever length its values have."""
    verdict = judged(signed(method=method))
    assert (verdict.outcome, reasons(verdict)["coverage"]) == (Outcome.INDETERMINATE, "DIGEST_METHOD")


def test_very_many_ends_are_not_followed():
    """Each may lead to a directory: beyond a thousand it is work, and no document."""
    holder = "Doc_0/Res/a.bin"
    data = stored(signed({**unsigned(), holder: END * 2_000}), holder)
    verdict = judged(data)
    assert (verdict.outcome, reasons(verdict)["parse"]) == (Outcome.INDETERMINATE, "PACKAGE_BROKEN")
