"""Auditing the ledger's files, and what others wrote into it, for the command line."""

import contextlib
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from services.esign import store
from services.esign.commands.trust import trust_files
from services.esign.config import KeyFiles
from services.esign.domain.errors import EsignError
from services.esign.evidence import check as evidence_check
from services.esign.evidence.check import EvidenceReport, EvidenceUnreadableError
from services.esign.flows.recount import Kept, RecountReport, kept_in, recount
from services.esign.ledger import monitor
from services.esign.ledger.domain import ledger, note, tiles, tree
from services.esign.ledger.domain.tiles import TileName
from services.esign.ledger.store import heads
from services.esign.ledger.store.copying import copy_ledger
from services.esign.verification import plain_files
from services.esign.verification.files import TrustError, load_trust
from services.esign.verification.offline import TrustSource
from shuniu.kit.process.clock import SystemClock
from shuniu.kit.process.config import HubSettings, load
from shuniu.kit.store import Store

MONITOR_EXIT_CODES = monitor.EXIT_CODES
MONITOR_ALARM = monitor.EXIT_CODES[monitor.Finding.FORKED]


@dataclass(slots=True)
class LedgerReport:
    """The result of an audit of a log's files. `problems` empty: every entry and tile gives the signed root."""

    origin: str = ""
    size: int = 0
    root: bytes = b""
    entries_by_type: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not self.problems


def hub_ledger_verify(config: Path) -> LedgerReport:
    """`ledger_verify` over this hub's own ledger."""
    vkeys = [note.parse_vkey(text) for text in trust_files(config)["ledger.vkey"].split()]
    return ledger_verify(KeyFiles(load(HubSettings, config, "hub").data_dir).ledger, vkeys)


async def backup_ledger(config: Path, target: Path, url: str) -> ledger.Checkpoint | None:
    """Copies this hub's ledger into the new directory `target`, also while it grows. Returns its head, None when new.

    `url`: the copy of esign's store that will stand beside it, or that store itself, copied before. The copy holds all
    that this store remembers. Raises TrustError, one sentence, when it cannot be made so; OSError.
    """
    vkeys = [note.parse_vkey(text) for text in trust_files(config)["ledger.vkey"].split()]
    kept = Store.unchecked(url, store.METADATA, clock=SystemClock(), writer="backup")
    try:
        text = await kept.read(heads.remembered_head)
    finally:
        await kept.close()
    try:
        remembered = ledger.open_checkpoint(text, vkeys) if text else None
        directory = KeyFiles(load(HubSettings, config, "hub").data_dir).ledger
        return copy_ledger(directory, target, vkeys, remembered=remembered)
    except EsignError as cause:
        raise TrustError(f"{cause.zh} / {cause.reason}: {cause.en}") from cause


def check_evidence(path: Path, source: TrustSource = None) -> EvidenceReport:
    """Tells whether the ledger holds the record of an evidence file. Exit codes: `EXIT_CODES`, and 3 for unreadable.

    Raises OSError when the file cannot be read, EvidenceUnreadableError when it is none, TrustError.
    """
    trust = load_trust(source)
    data = plain_files.beginning(path, evidence_check.MOST_BYTES + 1)
    if len(data) > evidence_check.MOST_BYTES:
        raise EvidenceUnreadableError("too long for evidence")
    try:
        return evidence_check.check(data.decode(), trust)
    except UnicodeDecodeError as cause:
        raise EvidenceUnreadableError("not UTF-8") from cause


async def hub_recount(config: Path, ask: Callable[[], Awaitable[Kept]]) -> RecountReport:
    """Signing flows counted anew from this hub's ledger, compared with what `ask` says. Raises OSError, TrustError."""
    vkeys = [note.parse_vkey(text) for text in trust_files(config)["ledger.vkey"].split()]
    directory = KeyFiles(load(HubSettings, config, "hub").data_dir).ledger
    try:
        return await recount(directory, vkeys, ask)
    except EsignError as cause:
        raise TrustError(str(cause)) from cause


async def kept_in_store(url: str) -> Kept:
    """The counts of esign's store, while no service runs."""
    kept = Store.unchecked(url, store.METADATA, clock=SystemClock(), writer="recount")
    try:
        return await kept.read(kept_in)
    finally:
        await kept.close()


