"""From settings and contract to the files that Envoy reads. Pure: nothing is written and nothing is asked."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import jinja2

from gateway.envoy.contract import Contract, Listener, Rpc
from gateway.envoy.json_fields import fields_of, lua
from gateway.envoy.refusals import refusals
from gateway.envoy.settings import Edge, EdgeSettings

BOOTSTRAP = "bootstrap.yaml"
SUSPENDED = "suspended.yaml"
DESCRIPTORS = "contract.binpb"

# The service stops a call after 30 s with a better answer than the edge has; the edge is the second line.
_CALL_SECONDS = {"read": 35, "write": 35, "heavy": 65, "stream": 35}

# Base64 in JSON takes 4/3; the rest of the envelope fits in the slack.
_JSON_GROWTH = 1.36

# A request beside its body, bytes: headers (32 KiB at most), the connection's buffers, and Envoy's own objects.
REQUEST_BYTES = 128 * 1024

# What a connection may have in its buffers. Documents and lists go over few connections of platforms.
_BUFFER_BYTES = {Listener.PEOPLE: 64 * 1024, Listener.PLATFORMS: 256 * 1024}

# An answer of web; it stops by itself before.
_WEB_SECONDS = 35

# What a platform without gRPC needs of web on its own listener: tokens, keys, discovery.
_PLATFORM_WEB = (
    ("POST", "/oauth2/token"),
    ("POST", "/oauth2/revoke"),
    ("GET", "/oauth2/userinfo"),
    ("POST", "/oauth2/userinfo"),
    ("GET", "/oauth2/jwks"),
)

# Bytes of the one call that carries a whole document.
_DOCUMENT_CALLS = frozenset(
    {
        "/shuniu.api.esign.v1.VerificationService/VerifyDocument",
        "/shuniu.api.esign.v1.FlowService/BeginFlow",
    }
)


@dataclass(frozen=True, slots=True)
class RpcRoute:
    """The route of one RPC. `seconds`: until the answer, from the last byte of the request; 0 means no limit. `bytes`
    0 means not gathered before it is passed on. `json_bytes`: the same of a request in JSON, where that may be more.
    `lasts`: all of it, s.
    """

    path: str
    cluster: str
    token: str
    rate: str
    seconds: int
    bytes: int
    json_bytes: int
    lasts: int


@dataclass(frozen=True, slots=True)
class WebRoute:
    """A path of the web process. `method` empty means any; `below` says whether paths below it belong to it."""

    path: str
    method: str
    below: bool
    bytes: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """An upstream. A Unix socket has `pipe`, anything else host and port."""

    name: str
    pipe: str
    host: str
    port: int
    http2: bool
    tls: bool
    max_connections: int


@dataclass(frozen=True, slots=True)
class Secret:
    """Certificates that Envoy rereads: its own with a key, or roots with prefixes of the URI SANs accepted."""

    name: str
    certificate: Path
    key: Path | None
    names: tuple[str, ...]

    @property
    def file(self) -> str:
        return f"secret-{self.name}.yaml"


def render(settings: Edge, contract: Contract, suspended: frozenset[str], control_port: int = 0) -> dict[str, bytes]:
    """Every file of the edge, by name within its directory. `suspended` are platform codes; `control_port`: where the
    control process answers for itself.
    """
    values = {
        "hub": settings.hub,
        "edge": settings.edge,
        "files": {
            "suspended": str(settings.directory / SUSPENDED),
            "descriptors": str(settings.directory / DESCRIPTORS),
            **{secret.name: str(settings.directory / secret.file) for secret in secrets(settings)},
        },
        "admin": str(settings.admin_socket),
        "listeners": [_listener(settings, contract, listener) for listener in Listener],
        "ops": {"host": settings.edge.ops_host, "port": settings.edge.ops_port},
        "control_port": control_port,
        "clusters": clusters(settings),
        "upstream_tls": settings.edge.upstream_certificate is not None,
        "refusals": refusals(
            settings.edge.max_document_bytes,
            settings.edge.max_request_bytes,
            settings.edge.max_form_bytes,
            settings.edge.upload_paths,
        ),
        "rates": rates(settings.edge),
        "json_bytes": _json_bytes(settings.edge),
        "web_seconds": _WEB_SECONDS,
        "longest": settings.edge.body_seconds + max(_CALL_SECONDS.values()),
    }
    return {
        BOOTSTRAP: _fill("bootstrap.yaml.j2", values),
        **{secret.file: _fill("secret.yaml.j2", {"secret": secret}) for secret in secrets(settings)},
        SUSPENDED: render_suspended(settings.hub.trust_domain, suspended),
        DESCRIPTORS: contract.descriptor_set,
    }


def render_suspended(trust_domain: str, codes: Iterable[str]) -> bytes:
    """The one file that changes while Envoy runs: who is refused, whatever else he can prove."""
    names = [f"spiffe://{trust_domain}/platform/{code}" for code in sorted(codes)]
    return _fill("suspended.yaml.j2", {"names": names})


def rpc_routes(contract: Contract, listener: Listener, edge: EdgeSettings) -> tuple[RpcRoute, ...]:
    """Routes of the RPCs that may arrive at a listener; no other RPC can be reached through the edge."""
    return tuple(_rpc_route(rpc, listener, edge) for rpc in contract.at(listener))


def web_routes(listener: Listener, edge: EdgeSettings) -> tuple[WebRoute, ...]:
    if listener is Listener.PLATFORMS:
        exact = tuple(WebRoute(path, method, below=False, bytes=edge.max_form_bytes) for method, path in _PLATFORM_WEB)
        return (*exact, WebRoute("/.well-known", "GET", below=True, bytes=edge.max_form_bytes))
    uploads = (WebRoute(path, "POST", below=False, bytes=edge.max_document_bytes) for path in edge.upload_paths)
    home = WebRoute("/", "", below=False, bytes=edge.max_form_bytes)
    return (*uploads, home, *(WebRoute(path, "", below=True, bytes=edge.max_form_bytes) for path in edge.web_paths))


def rates(edge: EdgeSettings) -> dict[str, int]:
    """Calls a second by rate class; `people` counts requests to web and on the people listener."""
    return {
        "read": edge.rate_read,
        "write": edge.rate_write,
        "heavy": edge.rate_heavy,
        "stream": edge.rate_stream,
        "people": edge.rate_people,
    }


def clusters(settings: Edge) -> tuple[Cluster, ...]:
    """Upstreams by name. Raises ValueError for an address that is neither a Unix socket nor host:port."""
    found = []
    for name, address in settings.upstreams().items():
        pipe = address.removeprefix("unix:") if address.startswith("unix:") else ""
        host, port = ("", 0) if pipe else split_address(name, address)
        found.append(
            Cluster(
                name,
                pipe,
                host,
                port,
                http2=name not in ("web", "bus"),
                tls=not pipe and name != "bus" and settings.edge.upstream_certificate is not None,
                max_connections=settings.edge.max_bus_connections if name == "bus" else 1024,
            )
        )
    return tuple(found)


def secrets(settings: Edge) -> tuple[Secret, ...]:
    """Certificates by name: `edge` and `platforms` for the listeners; `upstream` and `services` between machines."""
    domain = f"spiffe://{settings.hub.trust_domain}"
    # Only platforms and operators come by client certificate, even where one authority signs for services too.
    found = [
        Secret("edge", settings.certificate, settings.key, ()),
        Secret("platforms", settings.platform_ca, None, (f"{domain}/platform/", f"{domain}/operator/")),
    ]
    edge = settings.edge
    if edge.upstream_certificate and edge.upstream_key and edge.upstream_ca:
        found.append(Secret("upstream", edge.upstream_certificate, edge.upstream_key, ()))
        found.append(Secret("services", edge.upstream_ca, None, (f"{domain}/service/",)))
    return tuple(found)


def split_address(key: str, address: str) -> tuple[str, int]:
    """Host and port. Raises ValueError naming the setting."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal():
        raise ValueError(f"[edge] {key}: {address!r} is neither host:port nor unix:/path")
    return host.strip("[]"), int(port)


