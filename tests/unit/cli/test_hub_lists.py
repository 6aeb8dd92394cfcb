"""The hub's lists of revoked certificates, as the command line on its machine asks for them: a hub that is there and does
not answer is not one that has none.
"""

import argparse
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from services.esign.certification.domain import pki
from services.esign.commands import TrustError
from services.esign.revocation.domain import answers as revocation
from shuniu.cli import hub_lists, init, verify
from shuniu.cli.hub_lists import revocation_lists
from shuniu.cli.main import main, parser
from shuniu.cli.place import Place
from shuniu.kit.process.process_lock import ProcessLock
from tests.support.esign import NOW_US, setting


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    data = tmp_path_factory.mktemp("hub") / "hub"
    init.run(parser().parse_args(["init", "--json", "--free-ports", "--data", str(data)]))
    return Place(data)


# The answer of a restored hub that lacks some of its authority's seals.
FORGOTTEN = (503, b"SEALS_FORGOTTEN")


@contextmanager
def edge(place: Place, answers: dict[str, tuple[int, bytes]], last: str = "") -> Iterator[None]:
    """A server at the hub's address, with its certificate. It dies as it answers `last`."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.get(self.path, (404, b""))
            if self.path == last:
                server.shutdown()
                server.socket.close()
            if not status:
                return
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            if (status, body) == FORGOTTEN:
                self.send_header("x-shuniu-reason", FORGOTTEN[1].decode())
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    host, _, port = place.edge().people.rpartition(":")
    server = ThreadingHTTPServer((host, int(port)), Answering)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(place.data / "pki" / "edge.pem", place.data / "keys" / "edge.key")
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    serving = threading.Thread(target=server.serve_forever, args=(0.01,))
    serving.start()
    try:
        yield
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def listed() -> bytes:
    return revocation.crl(setting().ca, [], NOW_US)


GIVEN = {"/crl?ca=0": (200, listed()), "/crl/sm2?ca=0": (400, b"")}


def test_lists_end_where_the_hub_has_no_further_authority(place: Place) -> None:
    """404 for a number that it has not, 400 for SM2 that it has not: nothing is missing."""
    with edge(place, GIVEN):
        lists = revocation_lists(place)
    assert (set(lists.files), lists.missing) == ({"esign-0.crl"}, ())


def test_a_list_that_is_refused_for_good_hides_no_later_one(place: Place) -> None:
    """The authority that an operator began after a restore has a whole list; that of the one before is missing."""
    with edge(place, {**GIVEN, "/crl?ca=0": FORGOTTEN, "/crl?ca=1": (200, listed())}):
        lists = revocation_lists(place)
    assert (set(lists.files), lists.missing) == ({"esign-1.crl"}, ("/crl?ca=0",))


@pytest.mark.parametrize("failure", [(503, b""), (504, b""), (429, b""), (0, b""), (200, b"no list")])
def test_a_list_that_does_not_come_is_missing(place: Place, failure: tuple[int, bytes]) -> None:
    """Restarting, slow, cut off or nonsense: nobody takes it for a hub that has revoked nothing."""
    with edge(place, {**GIVEN, "/crl?ca=0": failure}):
        lists = revocation_lists(place)
    assert (lists.files, lists.missing) == ({}, ("/crl?ca=0",))


def test_a_hub_that_does_not_answer_in_time_is_missed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It listens, and its handshake never comes."""
    monkeypatch.setattr(hub_lists, "_SECONDS", 0.05)
    import socket

    host, _, port = place.edge().people.rpartition(":")
    with socket.create_server((host, int(port))):
        assert revocation_lists(place).missing == ("/crl?ca=0", "/crl/sm2?ca=0")


def test_while_no_hub_listens_nothing_is_missing(place: Place) -> None:
    """Offline, as anywhere."""
    lists = revocation_lists(place)
    assert (lists.files, lists.missing) == ({}, ())


