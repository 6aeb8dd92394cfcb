"""Foundation of every service, opened in one place: settings, clock, store, registry, and the one way to mutate.

`app.py` of a service opens a Foundation, builds its domain and servicers on it and returns a Process.
"""

import contextlib
import hashlib
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar, TypeVarTuple

import grpc
from google.protobuf.message import Message
from sqlalchemy import Connection, MetaData

from shuniu.kit import errors
from shuniu.kit.crypto import profile
from shuniu.kit.errors import HubError
from shuniu.kit.events import outbox
from shuniu.kit.events import recipients as audiences
from shuniu.kit.events.outbox import Event
from shuniu.kit.feeds.registry import Registry
from shuniu.kit.process.clock import Clock, SystemClock
from shuniu.kit.process.config import HubSettings
from shuniu.kit.process.ids import new_ulid
from shuniu.kit.process.run import StartRefusedError
from shuniu.kit.rpc import client, requests
from shuniu.kit.rpc.caller import current_call
from shuniu.kit.rpc.requests import RequestKey
from shuniu.kit.rpc.server import Listener, Servicer, edge_listener, peer_listener
from shuniu.kit.rpc.zones import UNLABELLED
from shuniu.kit.service_settings import ServiceSettings, database_url, socket_address
from shuniu.kit.store import SchemaError, Store, StoreLockedError, audit
from shuniu.kit.store.audit import AuditRecord
from shuniu.kit.store.failures import STORE_REFUSED
from shuniu.kit.store.migrations import check_schema
from shuniu.rules import Violation

Response = TypeVar("Response", bound=Message)
T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