def _rpc_route(rpc: Rpc, listener: Listener, edge: EdgeSettings) -> RpcRoute:
    limit = edge.max_request_bytes if listener is Listener.PLATFORMS else edge.max_form_bytes
    if rpc.path in _DOCUMENT_CALLS:
        limit = edge.max_document_bytes
    seconds = 0 if rpc.streaming else _CALL_SECONDS[rpc.rate]
    return RpcRoute(
        rpc.path,
        rpc.area,
        token="if_present" if rpc.open_to_all else "required",
        # Nobody in particular is counted by address, whatever he calls.
        rate=rpc.rate if listener is Listener.PLATFORMS else "people",
        seconds=seconds,
        bytes=0 if rpc.streaming else limit,
        json_bytes=_json_bytes(edge) if rpc.path in _DOCUMENT_CALLS else 0,
        lasts=seconds and seconds + edge.body_seconds,
    )


def _listener(settings: Edge, contract: Contract, listener: Listener) -> dict[str, object]:
    edge = settings.edge
    host, port = split_address(listener.value, edge.people if listener is Listener.PEOPLE else edge.platforms)
    return {
        "name": listener.value,
        "host": host,
        "port": port,
        "mutual": listener is Listener.PLATFORMS,
        "buffer_bytes": _BUFFER_BYTES[listener],
        "rpcs": rpc_routes(contract, listener, edge),
        "webs": web_routes(listener, edge),
        "services": contract.services_at(listener),
        "budget": budget(edge, listener),
        "fields": fields(contract, listener),
    }


def fields(contract: Contract, listener: Listener) -> str:
    """The script that refuses what the contract does not know in a listener's REST requests, by name."""
    found = fields_of(rpc.descriptor for rpc in contract.at(listener))
    return _fill("fields.lua.j2", {"fields": found}).decode()


def budget(edge: EdgeSettings, listener: Listener) -> str:
    """The script that admits requests to a listener. Raises ValueError when one sender had no room for a document."""
    key = f"{listener.value}_body_bytes"
    # Each worker counts for itself.
    room = (edge.people_body_bytes if listener is Listener.PEOPLE else edge.platforms_body_bytes) // edge.workers
    largest = _json_bytes(edge)
    least = 3 * (largest + REQUEST_BYTES)
    if room < least:
        raise ValueError(f"[edge] {key}: at least {least * edge.workers}, so that a sender has room for a document")
    return _fill(
        "budget.lua.j2",
        {
            "budget": room,
            "request": REQUEST_BYTES,
            "largest": largest,
            "life": edge.body_seconds + max(_CALL_SECONDS.values()),
            "mutual": listener is Listener.PLATFORMS,
        },
    ).decode()


def _json_bytes(edge: EdgeSettings) -> int:
    return int(edge.max_document_bytes * _JSON_GROWTH)


def _quoted(value: object) -> str:
    """A value as JSON, which YAML reads as it stands; so that no setting can break out of its place."""
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)


_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=False,  # noqa: S701 — YAML, not HTML: every value passes the filter `q`
)
_TEMPLATES.filters["q"] = _quoted
_TEMPLATES.filters["lua"] = lua


def _fill(template: str, values: dict[str, object]) -> bytes:
    return _TEMPLATES.get_template(template).render(values).encode()
