"""Counts and records each disclosure before anything is sealed. Nothing is revealed that was not recorded first."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from services.identity.vault import metrics, store
from services.identity.vault.config import VaultSettings
from services.identity.vault.refusals import person_unknown, quota_spent
from services.identity.vault.store import Kept
from shuniu.china_time import DAY_US
from shuniu.kit.errors import HubError
from shuniu.kit.foundation import BareFoundation

CALLER = "identity"
"""The only service that may ask."""


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Fields that a receiver gets for a purpose."""

    receiver: str
    purpose: str
    fields: Sequence[str]


@dataclass(frozen=True, slots=True)
class Disclosures:
    """The record of disclosures, with a daily quota (UTC) for each receiver and purpose."""

    base: BareFoundation
    settings: VaultSettings

    async def of_person(self, person_id: str, given: Disclosure) -> Kept:
        """The person's encrypted record, after the disclosure is on record. Raises PERSON_UNKNOWN, VAULT_QUOTA."""
        with _counting_refusals(given.purpose):
            return await self.base.write(self._person, person_id, given)

    async def of_candidate(self, given: Disclosure) -> None:
        """Records a disclosure of somebody whom the vault does not hold yet. Raises VAULT_QUOTA."""
        with _counting_refusals(given.purpose):
            await self.base.write(self._record, "SealCandidate", "candidate", given)

    def _person(self, conn: Connection, person_id: str, given: Disclosure) -> Kept:
        kept = store.find_by_id(conn, person_id)
        if kept is None:
            raise person_unknown()
        self._record(conn, "SealFields", f"person/{person_id}", given)
        return kept

    def _record(self, conn: Connection, action: str, target: str, given: Disclosure) -> None:
        day = self.base.clock.now_us() // DAY_US
        used = store.count_use(conn, day, CALLER, given.receiver, given.purpose)
        if used > self.settings.quota(given.purpose):
            raise quota_spent(given.receiver, given.purpose)
        self.base.audit(
            conn, action, target, receiver=given.receiver, purpose=given.purpose, fields=" ".join(given.fields)
        )


@contextlib.contextmanager
def _counting_refusals(purpose: str) -> Iterator[None]:
    try:
        yield
    except HubError as error:
        if error.reason == "VAULT_QUOTA":
            metrics.REFUSED.labels(purpose).inc()
        raise
