"""The ledger's mathematics and formats."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from services.esign.domain.errors import EsignError, NoteMalformedError, NoteUntrustedError, ProofWrongError
from services.esign.ledger.domain import ledger, note, tiles, tree
from tests.support.consistency import check_consistency

ENTRIES = [b"entry %d" % i for i in range(600)]
LEAVES = [tree.leaf_hash(e) for e in ENTRIES]
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)


def nodes_of(size: int) -> tree.Nodes:
    full: dict[tuple[int, int], bytes] = {}
    edge = tiles.Edge()
    edge.append(LEAVES[:size], lambda name, data: full.__setitem__((name.level, name.index), data))

    def pyramid(level: int, index: int) -> list[list[bytes]]:
        data = full.get((level, index)) or b"".join(edge.rows[level])
        return tiles.pyramid([data[i : i + 32] for i in range(0, len(data), 32)])

    return tiles.nodes_from(pyramid)


ROOTS = {size: ledger.root_of(ENTRIES[:size]) for size in [*range(66), *range(250, 260), 511, 512, 513, 600]}


def test_the_edge_gives_the_root_of_rfc_6962_at_every_size():
    """Appending one by one or in any batch leads to the same root as the definition."""
    edge = tiles.Edge()
    for size in range(601):
        if size in ROOTS:
            assert edge.root() == ROOTS[size]
        if size < 600:
            edge.append([LEAVES[size]], lambda name, data: None)


def test_inclusion_and_consistency_hold_for_every_pair_of_sizes():
    """Every leaf of every small tree, and trees across a tile's border, can be proved; nothing else passes."""
    for size in (*range(1, 34), 255, 256, 257, 513):
        nodes = nodes_of(size)
        assert tree.root(size, nodes) == ROOTS[size]
        for index in range(size) if size < 40 else (0, 1, 127, 254, size - 1):
            path = tree.inclusion_proof(index, size, nodes)
            tree.check_inclusion(LEAVES[index], index, size, path, ROOTS[size])
            with pytest.raises(ProofWrongError):
                tree.check_inclusion(LEAVES[index + 1], index, size, path, ROOTS[size])
            if size > 1:
                with pytest.raises(ProofWrongError):
                    tree.check_inclusion(LEAVES[index], (index + 1) % size, size, path, ROOTS[size])
        for old in (o for o in ROOTS if 0 < o <= size):
            path = tree.consistency_proof(old, size, nodes)
            check_consistency(old, ROOTS[old], size, ROOTS[size], path)
            if old < size:
                with pytest.raises(ProofWrongError):
                    check_consistency(old, ROOTS[old], size, bytes(32), path)
                with pytest.raises(ProofWrongError):
                    check_consistency(old, bytes(32), size, ROOTS[size], path)


def test_a_shrunken_log_is_not_consistent():
    """A head smaller than the one seen is refused."""
    with pytest.raises(ProofWrongError):
        check_consistency(5, ROOTS[5], 4, ROOTS[4], [])


def test_the_specification_s_example_note_opens():
    """C2SP's own example key and note."""
    key = note.parse_vkey(VKEY)
    assert key.vkey == VKEY
    assert note.open_note(NOTE, [key]) == ("This is an example message.\n", (key,))


@given(st.integers(0, len(NOTE) - 1), st.integers(1, 127))
def test_no_changed_note_opens(at, mask):
    """One changed character: malformed, unknown key or wrong signature, never opened."""
    changed = NOTE[:at] + chr(ord(NOTE[at]) ^ mask) + NOTE[at + 1 :]
    with pytest.raises(EsignError):
        note.open_note(changed, [note.parse_vkey(VKEY)])


@given(st.text(max_size=200))
def test_any_text_is_a_note_or_a_typed_error(text):
    """Parsing never fails otherwise than by its own error."""
    with pytest.raises((NoteMalformedError, NoteUntrustedError)):
        note.open_note(text, [note.parse_vkey(VKEY)])
    with pytest.raises(NoteMalformedError):
        ledger.parse_receipt(text)


