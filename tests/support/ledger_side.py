"""Esign's side of exchange: a real ledger, a real store and the real servicers on its peer socket, and nothing else.

`python -m tests.support.ledger_side DIR KEY` serves until it is killed, the log's Ed25519 key in hex; it prints a line
when it is ready.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, update

from services.esign import store
from services.esign.certification.domain.trust import Trust
from services.esign.documents.service.registry import CertificateRegistryService
from services.esign.documents.store import stages
from services.esign.documents.store.certificates import SLOT, CertificateRow, certificate
from services.esign.evidence.service import EvidenceService
from services.esign.ledger.domain import ledger
from services.esign.ledger.domain.ledger import Entry, EntryType
from services.esign.ledger.domain.note import NoteSigner
from services.esign.ledger.sequencer import Sequencer
from services.esign.ledger.store.files import LedgerStore
from services.esign.pages.domain.certificates import CertificateState
from shuniu.kit.foundation import ServiceSettings
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import HubSettings
from shuniu.kit.rpc import client
from shuniu.kit.rpc.server import peer_listener, servicer
from shuniu.kit.store import Store
from shuniu.kit.store.migrations import migrate
from shuniu.kit.testing.foundation import foundation_of
from tests.support.witnesses import LOG

TRUST = Trust(log_keys=(LOG.verifier,))


@dataclass
class LedgerSide:
    """A running one; `directory` is the data directory, its socket is in `run`."""

    directory: Path
    log: Sequencer
    store: Store

    async def issued(self, case_code: str, number: str) -> str:
        """Registers a document of a case as issued, and returns its number."""
        row = CertificateRow(
            number, case_code, "no_criminal_record", "bureau", "app", "p1", "150100", "seal", 1, b"salt", SLOT,
            CertificateState.VALID, "", "", b"", -1, "",
        )  # fmt: skip

        def unit(conn: Connection) -> None:
            stages.take_slots(conn, [row])
            stages.keep_bytes(conn, [stages.Made(number, b"%PDF", number, "qr", b"")])
            stages.release(conn, [stages.Logged(number, 0, "receipt", "")])

        await self.store.write(unit)
        return number

    async def revoked(self, number: str) -> None:
        """Withdraws a document."""
        state = {"state": CertificateState.REVOKED.value}
        await self.store.write(
            lambda conn: conn.execute(update(certificate).where(certificate.c.number == number).values(state))
        )


@contextlib.asynccontextmanager
async def ledger_side(directory: Path, signer: NoteSigner = LOG) -> AsyncIterator[LedgerSide]:
    (directory / "db").mkdir(exist_ok=True)
    (directory / "run").mkdir(exist_ok=True)
    clock = SystemClock()
    url = f"sqlite:///{directory}/db/esign.db"
    await migrate(url, "services.esign", clock)
    kept = await Store.open(url, store.METADATA, clock=clock)
    hub = HubSettings("150000", "t", "hub.test", "https://hub.test", directory, directory / "run")
    base = foundation_of("esign", hub, ServiceSettings(), clock, kept)
    log = Sequencer(LedgerStore.open(directory / "ledger", signer), window_s=0.01)
    serving = [servicer(EvidenceService(base, log)), servicer(CertificateRegistryService(base))]
    listener = peer_listener(f"unix:{directory}/run/esign.peer.sock", serving, "hub.test")
    await listener.start()
    try:
        yield LedgerSide(directory, log, kept)
    finally:
        await listener.stop(0.2)
        await log.close()
        await kept.close()


def channel(directory: Path, service: str = "exchange") -> grpc.aio.Channel:
    return client.channel(f"unix:{directory}/run/esign.peer.sock", service=service)


def evidence_in(directory: Path) -> list[Entry]:
    """All evidence in the log's files. Nobody may have it open."""
    log = LedgerStore.open(directory / "ledger", LOG)
    try:
        entries = [ledger.decode(entry) for entry in log.entries(0)]
    finally:
        log.abandon()
    return [entry for entry in entries if entry.type is EntryType.EVIDENCE]


async def _serve(directory: Path, key: str) -> None:
    signer = NoteSigner.prepare(LOG.verifier.name, Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key)))
    async with ledger_side(directory, signer):
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), sys.argv[2]))
