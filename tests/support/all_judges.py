"""Every independent judge of one sealed document, each asked for its own words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import rfc3161_client
from asn1crypto import cms, tsp
from cryptography import x509

from tests.support.judges import pdfbox, pyhanko, said

_RANGE = re.compile(rb"/ByteRange\[(\d+) (\d+) (\d+) (\d+)\]")


@dataclass(frozen=True)
class Parts:
    """A certified document taken apart: what was signed, the CMS, the value it stamps, the token."""

    content: bytes
    cms: bytes
    value: bytes
    token: bytes

    @classmethod
    def of(cls, pdf: bytes) -> "Parts":
        found = _RANGE.search(pdf)
        assert found is not None
        start, gap, after, rest = map(int, found.groups())
        raw = bytes.fromhex(pdf[gap + 1 : after - 1].decode())
        opened = cms.ContentInfo.load(raw, strict=False)
        (signer,) = opened["content"]["signer_infos"]
        stamps = [a for a in signer["unsigned_attrs"] if a["type"].native == "signature_time_stamp_token"]
        content = pdf[start : start + gap] + pdf[after : after + rest]
        return cls(content, opened.dump(), signer["signature"].native, stamps[0]["values"][0].dump())


def verdicts(pdf: Path, root: x509.Certificate, root_pem: Path, folder: Path, at_us: int) -> Mapping[str, bool]:
    """Which judge calls the document good: intact, by a signer under `root`, timestamped, nothing after it."""
    parts = Parts.of(pdf.read_bytes())
    content, raw, value, token = (folder / name for name in ("content", "cms.der", "value", "token.der"))
    for path, data in ((content, parts.content), (raw, parts.cms), (value, parts.value), (token, parts.token)):
        path.write_bytes(data)
    at = str(at_us // 1_000_000)
    sig, mu = said("pdfsig", "-nocert", str(pdf)), said("mutool", "sign", "-v", str(pdf))
    checked = said("qpdf", "--check", str(pdf))
    cades = said(
        "openssl", "cms", "-verify", "-binary", "-cades", "-inform", "DER", "-in", str(raw), "-content", str(content),
        "-CAfile", str(root_pem), "-purpose", "any", "-attime", at, "-out", "/dev/null",
    )  # fmt: skip
    stamp = said(
        "openssl", "ts", "-verify", "-data", str(value), "-in", str(token), "-token_in", "-CAfile", str(root_pem),
        "-attime", at,
    )  # fmt: skip
    _, *box = pdfbox(folder, root, at_us, pdf)[pdf.name]
    hanko = pyhanko(pdf, root, at_us)
    return {
        "pdfsig": "Signature Validation: Signature is Valid." in sig and "Total document signed" in sig,
        "mutool": "The document is unchanged since signing." in mu,
        "qpdf": "No syntax or stream encoding errors found" in checked and "WARNING" not in checked,
        "openssl cms": "CAdES Verification successful" in cades or "CMS Verification successful" in cades,
        "openssl ts": "Verification: OK" in stamp,
        "rfc3161-client": _strict(parts, root),
        "PDFBox and BouncyCastle": box == ["ETSI.CAdES.detached valid trusted stamp-valid trusted whole"],
        "pyHanko": [one.bottom_line and one.coverage.name == "ENTIRE_FILE" for one in hanko] == [True],
    }


def _strict(parts: Parts, root: x509.Certificate) -> bool:
    answer = tsp.TimeStampResp(
        {"status": {"status": "granted"}, "time_stamp_token": cms.ContentInfo.load(parts.token)}
    ).dump()
    verifier = rfc3161_client.VerifierBuilder().add_root_certificate(root).build()
    try:
        return bool(verifier.verify_message(rfc3161_client.decode_timestamp_response(answer), parts.value))
    except rfc3161_client.VerificationError:
        return False


def moment() -> int:
    """Now, µs."""
    return int(datetime.now(UTC).timestamp() * 1_000_000)
