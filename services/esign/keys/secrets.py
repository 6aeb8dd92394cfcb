"""Esign's keys: made once by `shuniu init`, opened once at start. `[esign] keys` and `sm_keys` say where they lie.

In a device, if one is set: seal CA, timestamp authority, QR codes, the ledger, and the keys that wrap seal keys. In
files always: the root, which is taken off the machine, and what opens or binds and never signs.
"""

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import ECKey

from services.esign.certification import authorities as ca
from services.esign.certification.domain import pem, pki
from services.esign.certification.roots import roots_pem
from services.esign.config import EsignSettings, KeyFiles, qr_host
from services.esign.domain.digests import SHA256, SM3, Digest
from services.esign.domain.errors import SealStateError
from services.esign.keys import authority_files, rotation
from services.esign.keys import sm2 as sm_keys
from services.esign.keys import sm2_timestamp as sm_tsa_keys
from services.esign.keys import timestamp as tsa_keys
from services.esign.keys.of_seals import SealKey, open_kept
from services.esign.keys.public import ledger_name, retired_ledger_keys
from services.esign.keys.sm2 import SmSecrets
from services.esign.ledger.domain.ledger import Marks
from services.esign.ledger.domain.note import NoteSigner, VerifierKey
from services.esign.pages.domain.qr import QrSigner
from services.esign.timestamps.domain.token import TimestampSigner
from shuniu.kit.crypto import profile
from shuniu.kit.crypto.csc import RemoteSigner
from shuniu.kit.crypto.device import Algorithm, Device, KeyAwayError, KeyRefusedError
from shuniu.kit.crypto.key_files import DEVELOPMENT, SOFTWARE, KeyRoom, in_device
from shuniu.kit.crypto.keyring import Keyring
from shuniu.kit.crypto.sealing import new_key
from shuniu.kit.process import log
from shuniu.kit.process.config import ConfigError, HubSettings, made_of, secret
from shuniu.kit.process.durable import write_public, write_secret

_log = log.get("keys")


