"""The next key of each kind: made where keys lie, in force from the next start; what the last one signed stays good.

Interrupted anywhere, running a rotation again completes it: what is retired is on record before its successor stands in
its place, and the key comes last. New keys lie in the device that is set, so rotating is also how keys move into one.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.esign.certification.domain import pki, sm2_chain, sm2_pki
from services.esign.certification.domain.sm2_pki import KeyPair, Sm2Signer
from services.esign.config import EsignSettings, KeyFiles
from services.esign.keys import authority_files
from services.esign.keys import sm2 as sm_keys
from services.esign.keys import sm2_timestamp as sm_tsa_keys
from services.esign.pages.domain import qr
from shuniu.kit.crypto import pem_files, profile, sm
from shuniu.kit.crypto.device import Algorithm
from shuniu.kit.crypto.key_files import SOFTWARE, KeyRoom
from shuniu.kit.process.config import ConfigError, HubSettings
from shuniu.kit.process.durable import write_public


def rotate_timestamp_key(hub: HubSettings, settings: EsignSettings) -> x509.Certificate:
    """A new key and certificate of the timestamp authority, that of the hub's profile; its CA's key must be on the
    machine. Tokens of the last one verify on: they bear its certificate. Raises ConfigError, KeyAwayError.
    """
    files, (room, sm_room) = KeyFiles(hub.data_dir), KeyRoom.of(settings.keys, settings.sm_keys)
    if profile.of(hub.profile) is profile.SM:
        _require(files.sm2(sm_tsa_keys.CA)[1], "the timestamp CA's key")
        return _rotate_sm2(files.sm2(sm_tsa_keys.AUTHORITY), files.sm2(sm_tsa_keys.CA), SOFTWARE, sm_room, hub, _tsa)
    certificate, key = files.tsa("authority")
    above, above_key = files.tsa("ca")
    _require(above_key, "the timestamp CA's key")
    passing = key.with_suffix(".next")
    if not _half_done(room, passing, certificate):
        room.make(passing, Algorithm.P256)
        ca = authority_files.with_key_file(above, above_key, files.root)
        made = pki.make_tsa(ca, hub.name, time.time_ns() // 1000, room.ec(passing))
        _replace(certificate, pki.certificate_pem(made.certificate))
    passing.replace(key)
    return _certificate(certificate)


def rotate_seal_ca(hub: HubSettings, settings: EsignSettings) -> x509.Certificate:
    """A new seal CA under the root, whose key must be on the machine. Seals of the last one stay good, its key stays
    for OCSP and CRL alone. Raises ConfigError, KeyAwayError.
    """
    files, (room, _) = KeyFiles(hub.data_dir), KeyRoom.of(settings.keys, settings.sm_keys)
    _require(files.root_key, "the root's key")
    passing = files.seal_ca_key.with_suffix(".next")
    if not _half_done(room, passing, files.seal_ca):
        room.make(passing, Algorithm.P256)
        old = _certificate(files.seal_ca)
        number = _retire(old, files.seal_ca_key, files.retired_seal_cas, files.retired_seal_ca_key)
        root = authority_files.with_key_file(files.root, files.root_key)
        made = pki.make_seal_ca(root, hub.name, time.time_ns() // 1000, room.ec(passing), number)
        _replace(files.seal_ca, pki.certificate_pem(made.certificate))
    passing.replace(files.seal_ca_key)
    return _certificate(files.seal_ca)


def rotate_sm2_seal_ca(hub: HubSettings, settings: EsignSettings) -> x509.Certificate:
    """As `rotate_seal_ca`, on the SM2 side. The seal maker stays the last one's until it is rotated too."""
    files, (_, sm_room) = KeyFiles(hub.data_dir), KeyRoom.of(settings.keys, settings.sm_keys)
    certificate, key = files.sm2(sm_keys.SEAL_CA)
    _require(files.sm2(sm_keys.ROOT)[1], "the SM2 root's key")
    loaded = _certificate(certificate)
    number = 0
    if not _sm2_half_done(sm_room, key.with_suffix(".next"), loaded):
        number = _retire(loaded, key, files.retired_sm2_seal_cas, files.retired_sm2_seal_ca_key)

    def certify(root: Sm2Signer, pair: KeyPair, name: str, now_us: int) -> Sm2Signer:
        return sm2_pki.make_seal_ca(root, pair, name, now_us, number)

    return _rotate_sm2((certificate, key), files.sm2(sm_keys.ROOT), SOFTWARE, sm_room, hub, certify)


def rotate_seal_maker(hub: HubSettings, settings: EsignSettings) -> x509.Certificate:
    """A new SM2 seal maker under the SM2 seal CA. Seals of the last one stay good: its certificate stays in trust.
    Raises ConfigError, KeyAwayError.
    """
    files, (_, sm_room) = KeyFiles(hub.data_dir), KeyRoom.of(settings.keys, settings.sm_keys)
    _require(files.sm2(sm_keys.MAKER)[1], "the seal maker's key")
    old = pem_files.certificates_pem(files.sm2(sm_keys.MAKER)[0])
    path = files.retired_makers
    known = pem_files.certificates_pem(path) if path.exists() else b""
    passing = files.sm2(sm_keys.MAKER)[1].with_suffix(".next")
    if old not in known and not _sm2_half_done(sm_room, passing, _certificate(files.sm2(sm_keys.MAKER)[0])):
        _replace(path, old + known)
    return _rotate_sm2(files.sm2(sm_keys.MAKER), files.sm2(sm_keys.SEAL_CA), sm_room, sm_room, hub, sm2_pki.make_maker)


