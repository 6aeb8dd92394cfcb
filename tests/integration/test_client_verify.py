"""The client library in an environment of its own: the hub's verdicts without the hub, and the hub's own by asking it."""

import asyncio
import json
import re
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from services.esign.certification.domain import pki
from services.esign.domain.cms import signed_data as cms
from services.esign.ledger.domain import ledger
from services.esign.ledger.store.files import LedgerStore
from services.esign.pages import layout
from services.esign.pages.domain import certificates
from services.esign.signing.domain import pades
from services.esign.verification import offline
from services.esign.verification.domain.sentences import verdict_words
from services.esign.verification.domain.validation_report import NAMESPACE
from services.esign.verification.offline import Trusted
from tests.support import multisign
from tests.support.client_library import ROOT, Library, install
from tests.support.esign import NOW_US, ORGANISATION, SEAL_ID, page, setting
from tests.support.hub import NATS_WEBSOCKET, Journey, Land, command, hub_with_region
from tests.support.witnesses import LOG

pytestmark = [*NATS_WEBSOCKET, pytest.mark.timeout(240)]

OFFLINE = """
import json, sys
from pathlib import Path
from shuniu_client.verify import TrustStore, verify

file, trust = Path(sys.argv[1]), TrustStore.load(Path(sys.argv[2]))
beside = {name: file.with_name(file.name + suffix) for name, suffix in (("receipt", ".tlog-proof"), ("ses", ".ses"))}
receipt = beside["receipt"].read_text("utf-8") if beside["receipt"].exists() else None
ses = beside["ses"].read_bytes() if beside["ses"].exists() else None
print(json.dumps(verify(file.read_bytes(), trust, receipt=receipt, ses=ses).as_json(), ensure_ascii=False))
"""
AT = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path
from shuniu_client.verify import TrustStore, verify

trust, at = TrustStore.load(Path(sys.argv[1])), datetime.fromtimestamp(int(sys.argv[2]) / 1e6, UTC)
print(json.dumps([verify(Path(file).read_bytes(), trust, at=at).as_json() for file in sys.argv[3:]]))
"""
FAILING = """
import json, logging, sys
from pathlib import Path
from shuniu_client import verify
def fail(*arguments, **named):
    raise OverflowError("year 0 is out of range")
verify.offline.judged = fail
logging.disable()
trust = verify.TrustStore.load(Path(sys.argv[2]))
print(json.dumps(verify.verify(Path(sys.argv[1]).read_bytes(), trust).as_json()))
"""
REPORT = """
import sys
from pathlib import Path
from shuniu_client.verify import TrustStore, judge

print(judge(Path(sys.argv[1]).read_bytes(), TrustStore.load(Path(sys.argv[2]))).validation_report().decode())
"""
ONLINE = """
import json, ssl, sys
from datetime import date
from pathlib import Path
from shuniu_client.online import Hub, HubError

url, trust, file, digest, number, day, qr = sys.argv[1:]
hub = Hub(url, ssl.create_default_context(cafile=trust))
answer = hub.verify_document(Path(file).read_bytes(), report=True)
found = {
    "upload": answer.verdict,
    "hash": hub.verify_hash(digest),
    "number": hub.verify_number(number, issued_on=date.fromisoformat(day)),
    "number and hash": hub.verify_number(number, hash_tail=digest[-8:]),
    "qr": hub.verify_qr(qr),
}
try:
    hub.verify_hash("no hash")
except HubError as error:
    refused = [error.status, error.reason, error.zh]
told = {name: verdict.as_json() for name, verdict in found.items()}
print(json.dumps({"told": told, "report": answer.validation_report.decode(), "refused": refused}))
"""


WRONG = """
import sys
from datetime import datetime
from pathlib import Path
from shuniu_client.verify import TrustStore, verify

file, trust = Path(sys.argv[1]), TrustStore.load(Path(sys.argv[2]))
data = file.read_bytes()
for call in (
    lambda: verify(file, trust),
    lambda: verify(str(file), trust),
    lambda: verify(data, Path(sys.argv[2])),
    lambda: verify(data, trust, receipt=b"x"),
    lambda: verify(data, trust, ses="x"),
    lambda: verify(data, trust, at=datetime(2027, 1, 1)),
    lambda: verify(data, trust, at="2027-01-01"),
):
    try:
        call()
    except (TypeError, ValueError) as error:
        print(error)
"""
WITHOUT_EXTRA = """
try:
    import shuniu_client.verify
except ModuleNotFoundError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Library:
    return install(tmp_path_factory.mktemp("library"))


