"""Witnesses and the hub that asks them: the protocol, its absence, and the alarms it exists for."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from examples.witness.witness import origin_hash
from services.esign.domain.errors import NoteUntrustedError
from services.esign.ledger.cosigning import Cosigning
from services.esign.ledger.domain import ledger, note, tree, witness
from services.esign.ledger.sequencer import Sequencer
from services.esign.ledger.store.files import LedgerStore
from services.esign.ledger.witness_sites import WitnessSite, parse_site, witness_sites
from shuniu.kit.testing import eventually
from tests.support.witnesses import LOG, cosigner, entries, serving

KEYS = [LOG.verifier]


@contextlib.asynccontextmanager
async def following(directory, sites, least, *, retired=(), signer=LOG):
    """A log whose heads are offered to witnesses."""
    log = Sequencer(LedgerStore.open(directory, signer, retired=retired), window_s=0.001)
    cosigning = Cosigning(log, sites, least, round_s=0.2, patience_s=1.0)
    task = asyncio.create_task(cosigning.follow())
    try:
        yield log, cosigning
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await log.close()


async def append(log, first, count=1):
    made = [ledger.decode(e) for e in entries(first, count)]
    return await asyncio.gather(*(log.append(entry) for entry in made))


def size_of(text):
    return ledger.parse_checkpoint(note.split(text)[0]).size if text else 0


def test_every_answer_of_the_protocol(tmp_path):
    """C2SP tlog-witness: 200 with a cosignature, 400, 403, 404, 409 with the size, 422; and the head can be read."""
    store = LedgerStore.open(tmp_path / "log", LOG)
    store.append(entries(0, 3))
    third = store.checkpoint_text
    store.append(entries(3, 300))
    proof = store.consistency(3)
    thief = note.NoteSigner.prepare(LOG.verifier.name, Ed25519PrivateKey.generate())
    other = note.NoteSigner.prepare("other.example/log", LOG.key)
    with serving(tmp_path / "w", cosigner(1)) as site, httpx.Client(base_url=site.url) as http:

        def offer(old, steps, text):
            return http.post("/add-checkpoint", content=witness.add_checkpoint(old, steps, text).encode())

        read = f"/{origin_hash(LOG.verifier.name)}/checkpoint"
        assert http.get(read).status_code == 404
        assert offer(
            0, [], ledger.sign_checkpoint(ledger.Checkpoint(other.verifier.name, 3, bytes(32)), other)
        ).is_client_error
        assert offer(0, [], ledger.sign_checkpoint(store.checkpoint, thief)).status_code == 403
        assert offer(0, [bytes(32)], third).status_code == 422
        first = offer(0, [], third)
        assert (first.status_code, len(witness.cosignatures(third + first.text, [site.key]))) == (200, 1)
        assert offer(3, [], third).status_code == 200
        late = offer(0, [], store.checkpoint_text)
        assert (late.status_code, late.text, late.headers["content-type"]) == (409, "3\n", "text/x.tlog.size")
        assert offer(304, [], store.checkpoint_text).status_code == 400
        assert offer(3, proof[:-1], store.checkpoint_text).status_code == 422
        assert offer(3, proof, store.checkpoint_text).status_code == 200
        assert offer(303, [], third).status_code == 400
        forged = ledger.sign_checkpoint(ledger.Checkpoint(LOG.verifier.name, 303, bytes(32)), LOG)
        assert offer(303, [], forged).status_code == 422
        for broken in (
            b"",
            b"old 1",
            b"old 01\n\n" + third.encode(),
            b"\xff\n\n",
            b"old 303\nAAAA\n\n" + third.encode(),
        ):
            assert http.post("/add-checkpoint", content=broken).status_code == 400
        assert http.post("/other", content=b"x").status_code == 404
        shown = http.get(read).text
        assert witness.Policy.k_of_n([site.key], 1).check(shown)
        assert ledger.open_checkpoint(shown, KEYS).size == 303
        assert http.get("/" + "0" * 64 + "/checkpoint").status_code == 404
    store.close()


def test_a_witness_forgets_nothing_when_it_starts_again(tmp_path):
    """What it cosigned binds it after a restart; two of it at once are refused."""
    store = LedgerStore.open(tmp_path / "log", LOG)
    store.append(entries(0, 5))
    who = cosigner(1)
    with serving(tmp_path / "w", who) as site:
        body = witness.add_checkpoint(0, [], store.checkpoint_text)
        assert httpx.post(f"{site.url}/add-checkpoint", content=body.encode()).status_code == 200
        with pytest.raises(BlockingIOError), serving(tmp_path / "w", who):
            pass
    with serving(tmp_path / "w", who) as site:
        assert httpx.post(f"{site.url}/add-checkpoint", content=body.encode()).text == "5\n"
    store.close()


async def test_heads_and_receipts_carry_the_cosignatures(tmp_path):
    """Both witnesses sign; the public checkpoint and later receipts show it, and a verifier may demand both."""
    with serving(tmp_path / "1", cosigner(1)) as one, serving(tmp_path / "2", cosigner(2)) as two:
        async with following(tmp_path / "log", [one, two], 2) as (log, cosigning):
            receipts = await append(log, 0, 300)
            with pytest.raises(NoteUntrustedError, match="COSIGNATURES_PENDING"):
                ledger.check_receipt(receipts[0], KEYS, policy=cosigning.policy)
            await eventually(lambda: size_of(log.witnessed_text) == 300)
            for index in (0, 255, 256, 299):
                receipt = await log.find_witnessed_receipt(index)
                ledger.check_receipt(ledger.parse_receipt(receipt.text), KEYS, policy=cosigning.policy)
            shown = (tmp_path / "log" / "checkpoint").read_text()
            assert len(cosigning.policy.check(shown)) == 2
            await append(log, 300)
            await eventually(lambda: size_of(log.witnessed_text) == 301)
            assert cosigning.facts()["cosignatures"].startswith("complete: 2 of 2")
        store = LedgerStore.open(tmp_path / "log", LOG)
        assert size_of(store.witnessed) == 301
        assert ledger.check_receipt(store.find_witnessed_receipt(300), KEYS, policy=cosigning.policy)[1].size == 301
        store.close()


async def test_a_witness_that_is_away_delays_nothing(tmp_path):
    """Entries are answered, "cosignatures pending" is said, and the witness catches up when it is back."""
    who, second = cosigner(1), cosigner(2)
    with serving(tmp_path / "1", who) as site:
        port = int(site.url.rpartition(":")[2])
    with serving(tmp_path / "2", second) as present:
        async with following(tmp_path / "log", [site, present], 2) as (log, cosigning):
            await append(log, 0, 5)
            await eventually(lambda: cosigning.problems)
            assert (list(cosigning.problems), cosigning.problems[who.name][:12]) == ([who.name], "WITNESS_AWAY")
            pending = "cosignatures pending: 1 of 2 witnesses at 5"
            await eventually(lambda: cosigning.facts()["cosignatures"].startswith(pending))
            assert log.witnessed_text == ""
            with serving(tmp_path / "1", who, port=port):
                await eventually(lambda: size_of(log.witnessed_text) == 5, within=15)
                await eventually(lambda: not cosigning.problems)


async def test_drill_a_rolled_back_log_is_told_by_its_witness(tmp_path):
    """The whole hub restored from an old copy, its database too: the witness remembers more, and says so."""
    with serving(tmp_path / "w", cosigner(1)) as site:
        async with following(tmp_path / "log", [site], 1) as (log, _):
            await append(log, 0, 5)
            await eventually(lambda: size_of(log.witnessed_text) == 5)
        shutil.copytree(tmp_path / "log", tmp_path / "old")
        async with following(tmp_path / "log", [site], 1) as (log, _):
            await append(log, 5, 5)
            await eventually(lambda: size_of(log.witnessed_text) == 10)
        async with following(tmp_path / "old", [site], 1) as (log, cosigning):
            await append(log, 90)
            await eventually(lambda: cosigning.problems)
            assert "LEDGER_ROLLED_BACK" in cosigning.problems[site.key.name]
            await append(log, 91, 20)
            await eventually(lambda: "LEDGER_FORKED" in cosigning.problems.get(site.key.name, ""), within=15)
            assert size_of(log.witnessed_text) == 5


async def test_drill_a_stolen_ledger_key_convinces_no_verifier_who_asks_for_witnesses(tmp_path):
    """A thief with the log's key signs another history: no witness cosigns it, and a policy refuses its receipts."""
    with serving(tmp_path / "w", cosigner(1)) as site:
        async with following(tmp_path / "log", [site], 1) as (log, honest):
            await append(log, 0, 10)
            await eventually(lambda: size_of(log.witnessed_text) == 10)
        async with following(tmp_path / "thief", [site], 1) as (log, theirs):
            forged = (await append(log, 500, 12))[0]
            ledger.check_receipt(forged, KEYS)
            await eventually(lambda: theirs.problems)
            assert "LEDGER_FORKED" in theirs.problems[site.key.name]
            with pytest.raises(NoteUntrustedError, match="COSIGNATURES_PENDING"):
                ledger.check_receipt(forged, KEYS, policy=honest.policy)


