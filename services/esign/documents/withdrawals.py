"""Documents that their issuer revoked, and their way into the ledger.

A revocation is in force with its commit. Its entry follows at once; after a crash, or while the ledger is away, later:
the document's row knows that it is not logged yet, and the time that its entry bears.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from services.esign.documents.store import certificates as document_rows
from services.esign.documents.store.certificates import CertificateRow
from services.esign.documents.views import changed
from services.esign.domain.errors import EsignError
from services.esign.events import CERTIFICATE_REVOKED
from services.esign.ledger.domain.ledger import Entry, EntryType, Marks, Receipt
from services.esign.ledger.sequencer import Sequencer
from services.esign.ledger.store import heads as head_store
from services.esign.pages.domain import certificates
from shuniu.kit.errors import HubError
from shuniu.kit.foundation import Foundation
from shuniu.kit.process import log

# What a call could not log is looked for this often.
_LOOK_SECONDS = 15.0
# Their documents are read for their digests.
_BATCH = 50
_log = log.get("certificates")


@dataclass(slots=True)
class Withdrawals:
    """Logs revocations of documents, each once."""

    base: Foundation
    ledger: Sequencer
    marks: Marks
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def withdraw(self, conn: Connection, row: CertificateRow, reason: str) -> CertificateRow:
        """In force with the commit. Raises CertificateStateError."""
        certificates.revoke(row.state)
        document_rows.revoke(conn, row.number, reason, self.base.clock.now_us())
        revoked = document_rows.certificate_by_number(conn, row.number)
        self.base.publish(conn, CERTIFICATE_REVOKED, revoked.number, changed(revoked), division=revoked.division)
        return revoked

    async def try_log(self) -> None:
        """Logs what is not logged yet, oldest first; what cannot be logged now is left to `watch`."""
        try:
            await self._log_all()
        except (EsignError, HubError) as error:
            _log.warning("revocations_wait", cause=str(error))

    async def watch(self) -> None:
        """Task: logs what a crash or an absent ledger left unlogged."""
        while True:
            await self.try_log()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _log_all(self) -> None:
        async with self._turn:
            while found := await self.base.store.read(document_rows.revocations_unlogged, _BATCH):
                # The same entry again, after a crash that came before the store knew of it, is one entry there.
                receipts = await asyncio.gather(*(self.ledger.append(self._entry(one)) for one in found))
                await self.base.write(_logged, list(zip(found, receipts, strict=True)))

    def _entry(self, found: document_rows.RevokedRow) -> Entry:
        return Entry(
            EntryType.DOCUMENT_REVOKED,
            found.revoked_us,
            epoch=self.base.store.epoch,
            **self.marks.document(found.pdf),
        )


def _logged(conn: Connection, done: Sequence[tuple[document_rows.RevokedRow, Receipt]]) -> None:
    for one, receipt in done:
        document_rows.revocation_logged(conn, one.number, receipt.index)
        head_store.remember_head(conn, receipt.index + 1, receipt.checkpoint)
