"""Commands that make keys and operators while the hub is down."""

import datetime as dt
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Connection

from services.identity import events
from services.identity.bus import admin as bus_admin
from services.identity.config import IdentitySettings, KeyFiles, roots_of_edge
from services.identity.keys.secrets import Secrets
from services.identity.operators import domain as operators
from services.identity.operators import store as operator_store
from services.identity.operators.domain import Operator
from services.identity.platforms import store as platform_store
from services.identity.platforms.announcing import payload_of
from services.identity.platforms.domain.platforms import WORKING, Move, moved
from services.identity.store import METADATA
from services.identity.vault import commands as vault
from shuniu.kit.crypto import profile, x509
from shuniu.kit.crypto.keyring import add_key
from shuniu.kit.events import bus_server, outbox
from shuniu.kit.foundation import new_event
from shuniu.kit.process.clock import Clock, SystemClock
from shuniu.kit.process.config import HubSettings, load
from shuniu.kit.process.durable import write_public, write_secret
from shuniu.kit.service_settings import database_url
from shuniu.kit.store import Store, audit
from shuniu.kit.store.audit import AuditRecord

BUS_SERVICES = ("identity", "catalogue", "exchange", "esign")
"""Processes that connect to the bus, each with credentials of its own."""
_OPERATOR_DAYS = 365
# Of one hub; far above what its bus holds.
_MOST_PLATFORMS = 100_000


def initialise(config: Path) -> None:
    """Makes what is absent of identity's and the vault's keys and certificates; what is there stays.

    pki/platform-ca.pem, keys/platform-ca.key, keys/identity/, keys/pairwise/, keys/identity-root.key, keys/bus.json,
    keys/bus-<service>.creds, and the vault's (see its commands).
    """
    hub = load(HubSettings, config, "hub")
    files = KeyFiles(hub.data_dir)
    for directory in (files.platform_ca.parent, files.platform_ca_key.parent):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not files.platform_ca_key.exists():
        authority = x509.new_authority("Platform CA", hub.name, dt.datetime.now(dt.UTC))
        write_public(files.platform_ca, authority.pem())
        write_secret(files.platform_ca_key, x509.private_pem(authority.key))
    if not files.keyring.exists():
        add_key(files.keyring, profile.of(hub.profile).storage_key)
    if not files.pairwise.exists():
        add_key(files.pairwise)
    if not files.root_secret.exists():
        write_secret(files.root_secret, secrets.token_bytes(32))
    bus_keys = bus_admin.load_keys(files.bus)
    now_s = SystemClock().now_us() // 1_000_000
    for service in BUS_SERVICES:
        target = files.bus_credentials(service)
        if not target.exists():
            write_secret(target, bus_admin.service_credentials(bus_keys, service, now_s=now_s).encode())
    vault.initialise(config)


def rotate_storage_keys(config: Path) -> dict[str, int]:
    """Makes the next encryption keys of identity and vault and returns their numbers.

    New values use them from the next start on; old values open with the keys they name, which therefore stay.
    """
    hub = load(HubSettings, config, "hub")
    number = add_key(KeyFiles(hub.data_dir).keyring, profile.of(hub.profile).storage_key)
    return {"identity": number, "vault": vault.rotate_storage_key(config)}


def write_bus_config(config: Path, target: Path, *, listen: str, websocket: str, monitoring: str) -> None:
    """Renders the bus's configuration with this hub's operator, system account and HUB account."""
    hub = load(HubSettings, config, "hub")
    keys = bus_admin.load_keys(KeyFiles(hub.data_dir).bus)
    now_s = SystemClock().now_us() // 1_000_000
    server = bus_server.BusServer(
        tokens=bus_admin.server_tokens(keys, now_s=now_s, name=hub.trust_domain),
        data_dir=hub.data_dir / "nats",
        run_dir=hub.run_dir,
        listen=listen,
        websocket=websocket,
        monitoring=monitoring,
    )
    bus_server.write(server, target)


