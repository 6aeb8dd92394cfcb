"""Esign with its keys in a PKCS #11 token: everything is signed there, and its absence loses nothing."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.esign import commands
from services.esign.certification.domain import pki
from services.esign.certification.domain.trust import Trust
from services.esign.config import EsignSettings, KeyFiles
from services.esign.domain.cms.signed_data import P256Key
from services.esign.domain.verdict import Outcome
from services.esign.keys import secrets as keys
from services.esign.ledger.domain import ledger
from services.esign.ledger.domain.ledger import Entry, EntryType
from services.esign.ledger.sequencer import Sequencer
from services.esign.ledger.store.files import LedgerStore
from services.esign.signing.domain import pades
from services.esign.timestamps.domain import token as timestamp
from services.esign.timestamps.domain.token import TimestampQuery
from shuniu.kit.crypto import device_pool
from shuniu.kit.crypto.device import KeyAwayError
from shuniu.kit.process.config import HubSettings, load
from tests.support.esign import certificate_data, page
from tests.support.softhsm import TokenPlace, needs_softhsm
from tests.support.verdicts import judged

pytestmark = [pytest.mark.softhsm, needs_softhsm]


def now_us() -> int:
    return time.time_ns() // 1000


@dataclass
class TokenHub:
    place: TokenPlace
    hub: HubSettings
    settings: EsignSettings
    secrets: keys.Secrets
    config: Path

    def sealed(self) -> bytes:
        """A document whose seal was certified, wrapped and unwrapped through the token."""
        key, at_us = ec.generate_private_key(ec.SECP256R1()), now_us()
        certificate = pki.issue_seal_certificate(self.secrets.seal_ca, key.public_key(), "某局", "seal-1", at_us)
        der = key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        wrapped = self.secrets.keyring.encrypt(der, b"seal/seal-1/key")
        again = serialization.load_der_private_key(self.secrets.keyring.decrypt(wrapped, b"seal/seal-1/key"), None)
        assert isinstance(again, ec.EllipticCurvePrivateKey)
        seal = pades.SigningSeal.prepare(
            P256Key(again), pki.certificate_der(certificate), [self.secrets.seal_ca.der], "某局"
        )
        return pades.sign(page(), seal, at_us)


@pytest.fixture
def token_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenHub]:
    monkeypatch.setattr(device_pool, "PAUSE", 0.0)
    place = TokenPlace(tmp_path)
    data = tmp_path / "hub"
    for name in ("keys", "pki", "ledger"):
        (data / name).mkdir(parents=True)
    config = tmp_path / "hub.toml"
    config.write_text(
        '[hub]\ncode = "150000"\nname = "hub"\ntrust_domain = "hub.example"\nissuer = "https://hub.example"\n'
        f'data_dir = "{data}"\nrun_dir = "{data}"\n[esign]\nkeys = "{place.new_token("hub")}"\n'
    )
    commands.initialise(config)
    hub, settings = load(HubSettings, config, "hub"), load(EsignSettings, config, "esign")
    secrets = keys.Secrets.load(hub, settings)
    yield TokenHub(place, hub, settings, secrets, config)
    secrets.close()


def test_everything_that_signs_or_wraps_lies_in_the_token(token_hub: TokenHub):
    """`shuniu init` with a token makes no software key but the SM2 ones, and what the token signs verifies."""
    files = KeyFiles(token_hub.hub.data_dir)
    assert [name for name in commands.software_keys(token_hub.config) if "sm2" not in name] == []
    for path in (files.seal_ca_key, files.qr_key, files.ledger_key, files.tsa("authority")[1]):
        assert path.read_bytes().startswith(b"pkcs11:object=esign-")
    trust = Trust((token_hub.secrets.seal_ca.root,))
    verdict = judged(token_hub.sealed(), trust=trust, now_us=now_us() + 10**9)
    assert verdict.outcome in {Outcome.VALID, Outcome.INDETERMINATE}
    assert all(step.status.value != "invalid" for step in verdict.steps)
    assert token_hub.secrets.qr.url(certificate_data()).startswith("https://")


async def test_a_token_that_is_away_stops_signing_and_nothing_else(token_hub: TokenHub):
    """Out: typed refusals, no entry in the log, the hub starts and hands out trust material. Back: all goes on."""
    secrets, place = token_hub.secrets, token_hub.place
    before = token_hub.sealed()
    log = Sequencer(LedgerStore.open(KeyFiles(token_hub.hub.data_dir).ledger, secrets.ledger), window_s=0.0)
    first = await log.append(Entry(EntryType.EVIDENCE, 1))
    assert secrets.tsa is not None
    asked = TimestampQuery(timestamp.imprint(sha256(before).digest()))
    place.take_out()
    try:
        for work in (
            token_hub.sealed,
            lambda: secrets.qr.url(certificate_data()),
            lambda: secrets.tsa.token(asked, 1, now_us()),
        ):
            with pytest.raises(KeyAwayError):
                work()
        with pytest.raises(Exception, match=r"LEDGER_AWAY|cannot be written"):
            await log.append(Entry(EntryType.EVIDENCE, 2))
        assert not log.stuck
        started = keys.Secrets.load(token_hub.hub, token_hub.settings)
        assert started.ledger_keys == secrets.ledger_keys
        assert "ledger.vkey" in commands.trust_files(token_hub.config)
    finally:
        place.put_back()
    second = await log.append(Entry(EntryType.EVIDENCE, 3))
    assert (first.index, second.index) == (0, 1)
    ledger.check_receipt(second, secrets.ledger_keys)
    token_hub.sealed()
    assert secrets.tsa.token(asked, 1, now_us())
    await log.close()


def test_drill_a_hub_moves_its_keys_into_the_token(token_hub: TokenHub):
    """A hub that began with software keys: set the token, rotate each key, and none is left outside; doctor knows."""
    data = token_hub.hub.data_dir.parent / "moved"
    for name in ("keys", "pki", "ledger"):
        (data / name).mkdir(parents=True)
    config, text = data / "hub.toml", token_hub.config.read_text().replace(str(token_hub.hub.data_dir), str(data))
    config.write_text(text[: text.index("[esign]")])
    commands.initialise(config)
    before = keys.Secrets.load(load(HubSettings, config, "hub"), load(EsignSettings, config, "esign"))
    value = before.keyring.encrypt(b"seal key", b"row")
    assert len([name for name in commands.software_keys(config) if "sm2" not in name]) == 5
    config.write_text(text)
    for rotate in (
        commands.rotate_ledger_key,
        commands.rotate_qr_key,
        commands.rotate_seal_ca,
        commands.rotate_timestamp_key,
        commands.rotate_wrapping_key,
    ):
        rotate(config)
    assert [name for name in commands.software_keys(config) if "sm2" not in name] == ["esign-kek/000001.key"]
    after = keys.Secrets.load(load(HubSettings, config, "hub"), load(EsignSettings, config, "esign"))
    assert after.keyring.decrypt(value, b"row") == b"seal key"
    assert after.keyring.number_of(after.keyring.encrypt(b"seal key", b"row")) == 2
    assert after.qr.url(certificate_data()).startswith("https://")
    assert list(commands.check_devices(config).values()) == [""]
    token_hub.place.take_out()
    try:
        assert "HSM_AWAY" in next(iter(commands.check_devices(config).values()))
    finally:
        token_hub.place.put_back()
    before.close()
    after.close()


def test_drill_the_ledger_s_key_moves_into_the_token(token_hub: TokenHub):
    """A software key is rotated: the next one lies in the token, what the old one signed still verifies."""
    key = commands.rotate_ledger_key(token_hub.config)
    again = keys.Secrets.load(token_hub.hub, token_hub.settings)
    assert again.ledger.verifier.vkey == key
    assert [one.vkey for one in again.ledger_keys] == [key, token_hub.secrets.ledger.verifier.vkey]
    again.close()
