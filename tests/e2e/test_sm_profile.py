"""The main job in a hub of the profile sm, as one story: it is done with SM2, SM3 and SM4, and with nothing else.

Shown twice: by what the services count while they work, and by what is found in everything they kept and handed out.
"""

import asyncio
import base64
import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from asn1crypto import core, parser

from tests.support.hub import NATS_WEBSOCKET, Land, command, hub_with_region, program

pytestmark = [pytest.mark.asyncio(loop_scope="module"), *NATS_WEBSOCKET, pytest.mark.timeout(120)]
SERVED = 3
SERVICES = ("identity", "vault", "catalogue", "exchange", "esign")
# What the profile promises, purpose by purpose.
PROMISED = {
    "audit": {"sm3"},
    "storage": {"sm4-gcm"},
    "person_index": {"hmac-sm3"},
    "certificate": {"sm2-sm3"},
    "seal": {"sm2-sm3"},
    "seal_signature": {"sm2-sm3"},
    "timestamp": {"sm2-sm3"},
    "ledger_entry": {"sm3"},
    "evidence": {"sm3"},
}
SM2_CURVE, SM2_WITH_SM3, SM3 = "1.2.156.10197.1.301", "1.2.156.10197.1.501", "1.2.156.10197.1.401"
EC_KEY = "1.2.840.10045.2.1"
# Arcs under which algorithms of other families are named: NIST, ANSI X9.62, PKCS #1, OIW, SECG, EdDSA.
OTHER_ALGORITHMS = re.compile(
    r"2\.16\.840\.1\.101\.3\.4\.|1\.2\.840\.10045\.(3|4)\.|1\.2\.840\.113549\.1\.1\.|1\.3\.14\.3\.2\.|1\.3\.132\.0\.|1\.3\.101\."
)
_METRIC = re.compile(r'shuniu_crypto_operations_total\{algorithm="([^"]+)",purpose="([^"]+)"\} (\S+)')


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def land() -> AsyncIterator[Land]:
    async with hub_with_region(SERVED, profile="sm") as made:
        yield made


def oids(der: bytes) -> Iterator[str]:
    """Every object identifier inside, structures wrapped in OCTET STRINGs and BIT STRINGs included."""
    class_, method, tag, _, content, _ = parser.parse(der)
    if (class_, tag) == (0, 6):
        yield core.ObjectIdentifier.load(der).native
    wrapped = content[1:] if (class_, tag) == (0, 3) else content
    if method == 1 or (class_, tag) in {(0, 3), (0, 4)}:
        try:
            at, found = 0, []
            while at < len(wrapped):
                *_, inner, body, end = parser.parse(wrapped[at:])
                size = len(inner) + len(body) + len(end)
                found += list(oids(wrapped[at : at + size]))
                at += size
        except ValueError:
            # A digest or a signature's bytes, not a structure.
            return
        yield from found


def algorithms(der: bytes) -> set[str]:
    """The algorithms named inside; those of other families fail the test."""
    found = set(oids(der))
    strange = {oid for oid in found if OTHER_ALGORITHMS.match(oid)}
    assert not strange
    return found & {SM2_CURVE, SM2_WITH_SM3, SM3, EC_KEY}


def cms_of(pdf: bytes) -> bytes:
    gap, after, _ = map(int, re.search(rb"/ByteRange\[0 (\d+) (\d+) (\d+)\]", pdf).groups())
    return bytes.fromhex(pdf[gap + 1 : after - 1].decode())


def rows(land: Land, database: str, query: str) -> list[tuple]:
    with sqlite3.connect(f"file:{land.running.data}/db/{database}.db?mode=ro", uri=True) as connection:
        found = connection.execute(query).fetchall()
    connection.close()
    return found


def ledger_entries(land: Land) -> list[dict[str, object]]:
    """All entries, read from the bundles that are served (C2SP tlog-tiles: 16-bit length, then the entry)."""
    found = []
    bundles = land.running.data / "ledger" / "tile" / "entries"
    newest = max((path for path in bundles.rglob("*") if path.is_file()), key=lambda path: len(path.read_bytes()))
    data, at = newest.read_bytes(), 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 2], "big")
        found.append(json.loads(data[at + 2 : at + 2 + size]))
        at += 2 + size
    return found


async def test_people_are_served(land: Land) -> None:
    """The whole main job: signed in, applied, asked the register, sealed, downloaded, verified by upload and by QR."""
    outcome = await land.serve(SERVED)
    assert outcome.failures == []
    for served in outcome.served:
        assert (served.verified_upload, served.verified_qr, served.evaluated) == (True, True, True)
    await land.settled()


async def test_a_document_is_valid_offline_and_a_changed_one_is_not(land: Land, tmp_path: Path) -> None:
    """`shuniu verify` with nothing but the trust directory: every step that can be judged is valid; one bit: INVALID."""
    trust = tmp_path / "trust"
    assert (await land.command("trust", "--out", str(trust))).status == 0
    pdf = min(land.certificates.glob("*.pdf"))
    ran = await command("verify", str(pdf), "--trust", str(trust), "--json", "--data", str(tmp_path))
    assert (ran.status, ran.json["verdict"]) == (0, "VALID"), ran.json
    steps = {step["step"]: step["status"] for step in ran.json["steps"]}
    wanted = ("integrity", "signer", "chain", "time", "seal_then", "ledger", "ses")
    assert [steps[step] for step in wanted] == ["valid"] * len(wanted)
    changed = bytearray(pdf.read_bytes())
    changed[changed.index(b"stream") + 40] ^= 1
    forged = tmp_path / "forged.pdf"
    forged.write_bytes(changed)
    ran = await command("verify", str(forged), "--trust", str(trust), "--json", "--data", str(tmp_path))
    assert (ran.status, ran.json["verdict"]) == (1, "INVALID")


