"""What the command line may call without a running service: making keys, handing out trust material, judging a
document, and auditing the ledger's files.
"""

import asyncio
import contextlib
import dataclasses
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.esign import evidence_check, monitor, rotation, ses_document, store
from services.esign import keys as key_store
from services.esign.config import EsignSettings, KeyFiles
from services.esign.domain import ledger, note, ses, ses_check, sm2_chain, tiles, tree, witness
from services.esign.domain.errors import EsignError
from services.esign.domain.pdf import MAX_BYTES
from services.esign.domain.pdf_syntax import PdfError
from services.esign.domain.tiles import TileName
from services.esign.domain.verdict import Outcome, Step, Verdict
from services.esign.domain.verify import Trust, judge
from services.esign.evidence_check import EvidenceReport, EvidenceUnreadableError
from services.esign.recount import Kept, RecountReport, kept_in, recount
from services.esign.renewal import Authorities, renewed
from services.esign.seal_report import SealReport
from services.esign.timestamps import TimestampAwayError
from services.esign.witnesses import witness_sites
from shuniu.kit.clock import SystemClock
from shuniu.kit.config import HubSettings, load
from shuniu.kit.sql import Store

__all__ = [
    "EXIT_CODES",
    "MONITOR_ALARM",
    "MONITOR_EXIT_CODES",
    "Authorities",
    "EvidenceReport",
    "EvidenceUnreadableError",
    "Kept",
    "LedgerReport",
    "RecountReport",
    "RenewalError",
    "SealReport",
    "TrustError",
    "check_devices",
    "check_evidence",
    "hub_ledger_verify",
    "hub_recount",
    "initialise",
    "inspect_seal",
    "kept_in_store",
    "ledger_monitor",
    "ledger_verify",
    "load_trust",
    "renew_file",
    "rotate_ledger_key",
    "rotate_qr_key",
    "rotate_seal_ca",
    "rotate_seal_maker",
    "rotate_sm2_seal_ca",
    "rotate_timestamp_key",
    "rotate_wrapping_key",
    "software_keys",
    "trust_files",
    "verify_file",
]

MONITOR_EXIT_CODES = monitor.EXIT_CODES
MONITOR_ALARM = monitor.EXIT_CODES[monitor.Finding.FORKED]
EXIT_CODES = {Outcome.VALID: 0, Outcome.INVALID: 1, Outcome.INDETERMINATE: 2}
# Name that C2SP tlog-policy files have in a trust directory.
POLICY = "policy"
# Files of a trust directory whose certificates vouch for timestamps only.
_TSA = "tsa-"
# Far above any receipt: 64 hashes, one entry and a note.
_MAX_RECEIPT = 1 << 20


class TrustError(Exception):
    """A file of the trust directory cannot be used. The text names it."""


class RenewalError(Exception):
    """The document cannot be renewed. The text says why."""


def initialise(config: Path) -> None:
    """Makes what is absent of esign's keys and certificates; what is there stays."""
    key_store.make(load(HubSettings, config, "hub"), load(EsignSettings, config, "esign"))


def trust_files(config: Path) -> dict[str, str]:
    """Trust material of this hub, one file each: the root certificate (*.pem), the ledger's keys (*.vkey), and which
    witnesses a verifier should ask for (policy), when there are any.
    """
    hub, settings = load(HubSettings, config, "hub"), load(EsignSettings, config, "esign")
    secrets = key_store.Secrets.load(hub, settings)
    files = {
        "esign-root.pem": KeyFiles(hub.data_dir).root.read_text("ascii"),
        "ledger.vkey": "".join(f"{key.vkey}\n" for key in secrets.ledger_keys),
    }
    if secrets.sm is not None:
        files["esign-sm2.pem"] = secrets.sm.trust_pem.decode("ascii")
    if secrets.ca_roots:
        files["esign-ca.pem"] = secrets.ca_roots.decode("ascii")
    if settings.timestamp_roots.name:
        files[f"{_TSA}outside.pem"] = settings.timestamp_roots.read_text("ascii")
    sites, least = witness_sites(settings.witnesses, settings.witness_quorum)
    if sites:
        chosen = witness.Policy.k_of_n([site.key for site in sites], least)
        files[POLICY] = dataclasses.replace(chosen, logs=secrets.ledger_keys).text
    return files


def software_keys(config: Path) -> list[str]:
    """Esign's key files that hold a key themselves instead of naming a device: for development. Raises ConfigError."""
    return key_store.software_keys(KeyFiles(load(HubSettings, config, "hub").data_dir))


def check_devices(config: Path) -> dict[str, str]:
    """The devices that hold keys, each with what is wrong with it; nothing, when it answers. Raises ConfigError."""
    return key_store.check_devices(load(EsignSettings, config, "esign"))


