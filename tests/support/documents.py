"""Signed documents of a foreign product, and the tools with which attackers change documents."""

import io
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache

from asn1crypto import keys as asn1_keys
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import tsp
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.timestamps import TimeStamper
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko_certvalidator.registry import SimpleCertificateStore

from services.esign.domain.pdf.document import Document
from services.esign.timestamps.clock_guard import ClockGuard
from services.esign.timestamps.sources import Authority
from shuniu.kit.process.clock import SystemClock
from tests.support.esign import NOW_US, setting, small_pdf
from tests.support.timestamps import signer

BYTE_RANGE = re.compile(rb"/ByteRange ?\[ ?0 (\d+) (\d+) (\d+) ?\] *")


@cache
def _foreign_signer() -> signers.SimpleSigner:
    made = setting()
    store = SimpleCertificateStore()
    store.register(asn1_x509.Certificate.load(made.ca.der))
    key = made.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return signers.SimpleSigner(
        signing_cert=asn1_x509.Certificate.load(made.certificate),
        signing_key=asn1_keys.PrivateKeyInfo.load(key),
        cert_registry=store,
    )


def foreign_sign(
    pdf: bytes, name: str = "Sig1", *, certify: MDPPerm | None = None, box: tuple[int, int, int, int] | None = None
) -> bytes:
    """Signed by pyHanko with the test seal's key; with `box` in a new visible field. States the time of the test
    setting.
    """
    metadata = signers.PdfSignatureMetadata(
        field_name=name,
        md_algorithm="sha256",
        certify=certify is not None,
        docmdp_permissions=certify or MDPPerm.FILL_FORMS,
        subfilter=SigSeedSubFilter.PADES,
    )
    field = fields.SigFieldSpec(name, box=box) if box else None
    out = io.BytesIO()
    signers.PdfSigner(metadata, signer=_foreign_signer(), new_field_spec=field).sign_pdf(
        IncrementalPdfFileWriter(io.BytesIO(pdf)), output=out, bytes_reserved=16384
    )
    return out.getvalue()


class _Authority(TimeStamper):
    """The timestamp authority of the test setting, at the machine's time, for pyHanko."""

    async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
        answer = Authority(signer(), ClockGuard(SystemClock())).answer(req.dump())
        return tsp.TimeStampResp.load(answer)


def foreign_store(pdf: bytes, certificates: Sequence[bytes], answers: Sequence[bytes]) -> bytes:
    """With validation data by pyHanko: certificates and OCSP answers, DER."""
    out = io.BytesIO(pdf)
    DocumentSecurityStore.add_dss(
        out,
        sig_contents=None,
        certs=[asn1_x509.Certificate.load(each) for each in certificates],
        ocsps=[asn1_ocsp.OCSPResponse.load(each) for each in answers],
        crls=(),
    )
    return out.getvalue()


def foreign_archive(pdf: bytes) -> bytes:
    """With a document timestamp by pyHanko."""
    out = io.BytesIO()
    signers.PdfTimeStamper(_Authority()).timestamp_pdf(IncrementalPdfFileWriter(io.BytesIO(pdf)), "sha256", output=out)
    return out.getvalue()


def with_fields(pdf: bytes, *names: str) -> bytes:
    """With empty visible signature fields side by side."""
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
    for at, name in enumerate(names):
        fields.append_signature_field(writer, fields.SigFieldSpec(name, box=(10 + 60 * at, 10, 60 + 60 * at, 40)))
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def read(pdf: bytes) -> Document:
    """As our strict reader reads it."""
    return Document(pdf)


def with_form() -> bytes:
    """The smallest document with a form of its own that holds an empty, invisible signature field."""
    return build(
        {
            1: b"<</Type/Catalog/Pages 2 0 R/AcroForm 4 0 R>>",
            2: b"<</Type/Pages/Count 1/Kids[3 0 R]/MediaBox[0 0 200 200]>>",
            3: b"<</Type/Page/Parent 2 0 R/Resources<<>>/Annots[5 0 R]>>",
            4: b"<</Fields[5 0 R]/SigFlags 1>>",
            5: b"<</Type/Annot/Subtype/Widget/FT/Sig/T(Theirs)/Rect[0 0 0 0]/F 4/P 3 0 R>>",
        }
    )


def packed() -> bytes:
    """A document as modern writers make it: catalog, pages and page inside an object stream."""
    bodies = {
        1: b"<</Type/Catalog/Pages 2 0 R>>",
        2: b"<</Type/Pages/Count 1/Kids[3 0 R]/MediaBox[0 0 200.5 200]>>",
        3: b"<</Type/Page/Parent 2 0 R/Resources<<>>/Note(a\\(b)/N#61me/C#20D>>",
    }
    head, data = b"", b""
    for number, text in bodies.items():
        head += b"%d %d " % (number, len(data))
        data += text + b" "
    content = zlib.compress(head + data)
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    holder = len(out)
    out += b"4 0 obj\n<</Type/ObjStm/N 3/First %d/Filter/FlateDecode/Length %d>>\nstream\n%b\nendstream\nendobj\n" % (
        len(head),
        len(content),
        content,
    )
    xref = len(out)
    rows = b"\0\0\0\0" + b"".join(b"\2\0\4" + bytes((i,)) for i in range(3))
    rows += b"\1%b\0\1%b\0" % (holder.to_bytes(2, "big"), xref.to_bytes(2, "big"))
    out += b"5 0 obj\n<</Type/XRef/Size 6/W[1 2 1]/Root 1 0 R/Length %d>>\nstream\n%b\nendstream\nendobj\n" % (
        len(rows),
        rows,
    )
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % xref)


