"""Opens what esign calls of exchange and identity."""

from dataclasses import dataclass

import grpc

from services.esign.service.neighbours import Neighbours
from shuniu.kit.foundation import Foundation
from shuniu.kit.parts import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighboursPart(Part):
    neighbours: Neighbours
    identity: grpc.aio.Channel


def open_neighbours(base: Foundation) -> NeighboursPart:
    exchange, identity = base.channel("exchange"), base.channel("identity")

    async def close() -> None:
        await exchange.close()
        await identity.close()

    return NeighboursPart(neighbours=Neighbours(exchange, identity), identity=identity, close=close)