def rotate_ledger_key(config: Path) -> str:
    """Makes the ledger's next key, which signs from the next start. Its verifier key."""
    return key_store.rotate_ledger_key(load(HubSettings, config, "hub"), load(EsignSettings, config, "esign")).vkey


def rotate_timestamp_key(config: Path) -> str:
    """The timestamp authority's next key and certificate, in force from the next start. Its serial number, hex."""
    hub, settings = load(HubSettings, config, "hub"), load(EsignSettings, config, "esign")
    return f"{rotation.rotate_timestamp_key(hub, settings).serial_number:x}"


def rotate_seal_ca(config: Path) -> str:
    """The next seal CA under the root, in force from the next start. Its serial number, hex."""
    hub, settings = load(HubSettings, config, "hub"), load(EsignSettings, config, "esign")
    return f"{rotation.rotate_seal_ca(hub, settings).serial_number:x}"


def rotate_sm2_seal_ca(config: Path) -> str:
    """The next SM2 seal CA under its root, in force from the next start. Its serial number, hex."""
    hub, settings = load(HubSettings, config, "hub"), load(EsignSettings, config, "esign")
    return f"{rotation.rotate_sm2_seal_ca(hub, settings).serial_number:x}"


def rotate_seal_maker(config: Path) -> str:
    """The next SM2 seal maker, in force from the next start. Its certificate's serial number, hex."""
    hub, settings = load(HubSettings, config, "hub"), load(EsignSettings, config, "esign")
    return f"{rotation.rotate_seal_maker(hub, settings).serial_number:x}"


def rotate_qr_key(config: Path) -> str:
    """The next key of QR codes, in force from the next start. Its key id."""
    return rotation.rotate_qr_key(load(HubSettings, config, "hub"), load(EsignSettings, config, "esign"))


def rotate_wrapping_key(config: Path) -> str:
    """The next key that wraps seal keys: from the next start it wraps, also again what older ones did. Its number."""
    number = key_store.add_wrapping_key(load(HubSettings, config, "hub"), load(EsignSettings, config, "esign"))
    return str(number)


def hub_ledger_verify(config: Path) -> "LedgerReport":
    """`ledger_verify` over this hub's own ledger."""
    vkeys = [note.parse_vkey(text) for text in trust_files(config)["ledger.vkey"].split()]
    return ledger_verify(KeyFiles(load(HubSettings, config, "hub").data_dir).ledger, vkeys)


def check_evidence(path: Path, trust_dir: Path | None = None) -> EvidenceReport:
    """Whether the ledger holds the record of an evidence file. Exit codes: `EXIT_CODES`, and 3 for unreadable.

    Raises OSError when the file cannot be read, EvidenceUnreadableError when it is none, TrustError.
    """
    trust = load_trust(trust_dir)
    with path.open("rb") as file:
        data = file.read(evidence_check.MOST_BYTES + 1)
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
    """What esign's store counts, while no service runs."""
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


def load_trust(directory: Path | None) -> Trust:
    """What a directory says may be trusted: roots (*.pem, one or more certificates each; tsa-*.pem vouch for timestamps
    only), keys of logs and witnesses (*.vkey, one a line), how many witnesses must have cosigned (`policy`, C2SP
    tlog-policy), and which certificates are revoked (*.crl, as `/crl` of the hub gives it, or PEM). Raises TrustError.
    """
    if directory is None:
        return Trust()
    if not directory.is_dir():
        raise TrustError(f"{directory}: not a directory")
    roots: list[x509.Certificate] = []
    tsa_roots: list[x509.Certificate] = []
    keys: list[note.VerifierKey] = []
    crls: list[bytes] = []
    witnesses: list[witness.WitnessKey] = []
    policy: witness.Policy | None = None
    for path in sorted(directory.iterdir()):
        try:
            if path.suffix == ".pem":
                into = tsa_roots if path.name.startswith(_TSA) else roots
                into += [c for c in x509.load_pem_x509_certificates(path.read_bytes()) if _is_root(c)]
            elif path.suffix == ".vkey":
                for line in filter(None, map(str.strip, path.read_text(encoding="utf-8").splitlines())):
                    if witness.is_witness(line):
                        witnesses.append(witness.parse_vkey(line))
                    else:
                        keys.append(note.parse_vkey(line))
            elif path.name == POLICY:
                policy = witness.parse_policy(path.read_text(encoding="utf-8"))
                keys += policy.logs
            elif path.suffix == ".crl":
                crls.append(_list(path.read_bytes()))
        except (OSError, ValueError, EsignError) as cause:
            raise TrustError(f"{path}: {cause}") from cause
    if policy is None and witnesses:
        # Known but not demanded: their cosignatures are checked and counted.
        policy = witness.Policy.k_of_n(witnesses, 0)
    return Trust(tuple(roots), tuple(keys), policy, tuple(tsa_roots), tuple(crls))


