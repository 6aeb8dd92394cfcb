"""The worker that reads foreign documents."""

import asyncio
import operator
import time

from services.esign.verifier import Verifier
from shuniu.kit.testing import eventually


async def test_who_leaves_takes_his_document_with_him() -> None:
    """A caller sends what takes long and hangs up: the next one's document has all of its own time."""
    with Verifier(1.0) as verifier:
        assert await verifier.run(operator.add, 1, 1) == 2
        leaving = asyncio.create_task(verifier.run(time.sleep, 30))
        await eventually(verifier._turn.locked)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        assert await verifier.run(operator.add, 1, 2) == 3