@dataclass(slots=True, kw_only=True)
class BareFoundation:
    """An opened service that follows no registry and publishes no events: the vault. `writer` names this instance in
    audit chains and leases.
    """

    service: str
    hub: HubSettings
    settings: ServiceSettings
    clock: Clock
    store: Store
    writer: str

    @property
    def tasks(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """Background work of the foundation itself."""
        return ()

    async def write(self, work: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        """A unit of work outside of a call's idempotency, e.g. a timer's; see `mutate`."""
        return await self.store.write(work, *args)

    def channel(self, peer: str) -> grpc.aio.Channel:
        """A channel to another service; make one at start and keep it."""
        address = str(getattr(self.settings, f"{peer}_address")) or socket_address(self.hub, peer, "peer")
        tls = None if address.startswith("unix:") else self.settings.client_tls()
        return client.channel(address, service=self.service, tls=tls)

    def listeners(self, edge: Sequence[Servicer], peer: Sequence[Servicer]) -> list[Listener]:
        """The peer listener, for other processes of the hub. Raises ValueError for servicers of the edge: who may call
        there is the registry's word.
        """
        if edge:
            raise ValueError(f"{self.service}: follows no registry, so nothing of it stands at the edge")
        return [self._peer_listener(peer)]

    def _peer_listener(self, servicers: Sequence[Servicer]) -> Listener:
        address = self.settings.peer_address or socket_address(self.hub, self.service, "peer")
        return peer_listener(address, servicers, self.hub.trust_domain, tls=self.settings.tls())

    def audit(self, conn: Connection, action: str, target: str, **details: str) -> None:
        """Adds a record to this writer's chain, naming the current caller. Never personal data."""
        self.audit_all(conn, [self.audit_record(action, target, **details)])

    def audit_all(self, conn: Connection, records: Sequence[AuditRecord]) -> None:
        """Adds records to this writer's chain."""
        if records:
            audit.append_all(conn, records, algorithm=profile.of(self.hub.profile).audit_hash)

    def audit_record(self, action: str, target: str, **details: str) -> AuditRecord:
        """Makes the record that `audit` writes of the current call."""
        call = current_call()
        return AuditRecord(
            actor=call.caller.platform or call.caller.person or "anonymous",
            actor_kind=call.caller.kind.name.lower(),
            action=action,
            object=target,
            request_id=call.request_id,
            details=details,
        )

    async def mutate(
        self,
        request: Message,
        response_type: type[Response],
        work: Callable[[Connection], Response],
        *,
        target: str = "",
    ) -> Response:
        """Runs a unit of work once per (caller, RPC, request_id): effect, events, audit record and answer together.

        Raises what `work` raises, INVALID_ARGUMENT REQUEST_ID_REQUIRED, ABORTED REQUEST_ID_REUSED.
        """
        asked = asked_of(request)

        def unit(conn: Connection) -> bytes:
            def first_time(inner: Connection) -> bytes:
                response = work(inner)
                if current_call().audit:
                    self.audit(inner, asked.rpc.rsplit("/", 1)[-1], target)
                return response.SerializeToString()

            return requests.once(conn, asked.caller_key, asked.rpc, asked.request_id, asked.digest, first_time)

        return response_type.FromString(await self.write(unit))


@dataclass(slots=True, kw_only=True)
class Foundation(BareFoundation):
    """An opened service that follows the registry and publishes events."""

    registry: Registry

    @property
    def tasks(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """Follows the registry."""
        return (self.registry.replica.follow,)

    def listeners(self, edge: Sequence[Servicer], peer: Sequence[Servicer]) -> list[Listener]:
        """The edge and peer listeners. `peer` servicers are also for other processes; `edge` ones are on both."""
        found: list[Listener] = []
        if edge:
            address = self.settings.edge_address or socket_address(self.hub, self.service, "edge")
            listener = edge_listener(
                address, edge, self.hub.trust_domain, self.registry.refuse, tls=self.settings.tls()
            )
            self.registry.on_change(listener.cut_refused)
            found.append(listener)
        return [*found, self._peer_listener([*edge, *peer])]

    def may_receive(self, code: str, secrecy: str = UNLABELLED) -> bool:
        """Tells whether a platform's zone and clearance let it receive what is labelled so."""
        return not audiences.refusal(self.registry, self.hub, code, secrecy)

    def publish(
        self,
        conn: Connection,
        topic: str,
        aggregate: str,
        payload: Message,
        *,
        division: str = "",
        secrecy: str = UNLABELLED,
    ) -> Event:
        """Writes an event into the unit of work: to the hub's own stream, and to whom the contract lets hear it."""
        event, recipients = self.event(topic, aggregate, payload, division=division, secrecy=secrecy)
        return outbox.emit(conn, event, to=recipients)

    def event(
        self, topic: str, aggregate: str, payload: Message, *, division: str = "", secrecy: str = UNLABELLED
    ) -> tuple[Event, list[str]]:
        """An event of the current call and the organisations that get it, for `outbox.emit_all`.

        Raises LookupError when the payload's message does not declare the topic.
        """
        event = new_event(
            self.hub, self.service, self.clock, topic, aggregate, payload, division=division, secrecy=secrecy
        )
        return event, audiences.recipients(self.registry, self.hub, topic, payload, division, secrecy)


def new_event(
    hub: HubSettings,
    service: str,
    clock: Clock,
    topic: str,
    aggregate: str,
    payload: Message,
    *,
    division: str = "",
    secrecy: str = UNLABELLED,
) -> Event:
    """An event of the current call, or of a command that works on the store of a service that is down."""
    return Event(
        id=new_ulid(clock),
        type=f"shuniu.{topic}.v1",
        source=f"//{hub.trust_domain}/{service}",
        aggregate=aggregate,
        time_us=clock.now_us(),
        data=payload.SerializeToString(deterministic=True),
        topic=topic,
        division=division,
        traceparent=current_call().traceparent,
        zone=hub.zone,
        secrecy=secrecy,
    )


def require_request_id(request: Message) -> str:
    """The request's id (AIP-155), 8 to 64 of A-Z a-z 0-9 _ -. Raises INVALID_ARGUMENT."""
    request_id = str(getattr(request, "request_id", ""))
    if not _REQUEST_ID.fullmatch(request_id):
        raise errors.invalid(
            [
                Violation(
                    "request_id",
                    "REQUEST_ID_REQUIRED",
                    "Give 8 to 64 letters, digits, '-' or '_', new for each new request and the same for a retry.",
                    "请提供 8 至 64 位字母、数字、'-' 或 '_'；新请求用新编号，重试用原编号。",
                )
            ]
        )
    return request_id


def asked_of(request: Message) -> RequestKey:
    """The key under which the current call's answer is stored. Raises INVALID_ARGUMENT REQUEST_ID_REQUIRED."""
    call = current_call()
    return RequestKey(call.caller.key, call.method, require_request_id(request), content_digest(request))


def content_digest(request: Message) -> bytes:
    """SHA-256 of a request without its request_id: what tells a retry from a reuse."""
    content = type(request)()
    content.CopyFrom(request)
    content.ClearField("request_id")
    return hashlib.sha256(content.SerializeToString(deterministic=True)).digest()


@contextlib.asynccontextmanager
async def open_foundation(
    service: str,
    hub: HubSettings,
    settings: ServiceSettings,
    metadata: MetaData,
    *,
    package: str,
    clock: Clock | None = None,
) -> AsyncIterator[Foundation]:
    """Opens a service's store and registry copy. Raises as `open_bare`."""
    async with open_bare(service, hub, settings, metadata, package=package, clock=clock) as bare:
        channel = bare.channel("identity")
        try:
            registry = Registry(channel, bare.store, bare.clock)
            await registry.replica.load()
            yield Foundation(
                service=service,
                hub=hub,
                settings=settings,
                clock=bare.clock,
                store=bare.store,
                writer=bare.writer,
                registry=registry,
            )
        finally:
            await channel.close()


@contextlib.asynccontextmanager
async def open_bare(
    service: str,
    hub: HubSettings,
    settings: ServiceSettings,
    metadata: MetaData,
    *,
    package: str,
    clock: Clock | None = None,
) -> AsyncIterator[BareFoundation]:
    """Opens a service's store. Raises StartRefusedError for a schema that does not fit and a login that the database
    refuses, ConfigError for a cryptographic profile that is unknown or that this machine has not the algorithms for.
    """
    profile.require(hub.profile)
    clock = clock or SystemClock()
    url = database_url(hub, settings, service)
    # A SQLite file has one writer. Replicas on PostgreSQL may be alike in everything, so each start draws a name: else
    # two would hold each other's leases and write one audit chain.
    writer = service if url.startswith("sqlite") else f"{service}-{secrets.token_hex(5)}"
    try:
        store = await Store.open(url, metadata, clock=clock, writer=writer)
    except (SchemaError, StoreLockedError) as error:
        raise StartRefusedError(f"{service}: {error}") from None
    except HubError as error:
        if error.reason != STORE_REFUSED:
            raise
        raise StartRefusedError(f"{service}: {error.zh} / {error.en}") from None
    try:
        try:
            await check_schema(store, package)
        except SchemaError as error:
            raise StartRefusedError(f"{service}: {error}") from None
        yield BareFoundation(service=service, hub=hub, settings=settings, clock=clock, store=store, writer=writer)
    finally:
        await store.close()
