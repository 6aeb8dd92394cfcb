"""Every file that a setting names: one that is absent, empty, a folder or something else ends in one line that names the
setting and the path, in both languages. Never in a traceback.
"""

import asyncio
import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.envoy.settings import EdgeSettings
from gateway.web import config as web
from gateway.web.config import WebSettings
from services.catalogue.config import CatalogueSettings
from services.catalogue.search.page_key import page_key
from services.esign.certification import authorities
from services.esign.config import EsignSettings
from services.esign.flows import scenario_files
from services.esign.signing import proof
from services.exchange.config import ExchangeSettings
from services.exchange.service.calendar_file import calendar_of
from services.exchange.service.pages import Pages
from services.identity.config import IdentitySettings, roots_of_edge
from services.identity.vault.config import VaultSettings
from shuniu.kit.crypto.keyring import Keyring
from shuniu.kit.messaging import open_messaging
from shuniu.kit.process.config import ConfigError
from shuniu.kit.rpc import server
from shuniu.kit.rpc.client import ClientTls, socket_channel
from shuniu.kit.service_settings import DatabaseSettings, database_url
from tests.support.esign import setting

HUB: Any = SimpleNamespace(data_dir=Path("/nonexistent"), issuer="https://hub.test")
CA = "https://ca.test"


def _esign(**changed: Any) -> EsignSettings:
    return dataclasses.replace(EsignSettings(), **changed)


def _roots(path: Path) -> Path:
    """A good one beside what is tried."""
    found = path.parent / "good-roots.pem"
    found.write_bytes(setting().root.certificate.public_bytes(Encoding.PEM))
    return found


def _creds(path: Path) -> None:
    base: Any = SimpleNamespace(settings=SimpleNamespace(bus_creds_file=path), hub=HUB, service="esign")

    async def opened() -> None:
        async with open_messaging(base):
            pass

    asyncio.run(opened())


def _database(path: Path) -> None:
    database_url(HUB, DatabaseSettings("postgresql://shuniu@db/esign", path), "esign")


def _login_of_ca(path: Path) -> None:
    authorities.open_authority(_esign(ca_url=CA, ca_roots=_roots(path), ca_login_file=path), None)  # type: ignore[arg-type]


def _roots_of_ca(path: Path) -> None:
    authorities.open_authority(_esign(ca_url=CA, ca_roots=path), None)  # type: ignore[arg-type]


def _login_of_signer(path: Path) -> None:
    authorities.open_signer(_esign(signer_url=CA, signer_roots=_roots(path), signer_login_file=path))


def _roots_of_signer(path: Path) -> None:
    login = path.parent / "login"
    login.write_text("user:password")
    login.chmod(0o600)
    authorities.open_signer(_esign(signer_url=CA, signer_roots=path, signer_login_file=login))


def _tls(path: Path) -> None:
    server._credentials(server.Tls(path, path, path))


def _csrf(path: Path) -> None:
    web.csrf_key(SimpleNamespace(web=WebSettings(csrf_key_file=path), hub=HUB))  # type: ignore[arg-type]


def _edge_roots(path: Path) -> None:
    roots_of_edge(HUB, IdentitySettings(edge_roots_file=path))


def _timestamp_roots(path: Path) -> None:
    proof.outside_roots(_esign(timestamp_roots=path))


# What reads each setting. `any`: whatever bytes are in it are good; `made`: made where it is absent.
READERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "database_password_file": (_database, ""),
    "bus_creds_file": (_creds, ""),
    "tls_certificate": (_tls, ""),
    "tls_key": (lambda path: server._credentials(server.Tls(_roots(path), path, _roots(path))), ""),
    "tls_roots": (lambda path: asyncio.run(_client(path)), ""),
    "edge_roots_file": (_edge_roots, ""),
    "calendar_file": (calendar_of, ""),
    "page_key_file": (lambda path: (Pages.load(path), page_key(path)), "any made"),
    "keyring_dir": (Keyring.load, ""),
    "ca_roots": (_roots_of_ca, ""),
    "ca_login_file": (_login_of_ca, ""),
    "signer_roots": (_roots_of_signer, ""),
    "signer_login_file": (_login_of_signer, ""),
    "timestamp_roots": (_timestamp_roots, ""),
    "flow_scenarios": (lambda path: scenario_files.load([path]), "folder"),
    "csrf_key_file": (_csrf, "any"),
}
# Read where the whole process is built (`wiring/licences.py`), or by the edge itself (Envoy).
ELSEWHERE = {
    "licence_types",
    *("certificate", "key", "platform_ca", "upstream_certificate", "upstream_key", "upstream_ca"),
}


async def _client(path: Path) -> None:
    socket_channel("127.0.0.1:1", tls=ClientTls(path, path, path))


def test_every_file_of_every_service_is_in_the_table() -> None:
    """A setting that names a file comes with its row here."""
    kinds: tuple[type, ...] = (
        *(EsignSettings, ExchangeSettings, CatalogueSettings, IdentitySettings, VaultSettings),
        *(WebSettings, EdgeSettings),
    )
    named = {
        field.name
        for kind in kinds
        for field in dataclasses.fields(kind)
        if (hint := get_type_hints(kind)[field.name]) is Path or Path in get_args(hint)
    }
    assert named == READERS.keys() | ELSEWHERE


def _absent(_path: Path) -> None:
    pass


def _folder(path: Path) -> None:
    path.mkdir()


def _holding(content: bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_bytes(content)
        path.chmod(0o600)

    return make


def _pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "absent": (_absent, "made"),
    "folder": (_folder, "folder"),
    "empty": (_holding(b""), ""),
    "pipe": (_pipe, ""),
    "junk": (_holding(b"\xff\xfe\x00junk"), "any"),
    "wrong PEM": (_holding(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n\xff"), "any"),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("setting", "fault"),
    [
        (setting, fault)
        for setting, (_, allowed) in READERS.items()
        for fault, (_, kind) in FAULTS.items()
        # What the file may be is no fault.
        if kind not in allowed.split()
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path, setting: str, fault: str) -> None:
    """ConfigError (78), with the path."""
    (read, _), (make, _) = READERS[setting], FAULTS[fault]
    path = tmp_path / "tried"
    make(path)
    with pytest.raises(ConfigError) as told:
        read(path)
    assert str(path) in str(told.value)
    assert "\n" not in str(told.value)
