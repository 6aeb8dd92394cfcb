"""Opens upkeep: what older keys wrapped, and the keys of seals that ended."""

from collections.abc import Mapping

from services.esign.domain.errors import EsignError
from services.esign.keys.secrets import Secrets
from services.esign.ledger.sequencer import Sequencer
from services.esign.seals.store import forgotten as forgotten_seals
from services.esign.timestamps.clock_guard import ClockGuard
from services.esign.upkeep.ended_keys import EndedKeys
from services.esign.upkeep.register_of_ledger import RegisterOfLedger
from services.esign.upkeep.rewrapping import Rewrapping
from services.esign.wiring.opened import Opened
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part
from shuniu.kit.process.run import StartRefusedError


def open_upkeep(opened: Opened, guard: ClockGuard) -> Part:
    rewrapping = Rewrapping(opened.base, opened.secrets.keyring)

    async def facts() -> Mapping[str, str]:
        return {"older_wrapped": str(await rewrapping.older())}

    return Part(tasks=[rewrapping.run, EndedKeys(opened.base, guard).watch], facts=facts)


async def open_register_of_ledger(base: Foundation, secrets: Secrets, log: Sequencer) -> Part:
    """Brings the register up to its own ledger. Raises StartRefusedError when the ledger cannot be read."""
    register = RegisterOfLedger(base, log, secrets)
    try:
        await register.catch_up()
    except (EsignError, OSError) as error:
        raise StartRefusedError(f"ledger: cannot be read: {error}") from None

    async def facts() -> Mapping[str, str]:
        forgotten = await base.store.read(forgotten_seals.count)
        return {**register.facts(), **({"seals_forgotten": str(forgotten)} if forgotten else {})}

    return Part(facts=facts)
