"""The only place where a gRPC server is built."""

import asyncio
import errno
import functools
import importlib
import re
import socket
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from shuniu.kit import errors
from shuniu.kit.crypto import pem_files
from shuniu.kit.rpc import caller as callers
from shuniu.kit.rpc.caller import Caller
from shuniu.kit.rpc.interceptors import Guard
from shuniu.kit.rpc.options import KEEPALIVE, MAX_MESSAGE
from shuniu.kit.rpc.policy import policies
from shuniu.kit.rpc.sockets import peer_address
from shuniu.kit.rpc.stages import Authenticate, InFlight, Refuse, nobody_refused
from shuniu.kit.rpc.uploads import Carries

OPTIONS = (
    # On by default, it lets a second process bind the same port silently.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.http2.max_ping_strikes", 0),
    *KEEPALIVE,
)
# With its own measure of the network the library takes in 16 MiB of a call that nobody reads yet; without, 64 KiB.
_UPLOAD_OPTIONS = (("grpc.http2.bdp_probe", 0),)

_CALLS = 8192
"""Calls under way at one listener, on all its sockets together."""
_CALLS_OF_PLATFORM = 512
"""Calls under way of one platform, or of one network."""
_SERVICER = re.compile(r"\w+Servicer")
_GENERATED = re.compile(r"[\w.]+_pb2_grpc")


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificates of a process that listens on TCP: mutual TLS, reread when the files change."""

    certificate: Path
    key: Path
    client_ca: Path


@dataclass(frozen=True, slots=True)
class Servicer:
    """A servicer, how it is added to a server, and its descriptor."""

    add: Callable[[Any, Any], None]
    servicer: Any
    descriptor: ServiceDescriptor
    uploads: Mapping[str, Carries] = field(default_factory=dict)


def servicer(served: object, uploads: Mapping[str, Carries] = MappingProxyType({})) -> Servicer:
    """Makes the registration of `served`, by the generated base class of its one contract service. `uploads`: its
    methods whose requests carry a document. Raises TypeError.
    """
    bases = [
        base
        for base in type(served).__mro__
        if _SERVICER.fullmatch(base.__name__) and _GENERATED.fullmatch(base.__module__)
    ]
    if len(bases) != 1:
        found = ", ".join(base.__name__ for base in bases) or "none"
        raise TypeError(f"{type(served).__name__}: exactly one generated servicer base class is needed; found: {found}")
    generated, name = bases[0].__module__, bases[0].__name__
    add: Callable[[Any, Any], None] = getattr(sys.modules[generated], f"add_{name}_to_server")
    messages = importlib.import_module(generated.removesuffix("_grpc"))
    descriptor = messages.DESCRIPTOR.services_by_name[name.removesuffix("Servicer")]
    if unknown := uploads.keys() - descriptor.methods_by_name.keys():
        raise TypeError(f"{type(served).__name__}: no such methods: {', '.join(sorted(unknown))}")
    return Servicer(add, served, descriptor, uploads)


class Listener:
    """A listener of a process: `edge` (identity from Envoy's headers) or `peer` (other processes, on Unix sockets each
    by a server of its own). `most_of_one`: calls under way of one caller.
    """

    def __init__(self, address: str, most_of_one: int) -> None:
        self.address = address
        self.in_flight = InFlight(most_of_one, _CALLS // 2)
        self._served: list[tuple[Any, Guard]] = []

    def add(self, server: Any, guard: Guard) -> None:
        self._served.append((server, guard))

    async def start(self) -> None:
        for server, _ in self._served:
            await server.start()

    async def stop(self, grace: float) -> None:
        await asyncio.gather(*(server.stop(grace) for server, _ in self._served))

    def cut_refused(self) -> None:
        for _, guard in self._served:
            guard.cut_refused()


def edge_listener(
    address: str, servicers: Sequence[Servicer], trust_domain: str, refuse: Refuse, *, tls: Tls | None = None
) -> Listener:
    """The listener that only the edge reaches: by the socket's 0700 directory, over TCP by the edge's certificate."""

    def authenticate(metadata: Mapping[str, str], context: Any) -> Caller:
        if tls is not None and not callers.is_edge(_peer_uri(context), trust_domain):
            raise errors.unauthenticated("NOT_THE_EDGE", "Only the edge may call here.", "此地址仅供边缘网关访问。")
        return callers.edge_caller(metadata, trust_domain)

    found = Listener(address, _CALLS_OF_PLATFORM)
    found.add(*_served(address, servicers, authenticate, refuse, tls, in_flight=found.in_flight, calls=_CALLS))
    return found


def peer_listener(
    address: str, servicers: Sequence[Servicer], trust_domain: str, *, tls: Tls | None = None
) -> Listener:
    """The listener for other processes of this hub: on Unix a socket for each that the contract names as a caller."""
    if not address.startswith("unix:"):

        def certified(_metadata: Mapping[str, str], context: Any) -> Caller:
            return callers.peer_caller(callers.process_of(_peer_uri(context), trust_domain))

        found = Listener(address, _CALLS // 2)
        served = _served(address, servicers, certified, nobody_refused, tls, in_flight=found.in_flight, calls=_CALLS)
        found.add(*served)
        return found
    contract = policies(servicer.descriptor for servicer in servicers).values()
    names = sorted(frozenset().union(*(policy.services for policy in contract)))
    calls = _CALLS // max(1, len(names))
    # The guard refuses at 7/8 of the library's limit, so the caller gets our error and not gRPC's.
    found = Listener(address, calls - calls // 8)
    for name in names:
        socket_path = peer_address(address, name)
        Path(socket_path.removeprefix("unix:")).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = functools.partial(_known, callers.peer_caller(name))
        served = _served(socket_path, servicers, known, nobody_refused, None, in_flight=found.in_flight, calls=calls)
        found.add(*served)
    return found


def _known(caller: Caller, _metadata: Mapping[str, str], _context: Any) -> Caller:
    return caller


def _peer_uri(context: Any) -> str:
    names: Iterable[bytes] = context.auth_context().get("x509_subject_alternative_name", [])
    return next((name.decode() for name in names if name.startswith(b"spiffe://")), "")


def _served(
    address: str,
    servicers: Sequence[Servicer],
    authenticate: Authenticate,
    refuse: Refuse,
    tls: Tls | None,
    *,
    in_flight: InFlight,
    calls: int,
) -> tuple[Any, Guard]:
    uploads = {
        f"/{served.descriptor.full_name}/{method}": carries
        for served in servicers
        for method, carries in served.uploads.items()
    }
    guard = Guard(
        policies(servicer.descriptor for servicer in servicers),
        authenticate,
        refuse,
        in_flight=in_flight,
        default_deadline=30.0,
        uploads=uploads,
    )
    options = (*OPTIONS, *(_UPLOAD_OPTIONS if uploads else ()))
    server = grpc.aio.server(interceptors=[guard], options=options, maximum_concurrent_rpcs=calls)
    registry = _ByName(server)
    for servicer in servicers:
        servicer.add(servicer.servicer, registry)
    if address.startswith("unix:"):
        _clear(Path(address.removeprefix("unix:")))
        server.add_insecure_port(address)
    elif tls is None:
        raise ValueError(f"{address}: a TCP listener needs TLS")
    else:
        server.add_secure_port(address, _credentials(tls))
    return server, guard


class _ByName:
    """Adds handlers to be found by name at each call, and leaves out gRPC's registration of each method: with it the
    server waits for the next call of every method apart, so that every call costs time for all methods there are.
    """

    def __init__(self, server: Any) -> None:
        self.add_generic_rpc_handlers = server.add_generic_rpc_handlers

    def add_registered_method_handlers(self, service: str, handlers: Any) -> None:
        """Does nothing."""


def _clear(path: Path) -> None:
    """Removes a socket that a killed process left. Raises OSError EADDRINUSE when somebody answers on it."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise OSError(errno.EADDRINUSE, "the socket is in use", str(path))


def _credentials(tls: Tls) -> grpc.ServerCredentials:
    def stamp() -> tuple[int, ...]:
        # One that is not there is told by who reads it.
        files = (tls.certificate, tls.key, tls.client_ca)
        return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in files)

    @functools.lru_cache(maxsize=1)
    def configuration(_stamp: tuple[int, ...]) -> Any:
        return grpc.ssl_server_certificate_configuration(
            [(pem_files.key_pem(tls.key, "tls_key"), pem_files.certificates_pem(tls.certificate, "tls_certificate"))],
            root_certificates=pem_files.certificates_pem(tls.client_ca, "tls_roots"),
        )

    return grpc.dynamic_ssl_server_credentials(
        configuration(stamp()), lambda: configuration(stamp()), require_client_authentication=True
    )
