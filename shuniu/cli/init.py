"""`shuniu init`: a new hub in an empty directory: settings, keys, certificates, operators, databases."""

import argparse
import asyncio
import datetime as dt
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.esign import commands as esign
from services.identity import commands as identity
from shuniu.cli.output import out
from shuniu.cli.parts import SERVICES, bus_config
from shuniu.cli.place import BusPlace, EdgePlace, Place, free_ports, run_dir_for
from shuniu.cli.stores import migrate_all
from shuniu.kit.crypto import profile, x509
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import ConfigError, HubSettings
from shuniu.kit.process.durable import write_public, write_secret

OPERATORS = {"system": "admin.system", "security": "admin.security", "audit": "admin.audit"}
"""Three disjoint administrator roles (GB/T 22239), each with the scope it holds."""

_TEMPLATE = """\
# Settings of this hub, one section a process. Unknown keys are refused.
# SHUNIU_<SECTION>_<KEY> in the environment overrides a key.

[hub]
code = "{code}"
name = "{name}"
trust_domain = "{trust_domain}"
issuer = "{issuer}"
data_dir = "{data}"
run_dir = "{run}"
# Cryptography: international (P-256, SHA-256, AES) or sm (SM2, SM3, SM4).
profile = "{profile}"
# Between which zones data may go; everything not named is denied.
zone_pairs = ["government-extranet>internet", "internet>government-extranet"]

[edge]
people = "{people}"
platforms = "{platforms}"
bus = "{websocket}"

[web]

[identity]
bus_url = "nats://{bus}"
platform_url = "{platform_url}"
authority_platform = "{authority_platform}"
authority_resource = "{authority_resource}"

[vault]

[catalogue]
bus_url = "nats://{bus}"

[exchange]
bus_url = "nats://{bus}"

[esign]
bus_url = "nats://{bus}"
# One operator reviews an application for a seal, another makes it.
seal_two_operators = true
# Platforms whose seals may issue licences that count offline, by code, or ["*"] for all; asked when a seal is made.
licence_issuers = []
# Where keys lie: "file" (software keys, for development), a PKCS #11 token or a GM/T 0018 device.
keys = "{keys}"
sm_keys = "{sm_keys}"

[nats]
listen = "{listen}"
websocket = "{websocket}"
monitoring = "{monitoring}"
"""


def run(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())
    if place.config.exists():
        raise ConfigError(f"{place.config}: 此处已有枢纽 / there is a hub here already")
    profile.require(arguments.profile)
    edge, bus = _addresses(arguments)
    place.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    for directory in ("keys", "pki", "db", "nats", "ledger", "edge", "logs", "operators"):
        (place.data / directory).mkdir(mode=0o700, parents=True, exist_ok=True)
    run_dir = arguments.run_dir or run_dir_for(place.data)
    run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority, _, resource = arguments.authority.partition("/")
    # Written last-but-one to a draft, so that an interrupted init can be run again.
    draft = place.config.with_suffix(".draft")
    draft.write_text(
        _TEMPLATE.format(
            code=_plain(arguments.code),
            name=_plain(arguments.name),
            trust_domain=_plain(arguments.trust_domain),
            data=place.data,
            run=run_dir,
            profile=arguments.profile,
            people=edge.people,
            platforms=edge.platforms,
            issuer=_plain(arguments.issuer) or f"https://{edge.people}",
            platform_url=_external(arguments.issuer, edge.platforms),
            bus=bus.listen.replace("0.0.0.0", "127.0.0.1"),  # noqa: S104 — our own clients stay on loopback
            listen=bus.listen,
            websocket=bus.websocket,
            monitoring=bus.monitoring,
            authority_platform=_plain(authority),
            authority_resource=_plain(resource),
            keys=_plain(arguments.keys),
            sm_keys=_plain(arguments.sm_keys),
        ),
        encoding="utf-8",
    )
    # It may come to name a database with its password.
    draft.chmod(0o600)
    draft.replace(place.config)
    try:
        asyncio.run(_fill(place, arguments.host, bus))
    except BaseException:
        place.config.unlink()
        raise
    out(
        {
            "data": str(place.data),
            "config": str(place.config),
            "profile": arguments.profile,
            "people": edge.people,
            "platforms": edge.platforms,
        },
        f"枢纽已建立于 {place.data}；运行 shuniu up --data {place.data} 启动。\n"
        f"A new hub is in {place.data}; start it with: shuniu up --data {place.data}",
        as_json=arguments.json,
    )
    return 0


def _addresses(arguments: argparse.Namespace) -> tuple[EdgePlace, BusPlace]:
    if arguments.free_ports:
        people, platforms, listen, websocket, monitoring = free_ports(5)
        edge = EdgePlace(f"127.0.0.1:{people}", f"127.0.0.1:{platforms}")
        bus = BusPlace(f"127.0.0.1:{listen}", f"127.0.0.1:{websocket}", f"127.0.0.1:{monitoring}")
        return edge, bus
    edge = EdgePlace(arguments.people or "127.0.0.1:8443", arguments.platforms or "127.0.0.1:9443")
    return edge, BusPlace(arguments.bus, arguments.bus_websocket, arguments.bus_monitoring)


def _external(issuer: str, platforms: str) -> str:
    """The platforms listener from outside: the issuer's host with the other port."""
    if not issuer:
        return f"https://{platforms}"
    host = urlsplit(issuer).hostname or ""
    return f"https://{host}:{platforms.rpartition(':')[2]}"


def _plain(text: str) -> str:
    if any(char in text for char in '"\\\n'):
        raise ConfigError(f"{text!r}: must not hold quotes, backslashes or line ends")
    return text


async def _fill(place: Place, host: str, bus: BusPlace) -> None:
    hub = place.hub()
    clock = SystemClock()
    _edge_certificate(place, hub, host)
    identity.initialise(place.config)
    esign.initialise(place.config)
    identity.write_bus_config(
        place.config, bus_config(hub), listen=bus.listen, websocket=bus.websocket, monitoring=bus.monitoring
    )
    await migrate_all(place)
    for name, scope in OPERATORS.items():
        await identity.create_operator(place.config, name, (scope,), place.operator(name), clock)
    for service in SERVICES:
        assert (place.data / "keys" / f"bus-{service}.creds").exists()


def _edge_certificate(place: Place, hub: HubSettings, host: str) -> None:
    now = dt.datetime.now(dt.UTC)
    authority = x509.new_authority("Edge CA", hub.name, now)
    key = ec.generate_private_key(ec.SECP256R1())
    hosts = list(dict.fromkeys([host, "localhost", "127.0.0.1"]))
    certificate = x509.issue_server(authority, key.public_key(), hosts, now, 365)
    # Of an init that was interrupted.
    for name in ("edge-ca.key", "edge.key"):
        (place.data / "keys" / name).unlink(missing_ok=True)
    write_public(place.trust, authority.pem())
    write_secret(place.data / "keys" / "edge-ca.key", x509.private_pem(authority.key))
    chain = certificate.public_bytes(serialization.Encoding.PEM) + authority.pem()
    write_public(place.data / "pki" / "edge.pem", chain)
    write_secret(place.data / "keys" / "edge.key", x509.private_pem(key))
