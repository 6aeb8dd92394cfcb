"""Opens signing flows: scenarios → signers → journal → work → servicers."""

from dataclasses import dataclass
from pathlib import Path

import grpc

from services.esign.domain.digests import SM3
from services.esign.domain.moments import DAY_US
from services.esign.flows import scenario_files
from services.esign.flows.consents import Consents
from services.esign.flows.journal import Journal
from services.esign.flows.service.beginning import Beginning
from services.esign.flows.service.flows import FlowService
from services.esign.flows.service.remote_signatures import RemoteSignatureService
from services.esign.flows.signers import Signers
from services.esign.flows.work import Work
from services.esign.seals.once_keys import OnceKeys
from services.esign.seals.slots import Slots
from services.esign.signing.proof import Proof
from services.esign.wiring.opened import Opened
from services.esign.wiring.verification import FLOW_COPIES, VerificationPart
from shuniu.kit.parts import Part
from shuniu.kit.rpc.server import servicer
from shuniu.kit.rpc.uploads import Carries


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowsPart(Part):
    flows: FlowService


def open_flows(
    opened: Opened, identity: grpc.aio.Channel, slots: Slots, verification: VerificationPart, proof: Proof
) -> FlowsPart:
    """Raises ConfigError for a scenario file that cannot be used."""
    base, settings, secrets = opened.base, opened.settings, opened.secrets
    ledger, neighbours, layouts = opened.ledger, opened.neighbours, opened.layouts
    own = [settings.flow_scenarios] if settings.flow_scenarios != Path() else []
    scenarios = scenario_files.load([scenario_files.OWN, *own])
    journal = Journal(base, ledger)
    sm2_ca = secrets.sm.seal_ca if secrets.sm is not None and secrets.digest is SM3 else None
    once = OnceKeys(base, secrets.seal_ca, ledger, slots, secrets.marks, sm2_ca)
    signers = Signers(base, secrets, slots, once, neighbours, layouts)
    keep_us = settings.flow_keep_days * DAY_US
    work = Work(
        base, ledger, journal, signers, scenarios.get, layouts, proof.stamps, secrets.marks, keep_us, proof.long_term
    )
    consents = Consents(identity, base.hub.issuer, base.clock)
    beginning = Beginning(base, scenarios, neighbours, layouts, verification.verifier, settings.document_most_bytes)
    flows = FlowService(base, scenarios, beginning, signers, journal, work, consents, secrets.page)
    return FlowsPart(
        flows=flows,
        edge=[
            servicer(flows, {"BeginFlow": Carries(verification.uploads, FLOW_COPIES)}),
            servicer(RemoteSignatureService(base, secrets, slots, ledger, consents)),
        ],
        tasks=[work.run, journal.run],
        close=work.close,
    )
