"""Wiring of esign: settings → keys → store and ledger → servicers → run."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from services.esign import store
from services.esign.certification.authorities import open_authority, with_remote_seals
from services.esign.config import EsignSettings
from services.esign.documents.issuing import Issuing
from services.esign.documents.packages import open_packages
from services.esign.documents.service import Certificates
from services.esign.documents.sm3_index import Sm3Index
from services.esign.documents.store import certificates as document_rows
from services.esign.documents.views import sealed_by
from services.esign.evidence.service import Evidence
from services.esign.flows.register import flow_of
from services.esign.keys.secrets import Secrets, say_where_keys_lie
from services.esign.ledger.domain.ledger import open_checkpoint
from services.esign.ledger.service import Ledger
from services.esign.licences import store as licence_store
from services.esign.licences.service import licence_servicer
from services.esign.revocation.service import Revocation
from services.esign.seals.life import SealLife
from services.esign.seals.maker import SealMaker
from services.esign.seals.service.owners import Seals
from services.esign.seals.service.servicers import seal_servicers
from services.esign.seals.slots import Slots
from services.esign.seals.sm2_side import Sidecars
from services.esign.service.neighbours import Neighbours
from services.esign.timestamps.clock_guard import ClockGuard, NtpReference
from services.esign.timestamps.service import Timestamps
from services.esign.timestamps.sources import Authority
from services.esign.upkeep.ended_keys import EndedKeys
from services.esign.upkeep.rewrapping import Rewrapping
from services.esign.verification.service.verification import Verification
from services.esign.wiring.flows import open_flows
from services.esign.wiring.ledger import open_cosigning, open_ledger
from services.esign.wiring.licences import open_licences
from services.esign.wiring.stamping import open_long_term, open_timestamps, outside_roots
from services.esign.wiring.verification import open_verifier
from shuniu.kit.config import HubSettings, load
from shuniu.kit.foundation import open_foundation
from shuniu.kit.messaging import open_messaging
from shuniu.kit.operations import Operations
from shuniu.kit.run import Process
from shuniu.kit.server import servicer

# An outside authority that takes longer is away; the document waits, the caller does not.
_TSA_SECONDS = 5.0


@contextlib.asynccontextmanager
async def build(path: Path) -> AsyncIterator[Process]:
    """The process, from one settings file. Raises ConfigError and StartRefusedError."""
    hub = load(HubSettings, path, "hub")
    settings = load(EsignSettings, path, "esign")
    secrets = Secrets.load(hub, settings)
    where = say_where_keys_lie(hub, settings)
    async with (
        open_foundation("esign", hub, settings, store.METADATA, package="services.esign") as base,
        open_messaging(base, area="esign") as messaging,
        contextlib.AsyncExitStack() as stack,
    ):
        stack.callback(secrets.close)
        base.store.use_cipher(secrets.keyring)
        ledger = await open_ledger(base, secrets, settings)
        stack.push_async_callback(ledger.close)
        cosigning = open_cosigning(ledger, settings)
        exchange, identity = base.channel("exchange"), base.channel("identity")
        for channel in (exchange, identity):
            stack.push_async_callback(channel.close)
        layouts = stack.enter_context(ThreadPoolExecutor(settings.layout_threads, thread_name_prefix="layout"))
        verifier = stack.enter_context(open_verifier(settings))
        reference = NtpReference.of(settings.clock_reference) if settings.clock_reference else None
        guard = ClockGuard(base.clock, reference)
        authority = None if secrets.tsa is None else Authority(secrets.tsa, guard)
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=_TSA_SECONDS, trust_env=False))
        stamps = open_timestamps(base, settings, authority, http, secrets.digest)
        # In the profile sm the keys are there in any case: PDFs are signed with them.
        beside = None if settings.ses_sidecar is False else secrets.sm
        sidecars = None if beside is None else Sidecars(base, beside, secrets.keyring, layouts)
        neighbours = Neighbours(exchange, identity)
        slots = Slots(base.clock, guard, secrets.digest)
        revocation = Revocation(
            base,
            secrets.seal_ca,
            None if secrets.sm is None else secrets.sm.seal_ca,
            secrets.seal_ca_retired,
            () if secrets.sm is None else secrets.sm.seal_cas_retired,
        )
        rewrapping = Rewrapping(base, secrets.keyring)
        long_term = open_long_term(base, settings, secrets, stamps, revocation, http)
        issuing = Issuing(
            base,
            secrets,
            ledger,
            neighbours,
            layouts,
            stamps,
            sidecars,
            slots,
            long_term=long_term,
            packages=open_packages(settings, sidecars, layouts, secrets.qr.host),
            crowd=neighbours.crowd,
        )
        by_sm3 = Sm3Index(base.store)
        issuing.told.append(by_sm3.released)
        flowing = open_flows(
            base, settings, secrets, ledger, slots, neighbours, identity, layouts, verifier, stamps, long_term
        )
        stack.push_async_callback(flowing.close)
        certifier, enrolling = open_authority(settings, secrets.seal_ca)
        certifier = with_remote_seals(settings, secrets.signer, certifier)
        if enrolling is not None:
            await stack.enter_async_context(enrolling)
        maker = SealMaker(
            base, secrets, layouts, neighbours, settings.seal_days, settings.revocation_url.rstrip("/"), certifier
        )
        certificates = Certificates(base, ledger, neighbours, issuing)
        seals = Seals(base, secrets, SealLife(base, ledger, slots, secrets.marks), maker, settings.seal_two_operators)
        licences = open_licences(base, secrets, ledger, neighbours, slots, settings)

        def not_ready() -> list[str]:
            reasons = [] if base.store.writable else ["the store cannot write"]
            return [*reasons, "the ledger must be opened again"] if ledger.stuck else reasons

        async def facts() -> Mapping[str, str]:
            text = ledger.checkpoint_text
            head = open_checkpoint(text, secrets.ledger_keys) if text else None
            return {
                **await messaging.facts(),
                "certificates": str(await base.store.read(document_rows.issued_count)),
                "licences": str(await base.store.read(licence_store.count)),
                "ledger_size": str(head.size if head else 0),
                # The last proof: the root under which everything sealed so far can be shown to stand.
                "last_proof": head.root.hex()[:16] if head else "",
                "keys": where,
                "older_wrapped": str(await rewrapping.older()),
                "clock": "in doubt" if guard.now_us() is None else "right",
                **cosigning.facts(),
            }

        operations = Operations(base, not_ready, facts=facts, replay=messaging.replay)
        yield Process(
            listeners=base.listeners(
                edge=[
                    *seal_servicers(seals, neighbours, sealed_by),
                    servicer(certificates),
                    servicer(
                        Verification(
                            base,
                            secrets,
                            verifier,
                            settings.document_most_bytes,
                            ledger,
                            outside_roots(settings),
                            tuple(key.vkey for key in cosigning.policy.witnesses),
                            (flow_of,),
                        )
                    ),
                    licence_servicer(licences),
                    servicer(Ledger(ledger)),
                    servicer(Timestamps(authority)),
                    servicer(revocation),
                    *flowing.servicers,
                ],
                peer=[
                    servicer(Evidence(base, ledger)),
                    servicer(operations),
                ],
            ),
            tasks=[
                base.registry.replica.follow,
                operations.watch,
                issuing.finish_interrupted,
                certificates.withdrawals.watch,
                *flowing.tasks,
                licences.issuing.finish_interrupted,
                cosigning.follow,
                by_sm3.follow,
                guard.watch,
                rewrapping.run,
                slots.beat_of(base),
                seals.life.watch,
                EndedKeys(base, guard).watch,
                *messaging.tasks,
            ],
            not_ready=not_ready,
            ops_host=settings.ops_host,
            ops_port=settings.ops_port,
        )
