"""Encrypts a person's record as the store holds it, bound to the person's id."""

import datetime as dt
import json
from dataclasses import dataclass, field

from services.identity.vault.domain import records
from services.identity.vault.domain.records import Record
from services.identity.vault.store import Kept
from shuniu.kit.crypto.keyring import Keyring


@dataclass(frozen=True, slots=True)
class RecordCipher:
    """AES-GCM or SM4-GCM under the vault's key ring."""

    keyring: Keyring = field(repr=False)

    def closed(self, person_id: str, record: Record) -> Kept:
        fields = records.selected(record, records.FIELDS)
        return Kept(person_id, self.keyring.encrypt(json.dumps(fields, ensure_ascii=False).encode(), _place(person_id)))

    def opened(self, kept: Kept) -> Record:
        """Raises UnreadableError for fields of another row, or that were tampered with."""
        fields = json.loads(self.keyring.decrypt(kept.fields, _place(kept.person_id)))
        birth = dt.date.fromisoformat(fields["birth_date"]) if fields["birth_date"] else None
        return Record(fields["document_type"], fields["document_number"], fields["full_name"], birth)


def _place(person_id: str) -> bytes:
    return f"subject/{person_id}/fields".encode()
