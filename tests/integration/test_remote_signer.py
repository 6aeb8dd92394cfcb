"""Seals of an existing system that signs remotely (CSC API v2): one signature a document, whatever breaks."""

import json
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.esign.certification import authorities as ca
from services.esign.certification import roots
from services.esign.certification.domain import pki
from services.esign.certification.domain.trust import Trust
from services.esign.config import EsignSettings
from services.esign.domain.verdict import Outcome, Status
from services.esign.keys import secrets as keys
from services.esign.keys.of_seals import keep
from services.esign.signing.domain import pades
from shuniu.kit.crypto import device_keys
from shuniu.kit.crypto.csc import RemoteSigner
from shuniu.kit.crypto.device import Algorithm, KeyAwayError, KeyRefusedError, Reference
from shuniu.kit.errors import Code, HubError
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import ConfigError, HubSettings, load
from tests.support.esign import ORGANISATION, page
from tests.support.outsiders import outsider
from tests.support.verdicts import judged

LOGIN = "hub:correct horse"


@dataclass
class Region:
    """An existing seal system, and what it signed."""

    url: str
    folder: Path
    login: Path

    @property
    def settings(self) -> EsignSettings:
        return EsignSettings(
            signer_url=self.url,
            signer_roots=self.folder / "ca" / "root.pem",
            signer_login_file=self.login,
            signer_credentials={"police": "seal1"},
            ses_sidecar=False,
        )

    @property
    def signed(self) -> list[str]:
        log = self.folder / "signatures.log"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    folder = tmp_path_factory.mktemp("region")
    login = folder / "login"
    login.write_text(LOGIN)
    login.chmod(0o600)
    data = folder / "data"
    with outsider("remote_signer", "--data", str(data), "--login", LOGIN, "--seal", f"seal1={ORGANISATION}") as url:
        yield Region(url, data, login)


@dataclass
class Broken(httpx.HTTPTransport):
    """A network that loses the next answers of one operation: the request arrived."""

    verify: object = True
    operation: str = ""
    times: int = 0
    seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        httpx.HTTPTransport.__init__(self, verify=self.verify)  # type: ignore[arg-type]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request.url.path.rpartition("/")[2])
        answer = super().handle_request(request)
        if self.times and request.url.path.endswith(self.operation):
            self.times -= 1
            answer.close()
            raise httpx.ReadTimeout("lost", request=request)
        return answer


@dataclass
class Connected:
    signer: RemoteSigner
    network: Broken


@pytest.fixture
def connected(region: Region) -> Iterator[Connected]:
    network = Broken(ssl.create_default_context(cafile=str(region.settings.signer_roots)))
    client = httpx.Client(base_url=region.url + "/", transport=network, trust_env=False)
    yield Connected(RemoteSigner(client, LOGIN), network)
    client.close()


async def test_a_document_bears_the_seal_of_the_existing_system(region: Region, tmp_path: Path):
    """By configuration: its certificate, its key, its chain; VALID signer under its root, UNKNOWN under ours."""
    for name in ("keys", "pki"):
        (tmp_path / name).mkdir()
    hub = HubSettings("150000", "hub", "hub.test", "https://hub.test", tmp_path, tmp_path)
    keys.make(hub, region.settings)
    secrets = keys.Secrets.load(hub, region.settings)
    own, _ = ca.open_authority(region.settings, secrets.seal_ca)
    certifier = ca.with_remote_seals(region.settings, secrets.signer, own)
    now_us = SystemClock().now_us()
    wish = ca.CertificateWish(ec.generate_private_key(ec.SECP256R1()), ORGANISATION, "01", now_us, owner="police")
    certified = await certifier.certify(wish)
    assert not certified.ours
    assert certified.elsewhere is not None
    other = await certifier.certify(replace(wish, owner="another"))
    assert other.ours
    certificate = pki.certificate_der(certified.certificate)
    wrapped = secrets.keyring.encrypt(keep(certified.elsewhere, certified.above), b"row")
    held = secrets.seal_key(wrapped, b"row", certificate)
    assert held.remote
    before = len(region.signed)
    seal = pades.SigningSeal.prepare(held.key, certificate, held.chain, ORGANISATION)
    pdf = pades.sign(page(), seal, now_us)
    assert len(region.signed) == before + 1
    theirs = roots.read("signer_roots", region.settings.signer_roots)
    for trusted, expected in ((theirs, Status.VALID), ((secrets.seal_ca.root,), Status.UNKNOWN)):
        verdict = judged(pdf, trust=Trust(trusted), now_us=now_us)
        steps = {step.step: step for step in verdict.steps}
        assert steps["chain"].status is expected
        assert steps["integrity"].status is Status.VALID
        assert verdict.outcome is not Outcome.INVALID
    secrets.close()


def test_the_same_hash_is_signed_once(region: Region, connected: Connected):
    """Asked by many at the same time, and again later: one signature, the same for all."""
    key = connected.signer.key(connected.signer.credential("seal1").reference)
    before = len(region.signed)
    connected.network.seen.clear()
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: key.sign(b"a document"), range(16)))
    assert len(made) == 1
    # The signer would know it again; it is not even asked.
    assert connected.network.seen.count("signHash") == 1
    assert len(region.signed) == before + 1
    device_keys.check(key.spki, made.pop(), b"a document")


