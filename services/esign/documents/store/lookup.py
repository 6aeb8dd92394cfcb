"""Documents by the digests of their bytes, for anybody who asks: what that costs does not grow with the register."""

from collections.abc import Sequence

from sqlalchemy import BindParameter, Connection, bindparam, select

from services.esign.documents.store import ofd as ofd_store
from services.esign.documents.store.certificates import ISSUED, CertificateRow, certificate, find_certificate_by_number

# Put together once: that costs more than to run it.
_DIGESTS: BindParameter[str] = bindparam("digests", expanding=True)
_NUMBERS = select(certificate.c.sha256, certificate.c.number).where(certificate.c.sha256.in_(_DIGESTS))


def find_certificate_by_digests(conn: Connection, digests: Sequence[str]) -> CertificateRow | None:
    """The issued document that has the first of these digests (hex) that any has, in either of its forms. Two questions
    however many digests there are, and one for what they find.
    """
    numbers = ofd_store.numbers_of(conn, digests)
    numbers |= {row.sha256: row.number for row in conn.execute(_NUMBERS, {"digests": digests})}
    for number in dict.fromkeys(numbers[digest] for digest in digests if digest in numbers):
        found = find_certificate_by_number(conn, number)
        if found is not None and found.stage == ISSUED:
            return found
    return None


def find_at_any_stage(conn: Connection, sha256: str) -> CertificateRow | None:
    """The document whose PDF has this SHA-256 (hex), released or not."""
    found = conn.execute(_NUMBERS, {"digests": [sha256]}).first()
    return None if found is None else find_certificate_by_number(conn, found.number)
