"""The `sm` profile: SM3 in the audit chain, SM4 at rest, and what was written before stays readable."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import MetaData, select

from services.esign import commands as esign
from services.identity import commands as identity
from shuniu.kit.crypto import profile, sm
from shuniu.kit.crypto.keyring import Keyring, UnreadableError, add_key
from shuniu.kit.foundation import ServiceSettings
from shuniu.kit.process.config import ConfigError, HubSettings
from shuniu.kit.store import Store, audit, kit_tables
from shuniu.kit.store.audit import Fault
from shuniu.kit.store.tables import audit as rows
from shuniu.kit.testing import ManualClock
from shuniu.kit.testing.foundation import foundation_of


def hub(directory: Path, name: str) -> HubSettings:
    return HubSettings(
        "150000", "枢纽", "hub.nmg.example", "https://hub.nmg.example", directory, directory, profile=name
    )


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    metadata = MetaData()
    kit_tables(metadata)
    opened = Store.unchecked(f"sqlite:///{tmp_path / 'kit.db'}", metadata, clock=ManualClock(1))
    await opened.create_schema()
    yield opened
    await opened.close()


async def test_the_audit_chain_takes_the_profiles_hash(store: Store, tmp_path: Path) -> None:
    """Records before and after a change of profile are one sound chain, each under its own hash."""
    for name in ("international", "sm"):
        base = foundation_of("exchange", hub(tmp_path, name), ServiceSettings(), ManualClock(1), store)
        await store.write(base.audit, "SubmitCase", "case/1")
    used = await store.read(lambda conn: [(r.algorithm, len(r.hash)) for r in conn.execute(select(rows))])
    assert used == [("sha-256", 32), ("sm3", 32)]
    assert (await store.read(audit.verify)).sound
    await store.write(lambda conn: conn.execute(rows.update().where(rows.c.seq == 2).values(actor="another")))
    found = await store.read(audit.verify)
    assert [(f.seq, f.fault) for f in found.findings] == [(2, Fault.CHANGED)]


def test_what_lies_at_rest_is_under_sm4(tmp_path: Path) -> None:
    """A 16-byte key seals with SM4-GCM; values under the AES key before it still open, and none is taken for another."""
    add_key(tmp_path)
    old = Keyring.load(tmp_path).encrypt(b"number", b"person/1")
    assert add_key(tmp_path, profile.SM.storage_key) == 2
    both = Keyring.load(tmp_path)
    new = both.encrypt(b"number", b"person/1")
    key = (tmp_path / "000002.key").read_bytes()
    assert sm.sm4_gcm_decrypt(key, new[4:16], new[16:], b"person/1") == b"number"
    assert both.decrypt(old, b"person/1") == both.decrypt(new, b"person/1") == b"number"
    with pytest.raises(UnreadableError):
        both.decrypt(new, b"person/2")
    with pytest.raises(UnreadableError):
        both.decrypt(old[:4] + new[4:], b"person/1")


def test_a_hub_of_the_sm_profile_makes_sm4_keys(tmp_path: Path) -> None:
    """Every keyring that initialising and rotating make is of the profile; HMAC keys keep their size."""
    config = tmp_path / "hub.toml"
    config.write_text(
        f'[hub]\ncode = "150000"\nname = "枢纽"\ntrust_domain = "hub.nmg.example"\nissuer = "https://hub.nmg.example"\n'
        f'data_dir = "{tmp_path}"\nrun_dir = "{tmp_path}"\nprofile = "sm"\n',
        "utf-8",
    )
    identity.initialise(config)
    esign.initialise(config)
    identity.rotate_storage_keys(config)
    sizes = {
        path.relative_to(tmp_path / "keys").as_posix(): path.stat().st_size
        for path in (tmp_path / "keys").glob("*/*.key")
    }
    assert {size for name, size in sizes.items() if not name.startswith("pairwise/")} == {16}
    assert sizes["pairwise/000001.key"] == 32
    assert len(sizes) == 6


def test_an_unknown_profile_is_refused() -> None:
    """A misspelt profile is told, never taken for the international one."""
    with pytest.raises(ConfigError, match="profile"):
        profile.of("SM")
