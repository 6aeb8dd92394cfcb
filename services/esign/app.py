"""esign as a list of parts, each opened by its module in `wiring`."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from services.esign import store
from services.esign.config import EsignSettings
from services.esign.wiring.documents import open_documents
from services.esign.wiring.evidence import open_evidence
from services.esign.wiring.flows import open_flows
from services.esign.wiring.keys import open_keys
from services.esign.wiring.ledger import open_ledger
from services.esign.wiring.licences import open_licences
from services.esign.wiring.neighbours import open_neighbours
from services.esign.wiring.opened import Opened
from services.esign.wiring.pages import open_layouts
from services.esign.wiring.revocation import open_revocation
from services.esign.wiring.seals import open_seals
from services.esign.wiring.signing import open_proof
from services.esign.wiring.timestamps import open_timestamps
from services.esign.wiring.upkeep import open_register_of_ledger, open_upkeep
from services.esign.wiring.verification import open_verification
from shuniu.kit.foundation import open_foundation
from shuniu.kit.messaging import open_messaging
from shuniu.kit.parts import Parts
from shuniu.kit.process.config import HubSettings, load
from shuniu.kit.process.run import Process


@contextlib.asynccontextmanager
async def build(path: Path) -> AsyncIterator[Process]:
    """The process, from one settings file. Raises ConfigError and StartRefusedError."""
    hub = load(HubSettings, path, "hub")
    settings = load(EsignSettings, path, "esign")
    async with (
        open_foundation("esign", hub, settings, store.METADATA, package="services.esign") as base,
        open_messaging(base) as messaging,
        Parts(base) as parts,
    ):
        keys = parts.add(open_keys(hub, settings))
        base.store.use_cipher(keys.secrets.keyring)
        ledger = parts.add(await open_ledger(base, settings, keys.secrets))
        # Before anything is answered: what the register forgot, the ledger knows.
        parts.add(await open_register_of_ledger(base, keys.secrets, ledger.log))
        beside = parts.add(open_neighbours(base))
        opened = Opened(
            base=base,
            settings=settings,
            secrets=keys.secrets,
            ledger=ledger.log,
            neighbours=beside.neighbours,
            layouts=parts.add(open_layouts(settings)).layouts,
        )
        parts.add(open_evidence(opened))
        revocation = parts.add(open_revocation(opened)).revocation
        verification = parts.add(open_verification(opened, ledger.witness_vkeys, revocation.lists))
        timestamps = parts.add(open_timestamps(opened))
        proof = open_proof(opened, timestamps.stamps, revocation, timestamps.http)
        seals = parts.add(open_seals(opened, timestamps.guard))
        parts.add(open_documents(opened, seals, proof))
        parts.add(open_flows(opened, beside.identity, seals.slots, verification, proof))
        parts.add(open_licences(opened, seals.slots))
        parts.add(open_upkeep(opened, timestamps.guard))
        parts.add(messaging.part)
        yield parts.process(replay=messaging.replay)