@dataclass(frozen=True)
class Place:
    """A sealed document with its receipt, and trust."""

    pdf: Path
    trust: Path

    def changed(self, name: str, data: bytes) -> Path:
        path = self.pdf.with_name(name)
        path.write_bytes(data)
        return path


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    folder, now_us = tmp_path_factory.mktemp("document"), time.time_ns() // 1000 - 1_000_000
    root = pki.make_root("内蒙古枢纽", now_us)
    ca = pki.make_seal_ca(root, "内蒙古枢纽", now_us)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = pki.issue_seal_certificate(ca, key.public_key(), ORGANISATION, SEAL_ID, now_us)
    der = certificate.public_bytes(Encoding.DER)
    field = layout.seal_field(certificates.TEMPLATES[certificates.NO_CRIMINAL_RECORD])
    seal = pades.SigningSeal.prepare(cms.P256Key(key), der, [ca.der], ORGANISATION, field)
    made = Place(folder / "证明.pdf", folder / "trust")
    made.pdf.write_bytes(pades.sign(page(), seal, now_us))
    store = LedgerStore.open(folder / "log", LOG)
    entry = ledger.encode(ledger.sealed_entry(made.pdf.read_bytes(), SEAL_ID, der, bytes(32), now_us))
    (receipt,) = (one.text for one in store.append_with_receipts([entry]))
    store.close()
    made.pdf.with_name("证明.pdf.tlog-proof").write_text(receipt)
    made.trust.mkdir()
    (made.trust / "root.pem").write_bytes(pki.certificate_pem(root.certificate))
    (made.trust / "log.vkey").write_text(LOG.verifier.vkey + "\n")
    return made


async def at_the_command_line(file: Path, trust: Path) -> dict[str, Any]:
    """The verdict of `shuniu verify --json`, without what it says of the file."""
    ran = await command("verify", str(file), "--trust", str(trust), "--json", "--data", str(trust / "no-hub"))
    found: dict[str, Any] = json.loads(ran.out)
    assert found.pop("sha256", sha256(file.read_bytes()).hexdigest()) == sha256(file.read_bytes()).hexdigest()
    found.pop("file", None)
    return found


async def test_a_good_document_is_valid_as_at_the_command_line(library, place) -> None:
    """The wheel alone gives VALID with the receipt, and every word of `shuniu verify --json`."""
    found = library.json(OFFLINE, place.pdf, place.trust)
    steps = {step["step"]: step["status"] for step in found["steps"]}
    assert (found["verdict"], steps["ledger"], steps["document"]) == ("VALID", "valid", "not_checked")
    assert found == await at_the_command_line(place.pdf, place.trust)


