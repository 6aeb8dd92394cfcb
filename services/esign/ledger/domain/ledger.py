"""The ledger: what is logged, checkpoints over it, and receipts that prove inclusion without the network.

A witnessed log, not a consensus: whoever holds the key can only append, and everybody who keeps a checkpoint can show
it if the log is ever rewritten. Formats: C2SP tlog-checkpoint, signed-note, tlog-proof@v1; tree: RFC 6962.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum

from services.esign.domain.digests import SHA256, SM3, Digest
from services.esign.domain.errors import NoteMalformedError, NoteUntrustedError
from services.esign.domain.malformed import parser
from services.esign.domain.moments import LAST_US
from services.esign.ledger.domain import note, tree
from services.esign.ledger.domain.witness import Policy

MAX_PROOF = 64
UNLOGGED = -1
"""The index of what is not in the ledger yet."""
MOST_RECEIPT = 64 * 1024
"""Characters of a receipt: far above 64 hashes, one entry, and a checkpoint with its cosignatures."""
_HASH_HEX = re.compile(r"(?:[0-9a-f]{64})?")
_IDENTIFIER = re.compile(r"[A-Za-z0-9._:/-]{0,80}")
_DECIMAL = re.compile(r"0|[1-9]\d{0,18}")


class EntryType(StrEnum):
    DOCUMENT_SEALED = "document.sealed"
    DOCUMENT_REVOKED = "document.revoked"
    SEAL_CHANGED = "seal.changed"
    CERTIFICATE_ONCE = "certificate.once"
    EVIDENCE = "evidence"
    LICENCE_ISSUED = "licence.issued"
    LICENCE_CHANGED = "licence.changed"
    FLOW_BEGUN = "flow.begun"
    FLOW_STEP = "flow.step"
    FLOW_ENDED = "flow.ended"
    HASHES_SIGNED = "hashes.signed"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: digests and codes only. Never a name or number, nor a digest of one that could be guessed.

    `time_us` is the hub's clock in µs; hashes are in lower-case hex or empty, SHA-256 or, under the names that end in
    sm3, SM3 (see `Marks`); a commitment is salted; `state` is the new state of a seal; `epoch` the store's epoch when
    the entry was made; `source` and `kind` say whose and what evidence it is; `flow`, `scenario` and
    `step` (keys of the scenario) which flow stood where, with the outcome in `state`. A sealed document that was made
    in a second form too names that one's digest in `kind`: a field of its own would make the entry unreadable for
    verifiers from before.
    """

    type: EntryType
    time_us: int
    document_sha256: str = ""
    seal: str = ""
    certificate_sha256: str = ""
    commitment: str = ""
    state: str = ""
    epoch: int = 0
    source: str = ""
    kind: str = ""
    document_sm3: str = ""
    certificate_sm3: str = ""
    commitment_sm3: str = ""
    flow: str = ""
    scenario: str = ""
    step: str = ""

    def __post_init__(self) -> None:
        hashes = (
            *(self.document_sha256, self.certificate_sha256, self.commitment),
            *(self.document_sm3, self.certificate_sm3, self.commitment_sm3),
        )
        if not all(_HASH_HEX.fullmatch(h) for h in hashes):
            raise NoteMalformedError("ENTRY", "hashes are 64 hexadecimal digits", "日志条目格式错误")
        codes = (self.seal, self.state, self.source, self.kind, self.flow, self.scenario, self.step)
        if not all(_IDENTIFIER.fullmatch(i) for i in codes) or not 0 <= self.time_us <= LAST_US or self.epoch < 0:
            raise NoteMalformedError("ENTRY", "codes only", "日志条目格式错误")

    @property
    def digests(self) -> frozenset[str]:
        """Names of the algorithms that its digests are with."""
        older = bool(self.document_sha256 or self.certificate_sha256 or self.commitment)
        newer = bool(self.document_sm3 or self.certificate_sm3 or self.commitment_sm3)
        return frozenset(d.name for d, used in ((SHA256, older), (SM3, newer)) if used)

    @property
    def document(self) -> tuple[Digest, str]:
        """The digest (hex) of a document that it has, and what that is made with; empty when it has none."""
        return (SM3, self.document_sm3) if self.document_sm3 else (SHA256, self.document_sha256)

    def is_of(self, document: bytes) -> bool:
        """Tells whether the entry is about these bytes: every digest it has of a document is theirs, and it has one."""
        return _agree({SHA256: self.document_sha256, SM3: self.document_sm3}, document)

    def is_of_ofd(self, document: bytes) -> bool:
        """Tells whether these bytes are the OFD form of the document that the entry is about."""
        found = _OFD_FORM.fullmatch(self.kind) if self.type is EntryType.DOCUMENT_SEALED else None
        return found is not None and _BY_NAME[found[1]].of(document).hex() == found[2]

    def names(self, certificate: bytes) -> bool:
        """Tells whether the entry names this certificate (DER)."""
        return _agree({SHA256: self.certificate_sha256, SM3: self.certificate_sm3}, certificate)