@dataclass(frozen=True, slots=True)
class Secrets:
    """Everything esign signs or opens with."""

    seal_ca: pki.Authority = field(repr=False)
    keyring: Keyring = field(repr=False)
    ledger: NoteSigner = field(repr=False)
    qr: QrSigner = field(repr=False)
    receiving: ECKey = field(repr=False)
    page: bytes = field(repr=False)
    # None: this hub has no SM2 keys, or this machine nothing that signs with them.
    sm: SmSecrets | None = field(default=None, repr=False)
    # None: this hub has no timestamp authority of its own.
    tsa: TimestampSigner | None = field(default=None, repr=False)
    ledger_retired: tuple[VerifierKey, ...] = ()
    # Seal CAs before, the last one first: they answer for their seals and certify no more.
    seal_ca_retired: tuple[pki.Authority, ...] = field(default=(), repr=False)
    # Keys that signed QR codes before.
    qr_retired: tuple[ec.EllipticCurvePublicKey, ...] = ()
    # Roots of another certification authority that certifies seals, PEM; empty: there is none.
    ca_roots: bytes = b""
    # An existing seal system that signs remotely.
    signer: RemoteSigner | None = field(default=None, repr=False)
    # Where new keys are made; they hold the devices open.
    rooms: tuple[KeyRoom, ...] = field(default=(), repr=False)
    # What new seals, timestamps and ledger entries are made with: SM3 says SM2 too.
    digest: Digest = SHA256

    @property
    def marks(self) -> Marks:
        """The digests of new ledger entries."""
        return Marks(self.digest)

    def seal_key(self, wrapped: bytes, context: bytes, certificate: bytes) -> SealKey:
        """Opens what a seal signs with, from its row. `certificate`: the seal's own, DER. Raises KeyAwayError,
        SealStateError when the seal ended and its key was erased.
        """
        if not wrapped:
            raise SealStateError("SEAL_STATE", "the seal ended and its key is erased", "印章已终止，其密钥已清除")
        kept = self.keyring.decrypt(wrapped, context)
        own = (*self.seal_cas, *(() if self.sm is None else (one.certificate for one in self.sm.seal_cas)))
        return open_kept(kept, certificate, own, self.rooms[0] if self.rooms else SOFTWARE)

    @property
    def seal_cas(self) -> tuple[bytes, ...]:
        """Certificates (DER) of every seal CA, the present one first."""
        return (self.seal_ca.der, *(one.der for one in self.seal_ca_retired))

    @property
    def qr_keys(self) -> tuple[ec.EllipticCurvePublicKey, ...]:
        """Every key that may have signed a QR code, the present one first."""
        return (self.qr.key.public_key(), *self.qr_retired)

    @property
    def roots_beside(self) -> bytes:
        """Roots, PEM, that vouch for this hub's seals beside the root of its P-256 ones."""
        return pem.joined(self.ca_roots, b"" if self.sm is None else self.sm.root_pem)

    def close(self) -> None:
        """Lets go of the devices."""
        for room in self.rooms:
            room.close()
        if self.signer is not None:
            self.signer.close()

    @property
    def ledger_keys(self) -> tuple[VerifierKey, ...]:
        """Every key that may have signed for this ledger, the present one first."""
        return (self.ledger.verifier, *self.ledger_retired)

    @classmethod
    def load(cls, hub: HubSettings, settings: EsignSettings) -> "Secrets":
        """Raises ConfigError naming the file that is absent, readable by others or no key."""
        files = KeyFiles(hub.data_dir)
        if profile.of(hub.profile) is profile.SM and (settings.ca_url or settings.signer_url):
            raise ConfigError("[esign] ca_url, signer_url: they give P-256 seals, and [hub] profile sm wants SM2")
        signer = ca.open_signer(settings)
        beside = () if signer is None else (signer,)
        room, sm_room = KeyRoom.of(settings.keys, settings.sm_keys, beside=beside)
        in_sm = profile.of(hub.profile) is profile.SM
        retired = rotation.retired_seal_cas(files, room)
        seal_ca = authority_files.with_key(files.seal_ca, room.ec(files.seal_ca_key), files.root, len(retired))
        receiving = made_of(secret(files.receiving_key), files.receiving_key, _jwk, "密钥（JWK）", "a key (JWK)")
        return cls(
            seal_ca,
            room.keyring(files.keyring),
            NoteSigner.prepare(ledger_name(hub), room.ed25519(files.ledger_key)),
            QrSigner.prepare(room.ec(files.qr_key), qr_host(hub, settings)),
            receiving,
            secret(files.page_key),
            SmSecrets.load(files, sm_room, wanted=in_sm or settings.ses_sidecar),
            sm_tsa_keys.load(files, sm_room, settings.timestamp_policy)
            if in_sm
            else tsa_keys.load(files, room, settings.timestamp_policy),
            retired_ledger_keys(files),
            seal_ca_retired=retired,
            qr_retired=rotation.retired_qr_keys(files),
            ca_roots=roots_pem(settings),
            rooms=(room, sm_room),
            signer=signer,
            digest=SM3 if in_sm else SHA256,
        )


def _jwk(text: bytes) -> ECKey:
    """Raises ValueError."""
    return ECKey.import_key(json.loads(text))


def rotate_ledger_key(hub: HubSettings, settings: EsignSettings) -> VerifierKey:
    """Makes the next key of the ledger; it signs from the next start, and the last one stays known. The new key.

    Interrupted anywhere, running it again completes it: the old key is on record before the new one takes its place.
    """
    files = KeyFiles(hub.data_dir)
    room, _ = KeyRoom.of(settings.keys, settings.sm_keys)
    old = NoteSigner.prepare(ledger_name(hub), room.ed25519(files.ledger_key)).verifier
    kept = [key.vkey for key in retired_ledger_keys(files) if key != old]
    room.make(files.next_ledger_key, Algorithm.ED25519)
    passing = files.retired_ledger_keys.with_suffix(".next")
    write_public(passing, "".join(f"{vkey}\n" for vkey in (old.vkey, *kept)).encode())
    passing.replace(files.retired_ledger_keys)
    files.next_ledger_key.replace(files.ledger_key)
    return NoteSigner.prepare(ledger_name(hub), room.ed25519(files.ledger_key)).verifier