async def create_operator(config: Path, name: str, scopes: tuple[str, ...], directory: Path, clock: Clock) -> None:
    """Makes an operator with one administrator role: `cert.pem`, `key.pem`, `trust.pem` in `directory`, and the row.

    While identity is down only (its store has one writer). A name made again loses its former certificate.
    Raises OperatorError.
    """
    operators.check(name, scopes)
    hub = load(HubSettings, config, "hub")
    settings = load(IdentitySettings, config, "identity")
    authority = Secrets.load(KeyFiles(hub.data_dir)).authority
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.fromtimestamp(clock.now_us() / 1e6, dt.UTC)
    uri = f"spiffe://{hub.trust_domain}/operator/{name}"
    certificate = x509.issue_client(authority, key.public_key(), uri, now, _OPERATOR_DAYS)
    made = Operator(
        name,
        scopes,
        certificate.fingerprint(hashes.SHA256()).hex(),
        round(certificate.not_valid_after_utc.timestamp() * 1e6),
    )
    chain = certificate.public_bytes(serialization.Encoding.PEM) + authority.pem()
    _hand_over(
        directory,
        {
            "key.pem": x509.private_pem(key),
            "cert.pem": chain,
            "trust.pem": roots_of_edge(hub, settings),
        },
    )
    store = await Store.open(database_url(hub, settings, "identity"), METADATA, clock=clock, writer="commands")
    try:
        await store.write(_keep_operator, made, clock.now_us(), profile.of(hub.profile).audit_hash)
    finally:
        await store.close()


async def close_restored(config: Path, clock: Clock) -> list[str]:
    """Closes a restored registry until an operator has gone through it: suspends every platform that may work, and ends
    all enrolment tokens, for what was suspended or used after the backup would be good again. Returns the platforms'
    codes. While identity is down only.
    """
    hub, settings = load(HubSettings, config, "hub"), load(IdentitySettings, config, "identity")
    algorithm = profile.of(hub.profile).audit_hash
    store = await Store.open(database_url(hub, settings, "identity"), METADATA, clock=clock, writer="commands")
    try:
        return await store.write(_close, hub, clock, algorithm)
    finally:
        await store.close()


def _close(conn: Connection, hub: HubSettings, clock: Clock, audit_hash: str) -> list[str]:
    now_us = clock.now_us()
    platform_store.end_tokens(conn, now_us)
    closed = list[str]()
    for row in platform_store.page(conn, (), _MOST_PLATFORMS):
        if row.state in WORKING:
            after = platform_store.replace_row(conn, row, moved(row, Move.SUSPEND), bus_suspended_s=now_us // 1_000_000)
            payload = payload_of(after, platform_store.certificates(conn, [row.code], now_us)[row.code])
            event = new_event(hub, "identity", clock, events.PLATFORM_CHANGED, row.code, payload, division=row.division)
            # Those who follow events by the bus know the platform's last state from before the restore.
            outbox.emit(conn, event)
            record = AuditRecord(
                actor="command-line",
                actor_kind="operator",
                action="PlatformSuspended",
                object=f"platform/{row.code}",
                details={"reason": "restored from a backup"},
            )
            audit.append(conn, record, algorithm=audit_hash)
            closed.append(row.code)
    return closed


def _keep_operator(conn: Connection, made: Operator, now_us: int, audit_hash: str) -> None:
    operator_store.put_operator(conn, made, now_us)
    record = AuditRecord(
        actor="command-line",
        actor_kind="operator",
        action="CreateOperator",
        object=f"operator/{made.name}",
        details={"scopes": " ".join(made.scopes), "certificate": made.certificate_sha256},
    )
    audit.append(conn, record, algorithm=audit_hash)


def _hand_over(directory: Path, files: dict[str, bytes]) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).unlink(missing_ok=True)
        write_secret(directory / name, content)
