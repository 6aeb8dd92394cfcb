"""The vault's index under both profiles: SM3 in `sm`, and what was kept before is found and moved."""

import subprocess

import pytest

from services.identity.vault import person_index, store
from services.identity.vault.person_index import PersonIndex
from services.identity.vault.store import Kept
from shuniu.kit.store import Store
from shuniu.kit.testing import ManualClock

SECRET = b"k" * 32
TEXT = b"111|11010519491231002X"


@pytest.fixture
async def vault(tmp_path):
    opened = Store.unchecked(f"sqlite:///{tmp_path}/vault.db", store.METADATA, clock=ManualClock(1))
    await opened.create_schema()
    yield opened
    await opened.close()


def test_the_sm_profile_finds_persons_by_hmac_sm3():
    """OpenSSL's HMAC with SM3 gives the same value; nothing of SHA-256 is computed for a hub that never used it."""
    (found,) = PersonIndex(SECRET, "hmac-sm3").keys(TEXT)
    command = ["openssl", "dgst", "-sm3", "-mac", "HMAC", "-macopt", f"hexkey:{SECRET.hex()}", "-binary"]
    judged = subprocess.run(command, input=TEXT, capture_output=True, check=True).stdout
    assert found == b"sm3:" + judged


async def test_who_was_kept_under_the_other_profile_is_found(vault):
    """The index tells which algorithms it holds; the values of the older one are looked for too."""
    before, after = PersonIndex(SECRET, "hmac-sha256"), PersonIndex(SECRET, "hmac-sm3", ("hmac-sha256",))
    (old,) = before.keys(TEXT)
    await vault.write(store.add, Kept("p" * 22, b"fields"), old, 1)
    assert person_index.made_with(await vault.read(store.index_sizes)) == {"hmac-sha256"}
    new, older = after.keys(TEXT)
    assert older == old
    assert await vault.read(store.find_by_index, new) is None
    await vault.write(store.reindex, "p" * 22, new)
    assert (await vault.read(store.find_by_index, new)).person_id == "p" * 22
    assert person_index.made_with(await vault.read(store.index_sizes)) == {"hmac-sm3"}
