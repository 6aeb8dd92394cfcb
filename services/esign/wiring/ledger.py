"""Opens the ledger and its witnesses."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.esign import metrics
from services.esign.config import EsignSettings, KeyFiles
from services.esign.domain.errors import EsignError, LedgerDamagedError
from services.esign.keys.secrets import Secrets
from services.esign.ledger.cosigning import Cosigning
from services.esign.ledger.domain.ledger import open_checkpoint, stated_size
from services.esign.ledger.sequencer import Sequencer
from services.esign.ledger.service import LedgerService
from services.esign.ledger.store import heads as head_store
from services.esign.ledger.store.files import LedgerStore
from services.esign.ledger.witness_sites import witness_sites
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part
from shuniu.kit.process.config import ConfigError
from shuniu.kit.process.run import StartRefusedError
from shuniu.kit.rpc.server import servicer


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPart(Part):
    log: Sequencer
    witness_vkeys: tuple[str, ...]


async def open_ledger(base: Foundation, settings: EsignSettings, secrets: Secrets) -> LedgerPart:
    """The ledger, compared with the newest head the store remembers. Raises ConfigError for witnesses that cannot be
    used, StartRefusedError saying what is wrong with the ledger.
    """
    log = await _log(base, settings, secrets)
    try:
        cosigning = _cosigning(log, settings)
    except ConfigError:
        await log.close()
        raise

    def not_ready() -> list[str]:
        return ["the ledger must be opened again"] if log.stuck else []

    async def facts() -> Mapping[str, str]:
        text = log.checkpoint_text
        head = open_checkpoint(text, secrets.ledger_keys) if text else None
        return {
            "ledger_size": str(head.size if head else 0),
            # The root under which everything sealed so far can be shown to stand.
            "last_proof": head.root.hex()[:16] if head else "",
            **cosigning.facts(),
        }

    # As they are, from the first moment: a gauge that is set with the next document is 0 after a restart.
    metrics.LEDGER_SIZE.set_function(lambda: stated_size(log.checkpoint_text))
    metrics.LEDGER_WITNESSED.set_function(lambda: stated_size(log.witnessed_text))
    return LedgerPart(
        log=log,
        witness_vkeys=tuple(key.vkey for key in cosigning.policy.witnesses),
        edge=[servicer(LedgerService(log))],
        tasks=[cosigning.follow],
        facts=facts,
        not_ready=not_ready,
        close=log.close,
    )


async def _log(base: Foundation, settings: EsignSettings, secrets: Secrets) -> Sequencer:
    text = await base.store.read(head_store.remembered_head)
    remembered = open_checkpoint(text, secrets.ledger_keys) if text else None
    try:
        opened = LedgerStore.open(
            KeyFiles(base.hub.data_dir).ledger, secrets.ledger, remembered=remembered, retired=secrets.ledger_retired
        )
    except LedgerDamagedError as error:
        raise StartRefusedError(f"ledger: {error.reason}: {error.en}") from None
    return Sequencer(opened, window_s=settings.ledger_window_ms / 1000)


def _cosigning(log: Sequencer, settings: EsignSettings) -> Cosigning:
    try:
        sites, least = witness_sites(settings.witnesses, settings.witness_quorum)
        return Cosigning(log, sites, least)
    except (EsignError, ValueError) as error:
        raise ConfigError(f"[esign] witnesses: {error}") from None
