"""Every table that esign has; each stands in the store of its subject."""

from sqlalchemy import MetaData

from services.esign.documents.store import certificates as document_rows
from services.esign.documents.store import ofd as ofd_store
from services.esign.documents.store import sm3 as digest_store
from services.esign.evidence import store as evidence_store
from services.esign.flows.store import flows as flow_store
from services.esign.flows.store import journal as flow_journal_store
from services.esign.ledger.store import heads as head_store
from services.esign.licences import store as licence_store
from services.esign.seals.store import forgotten as forgotten_seals
from services.esign.seals.store import history as seal_store
from services.esign.seals.store import seals as seal_rows
from services.esign.seals.store import slots as slot_rows
from services.esign.seals.store import sm2_side as ses_store
from shuniu.kit.feeds.feed import replica_tables
from shuniu.kit.store import kit_tables

METADATA = MetaData()
kit_tables(METADATA)
replica_tables(METADATA)
for _tables in (
    seal_rows.TABLES,
    forgotten_seals.TABLES,
    slot_rows.TABLES,
    document_rows.TABLES,
    head_store.TABLES,
    ses_store.TABLES,
    ofd_store.TABLES,
    evidence_store.TABLES,
    digest_store.TABLES,
    seal_store.TABLES,
    flow_store.TABLES,
    flow_journal_store.TABLES,
    licence_store.TABLES,
):
    for _table in _tables.sorted_tables:
        _table.to_metadata(METADATA)