_BY_NAME = {digest.name: digest for digest in (SHA256, SM3)}
_OFD_FORM = re.compile(rf"ofd:({'|'.join(_BY_NAME)}):([0-9a-f]{{64}})")
_FIELDS = tuple(field.name for field in fields(Entry))


def _agree(stated: Mapping[Digest, str], data: bytes) -> bool:
    present = {digest: value for digest, value in stated.items() if value}
    return bool(present) and all(digest.of(data).hex() == value for digest, value in present.items())


@dataclass(frozen=True, slots=True)
class Marks:
    """The digests of an entry, all with one algorithm and under its own names; `Entry` takes them."""

    digest: Digest = SHA256

    def document(self, document: bytes) -> dict[str, str]:
        return {f"document_{self.digest.name}": self.digest.of(document).hex()}

    def ofd(self, document: bytes) -> dict[str, str]:
        """Digest of the OFD form of the same document; nothing when it has none."""
        return {"kind": f"ofd:{self.digest.name}:{self.digest.of(document).hex()}"} if document else {}

    def certificate(self, certificate: bytes) -> dict[str, str]:
        """Digest of a certificate in DER."""
        return {f"certificate_{self.digest.name}": self.digest.of(certificate).hex()}

    def commitment(self, *parts: bytes) -> dict[str, str]:
        """Over the parts joined, of which the first is a salt."""
        return self.committed(self.digest.of(*parts))

    def committed(self, value: bytes) -> dict[str, str]:
        """For a salted digest that somebody made already."""
        return {"commitment_sm3" if self.digest is SM3 else "commitment": value.hex()}


def encode(entry: Entry) -> bytes:
    """The entry's bytes, the only spelling: JSON, keys sorted, empty fields left out, `v` 1."""
    values = ((name, getattr(entry, name)) for name in _FIELDS)
    fields = {name: value for name, value in values if value != "" and (value != 0 or name == "time_us")}
    return json.dumps({**fields, "v": 1}, sort_keys=True, separators=(",", ":")).encode()


@parser(lambda _: NoteMalformedError("ENTRY", "not an entry", "日志条目格式错误"), NoteMalformedError)
def decode(data: bytes) -> Entry:
    """The entry of such bytes. Raises NoteMalformedError."""
    fields = json.loads(data)
    if not isinstance(fields, dict) or fields.pop("v", None) != 1:
        raise NoteMalformedError("ENTRY", "not an entry of version 1", "日志条目格式错误")
    entry = Entry(**{**fields, "type": EntryType(str(fields.get("type")))})
    if encode(entry) != data:
        raise NoteMalformedError("ENTRY", "not the entry's only spelling", "日志条目格式错误")
    return entry


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: `origin` names the log, `root` is the RFC 6962 root over `size` entries."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def sign_checkpoint(checkpoint: Checkpoint, signer: note.NoteSigner) -> str:
    """The checkpoint as a signed note."""
    return signer.sign(checkpoint.text)


def open_checkpoint(text: str, keys: Iterable[note.VerifierKey]) -> Checkpoint:
    """A checkpoint signed by a known key whose name is its origin. Raises NoteMalformedError, NoteUntrustedError."""
    body, signers = note.open_note(text, keys)
    checkpoint = parse_checkpoint(body)
    if checkpoint.origin not in {signer.name for signer in signers}:
        raise NoteUntrustedError("LOG_UNKNOWN", "not signed by the log it names", "检查点不是该日志签署的")
    return checkpoint


def parse_checkpoint(body: str) -> Checkpoint:
    """The note text of a checkpoint. Raises NoteMalformedError."""
    lines = body.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]) or not _DECIMAL.fullmatch(lines[1]):
        raise NoteMalformedError("CHECKPOINT", "not a checkpoint", "检查点格式错误")
    return Checkpoint(lines[0], int(lines[1]), _hash(lines[2]))