async def test_no_other_algorithm_was_counted(land: Land) -> None:
    """The counters of all services together name what was promised, for each purpose, and nothing besides."""
    used: dict[str, set[str]] = defaultdict(set)
    async with httpx.AsyncClient(trust_env=False) as client:
        for service in SERVICES:
            address = (land.run_dir / f"{service}.ops").read_text().strip()
            text = (await client.get(f"http://{address}/metrics")).text
            for algorithm, purpose, times in _METRIC.findall(text):
                assert float(times) > 0
                used[purpose].add(algorithm)
    assert used == PROMISED


async def test_no_other_algorithm_is_named_in_what_was_handed_out(land: Land) -> None:
    """Seals, timestamps, certificates and seal signatures of every document: SM2 and SM3 by their object identifiers."""
    documents = sorted(land.certificates.glob("*.pdf"))
    assert len(documents) == SERVED
    for pdf in documents:
        # The timestamp token and all certificates lie inside the CMS.
        assert algorithms(cms_of(pdf.read_bytes())) == {SM2_CURVE, SM2_WITH_SM3, SM3, EC_KEY}
        assert SM2_WITH_SM3 in algorithms(pdf.with_name(f"{pdf.name}.ses").read_bytes())
    for (certificate,) in rows(land, "esign", "SELECT certificate FROM seal WHERE state = 'ACTIVE'"):
        assert algorithms(certificate) == {SM2_CURVE, SM2_WITH_SM3, EC_KEY}


async def test_no_other_digest_is_in_the_ledger(land: Land) -> None:
    """Entries of documents, seals and evidence carry SM3 only, and OpenSSL computes the same; the tree is C2SP's."""
    entries = ledger_entries(land)
    kinds = {str(entry["type"]) for entry in entries}
    assert {"document.sealed", "seal.changed", "evidence"} <= kinds
    named = {name for entry in entries for name in entry}
    assert named & {"document_sm3", "certificate_sm3", "commitment_sm3"} == {
        "document_sm3", "certificate_sm3", "commitment_sm3"
    }  # fmt: skip
    assert not {name for name in named if "sha" in name or name == "commitment"}
    documents = {entry["document_sm3"] for entry in entries if entry["type"] == "document.sealed"}
    judged = await asyncio.gather(
        *(program("openssl", "dgst", "-sm3", "-r", str(pdf)) for pdf in land.certificates.glob("*.pdf"))
    )
    assert documents == {ran.out.split()[0] for ran in judged}
    proof = min(land.certificates.glob("*.tlog-proof")).read_text().splitlines()
    assert json.loads(base64.b64decode(proof[1].removeprefix("extra ")))["document_sm3"] in documents
    assert (await land.command("ledger", "verify", "--json")).json["intact"]


async def test_nothing_else_is_kept(land: Land) -> None:
    """Audit chains and evidence with SM3, ciphertexts under SM4 keys by their key ids, persons found by HMAC-SM3."""
    for service in SERVICES:
        assert set(rows(land, service, "SELECT DISTINCT algorithm FROM audit")) <= {("sm3",)}, service
    assert rows(land, "identity", "SELECT count(*) FROM audit") > [(0,)]
    assert (await land.command("audit", "verify", "--json")).json["intact"]
    calls = rows(land, "exchange", "SELECT question_sha256, answer_sha256, length(question_sm3) FROM provider_call")
    assert len(calls) >= 2 * SERVED
    assert set(calls) == {("", "", 64)}
    assert set(rows(land, "exchange", "SELECT DISTINCT algorithm FROM evidence")) == {("sm3",)}
    assert set(rows(land, "identity", "SELECT evidence_sha256, length(evidence_sm3) FROM person")) == {("", 64)}
    assert {bytes(key)[:4] for (key,) in rows(land, "vault", "SELECT index_key FROM subject")} == {b"sm3:"}
    keys = land.running.data / "keys"
    for keyring, database, query in (
        ("vault", "vault", "SELECT fields FROM subject"),
        ("esign-kek", "esign", "SELECT wrapped_key FROM seal UNION ALL SELECT wrapped_key FROM sm2_seal"),
    ):
        ciphertexts = [bytes(value) for (value,) in rows(land, database, query)]
        assert ciphertexts
        for number in {int.from_bytes(value[:4], "big") for value in ciphertexts}:
            # A key of 16 bytes is SM4's: AES keys have 32 here.
            assert len((keys / keyring / f"{number:06d}.key").read_bytes()) == 16


async def test_the_check_up_names_the_profile(land: Land) -> None:
    """`shuniu doctor` says which profile the hub has and which library does it."""
    findings = (await land.command("doctor", "--json")).json["findings"]
    (about,) = [one for one in findings if one["what"].startswith("密码算法")]
    assert about["found"].startswith("profile sm; SM2, SM3, SM4: OpenSSL")
