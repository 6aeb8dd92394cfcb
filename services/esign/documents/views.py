"""Documents as the contract shows them."""

import datetime as dt

from sqlalchemy import Connection

from services.esign.documents.store.certificates import CertificateRow, sealed_since
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.api.events.v1 import events_pb2
from shuniu.china_time import CHINA
from shuniu.kit.rpc import paging


def view(row: CertificateRow) -> pb.Certificate:
    """The public form of a document."""
    day = dt.datetime.fromtimestamp(row.signed_us / 1e6, CHINA).date()
    found = pb.Certificate(
        number=row.number,
        template=row.template,
        case_code=row.case_code,
        issuer=row.issuer,
        sha256=row.sha256,
        qr=row.qr,
        ledger_index=row.ledger_index,
        state=row.state.value,
        size=len(row.pdf),
    )
    found.issued_on.year, found.issued_on.month, found.issued_on.day = day.year, day.month, day.day
    return found


def sealed_by(
    conn: Connection, seal_id: str, since_us: int, after: paging.Position, limit: int
) -> list[pb.Certificate]:
    """Documents that a seal sealed from then on, by number."""
    return [view(row) for row in sealed_since(conn, seal_id, since_us, after, limit)]


def changed(row: CertificateRow) -> events_pb2.CertificateChanged:
    """The payload of events about a document."""
    return events_pb2.CertificateChanged(
        number=row.number,
        case_code=row.case_code,
        issuer=row.issuer,
        state=row.state.value,
        sha256=row.sha256,
        ledger_index=row.ledger_index,
    )
