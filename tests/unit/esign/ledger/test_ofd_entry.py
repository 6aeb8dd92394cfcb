"""One entry of the ledger is about both forms of a document."""

import json

import pytest

from services.esign.domain.digests import SHA256, SM3, Digest
from services.esign.domain.errors import NoteMalformedError
from services.esign.ledger.domain import ledger
from services.esign.ledger.domain.ledger import Entry, EntryType, Marks, decode, encode

# What verifiers from before know.
_KNOWN = {"type", "time_us", "document_sha256", "document_sm3", "seal", "certificate_sha256", "kind", "v"}


@pytest.mark.parametrize("digest", [SHA256, SM3])
def test_an_entry_commits_to_both_forms(digest: Digest) -> None:
    """Each form is recognised as what it is, and as nothing else."""
    marks = Marks(digest)
    entry = Entry(EntryType.DOCUMENT_SEALED, 1, **marks.document(b"pdf"), **marks.ofd(b"ofd"))
    assert decode(encode(entry)) == entry
    assert (entry.is_of(b"pdf"), entry.is_of_ofd(b"ofd")) == (True, True)
    assert (entry.is_of(b"ofd"), entry.is_of_ofd(b"pdf"), entry.is_of_ofd(b"")) == (False, False, False)


def test_verifiers_from_before_read_it() -> None:
    """No field that they do not know: their reader refuses those."""
    entry = Entry(EntryType.DOCUMENT_SEALED, 1, **Marks().document(b"pdf"), **Marks().ofd(b"ofd"))
    assert set(json.loads(encode(entry))) <= _KNOWN
    assert entry.document == (SHA256, SHA256.of(b"pdf").hex())


def test_a_document_without_ofd_has_the_entry_it_always_had() -> None:
    """Nothing changes where no OFD is made."""
    assert Marks().ofd(b"") == {}
    entry = Entry(EntryType.DOCUMENT_SEALED, 1, **Marks().document(b"pdf"), **Marks().ofd(b""))
    assert "kind" not in json.loads(encode(entry))
    assert not entry.is_of_ofd(b"")


@pytest.mark.parametrize(
    "entry",
    [
        Entry(EntryType.EVIDENCE, 1, kind=f"ofd:sha256:{SHA256.of(b'ofd').hex()}"),
        Entry(EntryType.DOCUMENT_SEALED, 1, kind=f"ofd:md5:{SHA256.of(b'ofd').hex()}"),
        Entry(EntryType.DOCUMENT_SEALED, 1, kind="ofd:sha256:" + "0" * 64),
    ],
)
def test_what_is_no_second_form(entry: Entry) -> None:
    """Entries of other types, other algorithms, other bytes."""
    assert not entry.is_of_ofd(b"ofd")


def test_the_digest_is_a_code_like_all_others() -> None:
    """Upper case or more is refused as ever."""
    with pytest.raises(NoteMalformedError):
        Entry(EntryType.DOCUMENT_SEALED, 1, kind="ofd:sha256:" + "0" * 80)
    assert ledger.Marks().ofd(b"x")["kind"].startswith("ofd:sha256:")
