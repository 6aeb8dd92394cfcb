"""Wiring of esign: settings → keys → store and ledger → servicers → run."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from services.esign import store
from services.esign.config import EsignSettings, KeyFiles
from services.esign.domain.errors import EsignError, LedgerDamagedError
from services.esign.domain.ledger import open_checkpoint
from services.esign.keys import Secrets
from services.esign.ledger_store import LedgerStore
from services.esign.sequencer import Sequencer
from services.esign.service.certificates import Certificates
from services.esign.service.ledger import Ledger
from services.esign.service.neighbours import Neighbours
from services.esign.service.seals import Seals
from services.esign.service.verification import Verification
from services.esign.verifier import Verifier
from services.esign.witnesses import Cosigning, witness_sites
from shuniu.api.esign.v1 import esign_pb2, esign_pb2_grpc
from shuniu.kit.config import ConfigError, HubSettings, load
from shuniu.kit.foundation import Foundation, open_foundation
from shuniu.kit.messaging import open_messaging
from shuniu.kit.operations import Operations
from shuniu.kit.run import Process, StartRefusedError
from shuniu.kit.server import Servicer


async def open_ledger(base: Foundation, secrets: Secrets, settings: EsignSettings) -> Sequencer:
    """The ledger, compared with the newest head the store remembers. Raises StartRefusedError saying what is wrong."""
    text = await base.store.read(store.remembered_head)
    remembered = open_checkpoint(text, [secrets.ledger.verifier]) if text else None
    try:
        opened = LedgerStore.open(KeyFiles(base.hub.data_dir).ledger, secrets.ledger, remembered=remembered)
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


@contextlib.asynccontextmanager
async def build(path: Path) -> AsyncIterator[Process]:
    """The process, from one settings file. Raises ConfigError and StartRefusedError."""
    hub = load(HubSettings, path, "hub")
    settings = load(EsignSettings, path, "esign")
    secrets = Secrets.load(hub, settings)
    async with (
        open_foundation("esign", hub, settings, store.METADATA, package="services.esign") as base,
        open_messaging(base, area="esign") as messaging,
        contextlib.AsyncExitStack() as stack,
    ):
        ledger = await open_ledger(base, secrets, settings)
        stack.push_async_callback(ledger.close)
        cosigning = open_cosigning(ledger, settings)
        exchange, identity = base.channel("exchange"), base.channel("identity")
        for channel in (exchange, identity):
            stack.push_async_callback(channel.close)
        layouts = stack.enter_context(ThreadPoolExecutor(settings.layout_threads, thread_name_prefix="layout"))
        verifier = stack.enter_context(Verifier(settings.verify_seconds))
        issuing = Certificates(base, secrets, ledger, Neighbours(exchange, identity), layouts)

        def not_ready() -> list[str]:
            reasons = [] if base.store.writable else ["the store cannot write"]
            return [*reasons, "the ledger must be opened again"] if ledger.stuck else reasons

        async def facts() -> Mapping[str, str]:
            text = ledger.checkpoint_text
            head = open_checkpoint(text, [secrets.ledger.verifier]) if text else None
            return {
                **await messaging.facts(),
                "certificates": str(await base.store.read(store.issued_count)),
                "ledger_size": str(head.size if head else 0),
                # The last proof: the root under which everything sealed so far can be shown to stand.
                "last_proof": head.root.hex()[:16] if head else "",
                **cosigning.facts(),
            }

        operations = Operations(base, not_ready, facts=facts, replay=messaging.replay)
        assert base.registry is not None
        services = esign_pb2.DESCRIPTOR.services_by_name
        add = esign_pb2_grpc
        yield Process(
            listeners=base.listeners(
                edge=[
                    Servicer(
                        add.add_SealServiceServicer_to_server, Seals(base, secrets, ledger), services["SealService"]
                    ),
                    Servicer(add.add_CertificateServiceServicer_to_server, issuing, services["CertificateService"]),
                    Servicer(
                        add.add_VerificationServiceServicer_to_server,
                        Verification(base, secrets, verifier, settings.document_most_bytes),
                        services["VerificationService"],
                    ),
                    Servicer(add.add_LedgerServiceServicer_to_server, Ledger(ledger), services["LedgerService"]),
                ],
                peer=[operations.servicer()],
            ),
            tasks=[
                base.registry.replica.follow,
                operations.watch,
                issuing.finish_interrupted,
                cosigning.follow,
                *messaging.tasks,
            ],
            not_ready=not_ready,
            ops_host=settings.ops_host,
            ops_port=settings.ops_port,
        )
