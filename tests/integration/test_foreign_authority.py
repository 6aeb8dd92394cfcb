"""A document sealed with another authority's certificate and an outside timestamp: by configuration alone."""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from services.esign import commands, store
from services.esign.certification import authorities as ca
from services.esign.certification.domain import pki
from services.esign.config import EsignSettings, KeyFiles
from services.esign.domain.verdict import Outcome
from services.esign.keys import secrets as keys
from services.esign.seals.domain.life import Seal, SealState
from services.esign.seals.store import seals as seal_rows
from services.esign.signing.proof import Proof
from services.esign.wiring.documents import open_documents
from services.esign.wiring.ledger import open_ledger
from services.esign.wiring.seals import open_seals
from services.esign.wiring.timestamps import open_timestamps
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.api.exchange.v1 import case_pb2
from shuniu.kit.errors import HubError
from shuniu.kit.process.batching import Crowd
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import ConfigError, HubSettings
from shuniu.kit.rpc.caller import Caller, CallerKind, CurrentCall, set_current
from shuniu.kit.store import Store
from shuniu.kit.store.migrations import migrate
from shuniu.kit.testing.foundation import foundation_of
from tests.support.esign import ORGANISATION, certificate_data
from tests.support.of_case import of_case
from tests.support.opened import opened_with
from tests.support.outsiders import outsider

CASE = "NMG202606010001"
LOGIN = "hub:correct horse"

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is absent: make test-deps")


@dataclass
class Outside:
    """A certification authority and a timestamp authority of others."""

    ca_url: str
    ca_roots: Path
    tsa_url: str
    tsa_roots: Path
    login: Path

    @property
    def settings(self) -> EsignSettings:
        return EsignSettings(
            ca_url=self.ca_url,
            ca_roots=self.ca_roots,
            ca_login_file=self.login,
            timestamp_url=self.tsa_url,
            timestamp_roots=self.tsa_roots,
            ses_sidecar=False,
        )


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    folder = tmp_path_factory.mktemp("outside")
    login = folder / "login"
    login.write_text(LOGIN)
    login.chmod(0o600)
    with contextlib.ExitStack() as stack:
        authority = stack.enter_context(outsider("foreign_ca", "--data", f"{folder}/ca", "--login", LOGIN))
        stamps = stack.enter_context(outsider("foreign_tsa", "--data", f"{folder}/tsa"))
        yield Outside(authority, folder / "ca" / "root.pem", stamps, folder / "tsa" / "root.pem", login)


class Neighbours:
    async def parties(self, case_code: str) -> Any:
        return case_pb2.GetCasePartiesResponse(
            handler_platform="police",
            source_platform="mengsuban",
            person_id="p" * 22,
            division="150100",
            state=case_pb2.CASE_STATE_GRANTED,
            result_template=certificate_data().template,
        )

    def __init__(self) -> None:
        self.crowd = Crowd()

    async def person(self, *_: Any) -> dict[str, str]:
        return {"full_name": "巴特尔", "document_type": "111", "document_number": "150102199001010000"}


@dataclass
class Sealed:
    """A document as it was issued, its receipt beside it, and the hub that issued it."""

    pdf: Path
    files: KeyFiles
    trust: dict[str, str]
    seal: x509.Certificate


@pytest_asyncio.fixture
async def sealed(outside: Outside) -> AsyncIterator[Sealed]:
    """The hub's own way from application to document, with nothing but settings changed."""
    with tempfile.TemporaryDirectory(prefix="sn", dir="/tmp") as folder, ThreadPoolExecutor(1) as executor:
        data, clock = Path(folder), SystemClock()
        for name in ("keys", "pki", "db", "trust"):
            (data / name).mkdir()
        hub = HubSettings("150000", "内蒙古枢纽", "hub.test", "https://hub.test", data, data)
        keys.make(hub, outside.settings)
        secrets = keys.Secrets.load(hub, outside.settings)
        url = f"sqlite:///{data}/db/esign.db"
        await migrate(url, "services.esign", clock)
        kept = await Store.open(url, store.METADATA, clock=clock)
        base = foundation_of("esign", hub, outside.settings, clock, kept)
        ledger = await open_ledger(base, outside.settings, secrets)
        opened = opened_with(base, secrets, ledger.log, Neighbours(), executor)
        timestamps = open_timestamps(opened)
        sealing = open_seals(opened, timestamps.guard)
        now_us = clock.now_us()
        applied = Seal("01JZ00000000000000000000SE", "police", ORGANISATION, SealState.ACTIVE, 0, 0)
        made = await sealing.seals.maker.make(applied, now_us)
        row = made.row
        await kept.write(lambda conn: seal_rows.put_seal(conn, row.seal, now_us))
        await kept.write(lambda conn: (seal_rows.made(conn, row), made.keep(conn, now_us)))
        assert await kept.read(seal_rows.revoked_certificates) == []
        set_current(
            CurrentCall("/esign/IssueCertificate", "r", "", audit=True, caller=Caller(CallerKind.PLATFORM, "police"))
        )
        documents = open_documents(opened, sealing, Proof(stamps=timestamps.stamps, long_term=None))
        facts = {name: certificate_data().facts[name] for name in ("from", "to")}
        await documents.certificates.IssueCertificate(
            pb.IssueCertificateRequest(request_id="request-0001", case_code=CASE, facts=facts), None
        )
        for part in (sealing, timestamps):
            assert part.close is not None
            await part.close()
        issued = await kept.read(of_case, CASE)
        assert issued is not None
        pdf = data / "document.pdf"
        pdf.write_bytes(issued.pdf)
        pdf.with_name("document.pdf.tlog-proof").write_text(issued.receipt)
        await ledger.log.close()
        await kept.close()
        vkeys = "".join(f"{key.vkey}\n" for key in secrets.ledger_keys)
        trust = {
            "ledger.vkey": vkeys,
            "esign-ca.pem": secrets.ca_roots.decode(),
            "tsa-outside.pem": outside.tsa_roots.read_text(),
        }
        yield Sealed(pdf, KeyFiles(data), trust, x509.load_der_x509_certificate(row.certificate))


