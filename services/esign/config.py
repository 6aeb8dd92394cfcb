"""Settings of esign: section `[esign]`, and where its keys lie."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from services.esign.domain import foreign_documents
from services.esign.domain.foreign_documents import MOST_BYTES
from shuniu.kit.process.config import TIB, HubSettings, Within
from shuniu.kit.service_settings import ServiceSettings


@dataclass(frozen=True, slots=True)
class EsignSettings(ServiceSettings):
    """Settings of esign beyond those of every service."""

    keys: str = "file"
    """Place of the keys that sign documents' certificates, timestamps, QR codes and the ledger, and that wrap seal
    keys: `file` (for development), or a PKCS #11 token as a URI (RFC 7512),
    `pkcs11:token=LABEL?module-path=FILE&pin-source=file:FILE&x-sessions=4`. New keys are made there; what there is
    moves with `shuniu keys rotate`.
    """
    sm_keys: str = "file"
    """Place of the SM2 keys: `file`, or a device. In the profile sm it also wraps seal keys, with SM4."""
    ca_url: str = ""
    """A certification authority that certifies seals instead of the hub's own (EST, RFC 7030): `https://host[:port]`,
    or with the path of its operations. Empty means the hub's own, which is for development / internal use."""
    ca_roots: Path = Path()
    """Roots of that authority (PEM): they vouch for its web server and for the certificates it issues."""
    ca_login_file: Path = Path()
    """File with `user:password` for it (0600); empty means that it asks for none."""
    signer_url: str = ""
    """An existing seal system whose keys sign remotely (CSC API v2): `https://host/csc/v2`. Empty: there is none."""
    signer_roots: Path = Path()
    """Roots that vouch for its web server and its seals' certificates (PEM)."""
    signer_login_file: Path = Path()
    """File with `user:password` for it (0600)."""
    signer_credentials: dict[str, str] = field(default_factory=dict)
    """The platform of each of its credentials: `{ platform = "credential id" }`. Other seals are made here."""
    verify_host: str = ""
    """Host in QR codes, with port if it is not 443; empty means the issuer's host."""
    layout_threads: Annotated[int, Within(1, 64)] = 1
    """Threads that lay out documents."""
    ledger_window_ms: Annotated[int, Within(0, 60_000)] = 50
    """Time that the first entry of a ledger batch waits for others, ms."""
    witnesses: tuple[str, ...] = ()
    """Witnesses that cosign the ledger's heads: `name+id+key URL` each (C2SP tlog-witness submission prefix). None:
    nobody.
    """
    witness_quorum: Annotated[int, Within(0, 1000)] = 0
    """Number of them that make a head witnessed; 0 means the majority."""
    verify_seconds: Annotated[float, Within(0.01, 600)] = foreign_documents.SECONDS
    """Longest time one uploaded document may take in its worker process, s."""
    verify_cpu_seconds: Annotated[float, Within(0.01, 600)] = foreign_documents.CPU_SECONDS
    """Most processor time that one uploaded document may take, s; what needs more is INDETERMINATE, LIMIT_REACHED."""
    verify_workers: Annotated[int, Within(1, 256)] = 2
    """Processes that read uploaded documents at the same time; half as many more read heavy ones, behind all others."""
    verify_memory_bytes: Annotated[int, Within(MOST_BYTES, TIB)] = foreign_documents.MEMORY_BYTES
    """Address space that one uploaded document may take in its worker process, bytes; with the pages that the process
    shared at its start, that is 256 MiB of memory."""
    verify_waiting_most: Annotated[int, Within(1, 100_000)] = 64
    """Most uploaded documents that wait; beyond that the sender with the most is rejected (VERIFY_BUSY)."""
    verify_waiting_most_bytes: Annotated[int, Within(1, TIB)] = 128 * 1024 * 1024
    """Bytes of uploaded documents that may wait."""
    uploads_most_bytes: Annotated[int, Within(1, TIB)] = 256 * 1024 * 1024
    """Bytes of memory that uploaded documents may take, from the first byte of each to its answer; one sender has half
    of that. Others wait before they are read.
    """
    document_most_bytes: Annotated[int, Within(1, MOST_BYTES)] = MOST_BYTES
    """Largest document that is verified, bytes; the reader takes no larger one."""
    timestamp: bool | None = None
    """Says whether each seal also carries a timestamp (PAdES B-T). While no timestamp can be had, sealed documents wait
    and are released as soon as one can. Absent: yes when there is an authority, the hub's own or an outside one.
    """
    level: str = ""
    """Time for which a document stays verifiable by itself (PAdES): `B-B` as it is, `B-T` with a timestamp, `B-LT` with
    validation data in it, `B-LTA` with a document timestamp over those. Absent: B-T or B-B, as `timestamp` says.
    """
    timestamp_url: str = ""
    """An outside timestamp authority (RFC 3161 over HTTP); empty means the hub's own."""
    timestamp_roots: Path = Path()
    """Roots of the outside authority (PEM); empty means the hub's own root."""
    timestamp_policy: str = "2.25.231834905418379114823059182764411950033"
    """Policy of the hub's own authority, OID. The one set here says: development, internal use, accuracy 1 s."""
    licence_types: Path = Path()
    """Directory of further types of licence (`*.toml`, as in `services/esign/licences/types`); empty means none."""
    licence_issuers: tuple[str, ...] = ()
    """Codes of the platforms whose seals may issue licences, or `["*"]`: the certificates of their seals made from then
    on say so, and offline no other licence is VALID. Empty: none; online the register says who issued a licence.
    Another authority (`ca_url`, `signer_url`) decides by itself."""
    licence_nonce_seconds: Annotated[int, Within(1, 86_400)] = 300
    """Life of a nonce, and greatest age of a proof of the holder's key, s."""
    licence_status_ttl: Annotated[int, Within(1, 7 * 86_400)] = 60
    """Time for which a reader may rely on a status list before he asks again, s. The hub's own answers are always new.
    """
    licence_status_lives: Annotated[int, Within(1, 7 * 86_400)] = 3600
    """Time after its signing in which a status list may be used at all, s. Readers take none that is older than a week.
    """
    clock_reference: str = ""
    """NTP server, `host` or `host:port`, that the clock is compared with each minute; empty means that the authority
    only notices when the clock jumps after start."""
    revocation_url: str = ""
    """Address at which readers of documents reach `/ocsp` and `/crl`, as `http://host`; named in seal certificates made
    from then on. Empty means that they name no place, for networks where readers cannot reach the hub.
    """
    seal_days: Annotated[int, Within(1, 3650)] = 730
    """Life of certificates of seals made from then on, days: two years, as licensed authorities commonly give."""
    seal_two_operators: bool = False
    """Says whether an application that nobody has reviewed is refused to the operator who makes the seal, so that
    review and making take two operators. No: the platform that applied counts as the first hand, one operator as the
    second.
    """
    ses_sidecar: bool | None = None
    """Says whether each document also gets a GB/T 38540 signature (SM2, SM3) beside it. Absent: yes when the hub has
    SM2 keys and this machine a libcrypto with SM2.
    """
    ofd: bool = False
    """Says whether each document is also made as OFD (GB/T 33190), sealed with SM2 inside (GM/T 0099, GB/T 38540),
    under the same number and ledger entry. Needs the SM2 keys of `ses_sidecar`. About 60 kB more for each document.
    """
    flow_keep_days: Annotated[int, Within(0, 3660)] = 30
    """Time for which the document of a flow that came to nothing, or of a draft that nobody opened, is stored, days."""
    flow_scenarios: Path = Path()
    """Directory of further scenarios of signing flows (TOML, one a file); one of the same code takes the place of the
    hub's own. Empty: only those that come with the hub."""


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """Keys and certificates of esign. Software keys are for development; everything under `keys` is 0600."""

    data_dir: Path

    @property
    def root(self) -> Path:
        return self.data_dir / "pki" / "esign-root.pem"

    @property
    def root_key(self) -> Path:
        """Only for making a new seal CA; take it off the machine."""
        return self.data_dir / "keys" / "esign-root.key"

    @property
    def seal_ca(self) -> Path:
        return self.data_dir / "pki" / "esign-seal-ca.pem"

    @property
    def seal_ca_key(self) -> Path:
        return self.data_dir / "keys" / "esign-seal-ca.key"

    def sm2(self, name: str) -> tuple[Path, Path]:
        """Certificate and key of one party of the SM2 side: root, seal-ca or maker. The root's key is only for making
        a new seal CA; take it off the machine.
        """
        return self.data_dir / "pki" / f"esign-sm2-{name}.pem", self.data_dir / "keys" / f"esign-sm2-{name}.key"

    def tsa(self, name: str) -> tuple[Path, Path]:
        """Certificate and key of one party of the timestamp authority: ca or authority. The CA's key is only for
        making a new authority; take it off the machine.
        """
        return self.data_dir / "pki" / f"esign-tsa-{name}.pem", self.data_dir / "keys" / f"esign-tsa-{name}.key"

    @property
    def ledger_key(self) -> Path:
        return self.data_dir / "keys" / "esign-ledger.key"

    @property
    def next_ledger_key(self) -> Path:
        """Made while the ledger's key is being rotated, then takes its name."""
        return self.data_dir / "keys" / "esign-ledger.key.next"

    @property
    def retired_ledger_keys(self) -> Path:
        """Verifier keys that signed for this ledger before, one a line: what they signed still verifies."""
        return self.data_dir / "pki" / "esign-ledger-retired.vkey"

    @property
    def qr_key(self) -> Path:
        return self.data_dir / "keys" / "esign-qr.key"

    @property
    def retired_qr_keys(self) -> Path:
        """Public keys that signed QR codes before (PEM): their codes still verify."""
        return self.data_dir / "pki" / "esign-qr-retired.pem"

    @property
    def retired_seal_cas(self) -> Path:
        """Certificates of seal CAs before (PEM), the last one first: their seals stay good."""
        return self.data_dir / "pki" / "esign-seal-ca-retired.pem"

    @property
    def retired_makers(self) -> Path:
        """Certificates of seal makers before (PEM), the last one first: what they made stays good."""
        return self.data_dir / "pki" / "esign-sm2-maker-retired.pem"

    @property
    def retired_sm2_seal_cas(self) -> Path:
        """Certificates of SM2 seal CAs before (PEM), the last one first."""
        return self.data_dir / "pki" / "esign-sm2-seal-ca-retired.pem"

    def retired_sm2_seal_ca_key(self, number: int) -> Path:
        """As `retired_seal_ca_key`."""
        return self.data_dir / "keys" / f"esign-sm2-seal-ca-{number}.key"

    def retired_seal_ca_key(self, number: int) -> Path:
        """The key of the seal CA `number`, from 0: it answers OCSP and signs CRLs, and certifies no more."""
        return self.data_dir / "keys" / f"esign-seal-ca-{number}.key"

    @property
    def receiving_key(self) -> Path:
        """P-256 JWK to which identity seals what a document prints."""
        return self.data_dir / "keys" / "esign-receiving.jwk"

    @property
    def page_key(self) -> Path:
        return self.data_dir / "keys" / "esign-page.key"

    @property
    def keyring(self) -> Path:
        """The key-encryption keys that wrap seal keys."""
        return self.data_dir / "keys" / "esign-kek"

    @property
    def ledger(self) -> Path:
        return self.data_dir / "ledger"


def qr_host(hub: HubSettings, settings: EsignSettings) -> str:
    return settings.verify_host or urlsplit(hub.issuer).netloc
