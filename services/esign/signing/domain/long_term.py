"""PAdES B-LT and B-LTA (ETSI EN 319 142-1, 6.3): validation data in the document, and document timestamps over them.

Neither is a change of the document (ISO 32000-2, table 257): both may follow even a certification that forbids every
change. What is renewed differs from what the ledger holds; verifiers find the logged bytes at its beginning.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.esign.certification.domain import chain, paths
from services.esign.certification.domain.validation_data import ValidationData
from services.esign.domain.cms.reader import unpadded
from services.esign.domain.cms.signed_cms import CmsError
from services.esign.domain.digests import SHA256, Digest
from services.esign.domain.errors import DocumentUnfitError
from services.esign.domain.findings import Findings
from services.esign.domain.pdf import signatures
from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import Dict, PdfError, Ref
from services.esign.domain.pdf.writer import Update, written
from services.esign.signing.domain import signer_steps
from services.esign.signing.domain.multisign import TIMESTAMP, Prepared, checked, put_timestamp, typed
from services.esign.timestamps.domain.reader import TimestampInvalidError, check_token

_KEYS = ("Certs", "OCSPs", "CRLs")


class Level(StrEnum):
    """Levels of PAdES signatures (ETSI EN 319 142-1, 6.1)."""

    B = "B-B"
    T = "B-T"
    LT = "B-LT"
    LTA = "B-LTA"


@dataclass(frozen=True, slots=True)
class Need:
    """A certificate of the document and its issuer: for each it should say whether it was revoked."""

    certificate: x509.Certificate
    issuer: x509.Certificate


@typed
def with_validation_data(pdf: bytes, data: ValidationData) -> bytes:
    """The document with validation data as its last revision (B-LT); what it has already is not added twice.

    Raises DocumentUnfitError, NOTHING_NEW among others.
    """
    document = Document(pdf)
    checked(document)
    update = Update(document)
    catalog = _with_store(document, update, data)
    if catalog is None:
        raise DocumentUnfitError(
            "NOTHING_NEW", "the document has these validation data already", "文件已有这些验证数据"
        )
    update.put(document.trailer["Root"][0], written(catalog))
    return update.finished()


@typed
def adds(pdf: bytes, data: ValidationData) -> bool:
    """Tells whether the document lacks any of these validation data. Raises DocumentUnfitError."""
    there = ValidationData.of(Document(pdf))
    return not (
        set(data.certificates) <= set(there.certificates)
        and set(data.ocsps) <= set(there.ocsps)
        and set(data.crls) <= set(there.crls)
    )


@typed
def begin_renewal(pdf: bytes, data: ValidationData, size: int, algorithm: Digest = SHA256) -> Prepared:
    """The document with validation data and an open document timestamp over everything, in one revision (B-LTA).

    `size`: longest token, bytes; the token is over `digest`. To be made while the newest timestamp's authority still
    holds. Raises DocumentUnfitError.
    """
    document = Document(pdf)
    checked(document)
    update = Update(document)
    catalog = _with_store(document, update, data)
    number = put_timestamp(document, update, catalog)
    return Prepared.around(update, number, TIMESTAMP, size, algorithm)


@typed
def needs(pdf: bytes, roots: Iterable[x509.Certificate], now_us: int) -> list[Need]:
    """Every certificate of the paths of signers and timestamp authorities, roots left out, each once: whoever renews
    asks their issuers whether they were revoked. Paths that `roots` do not end are passed over.
    """
    document, trusted = Document(pdf), tuple(roots)
    kept = ValidationData.of(document).loaded()
    found: dict[x509.Certificate, x509.Certificate] = {}
    for signature in signatures.find(document):
        for path in _paths(document, signature, trusted, kept, now_us):
            found |= dict(pairwise(path))
    return [Need(certificate, issuer) for certificate, issuer in found.items()]


def certificates_of(wanted: Iterable[Need]) -> tuple[bytes, ...]:
    """The certificates themselves and their issuers, roots left out: a verifier brings those."""
    found: dict[bytes, None] = {}
    for need in wanted:
        for each in (need.certificate, need.issuer):
            if each.issuer != each.subject:
                found[each.public_bytes(Encoding.DER)] = None
    return tuple(found)


def _paths(
    document: Document,
    signature: signatures.PdfSignature,
    roots: tuple[x509.Certificate, ...],
    kept: tuple[x509.Certificate, ...],
    now_us: int,
) -> list[tuple[x509.Certificate, ...]]:
    tokens: list[tuple[bytes, Iterable[bytes | memoryview]]] = []
    found: list[tuple[x509.Certificate, ...]] = []
    if signature.is_timestamp:
        tokens.append((signature.cms, signature.signed_parts(document.data)))
    elif (one := signer_steps.opened(Findings(now_us, now_us), signature)) is not None:
        try:
            found.append(
                paths.build(one.signer, (*one.others, *kept), roots, paths.check_document_path, moments=(now_us,))
            )
        except chain.ChainError:
            pass
        if one.cms.timestamp_token is not None:
            tokens.append((one.cms.timestamp_token, (one.cms.signature,)))
    for token, stamped in tokens:
        try:
            found.append(check_token(unpadded(token), stamped, roots, now_us).path)
        except (TimestampInvalidError, CmsError):
            continue
    return found


def _with_store(document: Document, update: Update, data: ValidationData) -> dict[str, Any] | None:
    """The catalog with the document security store grown by what is new; None when nothing is."""
    catalog = document.catalog()
    holder = catalog.get("DSS")
    store = document.resolve(holder)
    if store is not None and not isinstance(store, Dict):
        raise PdfError("DSS", "the document security store is not a dictionary")
    standing = ValidationData.of(document)
    grown: dict[str, Any] = {} if store is None else dict(store)
    added = False
    for key, wanted, there in zip(
        _KEYS,
        (data.certificates, data.ocsps, data.crls),
        (standing.certificates, standing.ocsps, standing.crls),
        strict=True,
    ):
        new = [Ref((update.add(_stream(each)), 0)) for each in dict.fromkeys(wanted) if each not in there]
        if new:
            listed = document.resolve(grown.get(key))
            grown[key] = [*(listed if isinstance(listed, list) else []), *new]
            added = True
    return {**catalog, "DSS": grown} if added else None


def _stream(data: bytes) -> bytes:
    return b"<</Length %d>>\nstream\n%b\nendstream" % (len(data), data)
