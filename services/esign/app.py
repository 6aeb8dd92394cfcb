"""Wiring of esign: settings → keys → store and ledger → servicers → run."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from cryptography import x509

from services.esign import licence_store, store
from services.esign.ca import open_authority, with_remote_seals
from services.esign.clock_guard import ClockGuard, NtpReference
from services.esign.config import EsignSettings, KeyFiles
from services.esign.domain.digests import SHA256, Digest
from services.esign.domain.errors import EsignError, LedgerDamagedError
from services.esign.domain.ledger import open_checkpoint
from services.esign.domain.longterm import Level
from services.esign.fair_queue import Room
from services.esign.flow_parts import open_flows
from services.esign.keys import Secrets, say_where_keys_lie
from services.esign.ledger_store import LedgerStore
from services.esign.long_term import HttpResponders, LongTerm, OwnResponder
from services.esign.packages import open_packages
from services.esign.rewrapping import Rewrapping
from services.esign.seal_life import SealLife
from services.esign.seal_maker import SealMaker
from services.esign.sequencer import Sequencer
from services.esign.service.certificates import Certificates
from services.esign.service.evidence import Evidence
from services.esign.service.issuing import Issuing
from services.esign.service.ledger import Ledger
from services.esign.service.licence_issuing import PLACES, LicenceIssuing
from services.esign.service.licences import Licences, licence_servicer, read_types
from services.esign.service.neighbours import Neighbours
from services.esign.service.revocation import Revocation
from services.esign.service.seal_servicers import seal_servicers
from services.esign.service.seals import Seals
from services.esign.service.timestamps import Timestamps
from services.esign.service.verification import Verification
from services.esign.sidecars import Sidecars
from services.esign.slots import Slots
from services.esign.sm3_index import Sm3Index
from services.esign.status_lists import StatusLists
from services.esign.timestamps import Authority, HttpTimestamps, OwnTimestamps, TimestampSource, read_roots
from services.esign.verifier import Verifier
from services.esign.witnesses import Cosigning, witness_sites
from shuniu.api.esign.v1 import (
    esign_pb2,
    esign_pb2_grpc,
    evidence_pb2,
    evidence_pb2_grpc,
    timestamp_pb2,
    timestamp_pb2_grpc,
)
from shuniu.kit.config import ConfigError, HubSettings, load
from shuniu.kit.foundation import Foundation, open_foundation
from shuniu.kit.messaging import open_messaging
from shuniu.kit.operations import Operations
from shuniu.kit.run import Process, StartRefusedError
from shuniu.kit.server import Servicer

# An outside authority that takes longer is away; the document waits, the caller does not.
_TSA_SECONDS = 5.0


async def open_ledger(base: Foundation, secrets: Secrets, settings: EsignSettings) -> Sequencer:
    """The ledger, compared with the newest head the store remembers. Raises StartRefusedError saying what is wrong."""
    text = await base.store.read(store.remembered_head)
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


def open_timestamps(
    base: Foundation,
    settings: EsignSettings,
    authority: Authority | None,
    client: httpx.AsyncClient,
    digest: Digest = SHA256,
) -> TimestampSource | None:
    """What stamps seals; None when they carry no timestamp. An outside authority is asked to stamp with `digest`.
    Raises ConfigError.
    """
    level = _level(settings)
    if settings.timestamp is False or level is Level.B:
        return None
    if settings.timestamp_url:
        path = settings.timestamp_roots if settings.timestamp_roots.name else KeyFiles(base.hub.data_dir).root
        try:
            return HttpTimestamps(settings.timestamp_url, client, read_roots(path), base.clock, digest)
        except (OSError, ValueError) as error:
            raise ConfigError(f"[esign] timestamp_roots: {path}: {type(error).__name__}") from None
    if authority is None and settings.timestamp is None and level is None:
        return None
    if authority is None:
        raise ConfigError("[esign] timestamp: the hub has no timestamp authority; run `shuniu init`")
    return OwnTimestamps(authority)


def open_licences(
    base: Foundation,
    secrets: Secrets,
    ledger: Sequencer,
    neighbours: Neighbours,
    slots: Slots,
    settings: EsignSettings,
) -> Licences:
    """Licences as SD-JWT VC, with the types that ship and those of the settings. Raises ConfigError."""
    directories = [Path(__file__).parent / "licences"]
    if settings.licence_types.name:
        directories.append(settings.licence_types)
    try:
        types = read_types(directories)
        roots = x509.load_pem_x509_certificates(KeyFiles(base.hub.data_dir).root.read_bytes() + secrets.ca_roots)
    except (OSError, ValueError) as error:
        raise ConfigError(f"[esign] licence_types: {error}") from None
    issuing = LicenceIssuing(base, secrets, ledger, neighbours, slots, types, settings.licence_nonce_seconds)
    lists = StatusLists(base, secrets.seal_ca, PLACES, settings.licence_status_ttl, settings.licence_status_lives)
    return Licences(base, issuing, lists, roots)


def _level(settings: EsignSettings) -> Level | None:
    try:
        return Level(settings.level) if settings.level else None
    except ValueError:
        raise ConfigError(f"[esign] level: one of {', '.join(Level)}, not {settings.level}") from None


def open_long_term(
    base: Foundation,
    settings: EsignSettings,
    secrets: Secrets,
    stamps: TimestampSource | None,
    revocation: Revocation,
    client: httpx.AsyncClient,
) -> LongTerm | None:
    """What raises documents to B-LT and B-LTA; None when they stay below. Other authorities are asked over HTTP where
    their certificates say so. Raises ConfigError.
    """
    level = _level(settings)
    if level not in {Level.LT, Level.LTA} or level is None:
        return None
    if stamps is None:
        raise ConfigError(f"[esign] level: {level} needs timestamps")

    async def ask(question: bytes) -> bytes:
        return (await revocation.AnswerOcsp(timestamp_pb2.AnswerOcspRequest(der=question), None)).der

    pem = outside_roots(settings) + secrets.ca_roots + (secrets.sm.root_pem if secrets.sm is not None else b"")
    others = x509.load_pem_x509_certificates(pem) if pem else []
    responders = (OwnResponder(ask), HttpResponders(client))
    return LongTerm(responders, stamps, (secrets.seal_ca.root, *others), base.clock, level)


def outside_roots(settings: EsignSettings) -> bytes:
    """Roots of an outside timestamp authority, PEM. Raises ConfigError."""
    try:
        return settings.timestamp_roots.read_bytes() if settings.timestamp_roots.name else b""
    except OSError as error:
        raise ConfigError(f"[esign] timestamp_roots: {settings.timestamp_roots}: {error.strerror}") from None


def open_verifier(settings: EsignSettings) -> Verifier:
    """The workers that read foreign documents. Raises ConfigError."""
    if min(settings.verify_workers, settings.verify_waiting_most, settings.verify_waiting_most_bytes) < 1:
        raise ConfigError("[esign] verify_workers, verify_waiting_most, verify_waiting_most_bytes: 1 or more")
    return Verifier(
        settings.verify_seconds,
        workers=settings.verify_workers,
        cpu_seconds=settings.verify_cpu_seconds,
        memory=settings.verify_memory_bytes,
        room=Room(settings.verify_waiting_most, settings.verify_waiting_most_bytes),
    )


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
                "certificates": str(await base.store.read(store.issued_count)),
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
        assert base.registry is not None
        services = esign_pb2.DESCRIPTOR.services_by_name
        add = esign_pb2_grpc
        yield Process(
            listeners=base.listeners(
                edge=[
                    *seal_servicers(seals, neighbours),
                    Servicer(
                        add.add_CertificateServiceServicer_to_server,
                        certificates,
                        services["CertificateService"],
                    ),
                    Servicer(
                        add.add_VerificationServiceServicer_to_server,
                        Verification(
                            base,
                            secrets,
                            verifier,
                            settings.document_most_bytes,
                            ledger,
                            outside_roots(settings),
                            tuple(key.vkey for key in cosigning.policy.witnesses),
                        ),
                        services["VerificationService"],
                    ),
                    licence_servicer(licences),
                    Servicer(add.add_LedgerServiceServicer_to_server, Ledger(ledger), services["LedgerService"]),
                    Servicer(
                        timestamp_pb2_grpc.add_TimestampServiceServicer_to_server,
                        Timestamps(authority),
                        timestamp_pb2.DESCRIPTOR.services_by_name["TimestampService"],
                    ),
                    Servicer(
                        timestamp_pb2_grpc.add_RevocationServiceServicer_to_server,
                        revocation,
                        timestamp_pb2.DESCRIPTOR.services_by_name["RevocationService"],
                    ),
                    *flowing.servicers,
                ],
                peer=[
                    Servicer(
                        evidence_pb2_grpc.add_EvidenceServiceServicer_to_server,
                        Evidence(base, ledger),
                        evidence_pb2.DESCRIPTOR.services_by_name["EvidenceService"],
                    ),
                    operations.servicer(),
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
                *messaging.tasks,
            ],
            not_ready=not_ready,
            ops_host=settings.ops_host,
            ops_port=settings.ops_port,
        )
