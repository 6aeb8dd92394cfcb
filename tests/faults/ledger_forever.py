"""A program that appends to a ledger and prints size and root of each head it answers for.

python -m tests.faults.ledger_forever DIRECTORY KEY_HEX [BATCHES]
"""

import itertools
import os
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.esign.ledger.domain import ledger, note
from services.esign.ledger.store.files import LedgerStore


def main() -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(sys.argv[2]))
    store = LedgerStore.open(Path(sys.argv[1]), note.NoteSigner.prepare("hub.example/ledger", key))
    rounds = range(int(sys.argv[3])) if len(sys.argv) > 3 else itertools.count()
    for number in rounds:
        entry = ledger.encode(ledger.Entry(ledger.EntryType.EVIDENCE, store.size + 1))
        store.append([entry] * (number % 90 + 1))
        if number % 7 == 6:
            store.compact()
        os.write(1, f"{store.size} {store.checkpoint.root.hex()}\n".encode())
    store.close()


if __name__ == "__main__":
    main()