def test_a_signature_of_an_unknown_key_is_passed_over():
    """Witness cosignatures do not disturb those who do not know the witness."""
    key = note.parse_vkey(VKEY)
    with_stranger = NOTE + "— witness.example " + base64.b64encode(bytes(76)).decode() + "\n"
    assert note.open_note(with_stranger, [key])[1] == (key,)


def test_a_receipt_proves_its_entry_and_no_other():
    """The text form carries entry, path and checkpoint; another entry, index or log key fails."""
    signer = note.NoteSigner.prepare("log.example", Ed25519PrivateKey.generate())
    entry = ledger.encode(ledger.Entry(ledger.EntryType.EVIDENCE, 1, document_sha256="ab" * 32))
    edge = tiles.Edge()
    sibling = tree.leaf_hash(b"other")
    edge.append([tree.leaf_hash(entry), sibling], lambda name, data: None)
    head = ledger.sign_checkpoint(ledger.Checkpoint("log.example", 2, edge.root()), signer)
    text = ledger.Receipt(entry, 0, (sibling,), head).text
    assert ledger.parse_receipt(text).text == text
    found, checkpoint = ledger.check_receipt(ledger.parse_receipt(text), [signer.verifier])
    assert (found.document_sha256, checkpoint.size) == ("ab" * 32, 2)
    for wrong in (text.replace("index 0", "index 1"), text.replace("\n2\n", "\n3\n")):
        with pytest.raises(EsignError):
            ledger.check_receipt(ledger.parse_receipt(wrong), [signer.verifier])
    with pytest.raises(NoteUntrustedError):
        ledger.check_receipt(ledger.parse_receipt(text), [note.parse_vkey(VKEY)])


@pytest.mark.parametrize(
    ("index", "path"),
    [(0, "tile/0/000"), (255, "tile/0/255"), (1234067, "tile/0/x001/x234/067"), (1000, "tile/0/x001/000")],
)
def test_tile_paths_are_those_of_the_specification(index, path):
    """Names round-trip, and other spellings are refused."""
    assert tiles.TileName(0, index).path == path
    assert tiles.parse_path(path) == tiles.TileName(0, index)


@pytest.mark.parametrize(
    "path",
    ["", "tile", "tile/0/0", "tile/00/000", "tile/64/000", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/x000/000",
     "tile/0/../../checkpoint", "tile/entries/000/", "/tile/0/000", "tile/0/000\n", "tile/0/٠٠٠"],
)  # fmt: skip
def test_no_other_path_names_a_tile(path):
    """Traversal and second spellings are errors, not files."""
    with pytest.raises(NoteMalformedError):
        tiles.parse_path(path)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"v":1}', b'{"v":1,"type":"evidence","time_us":1}',
                                  b'{"time_us":1,"type":"evidence","v":1,"x":2}', b"\xff"])  # fmt: skip
def test_an_entry_has_one_spelling(data):
    """Anything but the canonical bytes is refused."""
    with pytest.raises(NoteMalformedError):
        ledger.decode(data)


def test_an_entry_cannot_hold_a_name():
    """Codes and hashes only."""
    with pytest.raises(NoteMalformedError):
        ledger.Entry(ledger.EntryType.SEAL_CHANGED, 1, seal="张三")


def test_one_entry_is_found_in_its_bundle():
    """The same entries as by cutting the whole bundle, and nothing beyond its end."""
    data = tiles.bundle(ENTRIES[:256])
    assert [tiles.entry_in(data, index) for index in range(256)] == tiles.unbundle(data)
    for wrong, index in ((data, 256), (data, 300), (data[:-1], 255), (b"", 0), (b"\0", 0), (b"\0", 1)):
        with pytest.raises(NoteMalformedError):
            tiles.entry_in(wrong, index)
