"""A witness that any member platform can run beside its own systems; it needs Python and `cryptography`.

    python -m examples.witness --name witness.example/w1 --data var/witness --log VKEY… [--listen HOST:PORT]

Prints its own verifier key and URL: give both to the hub (`[esign] witnesses`), and the key to those who verify.
Put it behind your own TLS. The key is made at the first start; losing `--data` means becoming another witness.
"""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from examples.witness.notes import Cosigner, MalformedError, parse_log_key
from examples.witness.server import Server
from examples.witness.witness import Heads, Witness


def own_key(path: Path) -> Ed25519PrivateKey:
    """The witness's key, made when absent (0600)."""
    if not path.exists():
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(Ed25519PrivateKey.generate().private_bytes_raw())
            file.flush()
            os.fsync(file.fileno())
    return Ed25519PrivateKey.from_private_bytes(path.read_bytes())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.witness", description=__doc__.partition("\n")[0])
    parser.add_argument("--name", required=True, help="schema-less URL that names this witness")
    parser.add_argument("--data", type=Path, required=True, help="key and newest heads; keep it")
    parser.add_argument("--log", action="append", required=True, metavar="VKEY", help="verifier key of a log to watch")
    parser.add_argument("--listen", default="127.0.0.1:7380", metavar="HOST:PORT")
    chosen = parser.parse_args(arguments)
    host, _, port = chosen.listen.rpartition(":")
    try:
        logs = [parse_log_key(text) for text in chosen.log]
        heads = Heads(chosen.data)
        cosigner = Cosigner(chosen.name, own_key(chosen.data / "witness.key"))
        server = Server((host, int(port)), Witness(cosigner, logs, heads))
    except (MalformedError, OSError, ValueError) as error:
        print(f"witness: {error}", file=sys.stderr)
        return 1
    print(f"{cosigner.vkey} {server.url}", flush=True)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
