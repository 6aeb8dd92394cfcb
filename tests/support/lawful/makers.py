"""Documents signed by programs of others: pyHanko, PDFBox with BouncyCastle, Poppler with NSS."""

import atexit
import io
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.validation.dss import DocumentSecurityStore

from tests.support.judges import said
from tests.support.lawful import layout
from tests.support.lawful.hands import for_pyhanko, hand

_JAVA = Path("/usr/share/java")
_JARS = ("pdfbox2", "fontbox2", "commons-logging", "bcprov", "bcpkix", "bcutil")
_PASSWORD = "hand"


def by_pyhanko(
    pdf: bytes,
    name: str = "Signature1",
    *,
    signer: str = "First Hand",
    box: tuple[int, int, int, int] | None = None,
    permission: MDPPerm | None = None,
    cades: bool = True,
    pss: bool = False,
    apart: bool = False,
) -> bytes:
    """Signed by pyHanko in the field of this name, which is new unless the form has it; `apart`: the field's picture is
    an object of its own, its only kid.
    """
    metadata = signers.PdfSignatureMetadata(
        field_name=name,
        md_algorithm="sha256",
        certify=permission is not None,
        docmdp_permissions=permission or MDPPerm.FILL_FORMS,
        subfilter=SigSeedSubFilter.PADES if cades else SigSeedSubFilter.ADOBE_PKCS7_DETACHED,
    )
    out = io.BytesIO()
    signers.PdfSigner(
        metadata,
        signer=for_pyhanko(signer, pss=pss),
        new_field_spec=fields.SigFieldSpec(name, box=box, combine_annotation=not apart) if box else None,
    ).sign_pdf(IncrementalPdfFileWriter(io.BytesIO(pdf), strict=False), output=out, bytes_reserved=4096)
    return out.getvalue()


def stored(pdf: bytes, *, named: bool) -> bytes:
    """With the signer's certificate in a security store by pyHanko; `named`: under the signature's own key (VRI)."""
    out = io.BytesIO(pdf)
    own = for_pyhanko().signing_cert
    contents = None
    if named:
        start = pdf.index(b"<", pdf.index(b"/Contents <")) + 1
        contents = pdf[start : pdf.index(b">", start)].upper()
    DocumentSecurityStore.add_dss(out, sig_contents=contents, certs=[own], ocsps=(), crls=())
    return out.getvalue()


def filled_in(pdf: bytes, name: str, text: str) -> bytes:
    """A text field's value and appearance set by pyHanko's writer, in a revision of its own."""
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf), strict=False)
    for ref in writer.root["/AcroForm"]["/Fields"]:
        field = ref.get_object()
        if field.get("/T") != name:
            continue
        x1, y1, x2, y2 = (float(n) for n in field["/Rect"])
        look = generic.StreamObject(
            dict_data={
                generic.pdf_name("/Type"): generic.pdf_name("/XObject"),
                generic.pdf_name("/Subtype"): generic.pdf_name("/Form"),
                generic.pdf_name("/BBox"): generic.ArrayObject(map(generic.FloatObject, (0, 0, x2 - x1, y2 - y1))),
                generic.pdf_name("/Resources"): generic.DictionaryObject(
                    {generic.pdf_name("/Font"): generic.DictionaryObject({generic.pdf_name("/F1"): generic.IndirectObject(layout.FONT, 0, writer)})}
                ),
            },
            stream_data=b"/Tx BMC q BT /F1 10 Tf 2 4 Td (%b) Tj ET Q EMC" % text.encode(),
        )  # fmt: skip
        field[generic.pdf_name("/V")] = generic.pdf_string(text)
        field[generic.pdf_name("/AP")] = generic.DictionaryObject({generic.pdf_name("/N"): writer.add_object(look)})
        writer.mark_update(ref)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def linearized(pdf: bytes, *, packed: bool = False) -> bytes:
    """As qpdf writes it for the web; `packed`: objects in object streams, as Acrobat has it."""
    with TemporaryDirectory() as folder:
        source, target = Path(folder, "in.pdf"), Path(folder, "out.pdf")
        source.write_bytes(pdf)
        said(
            "qpdf", "--linearize", f"--object-streams={'generate' if packed else 'disable'}", "--deterministic-id",
            str(source), str(target),
        )  # fmt: skip
        return target.read_bytes()


@cache
def _classes() -> str:
    """Class path with the compiled maker. Skips when Java, PDFBox or BouncyCastle is absent."""
    jars = [_JAVA / f"{name}.jar" for name in _JARS]
    if absent := [jar.name for jar in jars if not jar.exists()]:
        pytest.skip(f"{', '.join(absent)} absent: make test-deps")
    path, folder = ":".join(map(str, jars)), mkdtemp(prefix="maker")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    assert said("javac", "-cp", path, "-d", folder, str(Path(__file__).with_name("Maker.java"))) == ""
    return f"{path}:{folder}"


@cache
def by_pdfbox() -> Mapping[str, bytes]:
    """Documents signed by PDFBox, by name; all of them in one run of Java."""
    invisible = layout.small().data
    sources = {
        "plain": (invisible, "none"),
        "visible": (invisible, "20,20,120,60"),
        "xref stream": (layout.small(layout.Style(kind="stream", packed=frozenset({1, 2, 3, 5, 6}))).data, "none"),
        "linearized": (linearized(invisible), "none"),
        "second": (by_pyhanko(invisible), "20,20,120,60"),
    }
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "hand.p12").write_bytes(hand("Third Hand").pkcs12(_PASSWORD.encode()))
        arguments: list[str] = []
        for number, (pdf, box) in enumerate(sources.values()):
            (folder / f"{number}.pdf").write_bytes(pdf)
            arguments += [str(folder / f"{number}.pdf"), str(folder / f"{number}-signed.pdf"), box]
        assert said("java", "-Xshare:auto", "-cp", _classes(), "Maker", str(folder / "hand.p12"), *arguments) == ""
        return {each: (folder / f"{number}-signed.pdf").read_bytes() for number, each in enumerate(sources)}


@cache
def by_nss() -> Mapping[str, bytes]:
    """Documents signed by Poppler with NSS, by name."""
    for tool in ("certutil", "pk12util", "pdfsig"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is absent: make test-deps")
    sources = {"plain": layout.small().data, "second": by_pyhanko(layout.small().data)}
    with TemporaryDirectory() as name:
        folder = Path(name)
        store = f"sql:{folder}"
        (folder / "hand.p12").write_bytes(hand("Fourth Hand").pkcs12(_PASSWORD.encode()))
        _run("certutil", "-N", "-d", store, "--empty-password")
        _run("pk12util", "-i", str(folder / "hand.p12"), "-d", store, "-W", _PASSWORD, "-K", "")
        signed: dict[str, bytes] = {}
        for each, pdf in sources.items():
            source, target = folder / f"{each}.pdf", folder / f"{each}-signed.pdf"
            source.write_bytes(pdf)
            _run("pdfsig", "-nssdir", store, "-add-signature", "-nick", "hand", str(source), str(target))
            signed[each] = target.read_bytes()
        return signed


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
