"""An example of somebody else's certification authority, with EST (RFC 7030) in front; it knows nothing of the hub.

    python -m examples.foreign_ca --data var/foreign-ca --login USER:PASSWORD [--listen HOST:PORT]

Prints its URL. The hub takes its seals' certificates from it with `[esign] ca_url`, `ca_roots` (`root.pem` of the data
directory) and `ca_login_file`. An example: a licensed authority identifies the organisation before it certifies it.
"""

import argparse
import signal
import sys
import threading
from pathlib import Path

from examples.foreign_ca.authority import ForeignAuthority
from examples.foreign_ca.est import EstServer


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.foreign_ca", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="keys and certificates, made when absent")
    parser.add_argument("--login", required=True, metavar="USER:PASSWORD")
    parser.add_argument("--listen", default="127.0.0.1:7390", metavar="IP:PORT")
    chosen = parser.parse_args(arguments)
    host, _, port = chosen.listen.rpartition(":")
    server = EstServer((host, int(port)), ForeignAuthority.at(chosen.data), chosen.login)
    print(server.url, flush=True)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
