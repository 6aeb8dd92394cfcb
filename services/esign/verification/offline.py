"""A document judged by what lies in a trust directory: no hub, no process, no network. The command line and the client
library both judge by this; see `files` for documents of strangers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.esign.certification import sm2_checks  # noqa: F401 — installs the check of SM2 signatures
from services.esign.certification.domain import sm2_chain
from services.esign.certification.domain.trust import Trust
from services.esign.domain.errors import EsignError
from services.esign.domain.ofd.archive import is_ofd
from services.esign.domain.verdict import Step, Verdict
from services.esign.ledger.domain import note, witness
from services.esign.revisions.second_line import look
from services.esign.ses.domain.check import SmTrust
from services.esign.verification import file_errors, plain_files
from services.esign.verification.domain.verify import judge
from services.esign.verification.trust_names import POLICY, TSA_PREFIX

# How certificates and lists are called by other programs.
_MEANT = frozenset({".crt", ".cer", ".der", ".p7b", ".pem", ".crl"})
# Of one file there: a list of half a million revoked certificates has less.
_MOST_BYTES = 64 * 1024 * 1024


class TrustError(Exception):
    """A file of the trust directory cannot be used. The text names it."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """A trust directory, read."""

    trust: Trust = field(default_factory=Trust)
    # Its certificates, but for those that vouch for timestamps only: for seal signatures.
    certificates: tuple[x509.Certificate, ...] = ()
    # Names of files that look as if they should say whom to trust, and are of no kind that is read.
    ignored: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: "TrustSource") -> "Trusted":
        """A directory, read; what was read already, as it is; None: nothing is trusted. Raises TrustError."""
        if source is None:
            return cls()
        if isinstance(source, Trusted):
            return source
        if not source.is_dir():
            raise TrustError(f"{file_errors.quoted(source)}: 不是目录 / not a directory")
        files: dict[str, bytes] = {}
        ignored: list[str] = []
        for path in sorted(source.iterdir()):
            if path.suffix.lower() in _MEANT and not _is_told(path.name):
                ignored.append(path.name)
            if _is_told(path.name):
                try:
                    files[str(path)] = plain_files.beginning(path, _MOST_BYTES + 1)
                except OSError as cause:
                    raise TrustError(f"{file_errors.quoted(path)}: {file_errors.told(cause)}") from cause
                if len(files[str(path)]) > _MOST_BYTES:
                    raise TrustError(f"{file_errors.quoted(path)}: 文件过大 / the file is too large")
        return replace(cls.of_files(files), ignored=tuple(ignored))

    @classmethod
    def of_files(cls, files: Mapping[str, bytes]) -> "Trusted":
        """By name or path: roots (*.pem, one or more certificates each; tsa-*.pem vouch for timestamps only), keys of
        logs and witnesses (*.vkey, one a line), how many witnesses must have cosigned (`policy`, C2SP tlog-policy), and
        which certificates are revoked (*.crl, as `/crl` of the hub gives it, or PEM). Others are passed over. Raises
        TrustError.
        """
        found = _Found()
        for path in sorted(files):
            try:
                found.take(Path(path).name, files[path])
            except (ValueError, EsignError) as cause:
                raise TrustError(f"{file_errors.quoted(path)}: {_wrong(Path(path).name)}") from cause
        return found.all()


TrustSource = Path | Trusted | None
"""The source of trust: a directory, what was read of one, or nowhere."""


class _Found:
    """Collects what was read of a trust directory so far."""

    def __init__(self) -> None:
        self.roots: list[x509.Certificate] = []
        self.tsa_roots: list[x509.Certificate] = []
        self.certificates: list[x509.Certificate] = []
        self.keys: list[note.VerifierKey] = []
        self.witnesses: list[witness.WitnessKey] = []
        self.crls: dict[str, bytes] = {}
        self.policy: witness.Policy | None = None

    def take(self, name: str, content: bytes) -> None:
        """Raises ValueError, EsignError."""
        if name.endswith(".pem"):
            certificates = x509.load_pem_x509_certificates(content)
            if name.startswith(TSA_PREFIX):
                self.tsa_roots += filter(_is_root, certificates)
            else:
                self.roots += filter(_is_root, certificates)
                self.certificates += certificates
        elif name.endswith(".vkey"):
            for line in filter(None, map(str.strip, content.decode().splitlines())):
                if witness.is_witness(line):
                    self.witnesses.append(witness.parse_vkey(line))
                else:
                    self.keys.append(note.parse_vkey(line))
        elif name == POLICY:
            self.policy = witness.parse_policy(content.decode())
            self.keys += self.policy.logs
        elif name.endswith(".crl"):
            self.crls[name] = _list(content)

    def all(self) -> Trusted:
        policy = self.policy
        if policy is None and self.witnesses:
            # Known but not demanded: their cosignatures are checked and counted.
            policy = witness.Policy.k_of_n(self.witnesses, 0)
        trust = Trust(
            tuple(self.roots),
            tuple(self.keys),
            policy,
            tuple(self.tsa_roots),
            tuple(self.crls.values()),
            tuple(self.crls),
        )
        return Trusted(trust, tuple(self.certificates))


def _wrong(name: str) -> str:
    """Says what a file of a trust directory should have been, and what to do."""
    zh, en = next(said for suffix, said in _MEANT_AS.items() if name.endswith(suffix))
    return f"{zh}；请换成正确的文件，或从目录中移走 / {en}: put the right file there, or take it out of the directory"


_MEANT_AS = {
    ".pem": ("不是 PEM 格式的证书", "not certificates in PEM"),
    ".vkey": ("不是日志或见证方的公钥", "not keys of logs or witnesses"),
    ".crl": ("不是撤销列表", "not a list of revoked certificates"),
    POLICY: ("不是见证策略", "not a policy of witnesses"),
}


def _is_told(name: str) -> bool:
    return name == POLICY or name.endswith((".pem", ".vkey", ".crl"))


def _is_root(certificate: x509.Certificate) -> bool:
    """Whatever somebody put there, but of SM2 certificates the roots only: seal CA and seal makers lie beside them, for
    seal signatures, and a maker must not vouch for itself.
    """
    return not sm2_chain.is_sm2(certificate) or certificate.issuer == certificate.subject


def _list(content: bytes) -> bytes:
    pem = content.startswith(b"-----BEGIN")
    return (x509.load_pem_x509_crl if pem else x509.load_der_x509_crl)(content).public_bytes(Encoding.DER)


def judged(
    document: bytes,
    trusted: Trusted,
    now_us: int,
    *,
    receipt: str | None = None,
    ses: bytes | None = None,
    trust_any_signer: bool = False,
) -> Verdict:
    """The offline verdict on a PDF or an OFD; see `judge`. `ses`: the seal signature beside a PDF. Never raises for bad
    bytes.
    """
    if is_ofd(document):
        return _ofd(document, trusted, now_us, receipt, trust_any_signer=trust_any_signer)
    beside = None if ses is None else partial(_ses_step, document, ses, trusted, now_us)
    return judge(
        document,
        trust=trusted.trust,
        now_us=now_us,
        receipt=receipt,
        trust_any_signer=trust_any_signer,
        ses=beside,
        look=look,
        sm=partial(_sm_trust, trusted),
    )


def _sm_trust(trusted: Trusted) -> SmTrust:
    from services.esign.ses import document as ses_document

    return ses_document.trust(trusted.certificates)


def _ofd(document: bytes, trusted: Trusted, now_us: int, receipt: str | None, *, trust_any_signer: bool) -> Verdict:
    # Most documents are PDFs; who judges one need not wait for this to be imported.
    from services.esign.verification.domain.ofd.judge import judge_ofd

    return judge_ofd(
        document,
        trust=trusted.trust,
        sm_trust=_sm_trust(trusted),
        now_us=now_us,
        receipt=receipt,
        trust_any_signer=trust_any_signer,
    )


def _ses_step(document: bytes, ses: bytes, trusted: Trusted, now_us: int, proven_us: int | None) -> Step:
    # Few documents have one, and its reader takes its time to be imported.
    from services.esign.ses import document as ses_document

    return ses_document.check(document, ses, trusted.certificates, now_us, proven_us, trusted.trust.crls)
