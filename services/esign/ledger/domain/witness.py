"""Witnesses: who else saw this checkpoint, and how many of them a verifier demands.

A witness signs the newest head of a log only after it has proved to itself that the head continues the one it signed
before. Formats: C2SP tlog-cosignature (Ed25519, `cosignature/v1`), tlog-witness (add-checkpoint), tlog-policy.
"""

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from services.esign.domain.errors import NoteMalformedError, NoteUntrustedError
from services.esign.domain.malformed import parser
from services.esign.ledger.domain import note

_COSIGNER = b"\x04"
_STAMP = 8
# tlog-cosignature: a timestamp above this is malformed.
_LATEST_S = (1 << 63) - 1
MAX_PROOF = 63
# Twice what the specification asks implementations to bear; a policy is a short file.
MAX_NAMES = 64
_SIZE = re.compile(r"0|[1-9]\d{0,18}")


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """A witness's name and public key."""

    name: str
    key_id: bytes
    public: bytes

    @property
    def vkey(self) -> str:
        """The key as text: name+id+key."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(_COSIGNER + self.public).decode()}"


def parse_vkey(text: str) -> WitnessKey:
    """A witness's key from its text (signature type 0x04). Raises NoteMalformedError."""
    name, typed = note.split_vkey(text)
    if typed[:1] != _COSIGNER or len(typed) != 33:
        raise _malformed("VKEY", "not an Ed25519 cosigner key")
    return WitnessKey(name, note.key_id(name, typed), typed[1:])


def is_witness(vkey: str) -> bool:
    """Tells whether a verifier key is one that cosigns. Raises NoteMalformedError."""
    return note.split_vkey(vkey)[1][:1] == _COSIGNER


def signed_message(body: str, time_s: int) -> bytes:
    """The message that a cosignature signs: header, time (POSIX seconds), and the checkpoint's note text."""
    return f"cosignature/v1\ntime {time_s}\n{body}".encode()


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A witness's statement: at `time_s` (POSIX seconds) this was the largest consistent head it knew of."""

    witness: WitnessKey
    time_s: int
    line: str


@parser(lambda _: _malformed("NOTE_TEXT", "not text"), NoteMalformedError, NoteUntrustedError)
def cosignatures(text: str, witnesses: Iterable[WitnessKey]) -> tuple[Cosignature, ...]:
    """The cosignatures of known witnesses on a checkpoint; others are passed over.

    Raises NoteMalformedError; NoteUntrustedError when a known witness's line is wrong.
    """
    known = {(key.name, key.key_id): key for key in witnesses}
    body, lines = note.split(text)
    found: dict[WitnessKey, Cosignature] = {}
    for name, key_id, signature in lines:
        key = known.get((name, key_id))
        if key is None or key in found:
            continue
        time_s = int.from_bytes(signature[:_STAMP], "big")
        if (
            len(signature) != _STAMP + 64
            or not 0 < time_s <= _LATEST_S
            or not note.signed_by(key.public, signature[_STAMP:], signed_message(body, time_s))
        ):
            raise NoteUntrustedError("COSIGNATURE", f"cosignature of {name} is wrong", f"{name} 的联署无效")
        encoded = base64.b64encode(key_id + signature).decode()
        found[key] = Cosignature(key, time_s, f"— {name} {encoded}\n")
    return tuple(found.values())


def with_cosignatures(text: str, found: Iterable[Cosignature]) -> str:
    """The checkpoint with these cosignatures, each in place of an earlier one of the same witness.

    Raises NoteMalformedError.
    """
    new = {(one.witness.name, one.witness.key_id): one.line for one in found}
    body, lines = note.split(text)
    kept = [
        f"— {name} {base64.b64encode(key_id + signature).decode()}\n"
        for name, key_id, signature in lines
        if (name, key_id) not in new
    ]
    return "".join((body, "\n", *kept, *new.values()))


def add_checkpoint(old: int, proof: Sequence[bytes], checkpoint: str) -> str:
    """The body of an add-checkpoint request. Raises ValueError above 63 hashes."""
    if len(proof) > MAX_PROOF:
        raise ValueError("a consistency proof has at most 63 hashes")
    lines = [f"old {old}", *(base64.b64encode(step).decode() for step in proof)]
    return "\n".join(lines) + "\n\n" + checkpoint


def conflict_size(body: str) -> int:
    """The size a witness states when it refuses with 409. Raises NoteMalformedError."""
    if not body.endswith("\n") or not _SIZE.fullmatch(body[:-1]):
        raise _malformed("WITNESS_SIZE", "a size was expected")
    return int(body)


@dataclass(frozen=True, slots=True)
class Quorum:
    """At least `least` of the members: witnesses, or groups of them."""

    least: int = 0
    members: tuple["WitnessKey | Quorum", ...] = ()

    def met_by(self, cosigners: Iterable[WitnessKey]) -> bool:
        present = frozenset(cosigners)
        met = sum(m.met_by(present) if isinstance(m, Quorum) else m in present for m in self.members)
        return met >= self.least


