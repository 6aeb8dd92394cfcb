"""The web process on its socket: a second one takes nothing away from the first."""

import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from gateway.envoy.testing import TRUST_DOMAIN, Authority
from gateway.web.listener import WebListener
from shuniu.kit.rpc.client import ClientTls


@pytest.fixture
def address() -> Iterator[str]:
    # A short name: an address of a socket has room for no more.
    with tempfile.TemporaryDirectory() as folder:
        yield f"unix:{folder}/web.sock"


async def hello(scope, _receive, send) -> None:
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def answer(address: str) -> str:
    transport = httpx.AsyncHTTPTransport(uds=address.removeprefix("unix:"))
    async with httpx.AsyncClient(transport=transport, base_url="http://web") as asking:
        return (await asking.get("/")).text


async def test_a_second_process_does_not_take_the_socket_of_the_first(address) -> None:
    """It is refused and its end removes nothing; when the first has stopped, the next one serves."""
    first, second = WebListener(hello, address), WebListener(hello, address)
    await first.start()
    with pytest.raises(OSError, match="另一个进程正在使用"):
        await second.start()
    await second.stop(0)
    assert await answer(address) == "hello"
    await first.stop(0)
    assert not Path(address.removeprefix("unix:")).exists()
    await second.start()
    assert await answer(address) == "hello"
    await second.stop(0)


async def test_what_a_killed_process_left_does_not_keep_the_next_from_serving(address) -> None:
    """A socket's name and a lock's file may lie there: neither says that somebody serves."""
    path = address.removeprefix("unix:")
    for left in (path, f"{path}.lock"):
        Path(left).touch()
    listener = WebListener(hello, address)
    await listener.start()
    assert await answer(address) == "hello"
    await listener.stop(0)


@pytest.mark.parametrize(
    ("name", "heard"),
    [("service/edge", True), ("service/exchange", False), ("platform/edge", False)],
)
async def test_over_tcp_only_the_edge_is_heard(tmp_path: Path, name: str, heard: bool) -> None:
    """Whoever else has a certificate of the hub could write the headers that name a caller: its connection ends."""
    authority = Authority("hub")
    (tmp_path / "ca.pem").write_bytes(authority.certificate)

    def files(uri: str) -> tuple[Path, Path]:
        issued = authority.issue(
            x509.UniformResourceIdentifier(f"spiffe://{TRUST_DOMAIN}/{uri}"), x509.DNSName("localhost")
        )
        paths = tmp_path / "cert.pem", tmp_path / "key.pem"
        for path, content in zip(paths, (issued.certificate, issued.key), strict=True):
            path.write_bytes(content)
        return paths

    tls = ClientTls(*files("service/web"), tmp_path / "ca.pem")
    listener = WebListener(hello, "127.0.0.1:0", tls, trust_domain=TRUST_DOMAIN)
    await listener.start()
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    context.load_cert_chain(*files(name))
    url = f"https://localhost:{listener.address.rpartition(':')[2]}/"
    async with httpx.AsyncClient(verify=context, trust_env=False) as asking:
        if heard:
            assert (await asking.get(url)).text == "hello"
        else:
            with pytest.raises(httpx.TransportError):
                await asking.get(url)
    await listener.stop(0)
