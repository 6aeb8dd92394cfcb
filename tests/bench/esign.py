"""`esign.*`: sealing, verification and codes, each a second of one core's time, the peer in the same rounds.

Every module `tests/bench/parts/esign_*.py` adds its rows: `async def run() -> list[dict]`, as an area's own.
"""

import asyncio
import importlib
import io
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import count, cycle
from pathlib import Path
from typing import Any

from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import signers
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from services.esign.certification.domain.trust import Trust
from services.esign.domain.verdict import Outcome
from services.esign.pages import layout
from services.esign.pages.domain import qr
from services.esign.signing.domain import pades
from services.esign.verification.domain import verify
from tests.support.esign import NOW_US, certificate_data, page, sealed, setting

ROUNDS = 5
LATER_US = NOW_US + 60_000_000
PEOPLE = 64
PARTS = Path(__file__).with_name("parts")


def rate(work: Callable[[], Any], times: int) -> float:
    """Calls a second of this process's time on the processor: neighbours on the machine count less that way."""
    began = time.process_time()
    for _ in range(times):
        work()
    return times / (time.process_time() - began)


def rounds(works: Sequence[tuple[Callable[[], Any], int]]) -> list[float]:
    """Median rate of each, all of them in each of the rounds."""
    for work, _ in works:
        work()
    found = [[rate(work, times) for work, times in works] for _ in range(ROUNDS)]
    return [statistics.median(column) for column in zip(*found, strict=True)]


def row(name: str, value: float, unit: str, against: float | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "against": against,
        "ratio": value / against if against else None,
    }


class PyHanko:
    """The same document, key, certificate and level, signed and verified by pyHanko."""

    def __init__(self) -> None:
        made = setting()
        key = made.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        store = SimpleCertificateStore()
        store.register(asn1_x509.Certificate.load(made.ca.der))
        self._signer = signers.SimpleSigner(
            signing_cert=asn1_x509.Certificate.load(made.certificate),
            signing_key=asn1_keys.PrivateKeyInfo.load(key),
            cert_registry=store,
        )
        self._root = asn1_x509.Certificate.load(made.root.certificate.public_bytes(Encoding.DER))
        self._page = page()

    def sign(self) -> bytes:
        metadata = signers.PdfSignatureMetadata(
            field_name="Seal1",
            md_algorithm="sha256",
            certify=True,
            docmdp_permissions=MDPPerm.NO_CHANGES,
            subfilter=SigSeedSubFilter.PADES,
        )
        out = io.BytesIO()
        signers.sign_pdf(IncrementalPdfFileWriter(io.BytesIO(self._page)), metadata, signer=self._signer, output=out)
        return out.getvalue()

    def verify(self, pdf: bytes) -> None:
        context = ValidationContext(
            trust_roots=[self._root], moment=datetime.fromtimestamp(LATER_US / 1e6, UTC), allow_fetching=False
        )
        status = validate_pdf_signature(
            PdfFileReader(io.BytesIO(pdf)).embedded_signatures[0], signer_validation_context=context
        )
        assert status.intact
        assert status.valid


def sealing(peer: PyHanko) -> list[dict[str, Any]]:
    pdf, seal = page(), setting().seal
    ours, theirs = rounds(((lambda: pades.sign(pdf, seal, NOW_US), 400), (peer.sign, 10)))
    return [row("esign.pades_bb", ours, "signatures/s/core", theirs)]


def _page(number: int, lay_out: Callable[..., bytes] = layout.laid_out_here) -> bytes:
    signer = setting().qr_signer
    data = certificate_data(name=f"王{chr(0x4E00 + 7 * number)}", number=f"NCR1526060{number:07d}")
    return lay_out(data, signer.host, signer.url(data), NOW_US)


def verifying(peer: PyHanko) -> list[dict[str, Any]]:
    trust = Trust((setting().root.certificate,))
    own, foreign = sealed(), peer.sign()
    # Different people's certificates, so that nothing but what the template makes common is read twice.
    many = cycle([pades.sign(_page(number), setting().seal, NOW_US) for number in range(PEOPLE)])

    def judge(pdf: bytes, outcome: Outcome) -> None:
        assert verify.judge(pdf, trust=trust, now_us=max(LATER_US, time.time_ns() // 1000)).outcome is outcome

    # pyHanko's signature states the machine's time, at which the certificates of the test setting need not be valid.
    stated = verify.judge(foreign, trust=trust, now_us=time.time_ns() // 1000).outcome
    found = rounds(
        (
            (lambda: verify.judge(next(many), trust=trust, now_us=LATER_US), 2 * PEOPLE),
            (lambda: peer.verify(own), 8),
            (lambda: judge(foreign, stated), 100),
            (lambda: peer.verify(foreign), 8),
        )
    )
    return [
        row("esign.verify_own", found[0], "documents/s/core", found[1]),
        row("esign.verify_foreign", found[2], "documents/s/core", found[3]),
    ]


def codes() -> list[dict[str, Any]]:
    signer = setting().qr_signer
    data = certificate_data()
    content = signer.url(data)
    keys = {signer.key_id: signer.key.public_key()}

    def check() -> None:
        assert qr.read(content, keys).matches(data)

    found = rounds(((check, 500), (lambda: qr.png(content), 100)))
    # Nobody's page twice: the engine remembers what it has laid out.
    people = count()
    by_form, by_engine = rounds(
        ((lambda: _page(next(people)), 200), (lambda: _page(next(people), layout.typeset_here), 30))
    )
    return [
        # Against the engine, which lays out what no form can hold.
        row("esign.layout", by_form, "pages/s/core", by_engine),
        row("esign.qr_offline", found[0], "codes/s/core"),
        row("esign.qr_draw", found[1], "codes/s/core"),
    ]


def measured() -> list[dict[str, Any]]:
    peer = PyHanko()
    return [*sealing(peer), *verifying(peer), *codes()]


async def run() -> list[dict[str, Any]]:
    # In a thread: pyHanko starts event loops of its own.
    found = await asyncio.to_thread(measured)
    for part in sorted(PARTS.glob("esign_*.py")):
        found += await importlib.import_module(f"tests.bench.parts.{part.stem}").run()
    return found
