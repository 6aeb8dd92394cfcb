"""Finds and stores persons by their document, under the keyed index."""

from dataclasses import dataclass

from sqlalchemy import Connection

from services.identity.vault import store
from services.identity.vault.domain import records
from services.identity.vault.domain.records import Record
from services.identity.vault.person_index import PersonIndex
from services.identity.vault.record_cipher import RecordCipher
from services.identity.vault.store import Kept


@dataclass(frozen=True, slots=True)
class PersonRecords:
    """Units of work on persons."""

    index: PersonIndex
    cipher: RecordCipher

    def keys(self, record: Record) -> list[bytes]:
        """All index keys under which this document may be found, the one for new rows first."""
        return self.index.keys(records.index_text(record))

    def find(self, conn: Connection, keys: list[bytes]) -> Kept | None:
        """The person with this document; one stored under another profile comes under the present one."""
        present, *older = keys
        found = store.find_by_index(conn, present)
        if found is None:
            found = next((kept for key in older if (kept := store.find_by_index(conn, key)) is not None), None)
            if found is not None:
                store.reindex(conn, found.person_id, present)
        return found

    def put(self, conn: Connection, record: Record, keys: list[bytes], fresh_id: str, now_us: int) -> tuple[Kept, bool]:
        """(the stored person, whether it was known before): a proved new name or card replaces the old one."""
        found = self.find(conn, keys)
        if found is None:
            made = self.cipher.closed(fresh_id, record)
            store.add(conn, made, keys[0], now_us)
            return made, False
        if self.cipher.opened(found) != record:
            found = self.cipher.closed(found.person_id, record)
            store.change(conn, found, now_us)
        return found, True