@dataclass(frozen=True, slots=True)
class Policy:
    """Known witnesses, how many must have cosigned, and the logs a policy file names."""

    witnesses: tuple[WitnessKey, ...] = ()
    quorum: Quorum = field(default_factory=Quorum)
    logs: tuple[note.VerifierKey, ...] = ()

    @classmethod
    def k_of_n(cls, witnesses: Sequence[WitnessKey], least: int) -> "Policy":
        """Any `least` of the witnesses. Raises ValueError when there are fewer."""
        if not 0 <= least <= len(witnesses):
            raise ValueError("a quorum lies between none and all witnesses")
        return cls(tuple(witnesses), Quorum(least, tuple(witnesses)))

    @property
    def demanding(self) -> bool:
        """Tells whether it asks for any cosignature at all."""
        return self.quorum.least > 0

    def check(self, text: str) -> tuple[Cosignature, ...]:
        """The known witnesses' cosignatures on a checkpoint.

        Raises NoteMalformedError; NoteUntrustedError COSIGNATURE when one is wrong, COSIGNATURES_PENDING when they
        do not suffice.
        """
        found = cosignatures(text, self.witnesses)
        if not self.quorum.met_by(one.witness for one in found):
            raise NoteUntrustedError(
                "COSIGNATURES_PENDING",
                f"cosigned by {len(found)} of {len(self.witnesses)} known witnesses; the policy asks for more",
                f"见证联署不足：{len(self.witnesses)} 家已知见证方中 {len(found)} 家联署",
            )
        return found

    @property
    def text(self) -> str:
        """As a tlog-policy file; only for a policy of one level, as `k_of_n` makes them."""
        lines = [f"log {key.vkey}" for key in self.logs]
        lines += [f"witness w{number} {key.vkey}" for number, key in enumerate(self.witnesses, 1)]
        if not self.demanding:
            return "\n".join([*lines, "quorum none\n"])
        names = " ".join(f"w{number}" for number in range(1, len(self.witnesses) + 1))
        return "\n".join([*lines, f"group witnesses {self.quorum.least} {names}", "quorum witnesses\n"])


def parse_policy(text: str) -> Policy:
    """A C2SP tlog-policy file. Raises NoteMalformedError naming the line."""
    reader = _PolicyReader()
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            reader.take(words)
        except (ValueError, KeyError, IndexError, NoteMalformedError) as cause:
            raise _malformed("POLICY", f"policy, line {number}: {cause}") from cause
    return reader.done()


class _PolicyReader:
    def __init__(self) -> None:
        self._named: dict[str, WitnessKey | Quorum] = {}
        self._members = set[str]()
        self._logs: list[note.VerifierKey] = []
        self._quorum: Quorum | None = None

    def take(self, words: Sequence[str]) -> None:
        kind, *rest = words
        match kind:
            case "log" if len(rest) in {1, 2}:
                self._log(note.parse_vkey(rest[0]))
            case "witness" if len(rest) in {2, 3}:
                self._witness(rest[0], parse_vkey(rest[1]))
            case "group" if len(rest) >= 3:
                self._define(rest[0], self._group(rest[1], rest[2:]))
            case "quorum" if len(rest) == 1 and self._quorum is None:
                self._quorum = Quorum() if rest[0] == "none" else Quorum(1, (self._named[rest[0]],))
            case _:
                raise ValueError("not understood")

    def done(self) -> Policy:
        if self._quorum is None:
            raise _malformed("POLICY", "policy without a quorum line")
        witnesses = tuple(one for one in self._named.values() if isinstance(one, WitnessKey))
        return Policy(witnesses, self._quorum, tuple(self._logs))

    def _log(self, key: note.VerifierKey) -> None:
        if any(known.public == key.public for known in self._logs):
            raise ValueError("the same log twice")
        self._logs.append(key)

    def _witness(self, name: str, key: WitnessKey) -> None:
        if any(isinstance(known, WitnessKey) and known.public == key.public for known in self._named.values()):
            raise ValueError("the same witness twice")
        self._define(name, key)

    def _define(self, name: str, what: WitnessKey | Quorum) -> None:
        if name == "none" or name in self._named or len(self._named) >= MAX_NAMES:
            raise ValueError(f"name {name} is taken, or there are too many")
        self._named[name] = what

    def _group(self, least: str, names: Sequence[str]) -> Quorum:
        # Each name counts in one place only, or one witness could count twice.
        if self._members.intersection(names) or len(set(names)) != len(names):
            raise ValueError("a member of two groups")
        members = tuple(self._named[name] for name in names)
        self._members.update(names)
        number = {"all": len(members), "any": 1}.get(least) or int(least)
        if not 1 <= number <= len(members):
            raise ValueError("a group needs between one and all of its members")
        return Quorum(number, members)


def _malformed(reason: str, en: str) -> NoteMalformedError:
    return NoteMalformedError(reason, en, "见证联署数据格式错误")
