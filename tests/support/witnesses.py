"""Witnesses on ports of their own, for the tests of the ledger."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from examples.witness.notes import Cosigner, parse_log_key
from examples.witness.server import Server
from examples.witness.witness import Heads, Witness
from services.esign.ledger.domain import ledger, note
from services.esign.ledger.domain.witness import parse_vkey
from services.esign.ledger.witness_sites import WitnessSite

LOG = note.NoteSigner.prepare("hub.example/ledger", Ed25519PrivateKey.generate())


def entries(first: int, count: int) -> list[bytes]:
    """Entries that differ from all others."""
    return [ledger.encode(ledger.Entry(ledger.EntryType.EVIDENCE, i + 1)) for i in range(first, first + count)]


def cosigner(number: int) -> Cosigner:
    return Cosigner(f"w{number}.example", Ed25519PrivateKey.generate())


@contextmanager
def serving(directory: Path, who: Cosigner, *, port: int = 0, log: str = LOG.verifier.vkey) -> Iterator[WitnessSite]:
    """A witness that is up while the block runs."""
    heads = Heads(directory)
    server = Server(("127.0.0.1", port), Witness(who, [parse_log_key(log)], heads))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield WitnessSite(parse_vkey(who.vkey), server.url)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        heads.close()