def ledger_monitor(
    memory_file: Path, keys: Sequence[str], *, url: str = "", directory: Path | None = None, ca: Path | None = None
) -> monitor.Report:
    """One look at a log by its verifier keys: over HTTP at `url` (`ca`: PEM to trust instead of the system's), or in
    `directory`. Remembers what it saw in `memory_file`; a contradiction goes beside it as `<memory_file>.proof`.

    Raises TrustError for a key, OSError or ValueError for a memory that cannot be used.
    """
    try:
        vkeys = [note.parse_vkey(text) for text in keys]
    except EsignError as cause:
        raise TrustError(str(cause)) from cause
    memory = monitor.Memory.load(memory_file)
    before = memory.checkpoint
    with contextlib.ExitStack() as stack:
        source: monitor.Source
        if directory is not None:
            source = monitor.Folder(directory)
        else:
            context = ssl.create_default_context(cafile=ca)
            source = monitor.Web(stack.enter_context(httpx.Client(verify=context, timeout=30.0)), url)
        report = monitor.Monitor(source, vkeys).look(memory)
    if memory.checkpoint != before:
        memory.save(memory_file)
    if report.proof:
        memory_file.with_name(memory_file.name + ".proof").write_text("\n".join(report.proof), encoding="utf-8")
    return report


def ledger_verify(
    directory: Path, keys: Sequence[note.VerifierKey], *, earlier: ledger.Checkpoint | None = None
) -> LedgerReport:
    """Re-reads a whole log: checkpoint signature, every entry, every tile, the root; and that it continues `earlier`.

    Reads public files only, so it can run beside the service or on a copy. Never raises for a bad log: the report
    says it.
    """
    report = LedgerReport()
    try:
        head = ledger.open_checkpoint((directory / "checkpoint").read_text(encoding="utf-8"), keys)
    except (OSError, UnicodeDecodeError, EsignError) as cause:
        report.problems.append(f"checkpoint: {cause}")
        return report
    report.origin, report.size, report.root = head.origin, head.size, head.root
    edge = tiles.Edge()
    roots: dict[int, bytes] = {}

    def compare(name: TileName, data: bytes) -> None:
        if _file(directory, name, report) not in {None, data}:
            report.problems.append(f"{name.path}: not the hashes of its entries")

    for start in range(0, head.size, tiles.WIDTH):
        width = min(tiles.WIDTH, head.size - start)
        entries = _entries(directory, TileName(None, start // tiles.WIDTH, width), report)
        if entries is None:
            return report
        for entry in entries:
            _count(report, entry)
        leaves = [tree.leaf_hash(entry) for entry in entries]
        if earlier is not None and start < earlier.size <= start + width:
            part = earlier.size - start
            edge.append(leaves[:part], compare)
            roots[earlier.size] = edge.root()
            edge.append(leaves[part:], compare)
        else:
            edge.append(leaves, compare)
    for name, data in edge.partial():
        compare(name, data)
    if edge.root() != head.root:
        report.problems.append("the entries do not give the root that the checkpoint signs")
    if earlier is not None and earlier.size and roots.get(earlier.size) != earlier.root:
        report.problems.append(f"the log does not continue the checkpoint of size {earlier.size}")
    return report


def _entries(directory: Path, name: TileName, report: LedgerReport) -> list[bytes] | None:
    data = _file(directory, name, report)
    if data is None:
        return None
    try:
        entries = tiles.unbundle(data)
    except EsignError:
        entries = []
    if len(entries) < name.width:
        report.problems.append(f"{name.path}: malformed")
        return None
    return entries[: name.width]


def _file(directory: Path, name: TileName, report: LedgerReport) -> bytes | None:
    """The tile, or the beginning of the full one where a partial one has been superseded."""
    for candidate in (name, TileName(name.level, name.index)):
        try:
            data = (directory / candidate.path).read_bytes()
        except FileNotFoundError:
            continue
        return data if name.level is None else data[: name.width * tree.HASH_SIZE]
    report.problems.append(f"{name.path}: missing")
    return None


def _count(report: LedgerReport, entry: bytes) -> None:
    try:
        kind = ledger.decode(entry).type.value
    except EsignError:
        report.problems.append("an entry is not one of this hub's")
        kind = "unknown"
    report.entries_by_type[kind] = report.entries_by_type.get(kind, 0) + 1
