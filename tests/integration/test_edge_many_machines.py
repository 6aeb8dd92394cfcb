"""The edge with its services on other machines: TCP with mutual TLS between them."""

import shutil
import socket
import tempfile
from pathlib import Path

import grpc
import pytest
from cryptography import x509

from gateway.envoy import control
from gateway.envoy.testing import TRUST_DOMAIN, Authority, EdgeWorld, Identity
from shuniu.api.catalogue.v1 import item_pb2, item_pb2_grpc
from shuniu.kit.rpc import server


class Items(item_pb2_grpc.ItemServiceServicer):
    async def GetItem(self, request, context):
        return item_pb2.GetItemResponse(item=item_pb2.Item(title=request.name))


def service(authority: Authority, name: str) -> Identity:
    uri = x509.UniformResourceIdentifier(f"spiffe://{TRUST_DOMAIN}/{name}")
    return authority.issue(x509.DNSName("localhost"), uri)


def files(directory: Path, name: str, identity: Identity) -> tuple[Path, Path]:
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
    certificate.write_bytes(identity.certificate)
    key.write_bytes(identity.key)
    return certificate, key


@pytest.mark.parametrize(
    ("name", "code"),
    [("service/catalogue", grpc.StatusCode.OK), ("platform/catalogue", grpc.StatusCode.UNAVAILABLE)],
)
async def test_edge_and_service_prove_themselves(name, code):
    """A service with a certificate of the services' authority is reached; one that is no service is not believed."""
    root = Path(tempfile.mkdtemp(prefix="sn", dir="/tmp"))
    world = EdgeWorld(root)
    authority = Authority("services CA")
    roots = root / "services-ca.pem"
    roots.write_bytes(authority.certificate)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tls = server.Tls(*files(root, "catalogue", service(authority, name)), client_ca=roots)
    items = server.Servicer(
        item_pb2_grpc.add_ItemServiceServicer_to_server,
        Items(),
        item_pb2.DESCRIPTOR.services_by_name["ItemService"],
    )
    listener = server.edge_listener(f"127.0.0.1:{port}", [items], TRUST_DOMAIN, lambda _caller: None, tls=tls)
    await listener.start()
    certificate, key = files(root, "edge", service(authority, "service/edge"))
    settings = world.settings(
        catalogue=f"localhost:{port}", upstream_certificate=certificate, upstream_key=key, upstream_ca=roots
    )
    credentials = grpc.ssl_channel_credentials(world.server_authority.certificate)
    async with (
        world.web(),
        control.running(settings) as edge,
        grpc.aio.secure_channel(f"127.0.0.1:{edge.port('people')}", credentials) as channel,
    ):
        call = item_pb2_grpc.ItemServiceStub(channel).GetItem(item_pb2.GetItemRequest(name="a"), timeout=10)
        assert await call.code() is code
    await listener.stop(0.0)
    shutil.rmtree(root)