def stated_head(text: str) -> Checkpoint:
    """Reads the checkpoint of a signed note without checking its signatures. Raises NoteMalformedError."""
    return parse_checkpoint(note.split(text)[0])


def stated_size(text: str) -> int:
    """The number of entries that a signed checkpoint states; 0 where there is none. Raises NoteMalformedError."""
    return stated_head(text).size if text else 0


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that an entry is in the log: where, the path, and the signed checkpoint (note text)."""

    entry: bytes
    index: int
    path: tuple[bytes, ...]
    checkpoint: str

    @property
    def text(self) -> str:
        """As tlog-proof@v1; `extra` carries the entry itself, since its bytes are what the leaf hashes."""
        lines = [
            "c2sp.org/tlog-proof@v1",
            f"extra {base64.b64encode(self.entry).decode()}",
            f"index {self.index}",
            *(base64.b64encode(step).decode() for step in self.path),
            "",
            self.checkpoint,
        ]
        return "\n".join(lines)


@parser(lambda _: NoteMalformedError("RECEIPT", "malformed extra line", "存证回执格式错误"), NoteMalformedError)
def parse_receipt(text: str) -> Receipt:
    """A receipt from tlog-proof@v1 text. Raises NoteMalformedError."""
    if len(text) > MOST_RECEIPT:
        raise NoteMalformedError("RECEIPT", "longer than any tlog-proof@v1", "存证回执格式错误")
    head, blank, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if not blank or len(lines) < 3 or lines[0] != "c2sp.org/tlog-proof@v1" or len(lines) > 3 + MAX_PROOF:
        raise NoteMalformedError("RECEIPT", "not a tlog-proof@v1", "存证回执格式错误")
    if not lines[1].startswith("extra ") or not lines[2].startswith("index ") or not _DECIMAL.fullmatch(lines[2][6:]):
        raise NoteMalformedError("RECEIPT", "extra and index lines expected", "存证回执格式错误")
    entry = base64.b64decode(lines[1][6:], validate=True)
    return Receipt(entry, int(lines[2][6:]), tuple(_hash(line) for line in lines[3:]), checkpoint)


def check_receipt(
    receipt: Receipt, keys: Iterable[note.VerifierKey], *, policy: Policy | None = None
) -> tuple[Entry, Checkpoint]:
    """The entry it proves and the checkpoint it is under, cosigned as `policy` demands.

    Raises NoteMalformedError, NoteUntrustedError (COSIGNATURES_PENDING: sound, but too few witnesses), ProofWrongError.
    """
    checkpoint = open_checkpoint(receipt.checkpoint, keys)
    leaf = tree.leaf_hash(receipt.entry)
    tree.check_inclusion(leaf, receipt.index, checkpoint.size, receipt.path, checkpoint.root)
    if policy is not None:
        policy.check(receipt.checkpoint)
    return decode(receipt.entry), checkpoint


def sealed_entry(
    document: bytes,
    seal: str,
    certificate: bytes,
    commitment: bytes,
    time_us: int,
    epoch: int = 0,
    *,
    marks: Marks = Marks(),
) -> Entry:
    """Entry for a sealed document (its final bytes) and the seal's certificate (DER). `commitment` is salted."""
    digests = {**marks.document(document), **marks.certificate(certificate), **marks.committed(commitment)}
    return Entry(EntryType.DOCUMENT_SEALED, time_us, seal=seal, epoch=epoch, **digests)


def root_of(entries: Sequence[bytes]) -> bytes:
    """Root over entries, by the definition of RFC 6962: the slow way that the fast one is tested against."""
    if not entries:
        return tree.EMPTY_ROOT
    if len(entries) == 1:
        return tree.leaf_hash(entries[0])
    middle = 1 << (len(entries) - 1).bit_length() - 1
    return tree.node_hash(root_of(entries[:middle]), root_of(entries[middle:]))


@parser(lambda _: NoteMalformedError("HASH", "malformed hash", "哈希格式错误"), NoteMalformedError)
def _hash(line: str) -> bytes:
    raw = base64.b64decode(line, validate=True)
    if len(raw) != tree.HASH_SIZE or base64.b64encode(raw).decode() != line:
        raise NoteMalformedError("HASH", "not a SHA-256", "哈希格式错误")
    return raw