def _tsa(ca: Sm2Signer, key: KeyPair, hub: str, now_us: int) -> Sm2Signer:
    return sm2_pki.make_tsa(ca, key, hub, now_us)


def _rotate_sm2(
    party: tuple[Path, Path],
    above: tuple[Path, Path],
    above_room: KeyRoom,
    room: KeyRoom,
    hub: HubSettings,
    certify: Callable[[Sm2Signer, KeyPair, str, int], Sm2Signer],
) -> x509.Certificate:
    """A new key and certificate of one party of the SM2 side."""
    certificate, key = party
    passing = key.with_suffix(".next")
    try:
        if not _sm2_half_done(room, passing, _certificate(certificate)):
            room.make(passing, Algorithm.SM2)
            ca = sm_keys.load_signer(above, above_room)
            made = certify(ca, sm_keys.key_pair(room.sm2(passing)), hub.name, time.time_ns() // 1000)
            _replace(certificate, sm_keys.certificate_pem(made.certificate))
    except sm.SmUnavailableError as error:
        raise ConfigError(str(error)) from None
    passing.replace(key)
    return _certificate(certificate)


def _certificate(path: Path) -> x509.Certificate:
    """The first one of a file. Raises ConfigError."""
    return pem_files.certificates(path)[0]


def _sm2_half_done(room: KeyRoom, passing: Path, found: x509.Certificate) -> bool:
    if not passing.exists():
        return False
    certificate = found.public_bytes(serialization.Encoding.DER)
    return room.sm2(passing).spki == sm2_chain.load(certificate).spki


def rotate_qr_key(hub: HubSettings, settings: EsignSettings) -> str:
    """A new key for QR codes; codes of the last ones verify on. Its key id. Raises ConfigError, KeyAwayError."""
    files, (room, _) = KeyFiles(hub.data_dir), KeyRoom.of(settings.keys, settings.sm_keys)
    old = room.ec(files.qr_key).public_key()
    kept = [public for public in retired_qr_keys(files) if public != old]
    passing = files.qr_key.with_suffix(".next")
    room.make(passing, Algorithm.P256)
    pem = b"".join(
        public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        for public in (old, *kept)
    )
    _replace(files.retired_qr_keys, pem)
    passing.replace(files.qr_key)
    return qr.jwk(room.ec(files.qr_key).public_key())["kid"]


def retired_qr_keys(files: KeyFiles) -> tuple[ec.EllipticCurvePublicKey, ...]:
    """Keys that signed codes before, the last one first. Raises ConfigError."""
    path = files.retired_qr_keys
    end = b"-----END PUBLIC KEY-----\n"
    try:
        parts = path.read_bytes().split(end)[:-1] if path.exists() else []
        keys = [serialization.load_pem_public_key(part + end) for part in parts]
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not public keys: {type(error).__name__}") from None
    return tuple(key for key in keys if isinstance(key, ec.EllipticCurvePublicKey))


def retired_seal_cas(files: KeyFiles, room: KeyRoom) -> tuple[pki.Authority, ...]:
    """Seal CAs that certified seals before, the last one first. Raises ConfigError."""
    path = files.retired_seal_cas
    if not path.exists():
        return ()
    try:
        certificates, root = pem_files.certificates(path), pem_files.certificates_pem(files.root)
        return tuple(
            pki.authority(room.ec(files.retired_seal_ca_key(number)), pki.certificate_pem(one), root, number)
            for number, one in zip(range(len(certificates) - 1, -1, -1), certificates, strict=True)
        )
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not the retired seal CAs: {type(error).__name__}") from None


def _retire(old: x509.Certificate, key: Path, path: Path, place_of: Callable[[int], Path]) -> int:
    """Puts a seal CA's certificate and key on record; the number of its successor."""
    known = pem_files.certificates(path) if path.exists() else []
    if old not in known:
        # A second name for the key, so that it is in its place at every moment.
        place = place_of(len(known))
        place.unlink(missing_ok=True)
        os.link(key, place)
        known.insert(0, old)
        _replace(path, b"".join(map(pki.certificate_pem, known)))
    return len(known)


def _half_done(room: KeyRoom, passing: Path, certificate: Path) -> bool:
    """Tells whether an earlier attempt put the certificate in place, and only the key's turn is left."""
    if not passing.exists():
        return False
    public = _certificate(certificate).public_key()
    return room.ec(passing).public_key() == public


def _require(path: Path, what: str) -> None:
    if not path.exists():
        raise ConfigError(f"{path}: {what} is not on this machine; put it back for this command")


def _replace(path: Path, content: bytes) -> None:
    passing = path.with_suffix(".next")
    write_public(passing, content)
    passing.replace(path)
