"""Looks up the final document of a flow, for verification."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from services.esign.flows.domain.life import Role
from services.esign.flows.domain.scenarios import KeyMode
from services.esign.flows.store import flows as flow_store
from services.esign.flows.store.flows import Party
from services.esign.pages.domain.certificates import CertificateState
from services.esign.seals.domain.life import SealState
from services.esign.seals.store import seals as seal_rows
from services.esign.verification.domain.register_steps import Known
from services.esign.verification.registered import Registered


def flow_of(conn: Connection, digests: Sequence[str]) -> Registered | None:
    """The flow whose final document has one of these digests: it, or what it was before its renewal."""
    row = flow_store.find_final_by_sha256(conn, digests)
    if row is None:
        return None
    *_, signed, _ = flow_store.revisions(conn, row.id)
    then, now = _seals(conn, row.parties)
    known = Known(CertificateState.VALID, then, now, signed.certificate_sha256)
    return Registered(row.id, known, row.ledger_index, row.receipt)


def _seals(conn: Connection, parties: Iterable[Party]) -> tuple[SealState, SealState]:
    """The state of the worst of the flow's seals at signing, and now. A key that signed once is gone with its
    certificate: nothing can happen to it.
    """
    then = now = SealState.ACTIVE
    for party in parties:
        if party.step.role is not Role.SIGNER or party.mode is not KeyMode.HELD:
            continue
        found = seal_rows.find_seal_by_id(conn, party.seal_id)
        if found is None or found.seal.invalid_at(party.slot_us):
            then = SealState.REVOKED
        if found is not None and found.seal.state is not SealState.ACTIVE:
            now = found.seal.state
    return then, now
