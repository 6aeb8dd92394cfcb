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
from services.esign.wiring.pages import open_layouts
from services.esign.wiring.revocation import open_revocation
from services.esign.wiring.seals import open_seals
from services.esign.wiring.signing import open_long_term
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
    keys = open_keys(hub, settings)
    secrets = keys.secrets
    async with (
        open_foundation("esign", hub, settings, store.METADATA, package="services.esign") as base,
        open_messaging(base, area="esign") as messaging,
        Parts(base) as parts,
    ):
        base.store.use_cipher(secrets.keyring)
        parts.add(keys)
        ledger = parts.add(await open_ledger(base, settings, secrets))
        # Before anything is answered: what the register forgot, the ledger knows.
        parts.add(await open_register_of_ledger(base, ledger.log))
        parts.add(open_evidence(base, ledger.log))
        beside = parts.add(open_neighbours(base))
        layouts = parts.add(open_layouts(settings)).layouts
        verification = parts.add(open_verification(base, settings, secrets, ledger))
        timestamps = parts.add(open_timestamps(base, settings, secrets))
        revocation = parts.add(open_revocation(base, secrets)).revocation
        seals = parts.add(
            open_seals(
                base,
                settings,
                secrets,
                ledger=ledger.log,
                guard=timestamps.guard,
                neighbours=beside.neighbours,
                layouts=layouts,
            )
        )
        long_term = open_long_term(
            base, settings, secrets, stamps=timestamps.stamps, revocation=revocation, http=timestamps.http
        )
        parts.add(
            open_documents(
                base,
                settings,
                secrets,
                ledger=ledger.log,
                neighbours=beside.neighbours,
                layouts=layouts,
                seals=seals,
                stamps=timestamps.stamps,
                long_term=long_term,
            )
        )
        parts.add(
            open_flows(
                base,
                settings,
                secrets,
                ledger=ledger.log,
                slots=seals.slots,
                neighbours=beside.neighbours,
                identity=beside.identity,
                layouts=layouts,
                verifier=verification.verifier,
                uploads=verification.uploads,
                stamps=timestamps.stamps,
                long_term=long_term,
            )
        )
        parts.add(
            open_licences(base, settings, secrets, ledger=ledger.log, neighbours=beside.neighbours, slots=seals.slots)
        )
        parts.add(open_upkeep(base, secrets, timestamps.guard))
        parts.add(messaging.part)
        yield parts.process(replay=messaging.replay)
