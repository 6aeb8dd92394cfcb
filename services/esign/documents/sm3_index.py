"""Finds issued documents by the SM3 of either form: it is computed beside issuing, never in its way."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.esign.documents.store import certificates as document_rows
from services.esign.documents.store import ofd as ofd_store
from services.esign.documents.store import sm3 as digest_store
from services.esign.documents.store.certificates import CertificateRow
from services.esign.documents.store.sm3 import Form
from shuniu.kit.crypto.sm import sm3
from shuniu.kit.store import Store

_BATCH = 64


@dataclass(slots=True)
class Sm3Index:
    """Receives each released document; what was released before the index was there, it finds at start."""

    store: Store
    _waiting: list[tuple[str, bytes]] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def released(self, row: CertificateRow) -> None:
        self._waiting.append((row.number, row.pdf))
        self._news.set()

    async def follow(self) -> None:
        """Task: one pass over what is there, then whatever comes."""
        for form in Form:
            while found := await self.store.read(digest_store.without_sm3, form, document_rows.ISSUED, _BATCH):
                await self._keep(form, found)
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
                await self._keep(Form.PDF, batch)
                packages = await self.store.read(ofd_store.packages_of, [number for number, _ in batch])
                if packages:
                    await self._keep(Form.OFD, packages)

    async def _keep(self, form: Form, documents: Sequence[tuple[str, bytes]]) -> None:
        digests = await asyncio.to_thread(lambda: [(number, sm3(data).hex()) for number, data in documents])
        await self.store.write(digest_store.keep, form, digests)
