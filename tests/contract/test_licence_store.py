"""Licences on every database: places, generations, states, nonces."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.esign.licences import store as licence_store
from services.esign.licences.domain.status_list import Status
from services.esign.licences.domain.types import LicenceState
from services.esign.licences.store import LicenceRow
from services.esign.store import METADATA
from shuniu.kit.store import Store
from shuniu.kit.testing import ManualClock


@pytest.fixture
async def store(store_url: str, clock: ManualClock) -> AsyncIterator[Store]:
    opened = Store.unchecked(store_url, METADATA, clock=clock)
    await opened.create_schema()
    yield opened
    await opened.close()


def licence(number: str = "N1", place: int = 7) -> LicenceRow:
    return LicenceRow(
        *(number, "case-1", "residence_permit", "police", "p" * 22, "150100", "seal-1", "key", 1, 2, 1, place),
        *(b"salt", licence_store.SLOT, LicenceState.VALID, "", b"", -1, ""),
    )


async def test_a_licence_on_its_way_and_in_its_life(store: Store) -> None:
    """Kept as it was put; each stage and each change of state once; the list says it and counts it."""
    row = licence()
    assert await store.write(licence_store.take_place, 1, 7)
    assert not await store.write(licence_store.take_place, 1, 7)
    await store.write(licence_store.put, row)
    assert await store.read(licence_store.find_by_number, "N1") == row
    # Good until 2 µs: after that the case may have another one.
    for now_us, expected in ((1, row), (2, None)):
        assert await store.read(licence_store.find_of_case, "case-1", "residence_permit", now_us) == expected
    for attempt in (True, False):
        assert await store.write(licence_store.keep_signed, "N1", "ab", b"sealed") is attempt
    assert await store.read(licence_store.unfinished) == ["N1"]
    for attempt in (True, False):
        assert await store.write(licence_store.release, "N1", 5, "receipt") is attempt
    issued = await store.read(licence_store.find_by_digests, ["aa", "ab"])
    assert issued is not None
    assert (issued.stage, issued.sealed, issued.ledger_index) == (licence_store.ISSUED, b"sealed", 5)
    assert await store.read(licence_store.statuses, 1) == (0, {}, Status.VALID)
    for attempt in (True, False):
        done = await store.write(licence_store.change_state, issued, LicenceState.SUSPENDED, "why", 9)
        assert done is attempt
    assert await store.read(licence_store.statuses, 1) == (1, {7: Status.SUSPENDED}, Status.VALID)
    (change,) = await store.read(licence_store.unlogged, 10)
    assert (change.number, change.state, change.changed_us) == ("N1", LicenceState.SUSPENDED, 9)
    await store.write(licence_store.logged, change, 6)
    assert await store.read(licence_store.unlogged, 10) == []
    assert await store.read(licence_store.find_list_version, 2) is None
    assert await store.read(licence_store.count) == 1


async def test_a_list_knows_whether_its_register_forgot_places(store: Store) -> None:
    """A place that nobody holds is VALID while the register has every place that was given, and SUSPENDED after that."""
    for place in (7, 8):
        assert await store.write(licence_store.next_value, licence_store.PLACES_GIVEN) == place - 6
        assert await store.write(licence_store.take_place, 1, place)
        await store.write(licence_store.put, licence(f"N{place}", place))
        assert await store.read(licence_store.statuses, 1) == (0, {}, Status.VALID)
    await store.write(licence_store.pass_over, "1500002026")
    assert await store.read(licence_store.statuses, 1) == (0, {7: Status.VALID, 8: Status.VALID}, Status.SUSPENDED)


async def test_one_of_many_takes_the_generation(store: Store) -> None:
    """Many at once for the same case: the generation is taken once each time, and the next one after it."""
    found = await asyncio.gather(
        *(store.write(licence_store.take_generation, "case-1", "residence_permit") for _ in range(5))
    )
    assert any(found)
    assert await store.write(licence_store.take_generation, "case-1", "residence_permit")


async def test_a_nonce_is_spent_once(store: Store) -> None:
    """By one question; the same question may ask again; once it is past its time it is forgotten."""
    for use, fresh in (("a", True), ("a", True), ("b", False)):
        assert await store.write(licence_store.spend_nonce, "digest", use, 100, 50) is fresh
    assert await store.write(licence_store.spend_nonce, "digest", "b", 300, 101)
