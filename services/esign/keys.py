"""Esign's keys: made once by `shuniu init`, read once at start."""

import json
import os
import time
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import ECKey

from services.esign import sm_keys, tsa_keys
from services.esign.config import EsignSettings, KeyFiles, qr_host
from services.esign.domain import pki
from services.esign.domain.errors import EsignError
from services.esign.domain.note import NoteSigner, VerifierKey, parse_vkey
from services.esign.domain.qr import QrSigner
from services.esign.domain.timestamp import TimestampSigner
from services.esign.sm_keys import SmSecrets, write_public
from shuniu.kit.config import ConfigError, HubSettings, secret, write_secret
from shuniu.kit.crypto import profile
from shuniu.kit.crypto.keyring import Keyring, add_key
from shuniu.kit.crypto.sealing import new_key


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

    @property
    def ledger_keys(self) -> tuple[VerifierKey, ...]:
        """Every key that may have signed for this ledger, the present one first."""
        return (self.ledger.verifier, *self.ledger_retired)

    @classmethod
    def load(cls, hub: HubSettings, settings: EsignSettings) -> "Secrets":
        """Raises ConfigError naming the file that is absent, readable by others or no key."""
        files = KeyFiles(hub.data_dir)
        try:
            seal_ca = pki.load_authority(secret(files.seal_ca_key), files.seal_ca.read_bytes(), files.root.read_bytes())
            qr_key = serialization.load_pem_private_key(secret(files.qr_key), None)
            receiving = ECKey.import_key(json.loads(secret(files.receiving_key)))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{files.data_dir}: esign's keys cannot be read: {type(error).__name__}") from None
        if not isinstance(qr_key, ec.EllipticCurvePrivateKey):
            raise ConfigError(f"{files.qr_key}: not an EC key")
        return cls(
            seal_ca,
            Keyring.load(files.keyring),
            NoteSigner.prepare(ledger_name(hub), Ed25519PrivateKey.from_private_bytes(secret(files.ledger_key))),
            QrSigner.prepare(qr_key, qr_host(hub, settings)),
            receiving,
            secret(files.page_key),
            SmSecrets.load(files, wanted=settings.ses_sidecar),
            tsa_keys.load(files, settings.timestamp_policy),
            retired_ledger_keys(files),
        )


def retired_ledger_keys(files: KeyFiles) -> tuple[VerifierKey, ...]:
    """Keys that signed for this ledger before. Raises ConfigError."""
    path = files.retired_ledger_keys
    try:
        return tuple(map(parse_vkey, path.read_text("ascii").split())) if path.exists() else ()
    except (OSError, ValueError, EsignError) as error:
        raise ConfigError(f"{path}: not verifier keys: {type(error).__name__}") from None


def rotate_ledger_key(hub: HubSettings) -> VerifierKey:
    """Makes the next key of the ledger; it signs from the next start, and the last one stays known. The new key.

    Interrupted anywhere, running it again completes it: the old key is on record before the new one takes its place.
    """
    files = KeyFiles(hub.data_dir)
    old = NoteSigner.prepare(ledger_name(hub), Ed25519PrivateKey.from_private_bytes(secret(files.ledger_key))).verifier
    kept = [key.vkey for key in retired_ledger_keys(files) if key != old]
    passing = files.retired_ledger_keys.with_suffix(".next")
    write_public(passing, "".join(f"{vkey}\n" for vkey in (old.vkey, *kept)).encode())
    passing.replace(files.retired_ledger_keys)
    files.next_ledger_key.unlink(missing_ok=True)
    key = Ed25519PrivateKey.generate()
    write_secret(files.next_ledger_key, key.private_bytes_raw())
    files.next_ledger_key.replace(files.ledger_key)
    return NoteSigner.prepare(ledger_name(hub), key).verifier


def ledger_name(hub: HubSettings) -> str:
    """Origin of the ledger's checkpoints (C2SP tlog-checkpoint): host-like, without scheme."""
    return f"{hub.trust_domain}/ledger"


def make(hub: HubSettings) -> None:
    """Makes what is absent; what is there stays."""
    files = KeyFiles(hub.data_dir)
    now_us = time.time_ns() // 1000
    if not files.seal_ca_key.exists():
        root = pki.make_root(hub.name, now_us)
        seal_ca = pki.make_seal_ca(root, hub.name, now_us)
        write_public(files.root, pki.certificate_pem(root.certificate))
        write_public(files.seal_ca, pki.certificate_pem(seal_ca.certificate))
        write_secret(files.root_key, pki.key_pem(root.key))
        write_secret(files.seal_ca_key, pki.key_pem(seal_ca.key))
    sm_keys.make(files, hub.name, now_us)
    tsa_keys.make(files, hub.name, now_us)
    if not files.ledger_key.exists():
        write_secret(files.ledger_key, Ed25519PrivateKey.generate().private_bytes_raw())
    if not files.qr_key.exists():
        write_secret(files.qr_key, pki.key_pem(ec.generate_private_key(ec.SECP256R1())))
    if not files.receiving_key.exists():
        write_secret(files.receiving_key, json.dumps(new_key("esign-1").as_dict(private=True)).encode())
    if not files.page_key.exists():
        write_secret(files.page_key, os.urandom(32))
    if not files.keyring.exists():
        add_key(files.keyring, profile.of(hub.profile).storage_key)