def _list(content: bytes) -> bytes:
    pem = content.startswith(b"-----BEGIN")
    return (x509.load_pem_x509_crl if pem else x509.load_der_x509_crl)(content).public_bytes(Encoding.DER)


def load_certificates(directory: Path | None) -> list[x509.Certificate]:
    """Every certificate of a trust directory's *.pem files. Raises TrustError."""
    found: list[x509.Certificate] = []
    for path in sorted(directory.glob("*.pem")) if directory else []:
        try:
            found += x509.load_pem_x509_certificates(path.read_bytes())
        except (OSError, ValueError) as cause:
            raise TrustError(f"{path}: {cause}") from cause
    return found


def _is_root(certificate: x509.Certificate) -> bool:
    """Whatever somebody put there, but of SM2 certificates the roots only: seal CA and seal makers lie beside them, for
    seal signatures (see `load_certificates`), and a maker must not vouch for itself.
    """
    return not sm2_chain.is_sm2(certificate) or certificate.issuer == certificate.subject


def verify_file(
    path: Path, trust_dir: Path | None = None, *, trust_any_signer: bool = False, now_us: int | None = None
) -> Verdict:
    """The offline verdict on a PDF; its receipt is `<path>.tlog-proof` when that exists.

    `verdict.readable` is False when the file is no PDF at all. Exit codes: `EXIT_CODES`, and 3 for unreadable. Raises
    OSError when the file cannot be read, TrustError when the trust directory cannot.
    """
    trust = load_trust(trust_dir)
    now_us = time.time_ns() // 1000 if now_us is None else now_us
    with path.open("rb") as file:
        # One byte more than allowed is enough for the verdict that it is too large.
        pdf = file.read(MAX_BYTES + 1)
    proof = path.with_name(path.name + ".tlog-proof")
    receipt = proof.read_bytes()[:_MAX_RECEIPT].decode("utf-8", errors="replace") if proof.exists() else None
    return judge(
        pdf,
        trust=trust,
        now_us=now_us,
        receipt=receipt,
        trust_any_signer=trust_any_signer,
        ses=_sidecar(path, pdf, trust_dir, now_us),
    )


def renew_file(path: Path, into: Path, trust_dir: Path | None, authorities: Authorities) -> Verdict:
    """Renews the PDF at `path` into `into` (the same file: replaced in one step), and judges what came of it.

    Raises RenewalError when it is INVALID already, or the authorities or the document do not allow it; OSError when a
    file cannot be read or written; TrustError when the trust directory cannot.
    """
    before = verify_file(path, trust_dir)
    if before.outcome is Outcome.INVALID:
        raise RenewalError("INVALID: what is broken is not renewed / 文件无效，不能续期")
    pdf = path.read_bytes()
    try:
        made = asyncio.run(renewed(pdf, load_trust(trust_dir), authorities, SystemClock()))
    except (TimestampAwayError, EsignError) as cause:
        raise RenewalError(str(cause)) from cause
    fresh = into.with_name(into.name + ".part")
    fresh.write_bytes(made)
    fresh.replace(into)
    for suffix in (".tlog-proof", ".ses") if into != path else ():
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            into.with_name(into.name + suffix).write_bytes(beside.read_bytes())
    return verify_file(into, trust_dir)


def _sidecar(path: Path, pdf: bytes, trust_dir: Path | None, now_us: int) -> Step | None:
    """The step `ses`, when there is a seal signature `<path>.ses` beside the PDF."""
    beside = path.with_name(path.name + ".ses")
    if not beside.exists():
        return None
    with beside.open("rb") as file:
        return ses_document.check(pdf, file.read(ses.MOST_BYTES + 1), load_certificates(trust_dir), now_us)


def inspect_seal(
    path: Path, trust_dir: Path | None = None, *, document: Path | None = None, now_us: int | None = None
) -> SealReport:
    """Parses and judges a GB/T 38540 or GM/T 0031 seal or seal signature (DER), step by step.

    `document`: the PDF that a signature is beside. Exit codes: `EXIT_CODES`, and 3 for unreadable. Raises OSError when
    a file cannot be read, TrustError when the trust directory or the document cannot.
    """
    with path.open("rb") as file:
        data = file.read(ses.MOST_BYTES + 1)
    covered = None
    if document is not None:
        try:
            covered = ses_document.covered(document.read_bytes())
        except PdfError as cause:
            raise TrustError(f"{document}: {cause}") from cause
    trust = ses_document.trust(load_certificates(trust_dir))
    now_us = time.time_ns() // 1000 if now_us is None else now_us
    return SealReport(ses_check.inspect(data, trust, now_us, covered))


@dataclass(slots=True)
class LedgerReport:
    """What an audit of a log's files found. `problems` empty: every entry and tile gives the signed root."""

    origin: str = ""
    size: int = 0
    root: bytes = b""
    entries_by_type: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not self.problems


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
