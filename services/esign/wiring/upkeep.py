"""Opens upkeep: what older keys wrapped, and the keys of seals that ended."""

from collections.abc import Mapping

from services.esign.keys.secrets import Secrets
from services.esign.timestamps.clock_guard import ClockGuard
from services.esign.upkeep.ended_keys import EndedKeys
from services.esign.upkeep.rewrapping import Rewrapping
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part


def open_upkeep(base: Foundation, secrets: Secrets, guard: ClockGuard) -> Part:
    rewrapping = Rewrapping(base, secrets.keyring)

    async def facts() -> Mapping[str, str]:
        return {"older_wrapped": str(await rewrapping.older())}

    return Part(tasks=[rewrapping.run, EndedKeys(base, guard).watch], facts=facts)
