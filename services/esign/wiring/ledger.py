"""Wiring of the ledger and its witnesses."""

from services.esign.config import EsignSettings, KeyFiles
from services.esign.domain.errors import EsignError, LedgerDamagedError
from services.esign.keys.secrets import Secrets
from services.esign.ledger.cosigning import Cosigning
from services.esign.ledger.domain.ledger import open_checkpoint
from services.esign.ledger.sequencer import Sequencer
from services.esign.ledger.store import heads as head_store
from services.esign.ledger.store.files import LedgerStore
from services.esign.ledger.witness_sites import witness_sites
from shuniu.kit.config import ConfigError
from shuniu.kit.foundation import Foundation
from shuniu.kit.run import StartRefusedError


async def open_ledger(base: Foundation, secrets: Secrets, settings: EsignSettings) -> Sequencer:
    """The ledger, compared with the newest head the store remembers. Raises StartRefusedError saying what is wrong."""
    text = await base.store.read(head_store.remembered_head)
    remembered = open_checkpoint(text, secrets.ledger_keys) if text else None
    try:
        opened = LedgerStore.open(
            KeyFiles(base.hub.data_dir).ledger, secrets.ledger, remembered=remembered, retired=secrets.ledger_retired
        )
    except LedgerDamagedError as error:
        raise StartRefusedError(f"ledger: {error.reason}: {error.en}") from None
    return Sequencer(opened, window_s=settings.ledger_window_ms / 1000)


def open_cosigning(log: Sequencer, settings: EsignSettings) -> Cosigning:
    """The client of the configured witnesses. Raises ConfigError."""
    try:
        sites, least = witness_sites(settings.witnesses, settings.witness_quorum)
        return Cosigning(log, sites, least)
    except (EsignError, ValueError) as error:
        raise ConfigError(f"[esign] witnesses: {error}") from None