def verdict(sealed: Sealed, **trust: str) -> Any:
    folder = sealed.pdf.with_name("trust")
    for old in folder.iterdir():
        old.unlink()
    for name, content in trust.items():
        (folder / name.replace("_", "-").replace("-pem", ".pem").replace("-vkey", ".vkey")).write_text(content)
    return commands.verify_file(sealed.pdf, folder)


async def test_a_document_of_another_authority_verifies_by_configuration_alone(sealed: Sealed):
    """With the foreign roots VALID and stamped; without the seal's, without the stamp's, with only ours: never."""
    everything = {name.replace(".", "_").replace("-", "_"): text for name, text in sealed.trust.items()}
    good = verdict(sealed, **everything)
    assert good.outcome is Outcome.VALID, good
    assert "TIME_STAMPED" in {step.reason for step in good.steps}
    assert sealed.seal.issuer.rfc4514_string().find("Example organisations CA") >= 0
    for missing in ("esign_ca_pem", "tsa_outside_pem"):
        rest = {name: text for name, text in everything.items() if name != missing}
        assert verdict(sealed, **rest).outcome is Outcome.INDETERMINATE
    ours = {**everything, "esign_ca_pem": sealed.files.root.read_text()}
    assert verdict(sealed, **ours).outcome is Outcome.INDETERMINATE


async def test_openssl_and_pdfsig_agree(sealed: Sealed, tmp_path: Path):
    """Two judges that know nothing of us: intact, signed whole, and good under the foreign root."""
    text = _said("pdfsig", str(sealed.pdf))
    assert "Signature Validation: Signature is Valid." in text
    assert "Total document signed" in text
    data = sealed.pdf.read_bytes()
    spans = data[data.rindex(b"/ByteRange") :].split(b"[", 1)[1].split(b"]", 1)[0].split()
    first, at, rest = (int(number) for number in spans[1:])
    (tmp_path / "covered").write_bytes(data[:first] + data[at : at + rest])
    hexadecimal = data[first + 1 : at - 1]
    (tmp_path / "cms").write_bytes(_padded(bytes.fromhex(hexadecimal.decode())))
    (tmp_path / "root.pem").write_text(sealed.trust["esign-ca.pem"])
    text = _said(
        *("openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", str(tmp_path / "cms")),
        *("-content", str(tmp_path / "covered"), "-CAfile", str(tmp_path / "root.pem"), "-out", "/dev/null"),
        *("-purpose", "any"),
    )
    assert "Verification successful" in text


def _padded(cms: bytes) -> bytes:
    """The DER at the beginning of /Contents, without the zeros behind it."""
    size = int.from_bytes(cms[2 : 2 + (cms[1] & 0x7F)], "big")
    return cms[: 2 + (cms[1] & 0x7F) + size]


def _said(*command: str) -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is absent: make test-deps")
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    return (done.stdout + done.stderr).decode(errors="replace")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("away", "CA_AWAY"), ("wrong password", "CA_REFUSED"), ("unknown roots", "CA_ANSWER_UNFIT")],
)
async def test_an_authority_that_fails_makes_no_seal(outside: Outside, tmp_path: Path, fault: str, reason: str):
    """Away, refusing, or certifying under roots that nobody configured: a typed error, and no certificate."""
    settings = outside.settings
    if fault == "wrong password":
        (tmp_path / "login").write_text("hub:wrong")
        (tmp_path / "login").chmod(0o600)
        settings = replace(settings, ca_login_file=tmp_path / "login")
    if fault == "away":
        settings = replace(settings, ca_url="https://127.0.0.1:1")
    now_us = SystemClock().now_us()
    root = pki.make_root("hub", now_us)
    certifier, client = ca.open_authority(settings, pki.make_seal_ca(root, "hub", now_us))
    assert isinstance(certifier, ca.EstAuthority)
    assert client is not None
    if fault == "unknown roots":
        certifier = replace(certifier, roots=(root.certificate,))
    wish = ca.CertificateWish(ec.generate_private_key(ec.SECP256R1()), ORGANISATION, "01", now_us)
    with pytest.raises(HubError) as refused:
        await certifier.certify(wish)
    assert refused.value.reason == reason
    await client.aclose()


@pytest.mark.parametrize(
    ("url", "what"), [("http://ca.example", "https"), ("https://ca.example", "ca_roots"), ("ca.example", "https")]
)
def test_settings_that_cannot_work_are_refused_at_start(url: str, what: str):
    """No roots, no TLS: said before anything is asked."""
    with pytest.raises(ConfigError, match=what):
        ca.open_authority(EsignSettings(ca_url=url), None)  # type: ignore[arg-type]
