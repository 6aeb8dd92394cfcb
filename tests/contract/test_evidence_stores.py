"""Evidence on every database: what the exchange keeps of it, what esign knows to be logged, documents by their SM3."""

import pytest

from services.esign import store as esign
from services.esign.documents.store import sm3 as digest_store
from services.esign.documents.store.sm3 import Form
from services.esign.evidence import store as evidence_store
from services.esign.ledger.domain.ledger import UNLOGGED
from services.exchange.evidence import store as evidence
from services.exchange.evidence.domain import Kind, Piece
from services.exchange.store import METADATA
from shuniu.kit.store import Store


@pytest.fixture
async def exchange(store_url, clock):
    opened = Store.unchecked(store_url, METADATA, clock=clock)
    await opened.create_schema()
    yield opened
    await opened.close()


@pytest.fixture
async def logging(store_url, clock):
    opened = Store.unchecked(store_url, esign.METADATA, clock=clock)
    await opened.create_schema()
    yield opened
    await opened.close()


def piece(number, parties=("bureau", "ministry"), algorithm="sha-256"):
    return Piece(f"{number:026d}", Kind.QUERY, number, "case", parties, '{"v":1}', algorithm, bytes([number]) * 16)


async def test_evidence_waits_in_order_and_gets_one_receipt(exchange):
    """The oldest first, each until it has its receipt; a second one changes nothing; parties see their own."""
    for number in (3, 1, 2):
        await exchange.write(
            evidence.keep, piece(number, ("bureau", "other") if number == 2 else ("bureau", "ministry"))
        )
    waiting = await exchange.read(evidence.unlogged, 2)
    assert [row.piece for row in waiting] == [piece(1), piece(2, ("bureau", "other"))]
    await exchange.write(evidence.logged, [(waiting[0].piece.id, 7, "receipt")])
    await exchange.write(evidence.logged, [(waiting[0].piece.id, 8, "another")])
    found = await exchange.read(evidence.find, waiting[0].piece.id)
    assert (found.index, found.receipt, found.digest) == (7, "receipt", piece(1).digest)
    assert await exchange.read(evidence.unlogged_count) == 2
    seen = [row.piece.id for row in await exchange.read(evidence.of_case, "case", "ministry", (), 10)]
    assert seen == [piece(1).id, piece(3).id]
    assert len(await exchange.read(evidence.of_case, "case", None, (), 10)) == 3
    assert await exchange.read(evidence.find, "x") is None


def test_digests_name_their_algorithm():
    """An SM3 never passes for a SHA-256 of the same length."""
    digests = {piece(1).digest, piece(1, algorithm="sm3").digest}
    assert {len(digest) for digest in digests} == {64, 68}
    assert sum(digest.startswith("sm3:") for digest in digests) == 1


async def test_a_digest_is_begun_once_and_keeps_its_place(logging):
    """What is known stays as it was first told; a place in the ledger is its own for each service."""
    first = [evidence_store.EvidenceRow("a" * 64, "k", 1), evidence_store.EvidenceRow(f"sm3:{'b' * 64}", "k", 2)]
    await logging.write(evidence_store.begin, "exchange", first, 5)
    await logging.write(evidence_store.begin, "exchange", [evidence_store.EvidenceRow("a" * 64, "other", 9)], 6)
    await logging.write(evidence_store.begin, "identity", first[:1], 7)
    await logging.write(evidence_store.logged, "exchange", {"a" * 64: 40})
    found = await logging.read(evidence_store.rows, "exchange", [row.digest for row in first])
    (one, two) = (found[row.digest] for row in first)
    assert (one.kind, one.time_us, one.since, one.index) == ("k", 1, 5, 40)
    assert (two.since, two.index) == (5, UNLOGGED)
    assert (one.entry("exchange").commitment, two.entry("exchange").commitment_sm3) == ("a" * 64, "b" * 64)
    other = await logging.read(evidence_store.rows, "identity", ["a" * 64])
    assert other["a" * 64].index == UNLOGGED


async def test_documents_are_found_by_their_sm3(logging):
    """Told twice, known once, by either form; what is not known is nobody's."""
    for _ in range(2):
        await logging.write(digest_store.keep, Form.PDF, [("N1", "c" * 64), ("N2", "d" * 64)])
        await logging.write(digest_store.keep, Form.OFD, [("N1", "f" * 64)])
    assert await logging.read(digest_store.find_number, "d" * 64) == "N2"
    assert await logging.read(digest_store.find_number, "f" * 64) == "N1"
    assert await logging.read(digest_store.find_number, "e" * 64) is None
