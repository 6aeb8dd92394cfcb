"""Esign's SM2 keys: a root, a seal CA and a seal maker beside the international ones. A hub may have none."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.esign.certification import sm2_checks  # noqa: F401 — installs the check of SM2 signatures
from services.esign.certification.domain import sm2_chain, sm2_pki
from services.esign.certification.domain.chain import ChainError
from services.esign.certification.domain.sm2_pki import KeyPair, Sm2Signer
from services.esign.config import KeyFiles
from shuniu.kit.crypto import pem_files, sm
from shuniu.kit.crypto.device import Algorithm
from shuniu.kit.crypto.key_files import SOFTWARE, KeyRoom, SmKey
from shuniu.kit.process.config import ConfigError
from shuniu.kit.process.durable import write_public, write_secret

ROOT, SEAL_CA, MAKER = "root", "seal-ca", "maker"


@dataclass(frozen=True, slots=True)
class SmSecrets:
    """The SM2 keys: the authority that certifies seals, and their maker."""

    root: bytes = field(repr=False)
    seal_ca: Sm2Signer = field(repr=False)
    maker: Sm2Signer = field(repr=False)
    # Certificates (DER) of makers before, the last one first: the seals they made stay good.
    makers_retired: tuple[bytes, ...] = ()
    # Seal CAs before, the last one first: they answer for their seals and certify no more.
    seal_cas_retired: tuple[Sm2Signer, ...] = field(default=(), repr=False)

    @property
    def seal_cas(self) -> tuple[Sm2Signer, ...]:
        """Every seal CA, the present one first."""
        return (self.seal_ca, *self.seal_cas_retired)

    @property
    def root_pem(self) -> bytes:
        return certificate_pem(self.root)

    @property
    def trust_pem(self) -> bytes:
        """The material that a verifier needs: root, seal CA and seal makers, PEM one after the other."""
        return "".join(self.trust_pems).encode("ascii")

    @property
    def trust_pems(self) -> list[str]:
        """`trust_pem`, one certificate each."""
        authorities = [one.certificate for one in self.seal_cas]
        chosen = (self.root, *authorities, self.maker.certificate, *self.makers_retired)
        return [certificate_pem(certificate).decode("ascii") for certificate in chosen]

    @classmethod
    def load(cls, files: KeyFiles, room: KeyRoom = SOFTWARE, *, wanted: bool | None) -> "SmSecrets | None":
        """`wanted` None: what is there. True: raises ConfigError when keys or provider are absent. False: None."""
        present = all(path.exists() for name in (SEAL_CA, MAKER) for path in files.sm2(name))
        if wanted is False or (wanted is None and not (present and sm.available())):
            return None
        if not present:
            raise ConfigError("[esign] ses_sidecar: the hub has no SM2 keys; run `shuniu init`")
        try:
            sm.require()
            root = pem_files.certificates(files.sm2(ROOT)[0])[0].public_bytes(Encoding.DER)
            retired = _retired_seal_cas(files, room)
            seal_ca = replace(load_signer(files.sm2(SEAL_CA), room), number=len(retired))
            return cls(root, seal_ca, load_signer(files.sm2(MAKER), room), retired_makers(files), retired)
        except sm.SmUnavailableError as error:
            raise ConfigError(f"[esign] ses_sidecar: {error}") from None
        except (OSError, ValueError, ChainError) as error:
            raise ConfigError(f"{files.data_dir}: esign's SM2 keys cannot be read: {type(error).__name__}") from None


def retired_makers(files: KeyFiles) -> tuple[bytes, ...]:
    """Certificates (DER) of makers before. Raises OSError, ValueError."""
    return _certificates(files.retired_makers)


def _certificates(path: Path) -> tuple[bytes, ...]:
    found = pem_files.certificates(path) if path.exists() else []
    return tuple(one.public_bytes(Encoding.DER) for one in found)


def _retired_seal_cas(files: KeyFiles, room: KeyRoom) -> tuple[Sm2Signer, ...]:
    certificates = _certificates(files.retired_sm2_seal_cas)
    found = []
    for number, certificate in zip(range(len(certificates) - 1, -1, -1), certificates, strict=True):
        key = room.sm2(files.retired_sm2_seal_ca_key(number))
        if sm2_chain.load(certificate).spki != key.spki:
            raise ValueError("the key is not the certificate's")
        found.append(Sm2Signer(certificate, key.spki, key.sign, number))
    return tuple(found)


def make(files: KeyFiles, hub: str, now_us: int, room: KeyRoom = SOFTWARE) -> None:
    """Makes the SM2 side where it is absent and this machine can; what is there stays. Seal CA and maker lie where
    `room` makes them, the root in its file.
    """
    if files.sm2(MAKER)[1].exists() or not sm.available():
        return
    passing = {name: files.sm2(name)[1].with_suffix(".next") for name in (SEAL_CA, MAKER)}
    for path in passing.values():
        room.make(path, Algorithm.SM2)
    root_key = sm.PrivateKey.generate()
    root = sm2_pki.make_root(pair(root_key), hub, now_us)
    seal_ca = sm2_pki.make_seal_ca(root, key_pair(room.sm2(passing[SEAL_CA])), hub, now_us)
    maker = sm2_pki.make_maker(seal_ca, key_pair(room.sm2(passing[MAKER])), hub, now_us)
    for name, signer in ((ROOT, root), (SEAL_CA, seal_ca), (MAKER, maker)):
        write_public(files.sm2(name)[0], certificate_pem(signer.certificate))
    files.sm2(ROOT)[1].unlink(missing_ok=True)
    write_secret(files.sm2(ROOT)[1], root_key.pem)
    # The maker's key comes last: its presence says that all is there.
    for name, path in passing.items():
        path.replace(files.sm2(name)[1])


def pair(key: sm.PrivateKey) -> KeyPair:
    """The key as the domain takes it."""
    return KeyPair(key.public.spki, key.sign)


def key_pair(key: SmKey) -> KeyPair:
    """The key, wherever it lies, as the domain takes it."""
    return KeyPair(key.spki, key.sign)


def signer(certificate: bytes, key: sm.PrivateKey) -> Sm2Signer:
    """Raises ValueError when the key is not the certificate's, ChainError when the certificate is none."""
    if sm2_chain.load(certificate).spki != key.public.spki:
        raise ValueError("the key is not the certificate's")
    return Sm2Signer(certificate, key.public.spki, key.sign)


def certificate_pem(certificate: bytes) -> bytes:
    return x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM)


def load_signer(files: tuple[Path, Path], room: KeyRoom) -> Sm2Signer:
    """From certificate and key file. Raises OSError, ValueError, ChainError, ConfigError, SmUnavailableError."""
    certificate = pem_files.certificates(files[0])[0].public_bytes(Encoding.DER)
    key = room.sm2(files[1])
    if sm2_chain.load(certificate).spki != key.spki:
        raise ValueError("the key is not the certificate's")
    return Sm2Signer(certificate, key.spki, key.sign)
