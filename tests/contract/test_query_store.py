"""Leases of calls and of streams, on every database."""

from dataclasses import replace

import pytest

from services.exchange.queries import store as query_store
from services.exchange.queries.granted_calls import close_abandoned
from services.exchange.queries.store import CallRow, CallState, StreamRow
from services.exchange.store import METADATA
from shuniu.kit.store import Store

RECORDS = frozenset({"records", "others"})
LEASE_US = 15_000_000


@pytest.fixture
async def store(store_url, clock):
    opened = Store.unchecked(store_url, METADATA, clock=clock)
    await opened.create_schema()
    yield opened
    await opened.close()


async def called(store, **changes):
    """A call that replica `a` works on for ten seconds."""
    until_us = await store.read(query_store.time_us) + 10_000_000
    row = CallRow("c1", "query", "caller", "request", b"d", "records", "bureau", "ministry")
    row = replace(row, **{"holder": "a", "lease_us": until_us, "fence": 1, **changes})
    await store.write(query_store.insert_call, row)
    return row


async def test_a_call_is_held_while_its_lease_lasts_by_the_databases_clock(store):
    """Others wait for it, its own replica does not; when the lease or the call ended nobody does."""
    row = await called(store)

    async def held(replica, request_id="request"):
        return await store.read(query_store.is_held, "caller", request_id, replica)

    assert (await held("a"), await held("b"), await held("b", "another")) == (False, True, False)
    assert await store.write(query_store.update_call, row, replace(row, lease_us=row.lease_us - 11_000_000))
    assert not await held("b")
    assert await store.write(query_store.update_call, replace(row, version=1), row)
    assert await held("b")
    assert await store.write(query_store.update_call, replace(row, version=2), row.failed("CUT_OFF"))
    assert not await held("b")


@pytest.mark.parametrize("late", [{"fence": 0}, {"version": 1}, {"state": CallState.DONE}, {"call_id": "c0"}])
async def test_a_late_write_is_refused(store, late):
    """Another try, another version, another state: what was read before is not written over what came since."""
    row = await called(store)
    assert not await store.write(query_store.update_call, replace(row, **late), row.failed("LATE"))
    assert await store.read(query_store.find_call, "caller", "request") == row
    taken = replace(row, holder="b", fence=2, version=1)
    assert await store.write(query_store.update_call, row, taken)
    assert not await store.write(query_store.update_call, row, row.failed("LATE"))
    assert await store.read(query_store.find_call, "caller", "request") == taken


async def test_a_call_that_is_worked_on_is_not_swept(store, clock):
    """However old it looks to a replica whose clock is ahead; it is swept when its lease ended."""
    row = await called(store, begun_us=clock.now_us())
    ahead_us = clock.now_us() + 86_400_000_000
    assert await store.write(close_abandoned, ahead_us) == 0
    assert await store.write(query_store.update_call, row, replace(row, lease_us=1))
    assert await store.write(close_abandoned, ahead_us) == 1


async def test_streams_are_found_at_the_replicas_that_hold_them(store):
    """By provider and resource, never the asking replica's own; what a replica no longer names is gone."""

    async def hold(holder, *streams, ttl_us=LEASE_US):
        rows = [StreamRow(name, provider, RECORDS) for name, provider in streams]
        await store.write(query_store.hold_streams, holder, f"unix:/{holder}", rows, ttl_us)

    async def found(replica="x", provider="ministry", resource="records"):
        return list(await store.read(query_store.addresses_with_stream, provider, resource, replica))

    await hold("a", ("s1", "ministry"), ("s2", "ministry"))
    await hold("b", ("s3", "ministry"), ("s4", "bureau"))
    assert await found() == ["unix:/a", "unix:/b"]
    assert await found("a") == ["unix:/b"]
    assert (await found(provider="bureau"), await found(resource="secret")) == (["unix:/b"], [])
    await hold("b", ("s5", "bureau"))
    assert (await found(), await found("x", "bureau")) == (["unix:/a"], ["unix:/b"])
    await hold("a")
    assert await found() == []
    assert await store.write(query_store.forget_streams, 0) == 0
    assert await store.write(query_store.forget_streams, -2 * LEASE_US) == 1


async def test_a_stream_whose_lease_ended_is_not_found_and_comes_back(store):
    """A replica that was only slow registers again what others have deleted."""
    rows = [StreamRow("s1", "ministry", RECORDS), StreamRow("s2", "ministry", RECORDS)]

    async def found():
        return list(await store.read(query_store.addresses_with_stream, "ministry", "records", "x"))

    await store.write(query_store.hold_streams, "a", "unix:/a", rows, -1_000_000)
    assert await found() == []
    await store.write(query_store.hold_streams, "a", "unix:/a", rows, LEASE_US)
    assert await found() == ["unix:/a"]
    await store.write(query_store.hold_streams, "a", "unix:/a", rows, -1_000_000)
    assert await store.write(query_store.forget_streams, 0) == 2
    await store.write(query_store.hold_streams, "a", "unix:/a", rows, LEASE_US)
    assert await found() == ["unix:/a"]