@pytest.mark.parametrize(
    ("last", "files", "missing"),
    [
        ("/crl?ca=0", {"esign-0.crl"}, ("/crl?ca=1", "/crl/sm2?ca=0")),
        ("/crl?ca=1", {"esign-0.crl"}, ("/crl/sm2?ca=0",)),
    ],
)
def test_a_hub_that_dies_between_two_lists_is_missed(
    place: Place, last: str, files: set[str], missing: tuple[str, ...]
) -> None:
    """It was there, so it may have had a list that makes a verdict INVALID."""
    with edge(place, GIVEN, last):
        lists = revocation_lists(place)
    assert (set(lists.files), lists.missing) == (files, missing)


def test_lists_are_missing_while_a_supervisor_runs_and_its_edge_does_not_listen(place: Place) -> None:
    """It starts, or its edge has just died; looking takes nobody's lock away."""
    held = ProcessLock(place.lock)
    try:
        assert revocation_lists(place).missing == ("/crl?ca=0", "/crl/sm2?ca=0")
    finally:
        held.release()
    assert revocation_lists(place).missing == ()
    ProcessLock(place.lock).release()


def test_more_authorities_than_are_asked_for_are_missing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that nobody asked for may hold the stolen seal."""
    monkeypatch.setattr(hub_lists, "_MOST_AUTHORITIES", 1)
    with edge(place, GIVEN):
        assert revocation_lists(place).missing == ("/crl?ca=1",)


def test_verify_judges_nothing_while_the_lists_do_not_come(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stolen seal's document would be VALID without them."""
    monkeypatch.setattr("services.esign.commands.trust_files", own_trust, raising=False)
    with edge(place, {**GIVEN, "/crl?ca=0": (503, b"")}), pytest.raises(TrustError, match="did not give") as told:
        verify.trust_of(argparse.Namespace(data=place.data, trust=None))
    assert "没有给出撤销列表（/crl?ca=0）" in str(told.value)
    with edge(place, GIVEN):
        assert verify.trust_of(argparse.Namespace(data=place.data, trust=None)).trust.crl_names == ("esign-0.crl",)


def own_trust(_config: Path) -> dict[str, str]:
    return {"esign-root.pem": setting().root.certificate.public_bytes(Encoding.PEM).decode()}


def test_trust_is_not_exported_without_a_list_that_the_hub_has(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever got it would accept a stolen seal's documents for good: exit 1, and what was exported before stays."""
    monkeypatch.setattr("services.esign.commands.trust_files", own_trust, raising=False)
    out = tmp_path / "trust"
    monkeypatch.setattr(sys, "argv", ["shuniu", "trust", "--out", str(out), "--data", str(place.data)])
    for answers, status in ((GIVEN, 0), ({**GIVEN, "/crl?ca=0": (504, b"")}, 1)):
        with edge(place, answers), pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == status
        assert {path.name for path in out.iterdir()} == {"esign-root.pem", "esign-0.crl"}
    assert "没有导出" in capsys.readouterr().err
    assert pki.certificate_pem(setting().root.certificate).strip() == (out / "esign-root.pem").read_bytes().strip()


def test_trust_of_a_hub_brings_no_more_than_it_needs(place: Place) -> None:
    """`shuniu verify` in a hub's directory starts at once: no log, no key device, no HTTP client of a certification
    authority, no store.
    """
    script = (
        "import sys; from pathlib import Path; from services.esign import commands\n"
        "print(sorted(commands.trust_files(Path(sys.argv[1]))), *sorted(sys.modules), sep='\\n')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(place.config)], capture_output=True, text=True, check=True, timeout=60
    )
    names, *modules = ran.stdout.splitlines()
    assert "'esign-root.pem'" in names
    unwanted = {"structlog", "joserfc", "httpx", "sqlalchemy", "grpc", "prometheus_client"}
    unwanted |= {
        "shuniu.kit.crypto.key_files",
        "services.esign.keys.secrets",
        "services.esign.certification.authorities",
    }
    assert unwanted & set(modules) == set()