def test_an_answer_that_is_lost_is_no_second_signature(region: Region, connected: Connected):
    """The signer signed and its answer was lost: typed UNAVAILABLE; the next attempt gets that signature."""
    key = connected.signer.key(connected.signer.credential("seal1").reference)
    before = len(region.signed)
    connected.network.operation, connected.network.times = "signHash", 1
    with pytest.raises(KeyAwayError) as away:
        key.sign(b"lost")
    assert (away.value.code, away.value.reason) == (Code.UNAVAILABLE, "HSM_AWAY")
    assert connected.network.seen.count("signHash") == 1
    signature = key.sign(b"lost")
    device_keys.check(key.spki, signature, b"lost")
    assert len(region.signed) == before + 1


def test_a_session_that_ended_is_begun_again(connected: Connected):
    """A token that the signer no longer knows: logged in again, once, and signed."""
    key = connected.signer.key(connected.signer.credential("seal1").reference)
    connected.signer._token = "forgotten"
    connected.network.seen.clear()
    assert key.sign(b"after")
    assert connected.network.seen.count("login") == 1


def test_a_signer_that_is_away_or_lies_signs_nothing(region: Region, connected: Connected):
    """Nobody listens, a wrong password, another key's signature, no such credential: typed, and nothing is used."""
    found = connected.signer.credential("seal1").reference
    nobody = RemoteSigner(httpx.Client(base_url="https://127.0.0.1:1/", trust_env=False), LOGIN)
    with pytest.raises(KeyAwayError, match="ConnectError"):
        nobody.key(found).sign(b"x")
    nobody.close()
    stranger = RemoteSigner(connected.signer._client, "hub:wrong")
    with pytest.raises(KeyAwayError, match="does not let us in"):
        stranger.key(found).sign(b"x")
    other = ec.generate_private_key(ec.SECP256R1())
    spki = other.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(KeyAwayError, match="not a signature of seal1"):
        connected.signer.key(Reference(found.text, spki)).sign(b"x")
    with pytest.raises(KeyRefusedError, match="400"):
        connected.signer.credential("seal2")
    with pytest.raises(KeyRefusedError):
        connected.signer.generate("esign-qr", Algorithm.P256)


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (403, Code.FAILED_PRECONDITION, "KEY_REFUSED"),
        (429, Code.UNAVAILABLE, "HSM_AWAY"),
        (502, Code.UNAVAILABLE, "HSM_AWAY"),
    ],
)
def test_a_signer_that_refuses_is_no_fault_of_the_hub(status: int, code: Code, reason: str):
    """Whoever asked for the signature hears which: refused for good, or to be asked again. Never INTERNAL."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200 if request.url.path.endswith("login") else status, json={"access_token": "t"})

    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    client = httpx.Client(base_url="https://signer.test/", transport=httpx.MockTransport(answer))
    with client, pytest.raises(HubError) as caught:
        RemoteSigner(client, LOGIN).key(Reference("csc:credential=seal1", spki)).sign(b"x")
    assert (caught.value.code, caught.value.reason) == (code, reason)


@pytest.mark.parametrize("fault", ["disabled", "no chain", "not JSON"])
def test_a_credential_that_is_unfit_is_refused(fault: str):
    """Disabled, without certificates, or no JSON at all: refused before anything is sealed with it."""
    content = {"key": {"status": "disabled", "algo": []}, "cert": {"certificates": []}}
    if fault == "no chain":
        content["key"] = {"status": "enabled", "algo": ["1.2.840.10045.4.3.2"]}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("login"):
            return httpx.Response(200, json={"access_token": "t"})
        return httpx.Response(200, text="<html>" if fault == "not JSON" else json.dumps(content))

    with httpx.Client(base_url="https://signer.test/", transport=httpx.MockTransport(answer)) as client:
        signer = RemoteSigner(client, LOGIN)
        with pytest.raises(KeyAwayError if fault == "not JSON" else KeyRefusedError):
            signer.credential("seal1")


async def test_a_credential_under_roots_that_nobody_configured_makes_no_seal(region: Region, tmp_path: Path):
    """The signer's certificate leads to no configured root: FAILED_PRECONDITION, said before anything is sealed."""
    now_us = SystemClock().now_us()
    own = pki.make_root("hub", now_us)
    signer = ca.open_signer(region.settings)
    assert signer is not None
    certifier = ca.RemoteSeals(
        signer, {"police": "seal1"}, (own.certificate,), ca.OwnAuthority(pki.make_seal_ca(own, "hub", now_us))
    )
    wish = ca.CertificateWish(ec.generate_private_key(ec.SECP256R1()), ORGANISATION, "01", now_us, owner="police")
    with pytest.raises(HubError) as refused:
        await certifier.certify(wish)
    assert refused.value.reason == "CA_ANSWER_UNFIT"
    signer.close()
    file = tmp_path / "hub.toml"
    file.write_text('[esign]\nsigner_credentials = { police = "seal1" }\n')
    assert load(EsignSettings, file, "esign").signer_credentials == {"police": "seal1"}
    with pytest.raises(ConfigError, match="https"):
        ca.open_signer(EsignSettings(signer_url="http://signer.test", signer_roots=tmp_path / "r"))
