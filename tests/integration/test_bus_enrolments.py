"""Organisations that are enrolled together, and in between, all reach the hub and are reached."""

import asyncio

import pytest

from services.identity.bus.domain import OrganisationAccount
from shuniu.kit.events import bus_streams
from tests.support.bus_land import BusLand, bus_land

TOGETHER = 24


async def submits(land: BusLand, credential: object) -> bool:
    """Tells whether what the organisation says is stored by the hub."""
    bureau = await land.bureau(credential)  # type: ignore[arg-type]
    answer = await bureau.request("submit.receipt", b"x", timeout=5)
    return b'"stream":"SUBMIT"' in answer.data


@pytest.mark.timeout(120)
async def test_organisations_enrolled_together_all_reach_the_hub() -> None:
    """All rows are there before any account is pushed, as with twenty clerks at once: no organisation is left without
    its way to the hub, and none waits for another's account.
    """
    async with bus_land() as land:
        service = await land.service("exchange")
        await service.ensure_stream(bus_streams.submit_stream())
        names = [f"org{n}" for n in range(TOGETHER)]
        land.accounts.update((name, OrganisationAccount(name)) for name in names)

        async def enrol(place: int, name: str) -> object:
            await asyncio.sleep(0.03 * place)
            return await land.admin.enrol(land.accounts[name])

        async with asyncio.timeout(20):
            credentials = await asyncio.gather(*(enrol(place, name) for place, name in enumerate(names)))
        assert [name for name, one in zip(names, credentials, strict=True) if not await submits(land, one)] == []
        for name in names:
            await service.request(f"deliver.{name}.exchange.case", b"x")
