"""Independent judges of documents: their words, not their exit codes, which some get wrong."""

import atexit
import shutil
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from cryptography import x509

from services.esign.certification.domain import pki

_JARS = ("pdfbox2", "fontbox2", "commons-logging", "bcprov", "bcpkix", "bcutil")
_JAVA = Path("/usr/share/java")
_SOURCE = Path(__file__).with_name("pdfbox") / "Judge.java"


def said(*command: str) -> str:
    """What a command prints. Skips when it is absent."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is absent: make test-deps")
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    return (done.stdout + done.stderr).decode(errors="replace")


@cache
def _judge_classes() -> str:
    """Class path with the compiled judge. Skips when Java, PDFBox or BouncyCastle is absent."""
    jars = [_JAVA / f"{name}.jar" for name in _JARS]
    if absent := [jar.name for jar in jars if not jar.exists()]:
        pytest.skip(f"{', '.join(absent)} absent: make test-deps")
    path, folder = ":".join(map(str, jars)), mkdtemp(prefix="judge")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    assert said("javac", "-cp", path, "-d", folder, str(_SOURCE)) == ""
    return f"{path}:{folder}"


def pem(certificate: bytes) -> bytes:
    """Of a certificate in DER."""
    return pki.certificate_pem(x509.load_der_x509_certificate(certificate))


def pdfbox(folder: Path, root: x509.Certificate, at_us: int, *files: Path) -> dict[str, list[str]]:
    """What PDFBox and BouncyCastle say of each file: of every signature its kind, whether it holds, whether its path
    ends in `root`, whether it covers the whole file or a part.
    """
    classes = _judge_classes()
    pem = folder / "judge-root.pem"
    pem.write_bytes(pki.certificate_pem(root))
    text = said("java", "-cp", classes, "Judge", str(pem), str(at_us // 1_000_000), *map(str, files))
    found: dict[str, list[str]] = {file.name: [] for file in files}
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        found[name].append(rest)
    return found


def pyhanko(file: Path, root: x509.Certificate, at_us: int) -> list[Any]:
    """pyHanko's status of each signature and document timestamp, in the order of the file."""
    from asn1crypto import x509 as asn1
    from cryptography.hazmat.primitives.serialization import Encoding
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation import validate_pdf_signature, validate_pdf_timestamp
    from pyhanko_certvalidator import ValidationContext

    context = ValidationContext(
        trust_roots=[asn1.Certificate.load(root.public_bytes(Encoding.DER))],
        moment=datetime.fromtimestamp(at_us / 1e6, UTC),
        allow_fetching=False,
    )
    with file.open("rb") as stream:
        reader = PdfFileReader(stream)
        return [
            validate_pdf_timestamp(one, validation_context=context)
            if one.sig_object["/Type"] == "/DocTimeStamp"
            else validate_pdf_signature(one, signer_validation_context=context, ts_validation_context=context)
            for one in reader.embedded_signatures
        ]