def build(objects: Mapping[int, bytes], trailer: bytes = b"") -> bytes:
    """A document of one revision from object bodies; 1 is the catalog."""
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    size = max(objects) + 1
    rows = {}
    for number, body in objects.items():
        rows[number] = len(out)
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    at = len(out)
    out += b"xref\n0 1\n0000000000 65535 f \n" + b"".join(
        b"%d 1\n%010d 00000 n \n" % (number, rows[number]) for number in sorted(rows)
    )
    return bytes(out + b"trailer\n<</Size %d/Root 1 0 R%b>>\nstartxref\n%d\n%%%%EOF\n" % (size, trailer, at))


def update(pdf: bytes, objects: Mapping[int, bytes], *, freed: tuple[int, ...] = (), root: int = 0) -> bytes:
    """One more revision, well formed, with other bodies for some objects."""
    trailer = pdf[pdf.rindex(b"/Root") :]
    number = root or int(re.findall(rb"/Root (\d+) ", pdf)[-1])
    info = re.findall(rb"/Info (\d+) 0 R", pdf)
    size = max(int(n) for n in re.findall(rb"/Size (\d+)", pdf))
    previous = int(pdf[pdf.rindex(b"startxref") + 10 :].split()[0])
    out = bytearray(pdf if pdf.endswith(b"\n") else pdf + b"\n")
    rows = {}
    for each, body in objects.items():
        rows[each] = len(out)
        out += b"%d 0 obj\n%b\nendobj\n" % (each, body)
    at = len(out)
    out += b"xref\n" + b"".join(b"%d 1\n%010d 00000 n \n" % (n, rows[n]) for n in sorted(rows))
    out += b"".join(b"%d 1\n0000000000 00001 f \n" % n for n in freed)
    identifiers = re.findall(rb"/ID ?\[[^\]]*\]", trailer)
    out += b"trailer\n<</Size %d/Root %d 0 R%b%b/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (
        max(size, max(rows, default=0) + 1),
        number,
        b"/Info %b 0 R" % info[-1] if info else b"",
        identifiers[-1] if identifiers else b"",
        previous,
        at,
    )
    return bytes(out)


def body(pdf: bytes, number: int) -> bytes:
    """The newest body of an object in the clear."""
    return re.findall(rb"(?:^|\n)%d 0 obj\s*(.*?)\s*endobj" % number, pdf, re.DOTALL)[-1]


def numbers(pdf: bytes, pattern: bytes) -> list[int]:
    """Numbers of the objects whose bodies match."""
    found = re.findall(rb"(?:^|\n)(\d+) 0 obj\s*(.*?)\s*endobj", pdf, re.DOTALL)
    return list(dict.fromkeys(int(n) for n, text in found if re.search(pattern, text, re.DOTALL)))


def with_byte_range(pdf: bytes, change: Callable[[int, int, int], bytes]) -> bytes:
    """The last signature's /ByteRange written otherwise, in the same number of bytes where it fits."""
    match = list(BYTE_RANGE.finditer(pdf))[-1]
    text = b"/ByteRange" + change(*(int(n) for n in match.groups()))
    return pdf[: match.start()] + text.ljust(len(match[0])) + pdf[match.end() :]


def contents(pdf: bytes) -> tuple[int, int]:
    """Where the last signature's hexadecimal digits begin and end."""
    match = list(BYTE_RANGE.finditer(pdf))[-1]
    return int(match[1]) + 1, int(match[2]) - 1


def with_cms(pdf: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Another CMS in the last signature's gap, filled with zero digits."""
    start, end = contents(pdf)
    raw = bytes.fromhex(pdf[start:end].decode())
    size = 4 + int.from_bytes(raw[2:4], "big")
    digits = change(raw[:size]).hex().encode()
    assert len(digits) <= end - start
    return pdf[:start] + digits.ljust(end - start, b"0") + pdf[end:]


@cache
def foreign() -> bytes:
    """An approval signature of a foreign product over the smallest document."""
    return foreign_sign(small_pdf())


@cache
def certified() -> bytes:
    """Certified by a foreign product at level 2, with one more empty field for a second signer."""
    return foreign_sign(with_fields(small_pdf(), "A", "B"), "A", certify=MDPPerm.FILL_FORMS)


def now_us() -> int:
    """A moment after everything that the foreign product signed in this run."""
    return max(NOW_US, int(datetime.now(UTC).timestamp() * 1_000_000)) + 60_000_000