def make(hub: HubSettings, settings: EsignSettings | None = None) -> None:
    """Makes what is absent, in the devices that are set; what is there stays. Raises ConfigError, KeyAwayError."""
    files = KeyFiles(hub.data_dir)
    settings = settings or EsignSettings()
    room, sm_room = KeyRoom.of(settings.keys, settings.sm_keys)
    now_us = time.time_ns() // 1000
    if not files.seal_ca_key.exists():
        _make_seal_ca(files, room, hub.name, now_us)
    sm_keys.make(files, hub.name, now_us, sm_room)
    tsa_keys.make(files, room, hub.name, now_us)
    sm_tsa_keys.make(files, sm_room, hub.name, now_us)
    if not files.ledger_key.exists():
        room.make(files.ledger_key, Algorithm.ED25519)
    if not files.qr_key.exists():
        room.make(files.qr_key, Algorithm.P256)
    if not files.receiving_key.exists():
        write_secret(files.receiving_key, json.dumps(new_key("esign-1").as_dict(private=True)).encode())
    if not files.page_key.exists():
        write_secret(files.page_key, os.urandom(32))
    if not files.keyring.exists():
        add_wrapping_key(hub, settings)


def add_wrapping_key(hub: HubSettings, settings: EsignSettings) -> int:
    """The next key that wraps seal keys, SM4 in the profile sm. Its number. Raises KeyAwayError."""
    room, sm_room = KeyRoom.of(settings.keys, settings.sm_keys)
    # The sm profile's device wraps with SM4; without one it is whichever device there is.
    chosen = sm_room if profile.of(hub.profile) is profile.SM and sm_room.device is not None else room
    return chosen.add_wrapping(KeyFiles(hub.data_dir).keyring, profile.of(hub.profile).storage_key)


def software_keys(files: KeyFiles) -> list[str]:
    """Names of key files that hold a signing or wrapping key themselves: for development. Raises ConfigError."""
    paths = [
        files.seal_ca_key,
        files.tsa("authority")[1],
        files.qr_key,
        files.ledger_key,
        *(files.sm2(name)[1] for name in (sm_keys.SEAL_CA, sm_keys.MAKER, sm_tsa_keys.AUTHORITY)),
        *sorted(files.keyring.glob("*.key")),
    ]
    return [path.relative_to(files.data_dir / "keys").as_posix() for path in paths if _holds_key(path)]


def say_where_keys_lie(hub: HubSettings, settings: EsignSettings) -> str:
    """One line for people; the log has the names too. Raises ConfigError."""
    chosen = [room.about for room in KeyRoom.of(settings.keys, settings.sm_keys) if room.device is not None]
    software = software_keys(KeyFiles(hub.data_dir))
    if software:
        _log.warning("software_keys", keys=software, devices=chosen, meaning=DEVELOPMENT)
        # Doctor and the log name them; a line of status has no room.
        chosen.append(f"{DEVELOPMENT} ({len(software)})")
    else:
        _log.info("keys_in_devices", devices=chosen)
    return "; ".join(chosen)


def check_devices(settings: EsignSettings) -> dict[str, str]:
    """Every device by its description, with what is wrong with it or nothing. Raises ConfigError."""
    signer = ca.open_signer(settings)
    rooms = KeyRoom.of(settings.keys, settings.sm_keys)
    devices: list[Device] = [room.device for room in rooms if room.device is not None]
    found: dict[str, str] = {}
    for device in devices if signer is None else [*devices, signer]:
        try:
            device.check()
            found[device.about] = ""
        except (KeyAwayError, KeyRefusedError) as error:
            found[device.about] = str(error)
        finally:
            device.close()
    return found


def _holds_key(path: Path) -> bool:
    return path.exists() and not in_device(path)


def _make_seal_ca(files: KeyFiles, room: KeyRoom, hub: str, now_us: int) -> None:
    """The root in files, the seal CA's key where `room` makes it; it comes last, so its presence says all is there."""
    passing = files.seal_ca_key.with_suffix(".next")
    room.make(passing, Algorithm.P256)
    root = pki.make_root(hub, now_us)
    seal_ca = pki.make_seal_ca(root, hub, now_us, room.ec(passing))
    write_public(files.root, pki.certificate_pem(root.certificate))
    write_public(files.seal_ca, pki.certificate_pem(seal_ca.certificate))
    files.root_key.unlink(missing_ok=True)
    write_secret(files.root_key, pki.key_pem(root.key))
    passing.replace(files.seal_ca_key)