async def test_changed_documents_are_invalid_as_at_the_command_line(library, place) -> None:
    """Something added behind the signature, a byte inside it, no trust, no PDF: never VALID, the same object for each."""
    data = place.pdf.read_bytes()
    at = data.index(b"stream") + 40
    flipped = place.changed("flipped.pdf", data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    longer = place.changed("longer.pdf", data + b"\n%more")
    text = place.changed("text.pdf", b"hello")
    nobody = place.trust.with_name("nobody")
    nobody.mkdir()
    for file, trust in ((flipped, place.trust), (longer, place.trust), (text, place.trust), (place.pdf, nobody)):
        found = library.json(OFFLINE, file, trust)
        told = await at_the_command_line(file, trust)
        assert found["verdict"] != "VALID"
        # Without a signature that can be read a verdict speaks for now.
        assert {**found, "as_of": ""} == {**told, "as_of": ""}
    assert library.json(OFFLINE, flipped, place.trust)["verdict"] == "INVALID"


def test_pages_are_drawn_and_compared(library, place) -> None:
    """A document of two signers, and one whose page was drawn over later, at a moment given: the wheel has the renderer
    of the second line with it, and says what the hub's own verifier says.
    """
    signed = multisign.closed("layout")
    sheet = multisign.attack.numbers(signed, rb"/Type\s*/Page[^s]")[0]
    added = multisign.attack.body(signed, sheet).replace(b"/Type", b"/Rotate 90/Type", 1)
    files = {"two.pdf": signed, "turned.pdf": multisign.attack.update(signed, {sheet: added})}
    trust = place.trust.with_name("signers")
    trust.mkdir()
    (trust / "root.pem").write_bytes(pki.certificate_pem(setting().root.certificate))
    at_us = NOW_US + 60_000_000
    paths = [place.changed(name, data) for name, data in files.items()]
    told = library.json(AT, trust, str(at_us), *paths)
    own = [offline.judged(data, Trusted.of(trust), at_us) for data in files.values()]
    assert told == [verdict_words.as_json(verdict) for verdict in own]
    assert [verdict["verdict"] for verdict in told] == ["VALID", "INVALID"]
    assert [signature["kind"] for signature in told[0]["signatures"]][:2] == ["cms", "cms"]


def test_it_needs_nothing_of_a_hub(library, place) -> None:
    """After a verdict nothing of gRPC, a database, the contract or the checkout is loaded; importing the package and
    asking a hub loads no cryptography.
    """
    loaded = "\nimport sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    code = OFFLINE.replace("print(json", "(json") + loaded
    names = set(library.json(code, place.pdf, place.trust))
    assert "shuniu_client" in names
    assert names & {"grpc", "google", "sqlalchemy", "httpx", "starlette", "structlog", "services", "shuniu"} == set()
    light = set(library.json("import json, shuniu_client.online" + loaded))
    assert light & {"cryptography", "pypdfium2"} == set()


def test_trust_that_cannot_be_read_is_named(library, place) -> None:
    """A broken file of the trust directory is refused by its name, not passed over."""
    code = """
import sys
from pathlib import Path
from shuniu_client.verify import TrustError, TrustStore

try:
    TrustStore.of_files({"root.pem": b"no certificate"})
except TrustError as error:
    print(error)
"""
    assert library.run(code).startswith('"root.pem": ')


def test_the_report_comes_with_the_library(library, place) -> None:
    """A validation report by ETSI TS 119 102-2 from the wheel alone: TOTAL-PASSED."""
    found = ET.fromstring(library.run(REPORT, place.pdf, place.trust))
    assert found.tag == f"{{{NAMESPACE}}}ValidationReport"
    mains = found.findall(f".//{{{NAMESPACE}}}SignatureValidationStatus/{{{NAMESPACE}}}MainIndication")
    assert {main.text for main in mains} == {"urn:etsi:019102:mainindication:total-passed"}


def test_a_file_that_the_verifier_fails_on_ends_nobodys_program(library, place) -> None:
    """Whatever a file does to the verifier, the library answers: INDETERMINATE, with a sentence that says it failed."""
    told = library.json(FAILING, place.pdf, place.trust)
    assert told["verdict"] == "INDETERMINATE"
    assert told["steps"][0]["reason"] == "VERIFIER_FAILED"
    assert "出错" in told["summary"]["cause"]["zh"]


def test_a_wrong_argument_is_told_in_one_sentence(library, place) -> None:
    """A path instead of bytes, a folder instead of trust, a time without its zone: the caller's slip, told as that."""
    told = library.run(WRONG, place.pdf, place.trust).splitlines()
    assert [line.partition("：")[0] for line in told] == ["data", "data", "trust", "receipt", "ses", "at", "at"]
    assert all(" / " in line for line in told)


def test_without_its_extra_it_says_what_to_install(tmp_path) -> None:
    """The wheel alone asks a hub; who verifies offline with it hears of the extra."""
    assert "shuniu-client[verify]" in install(tmp_path, extra="").run(WITHOUT_EXTRA)


def test_a_newcomers_example_works(library, place) -> None:
    """`examples/verify_offline.py` with the wheel alone: three sentences, exit 0 for VALID, 1 for INVALID."""
    example = ROOT / "examples" / "verify_offline.py"
    good = library.program(example, place.trust, place.pdf)
    assert (good.returncode, good.stdout.startswith("VALID")) == (0, True), good.stderr
    assert library.program(example, "--help").stdout.startswith("usage: verify_offline.py")
    assert library.program(example).stderr.startswith("usage: verify_offline.py")
    bad = library.program(example, place.trust, place.changed("longer.pdf", place.pdf.read_bytes() + b"%"), place.pdf)
    assert bad.returncode == 1, bad.stderr
    for unread in ((place.trust, "absent.pdf"), ("absent", place.pdf), ("", place.pdf)):
        told = library.program(example, *unread)
        assert (told.returncode, told.stdout, told.stderr.count("\n")) == (3, "", 1), told.stderr
    assert [line.split()[0] for line in bad.stdout.splitlines() if line.startswith(("VALID", "IN"))][-1] == "VALID"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def land() -> AsyncIterator[Land]:
    async with hub_with_region(1) as it:
        yield it


@dataclass(frozen=True)
class Issued:
    """A document of a real hub, and the trust that its operator hands out."""

    journey: Journey
    pdf: Path
    trust: Path


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def issued(land: Land) -> Issued:
    journey = await land.journey(land.next_citizens(1)[0])
    trust = land.certificates.parent / "trust"
    assert (await land.command("trust", "--out", str(trust))).status == 0
    return Issued(journey, land.certificates / f"{journey.number}.pdf", trust)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_hubs_document_is_judged_without_the_hub(library, issued: Issued) -> None:
    """A document of a running hub with the trust of `shuniu trust --out`, its receipt and its seal signature: VALID, and
    what `shuniu verify` says; changed, INVALID.
    """
    found = library.json(OFFLINE, issued.pdf, issued.trust)
    steps = {step["step"]: step["status"] for step in found["steps"]}
    assert (found["verdict"], steps["ledger"]) == ("VALID", "valid")
    assert steps["ses"] == ("valid" if issued.pdf.with_name(f"{issued.pdf.name}.ses").exists() else "not_checked")
    assert found == await at_the_command_line(issued.pdf, issued.trust)
    changed = issued.pdf.with_name("changed.pdf")
    changed.write_bytes(issued.pdf.read_bytes() + b"\n%more")
    assert library.json(OFFLINE, changed, issued.trust)["verdict"] == "INVALID"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_hub_is_asked_with_the_standard_library(land: Land, issued: Issued, tmp_path) -> None:
    """Upload, hash, number and QR code over REST from an environment with nothing but the wheel: one object for each, of
    the same members as offline; a refusal has its reason and Chinese text.
    """
    alone = install(tmp_path, extra="")
    trust = tmp_path / "hub.pem"
    trust.write_bytes(land.running.hub.trust_pem)
    document = issued.journey.document
    day = document.certificate.issued_on
    given = (
        *(land.running.hub.people_url, trust, issued.pdf, sha256(document.pdf).hexdigest(), issued.journey.number),
        *(f"{day.year:04d}-{day.month:02d}-{day.day:02d}", document.certificate.qr),
    )
    answer = alone.json(ONLINE, *given)
    assert {name: told["verdict"] for name, told in answer["told"].items()} == dict.fromkeys(answer["told"], "VALID")
    numbers = {name: told["document"].get("number") for name, told in answer["told"].items()}
    assert numbers == {**dict.fromkeys(answer["told"], issued.journey.number), "hash": None}
    forms = {name: told["form"] for name, told in answer["told"].items()}
    assert forms == {"upload": "pdf", "hash": "hash", "number": "number", "number and hash": "number", "qr": "code"}
    assert answer["refused"][:2] == [400, "HASH_FORM"]
    assert "total-passed" in answer["report"]


@pytest.mark.asyncio(loop_scope="module")
async def test_the_examples_of_the_page_on_verifying_work(library, land: Land, issued: Issued, tmp_path) -> None:
    """docs/verifying.md as a newcomer copies it: curl, gRPC and the client library, each of the four ways VALID."""
    hub, day = land.running.hub, issued.journey.document.certificate.issued_on
    (tmp_path / "hub.pem").write_bytes(hub.trust_pem)
    (tmp_path / "证明.pdf").write_bytes(issued.pdf.read_bytes())
    (tmp_path / "qr.txt").write_text(issued.journey.document.certificate.qr)
    page_text = (ROOT / "docs" / "verifying.md").read_text("utf-8")
    for old, new in (
        ("https://127.0.0.1:8443", hub.people_url),
        ("127.0.0.1:8443", hub.people_url.removeprefix("https://")),
        ("var/hub/pki/edge-ca.pem", str(tmp_path / "hub.pem")),
        ("1500002026000001", issued.journey.number),
        ('"month": 6, "day": 1', f'"month": {day.month}, "day": {day.day}'),
        ("证明.pdf", str(tmp_path / "证明.pdf")),
        ("qr.txt", str(tmp_path / "qr.txt")),
    ):
        assert old in page_text
        page_text = page_text.replace(old, new)
    curl, *_ = re.findall(r"```sh\n(.*?)```", page_text, re.DOTALL)
    by_grpc, by_client = re.findall(r"```python\n(.*?)```", page_text, re.DOTALL)
    told = await run("bash", "-euc", curl.replace("2026,", f"{day.year},"))
    answers, at = [], 0
    while at < len(told):
        answer, at = json.JSONDecoder().raw_decode(told, at)
        answers.append(answer["verdict"]["verdict"])
    assert answers == ["VALID"] * 4
    assert (await run(sys.executable, "-c", by_grpc)).split() == ["VALID"] * 4
    said = (await asyncio.to_thread(library.run, by_client)).splitlines()
    assert [line for line in said if line.isascii()] == ["VALID"] * 4


async def run(*command_line: str) -> str:
    """Its output; it must end well."""
    ran = await asyncio.create_subprocess_exec(*command_line, cwd=ROOT, stdout=PIPE, stderr=PIPE)
    out, err = await ran.communicate()
    assert ran.returncode == 0, err.decode()
    return out.decode()