@pytest.mark.parametrize("texts", [["x"], ["w+00+AA http://h"], [LOG.verifier.vkey + " http://h"]])
def test_a_witness_is_configured_right_or_not_at_all(texts):
    """A key of the wrong kind or no URL is an error at start."""
    with pytest.raises(Exception, match=r"name\+id\+key|verifier key|cosigner key|malformed|BASE64"):
        witness_sites(texts, 0)


def test_the_quorum_is_the_majority_unless_said_otherwise():
    """Three witnesses: two; none: none."""
    line = f"{cosigner(1).vkey} http://127.0.0.1:1/"
    assert witness_sites([line] * 3, 0)[1] == 2
    assert witness_sites([], 0) == ([], 0)
    assert parse_site(line) == WitnessSite(witness.parse_vkey(line.split(maxsplit=1)[0]), "http://127.0.0.1:1")


def test_the_witness_runs_as_a_program(tmp_path):
    """`python -m examples.witness` prints key and URL, keeps its key, and ends when told."""
    command = [sys.executable, "-m", "examples.witness", "--name", "w.example", "--data", tmp_path / "w"]
    command += ["--log", LOG.verifier.vkey, "--listen", "127.0.0.1:0"]
    seen = set()
    for _ in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            vkey, url = process.stdout.readline().split()
            seen.add(vkey)
            tampered = ledger.sign_checkpoint(ledger.Checkpoint(LOG.verifier.name, 0, tree.EMPTY_ROOT), LOG)
            body = witness.add_checkpoint(0, [], tampered)
            assert httpx.post(f"{url}/add-checkpoint", content=body.encode()).status_code == 200
            os.kill(process.pid, signal.SIGTERM)
        assert process.returncode == 0
    assert len(seen) == 1
    assert (tmp_path / "w" / "witness.key").stat().st_mode & 0o077 == 0


async def test_what_is_kept_as_witnessed_has_enough_cosignatures_whoever_answers_meanwhile(tmp_path):
    """A second witness answers while the first one's text is being published: that text has one cosignature only."""
    with serving(tmp_path / "1", cosigner(1)) as one, serving(tmp_path / "2", cosigner(2)) as two:
        async with following(tmp_path / "log", [one, two], 2) as (log, cosigning):
            publish, keep, texts, kept = log.publish, log.keep_witnessed, [], []

            async def with_the_other(text):
                texts.append(text)
                await eventually(lambda: len(texts) == 2)
                await publish(text)

            async def noted(text):
                kept.append(text)
                await keep(text)

            log.publish, log.keep_witnessed = with_the_other, noted
            await append(log, 0)
            await eventually(lambda: log.witnessed_text)
            await eventually(lambda: all(one.asking is None or one.asking.done() for one in cosigning._standings))
            assert [len(cosigning.policy.check(text)) for text in kept] == [2]
