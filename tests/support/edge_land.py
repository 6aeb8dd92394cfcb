"""A real Envoy before stand-ins of the services, and how the outside calls it."""

import json
import shutil
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import websockets
from google.rpc import error_details_pb2, status_pb2

from gateway.envoy import control
from gateway.envoy.testing import EdgeWorld, Identity
from shuniu.api.catalogue.v1 import item_pb2, item_pb2_grpc
from shuniu.api.esign.v1 import esign_pb2, esign_pb2_grpc, licence_pb2, licence_pb2_grpc
from shuniu.api.exchange.v1 import query_pb2, query_pb2_grpc
from shuniu.api.identity.v1 import person_pb2, person_pb2_grpc, signin_pb2, signin_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.rpc.wire import DETAILS_HEADER, status_of
from shuniu.rules import Violation


def seen(context: Any) -> str:
    return json.dumps({key: value for key, value in context.invocation_metadata() if isinstance(value, str)})


class Items(item_pb2_grpc.ItemServiceServicer):
    """Tells which headers reached it, as the item's id."""

    async def GetItem(self, request, context):
        if request.name == "unknown":
            error = errors.not_found("ITEM_UNKNOWN", "No such item.", "没有该事项。", name=request.name)
            details = status_of(error, "r1").SerializeToString()
            await context.abort(grpc.StatusCode.NOT_FOUND, error.en, trailing_metadata=((DETAILS_HEADER, details),))
        if request.name.startswith("wrong "):
            wrong = [Violation(name, "WRONG", "Wrong.", "有误。") for name in request.name.split()[1:]]
            details = status_of(errors.invalid(wrong), "r1").SerializeToString()
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "", trailing_metadata=((DETAILS_HEADER, details),))
        return item_pb2.GetItemResponse(item=item_pb2.Item(id=seen(context), title=request.name))

    async def ListItems(self, request, context):
        return item_pb2.ListItemsResponse(next_page_token=str(request.page_size))


class ItemEdits(item_pb2_grpc.ItemEditServiceServicer):
    async def CreateItem(self, request, context):
        return item_pb2.CreateItemResponse(item=item_pb2.Item(id=seen(context), title=request.item.title))


class Documents(esign_pb2_grpc.VerificationServiceServicer):
    async def VerifyDocument(self, request, context):
        return esign_pb2.VerifyDocumentResponse(verdict=esign_pb2.Verdict(verdict=str(len(request.pdf))))


class Licences(licence_pb2_grpc.LicenceCredentialServiceServicer):
    async def GetStatusList(self, request, context):
        await context.send_initial_metadata((("cache-control", "public, no-cache"), ("etag", '"1"')))
        response = licence_pb2.GetStatusListResponse()
        response.token.content_type, response.token.data = "application/statuslist+jwt", b"a.b." + request.list.encode()
        return response


class Providers(query_pb2_grpc.ProviderServiceServicer):
    async def Serve(self, requests, context):
        async for request in requests:
            yield query_pb2.ServeResponse(call_id=request.hello.resources[0])


class SignIns(signin_pb2_grpc.SignInServiceServicer):
    """Internal: if the edge let a call through, this would answer it."""

    async def GetSession(self, request, context):
        return signin_pb2.GetSessionResponse()


class Persons(person_pb2_grpc.PersonServiceServicer):
    async def ResolveSubject(self, request, context):
        return person_pb2.ResolveSubjectResponse()


@dataclass
class Running:
    """One edge, and how to call it."""

    world: EdgeWorld
    edge: control.RunningEdge
    bus_port: int
    _channels: list[grpc.aio.Channel]

    def channel(self, identity: Identity | None, listener: str = "platforms") -> grpc.aio.Channel:
        credentials = grpc.ssl_channel_credentials(
            self.world.server_authority.certificate,
            identity.key if identity else None,
            identity.certificate if identity else None,
        )
        # A pool of its own: a refused connection of one test must not be another's.
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", 64 << 20)]
        channel = grpc.aio.secure_channel(f"127.0.0.1:{self.edge.port(listener)}", credentials, options=options)
        self._channels.append(channel)
        return channel

    def http(self, identity: Identity | None, listener: str = "platforms") -> httpx.AsyncClient:
        return httpx.AsyncClient(
            verify=self.tls(identity), base_url=f"https://127.0.0.1:{self.edge.port(listener)}", trust_env=False
        )

    def tls(self, identity: Identity | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.world.server_authority.certificate.decode())
        if identity is not None:
            with tempfile.NamedTemporaryFile() as pem:
                pem.write(identity.certificate + identity.key)
                pem.flush()
                context.load_cert_chain(pem.name)
        return context


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


@asynccontextmanager
async def edge_land() -> AsyncIterator[Running]:
    root = Path(tempfile.mkdtemp(prefix="sn", dir="/tmp"))
    world = EdgeWorld(root)
    servers = []
    for area, adders in {
        "catalogue": [
            (item_pb2_grpc.add_ItemServiceServicer_to_server, Items()),
            (item_pb2_grpc.add_ItemEditServiceServicer_to_server, ItemEdits()),
        ],
        "esign": [
            (esign_pb2_grpc.add_VerificationServiceServicer_to_server, Documents()),
            (licence_pb2_grpc.add_LicenceCredentialServiceServicer_to_server, Licences()),
        ],
        "exchange": [(query_pb2_grpc.add_ProviderServiceServicer_to_server, Providers())],
        "identity": [
            (signin_pb2_grpc.add_SignInServiceServicer_to_server, SignIns()),
            (person_pb2_grpc.add_PersonServiceServicer_to_server, Persons()),
        ],
    }.items():
        server = grpc.aio.server(options=[("grpc.max_receive_message_length", 64 << 20)])
        for add, servicer in adders:
            add(servicer, server)
        server.add_insecure_port(f"unix:{world.run}/{area}.edge.sock")
        await server.start()
        servers.append(server)

    async def echo(connection):
        async for message in connection:
            await connection.send(f"{connection.request.path} {message}")

    channels: list[grpc.aio.Channel] = []
    async with websockets.serve(echo, "127.0.0.1", 0) as bus, world.web():
        port = bus.sockets[0].getsockname()[1]
        settings = world.settings(bus=f"127.0.0.1:{port}", rate_stream=2)
        async with control.running(settings) as edge:
            yield Running(world, edge, port, channels)
        for channel in channels:
            await channel.close()
    for server in servers:
        await server.stop(None)
    shutil.rmtree(root)


async def create(channel: grpc.aio.Channel, *metadata: tuple[str, str]) -> dict[str, str]:
    """A call that only platforms may make; returns the headers that reached the service."""
    answer = await item_pb2_grpc.ItemEditServiceStub(channel).CreateItem(
        item_pb2.CreateItemRequest(), metadata=metadata, timeout=10
    )
    return json.loads(answer.item.id)


async def refused(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    return failure.value


def reason(failure: grpc.aio.AioRpcError) -> str:
    """The ErrorInfo reason of a refusal, which must carry the same code as the refusal itself."""
    metadata = dict((*(failure.initial_metadata() or ()), *(failure.trailing_metadata() or ())))
    status = status_pb2.Status.FromString(metadata[DETAILS_HEADER])
    assert failure.code().value[0] == status.code
    info = error_details_pb2.ErrorInfo()
    status.details[0].Unpack(info)
    return info.reason
