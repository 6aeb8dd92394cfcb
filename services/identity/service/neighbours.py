"""Channels to the services that identity calls."""

from dataclasses import dataclass

import grpc

from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighboursPart(Part):
    vault: grpc.aio.Channel
    exchange: grpc.aio.Channel


def open_neighbours(base: Foundation) -> NeighboursPart:
    vault, exchange = base.channel("vault"), base.channel("exchange")

    async def close() -> None:
        await vault.close()
        await exchange.close()

    return NeighboursPart(vault=vault, exchange=exchange, close=close)
