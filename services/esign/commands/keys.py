"""Making, rotating and handing out keys, for the command line."""

from pathlib import Path

from services.esign.config import EsignSettings, KeyFiles
from services.esign.keys import rotation
from services.esign.keys import secrets as key_store
from shuniu.kit.process.config import HubSettings, load

COUNTERS = ("certificate:", "licence:")
"""Beginnings of the names of counters whose numbers stand on documents and licences, and are given once."""


def initialise(config: Path) -> None:
    """Makes what is absent of esign's keys and certificates; what is there stays."""
    key_store.make(load(HubSettings, config, "hub"), load(EsignSettings, config, "esign"))


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
