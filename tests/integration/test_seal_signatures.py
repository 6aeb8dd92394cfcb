"""Seal signatures as the service makes them: the SM2 side of a seal is made once, kept, and signs what PAdES signs."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509

from services.esign import store
from services.esign.config import KeyFiles
from services.esign.domain.verdict import Status
from services.esign.keys import sm2 as sm_keys
from services.esign.keys.sm2 import SmSecrets
from services.esign.seals import sm2_side as sidecars
from services.esign.seals.domain.life import Seal, SealState
from services.esign.seals.sm2_side import Sidecars
from services.esign.seals.store import sm2_side as ses_store
from services.esign.ses import document as ses_document
from services.esign.ses.domain import values as ses
from shuniu.kit.crypto.keyring import Keyring, UnreadableError
from shuniu.kit.store import Store
from shuniu.kit.testing import ManualClock
from tests.support.esign import NOW_US, ORGANISATION, SEAL_ID, sealed

SEAL = Seal(SEAL_ID, "150100", ORGANISATION, SealState.ACTIVE, 0, 0)


@dataclass
class Base:
    """The two calls of the foundation that sidecars use."""

    store: Store
    clock: ManualClock

    async def write(self, work: Any, *args: Any) -> Any:
        return await self.store.write(work, *args)


@dataclass
class Bench:
    base: Base
    secrets: SmSecrets
    keyring: Keyring
    pool: ThreadPoolExecutor
    trust: list[x509.Certificate]

    def sidecars(self) -> Sidecars:
        return Sidecars(self.base, self.secrets, self.keyring, self.pool)  # type: ignore[arg-type]

    def judge(self, beside: bytes) -> str:
        return ses_document.check(sealed(), beside, self.trust, NOW_US + 1_000_000).reason


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    for name in ("pki", "keys"):
        (tmp_path / name).mkdir(mode=0o700)
    files = KeyFiles(tmp_path)
    sm_keys.make(files, "内蒙古枢纽", NOW_US)
    secrets = SmSecrets.load(files, wanted=True)
    assert secrets is not None
    clock = ManualClock(NOW_US)
    opened = Store.unchecked(f"sqlite:///{tmp_path / 'esign.db'}", store.METADATA, clock=clock)
    await opened.create_schema()
    with ThreadPoolExecutor(2) as pool:
        trust = x509.load_pem_x509_certificates(secrets.trust_pem)
        yield Bench(Base(opened, clock), secrets, Keyring({1: bytes(32)}), pool, trust)
    await opened.close()


async def test_a_seal_gets_its_sm2_side_once(bench: Bench) -> None:
    """Several documents at once, and a process started again, use one certificate, one key and one SESeal."""
    first, again = bench.sidecars(), bench.sidecars()
    signed = await asyncio.gather(*(s.sign(sealed(), SEAL, NOW_US) for s in (first, again, first, again)))
    assert {ses.read_signature(beside).seal.raw for beside in signed} == {ses.read_signature(signed[0]).seal.raw}
    assert [bench.judge(beside) for beside in signed] == ["SES_VALID"] * 4
    later = await bench.sidecars().sign(sealed(), SEAL, NOW_US + 1)
    assert ses.read_signature(later).certificate == ses.read_signature(signed[0]).certificate


async def test_an_old_seal_is_never_dated_before_it_was_made(bench: Bench) -> None:
    """A slot handed out before the SM2 side existed: the signature says when the seal was made, and holds."""
    beside = await bench.sidecars().sign(sealed(), SEAL, NOW_US - 86_400_000_000)
    assert ses.read_signature(beside).time_us == NOW_US
    assert bench.judge(beside) == "SES_VALID"


async def test_the_key_lies_wrapped_and_bound_to_its_seal(bench: Bench) -> None:
    """What is stored opens only under the KEK and only as this seal's key."""
    await bench.sidecars().sign(sealed(), SEAL, NOW_US)
    row = await bench.base.store.read(ses_store.find_sm2_seal, SEAL_ID)
    assert row is not None
    with pytest.raises(UnreadableError):
        bench.keyring.decrypt(row.wrapped_key, sidecars.key_context("another"))
    assert bench.keyring.decrypt(row.wrapped_key, sidecars.key_context(SEAL_ID))[:1] == b"\x30"


async def test_the_first_sidecar_of_a_document_stays(bench: Bench) -> None:
    """Twice sealed, once kept: the second changes nothing."""
    await bench.base.store.write(ses_store.keep_sidecars, [("N1", b"first")])
    await bench.base.store.write(ses_store.keep_sidecars, [("N1", b"second")])
    assert await bench.base.store.read(ses_store.sidecar_of, "N1") == b"first"
    assert await bench.base.store.read(ses_store.sidecar_of, "N2") == b""


async def test_a_sidecar_of_other_bytes_is_not_of_the_document(bench: Bench) -> None:
    """The seal signature is over the signed bytes: one of them changed, and it is of another document; that this one was
    changed is told by its own signature.
    """
    beside = await bench.sidecars().sign(sealed(), SEAL, NOW_US)
    changed = sealed().replace(b"/Type/Page/", b"/Type/Pagf/", 1)
    assert changed != sealed()
    step = ses_document.check(changed, beside, bench.trust, NOW_US)
    assert (step.status, step.reason) == (Status.UNKNOWN, "SES_OF_ANOTHER")
